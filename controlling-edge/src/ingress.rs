//! Requests in: from an arrival to its final answer. All pass the checks of requirements §1.20, then get the service of
//! their method. For a message to many the 2xx is made in [`accept`] and nowhere else (promise P1).

mod accept;
mod large;
mod message;
pub(crate) mod profile;

use std::sync::Arc;

use edge::checks::{Received, admit};
use edge::dialogs::Routed;
use edge::now;
use edge::refuse::Refusal;
use edge::{response, status};
use net::sip::{Arrival, Incoming, ServerTransaction};
use sip::{Method, Request, Response};
use tokio::sync::Semaphore;
use tokio_util::task::TaskTracker;

use crate::edge::Edge;
use crate::metrics;

/// Serves requests until the endpoint is closed, a bounded number at a time.
pub(crate) async fn serve(edge: Arc<Edge>, mut incoming: Incoming, tasks: TaskTracker) {
    let limit = usize::try_from(edge.config.limits.requests).unwrap_or(Semaphore::MAX_PERMITS);
    let places = Arc::new(Semaphore::new(limit.min(Semaphore::MAX_PERMITS)));
    while let Some(arrival) = incoming.next().await {
        let transaction = match arrival {
            Arrival::Request(transaction) => transaction,
            // It has ended the retransmission of our answer in the transaction layer.
            Arrival::Ack { request, .. } => {
                edge.dialogs.acknowledge(&request);
                continue;
            }
        };
        let transaction = match edge.dialogs.route(transaction) {
            Routed::Ours => continue,
            Routed::Foreign(transaction) => transaction,
            Routed::Congested(transaction) => {
                refuse(&edge, &transaction, &Refusal::OutOfOrder);
                continue;
            }
        };
        match Arc::clone(&places).try_acquire_owned() {
            Ok(place) => {
                let edge = Arc::clone(&edge);
                tasks.spawn(async move {
                    handle(&edge, transaction).await;
                    drop(place);
                });
            }
            Err(_) => refuse(&edge, &transaction, &Refusal::Overloaded),
        }
    }
}

async fn handle(edge: &Arc<Edge>, transaction: ServerTransaction) {
    if *transaction.request().method() == Method::Invite {
        return invite(edge, transaction).await;
    }
    match serve_one(edge, &transaction).await {
        Ok(response) => transaction.respond(response),
        Err(refusal) => refuse(edge, &transaction, &refusal),
    }
}

/// An INVITE is answered by the session that it makes, if it makes one.
async fn invite(edge: &Arc<Edge>, transaction: ServerTransaction) {
    let begun = match checked(edge, &transaction) {
        Ok(()) => Box::pin(large::invite(edge, transaction)).await,
        Err(refusal) => Err((transaction, refusal)),
    };
    if let Err((transaction, refusal)) = begun {
        refuse(edge, &transaction, &refusal);
    }
}

/// The checks of §1.20 before any service.
fn checked(edge: &Edge, transaction: &ServerTransaction) -> Result<(), Refusal> {
    let stranger = !edge.trusted.contains(&transaction.source().into());
    admit(&Received {
        request: transaction.request(),
        stranger: stranger.then_some(&Refusal::PeerUntrusted),
        is_merged: transaction.merged(),
        store: edge.storage.store().as_ref(),
        site: &edge.site,
    })
}

async fn serve_one(edge: &Edge, transaction: &ServerTransaction) -> Result<Response, Refusal> {
    let request = transaction.request();
    checked(edge, transaction)?;
    match request.method() {
        Method::Options => capabilities(edge, request),
        Method::Message => accept::message(edge, transaction).await,
        Method::Subscribe => Err(Refusal::Event),
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

fn refuse(edge: &Edge, transaction: &ServerTransaction, refusal: &Refusal) {
    let request = transaction.request();
    if matches!(request.method(), Method::Message | Method::Invite) {
        metrics::rejected(refusal);
    }
    edge::event::request_refused(request, refusal, status::status(refusal));
    let response = response::refused(request, refusal, &edge.site.signature, now());
    transaction.respond(response);
}
