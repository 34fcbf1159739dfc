//! Staged blocks reach the disk: one thread flushes their family when enough has accumulated or a
//! commit waits. Commits that come during a flush share the next one. The committer never waits for
//! it, and the family never has more unflushed than there are permits, so that RocksDB never stalls
//! its writers.

use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};

use tokio::sync::{OwnedSemaphorePermit, Semaphore, watch};

use crate::column_family::Family;
use crate::rocks::shared::{LatchedBy, Shared};
use crate::store::StoreError;

/// Blocks (64 KiB) that may be unflushed: 5 MiB, because the store may not grow by more than 16 MiB while a message comes in.
const UNFLUSHED_BLOCKS: usize = 80;
/// Unflushed blocks that start a flush by themselves: half of them, so that writing goes on meanwhile.
const ENOUGH_BLOCKS: u64 = 40;

pub(in crate::rocks) struct Flusher {
    state: Mutex<State>,
    wake: Condvar,
    /// Blocks that may be written now.
    room: Arc<Semaphore>,
    /// Blocks on disk, for those who wait.
    flushed: watch::Sender<u64>,
}

#[derive(Default)]
struct State {
    /// Blocks written since the opening.
    written: u64,
    /// Of these, how many are on disk.
    flushed: u64,
    /// How many somebody waits for.
    wanted: u64,
    closed: bool,
}

impl Default for Flusher {
    fn default() -> Self {
        Self {
            state: Mutex::default(),
            wake: Condvar::new(),
            room: Arc::new(Semaphore::new(UNFLUSHED_BLOCKS)),
            flushed: watch::Sender::new(0),
        }
    }
}

/// Room for blocks that are about to be written.
pub(in crate::rocks) struct Room(OwnedSemaphorePermit);

impl Room {
    /// Blocks are being written: their room is free again after the next flush.
    pub(in crate::rocks) fn take(&mut self, blocks: usize) {
        if let Some(used) = self.0.split(blocks) {
            used.forget();
        }
    }
}

impl Flusher {
    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Waits until so many blocks may be written.
    pub(in crate::rocks) async fn room(&self, blocks: usize) -> Result<Room, StoreError> {
        let blocks = u32::try_from(blocks.min(UNFLUSHED_BLOCKS)).unwrap_or(u32::MAX);
        let permit = Arc::clone(&self.room).acquire_many_owned(blocks).await;
        permit.map(Room).map_err(|_| StoreError::Closed)
    }

    /// So many blocks have been written.
    pub(in crate::rocks) fn wrote(&self, blocks: u64) {
        let mut state = self.lock();
        state.written += blocks;
        if state.written - state.flushed >= ENOUGH_BLOCKS {
            self.wake.notify_one();
        }
    }

    /// Waits until everything that has been written up to now is on disk.
    pub(in crate::rocks) async fn flush(&self) -> Result<(), StoreError> {
        let wanted = {
            let mut state = self.lock();
            state.wanted = state.wanted.max(state.written);
            self.wake.notify_one();
            state.written
        };
        let mut flushed = self.flushed.subscribe();
        let reached = flushed.wait_for(|flushed| *flushed >= wanted).await;
        // The thread says that it has ended by a number that nobody waits for.
        match reached.map(|flushed| *flushed) {
            Ok(u64::MAX) | Err(_) => Err(StoreError::Closed),
            Ok(_) => Ok(()),
        }
    }

    /// Ends the thread.
    pub(in crate::rocks) fn close(&self) {
        self.lock().closed = true;
        self.wake.notify_one();
    }

    /// Waits for work; how many blocks it will bring to disk, `None` after the close.
    fn next(&self) -> Option<u64> {
        let mut state = self.lock();
        loop {
            let is_wanted = state.wanted > state.flushed;
            if is_wanted || state.written - state.flushed >= ENOUGH_BLOCKS {
                return Some(state.written);
            }
            if state.closed {
                return None;
            }
            state = self
                .wake
                .wait(state)
                .unwrap_or_else(PoisonError::into_inner);
        }
    }

    fn reached(&self, flushed: u64) {
        let mut state = self.lock();
        let freed = flushed - state.flushed;
        state.flushed = flushed;
        drop(state);
        self.room.add_permits(usize::try_from(freed).unwrap_or(0));
        self.flushed.send_replace(flushed);
    }

    fn end(&self) {
        self.room.close();
        self.flushed.send_replace(u64::MAX);
    }
}

/// Flushes of staged blocks after which the other families are flushed too. Each flush begins a new log
/// file, and a file stays until every family with rows in it is flushed: with large messages alone there
/// would be one file per message, all to be read when the store is opened after a crash.
const FLUSHES_PER_LOG_END: u64 = 256;

/// The thread. A flush that fails latches the store: what is on disk nobody knows (P2).
pub(in crate::rocks) fn run(shared: &Arc<Shared>) {
    let flusher = &shared.uploads.flusher;
    let mut flushes = 0_u64;
    while let Some(written) = flusher.next() {
        flushes += 1;
        let flushed = shared.database.flush(Family::Large);
        match flushed.and_then(|()| end_logs(shared, flushes)) {
            Ok(()) => flusher.reached(written),
            Err(cause) => {
                tracing::error!(event = "upload.not_written", error = %cause, "staged contents cannot be written");
                shared.latch(LatchedBy::Flush, cause);
                break;
            }
        }
    }
    flusher.end();
}

/// Has old log files removed, now and then.
fn end_logs(shared: &Shared, flushes: u64) -> Result<(), String> {
    match flushes % FLUSHES_PER_LOG_END {
        0 => shared.database.begin_flush_of_all(),
        _ => Ok(()),
    }
}
