//! Messages to many, and their recipients.

use proto::v1::{CopyControl, Job, JobClass, JobLeg, JobState, LegState};
use serde::Serialize;

use super::{ErrorRecord, Outcome, word};
use crate::moment::rfc3339;

/// One job.
#[derive(Debug, Serialize)]
pub(crate) struct JobRecord {
    pub(crate) job: u64,
    pub(crate) sender: String,
    pub(crate) addressed_to: String,
    pub(crate) class: String,
    pub(crate) octets: u64,
    pub(crate) state: String,
    pub(crate) accepted_at: Option<String>,
    pub(crate) expires_at: Option<String>,
    pub(crate) ended_at: Option<String>,
    pub(crate) received_from: String,
    pub(crate) reason: String,
    pub(crate) cancelling: bool,
    pub(crate) total: u32,
    pub(crate) pending: u32,
    pub(crate) delivered: u32,
    pub(crate) failed: u32,
    pub(crate) expired: u32,
    pub(crate) cancelled: u32,
}

impl From<Job> for JobRecord {
    fn from(job: Job) -> Self {
        Self {
            class: word(job.class, JobClass::as_str_name, "JOB_CLASS_"),
            state: word(job.state, JobState::as_str_name, "JOB_STATE_"),
            accepted_at: rfc3339(job.accepted_at),
            expires_at: rfc3339(job.expires_at),
            ended_at: rfc3339(job.ended_at),
            octets: job.octets,
            job: job.job,
            sender: job.sender,
            addressed_to: job.addressed_to,
            received_from: job.received_from,
            reason: job.reason,
            cancelling: job.cancelling,
            total: job.total,
            pending: job.pending,
            delivered: job.delivered,
            failed: job.failed,
            expired: job.expired,
            cancelled: job.cancelled,
        }
    }
}

/// One recipient of a job.
#[derive(Debug, Serialize)]
pub(crate) struct LegRecord {
    pub(crate) job: u64,
    pub(crate) index: u32,
    pub(crate) target: String,
    pub(crate) copy_control: Option<String>,
    pub(crate) state: String,
    pub(crate) attempts: u32,
    pub(crate) status: Option<u32>,
    pub(crate) reason: String,
    pub(crate) edge: String,
    pub(crate) next_try_at: Option<String>,
    pub(crate) settled_at: Option<String>,
}

impl LegRecord {
    /// The record of a leg of `job`.
    pub(crate) fn of(job: u64, leg: JobLeg) -> Self {
        let copy_control = word(leg.copy_control, CopyControl::as_str_name, "COPY_CONTROL_");
        Self {
            copy_control: Some(copy_control).filter(|word| word != "unspecified"),
            state: word(leg.state, LegState::as_str_name, "LEG_STATE_"),
            status: Some(leg.status).filter(|status| *status != 0),
            next_try_at: rfc3339(leg.next_try_at),
            settled_at: rfc3339(leg.settled_at),
            job,
            index: leg.index,
            target: leg.target,
            attempts: leg.attempts,
            reason: leg.reason,
            edge: leg.edge,
        }
    }
}

/// One job of `job cancel`.
#[derive(Debug, Serialize)]
pub(crate) struct JobChangeRecord {
    pub(crate) job: u64,
    pub(crate) outcome: Outcome,
    pub(crate) after: Option<JobRecord>,
    pub(crate) error: Option<ErrorRecord>,
}
