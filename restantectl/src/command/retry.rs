//! `retry`: deliver now what waits for the users of some messages.

use std::collections::HashSet;
use std::num::NonZeroU32;
use std::time::Duration;

use clap::Args;
use proto::v1::{Message, MessageState};
use serde::Serialize;
use tokio::time::{Interval, MissedTickBehavior, interval};

use super::interruption::Interruption;
use super::selection::{Batches, Found, Selection};
use super::{Session, Tally, push};
use crate::client::Client;
use crate::exit::Failure;
use crate::output::record::{Outcome, PushRecord};
use crate::output::{Items, Progress};
use crate::target::{Address, MessageId};

/// What waits and is not held.
const WAITING: [MessageState; 2] = [MessageState::Stored, MessageState::Claimed];

/// Between two pushes at the highest rate.
const SHORTEST: Duration = Duration::from_nanos(1);

/// Try to deliver messages now, whatever pause their last failure has begun
///
/// A mailbox is delivered as a whole and in its order: the users of the messages are pushed, each once, as `push` does, and
/// their failed tries are forgotten. No more than --rate of them per second.
#[derive(Args, Debug)]
#[command(after_help = "\
Examples:
  restantectl retry 17@store.example
  restantectl retry --error 480 --domain example.org --dry-run
  restantectl retry ALL --rate 5 --yes --reason 'the core is back'")]
pub(crate) struct RetryArgs {
    /// Users pushed per second
    #[arg(long, value_name = "COUNT", default_value = "10")]
    rate: NonZeroU32,
    /// Show who would be pushed; push nobody
    #[arg(long)]
    dry_run: bool,
    /// Push for more than one message
    #[arg(long)]
    yes: bool,
    #[command(flatten)]
    selection: Selection,
}

/// The end of the JSON document.
#[derive(Debug, Serialize)]
struct RetryEnd {
    dry_run: bool,
}

pub(crate) async fn run(args: &RetryArgs, session: &mut Session) -> Result<(), Failure> {
    let mut selected = args.selection.selected(&WAITING)?;
    let mut client = session.connect().await?;
    if !args.yes && !args.dry_run {
        selected = selected.confirm("retry", &mut client).await?;
    }
    let mut series = Series {
        args,
        users: HashSet::new(),
        unknown: 0,
        tally: Tally::default(),
        client: &mut client,
    };
    let mut items = Items::begin(&mut session.output, "results")?;
    let ended = series.all(Batches::new(selected), &mut items).await;
    let closed = items.finish(&RetryEnd {
        dry_run: args.dry_run,
    });
    let failed = series.tally.result(series.users.len() + series.unknown);
    ended.and(closed).and(failed)
}

struct Series<'a> {
    args: &'a RetryArgs,
    /// Who was pushed.
    users: HashSet<Address>,
    /// Messages whose user is not known: there are none such.
    unknown: usize,
    tally: Tally,
    client: &'a mut Client,
}

impl Series<'_> {
    async fn all(&mut self, mut batches: Batches, items: &mut Items<'_>) -> Result<(), Failure> {
        let interruption = Interruption::listen();
        let progress = Progress::begin(batches.total(), true);
        let pause = Duration::from_secs(1) / self.args.rate.get();
        let mut pace = interval(pause.max(SHORTEST));
        pace.set_missed_tick_behavior(MissedTickBehavior::Delay);
        let mut done = 0;
        loop {
            let batch = batches.next(self.client).await;
            let batch = batch.map_err(|source| batches.broken_off(done, source))?;
            if batch.is_empty() {
                return Ok(());
            }
            for found in batch {
                if interruption.is_here() {
                    return Err(batches.interrupted(done, &found.0));
                }
                let retried = self.retry(found, &mut pace, items).await;
                retried.map_err(|source| batches.broken_off(done, source))?;
                done += 1;
                progress.step();
            }
        }
    }

    /// Pushes the user of a message, unless he has been pushed.
    async fn retry(
        &mut self,
        (id, found): Found,
        pace: &mut Interval,
        items: &mut Items<'_>,
    ) -> Result<(), Failure> {
        let user = match self.user(&id, found).await {
            Ok(user) => user,
            Err(failure) if failure.is_of_one_item() => {
                self.unknown += 1;
                self.tally.fail(&id, &failure);
                return Ok(());
            }
            Err(failure) => return Err(failure),
        };
        if self.users.contains(&user) {
            return Ok(());
        }
        if !self.args.dry_run {
            pace.tick().await;
        }
        self.push(user, items).await
    }

    async fn user(&mut self, id: &MessageId, found: Option<Message>) -> Result<Address, Failure> {
        let message = match found {
            Some(message) => Some(message),
            None => self.client.message(id).await?.message,
        };
        let user = message.map(|message| message.served_user.parse());
        user.and_then(Result::ok)
            .ok_or_else(|| self.client.defect("a message without a user"))
    }

    async fn push(&mut self, user: Address, items: &mut Items<'_>) -> Result<(), Failure> {
        let pushed = match self.args.dry_run {
            true => push::foresee(false, &user, self.client).await,
            false => {
                let reply = self.client.push(&user, false).await;
                reply.map(|reply| PushRecord::answered(user.to_string(), reply))
            }
        };
        let record = match pushed {
            Err(failure) if failure.is_of_one_item() => {
                let outcome = match self.args.dry_run {
                    true => Outcome::WouldFail,
                    false => Outcome::Failed,
                };
                self.tally.fail(&user, &failure);
                PushRecord::failed(user.to_string(), outcome, &failure)
            }
            pushed => pushed?,
        };
        self.users.insert(user);
        items.write(&record, push::text)
    }
}
