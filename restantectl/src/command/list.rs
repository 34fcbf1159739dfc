//! `list`: stored messages, page after page.

use chrono::Utc;
use clap::{Args, ValueEnum};
use prost_types::Timestamp;
use proto::v1::{ListMessagesRequest, Message, MessageClass, MessageState};

use super::Session;
use super::limit::{Limit, ListEnd, tell_rest};
use crate::args::Format;
use crate::client::Client;
use crate::exit::Failure;
use crate::moment::{age, parse_argument};
use crate::output::record::{ListedMessage, state_name};
use crate::output::table::{Column, Grid};
use crate::output::{Items, Output};
use crate::target::Address;

const COLUMNS: [Column; 7] = [
    Column::whole("MESSAGE-ID"),
    Column::whole("STATE"),
    Column::number("AGE"),
    Column::number("TRIES"),
    Column::number("OCTETS"),
    Column::cuttable("TO"),
    Column::cuttable("FROM"),
];

/// List stored messages
///
/// All filters must match. With --to the order is that of the mailbox, which is the order of
/// delivery; else that of the Message-IDs. Messages are shown as they arrive. If more match than
/// --limit, standard error says how to go on.
#[derive(Args, Debug)]
#[command(after_help = "\
Examples:
  restantectl list                                          the first 100 messages
  restantectl list --to bob@example.org --state stored      what waits for Bob
  restantectl list --from +4930123456 --since 2h            lately from this number
  restantectl list --state refused,expired --until 7d       settled badly, received over a week ago
  restantectl list --limit all -o jsonl | jq 'select(.attempts > 3)'
  restantectl list --to bob@example.org -o jsonl | restantectl hold - --dry-run")]
pub(crate) struct ListArgs {
    /// Only messages for this served user, by address or alias
    #[arg(long, value_name = "ADDRESS")]
    to: Option<Address>,
    /// Only messages from this sender
    #[arg(long, value_name = "ADDRESS")]
    from: Option<Address>,
    /// Only messages in these states, comma separated or repeated
    #[arg(long, value_name = "STATE", value_enum, value_delimiter = ',')]
    state: Vec<State>,
    /// Only messages of this class
    #[arg(long, value_name = "CLASS", value_enum)]
    class: Option<Class>,
    /// Only messages of this conversation: their Conversation-ID, exactly
    #[arg(long, value_name = "ID")]
    conversation_id: Option<String>,
    /// Only messages of this contribution: their Contribution-ID, exactly
    #[arg(long, value_name = "ID")]
    contribution_id: Option<String>,
    /// Only messages that their sender has given this imdn.Message-ID
    #[arg(long, value_name = "ID")]
    imdn_message_id: Option<String>,
    /// Only messages received at or after TIME: 2026-08-23T14:30:00Z, 2026-08-23, or 2h (ago)
    #[arg(long, value_name = "TIME", value_parser = parse_argument)]
    since: Option<Timestamp>,
    /// Only messages received before TIME
    #[arg(long, value_name = "TIME", value_parser = parse_argument)]
    until: Option<Timestamp>,
    /// Show at most this many messages, or `all`
    #[arg(long, value_name = "COUNT", default_value = "100")]
    limit: Limit,
    /// Go on where an earlier list with the same filters ended
    #[arg(
        long,
        value_name = "TOKEN",
        default_value = "",
        hide_default_value = true
    )]
    page_token: String,
}

/// States of a message, as one types them.
#[derive(Clone, Copy, Debug, ValueEnum)]
enum State {
    /// Waits for delivery
    Stored,
    /// Being delivered
    Claimed,
    /// Kept back by an operator
    Held,
    /// Acknowledged by the client
    Delivered,
    /// Its lifetime ended before delivery
    Expired,
    /// Refused for good
    Refused,
    /// Taken back by its sender
    Recalled,
    /// Removed by an operator or the served user
    Deleted,
}

impl From<State> for MessageState {
    fn from(state: State) -> Self {
        match state {
            State::Stored => Self::Stored,
            State::Claimed => Self::Claimed,
            State::Held => Self::Held,
            State::Delivered => Self::Delivered,
            State::Expired => Self::Expired,
            State::Refused => Self::Refused,
            State::Recalled => Self::Recalled,
            State::Deleted => Self::Deleted,
        }
    }
}

/// Classes of messages, as one types them.
#[derive(Clone, Copy, Debug, ValueEnum)]
enum Class {
    /// A MESSAGE request
    Pager,
    /// Received over MSRP
    Large,
    /// A disposition notification
    Imdn,
}

impl From<Class> for MessageClass {
    fn from(class: Class) -> Self {
        match class {
            Class::Pager => Self::Pager,
            Class::Large => Self::Large,
            Class::Imdn => Self::Imdn,
        }
    }
}

pub(crate) async fn run(args: ListArgs, session: &mut Session) -> Result<(), Failure> {
    let mut client = session.connect().await?;
    let limit = args.limit;
    let mut listing = Listing::begin(args, &mut session.output)?;
    let ended = listing.follow(limit, &mut client).await;
    listing.finish(ended)
}

/// A list on its way through the pages.
struct Listing<'a> {
    query: ListMessagesRequest,
    items: Items<'a>,
    grid: Grid,
    is_json: bool,
}

impl<'a> Listing<'a> {
    fn begin(args: ListArgs, output: &'a mut Output) -> Result<Self, Failure> {
        let is_json = output.format() == Format::Json;
        Ok(Self {
            query: query(args),
            items: Items::begin(output, "messages")?,
            grid: Grid::new(&COLUMNS),
            is_json,
        })
    }

    /// Shows page after page. Afterwards the token of `query` is where the list can go on.
    async fn follow(&mut self, limit: Limit, client: &mut Client) -> Result<(), Failure> {
        loop {
            self.query.page_size = limit.next_page(self.items.count());
            let reply = client.list(self.query.clone()).await?;
            self.show(reply.messages)?;
            if !reply.next_page_token.is_empty() && reply.next_page_token == self.query.page_token {
                return Err(client.defect("a page that leads to itself"));
            }
            self.query.page_token = reply.next_page_token;
            let is_limit_reached = limit.next_page(self.items.count()) == 0;
            if self.query.page_token.is_empty() || is_limit_reached {
                return Ok(());
            }
        }
    }

    fn show(&mut self, messages: Vec<Message>) -> Result<(), Failure> {
        if messages.is_empty() {
            return Ok(());
        }
        let now = Utc::now();
        let rows: Vec<_> = messages.iter().map(|message| row(message, now)).collect();
        let records: Vec<_> = messages.into_iter().map(ListedMessage::from).collect();
        let grid = &mut self.grid;
        self.items.write_all(&records, |_| grid.page(&rows))
    }

    /// Closes the document and tells where to go on, also after a failure.
    fn finish(self, ended: Result<(), Failure>) -> Result<(), Failure> {
        let token = Some(self.query.page_token).filter(|token| !token.is_empty());
        let hint = token.clone().filter(|_| !self.is_json);
        let closed = self.items.finish(&ListEnd::at(token));
        ended.and(closed)?;
        hint.iter().for_each(|token| tell_rest(token));
        Ok(())
    }
}

fn query(args: ListArgs) -> ListMessagesRequest {
    let class = args
        .class
        .map_or(MessageClass::Unspecified, MessageClass::from);
    let states = args
        .state
        .into_iter()
        .map(|state| MessageState::from(state).into());
    ListMessagesRequest {
        served_user: args.to.map(|to| to.to_string()).unwrap_or_default(),
        sender: args.from.map(|from| from.to_string()).unwrap_or_default(),
        states: states.collect(),
        class: class.into(),
        received_from: args.since,
        received_until: args.until,
        page_size: 0,
        page_token: args.page_token,
        conversation_id: args.conversation_id.unwrap_or_default(),
        contribution_id: args.contribution_id.unwrap_or_default(),
        imdn_message_id: args.imdn_message_id.unwrap_or_default(),
    }
}

fn row(message: &Message, now: chrono::DateTime<Utc>) -> Vec<String> {
    vec![
        message.message_id.clone(),
        state_name(message.state),
        age(message.received_at, now),
        message.attempts.to_string(),
        message.body_octets.to_string(),
        message.served_user.clone(),
        message.sender.clone(),
    ]
}
