//! `user list`: users, page after page.

use clap::Args;
use proto::v1::{Account, ListAccountsRequest};

use crate::args::Format;
use crate::client::Client;
use crate::command::Session;
use crate::command::limit::{Limit, ListEnd, tell_rest};
use crate::exit::Failure;
use crate::output::Items;
use crate::output::record::UserRecord;
use crate::output::table::{Column, Grid};
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
    let mut client = session.connect().await?;
    let is_json = session.output.format() == Format::Json;
    let mut query = ListAccountsRequest {
        address: args.address.map(|it| it.to_string()).unwrap_or_default(),
        page_size: 0,
        page_token: args.page_token,
    };
    let mut items = Items::begin(&mut session.output, "users")?;
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
    query: &mut ListAccountsRequest,
    items: &mut Items<'_>,
    client: &mut Client,
) -> Result<(), Failure> {
    let mut grid = Grid::new(&COLUMNS);
    loop {
        query.page_size = limit.next_page(items.count());
        let reply = client.accounts(query.clone()).await?;
        let users: Vec<_> = reply.accounts.into_iter().map(UserRecord::from).collect();
        if !users.is_empty() {
            let rows: Vec<_> = users.iter().map(row).collect();
            items.write_all(&users, |_| grid.page(&rows))?;
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
