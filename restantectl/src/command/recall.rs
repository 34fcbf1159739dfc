//! `recall`: one message, for its sender.

use clap::Args;
use clap::builder::NonEmptyStringValueParser;
use prost_types::Timestamp;
use proto::v1::{ListMessagesRequest, Message, MessageState, RecallMessageRequest};
use serde::Serialize;

use super::selection::{Batches, Selected};
use super::{Session, Tally};
use crate::client::Client;
use crate::exit::{Failure, complain};
use crate::moment::parse_coming;
use crate::output::Items;
use crate::output::record::{ChangeRecord, ErrorRecord, ListedMessage, Outcome};
use crate::output::text::escape;
use crate::target::{Address, MessageId};

/// The name in records.
const COMMAND: &str = "recall";

/// Take an undelivered message back for its sender, or let it expire earlier
///
/// Possible until an edge has begun to send it. What is recalled is never delivered, its content is
/// gone, and its sender gets no report about it.
#[derive(Args, Debug)]
#[command(after_help = "\
Examples:
  restantectl recall 17@store.example --sender alice@example.org --reason 'sent by mistake'
  restantectl recall --sender alice@example.org --to bob@example.org --imdn-message-id 34jk324j
  restantectl recall 17@store.example --sender alice@example.org --dry-run
  restantectl recall 17@store.example --sender alice@example.org --expires 2h")]
pub(crate) struct RecallArgs {
    /// Message-ID, bare or with `sip:`
    #[arg(value_name = "ID", required_unless_present = "imdn_message_id")]
    id: Option<MessageId>,
    /// Who sent it, as asserted: nobody else can recall it
    #[arg(long, value_name = "ADDRESS")]
    sender: Address,
    /// Whom it was sent to, by address or alias
    #[arg(long, value_name = "ADDRESS", requires = "imdn_message_id")]
    to: Option<Address>,
    /// The sender's own id of the message, instead of the Message-ID
    #[arg(long, value_name = "ID", requires = "to", conflicts_with = "id", value_parser = NonEmptyStringValueParser::new())]
    imdn_message_id: Option<String>,
    /// Do not take it back: let it expire at TIME, or after so long: 2026-08-23T14:30:00Z or 2h
    #[arg(long, value_name = "TIME", value_parser = parse_coming)]
    expires: Option<Timestamp>,
    /// Show which message it would be, and change nothing
    #[arg(long)]
    dry_run: bool,
}

/// The end of the JSON document.
#[derive(Debug, Serialize)]
struct RecallEnd {
    dry_run: bool,
}

pub(crate) async fn run(args: RecallArgs, session: &mut Session) -> Result<(), Failure> {
    let mut client = session.connect().await?;
    let is_shortened = args.expires.is_some();
    let name = args.id.as_ref().map(ToString::to_string);
    let name = name.or_else(|| args.imdn_message_id.clone());
    let name = name.unwrap_or_default();
    let mut tally = Tally::default();
    if args.dry_run {
        let record = foresee(&args, name, &mut client).await?;
        if let Some(error) = &record.error {
            let why = format_args!("cannot {COMMAND}: {}", error.text);
            tally.fail(&record.message_id, &why);
        }
        let mut items = Items::begin(&mut session.output, "results")?;
        let written = items.write(&record, |record| text(record, is_shortened));
        let closed = items.finish(&RecallEnd { dry_run: true });
        return written.and(closed).and(tally.result(1));
    }
    let record = match client.recall(request(args, &session.globals.reason)).await {
        Ok(message) => ChangeRecord {
            message_id: message.message_id.clone(),
            command: COMMAND,
            outcome: Outcome::Done,
            message: Some(ListedMessage::from(message)),
            error: None,
        },
        Err(failure) if failure.is_of_one_item() => {
            tally.fail(&name, &format_args!("cannot {COMMAND}: {failure}"));
            ChangeRecord {
                message_id: name,
                command: COMMAND,
                outcome: Outcome::Failed,
                message: None,
                error: Some((&failure).into()),
            }
        }
        Err(failure) => {
            if let Failure::NoAnswer { .. } = &failure {
                complain(&format_args!(
                    "{name}: whether it was recalled is not known"
                ));
            }
            return Err(failure);
        }
    };
    let mut items = Items::begin(&mut session.output, "results")?;
    let written = items.write(&record, |record| text(record, is_shortened));
    let closed = items.finish(&RecallEnd { dry_run: false });
    written.and(closed).and(tally.result(1))
}

/// What it would come to, as far as is known here: an edge may have begun to send it.
async fn foresee(
    args: &RecallArgs,
    name: String,
    client: &mut Client,
) -> Result<ChangeRecord, Failure> {
    let found = match &args.id {
        Some(id) => match client.message(id).await {
            Ok(reply) => reply.message,
            Err(failure) if failure.is_of_one_item() => None,
            Err(failure) => return Err(failure),
        },
        None => waiting_or_last(args, client).await?,
    };
    let found = found.filter(|message| message.sender == args.sender.to_string());
    let error = match found.as_ref().map(Message::state) {
        None => Some("there is no such message of this sender"),
        Some(state) if is_undelivered(state) => None,
        Some(_) => Some("it has been settled"),
    };
    Ok(ChangeRecord {
        message_id: found
            .as_ref()
            .map_or(name, |message| message.message_id.clone()),
        command: COMMAND,
        outcome: match error {
            None => Outcome::WouldDo,
            Some(_) => Outcome::WouldFail,
        },
        message: found.map(ListedMessage::from),
        error: error.map(ErrorRecord::precondition),
    })
}

/// Of the messages with the sender's own id the one that waits, or else the last: as the service chooses.
async fn waiting_or_last(
    args: &RecallArgs,
    client: &mut Client,
) -> Result<Option<Message>, Failure> {
    let user = args.to.as_ref().map(ToString::to_string);
    let mut batches = Batches::new(Selected::Query(Box::new(ListMessagesRequest {
        served_user: user.unwrap_or_default(),
        sender: args.sender.to_string(),
        imdn_message_id: args.imdn_message_id.clone().unwrap_or_default(),
        ..ListMessagesRequest::default()
    })));
    let mut last = None;
    loop {
        let batch = batches.next(client).await?;
        if batch.is_empty() {
            return Ok(last);
        }
        for message in batch.into_iter().filter_map(|(_, message)| message) {
            if is_undelivered(message.state()) {
                return Ok(Some(message));
            }
            last = Some(message);
        }
    }
}

fn is_undelivered(state: MessageState) -> bool {
    use MessageState::{Claimed, Held, Stored};
    matches!(state, Stored | Claimed | Held)
}

fn request(args: RecallArgs, reason: &str) -> RecallMessageRequest {
    let text = |address: Option<Address>| address.map(|to| to.to_string()).unwrap_or_default();
    RecallMessageRequest {
        sender: args.sender.to_string(),
        message_id: args.id.map(|id| id.to_string()).unwrap_or_default(),
        served_user: text(args.to),
        imdn_message_id: args.imdn_message_id.unwrap_or_default(),
        expires_at: args.expires,
        reason: reason.to_owned(),
    }
}

/// One line for people; what failed has its line on standard error.
fn text(record: &ChangeRecord, is_shortened: bool) -> String {
    let Some(message) = &record.message else {
        return String::new();
    };
    let id = &record.message_id;
    let to = escape(&message.served_user);
    match record.outcome {
        Outcome::WouldDo => return format!("{id}: would {COMMAND}, to {to}\n"),
        Outcome::WouldFail => return String::new(),
        Outcome::Done | Outcome::Failed => {}
    }
    match (is_shortened, &message.expires_at) {
        (true, Some(at)) => format!("{id}: expires {at}, to {to}\n"),
        _ => format!("{id}: recalled, to {to}\n"),
    }
}
