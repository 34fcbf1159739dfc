//! `subscriptions`: who is told what waits, and by which edge.

use clap::{Args, Subcommand};
use proto::v1::ListSubscriptionsRequest;

use super::Session;
use super::limit::Limit;
use super::pages::{Listing, show};
use crate::client::Client;
use crate::exit::Failure;
use crate::output::record::SubscriptionRecord;
use crate::output::table::Column;
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
    let served_user = args.address.map(|it| it.to_string()).unwrap_or_default();
    let listing = Listing {
        name: "subscriptions",
        columns: &COLUMNS,
        row,
    };
    show(
        listing,
        args.limit,
        args.page_token,
        session,
        async |client: &mut Client, page_size, page_token| {
            let query = ListSubscriptionsRequest {
                served_user: served_user.clone(),
                page_size,
                page_token,
            };
            let reply = client.subscriptions(query).await?;
            let found = reply.subscriptions.into_iter();
            let found = found.map(SubscriptionRecord::from);
            Ok((found.collect(), reply.next_page_token))
        },
    )
    .await
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
