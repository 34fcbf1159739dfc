//! The sending half of a session: messages in, frames and outcomes out.
//!
//! Messages go out in the order they were enqueued, a window of them at a time (PSH-09). One of
//! more than [`INTERRUPTIBLE_ABOVE_OCTETS`] goes as chunks whose range ends with `*`, so that
//! responses, reports and other sessions can cut in (RFC 4975 §7.1.1). Bodies are pulled piece by
//! piece: the machine never holds more than one piece of a message.
//!
//! ```text
//!   enqueue ──► waiting ──► sending ──► sent ──► acknowledged ──► Delivered
//!                              │          │        (REPORTs cover 1..N, where asked for)
//!                              └──────────┴──► Refused(code) | Failed(reason)
//! ```
//!
//! It writes no socket: the driver calls [`Outbox::poll`], writes what it is given, and calls
//! again.

mod chunk;
mod message;
mod outbox;
mod transactions;

use std::time::Duration;

use bytes::Bytes;

use crate::frame::FailureReport;
use crate::id::MessageId;
use crate::uri::Path;

pub use outbox::Outbox;

/// Chunks longer than this are sent with an open range end (RFC 4975 §7.1.1, PSH-11).
pub const INTERRUPTIBLE_ABOVE_OCTETS: u64 = 2048;

/// Names a message inside one [`Outbox`].
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct OutboundId(u64);

/// How a sending half behaves.
#[derive(Debug, Clone)]
pub struct OutboxConfig {
    /// Our path, as offered or answered in SDP.
    pub local_path: Path,
    /// The peer's path.
    pub peer_path: Path,
    /// Longest chunk.
    pub chunk_octets: u64,
    /// Largest piece of a body asked for at once, and the most that delays an interrupt.
    pub piece_octets: usize,
    /// Messages begun and not settled (PSH-09: 4).
    pub message_window: usize,
    /// Chunks sent and not answered.
    pub chunk_window: usize,
    /// Messages held, begun or not.
    pub queue_limit: usize,
    /// From the last octet of a chunk to its response (RFC 4975 §7.1.1: 30 s).
    pub transaction_timeout: Duration,
    /// From the last response to the last success REPORT, if one was asked for (3.1: 120 s).
    pub report_timeout: Duration,
}

impl OutboxConfig {
    /// The values of the standard between these two paths.
    pub fn new(local_path: Path, peer_path: Path) -> OutboxConfig {
        OutboxConfig {
            local_path,
            peer_path,
            chunk_octets: 256 * 1024,
            piece_octets: 64 * 1024,
            message_window: 4,
            chunk_window: 16,
            queue_limit: 8,
            transaction_timeout: Duration::from_secs(30),
            report_timeout: Duration::from_secs(120),
        }
    }
}

/// A message to send. Its body is pulled later, see [`Step::NeedBody`].
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct OutboundMessage {
    /// MSRP Message-ID, fresh in every session.
    pub message_id: MessageId,
    /// Type of the body; none makes an empty SEND, as the one that binds a connection.
    pub content_type: Option<String>,
    /// Octets of the body.
    pub body_octets: u64,
    /// Whether to wait for REPORTs that cover the whole message (2.4.3).
    pub success_report: bool,
    /// Which responses to ask for.
    pub failure_report: FailureReport,
    /// Further headers, printed before `Content-Type`.
    pub headers: Vec<(String, String)>,
}

impl OutboundMessage {
    /// A message with this type and length, `Failure-Report: yes`, `Success-Report: no`.
    pub fn new(message_id: MessageId, content_type: &str, body_octets: u64) -> OutboundMessage {
        OutboundMessage {
            message_id,
            content_type: Some(content_type.to_owned()),
            body_octets,
            success_report: false,
            failure_report: FailureReport::Yes,
            headers: Vec::new(),
        }
    }

    /// The empty SEND by which an active side binds its connection (RFC 4975 §5.4).
    pub fn binding(message_id: MessageId) -> OutboundMessage {
        OutboundMessage {
            content_type: None,
            ..OutboundMessage::new(message_id, "", 0)
        }
    }
}

/// What became of a message.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Outcome {
    /// Every chunk was answered 200 and, where asked for, REPORTs cover the message.
    Delivered,
    /// The peer answered a chunk with this code.
    Refused(u16),
    /// The peer never said.
    Failed(Failure),
}

/// Why nothing is known of a message's fate.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum Failure {
    /// No response within 30 s.
    #[error("no response in time")]
    TransactionTimeout,
    /// No covering success REPORT within 120 s.
    #[error("no success report in time")]
    ReportTimeout,
    /// A REPORT said that the message was lost behind the first hop, with this code.
    #[error("a report says {0}")]
    Reported(u16),
    /// The body could not be read to its end.
    #[error("the body could not be read")]
    BodyUnavailable,
    /// An earlier failure ended the session before this message was through.
    #[error("the session has failed")]
    SessionFailed,
    /// The session was closed from our side.
    #[error("the session was closed")]
    Closed,
    /// The connection broke.
    #[error("the connection was lost")]
    ConnectionLost,
}

/// Why a message was not taken.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum OutboxRefusal {
    /// As many messages wait as may wait.
    #[error("too many messages wait in this session")]
    Full,
    /// The session sends no more.
    #[error("the session has ended")]
    Ended,
}

/// What the driver is to do next.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Step {
    /// Write these bytes, then poll again.
    Write(Bytes),
    /// Read the next octets of this message's body (at least one, at most so many), hand them to
    /// [`Outbox::supply_body`] or report [`Outbox::fail_body`], then poll again.
    NeedBody {
        /// Whose body.
        message: OutboundId,
        /// The most that is taken.
        max_octets: usize,
    },
}
