//! The chunk that is being written, and the watch that its end-line does not occur in its data.

use bytes::Bytes;
use memchr::memmem;
use rand::CryptoRng;

use crate::frame::{Continuation, RequestHead};
use crate::id::TransactionId;

use super::message::Sending;
use super::{INTERRUPTIBLE_ABOVE_OCTETS, OutboundId, OutboxConfig};

/// Why a chunk ends.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum ChunkEnd {
    /// Its length is reached, somebody interrupts, or its data would contain its end-line.
    Reached,
    /// The message was settled meanwhile.
    GivenUp,
}

#[derive(Debug)]
pub(super) struct Chunk {
    message: OutboundId,
    transaction_id: TransactionId,
    /// `-------tid`, which the data must not contain (RFC 4975 §7.1).
    end_line: Vec<u8>,
    /// The last octets written, where an occurrence could begin.
    tail: Vec<u8>,
    /// Octets that may still be written.
    room: u64,
    has_body: bool,
}

impl Chunk {
    /// Begins a chunk of at most `length` octets with a transaction id that does not occur in what
    /// is known of its data.
    pub(super) fn begin(
        message: &mut Sending,
        length: u64,
        config: &OutboxConfig,
        rng: &mut impl CryptoRng,
    ) -> (Chunk, RequestHead) {
        let transaction_id = TransactionId::absent_from(rng, message.pulled());
        let end_line = transaction_id.end_line();
        let interruptible = length > INTERRUPTIBLE_ABOVE_OCTETS;
        let head = message.chunk_head(transaction_id.clone(), length, interruptible, config);
        let chunk = Chunk {
            message: message.id(),
            transaction_id,
            end_line,
            tail: Vec::new(),
            room: length,
            has_body: message.has_content(),
        };
        (chunk, head)
    }

    pub(super) fn message(&self) -> OutboundId {
        self.message
    }

    pub(super) fn transaction_id(&self) -> &TransactionId {
        &self.transaction_id
    }

    pub(super) fn has_body(&self) -> bool {
        self.has_body
    }

    /// Whether nothing more fits or nothing more is there.
    pub(super) fn is_full(&self, message: &Sending) -> bool {
        self.room == 0 || message.remaining() == 0
    }

    /// The octets pulled so far, which [`begin`](Chunk::begin) has checked.
    pub(super) fn first_piece(&mut self, message: &mut Sending) -> Bytes {
        let octets = self.fitting(message.pulled().len());
        self.write(message, octets)
    }

    /// The next octets; none if the very next one would complete the end-line.
    pub(super) fn next_piece(&mut self, message: &mut Sending) -> Bytes {
        let safe = self.octets_before_end_line(message.pulled());
        let octets = self.fitting(safe);
        self.write(message, octets)
    }

    /// The flag to end with. A message that is complete is complete even if its chunk was
    /// interrupted.
    pub(super) fn flag(&self, end: ChunkEnd, message: Option<&Sending>) -> Continuation {
        match (end, message) {
            (ChunkEnd::GivenUp, _) | (_, None) => Continuation::Aborted,
            (ChunkEnd::Reached, Some(message)) if message.is_sent() => Continuation::Complete,
            (ChunkEnd::Reached, Some(_)) => Continuation::More,
        }
    }

    fn fitting(&self, octets: usize) -> usize {
        octets.min(usize::try_from(self.room).unwrap_or(usize::MAX))
    }

    fn write(&mut self, message: &mut Sending, octets: usize) -> Bytes {
        let piece = message.take(octets);
        self.room -= piece.len() as u64;
        self.remember_tail(&piece);
        piece
    }

    /// How many octets of `next` can follow the tail before the end-line's last octet would be
    /// written.
    fn octets_before_end_line(&self, next: &[u8]) -> usize {
        let overlap = self.end_line.len() - 1;
        let mut seam = self.tail.clone();
        seam.extend_from_slice(next.get(..overlap.min(next.len())).unwrap_or_default());
        let across = memmem::find(&seam, &self.end_line).map(|at| at + overlap - self.tail.len());
        let inside = || memmem::find(next, &self.end_line).map(|at| at + overlap);
        across.or_else(inside).unwrap_or(next.len())
    }

    fn remember_tail(&mut self, piece: &[u8]) {
        let keep = self.end_line.len() - 1;
        self.tail.extend_from_slice(
            piece
                .get(piece.len().saturating_sub(keep)..)
                .unwrap_or_default(),
        );
        self.tail.drain(..self.tail.len().saturating_sub(keep));
    }
}
