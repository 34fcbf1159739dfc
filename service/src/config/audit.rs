//! Where the audit log is.

use std::convert::Infallible;
use std::path::PathBuf;
use std::str::FromStr;

use daemon::config::TextValue;

use super::Config;

daemon::section! {
    /// The audit log: who changed what or read a content by gRPC, when and why, a JSON object per line.
    pub struct AuditLog in "audit" {
        /// The file; `auto`: `audit.jsonl` in `storage.data_dir`; `off`: none is kept. One that is moved away is followed by a new
        /// one. While it cannot be written nothing can be changed by operators.
        file: AuditFile = "auto",
    }
}

/// Where the audit log is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum AuditFile {
    /// In the data folder.
    Auto,
    /// Nowhere.
    Off,
    /// There.
    At(PathBuf),
}

impl FromStr for AuditFile {
    type Err = Infallible;

    fn from_str(text: &str) -> Result<Self, Infallible> {
        Ok(match text {
            "auto" => Self::Auto,
            "off" => Self::Off,
            path => Self::At(path.into()),
        })
    }
}

impl TextValue for AuditFile {
    const EXPECTED: &'static str = "`auto`, `off`, or the path of a file";
}

impl Config {
    /// The file of the audit log, if one is kept.
    pub(crate) fn audit_file(&self) -> Option<PathBuf> {
        match &self.audit.file {
            AuditFile::Auto => Some(self.process.data_dir.join("audit.jsonl")),
            AuditFile::Off => None,
            AuditFile::At(path) => Some(path.clone()),
        }
    }
}
