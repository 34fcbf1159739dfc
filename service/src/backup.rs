//! Backups: copies of the store in a folder of their own, each with a manifest that says what belongs to it. Made beside the
//! load, listed, thinned out, and put back into an empty data folder.

mod manifest;
mod restore;
mod ship;

use std::fs::{self, DirBuilder, File};
use std::io;
use std::os::unix::fs::DirBuilderExt as _;
use std::path::{Path, PathBuf};
use std::time::Duration;

use chrono::DateTime;
use storage::model::UnixMillis;
use storage::upkeep::Walk;

pub(crate) use self::manifest::Manifest;
pub(crate) use self::restore::put_in_place;
use self::ship::ship;

/// Ends the name of a folder that is not a backup yet.
const PARTIAL: &str = ".partial";

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

/// A backup without its manifest: it does not count yet.
pub(crate) struct Unsealed {
    name: String,
    /// Where it lies until it is sealed.
    pub(crate) folder: PathBuf,
    manifest: Manifest,
}

impl Backups {
    /// Those in `folder`, of which the newest `keep` of each kind stay.
    pub(crate) fn new(folder: PathBuf, keep: u32) -> Self {
        Self {
            folder,
            keep: usize::try_from(keep).unwrap_or(usize::MAX),
        }
    }

    /// All of them, the newest first. Blocks, as do all functions here.
    pub(crate) fn list(&self) -> io::Result<Vec<Backup>> {
        let entries = match fs::read_dir(&self.folder) {
            Ok(entries) => entries,
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Vec::new()),
            Err(error) => return Err(error),
        };
        let mut found = Vec::new();
        for entry in entries {
            let entry = entry?;
            let name = entry.file_name().to_string_lossy().into_owned();
            if !name.ends_with(PARTIAL) {
                found.extend(Backup::read(&entry.path()));
            }
        }
        found.sort_by(|a, b| (b.manifest.began_at, &b.name).cmp(&(a.manifest.began_at, &a.name)));
        Ok(found)
    }

    /// Takes a copy of the store for a backup: moves it here, or copies what the last backup does not have where it is on another
    /// file system. Removes what broke off earlier.
    pub(crate) fn take(&self, copy: &Path, begun: Begun, walk: &Walk) -> io::Result<Unsealed> {
        let mut private = DirBuilder::new();
        private.recursive(true).mode(0o700).create(&self.folder)?;
        self.remove_partial()?;
        let name = name(begun.kind, begun.began_at);
        let folder = self.folder.join(format!("{name}{PARTIAL}"));
        let last = self.list()?.into_iter().find(|backup| backup.is_complete);
        let last = last.map(|last| (self.folder.join(&last.name), last.manifest));
        let files = ship(copy, &folder, last.as_ref(), walk)?;
        let known = last.map(|(_, manifest)| manifest.files).unwrap_or_default();
        let is_new = |file: &&manifest::Entry| !known.contains(file);
        let manifest = Manifest {
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
        manifest.write(&folder)?;
        fs::rename(&folder, self.folder.join(&name))?;
        File::open(&self.folder)?.sync_all()?;
        self.thin_out()?;
        Ok(Backup {
            name,
            manifest,
            is_complete: true,
        })
    }

    /// Removes what broke off.
    pub(crate) fn remove_partial(&self) -> io::Result<()> {
        let entries = match fs::read_dir(&self.folder) {
            Ok(entries) => entries,
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(()),
            Err(error) => return Err(error),
        };
        for entry in entries {
            let entry = entry?;
            if entry.file_name().to_string_lossy().ends_with(PARTIAL) {
                fs::remove_dir_all(entry.path())?;
            }
        }
        Ok(())
    }

    fn thin_out(&self) -> io::Result<()> {
        let all = self.list()?;
        for kind in Kind::ALL {
            let complete = |backup: &&Backup| backup.manifest.kind == kind && backup.is_complete;
            for old in all.iter().filter(complete).skip(self.keep) {
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
}

/// Sorts by time.
fn name(kind: Kind, began_at: UnixMillis) -> String {
    let millis = i64::try_from(began_at.0).unwrap_or(i64::MAX);
    let time = DateTime::from_timestamp_millis(millis).unwrap_or_default();
    format!("{}-{}", time.format("%Y%m%dT%H%M%S%.3fZ"), kind.word())
}

#[cfg(test)]
mod tests {
    use tempfile::TempDir;

    use super::*;

    const BEGAN: UnixMillis = UnixMillis(1_763_740_800_123);

    struct Place {
        folder: TempDir,
        backups: Backups,
    }

    impl Place {
        fn new(keep: u32) -> Self {
            let folder = TempDir::new().expect("there is place");
            let backups = Backups::new(folder.path().join("backups"), keep);
            Self { folder, backups }
        }

        /// A copy of a store with these tables, as the store makes it.
        fn copy(&self, tables: &[(&str, usize)]) -> PathBuf {
            let copy = self.folder.path().join("copy");
            fs::create_dir_all(copy.join("db")).expect("made");
            fs::write(copy.join("format"), "1\n").expect("written");
            for (table, octets) in tables {
                let kept = self.folder.path().join(table);
                if !kept.exists() {
                    fs::write(&kept, vec![7; *octets]).expect("written");
                }
                fs::hard_link(&kept, copy.join("db").join(table)).expect("linked");
            }
            copy
        }

        fn make(&self, kind: Kind, second: u64, tables: &[(&str, usize)]) -> Backup {
            let begun = Begun {
                kind,
                began_at: BEGAN.after(Duration::from_secs(second)),
                hostname: "store.example.org".to_owned(),
            };
            let ended = begun.began_at.after(Duration::from_millis(1_500));
            let copy = self.copy(tables);
            let taken = self.backups.take(&copy, begun, &Walk::default());
            let sealed = self.backups.seal(taken.expect("taken"), true, ended);
            sealed.expect("sealed")
        }

        fn names(&self) -> Vec<String> {
            let all = self.backups.list().expect("readable").into_iter();
            all.map(|backup| backup.name).collect()
        }
    }

    #[test]
    fn a_backup_says_what_it_is_and_what_is_new_in_it() {
        let place = Place::new(3);
        let first = place.make(Kind::Backup, 0, &[("1.sst", 1_000), ("2.blob", 500)]);
        assert_eq!(first.name, "20251121T160000.123Z-backup");
        assert_eq!(first.manifest.took, Duration::from_millis(1_500));
        assert_eq!(
            (first.manifest.octets(), first.manifest.new_octets),
            (1_502, 1_502)
        );
        let second = place.make(Kind::Checkpoint, 1, &[("1.sst", 1_000), ("3.sst", 30)]);
        assert_eq!(second.name, "20251121T160001.123Z-checkpoint");
        // What is written anew with each: the format.
        assert_eq!(
            (second.manifest.octets(), second.manifest.new_octets),
            (1_032, 32)
        );
        let listed = place.backups.list().expect("readable");
        assert_eq!(listed, [second, first]);
    }

    #[test]
    fn the_newest_of_each_kind_are_kept_and_what_broke_off_is_removed() {
        let place = Place::new(2);
        let kept = place.make(Kind::Backup, 0, &[]).name;
        for second in 1..=3 {
            place.make(Kind::Checkpoint, second, &[]);
        }
        let broken = place.backups.folder.join("x.partial");
        fs::create_dir(&broken).expect("made");
        let last = place.make(Kind::Checkpoint, 4, &[]).name;
        assert!(!broken.exists());
        let third = "20251121T160003.123Z-checkpoint".to_owned();
        assert_eq!(place.names(), [last, third, kept]);
    }

    #[test]
    fn a_backup_whose_files_are_not_all_there_is_not_complete() {
        let place = Place::new(2);
        let backup = place.make(Kind::Backup, 0, &[("1.sst", 1_000)]);
        let folder = place.backups.folder.join(&backup.name);
        assert!(Backup::read(&folder).expect("a backup").is_complete);
        fs::write(folder.join("db/1.sst"), "cut").expect("written");
        assert!(!Backup::read(&folder).expect("a backup").is_complete);
        fs::write(folder.join("manifest"), "nonsense").expect("written");
        assert_eq!(Backup::read(&folder), None);
        assert_eq!(place.names(), [""; 0]);
    }
}
