//! The battery on RocksDB, and what only it can show.

#[cfg(feature = "raw-rate")]
mod beside_upload;
mod checking;
mod committing;
mod displacing;
mod leg_dues;
mod measuring;
mod memory;
mod opening;
#[cfg(feature = "raw-rate")]
mod raw_rate;
pub(crate) mod sealed;
mod upkeep;

use std::collections::BTreeMap;
use std::ffi::OsString;
use std::path::Path;
use std::sync::Arc;

use tempfile::TempDir;

use super::{RocksStore, folder};
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
        self.reopen_after(|_| {}).await
    }

    async fn crash(self) -> Self {
        let database = self.config.data_dir.join(folder::DATABASE);
        // Of one moment: RocksDB may still be working on files.
        let left = loop {
            let left = TempDir::new().expect("there is place for tests");
            let before = sizes(&database);
            copy_files(&database, left.path());
            if sizes(&database) == before {
                break left;
            }
        };
        self.reopen_after(|database| {
            // In its place: another folder would be a backup that was put back.
            for file in std::fs::read_dir(database).expect("it is there") {
                std::fs::remove_file(file.expect("readable").path()).expect("closed");
            }
            copy_files(left.path(), database);
        })
        .await
    }
}

impl OnDisk {
    async fn reopen_after(self, change: impl FnOnce(&Path)) -> Self {
        self.store.close().await;
        drop(self.store);
        change(&self.config.data_dir.join(folder::DATABASE));
        let store = RocksStore::open(self.config.clone(), Arc::clone(&self.clock));
        Self {
            store: store.expect("it was closed"),
            ..self
        }
    }
}

fn sizes(folder: &Path) -> BTreeMap<OsString, u64> {
    let files = std::fs::read_dir(folder).expect("it is there");
    let files = files.map(|file| file.expect("readable"));
    files
        .filter(|file| !file.file_name().to_string_lossy().starts_with("LOG"))
        .map(|file| {
            (
                file.file_name(),
                file.metadata().map_or(0, |found| found.len()),
            )
        })
        .collect()
}

/// What a process that dies now leaves; of files that RocksDB removes meanwhile, whatever it gets.
fn copy_files(from: &Path, to: &Path) {
    for file in std::fs::read_dir(from).expect("it is there") {
        let file = file.expect("readable");
        let copied = std::fs::copy(file.path(), to.join(file.file_name()));
        let is_there = copied.is_ok() || !file.path().exists();
        assert!(is_there, "{copied:?}");
    }
}

crate::battery::battery!(crate::rocks::tests::OnDisk);
