//! SENDs in a session that stands: within the window, each settled on its 200, while the peer's
//! requests are answered and the dialog is kept alive (PSH-09).
//!
//! Whatever ends it early leaves every unacknowledged message stored (P4).

use daemon::trace::{Span, messaging};
use edge::sending::terms::Terms;
use edge::sending::{Established, SendEnd, Session, Step};
use msrp::{MessageId, OutboundMessage};
use net::msrp::SendTicket;
use storage_client::delivery::{DeliveryOutcome, DeliveryResult, Settlement};
use storage_client::message::Message;
use storage_client::{PushJob, Unavailable};

use super::content::Content;
use super::device::Delivery;
use super::outcome::{Meaning, of_send};
use crate::edge::Edge;
use crate::{event, metrics};

/// SENDs under way at a time (PSH-09): so many may repeat after a cut session.
const WINDOW: usize = 4;

/// With so many octets under way no further SEND is begun: what follows a large message waits for
/// its acknowledgement instead of being repeated with it.
const WINDOW_OCTETS: u64 = 1024 * 1024;

/// Attempts are counted up to so many, then from nought: six digits (requirements §2.4.3).
const ATTEMPTS: u64 = 1_000_000;

/// What goes into one SEND.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Parcel {
    /// Content-Type.
    pub(crate) content_type: String,
    /// Further headers that describe the body.
    pub(crate) headers: Vec<(String, String)>,
    /// The body.
    pub(crate) content: Content,
}

/// What became of one SEND.
struct Sent {
    message_id: String,
    octets: u64,
    end: SendEnd,
    meaning: Meaning,
    /// Whether the store took the settlement.
    settled: Result<(), Unavailable>,
}

/// A session while it sends.
pub(crate) struct Sending<'a> {
    edge: &'a Edge,
    job: Delivery<'a>,
    session: Session<'a, Sent>,
    octets_in_flight: u64,
    /// Why nothing more is sent.
    ending: Option<DeliveryOutcome>,
}

impl<'a> Sending<'a> {
    pub(crate) fn new(edge: &'a Edge, job: Delivery<'a>, established: Established) -> Self {
        Self {
            edge,
            job,
            session: Session::new(edge, established),
            octets_in_flight: 0,
            ending: None,
        }
    }

    /// What may be sent.
    pub(crate) fn terms(&self) -> &Terms {
        self.session.terms()
    }

    /// Whether another SEND may begin.
    pub(crate) fn has_room(&self) -> bool {
        let has_window = self.session.in_flight() < WINDOW && self.octets_in_flight < WINDOW_OCTETS;
        self.ending.is_none() && has_window
    }

    /// Whether nothing is under way.
    pub(crate) fn is_idle(&self) -> bool {
        self.session.in_flight() == 0
    }

    /// Why nothing more is to be sent, told once.
    pub(crate) fn take_ending(&mut self) -> Option<DeliveryOutcome> {
        self.ending.take()
    }

    /// The first reason to end stands.
    pub(crate) fn end(&mut self, outcome: DeliveryOutcome) {
        self.ending.get_or_insert(outcome);
    }

    /// Begins a SEND, unless the message was withdrawn meanwhile.
    pub(crate) async fn send(&mut self, message: &Message, parcel: Parcel) {
        let message_id = message.message_id.as_str();
        if !self.job.begin(message.sequence) {
            event::message_skipped(message_id, "withdrawn");
            return;
        }
        let Some(outer_id) = self.outer_id(message_id) else {
            event::message_skipped(message_id, "no MSRP Message-ID possible");
            return;
        };
        let octets = parcel.content.octets();
        let mut outbound = OutboundMessage::new(outer_id, &parcel.content_type, octets);
        outbound.success_report = self.session.needs_reports();
        outbound.headers = parcel.headers;
        let source = parcel.content.source(&self.edge.storage, self.job.claim);
        let ticket = self.session.send(outbound, source).await;
        self.octets_in_flight += octets;
        let message_id = message_id.to_owned();
        let span = send_span(&self.job, message, "session");
        let settled = settle(self.edge, self.job, message_id, octets, (ticket, span));
        self.session.follow(settled);
    }

    /// `dlv-<string>-<attempt>` (requirements §2.4.3).
    fn outer_id(&self, message_id: &str) -> Option<MessageId> {
        let string = message_id.split('@').next()?;
        format!("dlv-{string}-{}", self.job.attempt % ATTEMPTS)
            .parse()
            .ok()
    }

    /// Waits for the next thing to happen; for nothing if nothing is under way.
    pub(crate) async fn step(&mut self) {
        if self.is_idle() {
            return;
        }
        let may_end = self.ending.is_none();
        tokio::select! {
            step = self.session.step() => match step {
                Step::Sent(sent) => self.sent(&sent),
                Step::Continues => {}
                Step::EndedByPeer => self.stop(DeliveryResult::EndedByClient, "BYE of the client"),
                Step::Expired => self.stop(DeliveryResult::Broken, "session expired"),
            },
            () = self.job.lost(), if may_end => self.stop(DeliveryResult::Interrupted, "claim lost"),
            () = self.edge.draining.cancelled(), if may_end => {
                self.stop(DeliveryResult::EdgeDraining, "edge drains");
            }
        }
    }

    /// Ends dialog and session.
    pub(crate) async fn close(self) {
        self.session.close().await;
    }

    /// Takes in what became of a SEND.
    fn sent(&mut self, sent: &Sent) {
        self.octets_in_flight -= sent.octets;
        match &sent.meaning.settlement {
            Some(Settlement::Delivered { .. }) => metrics::sent("delivered"),
            Some(_) => metrics::sent("refused"),
            None => metrics::sent("failed"),
        }
        if let SendEnd::Refused(code @ (400 | 501)) = sent.end {
            event::send_faulted(&sent.message_id, code);
        }
        if let Some(outcome) = &sent.meaning.ending {
            self.end(outcome.clone());
        }
        if sent.settled.is_err() {
            self.stop(DeliveryResult::Interrupted, "store unavailable");
        }
    }

    fn stop(&mut self, result: DeliveryResult, reason: &str) {
        self.end(DeliveryOutcome::new(result, reason));
    }
}

/// The span of one message on its way to a client: within the attempt, linked to its acceptance.
pub(crate) fn send_span(job: &PushJob, message: &Message, channel: &'static str) -> Span {
    let parent = job.traceparent.as_deref().unwrap_or_default();
    let mut span = Span::within_text(messaging::SEND, parent);
    span.set(messaging::MESSAGE_ID, message.message_id.as_str());
    span.set(messaging::BODY_SIZE, message.body_octets);
    span.set(messaging::DESTINATION, channel);
    if let Some(accepted) = &message.traceparent {
        span.link(accepted);
    }
    span
}

/// What became of a message, for its span.
pub(crate) fn outcome(settlement: Option<&Settlement>) -> &'static str {
    match settlement {
        Some(Settlement::Delivered { .. }) => "delivered",
        Some(Settlement::Refused { .. }) => "refused",
        Some(Settlement::Failed { .. }) | None => "failed",
    }
}

/// Waits for the outcome of a SEND and tells the store what it means.
async fn settle(
    edge: &Edge,
    job: Delivery<'_>,
    message_id: String,
    octets: u64,
    (ticket, mut span): (SendTicket, Span),
) -> Sent {
    let end = SendEnd::from(ticket.await);
    let meaning = of_send(end);
    span.set(messaging::OUTCOME, outcome(meaning.settlement.as_ref()));
    let settled = match meaning.settlement.clone() {
        Some(settlement) => {
            let traceparent = span.traceparent();
            let told = edge
                .storage
                .acknowledge_for(
                    job.claim,
                    job.device,
                    message_id.clone(),
                    settlement,
                    traceparent,
                )
                .await;
            told.map(|_| ())
        }
        None => Ok(()),
    };
    Sent {
        message_id,
        octets,
        end,
        meaning,
        settled,
    }
}
