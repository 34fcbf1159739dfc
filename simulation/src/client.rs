//! People who get messages, and their clients: they register, answer, and vanish.

use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use net::network::Network as _;
use sip::{Request, ResponseBuilder, StatusCode};
use tokio::sync::mpsc;
use tokio::time::sleep;
use tokio_util::sync::CancellationToken;

use crate::agent::{Agent, Incoming};
use crate::clock;
use crate::edge_host::EdgeHost;
use crate::network::Switch;
use crate::sender::request;
use crate::store_host;
use crate::world::World;

/// Requests that wait to be looked at.
const INCOMING: usize = 16;

/// How often a client registers anew.
const REFRESH: Duration = Duration::from_secs(55);

/// One user with his client. Cheap to clone.
#[derive(Clone)]
pub struct Client {
    world: World,
    switch: Switch,
    user: usize,
    ip: IpAddr,
    edges: Vec<EdgeHost>,
    state: Arc<Mutex<State>>,
}

#[derive(Default)]
struct State {
    /// Ends the client that runs.
    running: Option<(Agent, CancellationToken)>,
    cseq: u32,
    /// Whether it answers every message at once with 200.
    is_willing: bool,
}

impl Client {
    /// User number `user`, away.
    #[must_use]
    pub fn new(world: World, switch: Switch, user: usize, edges: Vec<EdgeHost>) -> Self {
        let last = u8::try_from(user + 1).expect("few users");
        Self {
            world,
            switch,
            user,
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

    /// Comes back, unless it is here, and registers.
    pub fn come_back(&self) {
        let mut state = self.lock();
        if state.running.is_some() {
            return;
        }
        self.world.note(format!("user {}: comes back", self.user));
        let port = self.switch.come_up(self.ip).bind(self.address());
        let (sender, incoming) = mpsc::channel(INCOMING);
        let agent = Agent::start(port.expect("a host that has just come up"), sender);
        let gone = CancellationToken::new();
        let reading = self.clone().read(agent.clone(), incoming);
        tokio::spawn(gone.clone().run_until_cancelled_owned(reading));
        let registering = self.clone().stay_registered(agent.clone());
        tokio::spawn(gone.clone().run_until_cancelled_owned(registering));
        state.running = Some((agent, gone));
    }

    /// Vanishes without a word.
    pub fn vanish(&self) {
        if let Some((_, gone)) = self.lock().running.take() {
            self.world.note(format!("user {}: vanishes", self.user));
            gone.cancel();
            self.switch.go_down(self.ip);
        }
    }

    /// Registers until it is told 200; returns whether it is here at all.
    pub async fn register(&self) -> bool {
        let agent = self.lock().running.as_ref().map(|(agent, _)| agent.clone());
        let Some(agent) = agent else { return false };
        self.register_with(&agent).await;
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

    fn registration(&self, cseq: u32) -> Request {
        let (user, address) = (self.user, self.address());
        let head = format!(
            "REGISTER sip:example.org SIP/2.0\n\
             Via: SIP/2.0/UDP {address};branch=z9hG4bK-r{user}-{cseq};rport\n\
             Max-Forwards: 70\n\
             From: <sip:user{user}@example.org>;tag=r{user}\n\
             To: <sip:user{user}@example.org>\n\
             Call-ID: registration-{user}@example.org\n\
             CSeq: {cseq} REGISTER\n\
             Contact: <sip:user{user}@{address}>;expires=600\n\
             Allow: MESSAGE\n"
        );
        request(&head, "")
    }

    async fn read(self, agent: Agent, mut incoming: mpsc::Receiver<Incoming>) {
        while let Some(message) = incoming.recv().await {
            let status = self.take(&message.request);
            let delay = self.thinks(message.source.ip());
            let (agent, tag) = (agent.clone(), format!("u{}", self.user));
            tokio::spawn(async move {
                sleep(delay).await;
                let response = ResponseBuilder::reply_to(&message.request, status).to_tag(&tag);
                agent.respond(message.id, response.build()).await;
            });
        }
    }

    /// How long it takes until a message is answered. Where that is long, luck is often bad: the edge that waits for the
    /// answer loses the store meanwhile, and its claim with it.
    fn thinks(&self, edge: IpAddr) -> Duration {
        if self.lock().is_willing {
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
        if !self.lock().is_willing && self.world.chance(5) {
            self.world.note(format!("user {}: is busy", self.user));
            return StatusCode::BUSY_HERE;
        }
        let id = request.headers().first_named("Message-ID");
        let id = id
            .map(|field| field.value().into_owned())
            .unwrap_or_default();
        let body = String::from_utf8_lossy(request.body()).into_owned();
        self.world
            .note(format!("user {}: gets {body:?}, {id}", self.user));
        let letter = body
            .strip_prefix("letter ")
            .and_then(|number| number.parse().ok());
        let Some(letter) = letter else {
            self.world
                .violated(format!("P7: user {} got {body:?}", self.user));
            return StatusCode::OK;
        };
        let wrong = self
            .world
            .ledger()
            .seen(self.user, letter, &id, clock::elapsed());
        for wrong in wrong {
            self.world.violated(wrong);
        }
        StatusCode::OK
    }
}
