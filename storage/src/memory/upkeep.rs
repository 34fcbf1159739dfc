//! Upkeep of the model, which has no files.

use std::path::PathBuf;
use std::sync::Arc;

use super::MemoryStore;
use crate::store::StoreError;
use crate::upkeep::{CheckReport, Compacted, UpkeepStore, Walk};

fn no_files<T>() -> Result<T, StoreError> {
    Err(StoreError::Precondition {
        reason: "this store is in memory and has no files".to_owned(),
    })
}

impl UpkeepStore for MemoryStore {
    async fn copy_to(&self, _folder: PathBuf) -> Result<(), StoreError> {
        no_files()
    }

    async fn check_copy(
        &self,
        _folder: PathBuf,
        _walk: Arc<Walk>,
    ) -> Result<CheckReport, StoreError> {
        no_files()
    }

    async fn compact(&self, _walk: Arc<Walk>) -> Result<Compacted, StoreError> {
        no_files()
    }
}
