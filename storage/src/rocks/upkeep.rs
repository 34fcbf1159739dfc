//! Upkeep beside the load.

use std::path::PathBuf;
use std::sync::Arc;

use super::shared::Shared;
use super::{RocksStore, copy};
use crate::column_family::Family;
use crate::config::StoreConfig;
use crate::store::StoreError;
use crate::upkeep::{CheckReport, Compacted, Stage, UpkeepStore, Walk};

/// Octets of rows that are compacted in one go, between two looks at whether to go on.
const STEP_OCTETS: u64 = 64 << 20;

impl UpkeepStore for RocksStore {
    async fn copy_to(&self, folder: PathBuf) -> Result<(), StoreError> {
        self.shared.check_writable()?;
        if self.shared.free_space.is_full() {
            return Err(StoreError::Precondition {
                reason: "the disk is above its high-water mark".to_owned(),
            });
        }
        // Most of what is in memory goes to files before anybody has to wait.
        self.read(|shared| {
            let flushed = shared.database.flush_all();
            flushed.map_err(|cause| StoreError::Read { cause })
        })
        .await?;
        let shared = Arc::clone(&self.shared);
        let nobody_commits = Arc::clone(&self.shared.uploads.commits).write_owned().await;
        // In a task of its own: a copy whose caller goes still keeps large messages from being committed.
        let copying = tokio::task::spawn_blocking(move || {
            let copied = shared.copy_to(&folder);
            drop(nobody_commits);
            copied
        });
        copying.await.map_err(|_| StoreError::Closed)?
    }

    async fn check_copy(
        &self,
        folder: PathBuf,
        walk: Arc<Walk>,
    ) -> Result<CheckReport, StoreError> {
        let config = StoreConfig {
            data_dir: folder.clone(),
            // Those of the present: they may have been rotated since the start.
            master_keys: self.shared.database.keyring().masters(),
            ..self.shared.config.clone()
        };
        let checking = tokio::task::spawn_blocking(move || {
            let opened = copy::open(&config, &walk).map_err(|error| StoreError::Read {
                cause: error.to_string(),
            });
            let checked = opened.and_then(|shared| Ok(shared.check_all(&walk)?.0));
            copy::remove_notes(&folder);
            checked
        });
        checking.await.map_err(|_| StoreError::Closed)?
    }

    async fn compact(&self, walk: Arc<Walk>) -> Result<Compacted, StoreError> {
        self.shared.check_writable()?;
        self.read(move |shared| shared.compact(&walk)).await
    }
}

impl Shared {
    fn compact(&self, walk: &Walk) -> Result<Compacted, StoreError> {
        let octets_before = self.database.octets();
        walk.enter(Stage::Compacting, octets_before);
        let floor = self.free_space.floor();
        for family in Family::ALL {
            for slice in self.database.slices(family, STEP_OCTETS)? {
                walk.step(0)?;
                self.check_writable()?;
                self.refuse_without_room(slice.octets, floor)?;
                self.database.compact(family, &slice)?;
                walk.step(slice.octets)?;
            }
        }
        Ok(Compacted {
            octets_before,
            octets_after: self.database.octets(),
        })
    }

    /// Files are written anew before the old ones are removed, and those that backups share stay.
    fn refuse_without_room(&self, octets: u64, floor: u64) -> Result<(), StoreError> {
        let free = self.free_space.free();
        if free >= floor.saturating_add(octets) {
            return Ok(());
        }
        Err(StoreError::Precondition {
            reason: format!(
                "there is no room to go on: the next files have {octets} octets, {free} are free on the disk of the store, and \
                 {floor} are to stay free; make room, such as by moving backups to another disk; what is done stays"
            ),
        })
    }
}
