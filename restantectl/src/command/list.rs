//! `list`: stored messages, page after page.

use chrono::Utc;
use clap::Args;
use proto::v1::{ListMessagesRequest, Message, MessageState};

use super::Session;
use super::filter::Filters;
use super::limit::{Limit, ListEnd, tell_rest};
use crate::args::Format;
use crate::client::Client;
use crate::exit::Failure;
use crate::moment::age;
use crate::output::record::{ListedMessage, state_name};
use crate::output::table::{Column, Grid};
use crate::output::{Items, Output};

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
  restantectl list --state refused,expired --before 7d      settled badly, received over a week ago
  restantectl list --group team@example.org --state stored  whom of the group it waits for
  restantectl list --error 480 --min-attempts 3 --limit all  often in vain
  restantectl list --min-size 1MiB -o jsonl | jq .message_id
  restantectl list --to bob@example.org -o jsonl | restantectl hold - --dry-run")]
pub(crate) struct ListArgs {
    #[command(flatten)]
    pub(super) filters: Filters,
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

pub(crate) async fn run(args: ListArgs, session: &mut Session) -> Result<(), Failure> {
    run_for(args, &[], session).await
}

/// As [`run`]; `states` are meant where no state is typed.
pub(crate) async fn run_for(
    args: ListArgs,
    states: &[MessageState],
    session: &mut Session,
) -> Result<(), Failure> {
    let mut client = session.connect().await?;
    let limit = args.limit;
    let mut listing = Listing::begin(args, states, &mut session.output)?;
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
    fn begin(
        args: ListArgs,
        states: &[MessageState],
        output: &'a mut Output,
    ) -> Result<Self, Failure> {
        let is_json = output.format() == Format::Json;
        Ok(Self {
            query: ListMessagesRequest {
                page_token: args.page_token,
                ..args.filters.query(states)
            },
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
