//! One claimed leg, until it is settled.

use std::sync::Arc;
use std::time::Duration;

use tokio::sync::{mpsc, watch};

use super::{FanOutJob, LegClaim, RosterEntry};
use crate::leases::Lease;

/// What came of a leg.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum LegOutcome {
    /// A final answer of the target, or 408 for none within its time. What follows the store decides (CFP-18).
    Answered {
        /// SIP or MSRP status, 200 to 699.
        status: u16,
        /// For operators, such as `MESSAGE 404 Not Found`.
        reason: String,
        /// The peer's Retry-After.
        retry_after: Option<Duration>,
    },
    /// The next hop is down: counts no try.
    HopDown {
        /// For operators.
        reason: String,
        /// It is not tried earlier; `None`: 2 s.
        retry_after: Option<Duration>,
    },
    /// Nothing was sent: another edge shall have it now.
    Returned,
}

/// A settlement on its way; the claim is kept alive until it is on disk.
#[derive(Debug)]
pub(super) struct Settlement {
    pub(super) claim: LegClaim,
    pub(super) outcome: LegOutcome,
    /// Held, not read.
    pub(super) _lease: Option<Lease<LegClaim>>,
}

/// Send this. Its claim is kept alive until it is settled; dropped, it is given back.
#[derive(Debug)]
pub struct Leg {
    /// The claim.
    pub claim: LegClaim,
    /// To whom.
    pub entry: RosterEntry,
    /// Tries before this one that reached the target or timed out.
    pub attempts: u32,
    /// The job.
    pub job: Arc<FanOutJob>,
    pub(super) lease: Option<Lease<LegClaim>>,
    pub(super) cancelled: watch::Receiver<bool>,
    pub(super) settlements: mpsc::UnboundedSender<Settlement>,
}

impl Leg {
    /// Waits until the claim is superseded or could not be renewed by two thirds of its lease: end what can be
    /// ended, somebody else sends it.
    pub async fn lost(&self) {
        if let Some(lease) = &self.lease {
            lease.lost().await;
        }
    }

    /// Waits until an operator ends the job: end what can be ended, and settle with what came of it (CFL-07).
    pub async fn cancelled(&self) {
        let mut cancelled = self.cancelled.clone();
        if cancelled.wait_for(|is_so| *is_so).await.is_err() {
            // Nobody can say so any more.
            std::future::pending::<()>().await;
        }
    }

    /// Reports what came of it. Survives reconnects; the store counts it once.
    pub fn settle(mut self, outcome: LegOutcome) {
        self.hand_in(outcome);
    }

    fn hand_in(&mut self, outcome: LegOutcome) {
        if let Some(lease) = self.lease.take() {
            // Without a driver nobody is told: the claim lapses.
            let _ = self.settlements.send(Settlement {
                claim: self.claim,
                outcome,
                _lease: Some(lease),
            });
        }
    }
}

impl Drop for Leg {
    fn drop(&mut self) {
        self.hand_in(LegOutcome::Returned);
    }
}
