//! What came of received frames.

use bytes::Bytes;

use super::answer::FinalAnswer;
use crate::frame::{RequestHead, Response};
use crate::id::MessageId;

/// What came of a received frame.
#[derive(Debug)]
pub enum InboxEvent {
    /// Send this now.
    Reply(Box<Response>),
    /// A message has begun. Octets and one of `Complete` and `Abandoned` follow.
    Started {
        /// Names the message in the events that follow.
        message_id: MessageId,
        /// Head of the first chunk that came.
        head: Box<RequestHead>,
        /// The same head as bytes.
        raw_head: Bytes,
    },
    /// Octets of a message; those that came later win where they overlap (DEF-12).
    Octets {
        /// Whose they are.
        message_id: MessageId,
        /// How many octets of the message come before them.
        offset: u64,
        /// The octets.
        octets: Bytes,
    },
    /// Every octet is there and the end was announced.
    Complete {
        /// The message.
        message_id: MessageId,
        /// Its length.
        total: u64,
        /// The answer its sender waits for.
        answer: Box<FinalAnswer>,
    },
    /// The message will not be completed; its octets are to be forgotten.
    Abandoned {
        /// The message.
        message_id: MessageId,
        /// Why.
        why: Abandonment,
    },
    /// A REPORT about a message that we sent.
    Report(Box<RequestHead>),
}

/// Why a message was given up.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Abandonment {
    /// The sender ended a chunk with `#`.
    BySender,
    /// It is complete and has no octets: answered, and of no interest (DEF-15).
    Empty,
    /// We refused a chunk with this code.
    Refused(u16),
}
