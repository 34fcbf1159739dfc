//! What a store must be told: where it lives, what it is called, and its limits.

use std::path::PathBuf;
use std::time::Duration;

use crate::model::Settings;
use crate::sealing::MasterKeys;

/// Who has an account (PFM-09).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub enum Provisioning {
    /// Every address: the core has already admitted the user.
    #[default]
    Open,
    /// Only addresses that an operator has made an account or an alias.
    Listed,
}

/// How long what is kept (requirements §3.2).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Retention {
    /// Lifetime of a message whose sender asked for none.
    pub default: Duration,
    /// The same of a notification (IMD-07).
    pub imdn: Duration,
    /// Longest lifetime of an undelivered message.
    pub max: Duration,
    /// How long the content of a delivered message stays; zero removes it at once.
    pub delivered: Duration,
    /// How long the timeline of a settled message stays.
    pub timeline: Duration,
    /// How long a report to a sender is tried (IMD-07).
    pub reports: Duration,
}

const DAY: Duration = Duration::from_secs(24 * 60 * 60);

impl Default for Retention {
    fn default() -> Self {
        Self {
            default: 7 * DAY,
            imdn: 7 * DAY,
            max: 30 * DAY,
            delivered: DAY,
            timeline: 7 * DAY,
            reports: DAY,
        }
    }
}

/// How much one mailbox holds undelivered (requirements §3.6).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Quota {
    /// Messages, notifications not counted.
    pub messages: u64,
    /// Octets of content, all classes.
    pub octets: u64,
    /// Messages of class `imdn`.
    pub imdn: u64,
}

impl Default for Quota {
    fn default() -> Self {
        Self {
            messages: 1_000,
            octets: 50 << 20,
            imdn: 200,
        }
    }
}

/// What becomes of a message for a full mailbox (`limits.mailbox_full`, requirements §3.6).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub enum MailboxFull {
    /// It is refused.
    #[default]
    RejectNew,
    /// The oldest messages make way, urgent ones after all others.
    DropOldest,
}

/// How much of one sender is stored and undelivered, over all mailboxes (`limits.sender_stored`, requirements §3.6).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct SenderLimits {
    /// Messages; `None`: no bound.
    pub messages: Option<u64>,
    /// Octets of content; `None`: no bound.
    pub octets: Option<u64>,
}

impl Default for SenderLimits {
    fn default() -> Self {
        Self {
            messages: Some(10_000),
            octets: Some(200 << 20),
        }
    }
}

/// Which devices of a user get a message (`delivery.scope`, requirements §3.13).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum DeliveryScope {
    /// The first that answers.
    #[default]
    First,
    /// Each.
    All {
        /// A device that was not registered for so long is not waited for any more.
        forget_after: Duration,
    },
}

/// Requests that may wait for the committer, by lane; more are answered
/// [`crate::StoreError::Overloaded`] (P9).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct QueueLimits {
    /// Deposits and acknowledgements.
    pub deposits: usize,
    /// Claims, registrations, orders.
    pub requests: usize,
    /// Sweeps.
    pub bulk: usize,
}

impl Default for QueueLimits {
    fn default() -> Self {
        Self {
            deposits: 8_192,
            requests: 4_096,
            bulk: 256,
        }
    }
}

/// Bounds of uploads (DEF-17).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct UploadLimits {
    /// An upload without progress for so long is forgotten.
    pub lease: Duration,
    /// Uploads at a time; more are answered [`crate::StoreError::Overloaded`].
    pub concurrent: usize,
    /// Memory for small bodies while they arrive, over all uploads, in octets.
    pub memory_octets: usize,
}

impl Default for UploadLimits {
    fn default() -> Self {
        Self {
            lease: Duration::from_secs(60),
            concurrent: 1_024,
            memory_octets: 16 << 20,
        }
    }
}

/// Bounds of fan-out.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct FanOutLimits {
    /// Recipients of one sender per minute (`cf.sender_fanout_rate`, CFP-21); zero: no bound.
    pub sender_rate: u32,
    /// Unfinished jobs of one sender at a time.
    pub sender_jobs: u32,
    /// Octets of the largest message to many; more are not taken.
    pub large_octets: u64,
    /// Groups that one owner makes by documents (`cf.groups_per_owner`); as many more as he makes at the same moment.
    pub groups_per_owner: usize,
}

impl Default for FanOutLimits {
    fn default() -> Self {
        Self {
            sender_rate: 2_000,
            sender_jobs: 10_000,
            large_octets: 10 << 20,
            groups_per_owner: 100,
        }
    }
}

/// How much of the event log is kept.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct EventLogConfig {
    /// For how long.
    pub retention: Duration,
    /// Entries; beyond them the oldest go.
    pub entries: u64,
}

/// What may change while a store is open: it holds for what comes from then on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Bounds {
    /// How long what is kept.
    pub retention: Retention,
    /// How long a retry is recognised, from acceptance.
    pub dedupe_window: Duration,
    /// How much one mailbox holds.
    pub quota: Quota,
    /// What becomes of a message beyond that.
    pub mailbox_full: MailboxFull,
    /// How much one sender has stored.
    pub sender: SenderLimits,
    /// When a sender may try again whose message met one of these.
    pub full_retry_after: Duration,
    /// Refusals after which a message is a dead letter.
    pub max_refusals: u32,
    /// Bounds of fan-out.
    pub fan_out: FanOutLimits,
    /// Reports to one sender per second; zero: no bound.
    pub report_rate: u32,
}

impl StoreConfig {
    /// The part of it that may change while the store is open.
    #[must_use]
    pub fn bounds(&self) -> Bounds {
        Bounds {
            retention: self.retention,
            dedupe_window: self.dedupe_window,
            quota: self.quota,
            mailbox_full: self.mailbox_full,
            sender: self.sender,
            full_retry_after: self.full_retry_after,
            max_refusals: self.max_refusals,
            fan_out: self.fan_out,
            report_rate: self.report_rate,
        }
    }

    /// Takes other bounds.
    pub(crate) fn set_bounds(&mut self, bounds: Bounds) {
        let Bounds {
            retention,
            dedupe_window,
            quota,
            mailbox_full,
            sender,
            full_retry_after,
            max_refusals,
            fan_out,
            report_rate,
        } = bounds;
        self.retention = retention;
        self.dedupe_window = dedupe_window;
        self.quota = quota;
        self.mailbox_full = mailbox_full;
        self.sender = sender;
        self.full_retry_after = full_retry_after;
        self.max_refusals = max_refusals;
        self.fan_out = fan_out;
        self.report_rate = report_rate;
    }
}

/// Everything a store must be told.
#[derive(Clone, Debug)]
pub struct StoreConfig {
    /// Folder of the store; made if it does not exist. The memory store ignores it.
    pub data_dir: PathBuf,
    /// Name in the Message-IDs (STO-08). A change makes the Message-ID counter jump.
    pub hostname: String,
    /// Who has an account.
    pub provisioning: Provisioning,
    /// How long what is kept.
    pub retention: Retention,
    /// How long a retry is recognised, from acceptance (requirements §3.3).
    pub dedupe_window: Duration,
    /// How much one mailbox holds.
    pub quota: Quota,
    /// What becomes of a message beyond that.
    pub mailbox_full: MailboxFull,
    /// How much one sender has stored.
    pub sender: SenderLimits,
    /// When a sender may try again whose message met a full mailbox, or a limit of his own (requirements §3.6).
    pub full_retry_after: Duration,
    /// Free octets of the disk below which deposits are refused (requirements §3.6).
    pub disk_reserve_octets: u64,
    /// Which devices of a user get a message.
    pub scope: DeliveryScope,
    /// Refusals on distinct registrations after which a message is a dead letter
    /// (`push.max_refusals`, requirements §3.5).
    pub max_refusals: u32,
    /// What holds where neither the user nor an operator says anything (DLV-06).
    pub settings: Settings,
    /// What is kept of what happens, for others to be told; `None`: nothing is written.
    pub event_log: Option<EventLogConfig>,
    /// Bounds of the queues.
    pub queues: QueueLimits,
    /// Bounds of fan-out.
    pub fan_out: FanOutLimits,
    /// Reports to one sender per second (IMD-08); zero: no bound.
    pub report_rate: u32,
    /// Bounds of uploads.
    pub uploads: UploadLimits,
    /// Memory for cached blocks, in octets.
    pub cache_octets: usize,
    /// What wraps the keys that contents and names are encrypted with; `None`: nothing is encrypted.
    pub master_keys: Option<MasterKeys>,
    /// Open although the log was cut in its middle, giving up what came after the cut; the
    /// Message-ID counter jumps (STO-08).
    pub accept_truncated_wal: bool,
}

impl Default for StoreConfig {
    fn default() -> Self {
        Self {
            data_dir: PathBuf::from("data"),
            hostname: "localhost".to_owned(),
            provisioning: Provisioning::default(),
            retention: Retention::default(),
            dedupe_window: DAY,
            quota: Quota::default(),
            mailbox_full: MailboxFull::default(),
            sender: SenderLimits::default(),
            full_retry_after: Duration::from_secs(3_600),
            disk_reserve_octets: 256 << 20,
            scope: DeliveryScope::default(),
            max_refusals: 3,
            settings: Settings::default(),
            event_log: None,
            queues: QueueLimits::default(),
            fan_out: FanOutLimits::default(),
            report_rate: 10,
            uploads: UploadLimits::default(),
            cache_octets: 128 << 20,
            master_keys: None,
            accept_truncated_wal: false,
        }
    }
}
