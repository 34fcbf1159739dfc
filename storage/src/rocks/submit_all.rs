//! The way of many deposits at once: rehearsed and queued together, answered together by group. What
//! does not find everything in memory goes the way of a single operation.

use std::sync::Arc;

use tokio::runtime::Handle;
use tokio::sync::mpsc::UnboundedSender;

use super::committer::{Group, Job, Rehearsed, Request};
use super::operation::deposit::{Decided, DepositMessage, is_hashed_apart};
use super::queue::Queues;
use super::rehearsal::rehearse_in_memory;
use super::shared::Shared;
use super::submit::{Operation, not_queued, settled, submit_shared};
use super::transaction::{Interrupt, Transaction};
use crate::model::Deposit;
use crate::store::{Outcomes, StoreError};

/// What the deposits of one call share.
struct Way {
    shared: Arc<Shared>,
    queues: Arc<Queues<Job>>,
    outcomes: UnboundedSender<Outcomes>,
    /// Where a deposit goes on that has to read the disk or to be rehearsed again.
    runtime: Handle,
}

/// Hands deposits to the committer in their order.
pub(super) fn submit_all(
    shared: &Arc<Shared>,
    queues: &Arc<Queues<Job>>,
    deposits: Vec<(u64, Deposit)>,
    outcomes: &UnboundedSender<Outcomes>,
) {
    let way = Arc::new(Way {
        shared: Arc::clone(shared),
        queues: Arc::clone(queues),
        outcomes: outcomes.clone(),
        runtime: Handle::current(),
    });
    let mut jobs: Vec<Job> = Vec::with_capacity(deposits.len());
    for (tag, deposit) in deposits {
        let group = match shared.group_in_memory(&deposit) {
            Ok(Some(group)) if !is_hashed_apart(&deposit) => group,
            Ok(_) => {
                Way::submit_apart(&way, tag, deposit);
                continue;
            }
            Err(error) => {
                way.send(tag, Err(error));
                continue;
            }
        };
        let operation = Arc::new(DepositMessage::new(deposit, group, shared));
        match way.rehearse(&operation) {
            Ok(Some(rehearsed)) => jobs.push(Box::new(Queued {
                operation,
                rehearsed,
                outcome: Err(Interrupt::NotRehearsed),
                answer: Answer {
                    way: Some(Arc::clone(&way)),
                    tag,
                },
            })),
            Ok(None) => Way::submit_alone(&way, tag, operation),
            Err(error) => way.send(tag, Err(error)),
        }
    }
    if let Err((reason, refused)) = queues.push_all(DepositMessage::LANE, jobs) {
        let mut told = Told::default();
        for job in refused {
            job.finish(shared, Err(not_queued(reason)), &mut told);
        }
        told.send();
    }
}

impl Way {
    fn rehearse(&self, operation: &DepositMessage) -> Result<Option<Rehearsed>, StoreError> {
        self.shared.check_writable()?;
        let rehearsal = |transaction: &mut Transaction<'_>| operation.run(transaction).map(drop);
        rehearse_in_memory(&self.shared, rehearsal)
    }

    /// A deposit that takes long to hash, or whose group is looked up on the disk, does so on a thread that may block.
    fn submit_apart(way: &Arc<Self>, tag: u64, deposit: Deposit) {
        let way = Arc::clone(way);
        way.runtime
            .clone()
            .spawn_blocking(move || match way.shared.deposit_message(deposit) {
                Ok(operation) => Self::submit_alone(&way, tag, Arc::new(operation)),
                Err(error) => way.send(tag, Err(error)),
            });
    }

    fn submit_alone(way: &Arc<Self>, tag: u64, operation: Arc<DepositMessage>) {
        let (runtime, way) = (way.runtime.clone(), Arc::clone(way));
        runtime.spawn(async move {
            let decided = submit_shared(&way.shared, &way.queues, operation).await;
            way.send(tag, decided);
        });
    }

    /// Whoever asked may have gone; what was committed stays so.
    fn send(&self, tag: u64, decided: Result<Decided, StoreError>) {
        let outcome = decided.map(Decided::into_outcome);
        drop(self.outcomes.send(vec![(tag, outcome)]));
    }
}

/// Where the answer to one deposit goes: it is given when this is dropped at the latest.
struct Answer {
    way: Option<Arc<Way>>,
    tag: u64,
}

impl Drop for Answer {
    fn drop(&mut self) {
        if let Some(way) = self.way.take() {
            way.send(self.tag, Err(StoreError::Closed));
        }
    }
}

/// A deposit in the queue.
struct Queued {
    operation: Arc<DepositMessage>,
    rehearsed: Rehearsed,
    outcome: Result<Decided, Interrupt>,
    answer: Answer,
}

impl Request for Queued {
    fn octets(&self) -> usize {
        self.operation.octets()
    }

    fn run(&mut self, group: &mut Group<'_>) {
        self.outcome = group.run(&self.rehearsed, |transaction| {
            self.operation.run(transaction)
        });
    }

    fn finish(
        mut self: Box<Self>,
        shared: &Shared,
        synced: Result<(), StoreError>,
        told: &mut Told,
    ) {
        let Some(way) = self.answer.way.take() else {
            return;
        };
        match settled(&*self.operation, self.outcome, shared, synced) {
            Some(decided) => told.add(&way.outcomes, self.answer.tag, decided),
            None => Way::submit_alone(&way, self.answer.tag, self.operation),
        }
    }
}

/// The answers of one group, by whom they go to.
#[derive(Default)]
pub(super) struct Told(Vec<(UnboundedSender<Outcomes>, Outcomes)>);

impl Told {
    fn add(
        &mut self,
        outcomes: &UnboundedSender<Outcomes>,
        tag: u64,
        decided: Result<Decided, StoreError>,
    ) {
        let outcome = (tag, decided.map(Decided::into_outcome));
        let mut known = self.0.iter_mut();
        match known.find(|(to, _)| to.same_channel(outcomes)) {
            Some((_, answers)) => answers.push(outcome),
            None => self.0.push((outcomes.clone(), vec![outcome])),
        }
    }

    /// Whoever asked may have gone; what was committed stays so.
    pub(super) fn send(self) {
        for (outcomes, answers) in self.0 {
            drop(outcomes.send(answers));
        }
    }
}
