//! What came of each item of a change.

use serde::Serialize;

use super::ListedMessage;
use crate::exit::Failure;

/// How it went for one item.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Outcome {
    /// It happened.
    Done,
    /// It did not happen; `error` says why.
    Failed,
    /// Dry run: it would happen.
    WouldDo,
    /// Dry run: it would be refused; `error` says why.
    WouldFail,
}

/// One message of `redeliver`, `hold`, `unhold`, `expire`, `delete` or `recall`.
#[derive(Debug, Serialize)]
pub(crate) struct ChangeRecord {
    pub(crate) message_id: String,
    pub(crate) command: &'static str,
    pub(crate) outcome: Outcome,
    pub(crate) message: Option<ListedMessage>,
    pub(crate) error: Option<ErrorRecord>,
}

/// Why one item failed.
#[derive(Debug, Serialize)]
pub(crate) struct ErrorRecord {
    pub(crate) code: &'static str,
    pub(crate) text: String,
}

impl ErrorRecord {
    /// A refusal that this client foresees or concludes itself.
    pub(crate) fn precondition(text: impl Into<String>) -> Self {
        Self {
            code: "failed_precondition",
            text: text.into(),
        }
    }
}

impl From<&Failure> for ErrorRecord {
    fn from(failure: &Failure) -> Self {
        let code = match failure {
            Failure::Item { code, .. } => code,
            _ => "invalid_argument",
        };
        Self {
            code,
            text: failure.to_string(),
        }
    }
}
