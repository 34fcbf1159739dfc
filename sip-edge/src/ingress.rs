//! Requests in: from an arrival to its final answer.
//!
//! Requests of our dialogs go to their sessions. All others pass the checks of requirements
//! §1.20, then get the service of their method. Every path ends in exactly one final answer; for a
//! deposit the 2xx is made in [`accept`] and nowhere else (promise P1).

pub(crate) mod accept;
mod deferral;
mod forward;
pub(crate) mod online;
pub(crate) mod pager_mode;
pub(crate) mod profile;
pub(crate) mod sender_rate;
pub(crate) mod served_user;
mod standing;

use std::sync::Arc;
use std::time::{Duration, Instant};

use net::sip::{Arrival, Incoming, ServerTransaction};
use sip::{Method, Request, Response};
use storage_client::LegName;
use storage_client::deposit::RefusalReason;
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio::time::timeout;
use tokio_util::task::TaskTracker;
use tokio_util::task::task_tracker::TaskTrackerToken;

use crate::edge::Edge;
use crate::settings::Turn;
use crate::{event, message_waiting, metrics, reception, registration, retrieval, settings};
use edge::checks::{Received, admit, is_leg};
use edge::dialogs::Routed;
use edge::identity::AssertedIdentity;
use edge::leg_name;
use edge::now;
use edge::refuse::Refusal;
use edge::{response, status};
pub(crate) use standing::Standing;
use standing::standing;

/// How long a request waits for those before it: with the time the store may take, it is answered
/// in well under the 32 s of its transaction (requirements §3.1).
const TURN_PATIENCE: Duration = Duration::from_secs(2);

/// Serves requests until the endpoint is closed, a bounded number at a time.
pub(crate) async fn serve(edge: Arc<Edge>, mut incoming: Incoming, tasks: TaskTracker) {
    let limit = usize::try_from(edge.config.limits.requests).unwrap_or(Semaphore::MAX_PERMITS);
    let places = Arc::new(Semaphore::new(limit.min(Semaphore::MAX_PERMITS)));
    while let Some(arrival) = incoming.next().await {
        let transaction = match arrival {
            Arrival::Request(transaction) => transaction,
            // It has ended the retransmission of our 2xx in the transaction layer.
            Arrival::Ack { request, .. } => {
                edge.dialogs.acknowledge(&request);
                continue;
            }
        };
        match Arc::clone(&places).try_acquire_owned() {
            Ok(place) => {
                let busy = Busy {
                    _place: place,
                    _token: tasks.token(),
                };
                take(&edge, &tasks, transaction, busy);
            }
            Err(_) => refuse(&edge, &transaction, &Refusal::Overloaded),
        }
    }
}

/// The place among those that must be served one after the other.
fn turn(edge: &Edge, transaction: &ServerTransaction) -> Option<Turn> {
    let is_publish = *transaction.request().method() == Method::Publish;
    is_publish.then(|| edge.publishing.queue(transaction))
}

/// A request in service: it has its place among those served at a time, and a drain waits for it.
struct Busy {
    _place: OwnedSemaphorePermit,
    _token: TaskTrackerToken,
}

/// Starts the service of one request. A MESSAGE needs no task of its own, all others get one.
fn take(edge: &Arc<Edge>, tasks: &TaskTracker, transaction: ServerTransaction, busy: Busy) {
    let transaction = match edge.dialogs.route(transaction) {
        Routed::Ours => return,
        Routed::Foreign(transaction) => transaction,
        Routed::Congested(transaction) => return refuse(edge, &transaction, &Refusal::OutOfOrder),
    };
    if *transaction.request().method() == Method::Message {
        return deferral::defer(edge, tasks, transaction, busy);
    }
    let edge = Arc::clone(edge);
    let turn = turn(&edge, &transaction);
    tasks.spawn(async move {
        handle(&edge, transaction, turn).await;
        drop(busy);
    });
}

/// Answers one request outside our dialogs, when it is its turn.
async fn handle(edge: &Arc<Edge>, transaction: ServerTransaction, turn: Option<Turn>) {
    if *transaction.request().method() == Method::Invite {
        return invite(edge, transaction).await;
    }
    let mut turn = turn;
    if let Some(turn) = &mut turn
        && timeout(TURN_PATIENCE, turn.come()).await.is_err()
    {
        refuse(edge, &transaction, &Refusal::Unavailable(None));
        // Those behind it still come after those before it.
        return turn.come().await;
    }
    match serve_one(edge, &transaction).await {
        Ok(response) => transaction.respond(response),
        Err(refusal) => refuse(edge, &transaction, &refusal),
    }
}

/// An INVITE is answered by the session that it makes, if it makes one.
async fn invite(edge: &Arc<Edge>, transaction: ServerTransaction) {
    let begun = match checked(edge, &transaction) {
        Ok(_) => match retrieval::message_id(edge, transaction.request()) {
            Some(message_id) => retrieval::invite(edge, transaction, &message_id).await,
            None => reception::invite(edge, transaction).await,
        },
        Err(refusal) => Err((transaction, refusal)),
    };
    if let Err((transaction, refusal)) = begun {
        refuse(edge, &transaction, &refusal);
    }
}

/// The checks of §1.20 before any service.
fn checked(edge: &Edge, transaction: &ServerTransaction) -> Result<Standing, Refusal> {
    let standing = standing(edge, transaction);
    admit(&Received {
        request: transaction.request(),
        stranger: standing.as_ref().err(),
        is_merged: transaction.merged(),
        store: edge.storage.store().as_ref(),
        site: &edge.site,
    })?;
    standing
}

/// The service of one request outside our dialogs.
async fn serve_one(edge: &Edge, transaction: &ServerTransaction) -> Result<Response, Refusal> {
    let request = transaction.request();
    let standing = checked(edge, transaction)?;
    match request.method() {
        Method::Options => capabilities(edge, request),
        Method::Register => registration::register(edge, transaction, &standing).await,
        Method::Subscribe => message_waiting::subscribe(edge, transaction).await,
        Method::Publish => settings::publish(edge, transaction).await,
        _ => Err(Refusal::NoDialog),
    }
}

/// OPTIONS is how a dispatcher asks whether to send anything here (SRV-02).
fn capabilities(edge: &Edge, request: &Request) -> Result<Response, Refusal> {
    if edge.is_ready() {
        Ok(response::capabilities(request, &edge.site.signature, now()))
    } else {
        Err(Refusal::Overloaded)
    }
}

/// What is known of a message that its sender may send.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Leave {
    /// He is exempt from what one sender may do: what our stores send of themselves and legs of fan-outs are bounded where
    /// they come from (requirements §3.6).
    pub(crate) sender_exempt: bool,
    /// The leg that it is.
    pub(crate) leg: Option<LegName>,
}

/// Whether a sender may send one more message now (ERR-18a).
///
/// # Errors
/// When he may.
pub(crate) fn may_send(
    edge: &Edge,
    request: &Request,
    originator: Option<&AssertedIdentity>,
) -> Result<Leave, Refusal> {
    let headers = request.headers();
    let is_leg = is_leg(headers, &edge.storage);
    let call_id = headers.call_id().filter(|_| is_leg);
    let leg = call_id.and_then(|call_id| leg_name::named_by(&call_id));
    let Some(originator) = originator else {
        return Ok(Leave {
            sender_exempt: false,
            leg,
        });
    };
    if is_leg || edge.site.is_store(&originator.address) {
        return Ok(Leave {
            sender_exempt: true,
            leg,
        });
    }
    let sender = originator.address.to_string();
    let taken = edge.sender_rates.take(&sender, Instant::now());
    taken
        .map_err(Refusal::SenderRate)
        .map(|()| Leave::default())
}

/// What the sender is told of a refusal by the store.
pub(crate) fn refusal_of(refused: storage_client::Refusal) -> Refusal {
    match refused.reason {
        RefusalReason::UnknownUser => Refusal::UserUnknown,
        RefusalReason::Barred => Refusal::TemporarilyUnavailable,
        RefusalReason::MailboxFull => Refusal::MailboxFull(refused.retry_after),
        RefusalReason::SenderLimit => Refusal::SenderLimit(refused.retry_after),
        RefusalReason::DiskFull => Refusal::Unavailable(refused.retry_after),
    }
}

/// Answers with the status of a refusal.
fn refuse(edge: &Edge, transaction: &ServerTransaction, refusal: &Refusal) {
    let request = transaction.request();
    if *request.method() == Method::Message {
        metrics::rejected(refusal);
    }
    event::request_refused(request, refusal, status::status(refusal));
    transaction.respond(response::refused(
        request,
        refusal,
        &edge.site.signature,
        now(),
    ));
}
