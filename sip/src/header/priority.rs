//! Priority (RFC 3261 §20.26).

use std::fmt;

/// Urgency of a request; declared from least to most urgent, so that it orders.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Priority {
    /// `non-urgent`.
    NonUrgent,
    /// `normal`, and any token without a meaning here (requirements 2.13).
    #[default]
    Normal,
    /// `urgent`.
    Urgent,
    /// `emergency`.
    Emergency,
}

impl Priority {
    /// Reads a token in any letter case; unknown ones are `Normal`.
    pub fn from_token(token: &str) -> Self {
        [Self::NonUrgent, Self::Urgent, Self::Emergency]
            .into_iter()
            .find(|priority| priority.as_str().eq_ignore_ascii_case(token))
            .unwrap_or_default()
    }

    /// The token on the wire.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::NonUrgent => "non-urgent",
            Self::Normal => "normal",
            Self::Urgent => "urgent",
            Self::Emergency => "emergency",
        }
    }
}

impl fmt::Display for Priority {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}
