//! Requests in: from an arrival to its final answer. All pass the checks of requirements §1.20, then get the service of
//! their method. For a message to many the 202 is made in [`accept`] and nowhere else (promise P1).

mod accept;
mod message;
pub(crate) mod profile;

use std::sync::Arc;

use edge::checks::{Received, admit};
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
        // An ACK has ended the retransmission of an answer of ours in the transaction layer.
        let Arrival::Request(transaction) = arrival else {
            continue;
        };
        match Arc::clone(&places).try_acquire_owned() {
            Ok(place) => {
                let edge = Arc::clone(&edge);
                tasks.spawn(async move {
                    handle(&edge, &transaction).await;
                    drop(place);
                });
            }
            Err(_) => refuse(&edge, &transaction, &Refusal::Overloaded),
        }
    }
}

async fn handle(edge: &Edge, transaction: &ServerTransaction) {
    match serve_one(edge, transaction).await {
        Ok(response) => transaction.respond(response),
        Err(refusal) => refuse(edge, transaction, &refusal),
    }
}

async fn serve_one(edge: &Edge, transaction: &ServerTransaction) -> Result<Response, Refusal> {
    let request = transaction.request();
    let stranger = !edge.trusted.contains(&transaction.source().into());
    admit(&Received {
        request,
        stranger: stranger.then_some(&Refusal::PeerUntrusted),
        is_merged: transaction.merged(),
        store: edge.storage.store().as_ref(),
        site: &edge.site,
    })?;
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
    if *request.method() == Method::Message {
        metrics::rejected(refusal);
    }
    edge::event::request_refused(request, refusal, status::status(refusal));
    let response = response::refused(request, refusal, &edge.site.signature, now());
    transaction.respond(response);
}
