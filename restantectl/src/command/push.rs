//! `push`: deliver what waits for some users.

use clap::Args;
use proto::v1::{ListMessagesRequest, Message, MessageState};
use serde::Serialize;

use super::{Session, Tally, stopped};
use crate::client::Client;
use crate::exit::Failure;
use crate::output::Items;
use crate::output::record::{Outcome, PushRecord};
use crate::output::text::escape;
use crate::target::{Address, Given, all};

/// Deliver what waits for users now, as a registration would
///
/// Nothing happens for a user who is not registered or has switched offline delivery off, unless
/// --force is given. A push that is already running looks again.
#[derive(Args, Debug)]
#[command(after_help = "\
Examples:
  restantectl push bob@example.org
  restantectl push bob@example.org +4930123456 --force
  restantectl list --state stored --before 1h -o jsonl | restantectl push - --dry-run")]
pub(crate) struct PushArgs {
    /// Served users, by address or alias; `-` reads them from standard input
    #[arg(value_name = "ADDRESS", required = true)]
    addresses: Vec<Given<Address>>,
    /// Push also without a registration (through the next hop) and against the user's setting
    #[arg(long)]
    force: bool,
    /// Show what waits, whether a push would start, and what would keep messages back: a suspension, a
    /// hold, no registration, a setting; push nothing
    #[arg(long)]
    dry_run: bool,
}

/// Messages asked for at a time.
const PAGE: u32 = 1_000;

/// The end of the JSON document.
#[derive(Debug, Serialize)]
struct PushEnd {
    dry_run: bool,
}

pub(crate) async fn run(args: &PushArgs, session: &mut Session) -> Result<(), Failure> {
    let users = all(&args.addresses)?;
    let mut client = session.connect().await?;
    let mut tally = Tally::default();
    let mut items = Items::begin(&mut session.output, "results")?;
    let ended = each(args, &users, &mut client, &mut items, &mut tally).await;
    let closed = items.finish(&PushEnd {
        dry_run: args.dry_run,
    });
    ended.and(closed).and(tally.result(users.len()))
}

async fn each(
    args: &PushArgs,
    users: &[Address],
    client: &mut Client,
    items: &mut Items<'_>,
    tally: &mut Tally,
) -> Result<(), Failure> {
    for (done, user) in users.iter().enumerate() {
        let record = one(args, user, client).await;
        let record = record.map_err(|source| stopped(done, users.len(), source))?;
        if let Some(error) = &record.error {
            tally.fail(user, &error.text);
        }
        items
            .write(&record, text)
            .map_err(|source| stopped(done + 1, users.len(), source))?;
    }
    Ok(())
}

/// What came of one user; fails only if the others have no chance either.
async fn one(args: &PushArgs, user: &Address, client: &mut Client) -> Result<PushRecord, Failure> {
    let answer = match args.dry_run {
        true => foresee(args.force, user, client).await,
        false => {
            let reply = client.push(user, args.force).await;
            reply.map(|reply| PushRecord::answered(user.to_string(), reply))
        }
    };
    match answer {
        Err(failure) if failure.is_of_one_item() => {
            let outcome = if args.dry_run {
                Outcome::WouldFail
            } else {
                Outcome::Failed
            };
            Ok(PushRecord::failed(user.to_string(), outcome, &failure))
        }
        answer => answer,
    }
}

pub(super) async fn foresee(
    force: bool,
    user: &Address,
    client: &mut Client,
) -> Result<PushRecord, Failure> {
    let plan = client.delivery_plan(user).await?;
    let waiting = match plan.waiting {
        0 => Vec::new(),
        _ => waiting(user, client).await?,
    };
    Ok(PushRecord::foreseen(
        user.to_string(),
        &plan,
        force,
        waiting,
    ))
}

/// What waits for a user, in its order.
async fn waiting(user: &Address, client: &mut Client) -> Result<Vec<Message>, Failure> {
    let states = [
        MessageState::Stored,
        MessageState::Claimed,
        MessageState::Held,
    ];
    let mut query = ListMessagesRequest {
        served_user: user.to_string(),
        states: states.map(i32::from).to_vec(),
        page_size: PAGE,
        ..ListMessagesRequest::default()
    };
    let mut messages = Vec::new();
    loop {
        let page = client.list(query.clone()).await?;
        messages.extend(page.messages);
        if page.next_page_token.is_empty() {
            return Ok(messages);
        }
        query.page_token = page.next_page_token;
    }
}

/// For people; what failed has its line on standard error.
pub(super) fn text(record: &PushRecord) -> String {
    let user = escape(&record.served_user);
    let waiting = record.waiting.unwrap_or_default();
    let plan = record.plan.as_deref().unwrap_or_default();
    match (record.outcome, plan) {
        (Outcome::Failed | Outcome::WouldFail, _) => String::new(),
        (_, "nothing_waiting") => format!("{user}: nothing waits\n"),
        (Outcome::WouldDo, plan) => would(&user, plan == "joined", waiting, record),
        (_, "joined") => format!("{user}: a push is running and looks again, {waiting} waiting\n"),
        (_, "started") => format!("{user}: push started, {waiting} waiting\n"),
        (_, other) => format!("{user}: {other}, {waiting} waiting\n"),
    }
}

/// What a dry run says: who, and each message that would stay where it is.
fn would(user: &str, joins: bool, waiting: u64, record: &PushRecord) -> String {
    let what = match joins {
        true => "a push is running and would look again",
        false => "would push",
    };
    let pause = record.pause.as_ref().map(|pause| match &pause.until {
        Some(until) => format!(
            ", without the pause until {until} after {} failed tries",
            pause.tries
        ),
        None => format!(", though {} tries of this registration failed", pause.tries),
    });
    let head = format!(
        "{user}: {what}, {waiting} waiting{}\n",
        pause.unwrap_or_default()
    );
    let messages = record.messages.iter().flatten();
    messages.fold(head, |text, message| {
        let why = message.kept_back.iter();
        why.fold(text, |text, obstacle| {
            let id = escape(&message.message_id);
            text + &format!("  {id}: would be kept back: {}\n", obstacle.why)
        })
    })
}
