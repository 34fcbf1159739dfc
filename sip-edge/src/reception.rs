//! Large messages in: the INVITE of a sender, its MSRP session, its message (DEF rows).
//!
//! Pure decisions: [`offer`], [`file`], [`answer`], [`record`]. [`setup`] takes an INVITE up to its 2xx,
//! which leaves only after the store has admitted the message; [`session`] lives in the dialog while
//! [`transfer`] streams octets from MSRP to the store as they arrive. Nothing is visible before the
//! commit, and the answer to the last SEND takes its proof (P1).

pub(crate) mod answer;
mod body;
mod file;
pub(crate) mod offer;
mod record;
mod session;
pub(crate) mod setup;
pub(crate) mod transfer;

use std::sync::Arc;

use edge::now;
use edge::refuse::Refusal;
use edge::response::answer as response;
use net::sip::ServerTransaction;
use sip::StatusCode;
use tokio::sync::Semaphore;
use tokio_util::task::TaskTracker;

use crate::edge::Edge;
use session::Session;
use setup::set_up;

/// The sessions of this edge in which messages come in.
#[derive(Debug)]
pub(crate) struct Receptions {
    places: Arc<Semaphore>,
    limit: usize,
    /// Their tasks, for a drain to wait for.
    pub(crate) tasks: TaskTracker,
}

impl Receptions {
    /// Room for so many at a time.
    pub(crate) fn new(limit: u32) -> Self {
        let limit = usize::try_from(limit).unwrap_or(Semaphore::MAX_PERMITS);
        let limit = limit.min(Semaphore::MAX_PERMITS);
        Self {
            places: Arc::new(Semaphore::new(limit)),
            limit,
            tasks: TaskTracker::new(),
        }
    }

    /// Sessions that live now.
    fn active(&self) -> usize {
        self.limit.saturating_sub(self.places.available_permits())
    }
}

/// Serves an INVITE that passed the checks of §1.20. The session goes on by itself.
///
/// # Errors
/// Why there is none; the INVITE is not answered yet.
pub(crate) async fn invite(
    edge: &Arc<Edge>,
    transaction: ServerTransaction,
) -> Result<(), (ServerTransaction, Refusal)> {
    let set_up = tokio::select! {
        biased;
        () = transaction.cancelled() => None,
        set_up = set_up(edge, &transaction) => Some(set_up),
    };
    match set_up {
        Some(Ok(agreed)) => {
            let session = Session::new(Arc::clone(edge), transaction, agreed);
            edge.receptions.tasks.spawn(session.run());
            Ok(())
        }
        Some(Err(refusal)) => Err((transaction, refusal)),
        // ERR-20; what the store had admitted is forgotten.
        None => {
            let status = StatusCode::REQUEST_TERMINATED;
            let request = transaction.request();
            transaction.respond(response(request, status, &edge.site.signature, now()).build());
            Ok(())
        }
    }
}
