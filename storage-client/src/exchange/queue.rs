//! What is sent, sent again and given up. No clock, no socket.
//!
//! ```text
//! submit ──► unsent ──next_batch──► in flight ──answered──► gone
//!              ▲                        │
//!              └───────── broken ───────┘        time over: gone from either
//! ```
//!
//! An entry that was sent and whose time is over still counts as in flight until it is answered or
//! the stream breaks, because the storage service counts it too.

use std::time::Instant;

use bytes::Bytes;

use super::lane::{Entry, Expired, Lane};

/// A request message is closed when it holds so much.
const BATCH_OCTETS: usize = 1 << 20;
const BATCH_ENTRIES: usize = 512;

/// All unanswered entries of one client; `A` is where an answer goes.
#[derive(Debug)]
pub(super) struct Queue<A> {
    deposits: Lane<A>,
    acknowledgements: Lane<A>,
    next_correlation: u64,
    in_flight: usize,
    configured_window: usize,
    window: usize,
}

impl<A> Queue<A> {
    pub(super) fn new(window: usize) -> Self {
        let window = window.max(1);
        Self {
            deposits: Lane::default(),
            acknowledgements: Lane::default(),
            next_correlation: 1,
            in_flight: 0,
            configured_window: window,
            window,
        }
    }

    /// Takes an entry up, or hands its waiter back because the window is full.
    pub(super) fn submit(&mut self, entry: Entry<A>) -> Result<(), A> {
        if self.in_flight + self.unsent() >= self.window {
            return Err(entry.waiter);
        }
        let correlation = self.next_correlation;
        self.next_correlation += 1;
        match entry.request.is_deposit() {
            true => self.deposits.push(correlation, entry),
            false => self.acknowledgements.push(correlation, entry),
        }
        Ok(())
    }

    /// The storage service has said how much it takes at a time.
    pub(super) fn opened(&mut self, service_window: usize) {
        self.window = self.configured_window.min(service_window.max(1));
    }

    /// The stream is gone: what is unanswered is sent again, first and in the old order.
    pub(super) fn broken(&mut self) {
        self.in_flight = 0;
        self.deposits.rewind();
        self.acknowledgements.rewind();
    }

    /// Whether [`Queue::next_batch`] would return something.
    pub(super) fn has_sendable(&self) -> bool {
        self.unsent() > 0 && self.in_flight < self.window
    }

    /// The encoded entries of the next request message: all that has accumulated, within the window and the
    /// size of a message. Acknowledgements first: they are few and free a mailbox.
    pub(super) fn next_batch(&mut self, now: Instant) -> Vec<Bytes> {
        let limit = BATCH_ENTRIES.min(self.window.saturating_sub(self.in_flight));
        let mut batch = Vec::with_capacity(limit.min(self.unsent()));
        let mut octets = 0;
        for lane in [&mut self.acknowledgements, &mut self.deposits] {
            while batch.len() < limit {
                // The first entry goes alone if it is larger than a batch.
                let room = match batch.is_empty() {
                    true => usize::MAX,
                    false => BATCH_OCTETS.saturating_sub(octets),
                };
                let Some(entry) = lane.send_next(room, now) else {
                    break;
                };
                octets += entry.len();
                batch.push(entry);
            }
        }
        self.in_flight += batch.len();
        batch
    }

    /// Who waits for this answer; `None` if its time was over before.
    pub(super) fn answered(&mut self, correlation: u64) -> Option<A> {
        self.in_flight = self.in_flight.saturating_sub(1);
        self.deposits
            .answered(correlation)
            .or_else(|| self.acknowledgements.answered(correlation))
    }

    /// Takes out one entry whose time is over; to be called until it returns `None`.
    pub(super) fn expire_next(&mut self, now: Instant) -> Option<Expired<A>> {
        self.deposits
            .expire_next(now)
            .or_else(|| self.acknowledgements.expire_next(now))
    }

    /// When [`Queue::expire_next`] has something to do.
    pub(super) fn next_deadline(&self) -> Option<Instant> {
        let deadlines = [
            self.deposits.next_deadline(),
            self.acknowledgements.next_deadline(),
        ];
        deadlines.into_iter().flatten().min()
    }

    fn unsent(&self) -> usize {
        self.deposits.unsent() + self.acknowledgements.unsent()
    }
}

#[cfg(test)]
mod tests;
