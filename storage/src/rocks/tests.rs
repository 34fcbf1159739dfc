//! The battery on RocksDB, and what only it can show.

mod checking;
mod committing;
mod memory;
mod opening;
#[cfg(feature = "raw-rate")]
mod raw_rate;

use std::sync::Arc;

use tempfile::TempDir;

use super::RocksStore;
use crate::battery::Engine;
use crate::config::StoreConfig;
use crate::model::ManualClock;
use crate::store::Store;

/// A store in a folder of its own.
pub(crate) struct OnDisk {
    store: RocksStore,
    config: StoreConfig,
    clock: Arc<ManualClock>,
    _folder: TempDir,
}

impl Engine for OnDisk {
    type Store = RocksStore;

    fn open(config: StoreConfig, clock: Arc<ManualClock>) -> Self {
        let folder = TempDir::new().expect("there is place for tests");
        let config = StoreConfig {
            data_dir: folder.path().join("data"),
            ..config
        };
        let store = RocksStore::open(config.clone(), Arc::clone(&clock));
        Self {
            store: store.expect("the folder is new"),
            config,
            clock,
            _folder: folder,
        }
    }

    fn store(&self) -> &RocksStore {
        &self.store
    }

    async fn reopen(self) -> Self {
        self.store.close().await;
        drop(self.store);
        let store = RocksStore::open(self.config.clone(), Arc::clone(&self.clock));
        Self {
            store: store.expect("it was closed"),
            ..self
        }
    }
}

crate::battery::battery!(crate::rocks::tests::OnDisk);
