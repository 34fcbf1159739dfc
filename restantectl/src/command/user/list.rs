//! `user list`: users, page after page.

use clap::Args;
use proto::v1::{Account, ListAccountsRequest};

use crate::client::Client;
use crate::command::Session;
use crate::command::limit::Limit;
use crate::command::pages::{Listing, show};
use crate::exit::Failure;
use crate::output::record::UserRecord;
use crate::output::table::Column;
use crate::target::Address;

const COLUMNS: [Column; 3] = [
    Column::whole("ADDRESS"),
    Column::whole("PROVISIONED"),
    Column::cuttable("ALIASES"),
];

/// List users in the order in which they were made
///
/// `provisioned` are those whom an operator has made. The others came by themselves, with their first
/// message or registration. If there are more than --limit, standard error says how to go on.
#[derive(Args, Debug)]
#[command(after_help = "\
Examples:
  restantectl user list                                      the first 100 users
  restantectl user list +4930123456                          whose number is this?
  restantectl user list --limit all -o jsonl | jq 'select(.provisioned | not)'")]
pub(crate) struct UserListArgs {
    /// Only the user with this address or alias
    #[arg(value_name = "ADDRESS")]
    address: Option<Address>,
    /// Show at most this many users, or `all`
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

pub(super) async fn run(args: UserListArgs, session: &mut Session) -> Result<(), Failure> {
    let address = args.address.map(|it| it.to_string()).unwrap_or_default();
    let listing = Listing {
        name: "users",
        columns: &COLUMNS,
        row,
    };
    show(
        listing,
        args.limit,
        args.page_token,
        session,
        async |client: &mut Client, page_size, page_token| {
            let query = ListAccountsRequest {
                address: address.clone(),
                page_size,
                page_token,
            };
            let reply = client.accounts(query).await?;
            let users = reply.accounts.into_iter().map(UserRecord::from);
            Ok((users.collect(), reply.next_page_token))
        },
    )
    .await
}

fn row(user: &UserRecord) -> Vec<String> {
    vec![
        user.served_user.clone(),
        if user.provisioned { "yes" } else { "no" }.to_owned(),
        user.aliases.join(" "),
    ]
}

/// The account that an address leads to.
pub(super) async fn find(
    address: &Address,
    client: &mut Client,
) -> Result<Option<Account>, Failure> {
    let query = ListAccountsRequest {
        address: address.to_string(),
        ..ListAccountsRequest::default()
    };
    Ok(client.accounts(query).await?.accounts.pop())
}
