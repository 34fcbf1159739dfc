//! Uploads under way: what they reserve, and their octets until they are a message.
//!
//! A small body stays in memory and goes with its message through the log. A larger one is staged in
//! blocks in a family of its own, without the log; the family is flushed before the logged batch that
//! makes the message visible, and the staged rows are its content from then on.

mod buffer;
mod content;
mod flusher;
mod hashing;
mod orphans;

use std::collections::HashMap;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Instant;

use self::buffer::Budget;
pub(super) use self::content::{Body, Content, Finished, large_row};
pub(super) use self::flusher::{Flusher, run as run_flusher};
use crate::config::StoreConfig;
use crate::key::AddressKey;
use crate::model::UploadId;
use crate::rocks::threads::Threads;
use crate::rule::deposit::Usage;
use crate::rule::reservation::{Purpose, Reservations};
use crate::sealing::ContentKey;
use crate::store::StoreError;

/// Threads that hash and stage octets of uploads.
const STAGERS: usize = 2;

/// Content that one task at a time works on, also on a blocking thread.
type SharedContent = Arc<tokio::sync::Mutex<Content>>;

pub(super) struct Uploads {
    /// By the address that an upload is for: it may get a mailbox, or join one, before the commit.
    reservations: Mutex<Reservations<AddressKey>>,
    contents: Mutex<HashMap<UploadId, SharedContent>>,
    next: AtomicU64,
    budget: Arc<Budget>,
    /// Whether what comes is sealed.
    seals: bool,
    pub(super) stagers: Threads,
    pub(super) flusher: Flusher,
    /// Held by each commit from before its octets are flushed until its batch is on disk; a copy of the store is made between
    /// commits.
    pub(super) commits: Arc<tokio::sync::RwLock<()>>,
    pub(super) orphans: orphans::Cursor,
}

impl Uploads {
    pub(super) fn new(config: &StoreConfig) -> Self {
        let limits = &config.uploads;
        Self {
            reservations: Mutex::new(Reservations::new(limits.lease, limits.concurrent)),
            contents: Mutex::default(),
            next: AtomicU64::new(1),
            budget: Arc::new(Budget::new(limits.memory_octets)),
            seals: config.master_keys.is_some(),
            stagers: Threads::new("stager", STAGERS),
            flusher: Flusher::default(),
            commits: Arc::default(),
            orphans: orphans::Cursor::default(),
        }
    }

    /// Ids of this opening begin here.
    pub(super) fn start_at(&self, first: UploadId) {
        self.next.store(first.0, Ordering::Relaxed);
    }

    pub(super) fn reservations(&self) -> MutexGuard<'_, Reservations<AddressKey>> {
        let reservations = self.reservations.lock();
        reservations.unwrap_or_else(PoisonError::into_inner)
    }

    fn contents(&self) -> MutexGuard<'_, HashMap<UploadId, SharedContent>> {
        self.contents.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Begins an upload that reserves `octets` and takes `max_octets`.
    pub(super) fn begin(
        &self,
        purpose: Purpose<AddressKey>,
        octets: u64,
        max_octets: u64,
        now: Instant,
    ) -> Result<UploadId, StoreError> {
        let upload = UploadId(self.next.fetch_add(1, Ordering::Relaxed));
        let amounts = (octets, max_octets);
        self.reservations().begin(upload, purpose, amounts, now)?;
        let key = self.seals.then(ContentKey::random);
        let content = Content::new((upload, key), octets, Arc::clone(&self.budget));
        let content = Arc::new(tokio::sync::Mutex::new(content));
        self.contents().insert(upload, content);
        Ok(upload)
    }

    /// What uploads but for `except` will add to the mailboxes of those for whom `is_theirs` holds.
    pub(super) fn reserved(
        &self,
        is_theirs: impl Fn(&AddressKey) -> bool,
        except: Option<UploadId>,
        now: Instant,
    ) -> Usage {
        let reservations = self.reservations();
        match reservations.is_empty() {
            true => Usage::default(),
            false => reservations.reserved(is_theirs, except, now),
        }
    }

    /// The octets of an upload.
    pub(super) fn content(&self, upload: UploadId) -> Result<SharedContent, StoreError> {
        let content = self.contents().get(&upload).cloned();
        content.ok_or(StoreError::UnknownUpload)
    }

    /// Nobody can add to the upload from now on; what is staged of it stays for the moment.
    pub(super) fn close(&self, upload: UploadId) -> Option<SharedContent> {
        self.contents().remove(&upload)
    }

    /// The upload is over: its rows are a message's or a job's, or are gone.
    pub(super) fn end(&self, upload: UploadId) {
        self.contents().remove(&upload);
        self.reservations().end(upload);
    }

    /// Whether rows of this upload are the business of somebody alive.
    pub(super) fn contains(&self, upload: UploadId) -> bool {
        self.reservations().contains(upload)
    }
}
