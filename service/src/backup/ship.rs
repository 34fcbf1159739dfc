//! From the copy that the store has made to the folder of a backup: at no cost on the same file system; elsewhere only what the
//! backup before does not have is copied. Tables and blobs never change once they are written.

use std::fs::{self, DirBuilder, File};
use std::io;
use std::os::unix::fs::{DirBuilderExt as _, MetadataExt as _};
use std::path::Path;

use storage::upkeep::{Stage, Walk};

use super::manifest::{Entry, Manifest};

/// Puts the copy there, on stable storage, and returns its files.
pub(super) fn ship(
    copy: &Path,
    to: &Path,
    last: Option<&(impl AsRef<Path>, Manifest)>,
    walk: &Walk,
) -> io::Result<Vec<Entry>> {
    let files = entries(copy)?;
    match fs::rename(copy, to) {
        Ok(()) => return Ok(files),
        Err(error) if error.kind() == io::ErrorKind::CrossesDevices => {}
        Err(error) => return Err(error),
    }
    let last = last.map(|(folder, manifest)| (folder.as_ref(), manifest));
    copy_all(copy, to, &files, last, walk)?;
    Ok(files)
}

/// Copies what is not in the backup before.
fn copy_all(
    from: &Path,
    to: &Path,
    files: &[Entry],
    last: Option<(&Path, &Manifest)>,
    walk: &Walk,
) -> io::Result<()> {
    let known = |file: &Entry| {
        let (folder, manifest) = last?;
        let is_there = is_immutable(&file.path) && manifest.files.contains(file);
        is_there.then(|| folder.join(&file.path))
    };
    let octets = files.iter().filter(|file| known(file).is_none());
    walk.enter(Stage::Copying, octets.map(|file| file.octets).sum());
    let mut private = DirBuilder::new();
    private.mode(0o700);
    private.create(to)?;
    let mut folders = vec![to.to_owned()];
    for file in files {
        let target = to.join(&file.path);
        if let Some(folder) = target.parent().filter(|folder| !folder.exists()) {
            private.create(folder)?;
            folders.push(folder.to_owned());
        }
        walk.step(0).map_err(io::Error::other)?;
        // Not every file system has links, or so many, and not every file may be linked to.
        if known(file).is_some_and(|known| fs::hard_link(known, &target).is_ok()) {
            continue;
        }
        fs::copy(from.join(&file.path), &target)?;
        File::open(&target)?.sync_all()?;
        walk.step(file.octets).map_err(io::Error::other)?;
    }
    folders
        .iter()
        .try_for_each(|folder| File::open(folder)?.sync_all())
}

/// Whether a file of RocksDB stays as it is for as long as it is there.
pub(super) fn is_immutable(path: &str) -> bool {
    path.ends_with(".sst") || path.ends_with(".blob")
}

/// All files of a copy: those in it, and those in the folder of the database.
fn entries(copy: &Path) -> io::Result<Vec<Entry>> {
    let mut files = Vec::new();
    for within in ["", "db"] {
        for found in fs::read_dir(copy.join(within))? {
            let found = found?;
            let about = found.metadata()?;
            if !about.is_file() {
                continue;
            }
            let path = Path::new(within).join(found.file_name());
            files.push(Entry {
                path: path.to_string_lossy().into_owned(),
                octets: about.len(),
                inode: about.ino(),
                modified: i128::from(about.mtime()) * 1_000_000_000
                    + i128::from(about.mtime_nsec()),
            });
        }
    }
    files.sort_by(|a, b| a.path.cmp(&b.path));
    Ok(files)
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use storage::model::UnixMillis;
    use tempfile::TempDir;

    use super::*;
    use crate::backup::Kind;

    fn inode(path: &Path) -> u64 {
        fs::metadata(path).expect("it is there").ino()
    }

    #[test]
    fn elsewhere_only_new_files_are_copied() {
        let place = TempDir::new().expect("there is place");
        let copy = place.path().join("copy");
        fs::create_dir_all(copy.join("db")).expect("made");
        for (name, octets) in [("format", 2), ("db/1.sst", 100), ("db/MANIFEST-1", 10)] {
            fs::write(copy.join(name), vec![7; octets]).expect("written");
        }
        let (first, second) = (place.path().join("first"), place.path().join("second"));
        let files = entries(&copy).expect("readable");
        let walk = Walk::default();
        copy_all(&copy, &first, &files, None, &walk).expect("copied");
        assert_eq!(walk.look().done, 112);
        let manifest = Manifest {
            sequence: 1,
            kind: Kind::Backup,
            began_at: UnixMillis(1),
            took: Duration::ZERO,
            hostname: "h".to_owned(),
            is_verified: false,
            new_octets: 0,
            files,
        };
        fs::write(copy.join("db/2.sst"), [7; 30]).expect("written");
        let files = entries(&copy).expect("readable");
        let walk = Walk::default();
        copy_all(&copy, &second, &files, Some((&first, &manifest)), &walk).expect("copied");
        assert_eq!(walk.look().done, 42, "the table is there already");
        assert_eq!(
            inode(&first.join("db/1.sst")),
            inode(&second.join("db/1.sst"))
        );
        assert_ne!(
            inode(&first.join("db/MANIFEST-1")),
            inode(&second.join("db/MANIFEST-1"))
        );
        // What cannot be linked to is copied.
        let fourth = place.path().join("fourth");
        let nowhere = place.path().join("nowhere");
        let walk = Walk::default();
        copy_all(&copy, &fourth, &files, Some((&nowhere, &manifest)), &walk).expect("copied");
        assert_eq!(walk.look().done, 142);
        // A table of another life of the store may have the same name and size.
        fs::remove_file(copy.join("db/1.sst")).expect("removed");
        fs::write(place.path().join("other"), [8; 100]).expect("written");
        fs::rename(place.path().join("other"), copy.join("db/1.sst")).expect("renamed");
        let third = place.path().join("third");
        let files = entries(&copy).expect("readable");
        copy_all(&copy, &third, &files, Some((&first, &manifest)), &walk).expect("copied");
        assert_eq!(
            fs::read(third.join("db/1.sst")).expect("readable"),
            [8; 100]
        );
    }

    #[test]
    fn it_ends_between_two_files_when_it_is_not_to_go_on() {
        let place = TempDir::new().expect("there is place");
        let copy = place.path().join("copy");
        fs::create_dir_all(copy.join("db")).expect("made");
        fs::write(copy.join("format"), "1\n").expect("written");
        let walk = Walk::default();
        walk.abort();
        let files = entries(&copy).expect("readable");
        let to = place.path().join("to");
        copy_all(&copy, &to, &files, None, &walk).expect_err("it is ended");
        assert!(!to.join("format").exists());
    }
}
