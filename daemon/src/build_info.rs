//! Which build this is.

use std::fmt;

/// Version and source of the running binary.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct BuildInfo {
    /// Version of the workspace.
    pub version: &'static str,
    /// Commit it was built from, given to the build as `RESTANTE_COMMIT`; `unknown` otherwise.
    pub commit: &'static str,
}

/// The build of the running binary.
pub const BUILD: BuildInfo = BuildInfo {
    version: env!("CARGO_PKG_VERSION"),
    commit: match option_env!("RESTANTE_COMMIT") {
        Some(commit) => commit,
        None => "unknown",
    },
};

impl fmt::Display for BuildInfo {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} ({})", self.version, self.commit)
    }
}
