//! Push jobs: mailboxes that this edge shall deliver, with their claims kept alive.

mod driver;

use proto::v1::delivery_service_client::DeliveryServiceClient;
use tokio::sync::{mpsc, watch};
use tonic::transport::Channel;

use crate::ClientConfig;
use crate::delivery::{Claim, TakenBatch};
use crate::registration::Binding;

use crate::leases::{Lease, Leases};

/// Jobs that may wait for [`PushJobs::next`].
const MAX_JOBS: u32 = 4096;

/// The jobs of one attached edge. Dropping it means draining: no more jobs are taken, those under
/// way keep their claims until they are dropped too.
#[derive(Debug)]
pub struct PushJobs {
    jobs: mpsc::Receiver<PushJob>,
}

impl PushJobs {
    pub(crate) fn start(
        client: DeliveryServiceClient<Channel>,
        config: &ClientConfig,
        (capacity, paused): (u32, watch::Receiver<Option<std::time::Instant>>),
        leases: Leases<Claim>,
    ) -> Self {
        let capacity = capacity.clamp(1, MAX_JOBS);
        let room = usize::try_from(capacity).expect("at most MAX_JOBS");
        let (sender, jobs) = mpsc::channel(room);
        let offer = driver::Offer { capacity, paused };
        let driver = driver::Driver::new(client, config.clone(), offer, sender, leases);
        tokio::spawn(driver.run());
        Self { jobs }
    }

    /// The next job. Attaches again by itself after a broken connection, so it never ends.
    pub async fn next(&mut self) -> Option<PushJob> {
        self.jobs.recv().await
    }
}

/// Deliver this mailbox. Keep it until the claim is released: dropping it ends the renewal.
#[derive(Debug)]
pub struct PushJob {
    /// For takes, settlements and the release.
    pub claim: Claim,
    /// The served user's public user identity (DLV-07).
    pub served_user: String,
    /// Live bindings (DLM-01).
    pub bindings: Vec<Binding>,
    /// Counts attempts under this registration (requirements §2.4.3).
    pub attempt: u64,
    /// What a take from the beginning would bring; `None`: take.
    pub first: Option<TakenBatch>,
    /// Each device gets each message: takes and acknowledgements name one.
    pub by_device: bool,
    /// The span of this attempt (W3C Trace Context); `None` if it is not traced.
    pub traceparent: Option<String>,
    lease: Lease<Claim>,
}

impl PushJob {
    /// A mailbox claimed for one of its messages; renewed while the edge is attached.
    pub(crate) fn of_one(
        (served_user, bindings): (String, Vec<Binding>),
        lease: Lease<Claim>,
    ) -> Self {
        let claim = lease.claim;
        Self {
            claim,
            served_user,
            bindings,
            attempt: claim.generation,
            first: None,
            by_device: false,
            traceparent: None,
            lease,
        }
    }

    /// Waits until the claim is superseded or could not be renewed by two thirds of its lease, or its user has
    /// de-registered: end the push after the message in flight (requirements §3.5, §3.13).
    pub async fn lost(&self) {
        self.lease.lost().await;
    }

    /// Whether the sending of the message at this place may begin: not if its sender or an operator has
    /// withdrawn it, and not once the claim is [lost](PushJob::lost), when nobody asks before he withdraws one (requirements
    /// §3.13). From then on it cannot be withdrawn.
    #[must_use]
    pub fn begin(&self, sequence: u64) -> bool {
        !self.is_lost() && self.lease.gate.begin(sequence)
    }

    /// Whether [`PushJob::lost`] would return at once.
    #[must_use]
    pub fn is_lost(&self) -> bool {
        self.lease.is_lost()
    }

    /// Whether that is since the user has de-registered.
    #[must_use]
    pub fn has_user_left(&self) -> bool {
        self.lease.is_stopped()
    }
}
