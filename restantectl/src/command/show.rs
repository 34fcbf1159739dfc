//! `show`: one or more messages with their timeline and, if asked for, their content.

use clap::{Args, ValueEnum};
use proto::v1::{MessageClass, PartKind, ReadContentRequest};

use super::{Session, Tally, stopped};
use crate::args::Format;
use crate::client::{Client, Content};
use crate::exit::Failure;
use crate::output::record::{ContentRecord, ShownMessage, class_name};
use crate::output::text::BodyText;
use crate::output::{Items, Output};
use crate::target::{Given, MessageId, all};

mod view;

/// Content that is put into a JSON record; more is written by `-o raw` only.
const JSON_CONTENT_MAX: usize = 16 * 1024 * 1024;

/// Show messages: state, headers, timeline, content
///
/// In json and jsonl the record always has the headers and the timeline. Content needs a right of
/// its own and is read only on request: --body is the body, --part complete octets as received.
/// Text for people has its control characters escaped; `-o raw` writes the octets as they are.
#[derive(Args, Debug)]
#[command(after_help = "\
Examples:
  restantectl show 17@store.example --timeline
  restantectl show sip:17@store.example --headers --body
  restantectl show 17@store.example --body -o raw > body.bin
  restantectl show 17@store.example --part message -o raw > request.sip
  restantectl list --state refused -o jsonl | restantectl show - -o jsonl")]
pub(crate) struct ShowArgs {
    /// Message-IDs, bare or with `sip:`; `-` reads them from standard input
    #[arg(value_name = "ID", required = true)]
    ids: Vec<Given<MessageId>>,
    /// Also what happened to it, oldest first
    #[arg(long)]
    timeline: bool,
    /// Also its headers as the sender wrote them
    #[arg(long)]
    headers: bool,
    /// Also its body
    #[arg(long, conflicts_with = "part")]
    body: bool,
    /// Also a part of it, complete as received
    #[arg(long, value_name = "PART", value_enum)]
    part: Option<Part>,
}

/// Parts of a message, as one types them.
#[derive(Clone, Copy, Debug, ValueEnum)]
enum Part {
    /// The MESSAGE request
    Message,
    /// The INVITE of a large message
    Invite,
    /// The 200 to that INVITE
    InviteResponse,
    /// The header of the MSRP SEND
    SendHead,
    /// The body of the MSRP SEND
    SendBody,
    /// The BYE of the sender
    Bye,
}

impl From<Part> for PartKind {
    fn from(part: Part) -> Self {
        match part {
            Part::Message => Self::Message,
            Part::Invite => Self::Invite,
            Part::InviteResponse => Self::InviteResponse,
            Part::SendHead => Self::SendHead,
            Part::SendBody => Self::SendBody,
            Part::Bye => Self::Bye,
        }
    }
}

pub(crate) async fn run(args: &ShowArgs, session: &mut Session) -> Result<(), Failure> {
    let ids = all(&args.ids)?;
    if session.globals.output == Format::Raw {
        return raw(args, &ids, session).await;
    }
    let mut client = session.connect().await?;
    let mut shown = Shown {
        args,
        tally: Tally::default(),
        client: &mut client,
    };
    let mut items = Items::begin(&mut session.output, "messages")?;
    let ended = shown.each(&ids, &mut items).await;
    let failed = shown.tally.result(ids.len());
    let closed = items.finish(&NoMore {});
    ended.and(closed).and(failed)
}

/// The end of the JSON document has no fields of its own.
#[derive(serde::Serialize)]
struct NoMore {}

/// The octets of one message and nothing else.
async fn raw(args: &ShowArgs, ids: &[MessageId], session: &mut Session) -> Result<(), Failure> {
    let is_content = args.body || args.part.is_some();
    let ([id], true, false) = (ids, is_content, args.headers || args.timeline) else {
        return Err(Failure::RawNeedsOneContent);
    };
    let mut client = session.connect().await?;
    let message = message(&mut client, id).await?;
    if let Some(mut content) = content(args, &message, &mut client).await? {
        while let Some(octets) = content.next().await? {
            session.output.octets(&octets)?;
        }
    }
    session.output.flush()
}

/// Messages being shown one after another.
struct Shown<'a> {
    args: &'a ShowArgs,
    tally: Tally,
    client: &'a mut Client,
}

impl Shown<'_> {
    async fn each(&mut self, ids: &[MessageId], items: &mut Items<'_>) -> Result<(), Failure> {
        for (done, id) in ids.iter().enumerate() {
            match self.one(id, items).await {
                Ok(()) => {}
                Err(failure) if failure.is_of_one_item() => self.tally.fail(id, &failure),
                Err(failure) => return Err(stopped(done, ids.len(), failure)),
            }
        }
        Ok(())
    }

    async fn one(&mut self, id: &MessageId, items: &mut Items<'_>) -> Result<(), Failure> {
        let mut message = message(self.client, id).await?;
        let is_table = items.output().format() == Format::Table;
        if !is_table {
            // The record is worth showing even if its content cannot be had.
            let content = self.collected(&message).await;
            let (content, failure) = content.map_or_else(|e| (None, Some(e)), |c| (c, None));
            message.content = content;
            items.write(&message, |_| String::new())?;
            return failure.map_or(Ok(()), Err);
        }
        let is_first = items.count() == 0;
        items.write(&message, |message| view::text(message, self.args, is_first))?;
        match content(self.args, &message, self.client).await? {
            Some(content) => stream(content, items.output()).await,
            None => Ok(()),
        }
    }

    /// The content for a JSON record, if it was asked for.
    async fn collected(
        &mut self,
        message: &ShownMessage,
    ) -> Result<Option<ContentRecord>, Failure> {
        if !self.args.body && self.args.part.is_none() {
            return Ok(None);
        }
        let mut octets = Vec::new();
        if let Some(mut content) = content(self.args, message, self.client).await? {
            while let Some(piece) = content.next().await? {
                octets.extend_from_slice(&piece);
                if octets.len() > JSON_CONTENT_MAX {
                    return Err(too_large_for_json());
                }
            }
        }
        Ok(Some(octets.into()))
    }
}

fn too_large_for_json() -> Failure {
    let limit = JSON_CONTENT_MAX / (1024 * 1024);
    let text = format!("its content is larger than {limit} MiB: read it with -o raw");
    Failure::Item {
        code: "content_too_large",
        text,
    }
}

async fn message(client: &mut Client, id: &MessageId) -> Result<ShownMessage, Failure> {
    let reply = client.message(id).await?;
    ShownMessage::from_reply(reply).ok_or_else(|| client.defect("a reply without a message"))
}

/// The content asked for; nothing if none was, or if it is empty.
async fn content(
    args: &ShowArgs,
    message: &ShownMessage,
    client: &mut Client,
) -> Result<Option<Content>, Failure> {
    let range = match args.part {
        Some(part) => whole(message, part.into()),
        None if args.body && message.message.body_octets > 0 => body(message),
        None => return Ok(None),
    };
    client.content(range).await.map(Some)
}

fn whole(message: &ShownMessage, part: PartKind) -> ReadContentRequest {
    let message_id = message.message.message_id.clone();
    ReadContentRequest {
        message_id,
        part: part.into(),
        offset: 0,
        length: 0,
    }
}

/// Where the body is: a SEND has it alone, a MESSAGE request after its header.
fn body(message: &ShownMessage) -> ReadContentRequest {
    let is = |class: MessageClass| message.message.class == class_name(class.into());
    // A notification may have come either way.
    if is(MessageClass::Large) || (is(MessageClass::Imdn) && message.body_offset == 0) {
        return whole(message, PartKind::SendBody);
    }
    ReadContentRequest {
        offset: message.body_offset,
        length: message.message.body_octets,
        ..whole(message, PartKind::Message)
    }
}

/// The body of a message for a JSON record.
pub(super) async fn whole_body(
    message: &ShownMessage,
    client: &mut Client,
) -> Result<ContentRecord, Failure> {
    let mut octets = Vec::new();
    if message.message.body_octets > 0 {
        let mut content = client.content(body(message)).await?;
        while let Some(piece) = content.next().await? {
            octets.extend_from_slice(&piece);
            if octets.len() > JSON_CONTENT_MAX {
                return Err(too_large_for_json());
            }
        }
    }
    Ok(octets.into())
}

/// Writes content for people, piece by piece, under the fields of its message.
async fn stream(mut content: Content, output: &mut Output) -> Result<(), Failure> {
    let mut text = BodyText::default();
    output.octets(b"\n")?;
    while let Some(octets) = content.next().await? {
        output.octets(text.piece(&octets).as_bytes())?;
    }
    output.octets(text.end().as_bytes())?;
    output.flush()
}
