//! The way of a request: rehearsed in its own task, queued, run by the committer, answered after
//! the sync.

use std::sync::Arc;

use tokio::sync::oneshot;

use super::committer::{Group, Job, Rehearsed, Request};
use super::queue::{Lane, NotQueued, Queues};
use super::rehearsal::rehearse;
use super::shared::Shared;
use super::submit_all::Told;
use super::transaction::{Interrupt, Transaction};
use crate::store::StoreError;

/// How often a request is rehearsed that others keep overtaking.
const REHEARSALS: usize = 16;
/// What a small operation adds to a group, roughly.
const SMALL_OCTETS: usize = 512;

/// A change of the store. `run` may be called several times; only what the last call writes is
/// kept.
pub(super) trait Operation: Send + Sync + 'static {
    type Answer: Send + 'static;

    const LANE: Lane;

    /// Octets it adds to a group, roughly.
    fn octets(&self) -> usize {
        SMALL_OCTETS
    }

    /// Decides and writes.
    fn run(&self, transaction: &mut Transaction<'_>) -> Result<Self::Answer, Interrupt>;

    /// The answer where others have overtaken it too often.
    fn overtaken(&self) -> Result<Self::Answer, StoreError> {
        Err(StoreError::Overloaded)
    }

    /// It is on disk: what is kept in memory besides follows.
    fn synced(&self, _answer: &Self::Answer, _shared: &Shared) {}
}

/// Carries out an operation and returns after its group was synced.
pub(super) async fn submit<O: Operation>(
    shared: &Arc<Shared>,
    queues: &Queues<Job>,
    operation: O,
) -> Result<O::Answer, StoreError> {
    submit_shared(shared, queues, Arc::new(operation)).await
}

/// As [`submit`] for an operation that somebody else holds too.
pub(super) async fn submit_shared<O: Operation>(
    shared: &Arc<Shared>,
    queues: &Queues<Job>,
    operation: Arc<O>,
) -> Result<O::Answer, StoreError> {
    for _ in 0..REHEARSALS {
        shared.check_writable()?;
        let rehearsed = rehearse(shared, {
            let operation = Arc::clone(&operation);
            move |transaction: &mut Transaction<'_>| operation.run(transaction).map(drop)
        })
        .await?;
        let (reply, answer) = oneshot::channel();
        let pending = Pending {
            operation: Arc::clone(&operation),
            rehearsed,
            outcome: Err(Interrupt::NotRehearsed),
            reply,
        };
        queues
            .push(O::LANE, Box::new(pending))
            .map_err(not_queued)?;
        match answer.await.map_err(|_| StoreError::Closed)? {
            Some(answer) => return answer,
            None => tracing::trace!("overtaken, rehearsing again"),
        }
    }
    operation.overtaken()
}

pub(super) fn not_queued(reason: NotQueued) -> StoreError {
    match reason {
        NotQueued::Full => StoreError::Overloaded,
        NotQueued::Closed => StoreError::Closed,
    }
}

/// The answer; `None` asks for another rehearsal.
pub(super) type Reply<T> = Option<Result<T, StoreError>>;

/// What becomes of an operation whose group is synced, or will never be.
pub(super) fn settled<O: Operation>(
    operation: &O,
    outcome: Result<O::Answer, Interrupt>,
    shared: &Shared,
    synced: Result<(), StoreError>,
) -> Reply<O::Answer> {
    match (synced, outcome) {
        (Err(error), _) | (Ok(()), Err(Interrupt::Failed(error))) => Some(Err(error)),
        (Ok(()), Err(Interrupt::NotRehearsed | Interrupt::NeedsDisk)) => None,
        (Ok(()), Ok(answer)) => {
            operation.synced(&answer, shared);
            Some(Ok(answer))
        }
    }
}

struct Pending<O: Operation> {
    operation: Arc<O>,
    rehearsed: Rehearsed,
    outcome: Result<O::Answer, Interrupt>,
    reply: oneshot::Sender<Reply<O::Answer>>,
}

impl<O: Operation> Request for Pending<O> {
    fn octets(&self) -> usize {
        self.operation.octets()
    }

    fn run(&mut self, group: &mut Group<'_>) {
        self.outcome = group.run(&self.rehearsed, |transaction| {
            self.operation.run(transaction)
        });
    }

    fn finish(self: Box<Self>, shared: &Shared, synced: Result<(), StoreError>, _told: &mut Told) {
        let reply = settled(&*self.operation, self.outcome, shared, synced);
        // Whoever asked may have gone; what was committed stays so.
        drop(self.reply.send(reply));
    }
}
