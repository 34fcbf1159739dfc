//! What all parts of a running edge share.

use std::ops::Deref;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use edge::reception::Receptions;
use edge::trust::TrustedPeers;
use edge::user_agent::UserAgent;
use net::sip::Source;
use tokio::sync::Semaphore;

use crate::config::Config;
use crate::flows::Flows;
use crate::ingress::online::Forwards;
use crate::ingress::sender_rate::SenderRates;
use crate::message_waiting::MessageWaiting;
use crate::registration::digest::Digest;
use crate::registration::direct::Rules;
use crate::registration::kept::Kept;
use crate::settings::Publishing;
use crate::site::Site;
use crate::unsuited::Unsuited;

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
    /// How registering clients prove who they are, if they have to.
    pub(crate) digest: Option<Digest>,
    /// Rules for registering clients.
    pub(crate) rules: Rules,
    /// Connections of registered clients.
    pub(crate) flows: Flows,
    /// Subscriptions of the waiting indication.
    pub(crate) waiting: MessageWaiting,
    /// Sessions in which messages come in.
    pub(crate) receptions: Arc<Receptions>,
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
    /// Time in which a registration must be on disk, in milliseconds.
    pub(crate) register_time: AtomicU64,
}

impl Deref for Edge {
    type Target = UserAgent;

    fn deref(&self) -> &Self::Target {
        &self.user_agent
    }
}

impl Edge {
    /// Lets what may change without a restart be as another configuration says.
    pub(crate) fn reconfigure(&self, config: &Config) {
        let limits = &config.limits;
        self.sender_rates
            .change(limits.sender_rate, limits.sender_burst);
        self.register_time
            .store(millis(limits.register_time), Ordering::Relaxed);
    }

    /// Time in which a registration must be on disk before it is kept.
    pub(crate) fn register_time(&self) -> Duration {
        Duration::from_millis(self.register_time.load(Ordering::Relaxed))
    }

    /// Whether what this peer asserts is believed (requirements §3.8).
    pub(crate) fn trusts(&self, source: &Source) -> bool {
        self.trusted.contains(&source.into())
    }

    /// Whether a deposit would have a store (SRV-02).
    pub(crate) fn is_ready(&self) -> bool {
        !self.draining.is_cancelled() && self.storage.unready().borrow().is_none()
    }
}

/// Whole milliseconds, which is how durations are written.
pub(crate) fn millis(duration: Duration) -> u64 {
    u64::try_from(duration.as_millis()).unwrap_or(u64::MAX)
}
