//! One message on its way out.

use std::time::Instant;

use bytes::{Bytes, BytesMut};

use crate::byte_range::ByteRange;
use crate::frame::{Continuation, FailureReport, Method, RequestHead};
use crate::id::{MessageId, TransactionId};
use crate::range_set::RangeSet;

use super::{OutboundId, OutboundMessage, OutboxConfig};

/// REPORTs may arrive in pieces; more separate ones than this are not remembered.
const MAX_REPORTED_INTERVALS: usize = 1024;

#[derive(Debug)]
pub(super) struct Sending {
    id: OutboundId,
    message: OutboundMessage,
    /// Octets that are inside chunks already.
    sent: u64,
    begun: bool,
    /// Octets pulled from the body and not yet inside a chunk.
    pulled: Bytes,
    reported: RangeSet,
    report_deadline: Option<Instant>,
}

impl Sending {
    pub(super) fn new(id: OutboundId, message: OutboundMessage) -> Sending {
        Sending {
            id,
            message,
            sent: 0,
            begun: false,
            pulled: Bytes::new(),
            reported: RangeSet::default(),
            report_deadline: None,
        }
    }

    pub(super) fn id(&self) -> OutboundId {
        self.id
    }

    pub(super) fn is_begun(&self) -> bool {
        self.begun
    }

    pub(super) fn is_begun_as(&self, message_id: &MessageId) -> bool {
        self.begun && self.message.message_id == *message_id
    }

    /// Whether every octet is inside a chunk.
    pub(super) fn is_sent(&self) -> bool {
        self.begun && self.remaining() == 0
    }

    pub(super) fn remaining(&self) -> u64 {
        self.message.body_octets - self.sent
    }

    pub(super) fn wants_report(&self) -> bool {
        self.message.success_report
    }

    /// Whether a response is due to every chunk.
    pub(super) fn wants_responses(&self) -> bool {
        self.message.failure_report == FailureReport::Yes
    }

    pub(super) fn settles_when_sent(&self) -> bool {
        !self.wants_responses() && !self.wants_report()
    }

    pub(super) fn has_content(&self) -> bool {
        self.message.content_type.is_some()
    }

    /// How many octets to ask for before a chunk of `length` can go on: all of an exact one, since
    /// its end-line must be checked against them first; at least one of an interruptible one.
    pub(super) fn missing_for(
        &self,
        length: u64,
        interruptible: bool,
        piece_octets: usize,
    ) -> Option<usize> {
        let wanted = if interruptible { 1 } else { length };
        let wanted = usize::try_from(wanted)
            .unwrap_or(usize::MAX)
            .saturating_sub(self.pulled.len());
        let available = usize::try_from(self.remaining()).unwrap_or(usize::MAX);
        match (wanted, interruptible) {
            (0, _) => None,
            (_, true) => Some(piece_octets.clamp(1, available.max(1))),
            (_, false) => Some(wanted),
        }
    }

    pub(super) fn supply(&mut self, octets: Bytes) {
        let room = usize::try_from(self.remaining()).unwrap_or(usize::MAX) - self.pulled.len();
        let octets = octets.slice(..octets.len().min(room));
        if self.pulled.is_empty() {
            self.pulled = octets;
        } else {
            let mut joined = BytesMut::from(self.pulled.as_ref());
            joined.extend_from_slice(&octets);
            self.pulled = joined.freeze();
        }
    }

    /// The octets that can go into a chunk next.
    pub(super) fn pulled(&self) -> &Bytes {
        &self.pulled
    }

    /// Moves octets into a chunk.
    pub(super) fn take(&mut self, octets: usize) -> Bytes {
        let piece = self.pulled.split_to(octets);
        self.sent += piece.len() as u64;
        piece
    }

    /// The head of the next chunk, which covers `length` octets.
    pub(super) fn chunk_head(
        &mut self,
        transaction_id: TransactionId,
        length: u64,
        interruptible: bool,
        config: &OutboxConfig,
    ) -> RequestHead {
        self.begun = true;
        let end = (!interruptible).then_some(self.sent + length);
        let range = ByteRange {
            start: self.sent + 1,
            end,
            total: Some(self.message.body_octets),
        };
        let mut head = self.head(transaction_id, range, config);
        head.content_type = self.message.content_type.clone();
        head.headers = self.message.headers.clone();
        if self.has_content() {
            head.success_report = Some(self.message.success_report);
            head.failure_report = Some(self.message.failure_report);
        }
        head
    }

    /// An empty chunk that tells the peer that the rest will not come.
    pub(super) fn abort_frame(
        &self,
        transaction_id: TransactionId,
        config: &OutboxConfig,
    ) -> Bytes {
        let total = Some(self.message.body_octets);
        let range = ByteRange {
            start: self.sent + 1,
            end: Some(self.sent),
            total,
        };
        let mut head = self.head(transaction_id, range, config);
        head.failure_report = Some(FailureReport::No);
        head.print_whole(b"", Continuation::Aborted)
    }

    fn head(
        &self,
        transaction_id: TransactionId,
        range: ByteRange,
        config: &OutboxConfig,
    ) -> RequestHead {
        let (to, from) = (config.peer_path.clone(), config.local_path.clone());
        let mut head = RequestHead::new(transaction_id, Method::Send, to, from);
        head.message_id = Some(self.message.message_id.clone());
        head.byte_range = Some(range);
        head
    }

    pub(super) fn reported(&mut self, range: Option<&ByteRange>) {
        let total = self.message.body_octets;
        let (start, end) = match range {
            Some(range) => (range.offset(), range.end.unwrap_or(total)),
            None => (0, total),
        };
        if self.reported.intervals() < MAX_REPORTED_INTERVALS {
            self.reported.insert(start..end.min(total));
        }
    }

    /// Whether REPORTs were asked for and say that everything arrived.
    pub(super) fn is_covered_by_reports(&self) -> bool {
        self.wants_report() && self.is_sent() && self.reported.covers(self.message.body_octets)
    }

    pub(super) fn wait_for_report(&mut self, deadline: Instant) {
        self.report_deadline = Some(deadline);
    }

    pub(super) fn report_deadline(&self) -> Option<Instant> {
        self.report_deadline
    }

    pub(super) fn report_is_late(&self, now: Instant) -> bool {
        self.report_deadline.is_some_and(|deadline| deadline <= now)
    }
}
