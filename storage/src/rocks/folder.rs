//! The data folder: `lock`, `format`, `message-id-floor`, and the database in `db`.

use std::fs::{self, DirBuilder, File, OpenOptions, TryLockError};
use std::io::{self, Write};
use std::os::unix::fs::DirBuilderExt as _;
use std::path::{Path, PathBuf};

use super::open_error::OpenError;

/// The format of the folder as a whole: families, keys and values.
pub(super) const FORMAT: u32 = 1;

const LOCK_FILE: &str = "lock";
const FORMAT_FILE: &str = "format";
/// The folder of the database within.
pub(super) const DATABASE: &str = "db";

/// A data folder that no other process uses.
pub(super) struct Folder {
    path: PathBuf,
    /// Locked as long as it is open.
    _lock: File,
}

impl Folder {
    /// Makes the folder if it is not there, locks it, and checks its format.
    pub(super) fn open(path: &Path) -> Result<Self, OpenError> {
        let unwritable = |source| OpenError::Unwritable {
            folder: path.to_owned(),
            source,
        };
        // Messages and identities are for this user only (P10).
        let mut private = DirBuilder::new();
        private.recursive(true).mode(0o700);
        private.create(path).map_err(unwritable)?;
        let lock = OpenOptions::new()
            .create(true)
            .truncate(false)
            .write(true)
            .open(path.join(LOCK_FILE))
            .map_err(unwritable)?;
        match lock.try_lock() {
            Ok(()) => {}
            Err(TryLockError::WouldBlock) => {
                return Err(OpenError::Locked {
                    folder: path.to_owned(),
                });
            }
            Err(TryLockError::Error(source)) => return Err(unwritable(source)),
        }
        let folder = Self {
            path: path.to_owned(),
            _lock: lock,
        };
        folder.check_format()?;
        Ok(folder)
    }

    pub(super) fn database(&self) -> PathBuf {
        self.path.join(DATABASE)
    }

    pub(super) fn damaged(&self, cause: impl ToString) -> OpenError {
        OpenError::Damaged {
            folder: self.path.clone(),
            cause: cause.to_string(),
        }
    }

    fn check_format(&self) -> Result<(), OpenError> {
        let file = self.path.join(FORMAT_FILE);
        let text = match fs::read_to_string(&file) {
            Ok(text) => text,
            Err(error) if error.kind() == io::ErrorKind::NotFound => return self.write_format(),
            Err(error) => return Err(self.damaged(format!("{}: {error}", file.display()))),
        };
        match text.trim().parse::<u32>() {
            Ok(FORMAT) => Ok(()),
            Ok(found) if found > FORMAT => Err(OpenError::Newer {
                folder: self.path.clone(),
                found,
                known: FORMAT,
            }),
            _ => Err(self.damaged(format!("{} says {:?}", file.display(), text.trim()))),
        }
    }

    /// Written before the database is made: a database without it is not ours.
    fn write_format(&self) -> Result<(), OpenError> {
        if self.database().exists() {
            return Err(self.damaged("its file `format` is missing"));
        }
        let write = || {
            let mut file = File::create(self.path.join(FORMAT_FILE))?;
            writeln!(file, "{FORMAT}")?;
            file.sync_all()?;
            File::open(&self.path)?.sync_all()
        };
        write().map_err(|source| OpenError::Unwritable {
            folder: self.path.clone(),
            source,
        })
    }
}
