//! A backup becomes the data folder of a store again.

use std::fs::{self, DirBuilder, File};
use std::io;
use std::os::unix::fs::DirBuilderExt as _;
use std::path::Path;

use super::ship::is_immutable;
use super::{Backup, Backups};

/// Where it is put together: whatever breaks off here is no store.
const UNFINISHED: &str = "restoring";

/// Puts a backup, or the newest whole one in a folder of backups, into a data folder without a store. Tables are shared with the
/// backup on the same file system, all else is copied. Returns which one it was.
///
/// # Errors
/// A sentence that says what to do.
pub(crate) fn put_in_place(from: &Path, data: &Path, hostname: &str) -> Result<Backup, String> {
    let (folder, backup) = find(from)?;
    let backed_up = &backup.manifest.hostname;
    if backed_up != hostname {
        return Err(format!(
            "the backup is of the store {backed_up}, and storage.hostname is {hostname}: it is part of the Message-IDs and must \
             stay; configure {backed_up}"
        ));
    }
    let failed = |error: io::Error| {
        format!(
            "{} could not be put into {}: {error}; mend that, and do it again",
            folder.display(),
            data.display()
        )
    };
    refuse_unless_empty(data)?;
    copy_all(&folder, data, &backup).map_err(failed)?;
    Ok(backup)
}

fn find(from: &Path) -> Result<(std::path::PathBuf, Backup), String> {
    if let Some(backup) = Backup::read(from) {
        return match backup.is_complete {
            true => Ok((from.to_owned(), backup)),
            false => Err(format!(
                "the backup {} is not whole: files of its manifest are missing, or have other sizes; take another one",
                from.display()
            )),
        };
    }
    let unreadable = |error| format!("{} cannot be read: {error}", from.display());
    let all = Backups::new(from.to_owned(), 1)
        .list()
        .map_err(unreadable)?;
    let newest = all.into_iter().find(|backup| backup.is_complete);
    let newest = newest.ok_or_else(|| {
        format!(
            "{} is neither a backup nor a folder with a whole one; name one that `restantectl backup` has made",
            from.display()
        )
    })?;
    Ok((from.join(&newest.name), newest))
}

fn refuse_unless_empty(data: &Path) -> Result<(), String> {
    let entries = match fs::read_dir(data) {
        Ok(entries) => entries,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(()),
        Err(error) => return Err(format!("{} cannot be read: {error}", data.display())),
    };
    let names = entries.flatten().map(|entry| entry.file_name());
    let mut others = names.filter(|name| name != UNFINISHED);
    others.next().map_or(Ok(()), |name| {
        Err(format!(
            "the data folder {} is not empty (there is {}): a backup is put only where there is no store; move the folder \
             away first, nothing was changed",
            data.display(),
            name.display()
        ))
    })
}

fn copy_all(from: &Path, data: &Path, backup: &Backup) -> io::Result<()> {
    let mut private = DirBuilder::new();
    private.recursive(true).mode(0o700);
    private.create(data)?;
    let unfinished = data.join(UNFINISHED);
    if unfinished.exists() {
        fs::remove_dir_all(&unfinished)?;
    }
    private.create(&unfinished)?;
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
    // The format last: a folder without it is refused as damaged, not taken for a new store.
    let mut names: Vec<_> = fs::read_dir(&unfinished)?
        .map(|entry| Ok(entry?.file_name()))
        .collect::<io::Result<_>>()?;
    names.sort_by_key(|name| name == "format");
    for name in names {
        fs::rename(unfinished.join(&name), data.join(&name))?;
    }
    fs::remove_dir(&unfinished)?;
    File::open(data)?.sync_all()
}
