//! Handing a completely received message to the store.

use std::time::Duration;

use crate::Deposited;
use crate::message::{Class, Headers, Part, Priority, ReportRequest};

/// What makes a retry recognisable (requirements §3.3), besides served user, sender and body.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
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
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ImdnKey {
    /// `imdn.Message-ID`.
    pub message_id: String,
    /// Octets of the body before the part that the CPIM message wraps.
    pub part_offset: u64,
}

/// A message for which the edge wants to be responsible no longer.
#[derive(Clone, Debug)]
pub struct Deposit {
    /// Canonical address of the served user, or an alias.
    pub served_user: String,
    /// The asserted identity of the sender; `None` if none was required.
    pub sender: Option<String>,
    /// Does not count in what its sender may have stored (requirements §3.6).
    pub sender_exempt: bool,
    /// Its class.
    pub class: Class,
    /// Its parsed priority.
    pub priority: Priority,
    /// Counts as `Text-Message` in the summary (MWI-09).
    pub is_text: bool,
    /// Header values.
    pub headers: Headers,
    /// What makes a retry recognisable.
    pub duplicate_key: DuplicateKey,
    /// `None` if its sender gave it no name.
    pub imdn_key: Option<ImdnKey>,
    /// Octets as received, at least one part.
    pub parts: Vec<Part>,
    /// Octets of the body.
    pub body_octets: u64,
    /// Where the body begins within the MESSAGE part; zero for large messages.
    pub body_offset: u64,
    /// The lifetime the sender asked for, from the acceptance; capped by the store (requirements §3.2).
    pub lifetime: Option<Duration>,
    /// Transport and address of the peer that handed it over.
    pub received_from: String,
    /// What the sender asks to be told; `None` if nothing (IMD-01).
    pub report_request: Option<ReportRequest>,
    /// The span in which it is taken in (W3C Trace Context); `None` if it is not traced.
    pub traceparent: Option<String>,
    /// The leg of a fan-out that it came as, if its mark was verified.
    pub leg: Option<LegName>,
}

/// One copy of a job.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct LegName {
    /// The job.
    pub job: u64,
    /// The place of the target in the roster, from zero.
    pub index: u32,
}

/// How the store decided (PFM-13).
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum DepositAnswer {
    /// The message is on disk.
    Deposited(Deposited),
    /// Nothing was stored and no Message-ID was spent.
    Refused(Refusal),
}

/// Why a deposit was refused, and when to try again.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Refusal {
    /// Why.
    pub reason: RefusalReason,
    /// Absent if trying again is of no use.
    pub retry_after: Option<Duration>,
}

/// Why a deposit was refused. The numbers are the statuses that the sender gets.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum RefusalReason {
    /// 404: no such account (PFM-09).
    UnknownUser,
    /// 480: the served user takes no messages of this kind (PFM-08).
    Barred,
    /// 480 with Retry-After (requirements §3.6).
    MailboxFull,
    /// 480 with Retry-After (requirements §3.6).
    SenderLimit,
    /// 503 with Retry-After (requirements §3.6).
    DiskFull,
}
