//! Copies of a store that serves: made beside the load, opened to be looked at and never changed.

use std::fs::{self, DirBuilder, File};
use std::io::{self, Write};
use std::os::unix::fs::DirBuilderExt as _;
use std::path::Path;
use std::sync::Arc;

use rocksdb::DB;
use rocksdb::checkpoint::Checkpoint;

use super::database::Database;
use super::folder::{DATABASE, FORMAT};
use super::open_error::OpenError;
use super::options::{self, Horizon};
use super::shared::Shared;
use super::{folder, keys, number_floor};
use crate::column_family::Family;
use crate::config::StoreConfig;
use crate::key;
use crate::model::SystemClock;
use crate::sealing::Keyring;
use crate::store::StoreError;
use crate::timekeeper::Timekeeper;
use crate::upkeep::Walk;
use crate::value::{self, Counters, Identity};

/// Memory for cached blocks of a copy, which is read once.
const CACHE_OCTETS: usize = 8 << 20;
/// Files of a copy that are open at a time, beside those of the store.
const OPEN_FILES: i32 = 64;

impl Shared {
    /// Makes `folder` a copy, on stable storage. No large content may become a message meanwhile: the copy gets the files
    /// first and the log later, and would have the message without what was flushed in between.
    pub(super) fn copy_to(&self, folder: &Path) -> Result<(), StoreError> {
        let failed = |error: &dyn std::fmt::Display| StoreError::Read {
            cause: format!("no copy in {}: {error}", folder.display()),
        };
        let mut private = DirBuilder::new();
        let made = private.mode(0o700).create(folder);
        made.map_err(|error| failed(&error))?;
        let checkpoint = Checkpoint::new(self.database.rocks());
        let copied = checkpoint
            .and_then(|checkpoint| checkpoint.create_checkpoint(folder.join(DATABASE)))
            .map_err(|error| failed(&error))
            .and_then(|()| self.write_beside(folder).map_err(|error| failed(&error)));
        if copied.is_err() {
            // Half a copy holds files that the store removes.
            let _ = fs::remove_dir_all(folder);
        }
        copied
    }

    /// The other files of a data folder.
    fn write_beside(&self, folder: &Path) -> io::Result<()> {
        number_floor::mark_as_copy(&self.config.data_dir, folder)?;
        let mut format = File::create(folder.join(folder::FORMAT_FILE))?;
        writeln!(format, "{FORMAT}")?;
        format.sync_all()?;
        File::open(folder)?.sync_all()
    }
}

/// Opens a copy to read it. Every row that is scanned counts for `walk`.
pub(super) fn open(config: &StoreConfig, walk: &Arc<Walk>) -> Result<Shared, OpenError> {
    let folder = config.data_dir.join(DATABASE);
    let failed = |cause: String| OpenError::Failed {
        folder: config.data_dir.clone(),
        cause,
    };
    let config = StoreConfig {
        cache_octets: CACHE_OCTETS,
        ..config.clone()
    };
    let mut whole = options::database(&config, false);
    whole.set_max_open_files(OPEN_FILES);
    whole.create_if_missing(false);
    let families = options::families(&config, &Horizon::default());
    let opened = DB::open_cf_descriptors_read_only(&whole, &folder, families, false);
    let database = opened.map_err(|error| failed(error.to_string()))?;
    let database = Database::new(database, Keyring::new(config.master_keys.clone()));
    keys::unlock(&database, &config.data_dir)?;
    let read = |place: &[u8]| {
        let row = database.read(Family::Meta, place)?;
        row.ok_or(StoreError::Corrupt { what: "meta rows" })
    };
    let identity = read(&key::IDENTITY).and_then(|row| value::decode::<Identity>(&row));
    let identity = identity.map_err(|error| failed(error.to_string()))?;
    let counters = read(&key::COUNTERS).and_then(|row| value::decode::<Counters>(&row));
    let counters = counters.map_err(|error| failed(error.to_string()))?;
    let times = Timekeeper::new(Arc::new(SystemClock), counters.latest);
    let database = database.walked(Arc::clone(walk));
    Ok(Shared::new(config, identity.secret, database, times))
}

/// Removes what opening a copy has left in it: RocksDB writes its notes beside the files.
pub(super) fn remove_notes(folder: &Path) {
    let Ok(files) = fs::read_dir(folder.join(DATABASE)) else {
        return;
    };
    for file in files.flatten() {
        if file.file_name().to_string_lossy().starts_with("LOG") {
            // One that stays does no harm.
            let _ = fs::remove_file(file.path());
        }
    }
}
