//! Unanswered entries of one kind, whose deadlines come in the order of their correlations.

use std::collections::BTreeMap;
use std::time::Instant;

use proto::v1::ExchangeEntry;
use proto::v1::exchange_entry::Request;

use crate::convert;

/// An unanswered entry; `A` is where its answer goes.
#[derive(Debug)]
pub(super) struct Entry<A> {
    pub(super) request: Request,
    pub(super) octets: usize,
    pub(super) deadline: Instant,
    pub(super) waiter: A,
}

impl<A> Entry<A> {
    /// What goes on the wire now: a deposit says what is left of its time.
    fn wire(&self, correlation: u64, now: Instant) -> ExchangeEntry {
        let mut request = self.request.clone();
        if let Request::Deposit(deposit) = &mut request {
            let remaining = self.deadline.saturating_duration_since(now);
            deposit.remaining = Some(convert::proto_duration(remaining));
        }
        ExchangeEntry {
            correlation,
            request: Some(request),
        }
    }
}

/// An entry whose time is over.
#[derive(Debug)]
pub(super) struct Expired<A> {
    pub(super) waiter: A,
    /// It has been sent, so the store may have it.
    pub(super) was_sent: bool,
}

/// Entries in the order of their submission, those before `cursor` sent on the present stream.
#[derive(Debug)]
pub(super) struct Lane<A> {
    entries: BTreeMap<u64, Entry<A>>,
    cursor: u64,
    /// Correlations below it have been sent on some stream.
    sent_once: u64,
    unsent: usize,
}

impl<A> Default for Lane<A> {
    fn default() -> Self {
        Self {
            entries: BTreeMap::new(),
            cursor: 0,
            sent_once: 0,
            unsent: 0,
        }
    }
}

impl<A> Lane<A> {
    /// Correlations must grow.
    pub(super) fn push(&mut self, correlation: u64, entry: Entry<A>) {
        self.entries.insert(correlation, entry);
        self.unsent += 1;
    }

    pub(super) fn unsent(&self) -> usize {
        self.unsent
    }

    /// The next entry to send, unless it is larger than `room`.
    pub(super) fn send_next(
        &mut self,
        room: usize,
        now: Instant,
    ) -> Option<(ExchangeEntry, usize)> {
        let (&correlation, entry) = self.entries.range(self.cursor..).next()?;
        if entry.octets > room {
            return None;
        }
        let sent = (entry.wire(correlation, now), entry.octets);
        self.cursor = correlation + 1;
        self.sent_once = self.sent_once.max(self.cursor);
        self.unsent -= 1;
        Some(sent)
    }

    /// Takes the answered entry out; `None` if its time was over before.
    pub(super) fn answered(&mut self, correlation: u64) -> Option<A> {
        let entry = self.entries.remove(&correlation)?;
        if correlation >= self.cursor {
            self.unsent -= 1;
        }
        Some(entry.waiter)
    }

    /// Takes out the first entry if its time is over.
    pub(super) fn expire_next(&mut self, now: Instant) -> Option<Expired<A>> {
        let first = self.entries.first_entry()?;
        if first.get().deadline > now {
            return None;
        }
        let (correlation, entry) = first.remove_entry();
        if correlation >= self.cursor {
            self.unsent -= 1;
        }
        Some(Expired {
            waiter: entry.waiter,
            was_sent: correlation < self.sent_once,
        })
    }

    pub(super) fn next_deadline(&self) -> Option<Instant> {
        self.entries
            .first_key_value()
            .map(|(_, entry)| entry.deadline)
    }

    /// The stream broke: all of it is to be sent again, in the old order.
    pub(super) fn rewind(&mut self) {
        self.cursor = 0;
        self.unsent = self.entries.len();
    }
}
