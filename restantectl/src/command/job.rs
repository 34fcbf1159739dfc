//! `job`: messages to many, how far they are, and their end.

use clap::{Args, Subcommand, ValueEnum};
use proto::v1::{CancelJobRequest, JobState, LegState, ListJobsRequest, ListLegsRequest};

use super::limit::Limit;
use super::pages::{Listing, show};
use super::{Session, Tally, stopped};
use crate::client::Client;
use crate::exit::{Failure, complain};
use crate::output::Items;
use crate::output::record::{ErrorRecord, JobChangeRecord, JobRecord, LegRecord, Outcome};
use crate::output::table::Column;
use crate::target::Address;

const JOB_COLUMNS: [Column; 11] = [
    Column::whole("JOB"),
    Column::whole("STATE"),
    Column::whole("ACCEPTED"),
    Column::whole("CLASS"),
    Column::number("OCTETS"),
    Column::number("TOTAL"),
    Column::number("PENDING"),
    Column::number("DELIVERED"),
    Column::number("FAILED"),
    Column::cuttable("FROM"),
    Column::cuttable("TO"),
];

const LEG_COLUMNS: [Column; 6] = [
    Column::cuttable("TARGET"),
    Column::whole("STATE"),
    Column::number("TRIES"),
    Column::number("STATUS"),
    Column::whole("NEXT-TRY"),
    Column::cuttable("REASON"),
];

/// What can be done with jobs.
#[derive(Debug, Subcommand)]
pub(crate) enum JobCommand {
    List(JobListArgs),
    Show(JobShowArgs),
    Cancel(JobCancelArgs),
}

/// List messages to groups and lists, the newest first
///
/// All filters must match. If more match than --limit, standard error says how to go on.
#[derive(Args, Debug)]
#[command(after_help = "\
Examples:
  restantectl job list                                       the newest 100
  restantectl job list --state running                       what is being sent
  restantectl job list --from alice@example.org --limit all
  restantectl job list -o jsonl | jq 'select(.failed > 0) | .job'")]
pub(crate) struct JobListArgs {
    /// Only jobs of this sender
    #[arg(long, value_name = "ADDRESS")]
    from: Option<Address>,
    /// Only jobs in these states, comma separated or repeated
    #[arg(long, value_name = "STATE", value_enum, value_delimiter = ',')]
    state: Vec<State>,
    /// Show at most this many jobs, or `all`
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

/// Show what has become of a message to many, recipient by recipient
///
/// In the order of the group or list. If there are more recipients than --limit, standard error says how to
/// go on.
#[derive(Args, Debug)]
#[command(after_help = "\
Examples:
  restantectl job show 1790000000000042
  restantectl job show 1790000000000042 --state failed,expired --limit all
  restantectl job show 1790000000000042 -o jsonl | jq -r 'select(.status == 404) | .target'")]
pub(crate) struct JobShowArgs {
    /// The number of the job
    #[arg(value_name = "JOB")]
    job: u64,
    /// Only recipients in these states, comma separated or repeated
    #[arg(long, value_name = "STATE", value_enum, value_delimiter = ',')]
    state: Vec<RecipientState>,
    /// Show at most this many recipients, or `all`
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

/// End messages to many before everybody has them
///
/// Who has a copy keeps it. Copies on their way are ended where that can be; the others are not sent. A job is
/// `running` until nothing of it is on its way any more.
#[derive(Args, Debug)]
#[command(after_help = "\
Examples:
  restantectl job cancel 1790000000000042 --reason 'sent by mistake'
  restantectl job cancel 1790000000000042 --dry-run
  restantectl job cancel 1790000000000042 1790000000000050 --yes")]
pub(crate) struct JobCancelArgs {
    /// The numbers of the jobs
    #[arg(value_name = "JOB", required = true)]
    jobs: Vec<u64>,
    /// Show what would happen and change nothing
    #[arg(long)]
    dry_run: bool,
    /// Cancel more than one job
    #[arg(long)]
    yes: bool,
}

/// States of a job, as one types them.
#[derive(Clone, Copy, Debug, ValueEnum)]
enum State {
    /// Some recipients have no outcome yet
    Running,
    /// Every recipient has an outcome
    Completed,
    /// Its lifetime ended before that
    Expired,
    /// An operator ended it before that
    Cancelled,
}

impl From<State> for JobState {
    fn from(state: State) -> Self {
        match state {
            State::Running => Self::Running,
            State::Completed => Self::Completed,
            State::Expired => Self::Expired,
            State::Cancelled => Self::Cancelled,
        }
    }
}

/// States of a recipient, as one types them.
#[derive(Clone, Copy, Debug, ValueEnum)]
enum RecipientState {
    /// Not tried yet, or to be tried again
    Waiting,
    /// An edge is sending it
    InFlight,
    /// Has a copy
    Delivered,
    /// Refused it for good
    Failed,
    /// Was not reached in time
    Expired,
    /// An operator's order came first
    Cancelled,
}

impl From<RecipientState> for LegState {
    fn from(state: RecipientState) -> Self {
        match state {
            RecipientState::Waiting => Self::Waiting,
            RecipientState::InFlight => Self::InFlight,
            RecipientState::Delivered => Self::Delivered,
            RecipientState::Failed => Self::Failed,
            RecipientState::Expired => Self::Expired,
            RecipientState::Cancelled => Self::Cancelled,
        }
    }
}

pub(crate) async fn run(command: JobCommand, session: &mut Session) -> Result<(), Failure> {
    match command {
        JobCommand::List(args) => list(args, session).await,
        JobCommand::Show(args) => legs(args, session).await,
        JobCommand::Cancel(args) => cancel(&args, session).await,
    }
}

async fn list(args: JobListArgs, session: &mut Session) -> Result<(), Failure> {
    let states = args.state.into_iter().map(JobState::from);
    let query = ListJobsRequest {
        sender: args.from.map(|it| it.to_string()).unwrap_or_default(),
        states: states.map(Into::into).collect(),
        page_size: 0,
        page_token: String::new(),
    };
    let listing = Listing {
        name: "jobs",
        columns: &JOB_COLUMNS,
        row: job_row,
    };
    show(
        listing,
        args.limit,
        args.page_token,
        session,
        async |client: &mut Client, page_size, page_token| {
            let query = ListJobsRequest {
                page_size,
                page_token,
                ..query.clone()
            };
            let reply = client.jobs(query).await?;
            let jobs = reply.jobs.into_iter().map(JobRecord::from);
            Ok((jobs.collect(), reply.next_page_token))
        },
    )
    .await
}

async fn legs(args: JobShowArgs, session: &mut Session) -> Result<(), Failure> {
    let states = args.state.into_iter().map(LegState::from);
    let query = ListLegsRequest {
        job: args.job,
        states: states.map(Into::into).collect(),
        page_size: 0,
        page_token: String::new(),
    };
    let listing = Listing {
        name: "recipients",
        columns: &LEG_COLUMNS,
        row: leg_row,
    };
    show(
        listing,
        args.limit,
        args.page_token,
        session,
        async |client: &mut Client, page_size, page_token| {
            let query = ListLegsRequest {
                page_size,
                page_token,
                ..query.clone()
            };
            let reply = client.legs(query).await?;
            let legs = reply.legs.into_iter();
            let legs = legs.map(|leg| LegRecord::of(args.job, leg));
            Ok((legs.collect(), reply.next_page_token))
        },
    )
    .await
}

async fn cancel(args: &JobCancelArgs, session: &mut Session) -> Result<(), Failure> {
    let total = args.jobs.len();
    if total > 1 && !args.yes && !args.dry_run {
        return Err(Failure::Unconfirmed {
            verb: "job cancel",
            count: total,
            items: "jobs",
        });
    }
    let mut client = session.connect().await?;
    let mut tally = Tally::default();
    let mut items = Items::begin(&mut session.output, "results")?;
    let ended = async {
        for (done, job) in args.jobs.iter().enumerate() {
            let record = match args.dry_run {
                true => foresee(*job, &mut client).await,
                false => cancel_one(*job, &session.globals.reason, &mut client).await,
            };
            let record = record.map_err(|source| stopped(done, total, source))?;
            if let Some(error) = &record.error {
                tally.fail(job, &error.text);
            }
            items
                .write(&record, text)
                .map_err(|source| stopped(done + 1, total, source))?;
        }
        Ok(())
    };
    let ended = ended.await;
    let closed = items.finish(&CancelEnd {
        dry_run: args.dry_run,
    });
    ended.and(closed).and(tally.result(total))
}

/// The end of the JSON document.
#[derive(Debug, serde::Serialize)]
struct CancelEnd {
    dry_run: bool,
}

/// What a cancellation would come to.
async fn foresee(job: u64, client: &mut Client) -> Result<JobChangeRecord, Failure> {
    match client.job(job).await {
        Ok(found) => {
            let error = match found.state() {
                JobState::Running => None,
                _ => Some(ErrorRecord::precondition("the job has ended")),
            };
            Ok(JobChangeRecord {
                job,
                outcome: match error {
                    None => Outcome::WouldDo,
                    Some(_) => Outcome::WouldFail,
                },
                after: Some(found.into()),
                error,
            })
        }
        Err(failure) if failure.is_of_one_item() => Ok(JobChangeRecord {
            job,
            outcome: Outcome::WouldFail,
            after: None,
            error: Some((&failure).into()),
        }),
        Err(failure) => Err(failure),
    }
}

async fn cancel_one(
    job: u64,
    reason: &str,
    client: &mut Client,
) -> Result<JobChangeRecord, Failure> {
    let request = CancelJobRequest {
        job,
        reason: reason.to_owned(),
    };
    match client.cancel_job(request).await {
        Ok(cancelled) => Ok(JobChangeRecord {
            job,
            outcome: Outcome::Done,
            after: Some(cancelled.into()),
            error: None,
        }),
        Err(failure) if failure.is_of_one_item() => Ok(JobChangeRecord {
            job,
            outcome: Outcome::Failed,
            after: None,
            error: Some((&failure).into()),
        }),
        Err(failure) => {
            if let Failure::NoAnswer { .. } = failure {
                complain(&format_args!(
                    "{job}: whether it was cancelled is not known: see `restantectl job list`"
                ));
            }
            Err(failure)
        }
    }
}

/// One line for people; what failed has its line on standard error.
fn text(record: &JobChangeRecord) -> String {
    match &record.after {
        None => String::new(),
        Some(_) if record.outcome == Outcome::WouldFail => String::new(),
        Some(now) if record.outcome == Outcome::WouldDo => format!(
            "{}: would be cancelled, {} of {} have it\n",
            record.job, now.delivered, now.total
        ),
        Some(after) => format!(
            "{}: cancelled, {} of {} have it, {} on their way\n",
            record.job, after.delivered, after.total, after.pending
        ),
    }
}

fn job_row(job: &JobRecord) -> Vec<String> {
    vec![
        job.job.to_string(),
        match job.cancelling {
            true => "cancelling".to_owned(),
            false => job.state.clone(),
        },
        job.accepted_at.clone().unwrap_or_else(|| "-".to_owned()),
        job.class.clone(),
        match job.octets {
            0 => "-".to_owned(),
            octets => octets.to_string(),
        },
        job.total.to_string(),
        job.pending.to_string(),
        job.delivered.to_string(),
        (job.failed + job.expired + job.cancelled).to_string(),
        job.sender.clone(),
        job.addressed_to.clone(),
    ]
}

fn leg_row(leg: &LegRecord) -> Vec<String> {
    vec![
        leg.target.clone(),
        leg.state.clone(),
        leg.attempts.to_string(),
        leg.status.map_or_else(|| "-".to_owned(), |s| s.to_string()),
        leg.next_try_at.clone().unwrap_or_else(|| "-".to_owned()),
        leg.reason.clone(),
    ]
}
