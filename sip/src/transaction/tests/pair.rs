//! Two layers and a network between them that loses, repeats and delays, under a virtual clock.

use std::collections::{BTreeMap, HashMap};
use std::time::{Duration, Instant};

use bytes::Bytes;
use proptest::prelude::*;

use super::*;
use crate::transaction::{ClientId, Event, Layer, LayerLimits, Timers};

/// What the network does to one message.
#[derive(Clone, Copy, Debug)]
enum Fate {
    Lost,
    Arrives { after: Duration },
    Twice { after: Duration, again: Duration },
}

fn fate() -> impl Strategy<Value = Fate> {
    let delay = || (0..3000_u64).prop_map(Duration::from_millis);
    prop_oneof![
        2 => Just(Fate::Lost),
        4 => delay().prop_map(|after| Fate::Arrives { after }),
        1 => (delay(), delay()).prop_map(|(after, again)| Fate::Twice { after, again }),
    ]
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Side {
    Client,
    Server,
}

/// Both ends, the messages between them and the clock.
struct Pair {
    now: Instant,
    client: Layer<()>,
    server: Layer<()>,
    in_flight: BTreeMap<(Instant, usize), (Side, Bytes)>,
    /// Messages handed to the network, each with its own fate.
    carried: usize,
    /// Tells apart what arrives at the same time.
    arrivals: usize,
    fates: Vec<Fate>,
    /// How the server answers each request.
    status: StatusCode,
    /// Requests the server's transaction user has seen.
    seen: usize,
    /// Final outcomes the client's transaction user has seen: a status, or none for a failure.
    outcomes: HashMap<ClientId, Vec<Option<StatusCode>>>,
}

impl Pair {
    fn new(fates: Vec<Fate>, status: StatusCode) -> Self {
        let layer = || Layer::new(Timers::default(), LayerLimits::default());
        Self {
            now: Instant::now(),
            client: layer(),
            server: layer(),
            in_flight: BTreeMap::new(),
            carried: 0,
            arrivals: 0,
            fates,
            status,
            seen: 0,
            outcomes: HashMap::new(),
        }
    }

    /// Runs until nothing moves any more.
    fn run(&mut self) {
        self.settle();
        while let Some(next) = self.next() {
            self.now = next;
            while let Some(entry) = self
                .in_flight
                .first_entry()
                .filter(|entry| entry.key().0 <= next)
            {
                let (to, bytes) = entry.remove();
                self.deliver(to, bytes);
            }
            self.client.handle_timeout(next);
            self.server.handle_timeout(next);
            self.settle();
        }
    }

    fn next(&self) -> Option<Instant> {
        let arrival = self.in_flight.keys().next().map(|(at, _)| *at);
        arrival
            .into_iter()
            .chain(self.client.next_timeout())
            .chain(self.server.next_timeout())
            .min()
    }

    fn deliver(&mut self, to: Side, bytes: Bytes) {
        let message = parse_datagram(bytes, &Limits::default()).unwrap();
        let layer = if to == Side::Client {
            &mut self.client
        } else {
            &mut self.server
        };
        match message {
            Message::Request(request) => layer.handle_request(self.now, request, (), false),
            Message::Response(response) => {
                layer.handle_response(self.now, response);
            }
        }
        self.settle();
    }

    /// Lets both transaction users react and the network take what is sent.
    fn settle(&mut self) {
        while let Some(event) = self.server.poll_event() {
            self.answer(event);
        }
        while let Some(event) = self.client.poll_event() {
            self.note(event);
        }
        while let Some(transmit) = self.client.poll_transmit() {
            self.carry(Side::Server, transmit.bytes);
        }
        while let Some(transmit) = self.server.poll_transmit() {
            self.carry(Side::Client, transmit.bytes);
        }
    }

    fn answer(&mut self, event: Event<()>) {
        if let Event::Request { id, request, .. } = event {
            self.seen += 1;
            self.server
                .respond(self.now, id, &reply(&request, self.status));
        }
    }

    fn note(&mut self, event: Event<()>) {
        let (id, outcome) = match event {
            Event::Response { response, .. } if response.status().is_provisional() => return,
            Event::Response { id, response, .. } => (id, Some(response.status())),
            Event::Timeout { id, .. } | Event::Unreachable { id, .. } => (id, None),
            other => panic!("no event of a client: {other:?}"),
        };
        self.outcomes.entry(id).or_default().push(outcome);
        if outcome == Some(StatusCode::OK) {
            self.acknowledge();
        }
    }

    /// The ACK of a 2xx is the transaction user's: one per copy.
    fn acknowledge(&mut self) {
        let invite = request("INVITE", "z9hG4bK1", "");
        self.carry(Side::Server, ack(&invite, "z9hG4bK2").as_bytes().clone());
    }

    /// Messages beyond the list arrive at once, so that every run ends.
    fn carry(&mut self, to: Side, bytes: Bytes) {
        let at_once = Fate::Arrives {
            after: Duration::ZERO,
        };
        let delays = match self.fates.get(self.carried).copied().unwrap_or(at_once) {
            Fate::Lost => vec![],
            Fate::Arrives { after } => vec![after],
            Fate::Twice { after, again } => vec![after, again],
        };
        self.carried += 1;
        for after in delays {
            self.arrivals += 1;
            self.in_flight
                .insert((self.now + after, self.arrivals), (to, bytes.clone()));
        }
    }
}

/// Sends one request through the network and checks what must hold whatever it does.
fn exchange(method: &str, status: StatusCode, fates: Vec<Fate>) -> Pair {
    let mut pair = Pair::new(fates, status);
    let id = pair
        .client
        .start_request(pair.now, request(method, "z9hG4bK1", ""), (), false)
        .unwrap();
    pair.run();
    assert_eq!(pair.seen, 1, "the transaction user sees the request once");
    assert_eq!(pair.client.transactions(), (0, 0));
    assert_eq!(pair.server.transactions(), (0, 0));
    let outcomes = &pair.outcomes[&id];
    assert!(
        outcomes.iter().all(|outcome| *outcome == Some(status)),
        "{outcomes:?}"
    );
    pair
}

fn finals(pair: &Pair) -> usize {
    pair.outcomes.values().map(Vec::len).sum()
}

#[test]
fn perfect_network_needs_two_messages() {
    let pair = exchange("MESSAGE", StatusCode::ACCEPTED, vec![]);
    assert_eq!(pair.carried, 2);
}

proptest! {
    /// Ten fates are fewer than the tries a transaction has: each exchange comes to its end.
    #[test]
    fn message_is_seen_once_and_answered_once(fates in proptest::collection::vec(fate(), 0..10)) {
        let pair = exchange("MESSAGE", StatusCode::ACCEPTED, fates);
        prop_assert_eq!(finals(&pair), 1);
    }

    #[test]
    fn failed_invite_is_seen_once_and_answered_once(fates in proptest::collection::vec(fate(), 0..6)) {
        let pair = exchange("INVITE", StatusCode::BUSY_HERE, fates);
        prop_assert_eq!(finals(&pair), 1);
    }

    #[test]
    fn accepted_invite_is_seen_once_and_its_2xx_arrives(fates in proptest::collection::vec(fate(), 0..6)) {
        let pair = exchange("INVITE", StatusCode::OK, fates);
        prop_assert!(finals(&pair) >= 1);
    }
}
