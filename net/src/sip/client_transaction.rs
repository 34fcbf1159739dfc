//! A request of ours under way.

use std::fmt;
use std::sync::Arc;
use std::time::Instant;

use sip::transaction::ClientId;
use sip::{Method, Response};

use super::core::{Core, Shard};
use super::error::TransactionFailure;
use super::flow::Flow;
use super::inbox::{Inbox, Outcome};

/// A request that waits for its responses. Dropping it does not end it: the transaction goes on unattended.
pub struct ClientTransaction {
    pub(crate) core: Arc<Core>,
    pub(crate) shard: Shard,
    pub(crate) id: ClientId,
    pub(crate) inbox: Inbox,
    pub(crate) flow: Flow,
    pub(crate) method: Method,
    pub(crate) ended: bool,
    /// Whether the layer knows that the connection has failed.
    pub(crate) failure_told: bool,
}

impl ClientTransaction {
    /// The next response: any number of 1xx, then the final one or the failure, then none. After a 2xx to an INVITE
    /// its copies follow, each of which wants its ACK again (RFC 3261 §13.2.2.4), until Timer M ends. Loses nothing
    /// when dropped halfway.
    pub async fn next(&mut self) -> Option<Result<Response, TransactionFailure>> {
        if self.ended {
            return None;
        }
        let outcome = self.outcome().await;
        self.ended = match &outcome {
            Some(Ok(response)) => {
                let accepted = self.method == Method::Invite && response.status().is_success();
                response.status().is_final() && !accepted
            }
            Some(Err(_)) | None => true,
        };
        outcome
    }

    /// What comes next, be it that the connection fails while nothing has come (RFC 3261 §17.1.4).
    async fn outcome(&mut self) -> Option<Outcome> {
        tokio::select! {
            biased;
            outcome = self.inbox.next() => return outcome,
            () = self.flow.failed(), if !self.failure_told => self.failure_told = true,
        }
        self.core.step(self.shard, |layer| {
            layer.handle_transport_failure(Instant::now(), self.id);
        });
        self.inbox.next().await
    }

    /// Gives up on an INVITE: a CANCEL leaves as soon as a provisional response has come (RFC 3261 §9.1). The outcome
    /// still arrives by [`next`](Self::next). Without effect on other methods.
    pub fn cancel(&self) {
        self.core
            .step(self.shard, |layer| layer.cancel(Instant::now(), self.id));
    }

    /// The way the request took.
    #[must_use]
    pub fn flow(&self) -> &Flow {
        &self.flow
    }
}

impl fmt::Debug for ClientTransaction {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (id, method) = (&self.id, &self.method);
        f.debug_struct("ClientTransaction")
            .field("id", id)
            .field("method", method)
            .finish_non_exhaustive()
    }
}
