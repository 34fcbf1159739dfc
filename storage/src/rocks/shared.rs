//! What all tasks and the committer of one open store share.

use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{OnceLock, PoisonError, RwLock};

use tokio::sync::SetOnce;

use super::database::Database;
use super::directory::Directory;
use super::event_log::LogState;
use super::fan_out::FanOutState;
use super::free_space::FreeSpace;
use super::heads::Heads;
use super::measure::OldestWaiting;
use super::overlay::GroupNumber;
use super::reports::ReportsState;
use super::taken::TakenMessages;
use super::threads::Threads;
use super::uploads::Uploads;
use crate::config::{Bounds, StoreConfig};
use crate::key::AddressKey;
use crate::model::{Address, MailboxId};
use crate::rule::duplicate;
use crate::store::StoreError;
use crate::timekeeper::Timekeeper;
use crate::watch::Watches;

/// Parts that are read at a time.
const READERS: usize = 4;

pub(super) struct Shared {
    /// What holds while the store is open; what may change of it is in [`Shared::bounds`].
    pub(super) config: StoreConfig,
    bounds: RwLock<Bounds>,
    pub(super) secret: [u8; 32],
    pub(super) database: Database,
    pub(super) directory: Directory,
    pub(super) taken: TakenMessages,
    pub(super) heads: Heads,
    pub(super) times: Timekeeper,
    pub(super) free_space: FreeSpace,
    pub(super) uploads: Uploads,
    /// Read parts of messages.
    pub(super) readers: Threads,
    pub(super) progress: Progress,
    pub(super) watches: Watches,
    pub(super) fan_out: FanOutState,
    pub(super) reports: ReportsState,
    pub(super) event_log: LogState,
    pub(super) oldest: OldestWaiting,
    /// How often keys were deleted or wrapped anew.
    pub(super) obsolete_keys: AtomicU64,
    /// Why nothing is accepted or delivered any more (P2).
    latched: SetOnce<String>,
    latched_by: OnceLock<LatchedBy>,
    closed: AtomicBool,
}

/// What was to be on disk and may not be.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum LatchedBy {
    /// The sync of a group.
    Sync,
    /// The flush of staged contents.
    Flush,
}

impl LatchedBy {
    pub(super) const ALL: [Self; 2] = [Self::Sync, Self::Flush];

    pub(super) fn word(self) -> &'static str {
        match self {
            Self::Sync => "sync",
            Self::Flush => "flush",
        }
    }
}

/// How far the committer is, and how often requests had to go to the disk.
#[derive(Default)]
pub(super) struct Progress {
    on_disk: AtomicU64,
    next_mailbox: AtomicU64,
    disk_rehearsals: AtomicU64,
}

impl Progress {
    /// The last group on disk.
    pub(super) fn on_disk(&self) -> GroupNumber {
        GroupNumber(self.on_disk.load(Ordering::Acquire))
    }

    /// Mailboxes from this one on were made in later groups than [`Progress::on_disk`] said just
    /// before.
    pub(super) fn next_mailbox(&self) -> MailboxId {
        MailboxId(self.next_mailbox.load(Ordering::Acquire))
    }

    pub(super) fn reached(&self, group: GroupNumber, next_mailbox: MailboxId) {
        self.next_mailbox.store(next_mailbox.0, Ordering::Release);
        self.on_disk.store(group.0, Ordering::Release);
    }

    pub(super) fn count_disk_rehearsal(&self) {
        self.disk_rehearsals.fetch_add(1, Ordering::Relaxed);
    }

    pub(super) fn disk_rehearsals(&self) -> u64 {
        self.disk_rehearsals.load(Ordering::Relaxed)
    }
}

impl Shared {
    pub(super) fn new(
        config: StoreConfig,
        secret: [u8; 32],
        database: Database,
        times: Timekeeper,
    ) -> Self {
        Self {
            free_space: FreeSpace::new(&config.data_dir, config.disk_reserve_octets),
            uploads: Uploads::new(&config),
            readers: Threads::new("reader", READERS),
            bounds: RwLock::new(config.bounds()),
            config,
            secret,
            database,
            directory: Directory::default(),
            taken: TakenMessages::default(),
            heads: Heads::default(),
            times,
            progress: Progress::default(),
            watches: Watches::default(),
            fan_out: FanOutState::default(),
            reports: ReportsState::default(),
            event_log: LogState::default(),
            oldest: OldestWaiting::default(),
            obsolete_keys: AtomicU64::default(),
            latched: SetOnce::new(),
            latched_by: OnceLock::new(),
            closed: AtomicBool::new(false),
        }
    }

    /// What holds now.
    pub(super) fn bounds(&self) -> Bounds {
        *self.bounds.read().unwrap_or_else(PoisonError::into_inner)
    }

    /// Lets something else hold from now on.
    pub(super) fn set_bounds(&self, bounds: Bounds) {
        *self.bounds.write().unwrap_or_else(PoisonError::into_inner) = bounds;
    }

    pub(super) fn address_key(&self, address: &Address) -> AddressKey {
        duplicate::address_key(&self.secret, address.as_str())
    }

    /// Reading is possible until the close.
    pub(super) fn check_open(&self) -> Result<(), StoreError> {
        match self.closed.load(Ordering::Acquire) {
            true => Err(StoreError::Closed),
            false => Ok(()),
        }
    }

    /// Accepting and delivering, until a sync fails.
    pub(super) fn check_writable(&self) -> Result<(), StoreError> {
        self.check_open()?;
        match self.latched.get() {
            Some(cause) => Err(StoreError::Latched {
                cause: cause.clone(),
            }),
            None => Ok(()),
        }
    }

    /// A sync has failed: what of the group is on disk nobody knows until the store is opened
    /// again.
    pub(super) fn latch(&self, by: LatchedBy, cause: String) -> StoreError {
        // The first cause stays.
        let _ = self.latched_by.set(by);
        let _ = self.latched.set(cause.clone());
        let cause = self.latched.get().cloned().unwrap_or(cause);
        StoreError::Latched { cause }
    }

    /// What has latched it, if it is latched.
    pub(super) fn latched_by(&self) -> Option<LatchedBy> {
        self.latched_by.get().copied()
    }

    /// Waits for that.
    pub(super) async fn latched(&self) -> StoreError {
        let cause = self.latched.wait().await.clone();
        StoreError::Latched { cause }
    }

    pub(super) fn close(&self) {
        self.closed.store(true, Ordering::Release);
    }
}
