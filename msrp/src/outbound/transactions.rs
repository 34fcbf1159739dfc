//! Chunks that wait for their responses.

use std::time::Instant;

use crate::id::TransactionId;
use crate::status;

use super::OutboundId;
use super::message::Sending;

/// Chunks without a claim to an answer (`Failure-Report: partial` or `no`) that are remembered, so
/// that a failure is still understood while the message goes on.
const SILENT_LIMIT: usize = 16;

#[derive(Debug)]
struct Transaction {
    id: TransactionId,
    message: OutboundId,
    /// Whether the peer has to answer.
    answered_always: bool,
    phase: Phase,
}

#[derive(Debug, PartialEq, Eq)]
enum Phase {
    /// Octets are still being written.
    Writing,
    /// The end-line was handed out; the timer starts when the driver comes back from writing it.
    Written,
    /// Waiting for the response until then.
    Waiting(Instant),
}

/// The open transactions of a session, in the order of their chunks.
#[derive(Debug, Default)]
pub(super) struct Transactions(Vec<Transaction>);

impl Transactions {
    pub(super) fn begin(&mut self, id: TransactionId, message: &Sending) {
        let answered_always = message.wants_responses();
        let silent = |held: &Transaction| !held.answered_always;
        if !answered_always && self.0.iter().filter(|held| silent(held)).count() >= SILENT_LIMIT {
            self.0.iter().position(silent).map(|at| self.0.remove(at));
        }
        let message = message.id();
        self.0.push(Transaction {
            id,
            message,
            answered_always,
            phase: Phase::Writing,
        });
    }

    /// The end-line of this chunk was handed out.
    pub(super) fn end(&mut self, id: &TransactionId) {
        if let Some(held) = self.0.iter_mut().find(|held| held.id == *id) {
            held.phase = Phase::Written;
        }
    }

    pub(super) fn start_timers(&mut self, deadline: Instant) {
        for held in self
            .0
            .iter_mut()
            .filter(|held| held.phase == Phase::Written)
        {
            held.phase = Phase::Waiting(deadline);
        }
    }

    /// Closes the transaction and says whose it was. A 200 to a chunk whose end-line is not written
    /// yet acknowledges nothing and is ignored: the chunk then times out.
    pub(super) fn answered(&mut self, id: &TransactionId, code: u16) -> Option<OutboundId> {
        let at = self.0.iter().position(|held| held.id == *id)?;
        let early = self.0.get(at)?.phase == Phase::Writing;
        if early && code == status::OK {
            return None;
        }
        Some(self.0.remove(at).message)
    }

    /// Closes one transaction whose time is over.
    pub(super) fn expired(&mut self, now: Instant) -> Option<OutboundId> {
        let late = |held: &Transaction| held.deadline().is_some_and(|deadline| deadline <= now);
        let at = self.0.iter().position(late)?;
        Some(self.0.remove(at).message)
    }

    pub(super) fn next_deadline(&self) -> Option<Instant> {
        self.0.iter().filter_map(Transaction::deadline).min()
    }

    pub(super) fn forget(&mut self, message: OutboundId) {
        self.0.retain(|held| held.message != message);
    }

    pub(super) fn is_waiting_for(&self, message: OutboundId) -> bool {
        self.0
            .iter()
            .any(|held| held.message == message && held.answered_always)
    }

    /// Chunks that count against the window.
    pub(super) fn waiting(&self) -> usize {
        self.0.iter().filter(|held| held.answered_always).count()
    }
}

impl Transaction {
    fn deadline(&self) -> Option<Instant> {
        match self.phase {
            Phase::Waiting(deadline) if self.answered_always => Some(deadline),
            _ => None,
        }
    }
}
