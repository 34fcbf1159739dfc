//! The disk of one life of the storage process: it decides when syncs begin, how long they take and which fail.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use storage::MemoryStore;
use storage::memory::{DiskImage, Survivors};
use tokio::time::sleep;

use crate::plant::Plant;
use crate::world::World;

/// How the disk is.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Health {
    /// A sync takes a few milliseconds.
    #[default]
    Sound,
    /// A sync takes up to some seconds.
    Slow,
    /// Syncs fail.
    Failing,
}

/// Cheap to clone.
#[derive(Clone)]
pub struct Disk {
    world: World,
    store: Arc<MemoryStore>,
    state: Arc<Mutex<State>>,
}

#[derive(Default)]
struct State {
    health: Health,
    /// What is really there, while that is less than the store was told.
    forgotten: Option<DiskImage>,
}

impl Disk {
    /// The disk below a store that was opened just now.
    #[must_use]
    pub fn new(world: World, store: Arc<MemoryStore>) -> Self {
        Self {
            world,
            store,
            state: Arc::default(),
        }
    }

    /// From now on it is like this.
    pub fn be(&self, health: Health) {
        self.lock().health = health;
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Syncs as long as the process lives.
    pub async fn run(self) {
        loop {
            self.store.unsynced().await;
            sleep(self.world.between(Duration::ZERO, Duration::from_millis(1))).await;
            self.store.begin_sync();
            let health = self.lock().health;
            let time = match health {
                Health::Sound => self
                    .world
                    .between(Duration::from_micros(300), Duration::from_millis(8)),
                Health::Slow => self.world.millis(200, 6_000),
                Health::Failing => self.world.millis(1, 2_000),
            };
            sleep(time).await;
            // It may have been replaced meanwhile.
            if self.lock().health == Health::Failing {
                self.world.note("disk: a sync failed");
                self.store.fail_syncs();
                return;
            }
            self.complete();
        }
    }

    fn complete(&self) {
        let mut state = self.lock();
        if self.world.has(Plant::SyncSkipped) && self.world.chance(30) {
            state.forgotten.get_or_insert_with(|| self.store.durable());
        } else {
            state.forgotten = None;
        }
        self.store.end_sync();
    }

    /// What is safe now, whatever happens.
    #[must_use]
    pub fn durable(&self) -> DiskImage {
        let forgotten = self.lock().forgotten.clone();
        forgotten.unwrap_or_else(|| self.store.durable())
    }

    /// Kills the process, and says what is left on the disk.
    #[must_use]
    pub fn die(&self) -> DiskImage {
        let survivors = match self.world.pick(3) {
            0 => Survivors::Synced,
            1 => Survivors::Syncing,
            _ => Survivors::Written,
        };
        self.world
            .note(format!("store: dies, left is {survivors:?}"));
        let left = self.store.die(survivors);
        self.lock().forgotten.take().unwrap_or(left)
    }
}
