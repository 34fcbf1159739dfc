//! How a session of ours, or a SEND in it, came to nothing.

use std::time::Duration;

use net::msrp::{AbortReason, SendFailure};
use sip::StatusCode;

/// How an INVITE of ours ended without a session.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum InviteFailure {
    /// A final answer other than 2xx.
    Status {
        /// The status.
        status: StatusCode,
        /// Its Retry-After.
        retry_after: Option<Duration>,
    },
    /// No final answer in the time a client may ring; it was cancelled.
    NoAnswer,
    /// No answer at all, or nowhere to send to.
    Unreachable,
    /// A 2xx whose description gives no session (PSH-10).
    NotUsable(&'static str),
    /// A session was agreed on, and no MSRP connection came of it.
    NotConnected,
    /// The client said BYE before there was an MSRP connection.
    EndedByClient,
    /// It was not wanted any more before the session stood.
    Withdrawn,
}

impl InviteFailure {
    /// Whether the client can do no session, so that it gets MESSAGEs for the rest of its
    /// registration (DLM-01).
    #[must_use]
    pub fn is_unsuited(&self) -> bool {
        match self {
            Self::Status { status, .. } => matches!(status.code(), 415 | 488 | 606),
            Self::NotUsable(_) => true,
            Self::NoAnswer
            | Self::Unreachable
            | Self::NotConnected
            | Self::EndedByClient
            | Self::Withdrawn => false,
        }
    }
}

/// How one SEND ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum SendEnd {
    /// 200, and the REPORTs if a relay is in the path (P4).
    Delivered,
    /// Answered with this code.
    Refused(u16),
    /// No 200 in time.
    Timeout,
    /// The connection broke.
    ConnectionLost,
    /// The store did not give the message to its end.
    Unreadable,
}

impl<T> From<Result<T, SendFailure>> for SendEnd {
    fn from(outcome: Result<T, SendFailure>) -> Self {
        match outcome {
            Ok(_) => Self::Delivered,
            Err(SendFailure::Refused(code) | SendFailure::Aborted(AbortReason::Reported(code))) => {
                Self::Refused(code)
            }
            Err(SendFailure::Timeout) => Self::Timeout,
            Err(SendFailure::Aborted(AbortReason::Body)) => Self::Unreadable,
            Err(SendFailure::Aborted(_) | SendFailure::ConnectionLost | _) => Self::ConnectionLost,
        }
    }
}
