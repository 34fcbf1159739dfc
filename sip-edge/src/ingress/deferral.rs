//! A MESSAGE: read, made durable, answered (PFM rows).
//!
//! It has no task of its own: what can be decided here is decided at once, and the answer of the
//! store goes on from where it arrives.

use std::pin::pin;
use std::sync::Arc;
use std::time::Instant;

use daemon::trace::{Span, messaging};
use edge::refuse::Refusal;
use edge::{now, peer, response};
use net::sip::ServerTransaction;
use sip::{Response, StatusCode};
use storage_client::message::Class;
use storage_client::{DepositAnswer, Deposited, Unavailable};
use tokio::time::timeout_at;
use tokio_util::task::TaskTracker;

use super::forward::{Onward, forward, onward};
use super::pager_mode::{self, Pager};
use super::{Busy, accept, checked, may_send, online, refusal_of, refuse};
use crate::config::LATEST_ANSWER;
use crate::edge::Edge;
use crate::{event, metrics};

/// A message on its way to the disk.
struct Deferral {
    edge: Arc<Edge>,
    transaction: ServerTransaction,
    arrived: Instant,
    class: Class,
    mailbox: String,
    /// From the request to its answer.
    span: Span,
    /// Where a task goes on that outlives the answer of the store.
    tasks: TaskTracker,
    /// Ends with the answer.
    _busy: Busy,
}

/// What is to be done with a MESSAGE.
enum Wanted {
    Pager(Pager),
    /// It is not for us to terminate: it goes on to where it was going.
    Onward(Box<Onward>),
}

/// Serves a MESSAGE outside our dialogs.
pub(super) fn defer(
    edge: &Arc<Edge>,
    tasks: &TaskTracker,
    transaction: ServerTransaction,
    busy: Busy,
) {
    let arrived = Instant::now();
    let mut span = Span::begin(messaging::ACCEPT);
    let mut deposit = match read(edge, &transaction) {
        Ok(Wanted::Pager(Pager::Deposit(deposit))) => deposit,
        Ok(Wanted::Onward(onward)) => {
            span.discard();
            let edge = Arc::clone(edge);
            tasks.spawn(async move {
                match forward(&edge, transaction.request(), *onward).await {
                    Ok(response) => transaction.respond(response),
                    Err(refusal) => refuse(&edge, &transaction, &refusal),
                }
                drop(busy);
            });
            return;
        }
        Ok(Wanted::Pager(Pager::Composing)) => {
            span.discard();
            let (request, signature) = (transaction.request(), &edge.site.signature);
            let answer = response::answer(request, StatusCode::OK, signature, now());
            return transaction.respond(answer.build());
        }
        Err(refusal) => {
            span.fail(refusal.label());
            return refuse(edge, &transaction, &refusal);
        }
    };
    span.set(messaging::BODY_SIZE, deposit.body_octets);
    deposit.traceparent = span.traceparent();
    let deferral = Deferral {
        edge: Arc::clone(edge),
        transaction,
        arrived,
        class: deposit.class,
        mailbox: deposit.served_user.clone(),
        span,
        tasks: tasks.clone(),
        _busy: busy,
    };
    edge.storage
        .deposit_then(*deposit, move |answer| deferral.answer(answer));
}

fn read(edge: &Edge, transaction: &ServerTransaction) -> Result<Wanted, Refusal> {
    checked(edge, transaction)?;
    let request = transaction.request();
    if let Some(onward) = onward(request, &edge.site)? {
        return Ok(Wanted::Onward(Box::new(onward)));
    }
    let arrival = (peer(transaction.source()), now());
    let may_send = |originator: Option<&_>| may_send(edge, request, originator);
    let read = pager_mode::read(request, &edge.site, arrival, may_send)?;
    match read {
        Pager::Deposit(_) if edge.draining.is_cancelled() => Err(Refusal::Overloaded),
        Pager::Deposit(deposit) => {
            if deposit.sender.is_none() && deposit.report_request.is_some() {
                event::report_not_possible(request);
            }
            Ok(Wanted::Pager(Pager::Deposit(deposit)))
        }
        read => Ok(Wanted::Pager(read)),
    }
}

impl Deferral {
    fn answer(mut self, answer: Result<DepositAnswer, Unavailable>) {
        let proof = match durable(answer) {
            Ok(proof) => proof,
            Err(refusal) => {
                self.span.fail(refusal.label());
                return refuse(&self.edge, &self.transaction, &refusal);
            }
        };
        self.span.set(messaging::MESSAGE_ID, proof.message_id());
        match self.edge.forwards.place(self.transaction.request(), &proof) {
            None => self.accept(&proof),
            Some(place) => {
                let tasks = self.tasks.clone();
                tasks.spawn(async move {
                    self.forward(&proof).await;
                    drop(place);
                });
            }
        }
    }

    /// The client of the user may answer for as long as its sender waits; what it says later settles the
    /// message all the same (PFM-01).
    async fn forward(self, proof: &Deposited) {
        let edge = Arc::clone(&self.edge);
        let request = self.transaction.request().clone();
        let within = edge.config.forward.answer_within;
        let until = (Instant::now() + within).min(self.arrived + LATEST_ANSWER);
        let mut forwarding = pin!(online::forward(&edge, &request, proof));
        match timeout_at(until.into(), &mut forwarding).await {
            Ok(Some(answer)) => self.relay(proof, &answer),
            Ok(None) => self.accept(proof),
            Err(_) => {
                self.accept(proof);
                forwarding.await;
            }
        }
    }

    fn accept(self, proof: &Deposited) {
        let signature = &self.edge.site.signature;
        let response = accept::accepted(self.transaction.request(), proof, signature, now());
        self.respond(proof, response);
    }

    fn relay(self, proof: &Deposited, answer: &Response) {
        let response = accept::relayed(self.transaction.request(), proof, answer);
        self.respond(proof, response);
    }

    /// Answers for a message that is on disk.
    fn respond(self, proof: &Deposited, response: Response) {
        metrics::accepted(
            self.class,
            self.transaction.source().transport,
            proof.duplicate(),
            self.arrived.elapsed(),
        );
        event::message_accepted(self.transaction.request(), &self.mailbox, proof);
        self.transaction.respond(response);
    }
}

/// What the store decided where the edge cannot (PFM-13).
fn durable(answer: Result<DepositAnswer, Unavailable>) -> Result<Deposited, Refusal> {
    match answer {
        Ok(DepositAnswer::Deposited(proof)) => Ok(proof),
        Ok(DepositAnswer::Refused(refused)) => Err(refusal_of(refused)),
        Err(unavailable) => Err(Refusal::Unavailable(Some(unavailable.retry_after))),
    }
}
