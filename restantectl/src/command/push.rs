//! `push`: deliver what waits for some users.

use clap::Args;
use proto::v1::PushPlan;
use serde::Serialize;

use super::{Session, Tally, stopped};
use crate::client::Client;
use crate::exit::Failure;
use crate::output::Items;
use crate::output::record::{MailboxRecord, Outcome, PushRecord};
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
    /// Show what waits and whether a push would start; push nothing
    #[arg(long)]
    dry_run: bool,
}

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
    let mailbox: MailboxRecord = client.mailbox(user).await?.into();
    let plan = match mailbox.waiting() {
        0 => PushPlan::NothingWaiting,
        _ if mailbox.bindings.is_empty() && !force => PushPlan::NotRegistered,
        _ => PushPlan::Started,
    };
    Ok(PushRecord::foreseen(
        user.to_string(),
        plan,
        mailbox.waiting(),
    ))
}

/// One line for people; what failed has its line on standard error.
pub(super) fn text(record: &PushRecord) -> String {
    let user = escape(&record.served_user);
    let waiting = record.waiting.unwrap_or_default();
    let plan = record.plan.as_deref().unwrap_or_default();
    match (record.outcome, plan) {
        (Outcome::Failed | Outcome::WouldFail, _) => String::new(),
        (_, "nothing_waiting") => format!("{user}: nothing waits\n"),
        (Outcome::WouldDo, _) => format!("{user}: would push, {waiting} waiting\n"),
        (_, "joined") => format!("{user}: a push is running and looks again, {waiting} waiting\n"),
        (_, "started") => format!("{user}: push started, {waiting} waiting\n"),
        (_, other) => format!("{user}: {other}, {waiting} waiting\n"),
    }
}
