//! People who write messages, and their clients: each message is sent until it is accepted.

use std::fmt::Write as _;
use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::time::Duration;

use net::network::Network as _;
use sip::{Limits, Message, Request, parse_datagram};
use storage::model::State;
use tokio::sync::mpsc;
use tokio::time::sleep;

use crate::agent::Agent;
use crate::clock;
use crate::edge_host::EdgeHost;
use crate::ledger::Letter;
use crate::network::Switch;
use crate::store_host::StoreHost;
use crate::world::World;

/// Requests to a sender are none.
const INCOMING: usize = 1;

/// One of them.
#[derive(Clone)]
pub struct Sender {
    world: World,
    place: u8,
    address: SocketAddr,
    agent: Agent,
    edges: Vec<EdgeHost>,
    store: StoreHost,
}

/// The Call-ID of a message, by which it is found in the store.
#[must_use]
pub fn call_id(letter: Letter) -> String {
    format!("letter-{letter}@example.org")
}

/// The message with that Call-ID.
#[must_use]
pub fn letter_of(call_id: &str) -> Option<Letter> {
    call_id
        .strip_prefix("letter-")?
        .split('@')
        .next()?
        .parse()
        .ok()
}

/// Prints a request, with its body, and reads it again.
pub(crate) fn request(head: &str, body: &str) -> Request {
    let mut text = head.replace('\n', "\r\n");
    // A String takes everything.
    let _ = write!(text, "Content-Length: {}\r\n\r\n{body}", body.len());
    match parse_datagram(text.into(), &Limits::default()) {
        Ok(Message::Request(request)) => request,
        other => panic!("a request of ours is none: {other:?}"),
    }
}

impl Sender {
    /// Sender number `place`, on a host of his own.
    #[must_use]
    pub fn new(
        (world, switch): (World, &Switch),
        place: u8,
        edges: Vec<EdgeHost>,
        store: StoreHost,
    ) -> Self {
        let ip = IpAddr::from(Ipv4Addr::new(127, 0, 2, place + 1));
        let address = SocketAddr::new(ip, 5060);
        let port = switch.come_up(ip).bind(address).expect("a free port");
        let (incoming, _) = mpsc::channel(INCOMING);
        Self {
            agent: Agent::start(port, incoming),
            world,
            place,
            address,
            edges,
            store,
        }
    }

    /// Writes a message to this user, and sends it until it is accepted. Returns it.
    pub async fn send(&self, user: usize) -> Letter {
        let letter = self.world.ledger().write(user);
        let mut branch = 0;
        loop {
            let edge = self.world.pick(self.edges.len());
            branch += 1;
            let request = self.message(letter, user, branch);
            self.world.note(format!(
                "sender {}: message {letter} to user {user} by edge {edge}",
                self.place
            ));
            let answer = self.agent.request(request, self.edges[edge].sip()).await;
            let status = answer.map(|answer| answer.status().code());
            self.world.note(format!(
                "sender {}: message {letter} was answered {status:?}",
                self.place
            ));
            match status {
                Some(200 | 202) => {
                    self.world.ledger().accepted(letter, clock::elapsed());
                    self.check_is_safe(letter).await;
                    return letter;
                }
                // Not now.
                None | Some(408 | 480 | 500..) => sleep(self.world.millis(200, 4_000)).await,
                Some(status) => {
                    self.world
                        .violated(format!("message {letter} was answered {status}"));
                    return letter;
                }
            }
        }
    }

    /// P1: what was answered 202 is on disk.
    async fn check_is_safe(&self, letter: Letter) {
        let messages = self.store.messages().await;
        let is_safe = messages
            .iter()
            .any(|(_, id, _)| letter_of(id) == Some(letter));
        if !is_safe {
            self.world.violated(format!(
                "P1: message {letter} was accepted and is not on disk"
            ));
        }
    }

    fn message(&self, letter: Letter, user: usize, branch: u32) -> Request {
        let Self { place, address, .. } = self;
        let call_id = call_id(letter);
        let head = format!(
            "MESSAGE sip:user{user}@example.org SIP/2.0\n\
             Via: SIP/2.0/UDP {address};branch=z9hG4bK-{letter}-{branch};rport\n\
             Max-Forwards: 70\n\
             From: <sip:sender{place}@example.org>;tag=s{letter}\n\
             To: <sip:user{user}@example.org>\n\
             Call-ID: {call_id}\n\
             CSeq: 1 MESSAGE\n\
             P-Asserted-Identity: <sip:sender{place}@example.org>\n\
             Accept-Contact: *;+g.oma.sip-im\n\
             Content-Type: text/plain\n"
        );
        request(&head, &format!("letter {letter}"))
    }
}

/// Whether a message that is in this state at the end of a history has come to its user.
#[must_use]
pub fn is_over(state: State) -> bool {
    state == State::Delivered
}

/// How long a sender thinks at most between two messages.
pub(crate) const PAUSE: Duration = Duration::from_secs(12);
