//! `subscriptions`: who is told what waits, and by which edge.

use clap::{Args, Subcommand};
use proto::v1::ListSubscriptionsRequest;

use super::Session;
use super::limit::{Limit, ListEnd, tell_rest};
use crate::args::Format;
use crate::client::Client;
use crate::exit::Failure;
use crate::output::Items;
use crate::output::record::SubscriptionRecord;
use crate::output::table::{Column, Grid};
use crate::target::Address;

const COLUMNS: [Column; 5] = [
    Column::whole("USER"),
    Column::cuttable("CONTACT"),
    Column::whole("EDGE"),
    Column::whole("EPOCH"),
    Column::whole("EXPIRES"),
];

/// What can be done with subscriptions.
#[derive(Debug, Subcommand)]
pub(crate) enum SubscriptionsCommand {
    List(SubscriptionsListArgs),
}

/// List subscriptions to the waiting indication, in the order of the mailboxes
///
/// `epoch` counts the edges that have owned a subscription. If there are more than --limit, standard
/// error says how to go on.
#[derive(Args, Debug)]
#[command(after_help = "\
Examples:
  restantectl subscriptions list                             the first 100
  restantectl subscriptions list bob@example.org             who is told of Bob's mail?
  restantectl subscriptions list --limit all -o jsonl | jq -r .edge | sort | uniq -c")]
pub(crate) struct SubscriptionsListArgs {
    /// Only those of the user with this address or alias
    #[arg(value_name = "ADDRESS")]
    address: Option<Address>,
    /// Show about this many subscriptions, or `all`; those of one user stay together
    #[arg(long, value_name = "COUNT", default_value = "100")]
    limit: Limit,
    /// Go on where an earlier list ended
    #[arg(
        long,
        value_name = "TOKEN",
        default_value = "",
        hide_default_value = true
    )]
    page_token: String,
}

pub(crate) async fn run(
    command: SubscriptionsCommand,
    session: &mut Session,
) -> Result<(), Failure> {
    let SubscriptionsCommand::List(args) = command;
    let mut client = session.connect().await?;
    let is_json = session.output.format() == Format::Json;
    let mut query = ListSubscriptionsRequest {
        served_user: args.address.map(|it| it.to_string()).unwrap_or_default(),
        page_size: 0,
        page_token: args.page_token,
    };
    let mut items = Items::begin(&mut session.output, "subscriptions")?;
    let ended = follow(args.limit, &mut query, &mut items, &mut client).await;
    let token = Some(query.page_token).filter(|token| !token.is_empty());
    let hint = token.clone().filter(|_| !is_json);
    let closed = items.finish(&ListEnd::at(token));
    ended.and(closed)?;
    hint.iter().for_each(|token| tell_rest(token));
    Ok(())
}

/// Shows page after page. Afterwards the token of `query` is where the list can go on.
async fn follow(
    limit: Limit,
    query: &mut ListSubscriptionsRequest,
    items: &mut Items<'_>,
    client: &mut Client,
) -> Result<(), Failure> {
    let mut grid = Grid::new(&COLUMNS);
    loop {
        query.page_size = limit.next_page(items.count());
        let reply = client.subscriptions(query.clone()).await?;
        let found = reply.subscriptions.into_iter();
        let found: Vec<_> = found.map(SubscriptionRecord::from).collect();
        if !found.is_empty() {
            let rows: Vec<_> = found.iter().map(row).collect();
            items.write_all(&found, |_| grid.page(&rows))?;
        }
        if !reply.next_page_token.is_empty() && reply.next_page_token == query.page_token {
            return Err(client.defect("a page that leads to itself"));
        }
        query.page_token = reply.next_page_token;
        if query.page_token.is_empty() || limit.next_page(items.count()) == 0 {
            return Ok(());
        }
    }
}

fn row(found: &SubscriptionRecord) -> Vec<String> {
    vec![
        found.served_user.clone(),
        found.contact.clone(),
        found.edge.clone(),
        found.epoch.to_string(),
        found.expires_at.clone().unwrap_or_else(|| "-".to_owned()),
    ]
}
