//! Requests in: from an arrival to its final answer.
//!
//! Requests of our dialogs go to their sessions. All others pass the checks of requirements
//! §1.20, then get the service of their method. Every path ends in exactly one final answer; for a
//! deposit the 2xx is made in [`accept`] and nowhere else (promise P1).

pub(crate) mod accept;
mod forward;
mod lifetime;
pub(crate) mod pager_mode;
pub(crate) mod profile;
pub(crate) mod served_user;
mod standing;

use std::sync::Arc;
use std::time::Instant;

use net::sip::{Arrival, Incoming, ServerTransaction};
use sip::{Method, Request, Response, StatusCode};
use storage_client::deposit::RefusalReason;
use storage_client::{Deposit, DepositAnswer, Deposited};
use tokio::sync::Semaphore;
use tokio_util::task::TaskTracker;

use crate::dialogs::Routed;
use crate::edge::Edge;
use crate::settings::Turn;
use crate::{event, message_waiting, metrics, reception, registration, retrieval, settings};
use edge::checks::{Received, admit};
use edge::refuse::Refusal;
use edge::{now, peer};
use edge::{response, status};
use pager_mode::Pager;
pub(crate) use standing::Standing;
use standing::standing;

/// Serves requests until the endpoint is closed; each in a task of its own, a bounded number at a time.
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
                let edge = Arc::clone(&edge);
                let turn = turn(&edge, &transaction);
                tasks.spawn(async move {
                    handle(&edge, transaction, turn).await;
                    drop(place);
                });
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

/// Answers one request, when it is its turn.
async fn handle(edge: &Arc<Edge>, transaction: ServerTransaction, turn: Option<Turn>) {
    let transaction = match edge.dialogs.route(transaction) {
        Routed::Ours => return,
        Routed::Foreign(transaction) => transaction,
        Routed::Congested(transaction) => return refuse(edge, &transaction, &Refusal::OutOfOrder),
    };
    if *transaction.request().method() == Method::Invite {
        return invite(edge, transaction).await;
    }
    let mut turn = turn;
    if let Some(turn) = &mut turn {
        turn.come().await;
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
        Method::Message => message(edge, transaction).await,
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

/// A MESSAGE: read, made durable, answered (PFM rows).
async fn message(edge: &Edge, transaction: &ServerTransaction) -> Result<Response, Refusal> {
    let arrived = Instant::now();
    let request = transaction.request();
    let source = transaction.source();
    let signature = &edge.site.signature;
    if let Some(onward) = forward::onward(request, &edge.site)? {
        return forward::forward(edge, request, onward).await;
    }
    let deposit = match pager_mode::read(request, &edge.site, peer(source), now())? {
        Pager::Composing => {
            return Ok(response::answer(request, StatusCode::OK, signature, now()).build());
        }
        Pager::Deposit(deposit) => *deposit,
    };
    let (class, mailbox) = (deposit.class, deposit.served_user.clone());
    let proof = make_durable(edge, deposit).await?;
    metrics::accepted(
        class,
        source.transport,
        proof.duplicate(),
        arrived.elapsed(),
    );
    event::message_accepted(request, &mailbox, &proof);
    Ok(accept::accepted(request, &proof, signature, now()))
}

/// Hands a message to the store, which decides what the edge cannot (PFM-13).
async fn make_durable(edge: &Edge, deposit: Deposit) -> Result<Deposited, Refusal> {
    if edge.draining.is_cancelled() {
        return Err(Refusal::Overloaded);
    }
    match edge.storage.deposit(deposit).await {
        Ok(DepositAnswer::Deposited(proof)) => Ok(proof),
        Ok(DepositAnswer::Refused(refused)) => Err(refusal_of(refused)),
        Err(unavailable) => Err(Refusal::Unavailable(Some(unavailable.retry_after))),
    }
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
