//! Taking messages out for delivery: claims, acknowledgements, releases (requirements §3.13).

use std::time::Duration;

use super::{MailboxId, MessageNumber, Part, StoredMessage};

/// Counts the claims of a mailbox. Grows by one with each claim; a redelivered message belongs to
/// the claims after the redelivery only (requirements §3.13).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Generation(pub u64);

/// Names one claim of one mailbox. An acknowledgement that carries an older generation than the
/// mailbox has settles nothing (P4); one whose lease has merely run out still settles, because the
/// client has the message.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct ClaimToken {
    /// The claimed mailbox.
    pub mailbox: MailboxId,
    /// Which of its claims.
    pub generation: Generation,
}

/// An edge's wish to deliver a mailbox.
#[derive(Clone, Debug)]
pub struct ClaimRequest {
    /// The mailbox.
    pub mailbox: MailboxId,
    /// Name of the edge that will deliver, for operators.
    pub edge: String,
    /// How long the claim lives without renewal.
    pub lease: Duration,
}

/// The answer to a [`ClaimRequest`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ClaimGrant {
    /// The mailbox is claimed; nobody else gets it while the lease lives (DLV-13).
    Granted(ClaimToken),
    /// Another claim is alive.
    Busy,
    /// There is nothing to deliver.
    Empty,
}

/// How much one take may return; whichever bound is met first. At least one message is returned if
/// there is one.
#[derive(Clone, Copy, Debug)]
pub struct TakeLimit {
    /// Messages.
    pub messages: usize,
    /// Octets of content.
    pub octets: u64,
}

/// A message on its way out.
#[derive(Clone, Debug)]
pub struct Taken {
    /// The message, state `Claimed`.
    pub message: StoredMessage,
    /// Its content.
    pub parts: Vec<Part>,
}

/// What became of one taken message.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Settlement {
    /// The client has it: MSRP 200 or success REPORT, 2xx to a MESSAGE (P4).
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
        /// The client refused this message as such (413, 415, 403): counts towards
        /// `push.max_refusals` on distinct registrations (requirements §3.5).
        refusal: bool,
    },
}

impl Settlement {
    /// What was said, for the timeline.
    #[must_use]
    pub fn said(&self) -> &str {
        match self {
            Self::Delivered { by } => by,
            Self::Refused { reason } | Self::Failed { reason, .. } => reason,
        }
    }
}

/// The answer to an acknowledgement.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Settled {
    /// The settlement stands.
    Settled,
    /// A newer claim has superseded this one: nothing changed.
    Superseded,
    /// The message was settled before: nothing changed. One that an operator or the end of its
    /// lifetime settled while this claim had it taken is not answered so: there the outcome of
    /// the delivery wins (requirements §3.13).
    AlreadySettled,
    /// There is no such message in that mailbox.
    Unknown(MessageNumber),
}

/// How a delivery ended as a whole, for the timeline of messages it left behind.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ReleaseOutcome {
    /// For people, such as `INVITE 480`; empty if all went well.
    pub reason: String,
}

/// The answer to a release.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Released {
    /// The mailbox is free.
    Released,
    /// Something deliverable is newer than the last sequence seen: the claim goes on, look again
    /// (DLV-18).
    LookAgain,
    /// A newer claim has superseded this one: nothing changed.
    Superseded,
}
