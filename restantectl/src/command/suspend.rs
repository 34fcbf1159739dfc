//! `suspend`: keep deliveries to a user or a domain from being begun for a while.

use std::time::Duration;

use clap::builder::NonEmptyStringValueParser;
use clap::{Args, Subcommand};
use proto::v1::suspension::Target;
use serde::Serialize;

use super::Session;
use super::selection::{Batches, Selected};
use crate::client::Client;
use crate::exit::Failure;
use crate::moment::parse_span;
use crate::output::Items;
use crate::output::record::SuspensionRecord;
use crate::output::table::{Column, Grid};
use crate::output::text::escape;
use crate::target::Address;

const COLUMNS: [Column; 5] = [
    Column::cuttable("USER OR DOMAIN"),
    Column::whole("SINCE"),
    Column::whole("UNTIL"),
    Column::cuttable("BY"),
    Column::cuttable("REASON"),
];

/// What can be done with suspensions.
#[derive(Debug, Subcommand)]
pub(crate) enum SuspendCommand {
    Add(SuspendAddArgs),
    /// List the suspensions that have not ended
    #[command(after_help = "\
Examples:
  restantectl suspend list
  restantectl suspend list -o jsonl | jq .until")]
    List,
    Cancel(SuspendCancelArgs),
}

/// Suspend deliveries to a user, or to everybody of a domain
///
/// Pushes, forwarding to who is online, and fetches are not begun until it ends, which it does by itself; what is under way
/// goes on, and messages are accepted as ever. Copies of messages to groups are sent as ever. Then what waits is delivered.
/// Another one of the same user or domain is replaced.
#[derive(Args, Debug)]
#[command(after_help = "\
Examples:
  restantectl suspend add --to bob@example.org --reason 'client loops, ticket 4711'
  restantectl suspend add --domain example.net --duration 2h --reason 'their core is down'")]
pub(crate) struct SuspendAddArgs {
    #[command(flatten)]
    target: TargetArgs,
    /// For how long, at most 30d
    #[arg(long, value_name = "SPAN", default_value = "5m", value_parser = parse_span)]
    duration: Duration,
    /// Show what waits for whom it concerns, and change nothing
    #[arg(long)]
    dry_run: bool,
}

/// End a suspension before its time
#[derive(Args, Debug)]
#[command(after_help = "\
Examples:
  restantectl suspend cancel --to bob@example.org
  restantectl suspend cancel --domain example.net --reason 'they are back'")]
pub(crate) struct SuspendCancelArgs {
    #[command(flatten)]
    target: TargetArgs,
    /// Show which suspension would end, and change nothing
    #[arg(long)]
    dry_run: bool,
}

/// Whom it concerns.
#[derive(Args, Debug)]
#[group(required = true, multiple = false)]
struct TargetArgs {
    /// A served user, by address or alias
    #[arg(long, value_name = "ADDRESS")]
    to: Option<Address>,
    /// All served users of a domain
    #[arg(long, value_name = "DOMAIN", value_parser = NonEmptyStringValueParser::new())]
    domain: Option<String>,
}

impl TargetArgs {
    fn target(&self) -> Target {
        match (&self.to, &self.domain) {
            (Some(user), _) => Target::ServedUser(user.to_string()),
            (None, domain) => Target::Domain(domain.clone().unwrap_or_default()),
        }
    }
}

/// What a suspension would concern.
#[derive(Debug, Serialize)]
struct ForeseenRecord {
    dry_run: bool,
    served_user: Option<String>,
    domain: Option<String>,
    /// Messages that wait.
    waiting: u64,
}

/// A suspension that would end.
#[derive(Debug, Serialize)]
struct EndingRecord {
    dry_run: bool,
    #[serde(flatten)]
    suspension: SuspensionRecord,
}

/// The end of the JSON document has no fields of its own.
#[derive(Debug, Serialize)]
struct NoMore {}

pub(crate) async fn run(command: SuspendCommand, session: &mut Session) -> Result<(), Failure> {
    let mut client = session.connect().await?;
    match command {
        SuspendCommand::Add(args) if args.dry_run => {
            foresee(args.target, &mut client, session).await
        }
        SuspendCommand::Add(args) => {
            let reason = session.globals.reason.clone();
            let suspended = client
                .suspend(args.target.target(), args.duration, reason)
                .await?;
            let record = SuspensionRecord::from(suspended);
            session.output.single(&record, |record| {
                format!("{}: suspended until {}\n", record.whom(), record.until())
            })
        }
        SuspendCommand::List => {
            let suspensions = client.suspensions().await?.into_iter();
            let records: Vec<_> = suspensions.map(SuspensionRecord::from).collect();
            let mut items = Items::begin(&mut session.output, "suspensions")?;
            items.write_all(&records, |records| match records {
                [] => String::new(),
                records => {
                    let rows: Vec<_> = records.iter().map(row).collect();
                    Grid::new(&COLUMNS).page(&rows)
                }
            })?;
            items.finish(&NoMore {})
        }
        SuspendCommand::Cancel(args) if args.dry_run => {
            let suspension = ending(&args.target, &mut client).await?;
            let record = EndingRecord {
                dry_run: true,
                suspension,
            };
            session.output.single(&record, |record| {
                format!(
                    "{}: deliveries would go on\n",
                    escape(record.suspension.whom())
                )
            })
        }
        SuspendCommand::Cancel(args) => {
            let ended = client.cancel_suspension(args.target.target()).await?;
            let record = SuspensionRecord::from(ended);
            session.output.single(&record, |record| {
                format!("{}: deliveries go on\n", record.whom())
            })
        }
    }
}

/// The suspension of exactly this user or domain.
async fn ending(target: &TargetArgs, client: &mut Client) -> Result<SuspensionRecord, Failure> {
    let account = match &target.to {
        Some(user) => Some(client.delivery_plan(user).await?.served_user),
        None => None,
    };
    let is_meant = |suspension: &SuspensionRecord| match (&account, &target.domain) {
        (Some(account), _) => suspension.served_user.as_ref() == Some(account),
        (None, Some(domain)) => suspension
            .domain
            .as_ref()
            .is_some_and(|of| of.eq_ignore_ascii_case(domain)),
        (None, None) => false,
    };
    let all = client.suspensions().await?.into_iter();
    let mut all = all.map(SuspensionRecord::from);
    all.find(is_meant).ok_or_else(|| Failure::Item {
        code: "not_found",
        text: "there is no such suspension".to_owned(),
    })
}

async fn foresee(
    target: TargetArgs,
    client: &mut Client,
    session: &mut Session,
) -> Result<(), Failure> {
    let waiting = match (&target.to, &target.domain) {
        (Some(user), _) => client.delivery_plan(user).await?.waiting,
        (None, domain) => {
            use proto::v1::MessageState::{Claimed, Held, Stored};
            let query = proto::v1::ListMessagesRequest {
                domain: domain.clone().unwrap_or_default(),
                states: [Stored, Claimed, Held].map(i32::from).to_vec(),
                ..Default::default()
            };
            let mut batches = Batches::new(Selected::Query(Box::new(query)));
            let mut waiting = 0;
            loop {
                match batches.next(client).await?.len() as u64 {
                    0 => break waiting,
                    count => waiting += count,
                }
            }
        }
    };
    let record = ForeseenRecord {
        dry_run: true,
        served_user: target.to.map(|user| user.to_string()),
        domain: target.domain,
        waiting,
    };
    session.output.single(&record, |record| {
        format!(
            "would be suspended, with {} messages that wait\n",
            record.waiting
        )
    })
}

fn row(record: &SuspensionRecord) -> Vec<String> {
    vec![
        record.whom().to_owned(),
        record.since.clone().unwrap_or_default(),
        record.until().to_owned(),
        record.actor.clone().unwrap_or_default(),
        record.reason.clone().unwrap_or_default(),
    ]
}
