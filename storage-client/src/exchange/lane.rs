//! Unanswered entries of one kind, whose deadlines come in the order of their correlations.

use std::collections::BTreeMap;
use std::time::Instant;

use bytes::{Bytes, BytesMut};
use prost::Message;
use proto::v1;
use proto::v1::ExchangeEntry;
use proto::v1::exchange_entry::Request;

use crate::convert;

/// Octets that the fields known only at the time of sending take at most.
const LATE_FIELDS_OCTETS: usize = 48;

/// What an entry asks for, encoded once however often it is sent.
#[derive(Debug)]
pub(super) struct Encoded {
    octets: Bytes,
    is_deposit: bool,
}

impl Encoded {
    pub(super) fn new(request: Request) -> Self {
        let is_deposit = matches!(request, Request::Deposit(_));
        let entry = ExchangeEntry {
            correlation: 0,
            request: Some(request),
        };
        Self {
            octets: entry.encode_to_vec().into(),
            is_deposit,
        }
    }

    pub(super) fn len(&self) -> usize {
        self.octets.len()
    }

    pub(super) fn is_deposit(&self) -> bool {
        self.is_deposit
    }
}

/// An unanswered entry; `A` is where its answer goes.
#[derive(Debug)]
pub(super) struct Entry<A> {
    pub(super) request: Encoded,
    pub(super) deadline: Instant,
    pub(super) waiter: A,
}

impl<A> Entry<A> {
    /// An [`ExchangeEntry`] as it goes on the wire now: a deposit says what is left of its time.
    ///
    /// It is put together of pieces: fields of one message that come one after the other are merged
    /// by whoever reads them, those of an embedded message too (Protocol Buffers, encoding, "last
    /// one wins").
    fn wire(&self, correlation: u64, now: Instant) -> Bytes {
        let mut octets = BytesMut::with_capacity(self.request.len() + LATE_FIELDS_OCTETS);
        octets.extend_from_slice(&self.request.octets);
        let remaining = self.request.is_deposit.then(|| {
            let remaining = self.deadline.saturating_duration_since(now);
            Request::Deposit(v1::Deposit {
                remaining: Some(convert::proto_duration(remaining)),
                ..v1::Deposit::default()
            })
        });
        let late = ExchangeEntry {
            correlation,
            request: remaining,
        };
        octets.extend_from_slice(&late.encode_to_vec());
        octets.freeze()
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
    pub(super) fn send_next(&mut self, room: usize, now: Instant) -> Option<Bytes> {
        let (&correlation, entry) = self.entries.range(self.cursor..).next()?;
        if entry.request.len() > room {
            return None;
        }
        let sent = entry.wire(correlation, now);
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
