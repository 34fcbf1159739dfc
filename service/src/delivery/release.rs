//! Giving mailboxes back, whichever way an edge says so.

use std::sync::Arc;

use proto::v1;
use storage::model::{ClaimToken, ReleaseOutcome, Released, Sequence};
use storage::{Store, StoreError};
use tonic::Status;

use crate::convert;
use crate::scheduler::{Ending, Outcome, Scheduler};

/// A release that makes sense.
pub(crate) struct Release {
    claim: ClaimToken,
    last_seen: Sequence,
    outcome: Outcome,
}

impl Release {
    pub(crate) fn decode(request: v1::ReleaseRequest) -> Result<Self, Status> {
        Ok(Self {
            claim: convert::claim(request.claim)?,
            last_seen: Sequence(request.last_sequence),
            outcome: convert::outcome(request.outcome)?,
        })
    }
}

/// Where claims are given back.
pub(crate) struct Releases<S> {
    store: Arc<S>,
    scheduler: Scheduler,
}

impl<S: Store> Releases<S> {
    pub(crate) fn new(store: Arc<S>, scheduler: Scheduler) -> Self {
        Self { store, scheduler }
    }

    /// Gives a claim back and tells the scheduler.
    pub(crate) async fn release(&self, release: Release) -> Result<v1::ReleaseReply, StoreError> {
        let Release {
            claim,
            last_seen,
            outcome,
        } = release;
        let for_timeline = ReleaseOutcome {
            reason: timeline_reason(outcome.ending, &outcome.reason),
        };
        let released = self.store.release(claim, last_seen, for_timeline).await?;
        match released {
            Released::Released => {
                count(outcome.ending);
                self.scheduler.released(claim, Some(outcome)).await;
            }
            Released::Superseded => self.scheduler.released(claim, None).await,
            Released::LookAgain => {}
        }
        let result = convert::release_result(released).into();
        Ok(v1::ReleaseReply { result })
    }
}

/// The store releases in any case what failed, which it knows by the reason.
fn timeline_reason(ending: Ending, reason: &str) -> String {
    match (ending, reason) {
        (Ending::Completed, _) => String::new(),
        (_, "") => label(ending).to_owned(),
        (_, reason) => reason.to_owned(),
    }
}

fn count(ending: Ending) {
    let outcome = label(ending);
    metrics::counter!("restante_claims_released_total", "outcome" => outcome).increment(1);
}

fn label(ending: Ending) -> &'static str {
    match ending {
        Ending::Completed => "completed",
        Ending::Unavailable => "unavailable",
        Ending::Busy => "busy",
        Ending::Unsupported => "unsupported",
        Ending::Rejected => "rejected",
        Ending::Broken => "broken",
        Ending::HopDown => "hop_down",
        Ending::EndedByClient => "ended_by_client",
        Ending::EdgeDraining => "edge_draining",
        Ending::Interrupted => "interrupted",
    }
}
