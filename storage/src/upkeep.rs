//! Upkeep of a store that serves: copies of it, checks, compaction. A part of the contract of [`crate::Store`]; who is told, and
//! how many of these may run at a time, is for others to say.

mod report;
mod walk;

use std::future::Future;
use std::path::PathBuf;
use std::sync::Arc;

pub use self::report::{CheckReport, Finding};
pub use self::walk::{Stage, Walk, Walked};
use crate::store::StoreError;

/// What a compaction has done.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Compacted {
    /// Octets of all files of rows before.
    pub octets_before: u64,
    /// The same afterwards; what came in meanwhile is among them.
    pub octets_after: u64,
}

/// Long work beside the load. An engine without a disk answers [`StoreError::Precondition`].
pub trait UpkeepStore: Send + Sync + 'static {
    /// Makes `folder` a copy of the store as it is at one moment of the call: everything that was synced before the call is in
    /// it. The folder must not exist; on the file system of the store files are shared, not copied. The copy is to be
    /// restored before it is served from: opening it is refused otherwise (STO-08).
    ///
    /// [`StoreError::Precondition`] if the disk is above its high-water mark. After an error nothing is left of
    /// what was made.
    fn copy_to(&self, folder: PathBuf) -> impl Future<Output = Result<(), StoreError>> + Send;

    /// Reads all of such a copy, and compares: each row can be read, indexes and counters agree, contents are what
    /// their hashes say. Changes nothing. [`StoreError::Aborted`] if the walk was.
    fn check_copy(
        &self,
        folder: PathBuf,
        walk: Arc<Walk>,
    ) -> impl Future<Output = Result<CheckReport, StoreError>> + Send;

    /// Writes all files anew without what was removed or overwritten. [`StoreError::Aborted`] if the walk was; what is done
    /// by then stays.
    fn compact(
        &self,
        walk: Arc<Walk>,
    ) -> impl Future<Output = Result<Compacted, StoreError>> + Send;
}
