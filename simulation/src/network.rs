//! A network that loses, repeats, delays and parts. Hosts have an address each; one that dies takes its ports and
//! connections with it, and what is left of its process says nothing any more. Where it goes without a word, the other
//! ends of its connections hear nothing until it is back.

use std::collections::{BTreeMap, BTreeSet};
use std::io;
use std::net::{IpAddr, SocketAddr};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use bytes::Bytes;
use net::network::{Connections, Datagrams, Network, Waiting};
use tokio::io::{AsyncReadExt, AsyncWriteExt, DuplexStream, ReadHalf, WriteHalf};
use tokio::sync::{mpsc, watch};
use tokio::time::sleep;
use tokio_util::sync::CancellationToken;

use crate::world::World;

/// Octets that a connection holds in each direction.
const PIPE_OCTETS: usize = 64 << 10;

/// What is on its way to a port: bounded by nothing but the history.
type Sender<T> = mpsc::UnboundedSender<(T, SocketAddr)>;
type Receiver<T> = tokio::sync::Mutex<mpsc::UnboundedReceiver<(T, SocketAddr)>>;

/// What happens to datagrams, in percent.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Weather {
    /// Never arrive.
    pub lost: u32,
    /// Arrive twice.
    pub repeated: u32,
    /// Arrive late, behind others.
    pub late: u32,
}

/// All hosts and what is between them. Cheap to clone.
#[derive(Clone, Debug)]
pub struct Switch(Arc<Inner>);

#[derive(Debug)]
struct Inner {
    world: World,
    state: Mutex<State>,
    /// Grows with every change of who can reach whom.
    changes: watch::Sender<u64>,
}

#[derive(Debug, Default)]
struct State {
    weather: Weather,
    /// Which of its lives a host is in; none while it is down.
    hosts: BTreeMap<IpAddr, u64>,
    lives: u64,
    ports: BTreeMap<SocketAddr, Sender<Bytes>>,
    listeners: BTreeMap<SocketAddr, Sender<DuplexStream>>,
    parted: BTreeSet<(IpAddr, IpAddr)>,
    /// Hosts that went without a word.
    silent: BTreeSet<IpAddr>,
    links: Vec<(IpAddr, IpAddr, CancellationToken)>,
}

impl State {
    fn are_parted(&self, one: IpAddr, other: IpAddr) -> bool {
        self.parted.contains(&(one.min(other), one.max(other)))
            || self.silent.contains(&one)
            || self.silent.contains(&other)
    }

    fn is_alive(&self, place: (IpAddr, u64)) -> bool {
        self.hosts.get(&place.0) == Some(&place.1)
    }

    fn remove(&mut self, address: IpAddr) {
        self.hosts.remove(&address);
        self.ports.retain(|port, _| port.ip() != address);
        self.listeners.retain(|port, _| port.ip() != address);
    }
}

impl Switch {
    /// No hosts.
    #[must_use]
    pub fn new(world: World) -> Self {
        Self(Arc::new(Inner {
            world,
            state: Mutex::default(),
            changes: watch::Sender::new(0),
        }))
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.0.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// A host comes up, in a new life.
    pub fn come_up(&self, address: IpAddr) -> Place {
        let mut state = self.lock();
        state.lives += 1;
        let life = state.lives;
        state.hosts.insert(address, life);
        let was_silent = state.silent.remove(&address);
        drop(state);
        if was_silent {
            // It resets connections that it knows nothing of.
            self.cut(|one, other| one == address || other == address);
            self.0.changes.send_modify(|changes| *changes += 1);
        }
        Place {
            switch: self.clone(),
            address,
            life,
        }
    }

    /// The process of a host dies: its connections break.
    pub fn go_down(&self, address: IpAddr) {
        self.lock().remove(address);
        self.cut(|one, other| one == address || other == address);
    }

    /// A host goes without a word: its connections are silent until it comes up again.
    pub fn fall_silent(&self, address: IpAddr) {
        let mut state = self.lock();
        state.remove(address);
        state.silent.insert(address);
    }

    /// Breaks connections.
    pub fn cut(&self, between: impl Fn(IpAddr, IpAddr) -> bool) {
        self.lock().links.retain(|(one, other, broken)| {
            let is_hit = between(*one, *other);
            if is_hit {
                broken.cancel();
            }
            !is_hit && !broken.is_cancelled()
        });
    }

    /// Nothing gets from one to the other, until they are joined.
    pub fn part(&self, one: IpAddr, other: IpAddr) {
        self.lock().parted.insert((one.min(other), one.max(other)));
    }

    /// What was held up between them goes on.
    pub fn join(&self, one: IpAddr, other: IpAddr) {
        self.lock().parted.remove(&(one.min(other), one.max(other)));
        self.0.changes.send_modify(|changes| *changes += 1);
    }

    /// Everybody reaches everybody.
    pub fn heal(&self) {
        let mut state = self.lock();
        state.parted.clear();
        state.weather = Weather::default();
        drop(state);
        self.0.changes.send_modify(|changes| *changes += 1);
    }

    /// What happens to datagrams from now on.
    pub fn set_weather(&self, weather: Weather) {
        self.lock().weather = weather;
    }

    /// Waits while these two are parted.
    async fn passable(&self, one: IpAddr, other: IpAddr) {
        let mut changes = self.0.changes.subscribe();
        while self.lock().are_parted(one, other) {
            // The sender lives as long as this.
            let _ = changes.changed().await;
        }
    }

    fn send(&self, from: (SocketAddr, u64), octets: &Bytes, to: SocketAddr) {
        let world = &self.0.world;
        let state = self.lock();
        if !state.is_alive((from.0.ip(), from.1)) || state.are_parted(from.0.ip(), to.ip()) {
            return;
        }
        let weather = state.weather;
        drop(state);
        let copies = match () {
            () if world.chance(weather.lost) => 0,
            () if world.chance(weather.repeated) => 2,
            () => 1,
        };
        for _ in 0..copies {
            let delay = match world.chance(weather.late) {
                true => world.millis(20, 3_000),
                false => world.between(Duration::from_micros(200), Duration::from_millis(15)),
            };
            let (switch, octets) = (self.clone(), octets.clone());
            tokio::spawn(async move {
                sleep(delay).await;
                let port = switch.lock().ports.get(&to).cloned();
                // A port that has just been closed takes nothing.
                let _ = port.map(|port| port.send((octets, from.0)));
            });
        }
    }

    async fn connect(&self, from: (IpAddr, u64), to: SocketAddr) -> io::Result<DuplexStream> {
        sleep(
            self.0
                .world
                .between(Duration::from_micros(200), Duration::from_millis(5)),
        )
        .await;
        self.passable(from.0, to.ip()).await;
        let mut state = self.lock();
        let listener = state.listeners.get(&to).cloned();
        let listener = listener.filter(|_| state.is_alive(from));
        let refused = || io::Error::from(io::ErrorKind::ConnectionRefused);
        let listener = listener.ok_or_else(refused)?;
        let (ours, our_end) = tokio::io::duplex(PIPE_OCTETS);
        let (theirs, their_end) = tokio::io::duplex(PIPE_OCTETS);
        let remote = SocketAddr::new(from.0, 40_000);
        listener.send((theirs, remote)).map_err(|_| refused())?;
        let broken = CancellationToken::new();
        state.links.push((from.0, to.ip(), broken.clone()));
        drop(state);
        let (our_input, our_output) = tokio::io::split(our_end);
        let (their_input, their_output) = tokio::io::split(their_end);
        let (switch, ends) = (self.clone(), (from.0, to.ip()));
        tokio::spawn(async move {
            let both = async {
                tokio::join!(
                    switch.carry(ends, our_input, their_output),
                    switch.carry(ends, their_input, our_output)
                )
            };
            broken.run_until_cancelled(both).await;
            broken.cancel();
        });
        Ok(ours)
    }

    /// One direction of a connection.
    async fn carry(
        &self,
        (one, other): (IpAddr, IpAddr),
        mut from: ReadHalf<DuplexStream>,
        mut to: WriteHalf<DuplexStream>,
    ) {
        let mut buffer = vec![0; PIPE_OCTETS];
        loop {
            let Ok(length @ 1..) = from.read(&mut buffer).await else {
                // The end, or nobody listens any more.
                let _ = to.shutdown().await;
                return;
            };
            sleep(
                self.0
                    .world
                    .between(Duration::from_micros(100), Duration::from_millis(2)),
            )
            .await;
            self.passable(one, other).await;
            if to.write_all(&buffer[..length]).await.is_err() {
                return;
            }
        }
    }
}

/// One life of one host.
#[derive(Clone, Debug)]
pub struct Place {
    switch: Switch,
    address: IpAddr,
    life: u64,
}

impl Place {
    /// The address of the host.
    #[must_use]
    pub fn address(&self) -> IpAddr {
        self.address
    }

    /// Connects to another host.
    ///
    /// # Errors
    /// If nobody listens there.
    pub async fn connect_to(&self, address: SocketAddr) -> io::Result<DuplexStream> {
        self.switch
            .connect((self.address, self.life), address)
            .await
    }

    fn may_bind(&self, state: &State, address: SocketAddr) -> io::Result<()> {
        let is_free = state.ports.get(&address).is_none_or(Sender::is_closed)
            && state.listeners.get(&address).is_none_or(Sender::is_closed);
        match is_free && state.is_alive((self.address, self.life)) {
            true => Ok(()),
            false => Err(io::ErrorKind::AddrInUse.into()),
        }
    }
}

impl Network for Place {
    fn bind(&self, address: SocketAddr) -> io::Result<Box<dyn Datagrams>> {
        let mut state = self.switch.lock();
        self.may_bind(&state, address)?;
        let (sender, receiver) = mpsc::unbounded_channel();
        state.ports.insert(address, sender);
        let place = self.clone();
        Ok(Box::new(Port {
            place,
            address,
            receiver: receiver.into(),
        }))
    }

    fn listen(&self, address: SocketAddr) -> io::Result<Box<dyn Connections>> {
        let mut state = self.switch.lock();
        self.may_bind(&state, address)?;
        let (sender, receiver) = mpsc::unbounded_channel();
        state.listeners.insert(address, sender);
        let place = self.clone();
        Ok(Box::new(Port {
            place,
            address,
            receiver: receiver.into(),
        }))
    }

    fn connect(&self, address: SocketAddr) -> Waiting<'_, io::Result<DuplexStream>> {
        Box::pin(self.connect_to(address))
    }
}

/// A bound port.
#[derive(Debug)]
struct Port<T> {
    place: Place,
    address: SocketAddr,
    receiver: Receiver<T>,
}

impl<T> Port<T> {
    /// Of a dead host nothing arrives, ever.
    async fn next(&self) -> (T, SocketAddr) {
        match self.receiver.lock().await.recv().await {
            Some(arrived) => arrived,
            None => std::future::pending().await,
        }
    }
}

impl Datagrams for Port<Bytes> {
    fn local(&self) -> SocketAddr {
        self.address
    }

    fn send(&self, octets: &Bytes, destination: SocketAddr) {
        let from = (self.address, self.place.life);
        self.place.switch.send(from, octets, destination);
    }

    fn receive(&self) -> Waiting<'_, (Bytes, SocketAddr)> {
        Box::pin(self.next())
    }
}

impl Connections for Port<DuplexStream> {
    fn local(&self) -> SocketAddr {
        self.address
    }

    fn accept(&self) -> Waiting<'_, (DuplexStream, SocketAddr)> {
        Box::pin(self.next())
    }
}
