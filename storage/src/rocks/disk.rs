//! The one place where a group becomes durable.

use rocksdb::{WriteBatch, WriteOptions};

use super::database::Database;

/// Writes groups. Tests put other ones in its place, to see what happens when a sync fails or
/// never returns.
pub(super) trait Disk: Send + 'static {
    /// Returns after the whole batch is on stable storage, or says why it may not be.
    fn commit(&mut self, database: &Database, batch: WriteBatch) -> Result<(), String>;
}

/// The real one: the log is synced before it returns.
pub(super) struct SyncedDisk;

impl Disk for SyncedDisk {
    fn commit(&mut self, database: &Database, batch: WriteBatch) -> Result<(), String> {
        let mut options = WriteOptions::default();
        options.set_sync(true);
        database
            .rocks()
            .write_opt(batch, &options)
            .map_err(|error| error.to_string())
    }
}
