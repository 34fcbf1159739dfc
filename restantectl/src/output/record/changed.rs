//! What came of each item of a change.

use proto::v1::{PushMailboxReply, PushPlan};
use serde::Serialize;

use super::{ListedMessage, word};
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

/// One mailbox of `push`.
#[derive(Debug, Serialize)]
pub(crate) struct PushRecord {
    pub(crate) served_user: String,
    pub(crate) outcome: Outcome,
    pub(crate) plan: Option<String>,
    pub(crate) waiting: Option<u64>,
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

impl PushRecord {
    /// The record of the server's answer about `served_user`.
    pub(crate) fn answered(served_user: String, reply: PushMailboxReply) -> Self {
        let is_unregistered = reply.plan() == PushPlan::NotRegistered;
        let error = is_unregistered.then(not_registered);
        Self {
            served_user,
            outcome: if is_unregistered {
                Outcome::Failed
            } else {
                Outcome::Done
            },
            plan: Some(plan_name(reply.plan)),
            waiting: Some(reply.waiting),
            error,
        }
    }

    /// The record of what a push would come to.
    pub(crate) fn foreseen(served_user: String, plan: PushPlan, waiting: u64) -> Self {
        let is_unregistered = plan == PushPlan::NotRegistered;
        Self {
            served_user,
            outcome: if is_unregistered {
                Outcome::WouldFail
            } else {
                Outcome::WouldDo
            },
            plan: Some(plan_name(plan.into())),
            waiting: Some(waiting),
            error: is_unregistered.then(not_registered),
        }
    }

    /// The record of a mailbox that could not be pushed.
    pub(crate) fn failed(served_user: String, outcome: Outcome, failure: &Failure) -> Self {
        Self {
            served_user,
            outcome,
            plan: None,
            waiting: None,
            error: Some(failure.into()),
        }
    }
}

fn plan_name(plan: i32) -> String {
    word(plan, PushPlan::as_str_name, "PUSH_PLAN_")
}

fn not_registered() -> ErrorRecord {
    ErrorRecord::precondition("not registered; --force pushes all the same, by the next hop")
}
