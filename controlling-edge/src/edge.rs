//! What all parts of a running edge share.

use std::ops::Deref;
use std::sync::Arc;

use edge::reception::Receptions;
use edge::trust::TrustedPeers;
use edge::user_agent::UserAgent;
use tokio::sync::Semaphore;

use crate::config::Config;
use crate::site::Site;
use crate::xdms::Xdms;

/// One running edge. It holds nothing that matters: what must survive is in the store.
#[derive(Debug)]
pub(crate) struct Edge {
    /// What it has in common with other edges.
    pub(crate) user_agent: Arc<UserAgent>,
    /// What it is told.
    pub(crate) config: Config,
    /// What it is.
    pub(crate) site: Site,
    /// Whom it believes.
    pub(crate) trusted: TrustedPeers,
    /// The server of groups, if that is not the store.
    pub(crate) xdms: Option<Xdms>,
    /// Places for those who read and edit documents.
    pub(crate) document_workers: Semaphore,
    /// Sessions in which messages come in.
    pub(crate) receptions: Arc<Receptions>,
}

impl Deref for Edge {
    type Target = UserAgent;

    fn deref(&self) -> &Self::Target {
        &self.user_agent
    }
}

impl Edge {
    /// Whether a message would have a store (SRV-02).
    pub(crate) fn is_ready(&self) -> bool {
        !self.draining.is_cancelled() && self.storage.unready().borrow().is_none()
    }
}
