//! What processes answer: what `log-filter` and `config` print.

use std::time::Duration;

use proto::v1::process_answer::Answer;
use proto::v1::{ConfigurationChange, ConfigurationKey, LogFilterChange, ProcessAnswer};
use serde::Serialize;

use super::non_empty;

/// The answer of one process; what was not asked for is `null`.
#[derive(Debug, Serialize)]
pub(crate) struct ProcessRecord {
    pub(crate) process: String,
    /// Why it does not do what it was asked to.
    pub(crate) refusal: Option<String>,
    pub(crate) log_filter: Option<LogFilterRecord>,
    pub(crate) configuration: Option<Vec<KeyRecord>>,
    /// What has changed and holds.
    pub(crate) applied: Option<Vec<ChangedKeyRecord>>,
    /// What has changed and waits for a restart.
    pub(crate) waiting: Option<Vec<ChangedKeyRecord>>,
}

/// Which lines it writes.
#[derive(Debug, Serialize)]
pub(crate) struct LogFilterRecord {
    pub(crate) configured: String,
    pub(crate) changes: Vec<FilterChangeRecord>,
}

/// What holds besides, for a while.
#[derive(Debug, Serialize)]
pub(crate) struct FilterChangeRecord {
    pub(crate) directive: String,
    /// Seconds that are left.
    pub(crate) left_s: u64,
}

/// A key of the configuration.
#[derive(Debug, Serialize)]
pub(crate) struct KeyRecord {
    pub(crate) key: String,
    pub(crate) value: String,
    /// Where it is written; `null`: the default.
    pub(crate) place: Option<String>,
    pub(crate) reloadable: bool,
}

/// A key that has changed.
#[derive(Debug, Serialize)]
pub(crate) struct ChangedKeyRecord {
    pub(crate) key: String,
    pub(crate) from: String,
    pub(crate) to: String,
}

impl From<ProcessAnswer> for ProcessRecord {
    fn from(answer: ProcessAnswer) -> Self {
        let mut record = Self {
            process: answer.process,
            refusal: None,
            log_filter: None,
            configuration: None,
            applied: None,
            waiting: None,
        };
        match answer.answer {
            Some(Answer::Refusal(why)) => record.refusal = Some(why),
            Some(Answer::LogFilter(filter)) => {
                record.log_filter = Some(LogFilterRecord {
                    configured: filter.configured,
                    changes: filter.changes.into_iter().map(Into::into).collect(),
                });
            }
            Some(Answer::Configuration(configuration)) => {
                let keys = configuration.keys.into_iter();
                record.configuration = Some(keys.map(Into::into).collect());
            }
            Some(Answer::Changes(changes)) => {
                let all = |changes: Vec<ConfigurationChange>| {
                    changes.into_iter().map(Into::into).collect()
                };
                record.applied = Some(all(changes.applied));
                record.waiting = Some(all(changes.waiting));
            }
            None => record.refusal = Some("it is newer than restantectl".to_owned()),
        }
        record
    }
}

impl From<LogFilterChange> for FilterChangeRecord {
    fn from(change: LogFilterChange) -> Self {
        let left = change.left.and_then(|left| Duration::try_from(left).ok());
        Self {
            directive: change.directive,
            left_s: left.unwrap_or_default().as_secs(),
        }
    }
}

impl From<ConfigurationKey> for KeyRecord {
    fn from(key: ConfigurationKey) -> Self {
        Self {
            key: key.key,
            value: key.value,
            place: non_empty(key.place),
            reloadable: key.reloadable,
        }
    }
}

impl From<ConfigurationChange> for ChangedKeyRecord {
    fn from(ConfigurationChange { key, from, to }: ConfigurationChange) -> Self {
        Self { key, from, to }
    }
}
