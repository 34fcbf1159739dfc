//! Suspensions, plans of deliveries and sessions.

use proto::v1::suspension::Target;
use proto::v1::{DeliveryPhase, DeliveryPlan, PushSession, Suspension, UploadSession};
use serde::Serialize;

use super::{BindingRecord, non_empty, word};
use crate::moment::rfc3339;

/// Deliveries that are suspended.
#[derive(Debug, Serialize)]
pub(crate) struct SuspensionRecord {
    pub(crate) served_user: Option<String>,
    pub(crate) domain: Option<String>,
    pub(crate) since: Option<String>,
    pub(crate) until: Option<String>,
    pub(crate) actor: Option<String>,
    pub(crate) reason: Option<String>,
}

impl SuspensionRecord {
    /// The user or the domain.
    pub(crate) fn whom(&self) -> &str {
        let whom = self.served_user.as_deref().or(self.domain.as_deref());
        whom.unwrap_or_default()
    }

    /// When it ends.
    pub(crate) fn until(&self) -> &str {
        self.until.as_deref().unwrap_or_default()
    }
}

impl From<Suspension> for SuspensionRecord {
    fn from(suspension: Suspension) -> Self {
        let (served_user, domain) = match suspension.target {
            Some(Target::ServedUser(user)) => (Some(user), None),
            Some(Target::Domain(domain)) => (None, Some(domain)),
            None => (None, None),
        };
        Self {
            served_user,
            domain,
            since: rfc3339(suspension.since),
            until: rfc3339(suspension.until),
            actor: non_empty(suspension.actor),
            reason: non_empty(suspension.reason),
        }
    }
}

/// What is planned for a mailbox, and what it hangs on.
#[derive(Debug, Serialize)]
pub(crate) struct PlanRecord {
    pub(crate) served_user: String,
    pub(crate) phase: String,
    pub(crate) due_at: Option<String>,
    pub(crate) tries: u32,
    pub(crate) max_tries: u32,
    pub(crate) edge: Option<String>,
    pub(crate) generation: Option<u64>,
    pub(crate) bindings: Vec<BindingRecord>,
    pub(crate) reachable: bool,
    pub(crate) offline_delivery: bool,
    pub(crate) suspension: Option<SuspensionRecord>,
    pub(crate) mode: String,
    pub(crate) each_device: bool,
    pub(crate) edges: u32,
    pub(crate) waiting: u64,
}

impl From<DeliveryPlan> for PlanRecord {
    fn from(plan: DeliveryPlan) -> Self {
        let bindings = plan.bindings.into_iter();
        Self {
            served_user: plan.served_user,
            phase: word(plan.phase, DeliveryPhase::as_str_name, "DELIVERY_PHASE_"),
            due_at: rfc3339(plan.due_at),
            tries: plan.tries,
            max_tries: plan.max_tries,
            edge: non_empty(plan.edge),
            generation: (plan.generation != 0).then_some(plan.generation),
            bindings: bindings.map(BindingRecord::from).collect(),
            reachable: plan.reachable,
            offline_delivery: plan.offline_delivery,
            suspension: plan.suspension.map(SuspensionRecord::from),
            mode: plan.mode,
            each_device: plan.each_device,
            edges: plan.edges,
            waiting: plan.waiting,
        }
    }
}

/// A push or an upload under way.
#[derive(Debug, Serialize)]
pub(crate) struct SessionRecord {
    /// `push` or `upload`.
    pub(crate) kind: &'static str,
    pub(crate) served_user: Option<String>,
    pub(crate) edge: Option<String>,
    pub(crate) generation: Option<u64>,
    pub(crate) upload: Option<u64>,
    pub(crate) began_at: Option<String>,
    pub(crate) octets: Option<u64>,
}

impl From<PushSession> for SessionRecord {
    fn from(push: PushSession) -> Self {
        Self {
            kind: "push",
            served_user: Some(push.served_user),
            edge: Some(push.edge),
            generation: (push.generation != 0).then_some(push.generation),
            upload: None,
            began_at: None,
            octets: None,
        }
    }
}

impl From<UploadSession> for SessionRecord {
    fn from(upload: UploadSession) -> Self {
        Self {
            kind: "upload",
            served_user: None,
            edge: None,
            generation: None,
            upload: Some(upload.upload),
            began_at: rfc3339(upload.began_at),
            octets: Some(upload.octets),
        }
    }
}
