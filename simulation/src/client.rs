//! People who get messages, and their clients: they register, answer, and vanish.

mod arrival;
mod life;
mod push_session;

use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use net::msrp::MsrpEndpoint;
use net::network::Network as _;
use sip::{Method, Request, StatusCode};
use tokio::sync::mpsc;
use tokio::time::sleep;

use crate::agent::{Agent, Incoming};
use crate::clock;
use crate::edge_host::EdgeHost;
use crate::ledger::{Letter, SessionNumber};
use crate::network::Switch;
use crate::sender::request;
use crate::store_host;
use crate::world::World;
use arrival::Arrival;
use life::Life;
use push_session::PushSession;

/// Requests that wait to be looked at.
const INCOMING: usize = 16;

/// How often a client registers anew.
const REFRESH: Duration = Duration::from_secs(55);

/// How messages come to it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// By MESSAGE.
    Phone,
    /// In push sessions.
    Im,
    /// In push sessions; if it wants none, by MESSAGE.
    Both,
}

impl Kind {
    fn has_im_tag(self) -> bool {
        self != Self::Phone
    }

    fn allow(self) -> &'static str {
        match self {
            Self::Phone => "MESSAGE",
            Self::Im => "INVITE, ACK, CANCEL, BYE",
            Self::Both => "INVITE, ACK, CANCEL, BYE, MESSAGE",
        }
    }
}

/// One user with his client. Cheap to clone.
#[derive(Clone)]
pub struct Client {
    world: World,
    switch: Switch,
    user: usize,
    kind: Kind,
    ip: IpAddr,
    edges: Vec<EdgeHost>,
    state: Arc<Mutex<State>>,
}

#[derive(Default)]
struct State {
    /// The client that runs.
    running: Option<Life>,
    cseq: u32,
    /// Whether it answers every message at once with 200.
    is_willing: bool,
}

impl Client {
    /// User number `user`, away.
    #[must_use]
    pub fn new(world: World, switch: Switch, user: usize, edges: Vec<EdgeHost>) -> Self {
        let last = u8::try_from(user + 1).expect("few users");
        let kind = [Kind::Phone, Kind::Phone, Kind::Im, Kind::Im, Kind::Both][world.pick(5)];
        Self {
            world,
            switch,
            user,
            kind,
            ip: Ipv4Addr::new(127, 0, 3, last).into(),
            edges,
            state: Arc::default(),
        }
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn address(&self) -> SocketAddr {
        SocketAddr::new(self.ip, 5060)
    }

    /// Where it is.
    #[must_use]
    pub fn ip(&self) -> IpAddr {
        self.ip
    }

    /// From now on it answers every message at once with 200.
    pub fn be_willing(&self) {
        self.lock().is_willing = true;
    }

    fn is_willing(&self) -> bool {
        self.lock().is_willing
    }

    /// Comes back, unless it is here, and registers.
    pub fn come_back(&self) {
        let mut state = self.lock();
        if state.running.is_some() {
            return;
        }
        self.world
            .note(format!("user {}, {:?}: comes back", self.user, self.kind));
        let place = self.switch.come_up(self.ip);
        let port = place.bind(self.address());
        let (sender, incoming) = mpsc::channel(INCOMING);
        let agent = Agent::start(port.expect("a host that has just come up"), sender);
        let life = Life::new(agent);
        let (client, of_client) = (self.clone(), life.clone());
        tokio::spawn(async move {
            let ip = client.ip;
            let msrp = push_session::listen(place, ip).await;
            let gone = of_client.gone.clone();
            gone.run_until_cancelled(client.read(of_client, msrp.clone(), incoming))
                .await;
            // Its host is gone: nobody hears of that.
            msrp.close().await;
        });
        life.spawn(self.clone().stay_registered(life.agent.clone()));
        state.running = Some(life);
    }

    /// Vanishes without a word.
    pub fn vanish(&self) {
        if let Some(life) = self.lock().running.take() {
            self.world.note(format!("user {}: vanishes", self.user));
            life.gone.cancel();
            match self.world.chance(50) {
                true => self.switch.fall_silent(self.ip),
                false => self.switch.go_down(self.ip),
            }
        }
    }

    /// The same, and comes back.
    fn vanish_for_a_while(&self) {
        self.vanish();
        let (client, away) = (self.clone(), self.world.millis(100, 20_000));
        tokio::spawn(async move {
            sleep(away).await;
            client.come_back();
        });
    }

    /// Registers until it is told 200; returns whether it is here at all.
    pub async fn register(&self) -> bool {
        let life = self.lock().running.clone();
        let Some(life) = life else { return false };
        self.register_with(&life.agent).await;
        true
    }

    async fn register_with(&self, agent: &Agent) {
        loop {
            let edge = self.world.pick(self.edges.len());
            let cseq = {
                let mut state = self.lock();
                state.cseq += 1;
                state.cseq
            };
            let answer = agent
                .request(self.registration(cseq), self.edges[edge].sip())
                .await;
            let status = answer.map(|answer| answer.status().code());
            self.world.note(format!(
                "user {}: registered with edge {edge}: {status:?}",
                self.user
            ));
            match status {
                Some(200) => return,
                None | Some(408 | 480 | 500..) => sleep(self.world.millis(500, 3_000)).await,
                Some(status) => {
                    self.world
                        .violated(format!("a REGISTER was answered {status}"));
                    return;
                }
            }
        }
    }

    async fn stay_registered(self, agent: Agent) {
        loop {
            self.register_with(&agent).await;
            sleep(REFRESH).await;
        }
    }

    fn contact(&self) -> String {
        format!("sip:user{}@{}", self.user, self.address())
    }

    fn registration(&self, cseq: u32) -> Request {
        let (user, address, contact) = (self.user, self.address(), self.contact());
        let tag = if self.kind.has_im_tag() {
            ";+g.oma.sip-im"
        } else {
            ""
        };
        let allow = self.kind.allow();
        let head = format!(
            "REGISTER sip:example.org SIP/2.0\n\
             Via: SIP/2.0/UDP {address};branch=z9hG4bK-r{user}-{cseq};rport\n\
             Max-Forwards: 70\n\
             From: <sip:user{user}@example.org>;tag=r{user}\n\
             To: <sip:user{user}@example.org>\n\
             Call-ID: registration-{user}@example.org\n\
             CSeq: {cseq} REGISTER\n\
             Contact: <{contact}>{tag};expires=600\n\
             Allow: {allow}\n"
        );
        request(&head, "")
    }

    async fn read(self, life: Life, msrp: MsrpEndpoint, mut incoming: mpsc::Receiver<Incoming>) {
        while let Some(incoming) = incoming.recv().await {
            let tag = format!("u{}", self.user);
            match incoming.request.method() {
                Method::Message => self.answer_message(&life, incoming, tag),
                Method::Invite => {
                    let (client, life, msrp) = (self.clone(), life.clone(), msrp.clone());
                    let session = PushSession::new(client, life.clone(), msrp, incoming);
                    life.spawn(session.run());
                }
                Method::Bye => life.end(incoming, &tag).await,
                _ => {
                    let status = StatusCode::METHOD_NOT_ALLOWED;
                    life.answer(&incoming, status, &tag).await;
                }
            }
        }
    }

    fn answer_message(&self, life: &Life, message: Incoming, tag: String) {
        let status = self.take(&message.request);
        let delay = self.thinks(message.source.ip());
        let answering = life.clone();
        life.spawn(async move {
            sleep(delay).await;
            answering.answer(&message, status, &tag).await;
        });
    }

    /// How long it takes until a message is answered. Where that is long, luck is often bad: the edge that waits for the
    /// answer loses the store meanwhile, and its claim with it.
    fn thinks(&self, edge: IpAddr) -> Duration {
        if self.is_willing() {
            return self.world.millis(0, 600);
        }
        if !self.world.chance(20) {
            return self.world.millis(0, 60);
        }
        if self.world.chance(50) {
            let (switch, parted) = (self.switch.clone(), self.world.millis(5_000, 25_000));
            self.world.note(format!(
                "network: {edge} and the store are parted while it waits"
            ));
            switch.part(edge, store_host::ADDRESS);
            tokio::spawn(async move {
                sleep(parted).await;
                switch.join(edge, store_host::ADDRESS);
            });
        }
        self.world.millis(500, 15_000)
    }

    /// Looks at a message. What is refused is not looked at.
    fn take(&self, request: &Request) -> StatusCode {
        if !self.is_willing() && self.world.chance(5) {
            self.world.note(format!("user {}: is busy", self.user));
            return StatusCode::BUSY_HERE;
        }
        if let Some(letter) = self.gets(&Arrival::of_message(request), None) {
            self.sees(letter);
        }
        StatusCode::OK
    }

    fn sees(&self, letter: Letter) {
        self.world.ledger().seen(letter, clock::elapsed());
    }

    /// Something has come, in a session or by MESSAGE: says which message it is.
    fn gets(&self, arrival: &Arrival, session: Option<SessionNumber>) -> Option<Letter> {
        let Arrival { id, body } = arrival;
        self.world
            .note(format!("user {}: gets {body:?}, {id}", self.user));
        let Some(letter) = self.letter(body) else {
            self.world
                .violated(format!("P7: user {} got {body:?}", self.user));
            return None;
        };
        let wrong = {
            let mut ledger = self.world.ledger();
            let mut wrong = ledger.came(self.user, letter, id);
            wrong.extend(ledger.came_again(letter, session));
            wrong
        };
        for wrong in wrong {
            self.world.violated(wrong);
        }
        Some(letter)
    }

    /// The message with this body: one for this user, or his copy of one to many.
    fn letter(&self, body: &str) -> Option<Letter> {
        let (kind, number) = body.split_once(' ')?;
        let number = number.parse().ok()?;
        match kind {
            "letter" => Some(number),
            "circular" => self.world.ledger().copy(number, self.user),
            _ => None,
        }
    }

    /// Breaks the connections between an edge and this client.
    fn cut(&self, edge: IpAddr) {
        let ends = [self.ip, edge];
        self.switch
            .cut(|one, other| ends.contains(&one) && ends.contains(&other));
    }

    /// Kills an edge, which is started again after a while.
    fn kill_edge(&self, address: IpAddr) {
        let edge = self.edges.iter().find(|edge| edge.address() == address);
        let Some(edge) = edge.cloned() else { return };
        edge.kill();
        let down = self.world.millis(50, 12_000);
        tokio::spawn(async move {
            sleep(down).await;
            edge.start().await;
        });
    }
}
