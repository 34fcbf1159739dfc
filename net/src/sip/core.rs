//! What all tasks of an endpoint share, and the one way into the transaction layer.
//!
//! The layer is cut into shards by Call-ID: all messages of a transaction, its ACK, its CANCEL and its merged copies
//! share it. A task locks one shard for a pure step; bytes leave after the lock is released.

use std::hash::{BuildHasher, Hash, RandomState};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use sip::transaction::{Event, Layer, LayerLimits, Transmit};
use sip::{Host, HostPort, Request, ResponseBuilder, Transport};
use tokio::net::TcpListener;
use tokio::sync::{Notify, Semaphore, mpsc, watch};
use tokio::time::{sleep, sleep_until};
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use super::arrival::{Arrival, Source};
use super::config::SipConfig;
use super::flow::{Flow, Listener, Peer, Progress};
use super::metric;
use super::pool::{ConnectionPool, Destination};
use super::receive;
use super::server_transaction::ServerTransaction;
use super::udp::UdpChannel;
use super::{TransactionFailure, tcp, udp};
use crate::places::Places;
use crate::tls::{SipTls, server_name};

/// Timers fire up to this late: one wake-up serves all that are due within it.
const TIMER_QUANTUM: Duration = Duration::from_millis(10);

/// Connections under way at the same time to bring responses whose connection has gone.
const RECONNECTS: usize = 64;

#[derive(Debug)]
pub(crate) struct Core {
    pub(crate) config: SipConfig,
    pub(crate) udp: Vec<Arc<UdpChannel>>,
    /// What is bound, in the order of the configuration.
    pub(crate) listening: Vec<(Transport, HostPort, std::net::SocketAddr)>,
    /// Only with a configuration for it.
    pub(crate) tls: Option<Arc<SipTls>>,
    pub(crate) pool: ConnectionPool,
    /// Places for accepted connections.
    pub(crate) inbound: Arc<Places>,
    pub(crate) tasks: TaskTracker,
    pub(crate) shutdown: CancellationToken,
    reconnects: Arc<Semaphore>,
    shards: Box<[Mutex<Layer<Peer>>]>,
    hasher: RandomState,
    incoming: mpsc::Sender<Arrival>,
    alarm: Alarm,
}

/// A shard of the transaction layer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Shard(usize);

/// When the timer task wakes up, and the means to wake it earlier.
#[derive(Debug)]
struct Alarm {
    start: Instant,
    /// Microseconds after `start`.
    armed: AtomicU64,
    wake: Notify,
}

impl Alarm {
    const NEVER: u64 = u64::MAX;

    fn micros(&self, at: Instant) -> u64 {
        u64::try_from(at.saturating_duration_since(self.start).as_micros()).unwrap_or(Self::NEVER)
    }

    /// Makes sure that the timer task wakes up at `at` or before.
    fn set(&self, at: Option<Instant>) {
        let at = at.map_or(Self::NEVER, |at| self.micros(at));
        if self.armed.fetch_min(at, Ordering::AcqRel) > at {
            self.wake.notify_one();
        }
    }
}

/// What is bound and not yet served.
pub(crate) struct Sockets {
    pub(crate) udp: Vec<Arc<UdpChannel>>,
    pub(crate) streams: Vec<(TcpListener, Transport)>,
    pub(crate) tls: Option<Arc<SipTls>>,
    pub(crate) listening: Vec<(Transport, HostPort, std::net::SocketAddr)>,
}

impl Core {
    pub(crate) fn new(
        config: SipConfig,
        sockets: &mut Sockets,
        incoming: mpsc::Sender<Arrival>,
    ) -> Arc<Self> {
        let count = config.shards.max(1);
        let limits = LayerLimits {
            server_transactions: config.transactions.server_transactions.div_ceil(count),
            client_transactions: config.transactions.client_transactions.div_ceil(count),
        };
        let layer = || Mutex::new(Layer::new(config.timers, limits));
        Arc::new(Self {
            udp: std::mem::take(&mut sockets.udp),
            listening: std::mem::take(&mut sockets.listening),
            tls: sockets.tls.take(),
            pool: ConnectionPool::default(),
            inbound: Places::new(config.max_connections, config.max_connections_per_address),
            tasks: TaskTracker::new(),
            shutdown: CancellationToken::new(),
            reconnects: Arc::new(Semaphore::new(RECONNECTS)),
            shards: std::iter::repeat_with(layer).take(count).collect(),
            hasher: RandomState::new(),
            incoming,
            alarm: Alarm {
                start: super::now(),
                armed: AtomicU64::new(Alarm::NEVER),
                wake: Notify::new(),
            },
            config,
        })
    }

    /// Starts the tasks that serve the sockets and the timers.
    pub(crate) fn serve(self: &Arc<Self>, listeners: Vec<(TcpListener, Transport)>) {
        for channel in &self.udp {
            self.tasks
                .spawn(udp::serve(Arc::clone(self), Arc::clone(channel)));
        }
        for (listener, transport) in listeners {
            self.tasks
                .spawn(tcp::serve(Arc::clone(self), listener, transport));
        }
        if let Some(tls) = self.tls.clone() {
            let shutdown = self.shutdown.clone();
            self.tasks
                .spawn(async move { shutdown.run_until_cancelled(tls.watch()).await });
        }
        self.tasks.spawn(run_timers(Arc::clone(self)));
    }

    /// Host and port of our Vias over that transport; the port of any other listener if there is none, where at least
    /// the host is right.
    pub(crate) fn sent_by(&self, transport: Transport) -> HostPort {
        let own = self
            .listening
            .iter()
            .find(|(listener, ..)| *listener == transport);
        let any = own.or(self.listening.first());
        any.map_or(
            HostPort {
                host: Host::V4(std::net::Ipv4Addr::LOCALHOST),
                port: None,
            },
            |(_, sent_by, _)| sent_by.clone(),
        )
    }

    /// The shard of a Call-ID.
    pub(crate) fn shard(&self, call_id: &str) -> Shard {
        let hash = usize::try_from(self.keyed_hash(call_id) >> 33).unwrap_or_default();
        Shard(hash % self.shards.len())
    }

    /// A hash nobody outside can predict, the same for equal values as long as the endpoint lives.
    pub(crate) fn keyed_hash(&self, value: impl Hash) -> u64 {
        self.hasher.hash_one(value)
    }

    /// Whether an ACK would still find room on its way to the transaction user.
    pub(crate) fn takes_acks(&self) -> bool {
        self.incoming.capacity() > 0
    }

    /// One step of the transaction layer with everything it leads to.
    pub(crate) fn step<R>(
        self: &Arc<Self>,
        shard: Shard,
        step: impl FnOnce(&mut Layer<Peer>) -> R,
    ) -> R {
        let (result, transmits) = {
            let mut layer = self.lock(shard);
            let result = step(&mut layer);
            let transmits = self.settle(shard, &mut layer);
            self.alarm.set(layer.next_timeout());
            (result, transmits)
        };
        self.transmit(shard, transmits);
        result
    }

    fn lock(&self, shard: Shard) -> MutexGuard<'_, Layer<Peer>> {
        self.shards[shard.0]
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
    }

    /// Passes the news on and takes what has to be sent.
    fn settle(self: &Arc<Self>, shard: Shard, layer: &mut Layer<Peer>) -> Vec<Transmit<Peer>> {
        while let Some(event) = layer.poll_event() {
            self.announce(shard, layer, event);
        }
        std::iter::from_fn(|| layer.poll_transmit()).collect()
    }

    fn announce(self: &Arc<Self>, shard: Shard, layer: &mut Layer<Peer>, event: Event<Peer>) {
        match event {
            Event::Request { id, request, peer } => {
                self.offer(
                    layer,
                    NewRequest {
                        shard,
                        id,
                        request,
                        peer,
                        merged: false,
                    },
                );
            }
            Event::Merged { id, request, peer } => {
                self.offer(
                    layer,
                    NewRequest {
                        shard,
                        id,
                        request,
                        peer,
                        merged: true,
                    },
                );
            }
            Event::Overflow { request, peer } => {
                metric::overloaded();
                // A lost answer is asked for again.
                let _ = peer.send(receive::unavailable(self, &request).as_bytes());
            }
            Event::Ack { request, peer } => {
                let source = Source::of(&peer.flow);
                if self
                    .incoming
                    .try_send(Arrival::Ack { request, source })
                    .is_err()
                {
                    metric::dropped(metric::Drop::AckQueueFull);
                }
            }
            Event::Cancel {
                id,
                request,
                status,
                to_tag,
            } => {
                let reply = ResponseBuilder::reply_to(&request, status).to_tag(&to_tag);
                let response = receive::signed(self, reply).build();
                layer.respond(super::now(), id, &response);
            }
            Event::Cancelled { peer, .. } => progress(&peer, Progress::Cancelled),
            Event::ServerExpired { peer, .. } => progress(&peer, Progress::Expired),
            Event::Response { response, peer, .. } => outcome(&peer, Ok(response)),
            Event::Timeout { peer, .. } => outcome(&peer, Err(TransactionFailure::Timeout)),
            Event::Unreachable { peer, .. } => outcome(&peer, Err(TransactionFailure::Unreachable)),
        }
    }

    /// Hands a request to the transaction user, or answers 503 where he cannot keep up (`P9`).
    fn offer(self: &Arc<Self>, layer: &mut Layer<Peer>, new: NewRequest) {
        match self.incoming.try_reserve() {
            Ok(place) => place.send(Arrival::Request(ServerTransaction::new(
                Arc::clone(self),
                new,
            ))),
            Err(_) => {
                metric::overloaded();
                let response = receive::unavailable(self, &new.request);
                layer.respond(super::now(), new.id, &response);
            }
        }
    }

    fn transmit(self: &Arc<Self>, shard: Shard, transmits: Vec<Transmit<Peer>>) {
        for Transmit {
            peer,
            bytes,
            client,
        } in transmits
        {
            let Err(error) = peer.send(&bytes) else {
                continue;
            };
            tracing::debug!(%error, transport = %peer.flow.transport(), "message not sent");
            match client {
                Some(id) => self.step(shard, |layer| {
                    layer.handle_transport_failure(super::now(), id);
                }),
                None => self.send_anew(&peer, bytes),
            }
        }
    }

    /// RFC 3261 §18.2.2: a response whose connection has gone is sent on a new one to where the Via says.
    pub(crate) fn send_anew(self: &Arc<Self>, peer: &Peer, bytes: bytes::Bytes) {
        let permit = Arc::clone(&self.reconnects).try_acquire_owned();
        let (Ok(permit), Some(destination)) = (permit, replacement(peer, &bytes)) else {
            metric::dropped(metric::Drop::ResponseUndeliverable);
            return;
        };
        let core = Arc::clone(self);
        self.tasks.spawn(async move {
            let connecting = core.pool.connect(&core, &destination);
            let connected = core.shutdown.run_until_cancelled(connecting).await;
            let sent = connected.is_some_and(|it| it.is_ok_and(|it| it.send(bytes).is_ok()));
            if !sent {
                metric::dropped(metric::Drop::ResponseUndeliverable);
            }
            drop(permit);
        });
    }
}

/// A request that has just got its transaction.
pub(crate) struct NewRequest {
    pub(crate) shard: Shard,
    pub(crate) id: sip::transaction::ServerId,
    pub(crate) request: Request,
    pub(crate) peer: Peer,
    pub(crate) merged: bool,
}

fn progress(peer: &Peer, progress: Progress) {
    if let Listener::Invite(sender) = &peer.listener {
        sender.send_replace(progress);
    }
}

fn outcome(peer: &Peer, outcome: Result<sip::Response, TransactionFailure>) {
    if let Listener::Client(inbox) = &peer.listener {
        inbox.push(outcome);
    }
}

/// The peer that sent `request` on `flow`.
pub(crate) fn requester(request: &Request, flow: &Flow, destination: std::net::SocketAddr) -> Peer {
    let listener = match request.method() {
        sip::Method::Invite => Listener::Invite(Arc::new(watch::Sender::new(Progress::Pending))),
        _ => Listener::Nobody,
    };
    Peer {
        flow: flow.clone(),
        destination,
        listener,
    }
}

/// Where a connection goes that takes the place of one that has gone; over TLS the peer must be whom the Via of the
/// response names.
fn replacement(peer: &Peer, response: &bytes::Bytes) -> Option<Destination> {
    let address = peer.destination;
    match peer.flow.transport() {
        _ if peer.flow.is_open() => None,
        Transport::Udp => None,
        Transport::Tcp => Some(Destination::clear(address)),
        Transport::Tls => {
            let parsed = sip::parse_datagram(response.clone(), &sip::Limits::default()).ok()?;
            let sip::Message::Response(response) = parsed else {
                return None;
            };
            let top = response.headers().top_via().ok()??;
            let name = Some(server_name(&top.sent_by.host)?);
            Some(Destination { address, name })
        }
    }
}

/// Runs the timers of all shards until the endpoint closes.
async fn run_timers(core: Arc<Core>) {
    let shutdown = core.shutdown.clone();
    shutdown
        .run_until_cancelled(async {
            loop {
                let next = fire(&core);
                sleep(TIMER_QUANTUM).await;
                wait(&core.alarm, next).await;
            }
        })
        .await;
}

/// Fires what is due and arms the alarm for what comes next.
fn fire(core: &Arc<Core>) -> Option<Instant> {
    core.alarm.armed.store(Alarm::NEVER, Ordering::Release);
    let shards = (0..core.shards.len()).map(Shard);
    let next = shards.filter_map(|shard| {
        let transmits = {
            let mut layer = core.lock(shard);
            layer.handle_timeout(super::now());
            core.settle(shard, &mut layer)
        };
        core.transmit(shard, transmits);
        core.lock(shard).next_timeout()
    });
    let next = next.min();
    let at = next.map_or(Alarm::NEVER, |at| core.alarm.micros(at));
    core.alarm.armed.fetch_min(at, Ordering::AcqRel);
    next
}

async fn wait(alarm: &Alarm, next: Option<Instant>) {
    let due = async {
        match next {
            Some(at) => sleep_until(at.into()).await,
            None => std::future::pending().await,
        }
    };
    tokio::select! {
        () = due => {}
        () = alarm.wake.notified() => {}
    }
}
