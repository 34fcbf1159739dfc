//! Putting a message into the store.

use std::time::{Duration, Instant};

use super::{
    Address, Class, FileAttributes, Headers, LegName, MessageId, Part, Priority, ReportRequest,
    UnixMillis,
};
use crate::Synced;

/// What makes a deposit the same as an earlier one (requirements §3.3), besides its mailbox, its
/// sender and a keyed hash of its body, which the store adds.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash)]
pub struct DuplicateKey {
    /// SIP method.
    pub method: String,
    /// Tag of `From`.
    pub from_tag: String,
    /// `Call-ID`.
    pub call_id: String,
    /// Number of `CSeq`.
    pub cseq: u32,
}

/// What its sender calls a message, whatever request it comes in (requirements §3.3).
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct ImdnKey {
    /// `imdn.Message-ID`.
    pub message_id: String,
    /// Octets of the body before the part that the CPIM message wraps, which is what a retry repeats.
    pub part_offset: u64,
}

/// A message that an edge has received completely and wants to be responsible for no longer.
#[derive(Clone, Debug)]
pub struct Deposit {
    /// The served user; an address or alias.
    pub served_user: Address,
    /// The asserted identity of the sender.
    pub sender: Option<Address>,
    /// It does not count in what its sender may have stored: sent by a store itself, or a leg of a fan-out, which are
    /// bounded where they come from (requirements §3.6).
    pub sender_exempt: bool,
    /// Its class.
    pub class: Class,
    /// Its priority.
    pub priority: Priority,
    /// See [`super::Envelope::is_text`].
    pub is_text: bool,
    /// Header values.
    pub headers: Headers,
    /// What makes a retry of this deposit recognisable.
    pub duplicate_key: DuplicateKey,
    /// What makes a retry under another Call-ID recognisable; without a sender it is not looked at.
    pub imdn_key: Option<ImdnKey>,
    /// Octets, as received. At least one part.
    pub parts: Vec<Part>,
    /// See [`super::Envelope::body_octets`].
    pub body_octets: u64,
    /// See [`super::Envelope::body_offset`].
    pub body_offset: u64,
    /// The lifetime the sender asked for, from the acceptance; the store caps it (requirements §3.2).
    pub lifetime: Option<Duration>,
    /// See [`super::Envelope::received_from`].
    pub received_from: String,
    /// See [`super::Envelope::sha256`]. It stands for the body in the fingerprint.
    pub sha256: Option<[u8; 32]>,
    /// See [`super::Envelope::file`].
    pub file: Option<FileAttributes>,
    /// See [`super::Envelope::report_request`].
    pub report_request: Option<ReportRequest>,
    /// See [`super::Envelope::traceparent`].
    pub traceparent: Option<String>,
    /// The leg of a fan-out that it came as, by a mark that only edges of this store can make; `None` for all else. The
    /// store looks itself which group that is of.
    pub leg: Option<LegName>,
    /// The edge has answered 503 by then: a deposit that is not in a group yet is refused
    /// ([`Refusal::TooLate`], PFM-05).
    pub deadline: Instant,
}

/// What the sender's edge may promise after a deposit.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Receipt {
    /// The Message-ID.
    pub id: MessageId,
    /// The moment of acceptance.
    pub received_at: UnixMillis,
}

/// How the store answered a deposit. It decides in the order duplicate, unknown user, barred,
/// mailbox full, limit of the sender, disk (PFM-13).
#[derive(Clone, Debug)]
pub enum DepositOutcome {
    /// A new message, on disk.
    Stored(Synced<Receipt>),
    /// Likewise; but its sender has given its `imdn.Message-ID` to other content before (requirements §3.3).
    IdReused(Synced<Receipt>),
    /// The message is already there, on disk; this is its first receipt.
    Duplicate(Synced<Receipt>),
    /// Nothing was stored and no Message-ID was spent.
    Refused(Refusal),
}

/// Why a deposit was refused.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Refusal {
    /// No such account (PFM-09; only with `provisioning = listed`).
    #[error("unknown served user")]
    UnknownUser,
    /// The served user takes no messages of this kind (PFM-08).
    #[error("barred by the served user")]
    Barred,
    /// The mailbox is full (requirements §3.6).
    #[error("mailbox full")]
    MailboxFull {
        /// When to try again.
        retry_after: Duration,
    },
    /// The sender has too much stored and undelivered (requirements §3.6).
    #[error("sender limit")]
    SenderLimit {
        /// When to try again.
        retry_after: Duration,
    },
    /// The disk is above its high-water mark (requirements §3.6).
    #[error("disk above its high-water mark")]
    DiskFull,
    /// The deadline passed before the deposit entered a group (PFM-05).
    #[error("the deadline had passed")]
    TooLate,
}
