//! A disk that can be broken and a clock that can be set: `shim/disk.c` and `shim/clock.c`, compiled and preloaded
//! into the process with the store.

use std::collections::HashMap;
use std::fs;
use std::os::unix::fs::{FileExt as _, MetadataExt as _};
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

use tempfile::TempDir;

use crate::deployment::Plan;

/// Switches of the shim of one deployment.
#[derive(Debug)]
pub struct Shim {
    folder: TempDir,
}

impl Shim {
    /// Compiles the shim.
    ///
    /// # Panics
    /// When there is no C compiler.
    pub fn new() -> Self {
        let folder = tempfile::tempdir().expect("a temporary folder");
        compile("disk.c", &folder.path().join("disk.so"));
        fs::create_dir(folder.path().join("undo")).expect("a folder of ours");
        Self { folder }
    }

    /// A plan whose store runs on this disk, with its data in [`Shim::data`].
    pub fn under(&self, plan: Plan) -> Plan {
        fs::create_dir_all(self.data()).expect("a folder of ours");
        plan.set("storage.data_dir", &self.data().display().to_string())
            .storage_variable("LD_PRELOAD", self.folder.path().join("disk.so"))
            .storage_variable("SHIM_ROOT", self.data())
            .storage_variable("SHIM_UNDO", self.folder.path().join("undo"))
            .storage_variable("SHIM_HANG", self.folder.path().join("hang"))
            .storage_variable("SHIM_FAIL", self.folder.path().join("fail"))
            .storage_variable("SHIM_SLOW", self.folder.path().join("slow"))
            .storage_variable("SHIM_FULL", self.folder.path().join("full"))
            .storage_variable("SHIM_IGNORE_SYNC", self.folder.path().join("ignore"))
    }

    /// The folder of the store.
    pub fn data(&self) -> PathBuf {
        let folder = self.folder.path().canonicalize().expect("a folder of ours");
        folder.join("data")
    }

    /// From now on, syncs never return.
    pub fn hang(&self) {
        self.switch("hang");
    }

    /// From now on, syncs fail.
    pub fn fail(&self) {
        self.switch("fail");
    }

    /// From now on, a sync takes so long.
    ///
    /// # Panics
    /// When the folder of the shim cannot be written to.
    pub fn slow_down(&self, time: Duration) {
        let millis = time.as_millis().to_string();
        fs::write(self.folder.path().join("slow"), millis).expect("a folder of ours");
    }

    /// From now on, there is no room for anything that is written.
    pub fn fill(&self) {
        self.switch("full");
    }

    /// From now on, syncs are pretended: they succeed and make nothing durable.
    pub fn ignore_syncs(&self) {
        self.switch("ignore");
    }

    /// The disk is sound again.
    pub fn mend(&self) {
        for name in ["hang", "fail", "slow", "full", "ignore"] {
            // It may not be broken.
            let _ = fs::remove_file(self.folder.path().join(name));
        }
    }

    fn switch(&self, name: &str) {
        fs::write(self.folder.path().join(name), "").expect("a folder of ours");
    }

    /// The power cut: takes back everything that no completed sync covers. To be called after the
    /// process was killed.
    ///
    /// # Panics
    /// When the undo logs cannot be read.
    pub fn cut_power(&self) {
        let undo = self.folder.path().join("undo");
        undo_renames(&undo.join("renames"));
        let files = files_by_inode(&self.data());
        for entry in fs::read_dir(&undo).expect("a folder of ours") {
            let log = entry.expect("a folder of ours").path();
            let inode = log.file_name().and_then(|name| name.to_str()?.parse().ok());
            if let Some(file) = inode.and_then(|inode: u64| files.get(&inode)) {
                undo_changes(&fs::read(&log).expect("a file of ours"), file);
            }
        }
        fs::remove_dir_all(&undo)
            .and_then(|()| fs::create_dir(&undo))
            .expect("a folder of ours");
    }
}

impl Default for Shim {
    fn default() -> Self {
        Self::new()
    }
}

/// A wall clock that tests set.
#[derive(Debug)]
pub struct WallClock {
    folder: TempDir,
}

impl WallClock {
    /// A clock that is right.
    ///
    /// # Panics
    /// When there is no C compiler.
    pub fn new() -> Self {
        let folder = tempfile::tempdir().expect("a temporary folder");
        compile("clock.c", &folder.path().join("clock.so"));
        Self { folder }
    }

    /// A plan whose store has this clock.
    pub fn over(&self, plan: Plan) -> Plan {
        plan.storage_variable("LD_PRELOAD", self.folder.path().join("clock.so"))
            .storage_variable("SHIM_CLOCK", self.folder.path().join("off"))
    }

    /// From now on it is wrong by so many seconds.
    ///
    /// # Panics
    /// When the folder of the clock cannot be written to.
    pub fn be_off(&self, seconds: i64) {
        // At once: who reads it finds the old number or the new one.
        let new = self.folder.path().join("new");
        fs::write(&new, seconds.to_string()).expect("a folder of ours");
        fs::rename(new, self.folder.path().join("off")).expect("a folder of ours");
    }
}

impl Default for WallClock {
    fn default() -> Self {
        Self::new()
    }
}

fn compile(source: &str, library: &Path) {
    let source = Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("shim")
        .join(source);
    let compiler = Command::new("cc")
        .args(["-shared", "-fPIC", "-O2", "-Wall", "-Werror", "-o"])
        .args([library, &source])
        .args(["-ldl", "-lpthread"])
        .output();
    let output = compiler.expect("a C compiler: install the Debian package gcc");
    let errors = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{errors}");
}

fn undo_renames(log: &Path) {
    let Ok(octets) = fs::read(log) else { return };
    let text = String::from_utf8(octets).expect("paths of ours");
    let fields: Vec<&str> = text.split_terminator('\0').collect();
    for rename in fields.rchunks_exact(3) {
        let [from, to, backup] = rename else {
            unreachable!("chunks of three")
        };
        // What was renamed may have been removed since.
        let _ = fs::rename(to, from);
        if !backup.is_empty() {
            fs::rename(backup, to).expect("a backup of ours");
        }
    }
}

fn files_by_inode(folder: &Path) -> HashMap<u64, PathBuf> {
    let mut files = HashMap::new();
    for entry in fs::read_dir(folder).expect("the folder of the store") {
        let path = entry.expect("the folder of the store").path();
        let metadata = fs::metadata(&path).expect("a file of the store");
        if metadata.is_dir() {
            files.extend(files_by_inode(&path));
        } else {
            files.insert(metadata.ino(), path);
        }
    }
    files
}

/// One record of an undo log, in host byte order.
struct Change<'a> {
    is_creation: bool,
    offset: u64,
    old_size: u64,
    old: &'a [u8],
}

fn changes(mut log: &[u8]) -> Vec<Change<'_>> {
    let mut changes = Vec::new();
    while let Some((head, rest)) = log.split_first_chunk::<32>() {
        let number = |index: usize| {
            let octets = head[index * 8..][..8].try_into().expect("eight octets");
            u64::from_ne_bytes(octets)
        };
        let length = usize::try_from(number(3)).expect("it is in memory");
        // The last record may be cut by the kill; its change did not happen then.
        let Some(old) = rest.get(..length) else { break };
        changes.push(Change {
            is_creation: number(0) == 2,
            offset: number(1),
            old_size: number(2),
            old,
        });
        log = &rest[length..];
    }
    changes
}

/// Takes the changes back, the last one first.
fn undo_changes(log: &[u8], path: &Path) {
    let changes = changes(log);
    for change in changes.iter().rev() {
        if change.is_creation {
            fs::remove_file(path).expect("a file of the store");
            return;
        }
        let file = fs::OpenOptions::new()
            .write(true)
            .open(path)
            .expect("a file of the store");
        file.set_len(change.old_size).expect("a file of the store");
        file.write_all_at(change.old, change.offset)
            .expect("a file of the store");
    }
}
