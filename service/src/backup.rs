//! Backups: copies of the store in a folder of their own, each with a manifest that says what belongs to it. Made beside the
//! load, listed, thinned out, and put back into an empty data folder.

mod manifest;
mod name;
mod restore;
mod scrap;
mod ship;
#[cfg(test)]
mod tests;

use std::fs::{self, DirBuilder, DirEntry, File};
use std::io;
use std::os::unix::fs::DirBuilderExt as _;
use std::path::{Path, PathBuf};
use std::time::Duration;

use storage::model::UnixMillis;
use storage::upkeep::Walk;

pub(crate) use self::manifest::Manifest;
pub(crate) use self::restore::{Restored, put_in_place};
pub(crate) use self::scrap::Scrap;
use self::ship::ship;

/// Ends the name of a folder that is not a backup yet.
const PARTIAL: &str = ".partial";

/// Backups in which something did not agree that are kept beside the sound ones: to be looked at, or for want of a better one.
const UNSOUND_KEPT: usize = 2;

/// A clock that is ahead of ours by no more is right.
const AHEAD: Duration = Duration::from_secs(3_600);

/// Why a backup is made.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Kind {
    /// An operator has asked for it.
    Backup,
    /// Its time has come.
    Checkpoint,
}

impl Kind {
    pub(crate) const ALL: [Self; 2] = [Self::Backup, Self::Checkpoint];

    /// Its name in folders, manifests and metrics.
    pub(crate) fn word(self) -> &'static str {
        match self {
            Self::Backup => "backup",
            Self::Checkpoint => "checkpoint",
        }
    }
}

/// A backup as it lies there.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Backup {
    /// Of its folder.
    pub(crate) name: String,
    pub(crate) manifest: Manifest,
    /// All files of the manifest are there, with their sizes.
    pub(crate) is_complete: bool,
}

/// The folder of backups.
#[derive(Clone, Debug)]
pub(crate) struct Backups {
    folder: PathBuf,
    keep: usize,
}

/// What is known of a backup before its files are.
pub(crate) struct Begun {
    pub(crate) kind: Kind,
    /// Whatever was accepted before is in it.
    pub(crate) began_at: UnixMillis,
    /// The name in the Message-IDs of the store.
    pub(crate) hostname: String,
}

/// A backup without its manifest: it does not count yet, and nothing stays of it unless it is sealed.
pub(crate) struct Unsealed {
    name: String,
    /// Where it lies until it is sealed.
    folder: Scrap,
    manifest: Manifest,
}

impl Unsealed {
    /// Where it lies until it is sealed.
    pub(crate) fn folder(&self) -> &Path {
        self.folder.path()
    }
}

impl Backups {
    /// Those in `folder`, of which the newest `keep` good ones of each kind stay.
    pub(crate) fn new(folder: PathBuf, keep: u32) -> Self {
        Self {
            folder,
            keep: usize::try_from(keep).unwrap_or(usize::MAX),
        }
    }

    /// All of them, the newest first, as it is `now`. Blocks, as do all functions here.
    pub(crate) fn list(&self, now: UnixMillis) -> io::Result<Vec<Backup>> {
        let mut found = Vec::new();
        for entry in self.entries()? {
            let entry = entry?;
            let name = entry.file_name().to_string_lossy().into_owned();
            if !name.ends_with(PARTIAL) {
                found.extend(Backup::read(&entry.path()));
            }
        }
        found.sort_by(|a, b| b.place(now).cmp(&a.place(now)));
        Ok(found)
    }

    fn entries(&self) -> io::Result<impl Iterator<Item = io::Result<DirEntry>> + use<>> {
        let entries = match fs::read_dir(&self.folder) {
            Ok(entries) => Some(entries),
            Err(error) if error.kind() == io::ErrorKind::NotFound => None,
            Err(error) => return Err(error),
        };
        Ok(entries.into_iter().flatten())
    }

    /// Takes a copy of the store for a backup: moves it here, or copies what the last backup does not have where it is on another
    /// file system. Removes what broke off earlier. Whatever comes of it, nothing stays where the copy was.
    pub(crate) fn take(&self, copy: Scrap, begun: Begun, walk: &Walk) -> io::Result<Unsealed> {
        let mut private = DirBuilder::new();
        private.recursive(true).mode(0o700).create(&self.folder)?;
        self.remove_partial()?;
        let name = name::of(begun.kind, begun.began_at);
        let folder = Scrap::new(self.folder.join(format!("{name}{PARTIAL}")));
        let known = self.list(begun.began_at)?;
        let sequence = known.iter().map(|backup| backup.manifest.sequence).max();
        // Files are not shared with one in which something did not agree: the next is made of the store alone.
        let last = known.into_iter().find(|backup| backup.is_complete);
        let last = last.filter(Backup::is_good);
        let last = last.map(|last| (self.folder.join(&last.name), last.manifest));
        let files = ship(copy.path(), folder.path(), last.as_ref(), walk)?;
        drop(copy);
        let known = last.map(|(_, manifest)| manifest.files).unwrap_or_default();
        let is_new = |file: &&manifest::Entry| !known.contains(file);
        let manifest = Manifest {
            sequence: sequence.unwrap_or(0).saturating_add(1),
            kind: begun.kind,
            began_at: begun.began_at,
            took: Duration::ZERO,
            hostname: begun.hostname,
            is_verified: false,
            new_octets: files.iter().filter(is_new).map(|file| file.octets).sum(),
            files,
        };
        Ok(Unsealed {
            name,
            folder,
            manifest,
        })
    }

    /// Makes it a backup, on stable storage, and removes those that are too many. `ended_at` is now.
    pub(crate) fn seal(
        &self,
        unsealed: Unsealed,
        is_verified: bool,
        ended_at: UnixMillis,
    ) -> io::Result<Backup> {
        let Unsealed {
            name,
            folder,
            mut manifest,
        } = unsealed;
        manifest.is_verified = is_verified;
        manifest.took = ended_at.since(manifest.began_at);
        manifest.write(folder.path())?;
        fs::rename(folder.path(), self.folder.join(&name))?;
        folder.keep();
        File::open(&self.folder)?.sync_all()?;
        self.thin_out(ended_at)?;
        Ok(Backup {
            name,
            manifest,
            is_complete: true,
        })
    }

    /// Removes what broke off: folders with names that are given here, nothing else.
    pub(crate) fn remove_partial(&self) -> io::Result<()> {
        for entry in self.entries()? {
            let entry = entry?;
            let name = entry.file_name().to_string_lossy().into_owned();
            let is_ours = name.strip_suffix(PARTIAL).is_some_and(name::is_ours);
            if is_ours && entry.file_type()?.is_dir() {
                fs::remove_dir_all(entry.path())?;
            }
        }
        Ok(())
    }

    /// Good ones do not make way for others, and one that somebody has given another name stays.
    fn thin_out(&self, now: UnixMillis) -> io::Result<()> {
        let all = self.list(now)?;
        for kind in Kind::ALL {
            let of_kind = all.iter().filter(|backup| {
                backup.manifest.kind == kind && backup.is_complete && name::is_ours(&backup.name)
            });
            let (good, unsound): (Vec<_>, Vec<_>) = of_kind.partition(|backup| backup.is_good());
            let old = good.into_iter().skip(self.keep);
            for old in old.chain(unsound.into_iter().skip(UNSOUND_KEPT)) {
                // Not half a backup in between: what is renamed is none any more.
                let going = self.folder.join(format!("{}{PARTIAL}", old.name));
                fs::rename(self.folder.join(&old.name), &going)?;
                fs::remove_dir_all(going)?;
            }
        }
        Ok(())
    }
}

impl Backup {
    /// What lies in a folder, if it is a backup.
    pub(crate) fn read(folder: &Path) -> Option<Self> {
        let manifest = Manifest::read(folder).ok()?;
        let name = folder.file_name()?.to_string_lossy().into_owned();
        let is_complete = manifest.files.iter().all(|file| {
            let found = fs::metadata(folder.join(&file.path));
            found.is_ok_and(|found| found.len() == file.octets)
        });
        Some(Self {
            name,
            manifest,
            is_complete,
        })
    }

    /// Whether nothing speaks against it: it was read and all of it agreed, or it is a checkpoint, which is not read when it is
    /// made.
    pub(crate) fn is_good(&self) -> bool {
        self.manifest.kind == Kind::Checkpoint || self.manifest.is_verified
    }

    /// Its place among others: in the order in which they were made, whatever the clock said then. Those of earlier versions
    /// have no number; one of them whose time is yet to come was made by a clock that was wrong, and comes before the others.
    fn place(&self, now: UnixMillis) -> (u64, Option<UnixMillis>, &str) {
        let Manifest {
            sequence, began_at, ..
        } = self.manifest;
        let is_right = sequence > 0 || began_at <= now.after(AHEAD);
        (sequence, is_right.then_some(began_at), &self.name)
    }
}
