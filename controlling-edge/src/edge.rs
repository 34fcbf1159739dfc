//! What all parts of a running edge share.

use edge::mark::{Mark, marked_branch};
use edge::next_hop::NextHop;
use edge::trust::TrustedPeers;
use net::sip::SipEndpoint;
use storage_client::StorageClient;
use tokio::sync::Semaphore;
use tokio_util::sync::CancellationToken;

use crate::config::Config;
use crate::site::Site;
use crate::xdms::Xdms;

/// Hops of one URI tried besides the first (RFC 3263 §4.3).
const FURTHER_HOPS: usize = 2;

/// One running edge. It holds nothing that matters: what must survive is in the store.
#[derive(Debug)]
pub(crate) struct Edge {
    /// What it is told.
    pub(crate) config: Config,
    /// What it is.
    pub(crate) site: Site,
    /// Whom it believes.
    pub(crate) trusted: TrustedPeers,
    /// SIP.
    pub(crate) sip: SipEndpoint,
    /// The store.
    pub(crate) storage: StorageClient,
    /// The server of groups, if that is not the store.
    pub(crate) xdms: Option<Xdms>,
    /// Places for those who read and edit documents.
    pub(crate) document_workers: Semaphore,
    /// The core, if requests go there.
    pub(crate) next_hop: Option<NextHop>,
    /// Cancelled when no new work is to be taken (requirements §3.12).
    pub(crate) draining: CancellationToken,
}

impl Edge {
    /// Branches for a leg, marked so that no controlling edge takes it for a message to a group (CFP-20): one for the
    /// first hop and one for each that is tried when it fails. None until the store is known.
    pub(crate) fn branches(&self, call_id: &str) -> Vec<String> {
        let store = self.storage.store();
        let branch = || {
            let secret = &store.as_ref()?.secret;
            Some(marked_branch(Mark::Leg, secret, call_id, &mut rand::rng()))
        };
        let branches = std::iter::repeat_with(branch);
        branches.take(1 + FURTHER_HOPS).flatten().collect()
    }

    /// Whether a message would have a store (SRV-02).
    pub(crate) fn is_ready(&self) -> bool {
        !self.draining.is_cancelled() && *self.storage.connected().borrow()
    }
}
