//! Mistakes in the configuration and where they are.

use std::fmt;
use std::sync::Arc;

/// Where a mistake is. The order is that of a reader: the file from top to bottom, then the
/// environment.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub enum Place {
    /// The file as a whole, or a key that it does not mention.
    File(Arc<str>),
    /// A line and a column (both from 1, in characters) of the file.
    Line(Arc<str>, usize, usize),
    /// The environment variable of this name.
    Environment(String),
    /// No file was given: a value that came from the defaults.
    Defaults,
}

impl Place {
    /// Whether both places are on one line of the file.
    pub(super) fn same_line(&self, other: &Self) -> bool {
        match (self, other) {
            (Self::Line(_, line, _), Self::Line(_, other, _)) => line == other,
            _ => false,
        }
    }
}

impl fmt::Display for Place {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::File(name) => f.write_str(name),
            Self::Line(name, line, column) => write!(f, "{name}:{line}:{column}"),
            Self::Environment(name) => write!(f, "environment {name}"),
            Self::Defaults => f.write_str("defaults"),
        }
    }
}

/// One mistake, printed as `restante.toml:12:1: push.delay: expected …`.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, thiserror::Error)]
#[error("{place}: {}{sentence}", prefix(.key))]
pub struct ConfigError {
    /// Where it is.
    pub place: Place,
    /// The key as `section.key`; empty when no single key is at fault.
    pub key: String,
    /// What is wrong and what is expected.
    pub sentence: String,
}

fn prefix(key: &str) -> String {
    if key.is_empty() {
        String::new()
    } else {
        format!("{key}: ")
    }
}

/// All mistakes of one configuration, one per line, in the order of the file and then of the
/// environment. Never empty.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ConfigErrors(pub(super) Vec<ConfigError>);

impl ConfigErrors {
    /// The mistakes one by one.
    pub fn iter(&self) -> impl Iterator<Item = &ConfigError> {
        self.0.iter()
    }
}

impl fmt::Display for ConfigErrors {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (index, error) in self.0.iter().enumerate() {
            let separator = if index == 0 { "" } else { "\n" };
            write!(f, "{separator}{error}")?;
        }
        Ok(())
    }
}

impl std::error::Error for ConfigErrors {}
