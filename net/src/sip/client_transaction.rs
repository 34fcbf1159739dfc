//! A request of ours under way.

use std::fmt;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use sip::{Method, Response, StatusCode};

use super::attempt::{Attempt, Elsewhere};
use super::core::Core;
use super::error::TransactionFailure;
use super::flow::Flow;
use super::inbox::Outcome;

/// A request that waits for its responses. Dropping it does not end it: the transaction goes on unattended.
pub struct ClientTransaction {
    core: Arc<Core>,
    attempt: Attempt,
    method: Method,
    ended: bool,
    /// Hops that have not been tried; none any more once one has answered.
    elsewhere: Option<Box<Elsewhere>>,
    /// The failure of a hop while the next one is being reached.
    failed: Option<Outcome>,
    cancelled: AtomicBool,
}

impl ClientTransaction {
    pub(crate) fn new(
        core: Arc<Core>,
        attempt: Attempt,
        method: Method,
        elsewhere: Option<Box<Elsewhere>>,
    ) -> Self {
        Self {
            core,
            attempt,
            method,
            ended: false,
            elsewhere,
            failed: None,
            cancelled: AtomicBool::new(false),
        }
    }

    /// The next response: any number of 1xx, then the final one or the failure, then none. After a 2xx to an INVITE
    /// its copies follow, each of which wants its ACK again (RFC 3261 §13.2.2.4), until Timer M ends. Loses nothing
    /// when dropped halfway.
    pub async fn next(&mut self) -> Option<Result<Response, TransactionFailure>> {
        if self.ended {
            return None;
        }
        let outcome = self.outcome_of_hops().await;
        self.ended = match &outcome {
            Some(Ok(response)) => {
                let accepted = self.method == Method::Invite && response.status().is_success();
                response.status().is_final() && !accepted
            }
            Some(Err(_)) | None => true,
        };
        outcome
    }

    /// What comes next, the failures of hops left out for which there is another one (RFC 3263 §4.3).
    async fn outcome_of_hops(&mut self) -> Option<Outcome> {
        loop {
            let outcome = match self.failed.take() {
                Some(failed) => Some(failed),
                None => self.outcome().await,
            };
            let is_failure = match &outcome {
                Some(Ok(response)) => response.status() == StatusCode::SERVICE_UNAVAILABLE,
                Some(Err(_)) => true,
                None => false,
            };
            if !is_failure || self.cancelled.load(Ordering::Relaxed) {
                self.elsewhere = None;
                return outcome;
            }
            let Some(elsewhere) = &mut self.elsewhere else {
                return outcome;
            };
            self.failed = outcome;
            // Boxed: few requests go elsewhere, and all have room for it.
            match Box::pin(elsewhere.next(&self.core)).await {
                Some(attempt) => {
                    self.attempt = attempt;
                    self.failed = None;
                }
                None => self.elsewhere = None,
            }
        }
    }

    /// What comes next of this hop, be it that the connection fails while nothing has come (RFC 3261 §17.1.4).
    async fn outcome(&mut self) -> Option<Outcome> {
        let attempt = &mut self.attempt;
        tokio::select! {
            biased;
            outcome = attempt.inbox.next() => return outcome,
            () = attempt.flow.failed(), if !attempt.failure_told => attempt.failure_told = true,
        }
        self.core.step(attempt.shard, |layer| {
            layer.handle_transport_failure(super::now(), attempt.id);
        });
        attempt.inbox.next().await
    }

    /// Gives up on an INVITE: a CANCEL leaves as soon as a provisional response has come (RFC 3261 §9.1). The outcome
    /// still arrives by [`next`](Self::next). Without effect on other methods, but that no other hop is tried.
    pub fn cancel(&self) {
        self.cancelled.store(true, Ordering::Relaxed);
        let attempt = &self.attempt;
        self.core.step(attempt.shard, |layer| {
            layer.cancel(super::now(), attempt.id);
        });
    }

    /// The way the request took.
    #[must_use]
    pub fn flow(&self) -> &Flow {
        &self.attempt.flow
    }
}

impl fmt::Debug for ClientTransaction {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (id, method) = (&self.attempt.id, &self.method);
        f.debug_struct("ClientTransaction")
            .field("id", id)
            .field("method", method)
            .finish_non_exhaustive()
    }
}
