//! A claimed mailbox as a delivery goes through it: take, look again, give back (PSH-08, DLV-18).

use std::collections::VecDeque;

use storage_client::PushJob;
use storage_client::delivery::{
    DeliveryOutcome, DeliveryResult, ReleaseResult, TakeLimits, TakenMessage,
};

use crate::edge::Edge;
use crate::event;

/// How a delivery ended.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Ending {
    /// The row of the outcome table.
    pub(crate) outcome: DeliveryOutcome,
    /// Last place in the mailbox that was looked at.
    pub(crate) last_sequence: u64,
    /// Whether the claim has been given back, or is not ours any more.
    pub(crate) is_released: bool,
}

impl Ending {
    /// Of a delivery that has looked at nothing.
    pub(crate) fn not_begun(outcome: DeliveryOutcome) -> Self {
        Self {
            outcome,
            last_sequence: 0,
            is_released: false,
        }
    }
}

/// The mailbox of one job, in the order of its messages.
pub(crate) struct Mailbox<'a> {
    edge: &'a Edge,
    job: &'a PushJob,
    taken: VecDeque<TakenMessage>,
    last_sequence: u64,
    /// Whether nothing followed what has been taken.
    is_exhausted: bool,
    /// Whether the store said that something newer waits.
    is_told_to_look: bool,
}

impl<'a> Mailbox<'a> {
    /// From its first message.
    pub(crate) fn new(edge: &'a Edge, job: &'a PushJob) -> Self {
        let first = job.first.clone().unwrap_or_default();
        Self {
            edge,
            job,
            taken: first.messages.into(),
            last_sequence: 0,
            is_exhausted: first.is_last,
            is_told_to_look: false,
        }
    }

    /// The next message; `None` if all there were have been given out.
    ///
    /// # Errors
    /// Why nothing more can be taken.
    pub(crate) async fn next(&mut self) -> Result<Option<TakenMessage>, DeliveryOutcome> {
        if self.taken.is_empty() && !self.is_exhausted {
            self.take().await?;
        }
        let next = self.taken.pop_front();
        if let Some(taken) = &next {
            self.last_sequence = taken.message.sequence;
        }
        Ok(next)
    }

    async fn take(&mut self) -> Result<(), DeliveryOutcome> {
        let storage = &self.edge.storage;
        let taken = storage
            .take(self.job.claim, self.last_sequence, TakeLimits::default())
            .await;
        let taken = taken.map_err(|_| interrupted("store unavailable"))?;
        // Nothing to take although told so: another look would bring the same.
        if taken.messages.is_empty() && self.is_told_to_look {
            return Err(broken("nothing to take"));
        }
        self.is_exhausted = taken.is_last || taken.messages.is_empty();
        self.is_told_to_look = false;
        self.taken.extend(taken.messages);
        Ok(())
    }

    /// Gives the mailbox back as completed; `None` if something newer waits, which
    /// [`next`](Self::next) brings.
    pub(crate) async fn complete(&mut self) -> Option<Ending> {
        let completed = DeliveryOutcome::completed();
        let storage = &self.edge.storage;
        let released = storage
            .release(self.job.claim, self.last_sequence, completed.clone())
            .await;
        match released {
            Ok(ReleaseResult::Released) => Some(self.ending(completed, true)),
            Ok(ReleaseResult::LookAgain) => {
                self.is_exhausted = false;
                self.is_told_to_look = true;
                None
            }
            Ok(ReleaseResult::Superseded) => {
                Some(self.ending(interrupted("claim superseded"), true))
            }
            Err(unavailable) => {
                event::release_failed(&unavailable.reason);
                Some(self.ending(completed, true))
            }
        }
    }

    /// The end of a delivery that has come so far.
    pub(crate) fn ending(&self, outcome: DeliveryOutcome, is_released: bool) -> Ending {
        Ending {
            outcome,
            last_sequence: self.last_sequence,
            is_released,
        }
    }
}

fn interrupted(reason: &str) -> DeliveryOutcome {
    DeliveryOutcome::new(DeliveryResult::Interrupted, reason)
}

fn broken(reason: &str) -> DeliveryOutcome {
    DeliveryOutcome::new(DeliveryResult::Broken, reason)
}
