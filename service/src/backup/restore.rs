//! A backup becomes the data folder of a store again.
//!
//! It is put together in a folder within the data folder, `manifest` last; from then on all of it is on this disk, and its parts
//! are moved to their places, `format` last. Wherever that breaks off no store is opened or made there, and the same restore
//! goes on from where it was.

use std::collections::BTreeSet;
use std::fs::{self, DirBuilder, File};
use std::io;
use std::os::unix::fs::DirBuilderExt as _;
use std::path::{Path, PathBuf};

use storage::FolderLock;
use storage::model::UnixMillis;

use super::ship::is_immutable;
use super::{Backup, Backups, Manifest, manifest, name};

/// Where it is put together: whatever breaks off here is no store.
const UNFINISHED: &str = FolderLock::RESTORING;

/// The part that is moved first, and that which is moved last.
const FIRST: &str = "db";
const LAST: &str = "format";

/// What was put in place.
#[derive(Debug)]
pub(crate) struct Restored {
    pub(crate) backup: Backup,
    /// Whole backups that are newer, in which something did not agree.
    pub(crate) passed_over: Vec<String>,
}

/// How far an earlier try has come.
enum Begun {
    /// Not as far as to be of use.
    No,
    /// All of it is there, some of it in its place.
    Gathered,
}

/// Puts a backup, or the newest good one in a folder of backups, into a data folder without a store. Tables are shared with the
/// backup on the same file system, all else is copied. Returns which one it was.
///
/// # Errors
/// A sentence that says what to do.
pub(crate) fn put_in_place(
    from: &Path,
    data: &Path,
    hostname: &str,
    now: UnixMillis,
) -> Result<Restored, String> {
    // What is named in another way than by its name has one all the same.
    let from = from.canonicalize().unwrap_or_else(|_| from.to_owned());
    let (folder, restored) = find(&from, now)?;
    let backup = &restored.backup;
    let backed_up = &backup.manifest.hostname;
    if backed_up != hostname {
        return Err(format!(
            "the backup is of the store {backed_up}, and storage.hostname is {hostname}: it is part of the Message-IDs and must \
             stay; configure {backed_up}"
        ));
    }
    // Nothing is made in a folder of something else, not even what keeps others out.
    look(data, backup)?;
    let lock = FolderLock::take(data).map_err(|error| error.to_string())?;
    let done = match look(data, backup)? {
        Begun::No => gather(&folder, data, backup).and_then(|()| put(data, &backup.manifest)),
        Begun::Gathered => put(data, &backup.manifest),
    };
    drop(lock);
    done.map_err(|error| {
        format!(
            "{} could not be put into {}: {error}; mend that, and do it again",
            folder.display(),
            data.display()
        )
    })?;
    Ok(restored)
}

fn find(from: &Path, now: UnixMillis) -> Result<(PathBuf, Restored), String> {
    if let Some(backup) = Backup::read(from) {
        let restored = Restored {
            backup,
            passed_over: Vec::new(),
        };
        return match restored.backup.is_complete {
            true => Ok((from.to_owned(), restored)),
            false => Err(format!(
                "the backup {} is not whole: files of its manifest are missing, or have other sizes; take another one",
                from.display()
            )),
        };
    }
    let unreadable = |error| format!("{} cannot be read: {error}", from.display());
    let all = Backups::new(from.to_owned(), 1)
        .list(now)
        .map_err(unreadable)?;
    let mut whole: Vec<_> = all.into_iter().filter(|it| it.is_complete).collect();
    if whole.is_empty() {
        return Err(format!(
            "{} is neither a backup nor a folder with a whole one; name one that `restantectl backup` has made",
            from.display()
        ));
    }
    // For want of a good one the newest.
    let good = whole.iter().position(Backup::is_good).unwrap_or(0);
    let backup = whole.remove(good);
    let newer = whole.into_iter().take(good);
    let passed_over = newer.map(|backup| backup.name).collect();
    let folder = from.join(&backup.name);
    let restored = Restored {
        backup,
        passed_over,
    };
    Ok((folder, restored))
}

/// How far this backup has come in a data folder that has nothing else in it.
fn look(data: &Path, backup: &Backup) -> Result<Begun, String> {
    let entries = match fs::read_dir(data) {
        Ok(entries) => entries,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Begun::No),
        Err(error) => return Err(format!("{} cannot be read: {error}", data.display())),
    };
    let gathered = Manifest::read(&data.join(UNFINISHED)).ok();
    let known = gathered.as_ref().map(parts).unwrap_or_default();
    let names = entries.flatten().map(|entry| entry.file_name());
    let mut others = names.filter(|name| {
        name != UNFINISHED
            && name != FolderLock::FILE
            && known.iter().all(|part| name != part.as_str())
    });
    if let Some(name) = others.next() {
        return Err(format!(
            "the data folder {} is not empty (there is {}): a backup is put only where there is no store; move the folder \
             away first, nothing was changed",
            data.display(),
            name.display()
        ));
    }
    match gathered {
        None => Ok(Begun::No),
        Some(gathered) if gathered == backup.manifest => Ok(Begun::Gathered),
        Some(other) => Err(format!(
            "a restore of another backup into {} was cut off, of {}: name that one again, or move the folder away; nothing was \
             changed",
            data.display(),
            name::of(other.kind, other.began_at)
        )),
    }
}

/// What is moved to its place, in this order.
fn parts(manifest: &Manifest) -> Vec<String> {
    let first = |path: &str| path.split('/').next().unwrap_or_default().to_owned();
    let parts: BTreeSet<_> = manifest.files.iter().map(|it| first(&it.path)).collect();
    let mut parts: Vec<_> = parts.into_iter().collect();
    parts.sort_by_key(|part| (part != FIRST, part == LAST));
    parts
}

/// Puts all of it together beside its place.
fn gather(from: &Path, data: &Path, backup: &Backup) -> io::Result<()> {
    let mut private = DirBuilder::new();
    private.recursive(true).mode(0o700);
    let unfinished = data.join(UNFINISHED);
    if unfinished.exists() {
        fs::remove_dir_all(&unfinished)?;
    }
    private.create(&unfinished)?;
    File::open(data)?.sync_all()?;
    let mut folders = vec![unfinished.clone()];
    for file in &backup.manifest.files {
        let (source, target) = (from.join(&file.path), unfinished.join(&file.path));
        if let Some(folder) = target.parent().filter(|folder| !folder.exists()) {
            private.create(folder)?;
            folders.push(folder.to_owned());
        }
        let is_linked = is_immutable(&file.path) && fs::hard_link(&source, &target).is_ok();
        if !is_linked {
            fs::copy(&source, &target)?;
            File::open(&target)?.sync_all()?;
        }
    }
    folders
        .iter()
        .try_for_each(|folder| File::open(folder)?.sync_all())?;
    backup.manifest.write(&unfinished)
}

/// Moves its parts to their places, each on stable storage before the next, but for those that are there.
fn put(data: &Path, manifest: &Manifest) -> io::Result<()> {
    let unfinished = data.join(UNFINISHED);
    for part in parts(manifest) {
        let from = unfinished.join(&part);
        if from.exists() {
            fs::rename(from, data.join(&part))?;
            File::open(data)?.sync_all()?;
        }
    }
    fs::remove_file(unfinished.join(manifest::FILE))?;
    fs::remove_dir(&unfinished)?;
    File::open(data)?.sync_all()
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::MetadataExt as _;

    use storage::model::SystemClock;
    use storage::{OpenError, RocksStore, StoreConfig};
    use tempfile::TempDir;

    use super::*;
    use crate::backup::Kind;
    use crate::backup::tests::{BEGAN, HOSTNAME, Place};

    const TABLES: [(&str, usize); 2] = [("1.sst", 1_000), ("CURRENT", 16)];

    fn restore(from: &Path, data: &Path) -> Result<Restored, String> {
        put_in_place(from, data, HOSTNAME, BEGAN)
    }

    fn names(folder: &Path) -> BTreeSet<String> {
        let entries = fs::read_dir(folder).expect("it is there");
        let names = entries.map(|entry| entry.expect("readable").file_name());
        names
            .map(|name| name.to_string_lossy().into_owned())
            .collect()
    }

    fn open(data: &Path) -> OpenError {
        let config = StoreConfig {
            data_dir: data.to_owned(),
            ..StoreConfig::default()
        };
        let refused = RocksStore::open(config, SystemClock).err();
        refused.expect("these are no files of a store")
    }

    #[test]
    fn wherever_a_restore_is_cut_off_no_store_is_opened_and_the_same_one_ends_it() {
        let place = Place::new(1);
        let backup = place.make(Kind::Backup, 0, &TABLES);
        let folder = place.folder(&backup);
        for moved in 0..=3 {
            let data = TempDir::new().expect("there is place");
            let data = data.path();
            gather(&folder, data, &backup).expect("gathered");
            let order = parts(&backup.manifest);
            assert_eq!(order, ["db", "message-id-floor", "format"]);
            for part in &order[..moved] {
                fs::rename(data.join(UNFINISHED).join(part), data.join(part)).expect("moved");
            }
            if moved < 3 {
                let refused = open(data);
                assert!(matches!(refused, OpenError::Unfinished { .. }), "{refused}");
            }
            restore(&folder, data).expect("it goes on");
            let expected = ["db", "format", "lock", "message-id-floor"].map(str::to_owned);
            assert_eq!(names(data), BTreeSet::from(expected), "after {moved} parts");
            let inode = |folder: &Path| fs::metadata(folder.join("db/1.sst")).map(|it| it.ino());
            assert_eq!(inode(data).ok(), inode(&folder).ok());
            let again = restore(&folder, data).expect_err("there is a store");
            assert!(again.contains("is not empty"), "{again}");
        }
    }

    #[test]
    fn what_was_cut_off_before_all_of_it_was_there_is_begun_anew() {
        let place = Place::new(1);
        let backup = place.make(Kind::Backup, 0, &TABLES);
        let folder = place.folder(&backup);
        let data = TempDir::new().expect("there is place");
        gather(&folder, data.path(), &backup).expect("gathered");
        let unfinished = data.path().join(UNFINISHED);
        fs::remove_file(unfinished.join("manifest")).expect("removed");
        fs::write(unfinished.join("db/CURRENT"), "half").expect("written");
        restore(&folder, data.path()).expect("it begins anew");
        let current = fs::read(data.path().join("db/CURRENT")).expect("readable");
        assert_eq!(current.len(), 16);
        // A database that no restore has put there is left alone.
        let data = TempDir::new().expect("there is place");
        for name in ["db", UNFINISHED] {
            fs::create_dir(data.path().join(name)).expect("made");
        }
        let refused = restore(&folder, data.path()).expect_err("it is not empty");
        assert!(refused.contains("there is db"), "{refused}");
    }

    #[test]
    fn a_restore_that_was_cut_off_is_not_ended_by_that_of_another_backup() {
        let place = Place::new(2);
        let first = place.make(Kind::Backup, 0, &TABLES);
        let second = place.make(Kind::Backup, 1, &TABLES);
        let data = TempDir::new().expect("there is place");
        gather(&place.folder(&first), data.path(), &first).expect("gathered");
        let refused = restore(&place.folder(&second), data.path()).expect_err("it is another");
        assert!(refused.contains(&first.name), "{refused}");
        restore(&place.folder(&first), data.path()).expect("the same");
    }

    #[test]
    fn nothing_is_put_into_a_folder_that_somebody_else_has_locked() {
        let place = Place::new(1);
        let backup = place.make(Kind::Backup, 0, &TABLES);
        let data = TempDir::new().expect("there is place");
        let lock = FolderLock::take(data.path()).expect("it is free");
        let refused = restore(&place.folder(&backup), data.path()).expect_err("it is locked");
        assert!(refused.contains("in use by another process"), "{refused}");
        assert_eq!(names(data.path()), BTreeSet::from(["lock".to_owned()]));
        drop(lock);
        restore(&place.folder(&backup), data.path()).expect("it is free again");
    }

    #[test]
    fn the_newest_good_one_is_taken_and_another_only_by_its_name_or_for_want_of_one() {
        let place = Place::new(3);
        let unsound = place.make_unsound(0, &TABLES);
        let data = TempDir::new().expect("there is place");
        let only = restore(place.all(), &data.path().join("a")).expect("there is one");
        assert_eq!(only.backup.name, unsound.name);
        let good = place.make(Kind::Backup, 1, &TABLES);
        let newer = place.make_unsound(2, &TABLES);
        let taken = restore(place.all(), &data.path().join("b")).expect("there is one");
        assert_eq!(taken.backup.name, good.name);
        assert_eq!(taken.passed_over, [newer.name.as_str()]);
        let named = restore(&place.folder(&newer), &data.path().join("c")).expect("it is there");
        assert_eq!(named.backup.name, newer.name);
        // Checkpoints are not read when they are made, and the newest is what a standby wants.
        let checkpoint = place.make(Kind::Checkpoint, 3, &TABLES);
        let taken = restore(place.all(), &data.path().join("d")).expect("there is one");
        assert_eq!(taken.backup.name, checkpoint.name);
    }
}
