//! Taking messages out of a claimed mailbox.

use std::time::Duration;

use crate::message::{Message, Part};

/// Names one claim of one mailbox (requirements §3.13).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Claim {
    /// The claimed mailbox.
    pub mailbox: u64,
    /// Which of its claims.
    pub generation: u64,
}

/// How much one take may return; at least one message is returned if there is one.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct TakeLimits {
    /// Messages.
    pub messages: u32,
    /// Octets of content.
    pub octets: u64,
}

impl Default for TakeLimits {
    /// A few SENDs ahead of the window of a push session, 1 MiB of content.
    fn default() -> Self {
        Self {
            messages: 16,
            octets: 1 << 20,
        }
    }
}

/// A message on its way out.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TakenMessage {
    /// The message.
    pub message: Message,
    /// Its content. The body of a large message over 256 KiB is not among it: it is read by
    /// [`crate::StorageClient::read_part`].
    pub parts: Vec<Part>,
}

/// What one take has brought, in order.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct TakenBatch {
    /// The messages.
    pub messages: Vec<TakenMessage>,
    /// As far as the store has seen, nothing follows; a release tells for sure (DLV-18).
    pub is_last: bool,
}

/// What became of one taken message.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Settlement {
    /// The client has it (P4).
    Delivered {
        /// For the timeline, such as `MSRP 200`.
        by: String,
    },
    /// The client does not want it, now and for ever.
    Refused {
        /// For the timeline, such as `MESSAGE 603`.
        reason: String,
    },
    /// This attempt failed; the message stays stored.
    Failed {
        /// For the timeline, such as `MSRP 413`.
        reason: String,
        /// The client refused this message as such (requirements §3.5).
        refusal: bool,
    },
}

/// The answer to a settlement.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum AcknowledgeResult {
    /// The settlement stands and is on disk.
    Settled,
    /// A newer claim has superseded this one: nothing changed.
    Superseded,
    /// It was settled before: nothing changed.
    AlreadySettled,
    /// No such message in that mailbox.
    Unknown,
}

/// How a delivery ended as a whole, which decides about the next try (requirements §3.5).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DeliveryOutcome {
    /// The row of the table.
    pub result: DeliveryResult,
    /// For the timeline, such as `INVITE 480`; empty if all went well.
    pub reason: String,
    /// The peer's Retry-After.
    pub retry_after: Option<Duration>,
}

impl DeliveryOutcome {
    /// An outcome without Retry-After.
    pub fn new(result: DeliveryResult, reason: impl Into<String>) -> Self {
        Self {
            result,
            reason: reason.into(),
            retry_after: None,
        }
    }

    /// All that was there has been offered.
    #[must_use]
    pub fn completed() -> Self {
        Self::new(DeliveryResult::Completed, "")
    }
}

/// The rows of the outcome table (requirements §3.5).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum DeliveryResult {
    /// All that was there has been offered.
    Completed,
    /// Not reachable now: 408, 480, 487, other 5xx, timeouts.
    Unavailable,
    /// 486, 600, 603.
    Busy,
    /// 488, 606, 415: the client cannot do this session.
    Unsupported,
    /// 403, 404, 410, 604, 482.
    Rejected,
    /// The session broke after it was set up.
    Broken,
    /// The next hop is down or answered 503.
    HopDown,
    /// The client ended the session early, or its user has de-registered.
    EndedByClient,
    /// This edge is draining: another one shall deliver.
    EdgeDraining,
    /// This edge had to end it: the claim could not be trusted any more, or the store did not answer.
    Interrupted,
}

impl DeliveryResult {
    /// In metrics and traces.
    #[must_use]
    pub fn word(self) -> &'static str {
        match self {
            Self::Completed => "completed",
            Self::Unavailable => "unavailable",
            Self::Busy => "busy",
            Self::Unsupported => "unsupported",
            Self::Rejected => "rejected",
            Self::Broken => "broken",
            Self::HopDown => "hop_down",
            Self::EndedByClient => "ended_by_client",
            Self::EdgeDraining => "edge_draining",
            Self::Interrupted => "interrupted",
        }
    }
}

/// The answer to a release.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ReleaseResult {
    /// The mailbox is free.
    Released,
    /// Something newer waits and the claim goes on: take again (DLV-18).
    LookAgain,
    /// A newer claim has superseded this one.
    Superseded,
}
