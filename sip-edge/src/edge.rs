//! What all parts of a running edge share.

use net::msrp::MsrpEndpoint;
use net::sip::{SipEndpoint, Source};
use storage_client::StorageClient;
use tokio::sync::Semaphore;
use tokio_util::sync::CancellationToken;

use crate::config::Config;
use crate::dialogs::Dialogs;
use crate::flows::Flows;
use crate::ingress::online::Forwards;
use crate::ingress::sender_rate::SenderRates;
use crate::message_waiting::MessageWaiting;
use crate::reception::Receptions;
use crate::registration::digest::Digest;
use crate::registration::direct::Rules;
use crate::registration::kept::Kept;
use crate::settings::Publishing;
use crate::site::Site;
use crate::unsuited::Unsuited;
use edge::mark::{Mark, marked_branch};
use edge::next_hop::NextHop;
use edge::trust::TrustedPeers;

/// Hops of one URI tried besides the first.
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
    /// How registering clients prove who they are, if they have to.
    pub(crate) digest: Option<Digest>,
    /// Rules for registering clients.
    pub(crate) rules: Rules,
    /// SIP.
    pub(crate) sip: SipEndpoint,
    /// MSRP.
    pub(crate) msrp: MsrpEndpoint,
    /// The store.
    pub(crate) storage: StorageClient,
    /// The core, if requests go there.
    pub(crate) next_hop: Option<NextHop>,
    /// Connections of registered clients.
    pub(crate) flows: Flows,
    /// Subscriptions of the waiting indication.
    pub(crate) waiting: MessageWaiting,
    /// Our dialogs.
    pub(crate) dialogs: Dialogs,
    /// Sessions in which messages come in.
    pub(crate) receptions: Receptions,
    /// Registrations whose client can do no push session.
    pub(crate) unsuited: Unsuited,
    /// Registrations whose client can do no session at all.
    pub(crate) sessionless: Unsuited,
    /// How settings are published.
    pub(crate) publishing: Publishing,
    /// Messages on their way to users who are online.
    pub(crate) forwards: Forwards,
    /// How fast each sender may send.
    pub(crate) sender_rates: SenderRates,
    /// Places of those who read a list of deferred messages.
    pub(crate) list_readers: Semaphore,
    /// Registrations that wait for the store.
    pub(crate) kept: Kept,
    /// Cancelled when no new work is to be taken (requirements §3.12).
    pub(crate) draining: CancellationToken,
}

impl Edge {
    /// Whether what this peer asserts is believed (requirements §3.8).
    pub(crate) fn trusts(&self, source: &Source) -> bool {
        self.trusted.contains(&source.into())
    }

    /// A branch for a request that delivers (DLV-16); `None` until the store is known.
    pub(crate) fn marked_branch(&self, call_id: &str) -> Option<String> {
        let store = self.storage.store()?;
        Some(marked_branch(
            Mark::Delivery,
            &store.secret,
            call_id,
            &mut rand::rng(),
        ))
    }

    /// Marked branches for the hops that the request is sent to when one fails (RFC 3263 §4.3).
    pub(crate) fn further_branches(&self, call_id: &str) -> Vec<String> {
        let branches = std::iter::repeat_with(|| self.marked_branch(call_id));
        branches.take(FURTHER_HOPS).flatten().collect()
    }

    /// Whether a deposit would have a store (SRV-02).
    pub(crate) fn is_ready(&self) -> bool {
        !self.draining.is_cancelled() && self.storage.unready().borrow().is_none()
    }
}
