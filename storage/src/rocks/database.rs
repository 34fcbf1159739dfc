//! RocksDB behind the few calls this engine makes. No type of it leaves this folder. Values are sealed on their way in and
//! opened on their way out.

use std::borrow::Cow;
use std::collections::BTreeSet;
use std::ffi::CStr;
use std::sync::Arc;

use rocksdb::{
    BottommostLevelCompaction, ColumnFamily, CompactOptions, DB, DBRawIteratorWithThreadMode,
    ErrorKind, FlushOptions, ReadOptions, ReadTier, WriteBatch, WriteOptions,
};

use super::transaction::Erased;
use crate::column_family::Family;
use crate::sealing::Keyring;
use crate::store::StoreError;
use crate::upkeep::Walk;
use crate::value::Encoded;

/// Removed rows that a scan in memory walks over, at each step: more take longer than an async thread may be kept.
const SKIPPED_IN_MEMORY: u64 = 1_000;

/// How far a read may go.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Reach {
    /// Memory only: memtables, filters, cached blocks. Never blocks.
    Memory,
    /// The disk too.
    Disk,
}

/// Why a read has no answer.
#[derive(Debug)]
pub(super) enum ReadError {
    /// The answer is not in memory.
    NeedsDisk,
    Failed(StoreError),
}

impl From<StoreError> for ReadError {
    fn from(error: StoreError) -> Self {
        Self::Failed(error)
    }
}

/// For reads that may reach the disk.
impl From<ReadError> for StoreError {
    fn from(error: ReadError) -> Self {
        match error {
            ReadError::Failed(error) => error,
            ReadError::NeedsDisk => Self::Read {
                cause: "a read stopped early".to_owned(),
            },
        }
    }
}

impl From<rocksdb::Error> for ReadError {
    fn from(error: rocksdb::Error) -> Self {
        match error.kind() {
            ErrorKind::Incomplete => Self::NeedsDisk,
            _ => Self::Failed(failed(&error)),
        }
    }
}

/// A reading error as the contract has it.
pub(super) fn failed(error: &rocksdb::Error) -> StoreError {
    StoreError::Read {
        cause: error.to_string(),
    }
}

/// An open database with all families.
pub(super) struct Database {
    db: DB,
    keyring: Keyring,
    /// Options of reads within [`Reach::Memory`].
    from_memory: ReadOptions,
    /// Counts the rows of all scans, and may end them.
    walk: Option<Arc<Walk>>,
}

/// How the engine is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Condition {
    pub(super) is_write_stopped: bool,
    /// Octets per second that writers are held to; zero for no limit.
    pub(super) delayed_write_rate: u64,
    pub(super) compactions: u64,
    pub(super) flushes: u64,
    pub(super) background_errors: u64,
}

/// How one family is, in octets and files.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct PerFamily {
    pub(super) memtables: u64,
    pub(super) level_0_files: u64,
    pub(super) pending_compaction: u64,
    pub(super) tables: u64,
    pub(super) blobs: u64,
}

/// The families of a database, looked up once for many rows.
#[derive(Clone, Copy)]
pub(super) struct Families<'a> {
    handles: [&'a ColumnFamily; Family::ALL.len()],
    keyring: &'a Keyring,
}

impl Families<'_> {
    /// Adds a row to a batch, and before it the row of its key, if that is new: neither is on disk without the other.
    pub(super) fn put(&self, batch: &mut WriteBatch, family: Family, key: &[u8], value: &Encoded) {
        let row = self.keyring.seal(family, key, value, |place, wrapped| {
            self.put_data_key(batch, place, wrapped);
        });
        batch.put_cf(self.handles[family as usize], key, row);
    }

    /// Adds the row of a key to a batch.
    pub(super) fn put_data_key(&self, batch: &mut WriteBatch, place: &[u8], wrapped: &[u8]) {
        batch.put_cf(self.handles[Family::DataKeys as usize], place, wrapped);
    }

    /// Adds the removal of a row to a batch.
    pub(super) fn delete(&self, batch: &mut WriteBatch, family: Family, key: &[u8]) {
        if family == Family::DataKeys {
            self.keyring.let_go(key);
        }
        batch.delete_cf(self.handles[family as usize], key);
    }

    /// Adds the removal of a range of rows to a batch.
    pub(super) fn delete_range(&self, batch: &mut WriteBatch, rows: &Erased) {
        let Erased {
            family,
            lower,
            upper,
        } = rows;
        batch.delete_range_cf(self.handles[*family as usize], lower, upper);
    }
}

impl Database {
    pub(super) fn new(db: DB, keyring: Keyring) -> Self {
        let mut from_memory = ReadOptions::default();
        from_memory.set_read_tier(ReadTier::BlockCache);
        Self {
            db,
            keyring,
            from_memory,
            walk: None,
        }
    }

    /// One that is looked at as a whole.
    pub(super) fn walked(self, walk: Arc<Walk>) -> Self {
        Self {
            walk: Some(walk),
            ..self
        }
    }

    pub(super) fn keyring(&self) -> &Keyring {
        &self.keyring
    }

    pub(super) fn rocks(&self) -> &DB {
        &self.db
    }

    /// All families, for writing.
    pub(super) fn families(&self) -> Families<'_> {
        Families {
            handles: Family::ALL.map(|family| self.family(family)),
            keyring: &self.keyring,
        }
    }

    fn family(&self, family: Family) -> &ColumnFamily {
        self.db
            .cf_handle(family.name())
            .expect("all families are made when the store is opened")
    }

    /// The value under a key, as octets.
    pub(super) fn get(
        &self,
        family: Family,
        key: &[u8],
        reach: Reach,
    ) -> Result<Option<Vec<u8>>, ReadError> {
        let handle = self.family(family);
        let row = match reach {
            Reach::Memory => self.db.get_cf_opt(handle, key, &self.from_memory)?,
            Reach::Disk => self.db.get_cf(handle, key)?,
        };
        let Some(row) = row else {
            return Ok(None);
        };
        let opened = self.keyring.open(family, key, Cow::Owned(row))?;
        Ok(Some(opened.into_owned()))
    }

    /// The value under a key, wherever it is.
    pub(super) fn read(&self, family: Family, key: &[u8]) -> Result<Option<Vec<u8>>, StoreError> {
        Ok(self.get(family, key, Reach::Disk)?)
    }

    /// Whether there is a row, also one that cannot be opened any more.
    pub(super) fn contains(&self, family: Family, key: &[u8]) -> Result<bool, StoreError> {
        let row = self.db.get_pinned_cf(self.family(family), key);
        Ok(row.map_err(|error| failed(&error))?.is_some())
    }

    /// Rows with `lower <= key < upper`, in order. Bounds keep the iterator from walking over the
    /// tombstones of neighbours (C-28).
    pub(super) fn scan(&self, family: Family, lower: &[u8], upper: Option<&[u8]>) -> Scan<'_> {
        self.scan_within(family, lower, upper, Reach::Disk)
    }

    /// As [`Database::scan`], as far as `reach` goes.
    pub(super) fn scan_within(
        &self,
        family: Family,
        lower: &[u8],
        upper: Option<&[u8]>,
        reach: Reach,
    ) -> Scan<'_> {
        let mut options = ReadOptions::default();
        if reach == Reach::Memory {
            options.set_read_tier(ReadTier::BlockCache);
            options.set_max_skippable_internal_keys(SKIPPED_IN_MEMORY);
        }
        options.set_iterate_lower_bound(lower);
        if let Some(upper) = upper {
            options.set_iterate_upper_bound(upper);
        }
        let mut rows = self.db.raw_iterator_cf_opt(self.family(family), options);
        rows.seek(lower);
        let keyring = &self.keyring;
        Scan {
            rows,
            family,
            keyring,
            walk: self.walk.as_deref(),
        }
    }

    /// The last key of a family.
    pub(super) fn last_key(&self, family: Family) -> Result<Option<Vec<u8>>, StoreError> {
        let mut rows = self.db.raw_iterator_cf(self.family(family));
        rows.seek_to_last();
        rows.status().map_err(|error| failed(&error))?;
        Ok(rows.key().map(<[u8]>::to_vec))
    }

    /// Writes rows without the log: they may be lost until their family is flushed. All at once, since
    /// each write stands in line with the groups of the committer.
    pub(super) fn stage<'a>(
        &self,
        family: Family,
        rows: impl IntoIterator<Item = (&'a [u8], &'a [u8])>,
    ) -> Result<(), StoreError> {
        let family = self.family(family);
        let mut batch = WriteBatch::default();
        for (key, value) in rows {
            batch.put_cf(family, key, value);
        }
        self.db
            .write_opt(batch, &unlogged())
            .map_err(|error| failed(&error))
    }

    /// Removes staged rows with `lower <= key < upper`, without the log.
    pub(super) fn unstage(
        &self,
        family: Family,
        lower: &[u8],
        upper: &[u8],
    ) -> Result<(), StoreError> {
        self.db
            .delete_range_cf_opt(self.family(family), lower, upper, &unlogged())
            .map_err(|error| failed(&error))
    }

    /// Returns after everything that was written to a family before is on stable storage, or says
    /// why it may not be.
    pub(super) fn flush(&self, family: Family) -> Result<(), String> {
        let flushed = self.db.flush_cf(self.family(family));
        flushed.map_err(|error| error.to_string())
    }

    /// As [`Database::flush`] of all families.
    pub(super) fn flush_all(&self) -> Result<(), String> {
        Family::ALL
            .into_iter()
            .try_for_each(|family| self.flush(family))
    }

    /// Rows there are, estimated.
    pub(super) fn estimated_rows(&self) -> u64 {
        let rows = Family::ALL.map(|family| self.property(family, c"rocksdb.estimate-num-keys"));
        rows.iter().sum()
    }

    /// Removes what was overwritten or deleted in a family from all files: from its own by writing them anew, from the log by
    /// flushing what still needs it. Blocks for as long as that takes.
    pub(super) fn wipe_obsolete(&self, family: Family) -> Result<(), String> {
        self.flush_all()?;
        let before = self.files_of(family)?;
        let mut options = CompactOptions::default();
        options.set_bottommost_level_compaction(BottommostLevelCompaction::Force);
        self.compact_range(family, None, None, &options);
        // A compaction does not say whether it failed.
        match self.files_of(family)?.is_disjoint(&before) {
            true => Ok(()),
            false => Err("a compaction has left files as they were".to_owned()),
        }
    }

    /// The names of the tables of a family.
    fn files_of(&self, family: Family) -> Result<BTreeSet<String>, String> {
        let files = self.db.live_files().map_err(|error| error.to_string())?;
        let files = files.into_iter();
        let own = files.filter(|file| file.column_family_name == family.name());
        Ok(own.map(|file| file.name).collect())
    }

    /// Compacts rows with `lower <= key < upper`. Blocks for as long as that takes.
    pub(super) fn compact_range(
        &self,
        family: Family,
        lower: Option<&[u8]>,
        upper: Option<&[u8]>,
        options: &CompactOptions,
    ) {
        let handle = self.family(family);
        self.db.compact_range_cf_opt(handle, lower, upper, options);
    }

    /// Has all families flushed without waiting for it.
    pub(super) fn begin_flush_of_all(&self) -> Result<(), String> {
        let mut options = FlushOptions::default();
        options.set_wait(false);
        for family in Family::ALL {
            let begun = self.db.flush_cf_opt(self.family(family), &options);
            begun.map_err(|error| error.to_string())?;
        }
        Ok(())
    }

    /// How the engine as a whole is. Each value is a property that RocksDB keeps anyway.
    pub(super) fn condition(&self) -> Condition {
        Condition {
            is_write_stopped: self.property(Family::Meta, c"rocksdb.is-write-stopped") != 0,
            delayed_write_rate: self.property(Family::Meta, c"rocksdb.actual-delayed-write-rate"),
            compactions: self.property(Family::Meta, c"rocksdb.num-running-compactions"),
            flushes: self.property(Family::Meta, c"rocksdb.num-running-flushes"),
            background_errors: self.property(Family::Meta, c"rocksdb.background-errors"),
        }
    }

    /// How one family is.
    pub(super) fn condition_of(&self, family: Family) -> PerFamily {
        PerFamily {
            memtables: self.property(family, c"rocksdb.cur-size-all-mem-tables"),
            level_0_files: self.property(family, c"rocksdb.num-files-at-level0"),
            pending_compaction: self.property(family, c"rocksdb.estimate-pending-compaction-bytes"),
            tables: self.property(family, c"rocksdb.live-sst-files-size"),
            blobs: self.property(family, c"rocksdb.live-blob-file-size"),
        }
    }

    /// Zero where RocksDB does not tell.
    fn property(&self, family: Family, name: &CStr) -> u64 {
        let told = self.db.property_value_cf(self.family(family), name);
        let told = told.ok().flatten();
        told.and_then(|value| value.trim().parse().ok())
            .unwrap_or(0)
    }

    /// As [`Database::scan`], from the last row to the first.
    pub(super) fn scan_back(&self, family: Family, lower: &[u8], upper: &[u8]) -> BackScan<'_> {
        let mut options = ReadOptions::default();
        options.set_iterate_lower_bound(lower);
        options.set_iterate_upper_bound(upper);
        let mut rows = self.db.raw_iterator_cf_opt(self.family(family), options);
        rows.seek_to_last();
        let keyring = &self.keyring;
        BackScan {
            rows,
            family,
            keyring,
        }
    }
}

fn unlogged() -> WriteOptions {
    let mut options = WriteOptions::default();
    options.disable_wal(true);
    options
}

/// Rows of a scan that goes back.
pub(super) struct BackScan<'a> {
    rows: DBRawIteratorWithThreadMode<'a, DB>,
    family: Family,
    keyring: &'a Keyring,
}

impl BackScan<'_> {
    /// The row at the end, and steps before it.
    pub(super) fn step<T>(
        &mut self,
        read: impl FnOnce(&[u8], &[u8]) -> Result<T, StoreError>,
    ) -> Result<Option<T>, StoreError> {
        let Some((key, value)) = self.rows.item() else {
            self.rows.status().map_err(|error| failed(&error))?;
            return Ok(None);
        };
        let value = self.keyring.open(self.family, key, Cow::Borrowed(value))?;
        let row = read(key, &value)?;
        self.rows.prev();
        Ok(Some(row))
    }
}

/// Rows of a scan.
pub(super) struct Scan<'a> {
    rows: DBRawIteratorWithThreadMode<'a, DB>,
    family: Family,
    keyring: &'a Keyring,
    walk: Option<&'a Walk>,
}

impl Scan<'_> {
    /// The row at the front, and steps behind it.
    pub(super) fn next<T>(
        &mut self,
        read: impl FnOnce(&[u8], &[u8]) -> Result<T, StoreError>,
    ) -> Result<Option<T>, ReadError> {
        let Some((key, value)) = self.rows.item() else {
            self.rows.status()?;
            return Ok(None);
        };
        if let Some(walk) = self.walk {
            walk.step(1)?;
        }
        let value = self.keyring.open(self.family, key, Cow::Borrowed(value))?;
        let row = read(key, &value)?;
        self.rows.next();
        Ok(Some(row))
    }

    /// As [`Scan::step`], going on behind a row that does not open: `read` gets why it does not.
    pub(super) fn examine<T>(
        &mut self,
        read: impl FnOnce(&[u8], Result<&[u8], StoreError>) -> T,
    ) -> Result<Option<T>, StoreError> {
        let Some((key, value)) = self.rows.item() else {
            self.rows.status().map_err(|error| failed(&error))?;
            return Ok(None);
        };
        if let Some(walk) = self.walk {
            walk.step(1)?;
        }
        let opened = self.keyring.open(self.family, key, Cow::Borrowed(value));
        let found = read(key, opened.as_deref().map_err(Clone::clone));
        self.rows.next();
        Ok(Some(found))
    }

    /// As [`Scan::next`] for scans that may reach the disk.
    pub(super) fn step<T>(
        &mut self,
        read: impl FnOnce(&[u8], &[u8]) -> Result<T, StoreError>,
    ) -> Result<Option<T>, StoreError> {
        Ok(self.next(read)?)
    }
}
