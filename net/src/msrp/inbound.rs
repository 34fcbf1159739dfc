//! A message on its way in.

use ::msrp::{Abandonment, Collector, RequestHead};
use bytes::Bytes;
use tokio::sync::mpsc;

use super::answer::AnswerHandle;

/// Pieces that wait to be taken, of each session; each is at most one read of the connection.
const PIECE_QUEUE: usize = 1;

/// A message of which the first chunk has begun. Dropped before its end it is refused with 413.
#[derive(Debug)]
pub struct Inbound {
    head: Box<RequestHead>,
    raw_head: Bytes,
    pieces: mpsc::Receiver<Piece>,
}

/// What comes of a message.
#[derive(Debug)]
pub enum Piece {
    /// Octets; those that come later win where they overlap (DEF-12).
    Octets {
        /// How many octets of the message come before them.
        offset: u64,
        /// At most one read of the connection; a piece kept keeps that much.
        octets: Bytes,
    },
    /// Every octet is there and the end was announced; nothing more comes.
    Complete {
        /// Octets of the message.
        total: u64,
        /// The answer that the sender waits for.
        answer: AnswerHandle,
    },
    /// The message will not be completed; nothing more comes.
    Abandoned(Abandonment),
}

impl Inbound {
    /// Also gives the end into which the pieces are put.
    pub(super) fn new(head: Box<RequestHead>, raw_head: Bytes) -> (Inbound, mpsc::Sender<Piece>) {
        let (sender, pieces) = mpsc::channel(PIECE_QUEUE);
        let inbound = Inbound {
            head,
            raw_head,
            pieces,
        };
        (inbound, sender)
    }

    /// Head of the chunk that came first.
    pub fn head(&self) -> &RequestHead {
        &self.head
    }

    /// The same head as bytes, from `MSRP` to the CRLF of its last header.
    pub fn raw_head(&self) -> &Bytes {
        &self.raw_head
    }

    /// What comes next; none if the session ended before the message did. Loses nothing when dropped
    /// halfway.
    pub async fn next(&mut self) -> Option<Piece> {
        self.pieces.recv().await
    }

    /// The whole message in memory, which the rules of the session bound; none if it was abandoned.
    pub async fn gather(mut self) -> Option<WholeMessage> {
        let mut octets = Collector::default();
        loop {
            match self.next().await? {
                Piece::Octets {
                    offset,
                    octets: piece,
                } => octets.put(offset, &piece),
                Piece::Complete { total, answer } => {
                    return Some(WholeMessage {
                        head: self.head,
                        raw_head: self.raw_head,
                        body: octets.finish(total),
                        answer,
                    });
                }
                Piece::Abandoned(_) => return None,
            }
        }
    }
}

/// A message that came in whole.
#[derive(Debug)]
pub struct WholeMessage {
    /// Head of the chunk that came first.
    pub head: Box<RequestHead>,
    /// The same head as bytes.
    pub raw_head: Bytes,
    /// The content.
    pub body: Bytes,
    /// The answer that the sender waits for.
    pub answer: AnswerHandle,
}
