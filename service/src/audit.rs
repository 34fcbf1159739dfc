//! The audit log: who changed what or read a content, when, why, and what came of it. One JSON object per line, in a file of
//! its own that is only ever added to.
//!
//! A call that needs the role operator or body reader leaves two lines: `asked`, which is on disk before the call is looked at, so
//! that nothing happens that is not told, and `answered`, which is on disk before the caller has his answer. Where `asked`
//! cannot be written the call is refused. A call that its caller has no role for leaves one line, `refused`.

mod file;
mod line;

use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use daemon::exit::{Code, Fatal};
use daemon::readiness::Condition;
use proto::v1;
use storage::model::Clock;
use tonic::Status;

use crate::status;

pub(crate) use self::line::{Line, Question, Stage, read};

/// Where calls are told of; clones share it.
#[derive(Clone)]
pub(crate) struct Audit(Option<Arc<Kept>>);

struct Kept {
    file: file::AuditFile,
    clock: Arc<dyn Clock>,
    /// Tells the calls of this process from those of its other lives.
    life: u64,
    calls: AtomicU64,
}

/// What a method knows of its change that its request does not say; it travels in the extensions of the response.
#[derive(Clone, Debug, Default)]
pub(crate) struct Change {
    /// Messages changed.
    pub(crate) messages: u64,
    /// What was there.
    pub(crate) before: Option<serde_json::Value>,
    /// What is there now.
    pub(crate) after: Option<serde_json::Value>,
}

impl Change {
    /// Of one message; `before` is its state as it was found.
    pub(crate) fn of_message(before: Option<v1::MessageState>, after: v1::MessageState) -> Self {
        let told = |state: v1::MessageState| {
            let name = state.as_str_name().trim_start_matches("MESSAGE_STATE_");
            serde_json::json!({ "state": name.to_ascii_lowercase() })
        };
        Self {
            messages: 1,
            before: before.map(told),
            after: Some(told(after)),
        }
    }
}

impl Audit {
    /// None is kept.
    pub(crate) fn off() -> Self {
        Self(None)
    }

    /// Adds to this file, which is made if it is not there. `condition` warns while it cannot be written.
    ///
    /// # Errors
    /// [`Code::Io`] if it cannot be opened.
    pub(crate) fn open(
        path: &Path,
        clock: Arc<dyn Clock>,
        condition: Condition,
    ) -> Result<Self, Fatal> {
        let file = file::AuditFile::open(path, condition).map_err(|error| {
            let path = path.display();
            Fatal::new(Code::Io, format!("audit.file: {path}: {error}"))
        })?;
        Ok(Self(Some(Arc::new(Kept {
            file,
            life: clock.now().0,
            clock,
            calls: AtomicU64::new(0),
        }))))
    }

    /// Whether one is kept.
    pub(crate) fn is_kept(&self) -> bool {
        self.0.is_some()
    }

    /// Names a call: unique over all lives of the process.
    pub(crate) fn call(&self) -> String {
        self.0.as_ref().map_or_else(String::new, |kept| {
            let number = kept.calls.fetch_add(1, Ordering::Relaxed);
            format!("{}-{number}", kept.life)
        })
    }

    /// Adds a line and returns once it is on disk.
    ///
    /// # Errors
    /// UNAVAILABLE with the reason `AUDIT_FAILED` if it is not.
    pub(crate) async fn write(&self, line: Line<'_>) -> Result<(), Status> {
        let Some(kept) = &self.0 else {
            return Ok(());
        };
        let octets = line.octets(kept.clock.now());
        kept.file.append(octets).await.map_err(|error| {
            let message = format!("the audit log cannot be written: {error}");
            status::with_reason(tonic::Code::Unavailable, "AUDIT_FAILED", message)
        })
    }
}

impl std::fmt::Debug for Audit {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_tuple("Audit").field(&self.is_kept()).finish()
    }
}
