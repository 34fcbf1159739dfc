//! A claimed mailbox as a delivery goes through it: take, look again, give back (PSH-08, DLV-18).

use std::collections::VecDeque;

use storage_client::PushJob;
use storage_client::delivery::{
    DeliveryOutcome, DeliveryResult, ReleaseResult, TakeLimits, TakenMessage,
};

use super::device::Delivery;
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
    job: Delivery<'a>,
    taken: VecDeque<TakenMessage>,
    last_sequence: u64,
    /// Whether nothing followed what has been taken.
    is_exhausted: bool,
    /// Whether the store said that something newer waits.
    is_told_to_look: bool,
}

impl<'a> Mailbox<'a> {
    /// From its first message.
    pub(crate) fn new(edge: &'a Edge, job: Delivery<'a>) -> Self {
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

    /// What follows this place.
    pub(crate) fn after(edge: &'a Edge, job: Delivery<'a>, last_sequence: u64) -> Self {
        Self {
            edge,
            job,
            taken: VecDeque::new(),
            last_sequence,
            is_exhausted: false,
            is_told_to_look: false,
        }
    }

    /// What [`next`](Self::next) would bring; nothing more once the claim is lost or its user has left
    /// (requirements §3.5, §3.13).
    ///
    /// # Errors
    /// Why nothing more can be taken.
    pub(crate) async fn peek(&mut self) -> Result<Option<&TakenMessage>, DeliveryOutcome> {
        if self.job.is_lost() {
            return Err(interrupted("claim lost"));
        }
        if self.taken.is_empty() && !self.is_exhausted {
            self.take().await?;
        }
        Ok(self.taken.front())
    }

    /// The next message; `None` if all there were have been given out.
    ///
    /// # Errors
    /// Why nothing more can be taken.
    pub(crate) async fn next(&mut self) -> Result<Option<TakenMessage>, DeliveryOutcome> {
        self.peek().await?;
        let next = self.taken.pop_front();
        if let Some(taken) = &next {
            self.last_sequence = taken.message.sequence;
        }
        Ok(next)
    }

    async fn take(&mut self) -> Result<(), DeliveryOutcome> {
        let storage = &self.edge.storage;
        let taken = storage
            .take_for(
                self.job.claim,
                self.job.device,
                self.last_sequence,
                TakeLimits::default(),
            )
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
        if self.job.device.is_some() {
            return self.look_once_more().await;
        }
        let ending = give_back(self.edge, &self.job, self.last_sequence).await;
        if ending.is_none() {
            self.is_exhausted = false;
            self.is_told_to_look = true;
        }
        ending
    }

    /// The mailbox is given back when each device has had its turn.
    async fn look_once_more(&mut self) -> Option<Ending> {
        self.is_exhausted = false;
        match self.peek().await {
            Ok(Some(_)) => None,
            Ok(None) => Some(self.ending(DeliveryOutcome::completed(), false)),
            Err(outcome) => Some(self.ending(outcome, false)),
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

/// Gives the mailbox of a job back as completed; `None` if something newer waits.
pub(crate) async fn give_back(edge: &Edge, job: &PushJob, last_sequence: u64) -> Option<Ending> {
    let ending = |outcome| Ending {
        outcome,
        last_sequence,
        is_released: true,
    };
    let completed = DeliveryOutcome::completed();
    let released = edge
        .storage
        .release(job.claim, last_sequence, completed.clone());
    match released.await {
        Ok(ReleaseResult::Released) => Some(ending(completed)),
        Ok(ReleaseResult::LookAgain) => None,
        Ok(ReleaseResult::Superseded) => Some(ending(interrupted("claim superseded"))),
        Err(unavailable) => {
            event::release_failed(&unavailable.reason);
            Some(ending(completed))
        }
    }
}

fn interrupted(reason: &str) -> DeliveryOutcome {
    DeliveryOutcome::new(DeliveryResult::Interrupted, reason)
}

fn broken(reason: &str) -> DeliveryOutcome {
    DeliveryOutcome::new(DeliveryResult::Broken, reason)
}
