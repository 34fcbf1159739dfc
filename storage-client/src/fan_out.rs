//! Fan-out: messages to many become jobs, and legs of jobs come to this edge to be sent (requirements §1.7).

mod driver;
mod leg;

use std::time::{Duration, SystemTime};

use bytes::Bytes;
use proto::v1;
use tokio::sync::{mpsc, watch};
use tokio::task::JoinHandle;

use crate::convert;
use crate::deposit::DuplicateKey;
use crate::large::Upload;
use crate::message::ReportRequest;

pub(crate) use self::driver::start;
pub use self::leg::{Leg, LegOutcome};

/// A group.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Group {
    /// The group identity, canonical.
    pub uri: String,
    /// For people; may be empty.
    pub display_name: String,
    /// Who may change it by XCAP; `None`: operators alone.
    pub owner: Option<String>,
    /// Messages with `Privacy: id` are taken (CFP-04).
    pub allow_anonymity: bool,
    /// Not only members may send (CFP-03).
    pub non_members_may_send: bool,
    /// Copies name the members.
    pub disclose_members: bool,
    /// In the order in which they were added.
    pub members: Vec<GroupMember>,
    /// Another one after every change; never zero.
    pub version: u64,
    /// Name of the document by which its owner edits it; `None`: it has none yet. Made by the store.
    pub document: Option<String>,
}

/// What the owner of a group has written.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct GroupDocument {
    /// Its name in his tree.
    pub name: String,
    /// At most 1 MiB, kept as they are.
    pub octets: Bytes,
}

/// A group as its owner sees it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct OwnedGroup {
    /// As it is now.
    pub group: Group,
    /// As he wrote it; operators may have changed the group since. `None`: it has no document.
    pub document: Option<Bytes>,
}

/// A member of a group.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct GroupMember {
    /// Canonical address.
    pub uri: String,
    /// May be empty.
    pub display_name: String,
}

/// What a look-up has found.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum GroupAnswer {
    /// The group.
    Found(Group),
    /// It still has the version that is known.
    Unchanged,
    /// There is no such group.
    Unknown,
}

/// How a recipient is named to the others (RFC 5364).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub enum CopyControl {
    /// No list said.
    #[default]
    None,
    /// `to`
    To,
    /// `cc`
    Cc,
    /// `bcc`
    Bcc,
}

/// One recipient.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct RosterEntry {
    /// Canonical address.
    pub target: String,
    /// How he is named.
    pub copy_control: CopyControl,
    /// What is different in his copy, at most 4 KiB; comes back with the leg.
    pub variation: Bytes,
}

/// What all legs of a job have in common, fixed at acceptance (CFP-18); at most 1 MiB.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct LegTemplate {
    /// Header lines in wire form, each with its CRLF.
    pub head: Bytes,
    /// Body, with the history part if there is one.
    pub body: Bytes,
    /// Body without the history part (CFP-15).
    pub body_without_history: Option<Bytes>,
    /// Of a large message: what the SEND of each leg says, in wire form: Message-ID, Success-Report, Failure-Report,
    /// Content-Type and the other MIME headers; empty for others.
    pub send_head: Bytes,
}

/// By which way legs go.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub enum JobClass {
    /// A MESSAGE each.
    #[default]
    Pager,
    /// An INVITE and an MSRP session each, with octets from [`crate::StorageClient::read_job_content`] (CFL-08).
    Large,
}

/// A message that shall be a job. Of a large one `duplicate_key` is not looked at: see [`LargeJobRequest`].
#[derive(Clone, Debug)]
pub struct JobRequest {
    /// The asserted identity of the sender, canonical.
    pub sender: String,
    /// The group or the factory.
    pub addressed_to: String,
    /// It is a group: its copies are known by it where they are stored.
    pub to_group: bool,
    /// What makes a retry recognisable, with the hash.
    pub duplicate_key: DuplicateKey,
    /// SHA-256 of Request-URI and body as received; of a large one, of the recipients where the sender has listed them, else
    /// zeros.
    pub content_hash: [u8; 32],
    /// What the legs have in common.
    pub template: LegTemplate,
    /// Recipients, 1 to 10,000, each target once.
    pub roster: Vec<RosterEntry>,
    /// The lifetime the sender asked for, from the acceptance; capped by the store.
    pub lifetime: Option<Duration>,
    /// Max-Forwards of the legs (CFP-20).
    pub max_forwards: u32,
    /// Transport and address of the peer.
    pub received_from: String,
    /// What the sender asks to be told; `None` if nothing. Of it the focus tells that the job is accepted (IMD-08).
    pub report_request: Option<ReportRequest>,
}

/// What the store is asked before the INVITE of a large message to many is answered 200 (CFL-03).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct JobAdmission {
    /// The asserted identity of the sender, canonical.
    pub sender: String,
    /// Targets of the roster, 1 to 10,000.
    pub recipients: usize,
    /// What the offer says (LMO-08); `None` if it says nothing.
    pub announced_octets: Option<u64>,
}

/// How the store decided.
#[derive(Debug)]
pub enum JobAdmissionAnswer {
    /// The octets go there.
    Admitted(Upload),
    /// The message would not be taken.
    Refused(JobRefusal),
}

/// A large message to many whose octets have been written to its [`Upload`].
#[derive(Clone, Debug)]
pub struct LargeJobRequest {
    /// The job. A retry is recognised by sender, `addressed_to`, Message-ID, length and the hash that the store has made
    /// of the octets (requirements §3.3).
    pub job: JobRequest,
    /// Message-ID of the sender's SEND.
    pub msrp_message_id: String,
    /// Octets of the content.
    pub octets: u64,
}

/// Content and roster are on disk, told by the storage service: what an edge needs to answer with 202
/// (CFP-07). There is no way to make one but to receive it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct JobAccepted {
    job: u64,
    accepted_at: SystemTime,
    duplicate: bool,
}

impl JobAccepted {
    /// Decodes the reply; `None` if it is not whole.
    pub(crate) fn from_reply(reply: &v1::JobAccepted) -> Option<Self> {
        Some(Self {
            job: Some(reply.job).filter(|job| *job != 0)?,
            accepted_at: convert::time(reply.accepted_at?)?,
            duplicate: reply.duplicate,
        })
    }

    /// The number of the job.
    #[must_use]
    pub fn job(&self) -> u64 {
        self.job
    }

    /// The moment of acceptance.
    #[must_use]
    pub fn accepted_at(&self) -> SystemTime {
        self.accepted_at
    }

    /// Whether the message was a job before.
    #[must_use]
    pub fn duplicate(&self) -> bool {
        self.duplicate
    }
}

/// How the store decided.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum JobAnswer {
    /// The job is on disk.
    Accepted(JobAccepted),
    /// Nothing was stored.
    Refused(JobRefusal),
}

/// Why a message did not become a job, and when to try again.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct JobRefusal {
    /// Why.
    pub reason: JobRefusalReason,
    /// Absent if trying again is of no use.
    pub retry_after: Option<Duration>,
}

/// Why a message did not become a job. The numbers are the statuses that the sender gets.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum JobRefusalReason {
    /// 480 with Retry-After: too many recipients lately (CFP-21).
    SenderRate,
    /// 480 with Retry-After: too many unfinished jobs.
    SenderJobs,
    /// 503 with Retry-After.
    DiskFull,
}

/// A job as its legs see it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FanOutJob {
    /// Its number: Call-IDs of legs are made of it.
    pub job: u64,
    /// The asserted identity of the sender.
    pub sender: String,
    /// The group or the factory.
    pub addressed_to: String,
    /// By which way its legs go.
    pub class: JobClass,
    /// Octets of the content of a large message; zero for others.
    pub octets: u64,
    /// What its legs have in common.
    pub template: LegTemplate,
    /// Max-Forwards of its legs.
    pub max_forwards: u32,
    /// The moment of acceptance.
    pub accepted_at: SystemTime,
    /// Tries end then.
    pub expires_at: SystemTime,
}

/// Names one claim of one leg.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct LegClaim {
    /// The job.
    pub job: u64,
    /// The place in the roster, from zero.
    pub index: u32,
    /// Which of the claims of this leg.
    pub generation: u64,
}

/// The legs that this edge shall send. Attaches again by itself after a broken connection. Dropping it means
/// draining: no more legs are taken, those under way keep their claims until they are settled.
#[derive(Debug)]
pub struct FanOutLegs {
    pub(crate) legs: mpsc::Receiver<Leg>,
    pub(crate) capacity: watch::Sender<Capacity>,
    pub(crate) driver: JoinHandle<()>,
}

/// How many legs of each class an edge takes at a time.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Capacity {
    pub(crate) pager: u32,
    pub(crate) large: u32,
}

impl FanOutLegs {
    /// Takes no more legs; returns when what came of those taken is on disk. While the store is away, that is not before it
    /// is back.
    pub async fn settled(self) {
        let Self { legs, driver, .. } = self;
        drop(legs);
        // It ends by itself, or with the runtime.
        let _ = driver.await;
    }

    /// The next leg.
    pub async fn next(&mut self) -> Option<Leg> {
        self.legs.recv().await
    }

    /// How many legs of class [`JobClass::Pager`] and of class [`JobClass::Large`] this edge takes at a time from now on, at
    /// most as many as at the beginning; zero while its next hop is down.
    pub fn resize(&self, places: u32, large_places: u32) {
        let wanted = Capacity {
            pager: places,
            large: large_places,
        };
        self.capacity.send_if_modified(|capacity| {
            let changed = *capacity != wanted;
            *capacity = wanted;
            changed
        });
    }
}
