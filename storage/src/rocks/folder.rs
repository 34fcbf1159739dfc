//! The data folder: `lock`, `format`, `message-id-floor`, and the database in `db`; and `restoring` while a backup is put there.

use std::fs::{self, DirBuilder, File, OpenOptions, TryLockError};
use std::io::{self, Write};
use std::os::unix::fs::DirBuilderExt as _;
use std::path::{Path, PathBuf};

use rustix::fs::{Mode, OFlags};

use super::open_error::OpenError;
use super::owner;

/// The format of the folder as a whole: families, keys and values.
pub(super) const FORMAT: u32 = 1;

pub(super) const FORMAT_FILE: &str = "format";
/// Written and removed at once, to see what the file system can do.
const TRIAL_FILE: &str = "trial";
/// The folder of the database within.
pub(super) const DATABASE: &str = "db";

/// Keeps other processes out of a data folder, as an open store does, while something is put there or looked at.
#[derive(Debug)]
pub struct FolderLock {
    /// Locked as long as it is open.
    _file: File,
}

impl FolderLock {
    /// The name of the file that is locked. It stays.
    pub const FILE: &str = "lock";
    /// The name of the folder within, in which a backup is put together. While it is there without `format` beside it, no store
    /// is opened or made: a restore is under way, or was cut off.
    pub const RESTORING: &str = "restoring";

    /// Makes the folder if it is not there, and locks it.
    ///
    /// # Errors
    /// It is another user's, another process has it, or it cannot be written to.
    pub fn take(folder: &Path) -> Result<Self, OpenError> {
        if folder.exists() {
            owner::refuse_other(folder)?;
        }
        Self::make(folder)
    }

    fn make(folder: &Path) -> Result<Self, OpenError> {
        let unwritable = |source| OpenError::Unwritable {
            folder: folder.to_owned(),
            source,
        };
        // Messages and identities are for this user only (P10).
        let mut private = DirBuilder::new();
        private.recursive(true).mode(0o700);
        private.create(folder).map_err(unwritable)?;
        let file = OpenOptions::new()
            .create(true)
            .truncate(false)
            .write(true)
            .open(folder.join(Self::FILE))
            .map_err(unwritable)?;
        match file.try_lock() {
            Ok(()) => Ok(Self { _file: file }),
            Err(TryLockError::WouldBlock) => Err(OpenError::Locked {
                folder: folder.to_owned(),
            }),
            Err(TryLockError::Error(source)) => Err(unwritable(source)),
        }
    }
}

/// A data folder that no other process uses.
pub(super) struct Folder {
    path: PathBuf,
    /// Whether a store may be made in it.
    may_be_new: bool,
    _lock: FolderLock,
}

impl Folder {
    /// Makes the folder if it is not there, locks it, and checks its format.
    pub(super) fn open(path: &Path) -> Result<Self, OpenError> {
        let folder = Self {
            path: path.to_owned(),
            may_be_new: true,
            _lock: FolderLock::make(path)?,
        };
        folder.refuse_unfinished()?;
        folder.check_format()?;
        Ok(folder)
    }

    /// As [`Folder::open`] where there is a store of this user already; otherwise nothing is made.
    pub(super) fn open_existing(path: &Path) -> Result<Self, OpenError> {
        let no_store = |found| OpenError::NoStore {
            folder: path.to_owned(),
            found,
        };
        if !path.exists() {
            return Err(no_store("it does not exist"));
        }
        let is_there = |name| path.join(name).exists();
        if !is_there(DATABASE) && !is_there(FolderLock::RESTORING) {
            return Err(no_store("it has no database in it"));
        }
        let folder = Self {
            path: path.to_owned(),
            may_be_new: false,
            _lock: FolderLock::take(path)?,
        };
        folder.refuse_unfinished()?;
        folder.check_format()?;
        Ok(folder)
    }

    /// Whether a store may be made in it.
    pub(super) fn may_be_new(&self) -> bool {
        self.may_be_new
    }

    /// A restore puts `format` there last: with it all of the backup is there.
    fn refuse_unfinished(&self) -> Result<(), OpenError> {
        let restoring = self.path.join(FolderLock::RESTORING);
        if !restoring.exists() {
            return Ok(());
        }
        if self.path.join(FORMAT_FILE).exists() {
            // What stays does no harm.
            let _ = fs::remove_dir_all(restoring);
            return Ok(());
        }
        Err(OpenError::Unfinished {
            folder: self.path.clone(),
        })
    }

    pub(super) fn database(&self) -> PathBuf {
        self.path.join(DATABASE)
    }

    /// Whether files in it can be written past the page cache, which not every file system can.
    pub(super) fn takes_direct_writes(&self) -> bool {
        let file = self.path.join(TRIAL_FILE);
        let taken = write_directly(&file);
        // A file system that refuses may have made the file before.
        let removed = fs::remove_file(&file);
        taken.and(removed).is_ok()
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

/// Octets that lie in memory as direct writes want them.
#[repr(align(4096))]
struct Page([u8; 4096]);

fn write_directly(path: &Path) -> io::Result<()> {
    let flags = OFlags::CREATE | OFlags::WRONLY | OFlags::DIRECT | OFlags::CLOEXEC;
    let mut file = File::from(rustix::fs::open(path, flags, Mode::RUSR | Mode::WUSR)?);
    file.write_all(&Box::new(Page([0; 4096])).0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_trial_leaves_nothing_behind() {
        let data = tempfile::TempDir::new().expect("there is place");
        let folder = Folder::open(data.path()).expect("a new folder");
        let names = || -> Vec<_> {
            let entries = fs::read_dir(data.path()).expect("it is there");
            let names = entries.map(|entry| entry.expect("it is there").file_name());
            names.collect()
        };
        let before = names();
        folder.takes_direct_writes();
        assert_eq!(names(), before);
    }
}
