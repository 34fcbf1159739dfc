//! One element of an exchange: a transaction layer, and the promises it keeps towards its user and the network.

use std::collections::HashMap;
use std::time::Instant;

use bytes::Bytes;
use sip::transaction::{ClientId, Event, Layer, LayerLimits, ServerId, Timers};
use sip::{Message, Method, Request, Response, ResponseBuilder};

use super::messages::{name_of, parsed};
use super::operation::Side;

/// Few, so that tables get full.
pub(super) const TRANSACTIONS: usize = 6;

/// What a client transaction has come to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Outcome {
    Open,
    /// A 2xx to an INVITE, of which copies may follow.
    Accepted,
    Ended,
}

/// One element: its layer and its transaction user.
pub(super) struct Element {
    pub(super) layer: Layer<Side>,
    pub(super) sent: Vec<(ClientId, Request)>,
    pub(super) outcomes: HashMap<ClientId, Outcome>,
    pub(super) received: Vec<(ServerId, Request)>,
    /// The final response of each server transaction alive, by branch and CSeq.
    finals: HashMap<String, Response>,
}

impl Element {
    pub(super) fn new() -> Self {
        let limits = LayerLimits {
            server_transactions: TRANSACTIONS,
            client_transactions: TRANSACTIONS,
        };
        Self {
            layer: Layer::new(Timers::default(), limits),
            sent: Vec::new(),
            outcomes: HashMap::new(),
            received: Vec::new(),
            finals: HashMap::new(),
        }
    }

    /// Notes the events, checks the table and what is sent.
    pub(super) fn settle(&mut self, now: Instant) -> Vec<(Side, Bytes)> {
        let (servers, clients) = self.layer.transactions();
        assert!(
            servers <= TRANSACTIONS && clients <= TRANSACTIONS,
            "{servers} and {clients}"
        );
        while let Some(event) = self.layer.poll_event() {
            self.note(now, event);
        }
        let transmits: Vec<_> = std::iter::from_fn(|| self.layer.poll_transmit()).collect();
        for transmit in &transmits {
            if let Message::Response(response) = parsed(transmit.bytes.clone()) {
                assert_eq!(transmit.client, None);
                self.note_sent_response(response);
            }
        }
        transmits
            .into_iter()
            .map(|transmit| (transmit.peer, transmit.bytes))
            .collect()
    }

    fn note(&mut self, now: Instant, event: Event<Side>) {
        match event {
            Event::Request { id, request, .. } | Event::Merged { id, request, .. } => {
                self.finals.remove(&name_of(request.headers()));
                self.received.push((id, request));
            }
            Event::Overflow { .. } => assert_eq!(self.layer.transactions().0, TRANSACTIONS),
            Event::Ack { request, .. } => assert_eq!(*request.method(), Method::Ack),
            Event::Cancel {
                id,
                request,
                status,
                to_tag,
            } => {
                let reply = ResponseBuilder::reply_to(&request, status).to_tag(&to_tag);
                self.layer.respond(now, id, &reply.build());
            }
            Event::Cancelled { .. } | Event::ServerExpired { .. } => {}
            Event::Response { id, response, .. } => self.note_response(id, &response),
            Event::Timeout { id, .. } | Event::Unreachable { id, .. } => {
                assert_eq!(
                    self.outcomes.insert(id, Outcome::Ended),
                    Some(Outcome::Open)
                );
            }
        }
    }

    /// One final outcome, except for the copies of a 2xx to an INVITE.
    fn note_response(&mut self, id: ClientId, response: &Response) {
        let outcome = self
            .outcomes
            .get_mut(&id)
            .expect("a response to a request of ours");
        let cseq = response
            .headers()
            .cseq()
            .ok()
            .flatten()
            .expect("matched by its CSeq");
        let accepts = response.status().is_success() && cseq.method == Method::Invite;
        *outcome = match (*outcome, accepts) {
            (Outcome::Open, _) if response.status().is_provisional() => Outcome::Open,
            (Outcome::Open | Outcome::Accepted, true) => Outcome::Accepted,
            (Outcome::Open, false) => Outcome::Ended,
            (before, _) => panic!("{before:?} and then {}", response.status()),
        };
    }

    /// Never two finals in one server transaction. What the layer says to a CANCEL is its own business.
    fn note_sent_response(&mut self, response: Response) {
        let cseq = response.headers().cseq().ok().flatten().expect("a CSeq");
        if response.status().is_provisional() || cseq.method == Method::Cancel {
            return;
        }
        let is_invite = cseq.method == Method::Invite;
        let name = name_of(response.headers());
        if let Some(before) = self.finals.get(&name) {
            let both_accept =
                is_invite && before.status().is_success() && response.status().is_success();
            assert!(
                both_accept || before.as_bytes() == response.as_bytes(),
                "{before:?} and then {response:?}"
            );
        }
        self.finals.insert(name, response);
    }

    pub(super) fn has_ended(&self) {
        assert_eq!(self.layer.transactions(), (0, 0), "transactions are left");
        assert!(
            self.outcomes
                .values()
                .all(|outcome| *outcome != Outcome::Open),
            "a request without outcome"
        );
    }
}
