//! The file of rows that could not be imported: CSV as it is read, with the reason as one more column, to be corrected and
//! imported again.

use std::fs::File;
use std::io;
use std::path::{Path, PathBuf};

use csv::Writer;

use super::row::{COLUMNS, Record};
use crate::exit::Failure;

/// The last column.
const REASON: &str = "reason";

/// The file, which is there once a row is written to it.
pub(super) struct RejectedFile {
    path: PathBuf,
    writer: Writer<File>,
}

impl RejectedFile {
    /// Makes it, in the place of one that is there.
    pub(super) fn create(path: &Path) -> Result<Self, Failure> {
        let writer = Writer::from_path(path);
        let mut this = Self {
            path: path.to_owned(),
            writer: writer.map_err(|error| failed(path, error.into()))?,
        };
        let header = COLUMNS.into_iter().chain([REASON]);
        let written = this.writer.write_record(header);
        written.map_err(|error| failed(path, error.into()))?;
        Ok(this)
    }

    /// Adds a row.
    pub(super) fn add(&mut self, record: &Record, reason: &str) -> Result<(), Failure> {
        let fields = record.fields().chain([reason.as_bytes()]);
        let written = self.writer.write_record(fields);
        written.map_err(|error| failed(&self.path, error.into()))
    }

    /// Writes what is left.
    pub(super) fn finish(mut self) -> Result<(), Failure> {
        self.writer
            .flush()
            .map_err(|error| failed(&self.path, error))
    }
}

fn failed(path: &Path, source: io::Error) -> Failure {
    Failure::ImportFile {
        path: path.display().to_string(),
        source,
    }
}
