//! People who write messages, and their clients: each message is sent until it is accepted.

use std::fmt::Write as _;
use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::time::Duration;

use net::network::Network as _;
use sip::{Limits, Message, Request, parse_datagram};
use storage::model::{Job, State};
use tokio::sync::mpsc;
use tokio::time::sleep;

use crate::agent::Agent;
use crate::clock;
use crate::edge_host::EdgeHost;
use crate::ledger::{Circular, Letter};
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

/// The message to many that is sent in this name.
#[must_use]
pub fn circular_of(uri: &str) -> Option<Circular> {
    numbered(uri, "sip:circular")
}

/// The user with this address.
#[must_use]
pub fn user_of(uri: &str) -> Option<usize> {
    numbered(uri, "sip:user")
}

fn numbered(uri: &str, prefix: &str) -> Option<usize> {
    uri.strip_prefix(prefix)?.split('@').next()?.parse().ok()
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
    pub async fn send(&self, user: usize, lifetime: Option<Duration>) -> Letter {
        let letter = self.world.ledger().write(user, lifetime);
        let request = |branch| {
            let edge = &self.edges[self.world.pick(self.edges.len())];
            (self.message((letter, lifetime), user, branch), edge.sip())
        };
        let life = lifetime.map_or(String::new(), |lifetime| format!(", for {lifetime:?}"));
        if self
            .until_accepted(&format!("message {letter} to user {user}{life}"), request)
            .await
        {
            self.world.ledger().accepted(letter, clock::elapsed());
            self.check_is_safe(letter).await;
        }
        letter
    }

    /// Writes a message to many users, and has a controlling edge accept it.
    pub async fn send_to_many(&self, focus: &EdgeHost, users: &[usize]) {
        let circular = self.world.ledger().write_to_many(users);
        let request = |branch| (self.circular(circular, focus, users, branch), focus.sip());
        let what = format!("circular {circular} to users {users:?}");
        if self.until_accepted(&what, request).await {
            self.world
                .ledger()
                .accepted_to_many(circular, clock::elapsed());
            self.check_is_job(circular).await;
        }
    }

    /// Sends requests until one is accepted; false if one is refused for good.
    async fn until_accepted(
        &self,
        what: &str,
        request: impl Fn(u32) -> (Request, SocketAddr),
    ) -> bool {
        let place = self.place;
        let mut branch = 0;
        loop {
            branch += 1;
            let (request, to) = request(branch);
            self.world
                .note(format!("sender {place}: {what} by {}", to.ip()));
            let answer = self.agent.request(request, to).await;
            let status = answer.map(|answer| answer.status().code());
            self.world
                .note(format!("sender {place}: {what} was answered {status:?}"));
            match status {
                Some(200 | 202) => return true,
                // Not now.
                None | Some(408 | 480 | 500..) => sleep(self.world.millis(200, 4_000)).await,
                Some(status) => {
                    self.world.violated(format!("{what} was answered {status}"));
                    return false;
                }
            }
        }
    }

    /// P1: what was answered 202 is on disk.
    async fn check_is_safe(&self, letter: Letter) {
        let messages = self.store.messages().await;
        if !messages
            .iter()
            .any(|message| message.letter == Some(letter))
        {
            self.world.violated(format!(
                "P1: message {letter} was accepted and is not on disk"
            ));
        }
    }

    /// The same of a message to many: each of its recipients is there.
    async fn check_is_job(&self, circular: Circular) {
        let jobs = self.store.jobs().await;
        let is_it = |job: &Job| circular_of(job.sender.as_str()) == Some(circular);
        let legs = jobs
            .iter()
            .find(|(job, _)| is_it(job))
            .map(|(_, legs)| legs.len());
        let copies = self.world.ledger().copies(circular).len();
        if legs != Some(copies) {
            self.world.violated(format!(
                "P1: circular {circular} was accepted for {copies} and is on disk for {legs:?}"
            ));
        }
    }

    fn message(
        &self,
        (letter, lifetime): (Letter, Option<Duration>),
        user: usize,
        branch: u32,
    ) -> Request {
        let Self { place, address, .. } = self;
        let call_id = call_id(letter);
        let expires = lifetime.map_or(String::new(), |lifetime| {
            format!("Expires: {}\n", lifetime.as_secs())
        });
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
             {expires}\
             Content-Type: text/plain\n"
        );
        request(&head, &format!("letter {letter}"))
    }

    /// A message with the list of its recipients (requirements §2.7), in the name of a user of its own, by whom its job is
    /// found in the store.
    fn circular(
        &self,
        circular: Circular,
        focus: &EdgeHost,
        users: &[usize],
        branch: u32,
    ) -> Request {
        let (address, factory) = (self.address, focus.sip());
        let entries: String = users
            .iter()
            .map(|user| {
                format!("<entry uri=\"sip:user{user}@example.org\" cp:copyControl=\"to\"/>")
            })
            .collect();
        let head = format!(
            "MESSAGE sip:im-factory@{factory} SIP/2.0\n\
             Via: SIP/2.0/UDP {address};branch=z9hG4bK-c{circular}-{branch};rport\n\
             Max-Forwards: 70\n\
             From: <sip:circular{circular}@example.org>;tag=c{circular}\n\
             To: <sip:im-factory@{factory}>\n\
             Call-ID: circular-{circular}@example.org\n\
             CSeq: 1 MESSAGE\n\
             Require: recipient-list-message\n\
             P-Asserted-Identity: <sip:circular{circular}@example.org>\n\
             Accept-Contact: *;+g.oma.sip-im\n\
             Content-Type: multipart/mixed;boundary=\"b\"\n"
        );
        let body = format!(
            "--b\r\nContent-Type: text/plain\r\n\r\ncircular {circular}\r\n--b\r\n\
             Content-Type: application/resource-lists+xml\r\nContent-Disposition: recipient-list\r\n\r\n\
             <?xml version=\"1.0\" encoding=\"UTF-8\"?>\r\n\
             <resource-lists xmlns=\"urn:ietf:params:xml:ns:resource-lists\" \
             xmlns:cp=\"urn:ietf:params:xml:ns:copycontrol\"><list>{entries}</list></resource-lists>\r\n--b--\r\n"
        );
        request(&head, &body)
    }
}

/// Whether nothing more happens to a message in this state: nobody here refuses, deletes or recalls any.
#[must_use]
pub fn is_over(state: State) -> bool {
    matches!(state, State::Delivered | State::Expired)
}

/// How long a sender thinks at most between two messages.
pub(crate) const PAUSE: Duration = Duration::from_secs(12);
