//! A push session at work: take, send within the window, settle each message on its 200, look again,
//! give the mailbox back (PSH-01, PSH-08, PSH-09, DLV-18).
//!
//! Whatever ends it early leaves every unacknowledged message stored (P4).

use std::time::Duration;

use futures_util::future::BoxFuture;
use futures_util::stream::{FuturesUnordered, StreamExt};
use msrp::{MessageId, OutboundMessage};
use net::msrp::{AbortReason, SendFailure, SendTicket};
use storage_client::delivery::{DeliveryOutcome, DeliveryResult, Settlement, TakenMessage};
use storage_client::{PushJob, Unavailable};
use tokio::time::{Instant, sleep_until};

use super::call::Served;
use super::encapsulate::{Encapsulated, encapsulate};
use super::establish::Established;
use super::mailbox::{Ending, Mailbox};
use super::outcome::{Meaning, SendEnd, of_send};
use crate::edge::Edge;
use crate::{event, metrics};
use edge::now;

/// SENDs under way at a time (PSH-09): so many may repeat after a cut session.
const WINDOW: usize = 4;

/// What a client that said BYE may still acknowledge.
const AFTER_BYE: Duration = Duration::from_secs(1);

/// Attempts are counted up to so many, then from nought: six digits (requirements §2.4.3).
const ATTEMPTS: u64 = 1_000_000;

/// What became of one SEND.
struct Sent {
    message_id: String,
    end: SendEnd,
    meaning: Meaning,
    /// Whether the store took the settlement.
    settled: Result<(), Unavailable>,
}

/// A session that delivers one claimed mailbox.
pub(crate) struct PushSession<'a> {
    edge: &'a Edge,
    job: &'a PushJob,
    established: Established,
    mailbox: Mailbox<'a>,
    in_flight: FuturesUnordered<BoxFuture<'a, Sent>>,
    /// Why nothing more is sent.
    ending: Option<DeliveryOutcome>,
    /// Whether the client ended the dialog, and until when it may still acknowledge.
    ended_by_peer: Option<Instant>,
}

impl<'a> PushSession<'a> {
    pub(crate) fn new(edge: &'a Edge, job: &'a PushJob, established: Established) -> Self {
        Self {
            edge,
            job,
            established,
            mailbox: Mailbox::new(edge, job),
            in_flight: FuturesUnordered::new(),
            ending: None,
            ended_by_peer: None,
        }
    }

    /// Delivers what is there and what comes meanwhile, then ends the session.
    pub(crate) async fn run(mut self) -> Ending {
        let _open = metrics::session_opened();
        let ending = loop {
            self.fill().await;
            if self.in_flight.is_empty()
                && let Some(ending) = self.finish().await
            {
                break ending;
            }
            self.step().await;
        };
        if self.ended_by_peer.is_none() {
            self.established.call.bye(self.edge).await;
        }
        self.established.session.close().await;
        ending
    }

    /// Sends as long as there is something and the window has room.
    async fn fill(&mut self) {
        while self.ending.is_none() && self.in_flight.len() < WINDOW {
            let taken = match self.mailbox.next().await {
                Ok(Some(taken)) => taken,
                Ok(None) => return,
                Err(outcome) => {
                    self.ending.get_or_insert(outcome);
                    return;
                }
            };
            if let Some(message) = self.prepared(&taken) {
                self.send(&taken.message.message_id, message).await;
            }
        }
    }

    /// The message as it is sent; `None` if it is passed over and stays stored.
    fn prepared(&self, taken: &TakenMessage) -> Option<Encapsulated> {
        let checked = if taken.message.expires_at <= now() {
            Err("expired")
        } else {
            let message = encapsulate(taken, &mut rand::rng()).map_err(|_| "not pushable");
            message.and_then(|message| self.established.terms.check(&message).map(|()| message))
        };
        checked
            .inspect_err(|reason| event::message_skipped(&taken.message.message_id, reason))
            .ok()
    }

    async fn send(&mut self, message_id: &str, message: Encapsulated) {
        let Some(outer_id) = self.outer_id(message_id) else {
            event::message_skipped(message_id, "no MSRP Message-ID possible");
            return;
        };
        let octets = message.body.len() as u64;
        let mut outbound = OutboundMessage::new(outer_id, &message.content_type, octets);
        outbound.success_report = self.established.terms.needs_reports;
        let ticket = self.established.session.send(outbound, message.body).await;
        self.in_flight.push(Box::pin(settle(
            self.edge,
            self.job,
            message_id.to_owned(),
            ticket,
        )));
    }

    /// `dlv-<string>-<attempt>` (requirements §2.4.3).
    fn outer_id(&self, message_id: &str) -> Option<MessageId> {
        let string = message_id.split('@').next()?;
        format!("dlv-{string}-{}", self.job.attempt % ATTEMPTS)
            .parse()
            .ok()
    }

    /// Nothing is under way: the end, unless something newer waits (DLV-18).
    async fn finish(&mut self) -> Option<Ending> {
        match self.ending.take() {
            Some(outcome) => Some(self.mailbox.ending(outcome, false)),
            None => self.mailbox.complete().await,
        }
    }

    /// Waits for the next thing to happen.
    async fn step(&mut self) {
        if self.in_flight.is_empty() {
            return;
        }
        let may_end = self.ending.is_none();
        let refresh_at = self.established.call.next_timeout().map(Instant::from_std);
        tokio::select! {
            Some(sent) = self.in_flight.next() => self.sent(&sent),
            transaction = self.established.requests.next() => {
                let served = self.established.call.serve(self.edge, &transaction);
                self.note(served);
            }
            () = self.job.lost(), if may_end => self.end(DeliveryResult::Broken, "claim lost"),
            () = self.edge.draining.cancelled(), if may_end => {
                self.end(DeliveryResult::EdgeDraining, "edge drains");
            }
            () = until(refresh_at) => {
                let served = self.established.call.keep_alive(self.edge).await;
                if served == Served::Ended {
                    self.end(DeliveryResult::Broken, "session expired");
                }
            }
            () = until(self.ended_by_peer) => self.in_flight.clear(),
        }
    }

    /// Takes in what became of a SEND.
    fn sent(&mut self, sent: &Sent) {
        match &sent.meaning.settlement {
            Some(Settlement::Delivered { .. }) => metrics::sent("delivered"),
            Some(_) => metrics::sent("refused"),
            None => metrics::sent("failed"),
        }
        if let SendEnd::Refused(code @ (400 | 501)) = sent.end {
            event::send_faulted(&sent.message_id, code);
        }
        if let Some(outcome) = &sent.meaning.ending {
            self.ending.get_or_insert_with(|| outcome.clone());
        }
        if sent.settled.is_err() {
            self.end(DeliveryResult::Broken, "store unavailable");
        }
    }

    /// After a BYE of the client nothing more is sent; what it has acknowledged counts.
    fn note(&mut self, served: Served) {
        if served == Served::Ended {
            self.end(DeliveryResult::EndedByClient, "BYE of the client");
            self.ended_by_peer = Some(Instant::now() + AFTER_BYE);
        }
    }

    /// The first reason to end stands.
    fn end(&mut self, result: DeliveryResult, reason: &str) {
        self.ending
            .get_or_insert_with(|| DeliveryOutcome::new(result, reason));
    }
}

/// Waits for the outcome of a SEND and tells the store what it means.
async fn settle(edge: &Edge, job: &PushJob, message_id: String, ticket: SendTicket) -> Sent {
    let end = end_of(ticket.await.map(|_| ()));
    let meaning = of_send(end);
    let settled = match meaning.settlement.clone() {
        Some(settlement) => {
            let told = edge
                .storage
                .acknowledge(job.claim, message_id.clone(), settlement)
                .await;
            told.map(|_| ())
        }
        None => Ok(()),
    };
    Sent {
        message_id,
        end,
        meaning,
        settled,
    }
}

fn end_of(outcome: Result<(), SendFailure>) -> SendEnd {
    match outcome {
        Ok(()) => SendEnd::Delivered,
        Err(SendFailure::Refused(code) | SendFailure::Aborted(AbortReason::Reported(code))) => {
            SendEnd::Refused(code)
        }
        Err(SendFailure::Timeout) => SendEnd::Timeout,
        Err(SendFailure::Aborted(_) | SendFailure::ConnectionLost | _) => SendEnd::ConnectionLost,
    }
}

async fn until(moment: Option<Instant>) {
    match moment {
        Some(moment) => sleep_until(moment).await,
        None => std::future::pending().await,
    }
}
