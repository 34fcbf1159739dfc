//! MSRP frames, sessions and SDP without I/O.
//!
//! The crate turns bytes into frames and back ([`Decoder`], [`RequestHead`], [`Response`]), runs
//! the sending half of a session ([`Outbox`]) and its receiving half ([`Inbox`]), reads and writes
//! the media description that sets a session up ([`sdp`]) and wraps deferred messages for a push
//! ([`encapsulate`]).
//!
//! It is not a network client: it opens no socket, reads no clock and makes no random number. Time
//! comes in as an argument, randomness as a generator, bytes by `handle_*` and leave by `poll*`.
//!
//! Limits: a frame's head is at most [`HEAD_LIMIT_OCTETS`]; bodies pass through in pieces and are
//! never gathered unless a [`Collector`] is asked to; a reassembly keeps at most [`MAX_GAPS`] gaps
//! (MSR-05).

mod byte_range;
mod decoder;
pub mod encapsulate;
mod error;
mod frame;
mod id;
mod inbound;
mod media_type;
mod outbound;
mod parse;
mod print;
mod range_set;
pub mod sdp;
pub mod status;
mod uri;

#[cfg(test)]
mod tests;

pub use byte_range::ByteRange;
pub use decoder::{Decoder, Event, HEAD_LIMIT_OCTETS};
pub use error::{ByteRangeError, DecodeError, IdError, Malformed, UriError};
pub use frame::{Continuation, FailureReport, Method, ReportStatus, RequestHead, Response};
pub use id::{MessageId, SessionId, TransactionId};
pub use inbound::{
    Abandonment, Collector, FinalAnswer, Inbox, InboxEvent, InboxRules, MAX_GAPS, Progress,
    Reassembly, Refusal,
};
pub use media_type::AcceptTypes;
pub use outbound::{
    Failure, INTERRUPTIBLE_ABOVE_OCTETS, OutboundId, OutboundMessage, Outbox, OutboxConfig,
    OutboxRefusal, Outcome, Step,
};
pub use range_set::RangeSet;
pub use uri::{MsrpUri, Path};
