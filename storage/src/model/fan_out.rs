//! Fan-out: a message to many becomes a job, the job one leg per recipient (requirements §1.7).

use std::time::{Duration, Instant};

use bytes::Bytes;

use super::{Address, DuplicateKey, Generation, ReportRequest, UnixMillis, UploadId};
use crate::Synced;

/// Targets of one job.
pub const ROSTER_MAX: usize = 10_000;
/// Octets of a template.
pub const TEMPLATE_OCTETS_MAX: usize = 1 << 20;
/// Octets of what is different in one copy.
pub const VARIATION_OCTETS_MAX: usize = 4 << 10;

/// Names a job: unique for ever, and apart from the Message-IDs, which have no gaps (STO-08).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct JobNumber(pub u64);

/// By which way legs go.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[repr(u8)]
pub enum JobClass {
    /// A MESSAGE each.
    Pager = 1,
    /// An INVITE and an MSRP session each (CFL-08).
    Large = 2,
}

impl JobClass {
    /// Both.
    pub const ALL: [Self; 2] = [Self::Pager, Self::Large];
}

/// How a recipient is named to the others (RFC 5364).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
#[repr(u8)]
pub enum CopyControl {
    /// No list said.
    #[default]
    None = 0,
    /// `to`
    To = 1,
    /// `cc`
    Cc = 2,
    /// `bcc`
    Bcc = 3,
}

/// One recipient.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RosterEntry {
    /// Canonical address.
    pub target: Address,
    /// How he is named.
    pub copy_control: CopyControl,
    /// What is different in his copy; opaque to the store.
    pub variation: Bytes,
}

/// What all legs of a job have in common (CFP-18); opaque to the store.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct LegTemplate {
    /// Header lines.
    pub head: Bytes,
    /// Body, with the history part if there is one.
    pub body: Bytes,
    /// Body without the history part (CFP-15).
    pub body_without_history: Option<Bytes>,
    /// What the SEND of each leg says, of a large message: empty for others.
    pub send_head: Bytes,
}

impl LegTemplate {
    /// Octets in all.
    #[must_use]
    pub fn octets(&self) -> usize {
        let without = self.body_without_history.as_ref().map_or(0, Bytes::len);
        self.head.len() + self.body.len() + without + self.send_head.len()
    }
}

/// A message that an edge wants to be a job.
#[derive(Clone, Debug)]
pub struct JobRequest {
    /// The asserted identity of the sender.
    pub sender: Address,
    /// The group or the factory.
    pub addressed_to: Address,
    /// It is a group; its copies are known by it.
    pub to_group: bool,
    /// By which way legs go.
    pub class: JobClass,
    /// What makes a retry recognisable, with the hash.
    pub duplicate_key: DuplicateKey,
    /// SHA-256 of Request-URI and body as received.
    pub content_hash: [u8; 32],
    /// What the legs have in common.
    pub template: LegTemplate,
    /// Recipients, 1 to [`ROSTER_MAX`], each target once.
    pub roster: Vec<RosterEntry>,
    /// The lifetime the sender asked for, from the acceptance; the store caps it (requirements §3.2).
    pub lifetime: Option<Duration>,
    /// Max-Forwards of the legs (CFP-20).
    pub max_forwards: u32,
    /// The peer it came from.
    pub received_from: String,
    /// What the sender asks to be told; of it the focus tells that the job is accepted (IMD-08).
    pub report_request: Option<ReportRequest>,
    /// The edge has answered 503 by then.
    pub deadline: Instant,
}

/// What is asked before a large message to many comes (CFL-03).
#[derive(Clone, Debug)]
pub struct JobAdmission {
    /// The asserted identity of the sender.
    pub sender: Address,
    /// What the offer says; `None` if it says nothing.
    pub announced_octets: Option<u64>,
}

/// The answer to a [`JobAdmission`], decided in the order of a [`JobOutcome`] without the duplicate.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum JobAdmissionOutcome {
    /// Its octets may come.
    Admitted {
        /// Where they go.
        upload: UploadId,
        /// More octets than these are not taken.
        max_octets: u64,
    },
    /// The message would not be taken.
    Refused(JobRefusal),
}

/// A large message to many whose content has been staged completely.
#[derive(Clone, Debug)]
pub struct LargeJob {
    /// The job. Its hash is that of the recipients where the sender has listed them, else zeros; what makes a retry
    /// recognisable is put in its place: see [`LargeJob::into_request`].
    pub job: JobRequest,
    /// Message-ID of the sender's SEND.
    pub msrp_message_id: String,
    /// Octets of the content.
    pub octets: u64,
}

impl LargeJob {
    /// The job, recognisable by sender, group or list, Message-ID of the SEND, and hash of the content: as for other
    /// large messages (requirements §3.3). The Message-ID alone does not tell one list from another: it need not differ
    /// between two sessions.
    pub(crate) fn into_request(self, sha256: [u8; 32]) -> JobRequest {
        let job = self.job;
        JobRequest {
            duplicate_key: DuplicateKey {
                method: "SEND".to_owned(),
                from_tag: job.addressed_to.as_str().to_owned(),
                call_id: self.msrp_message_id,
                cseq: 0,
            },
            content_hash: match job.content_hash == [0; 32] {
                true => sha256,
                false => crate::rule::duplicate::sha256(&[job.content_hash, sha256].concat()),
            },
            ..job
        }
    }
}

/// What the edge of a sender may promise.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct JobReceipt {
    /// The job.
    pub job: JobNumber,
    /// The moment of acceptance.
    pub accepted_at: UnixMillis,
}

/// The answer to a [`JobRequest`], decided in the order duplicate, jobs of the sender, disk, rate.
#[derive(Clone, Debug)]
pub enum JobOutcome {
    /// A new job, on disk.
    Accepted(Synced<JobReceipt>),
    /// The message is a job already, on disk; this is its first receipt.
    Duplicate(Synced<JobReceipt>),
    /// Nothing was stored.
    Refused(JobRefusal),
}

/// Why a message did not become a job.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum JobRefusal {
    /// Too many recipients of this sender lately (CFP-21).
    #[error("recipients of the sender per minute")]
    SenderRate {
        /// When to try again.
        retry_after: Duration,
    },
    /// Too many unfinished jobs of this sender.
    #[error("unfinished jobs of the sender")]
    SenderJobs {
        /// When to try again.
        retry_after: Duration,
    },
    /// The disk is above its high-water mark.
    #[error("disk above its high-water mark")]
    DiskFull,
    /// The deadline passed before the job entered a group (PFM-05).
    #[error("the deadline had passed")]
    TooLate,
}

/// How far a job is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[repr(u8)]
pub enum JobState {
    /// Some legs have no outcome.
    Running = 1,
    /// Every leg has its outcome.
    Completed = 2,
    /// Its time ran out.
    Expired = 3,
    /// An operator ended it.
    Cancelled = 4,
}

/// Recipients by outcome.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct JobCounts {
    /// All.
    pub total: u32,
    /// Those who have their copy.
    pub delivered: u32,
    /// Those who refused it for good.
    pub failed: u32,
    /// Those who could not be reached in time.
    pub expired: u32,
    /// Those to whom an operator's order came first.
    pub cancelled: u32,
}

impl JobCounts {
    /// Recipients without outcome.
    #[must_use]
    pub fn pending(&self) -> u32 {
        let settled = self.delivered + self.failed + self.expired + self.cancelled;
        self.total.saturating_sub(settled)
    }
}

/// A job.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Job {
    /// Its name.
    pub number: JobNumber,
    /// The asserted identity of the sender.
    pub sender: Address,
    /// The group or the factory.
    pub addressed_to: Address,
    /// It is a group.
    pub to_group: bool,
    /// By which way legs go.
    pub class: JobClass,
    /// Octets of the content of a large message; zero for others.
    pub octets: u64,
    /// Max-Forwards of the legs.
    pub max_forwards: u32,
    /// The peer it came from.
    pub received_from: String,
    /// The moment of acceptance.
    pub accepted_at: UnixMillis,
    /// Tries end then.
    pub expires_at: UnixMillis,
    /// How far it is.
    pub state: JobState,
    /// Its end, once it has come.
    pub ended_at: Option<UnixMillis>,
    /// It has been cancelled or has expired; it runs until no leg is in flight.
    pub closing: Option<JobState>,
    /// Of the operator who cancelled it.
    pub reason: String,
    /// Recipients by outcome.
    pub counts: JobCounts,
}

/// A job with its template, for an edge.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct JobWithTemplate {
    /// The job.
    pub job: Job,
    /// What its legs have in common.
    pub template: LegTemplate,
}

/// Names a leg.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct LegName {
    /// The job.
    pub job: JobNumber,
    /// The place in the roster, from zero.
    pub index: u32,
}

/// Names one claim of one leg.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct LegToken {
    /// The leg.
    pub leg: LegName,
    /// Which of its claims.
    pub generation: Generation,
}

/// A leg that an edge shall send.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ClaimedLeg {
    /// For renewals and the settlement.
    pub token: LegToken,
    /// To whom.
    pub entry: RosterEntry,
    /// Tries before this one that count.
    pub attempts: u32,
}

/// What a claim has brought.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct LegBatch {
    /// The legs.
    pub legs: Vec<ClaimedLeg>,
    /// When it is of use to ask again, if nothing happens before; zero: at once. `None`: no leg waits.
    pub again_in: Option<Duration>,
}

/// What came of a leg.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum LegOutcome {
    /// A final answer, or 408 for none.
    Answered {
        /// SIP or MSRP status.
        status: u16,
        /// For operators.
        reason: String,
        /// The peer's Retry-After.
        retry_after: Option<Duration>,
    },
    /// The next hop is down: counts no try.
    HopDown {
        /// For operators.
        reason: String,
        /// Not earlier.
        retry_after: Option<Duration>,
    },
    /// Nothing was sent.
    Returned,
}

/// The answer to a settlement.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum LegSettled {
    /// It stands.
    Settled,
    /// A newer claim has superseded this one: nothing changed.
    Superseded,
    /// It was settled before: nothing changed.
    AlreadySettled,
    /// There is no such leg.
    Unknown,
}

/// How far a leg is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum LegState {
    /// Not tried yet, or to be tried again.
    Waiting,
    /// An edge has it.
    InFlight,
    /// The recipient has his copy.
    Delivered,
    /// Refused for good.
    Failed,
    /// The time of the job ran out.
    Expired,
    /// An operator's order came first.
    Cancelled,
}

/// A leg as operators see it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Leg {
    /// Its name.
    pub name: LegName,
    /// The recipient.
    pub target: Address,
    /// How he is named.
    pub copy_control: CopyControl,
    /// How far it is.
    pub state: LegState,
    /// Tries that count.
    pub attempts: u32,
    /// Of the last try; zero if there was none.
    pub status: u16,
    /// Of the last try.
    pub reason: String,
    /// Who had it last.
    pub edge: String,
    /// The next try, if it waits for its time.
    pub next_try_at: Option<UnixMillis>,
    /// When it had its outcome.
    pub settled_at: Option<UnixMillis>,
}

/// Which jobs to list.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct JobQuery {
    /// Only of this sender.
    pub sender: Option<Address>,
    /// Only in these states; all if empty.
    pub states: Vec<JobState>,
    /// Only older ones than this.
    pub before: Option<JobNumber>,
    /// At most so many.
    pub limit: usize,
}

/// One page of jobs, the newest first.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct JobPage {
    /// The jobs.
    pub jobs: Vec<Job>,
    /// Where the next page begins, if there is one.
    pub next: Option<JobNumber>,
}
