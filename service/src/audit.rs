//! The audit log: who changed what or read a content, when, why, and what came of it. One JSON object per line, in a file of
//! its own that is only ever added to.
//!
//! A call that needs the role operator or body reader leaves two lines: `asked`, which is on disk before the call is looked at, so
//! that nothing happens that is not told, and `answered`, which is on disk before the caller has his answer. Where `asked`
//! cannot be written the call is refused. Long work leaves a third, `ended`, when it is done. A call that its caller has no role
//! for leaves one line, `refused`, unless there are too many of them. Who signs in to the console, or out of it, leaves one line
//! too.

mod file;
mod line;
mod refusals;

use std::path::Path;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Instant;

use daemon::exit::{Code, Fatal};
use daemon::readiness::Condition;
use proto::v1;
use storage::model::Clock;
use tonic::Status;

use self::refusals::Refusals;
use crate::access::Role;
use crate::status;

pub(crate) use self::line::{Line, Question, Stage, cut, is_streamed, read};

/// Where calls are told of; clones share it.
#[derive(Clone)]
pub(crate) struct Audit(Option<Arc<Kept>>);

struct Kept {
    file: file::AuditFile,
    clock: Arc<dyn Clock>,
    /// Tells the calls of this process from those of its other lives.
    life: u64,
    calls: AtomicU64,
    refusals: Mutex<Refusals>,
}

/// Tells how the work of a call has ended whose answer begins before it is done; it travels in the extensions of the request.
#[derive(Clone, Debug)]
pub(crate) struct Ending {
    audit: Audit,
    question: Arc<Question>,
}

impl Ending {
    pub(crate) fn new(audit: Audit, question: Arc<Question>) -> Self {
        Self { audit, question }
    }

    /// Returns once it is on disk, or cannot be: what was asked is on disk, and readiness says the rest.
    pub(crate) async fn tell(&self, ended: Result<&Change, &Status>) {
        let line = self.question.line(Stage::Ended);
        let line = match ended {
            Ok(change) => line
                .with_outcome(status::name(tonic::Code::Ok), "")
                .with_change(change.clone()),
            Err(status) => line.with_outcome(status::name(status.code()), status.message()),
        };
        let _ = self.audit.write(line).await;
    }
}

/// What a method knows of its change that its request does not say; it travels in the extensions of the response.
#[derive(Clone, Debug, Default)]
pub(crate) struct Change {
    /// Messages changed; zero: it is not about messages.
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

    /// Of what somebody may do in the console, which he could not before.
    pub(crate) fn of_roles(roles: &[Role]) -> Self {
        let roles: Vec<_> = roles.iter().map(|role| role.name()).collect();
        Self {
            after: Some(serde_json::json!({ "roles": roles })),
            ..Self::default()
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
            refusals: Mutex::default(),
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

    /// How many refused calls were not told of since the last one that was; none if the next one is not to be told of
    /// either, or no log is kept.
    pub(crate) fn next_refusal(&self) -> Option<u64> {
        let kept = self.0.as_ref()?;
        let mut refusals = kept.refusals.lock().unwrap_or_else(PoisonError::into_inner);
        refusals.next(Instant::now())
    }

    /// Tells of somebody who goes in to the console or out of it; `roles`: what he may do there.
    ///
    /// # Errors
    /// As [`Audit::write`].
    pub(crate) async fn write_visit(
        &self,
        verb: &str,
        visitor: &str,
        roles: Option<&[Role]>,
    ) -> Result<(), Status> {
        let question = Question {
            call: self.call(),
            who: format!("{visitor} in the console"),
            role: Role::Reader.name(),
            verb: verb.to_owned(),
            reason: String::new(),
            request: None,
        };
        let line = question.line(Stage::Answered).with_outcome("OK", "");
        let line = match roles {
            Some(roles) => line.with_change(Change::of_roles(roles)),
            None => line,
        };
        self.write(line).await
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
