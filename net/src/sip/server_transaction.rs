//! A request in the hands of the transaction user.

use std::fmt;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use sip::transaction::ServerId;
use sip::{Request, Response, ResponseBuilder, StatusCode, token};
use tokio::sync::watch;

use super::arrival::Source;
use super::core::{Core, NewRequest, Shard};
use super::flow::{Listener, Progress};
use super::receive;

/// A request that waits for its final response.
///
/// Dropped without one, it is answered 500, or 487 if it was cancelled: a peer is never left without an answer.
pub struct ServerTransaction {
    core: Arc<Core>,
    shard: Shard,
    id: ServerId,
    request: Request,
    source: Source,
    merged: bool,
    /// Only an INVITE has a progress.
    progress: Option<watch::Receiver<Progress>>,
    answered: AtomicBool,
}

impl ServerTransaction {
    pub(crate) fn new(core: Arc<Core>, new: NewRequest) -> Self {
        let NewRequest {
            shard,
            id,
            request,
            peer,
            merged,
        } = new;
        let progress = match &peer.listener {
            Listener::Invite(sender) => Some(sender.subscribe()),
            Listener::Client(_) | Listener::Nobody => None,
        };
        let source = Source::of(&peer.flow);
        Self {
            core,
            shard,
            id,
            request,
            source,
            merged,
            progress,
            answered: AtomicBool::new(false),
        }
    }

    /// The request exactly as it was received (P7). Responses built from it note its source in their top Via
    /// (RFC 3261 §18.2.1, RFC 3581 §4).
    #[must_use]
    pub fn request(&self) -> &Request {
        &self.request
    }

    /// Where it came from.
    #[must_use]
    pub fn source(&self) -> &Source {
        &self.source
    }

    /// Whether the same request is being served already; it wants a 482 (RFC 3261 §8.2.2.2, `ERR-06`).
    #[must_use]
    pub fn merged(&self) -> bool {
        self.merged
    }

    /// Sends a response on the way the request came, or by RFC 3261 §18.2.2 if that has gone. Any number of 1xx, then
    /// one final; whatever follows is discarded. A 2xx to an INVITE is retransmitted until its ACK.
    pub fn respond(&self, response: Response) {
        if response.status().is_final() {
            self.answered.store(true, Ordering::Relaxed);
        }
        self.core.step(self.shard, |layer| {
            layer.respond(super::now(), self.id, &response);
        });
    }

    /// Waits until the INVITE is cancelled; it wants a 487 then (RFC 3261 §9.2, `ERR-20`). Never ends for other
    /// methods and after a final response.
    pub async fn cancelled(&self) {
        self.reached(Progress::Cancelled).await;
    }

    /// Waits until the final response to an INVITE has gone unacknowledged for 64·T1; after a 2xx the dialog wants a
    /// BYE then (RFC 3261 §13.3.1.4). Never ends for other methods and once the ACK came.
    pub async fn unacknowledged(&self) {
        self.reached(Progress::Expired).await;
    }

    async fn reached(&self, wanted: Progress) {
        let Some(progress) = &self.progress else {
            return std::future::pending().await;
        };
        let mut progress = progress.clone();
        if progress
            .wait_for(|progress| *progress == wanted)
            .await
            .is_err()
        {
            // The transaction has ended some other way.
            std::future::pending::<()>().await;
        }
    }

    /// Whether [`ServerTransaction::cancelled`] would return at once.
    #[must_use]
    pub fn is_cancelled(&self) -> bool {
        self.progress
            .as_ref()
            .is_some_and(|progress| *progress.borrow() == Progress::Cancelled)
    }
}

impl Drop for ServerTransaction {
    fn drop(&mut self) {
        if self.answered.load(Ordering::Relaxed) {
            return;
        }
        let status = match self.is_cancelled() {
            true => StatusCode::REQUEST_TERMINATED,
            false => StatusCode::SERVER_INTERNAL_ERROR,
        };
        let tag = token::tag(&mut rand::rng());
        let reply = ResponseBuilder::reply_to(&self.request, status).to_tag(&tag);
        self.respond(receive::signed(&self.core, reply).build());
    }
}

impl fmt::Debug for ServerTransaction {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let method = self.request.method();
        f.debug_struct("ServerTransaction")
            .field("id", &self.id)
            .field("method", method)
            .finish_non_exhaustive()
    }
}
