//! A disk on which nothing is safe before somebody says that its sync has completed. The simulation
//! decides when syncs begin and end, which of them fail, and what a dead process leaves behind.

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Mutex, MutexGuard, PoisonError};

use tokio::sync::watch;

use super::model::Model;

/// What a disk holds after its process has died; [`MemoryStore::open_on_disk`] goes on from there.
///
/// [`MemoryStore::open_on_disk`]: super::MemoryStore::open_on_disk
#[derive(Clone)]
pub struct DiskImage(pub(super) Box<Model>);

impl std::fmt::Debug for DiskImage {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("DiskImage").finish_non_exhaustive()
    }
}

/// How much of what no sync covers a death leaves on the disk. The log is written in order, so that
/// what is lost is always its end.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Survivors {
    /// Nothing but what was synced.
    Synced,
    /// What the sync under way covers too.
    Syncing,
    /// All that was written.
    Written,
}

/// See the module.
pub(super) struct Disk {
    platter: Mutex<Platter>,
    /// Changes decided so far, of which the model has all.
    decided: watch::Sender<u64>,
    /// Changes covered by completed syncs.
    synced: AtomicU64,
}

struct Platter {
    /// What a completed sync covers, and what is read.
    synced: Model,
    /// What the sync under way will have covered, and how many changes that is.
    syncing: Option<(Model, u64)>,
}

impl Disk {
    pub(super) fn new(model: Model) -> Self {
        Self {
            platter: Mutex::new(Platter {
                synced: model,
                syncing: None,
            }),
            decided: watch::Sender::new(0),
            synced: AtomicU64::new(0),
        }
    }

    fn lock(&self) -> MutexGuard<'_, Platter> {
        self.platter.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Reads what is on disk, or notes in it what no sync is wanted for.
    pub(super) fn with_synced<T>(&self, read: impl FnOnce(&mut Model) -> T) -> T {
        read(&mut self.lock().synced)
    }

    /// The model has changed.
    pub(super) fn changed(&self) {
        self.decided.send_modify(|decided| *decided += 1);
    }

    /// Changes so far.
    pub(super) fn position(&self) -> u64 {
        *self.decided.borrow()
    }

    pub(super) async fn unsynced(&self) {
        let mut decided = self.decided.subscribe();
        let is_more = |decided: &u64| *decided > self.synced.load(Ordering::Acquire);
        // The sender lives as long as this.
        drop(decided.wait_for(is_more).await);
    }

    pub(super) fn begin_sync(&self, model: &Model) {
        self.lock().syncing = Some((model.clone(), self.position()));
    }

    /// What the sync covered is on disk now. The number of changes that are.
    pub(super) fn end_sync(&self) -> Option<u64> {
        let mut platter = self.lock();
        let (model, position) = platter.syncing.take()?;
        let taken = platter.synced.all_taken();
        platter.synced = model;
        platter.synced.take_again(&taken);
        self.synced.store(position, Ordering::Release);
        Some(position)
    }

    pub(super) fn image(&self, survivors: Survivors, written: &Model) -> DiskImage {
        let platter = self.lock();
        let model = match (survivors, &platter.syncing) {
            (Survivors::Synced, _) | (Survivors::Syncing, None) => &platter.synced,
            (Survivors::Syncing, Some((model, _))) => model,
            (Survivors::Written, _) => written,
        };
        DiskImage(Box::new(model.reopened()))
    }
}
