//! The service at a glance.

use proto::v1::{AttachedEdge, Status};
use serde::Serialize;

use super::SuspensionRecord;
use crate::moment::rfc3339;

/// State of the storage service and of the edges attached to it.
#[derive(Debug, Serialize)]
pub(crate) struct StatusRecord {
    pub(crate) version: String,
    pub(crate) hostname: String,
    pub(crate) started_at: Option<String>,
    pub(crate) ready: bool,
    pub(crate) conditions: Vec<String>,
    pub(crate) edges: Vec<EdgeRecord>,
    pub(crate) pushes_running: u32,
    pub(crate) pushes_planned: u32,
    pub(crate) suspensions: Vec<SuspensionRecord>,
}

/// One attached edge.
#[derive(Debug, Serialize)]
pub(crate) struct EdgeRecord {
    pub(crate) name: String,
    pub(crate) attached_at: Option<String>,
    pub(crate) jobs: u32,
    pub(crate) capacity: u32,
}

impl From<Status> for StatusRecord {
    fn from(status: Status) -> Self {
        Self {
            version: status.version,
            hostname: status.hostname,
            started_at: rfc3339(status.started_at),
            ready: status.ready,
            conditions: status.conditions,
            edges: status.edges.into_iter().map(EdgeRecord::from).collect(),
            pushes_running: status.pushes_running,
            pushes_planned: status.pushes_planned,
            suspensions: status
                .suspensions
                .into_iter()
                .map(SuspensionRecord::from)
                .collect(),
        }
    }
}

impl From<AttachedEdge> for EdgeRecord {
    fn from(edge: AttachedEdge) -> Self {
        Self {
            name: edge.name,
            attached_at: rfc3339(edge.attached_at),
            jobs: edge.jobs,
            capacity: edge.capacity,
        }
    }
}
