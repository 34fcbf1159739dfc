//! Folders that nothing may be left of.

use std::fs;
use std::path::{Path, PathBuf};

/// A folder that is removed when this is dropped, which blocks, unless it is kept: a copy that stays has the disk keep what the
/// store has removed, and keys that were erased. What cannot be removed now is removed before the place is used again.
#[derive(Debug)]
pub(crate) struct Scrap {
    folder: PathBuf,
    is_kept: bool,
}

impl Scrap {
    /// Whatever is at `folder`, now or later.
    pub(crate) fn new(folder: PathBuf) -> Self {
        Self {
            folder,
            is_kept: false,
        }
    }

    /// Where it is.
    pub(crate) fn path(&self) -> &Path {
        &self.folder
    }

    /// It has become something, and stays.
    pub(crate) fn keep(mut self) {
        self.is_kept = true;
    }
}

impl Drop for Scrap {
    fn drop(&mut self) {
        if !self.is_kept {
            let _ = fs::remove_dir_all(&self.folder);
        }
    }
}
