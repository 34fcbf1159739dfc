//! The core and its users: sockets, requests under way, and which messages have come.

mod msrp;

use std::collections::HashMap;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use anyhow::Context as _;
use clap::ValueEnum;
use socket2::SockRef;
use tokio::net::{TcpListener, TcpStream, UdpSocket};
use tokio::sync::{oneshot, watch};

use crate::text::{Request, field, ok, user};
use crate::wire::{self, Incoming, Sender};

/// Octets that a datagram may have.
const DATAGRAM: usize = 65_536;

/// Octets of datagrams that may wait for us, where the system lets them.
const RECEIVE_BUFFER: usize = 4 << 20;

/// A request over UDP is sent again after this (RFC 3261 §17.1.2.1).
const T1: Duration = Duration::from_millis(500);

/// Times that a request is sent.
const TRIES: u32 = 12;

/// How requests go to the target.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum Transport {
    Udp,
    Tcp,
}

/// Which of the wanted messages these octets are.
pub(crate) type Place = Box<dyn Fn(&[u8]) -> Option<usize> + Send + Sync>;

/// What a peer is told when it opens.
pub(crate) struct Plan {
    /// Where requests go.
    pub(crate) target: SocketAddr,
    /// How.
    pub(crate) transport: Transport,
    /// Where requests come, by UDP and TCP.
    pub(crate) listen: SocketAddr,
    /// Messages that are to come.
    pub(crate) wanted: usize,
    pub(crate) place: Place,
}

/// Where an answer goes.
#[derive(Clone)]
enum Way {
    Udp(SocketAddr),
    Tcp(Sender),
}

/// The core and its users.
pub(crate) struct Peer {
    /// The Via line, without branch.
    pub(crate) origin: String,
    pub(crate) inbox: Arc<Inbox>,
    udp: UdpSocket,
    target: Way,
    pending: Mutex<HashMap<String, oneshot::Sender<String>>>,
    msrp: SocketAddr,
    place: Place,
}

impl Peer {
    pub(crate) async fn open(plan: Plan) -> anyhow::Result<Arc<Self>> {
        let udp = UdpSocket::bind(plan.listen).await?;
        SockRef::from(&udp).set_recv_buffer_size(RECEIVE_BUFFER)?;
        let listener = TcpListener::bind(plan.listen).await?;
        let inbox = Arc::new(Inbox::new(plan.wanted));
        let msrp = msrp::listen(plan.listen.ip(), Arc::clone(&inbox)).await?;
        let (target, stream) = match plan.transport {
            Transport::Udp => (Way::Udp(plan.target), None),
            Transport::Tcp => {
                let (incoming, sender) = wire::open(TcpStream::connect(plan.target).await?);
                (Way::Tcp(sender.clone()), Some((incoming, sender)))
            }
        };
        let token = match plan.transport {
            Transport::Udp => "UDP",
            Transport::Tcp => "TCP",
        };
        let peer = Arc::new(Self {
            origin: format!("Via: SIP/2.0/{token} {};rport", plan.listen),
            inbox,
            udp,
            target,
            pending: Mutex::default(),
            msrp,
            place: plan.place,
        });
        if let Some((incoming, sender)) = stream {
            tokio::spawn(Arc::clone(&peer).serve(incoming, sender));
        }
        tokio::spawn(Arc::clone(&peer).read_datagrams());
        tokio::spawn(Arc::clone(&peer).accept(listener));
        Ok(peer)
    }

    /// Sends a request, over UDP until there is an answer; the status of its final response.
    pub(crate) async fn call(&self, request: &Request) -> anyhow::Result<String> {
        let (sender, mut answer) = oneshot::channel();
        self.pending().insert(request.call_id.clone(), sender);
        for number in 0..TRIES {
            self.send(&self.target, request.text.as_bytes()).await;
            let pause = T1 * (1 << number.min(3));
            match tokio::time::timeout(pause, &mut answer).await {
                Ok(status) => return Ok(status?),
                Err(_) if matches!(self.target, Way::Tcp(_)) => {
                    return tokio::time::timeout(T1 * 64, answer)
                        .await
                        .context("no answer")?
                        .context("no connection");
                }
                Err(_) => {}
            }
        }
        anyhow::bail!("no answer to\n{}", request.text)
    }

    fn pending(&self) -> std::sync::MutexGuard<'_, HashMap<String, oneshot::Sender<String>>> {
        self.pending.lock().unwrap_or_else(PoisonError::into_inner)
    }

    async fn send(&self, way: &Way, octets: &[u8]) {
        // What is lost is sent again, or missed in the report.
        match way {
            Way::Udp(to) => {
                let _ = self.udp.send_to(octets, to).await;
            }
            Way::Tcp(sender) => {
                let _ = sender.send(octets.to_vec());
            }
        }
    }

    async fn read_datagrams(self: Arc<Self>) {
        let mut buffer = vec![0; DATAGRAM];
        while let Ok((length, from)) = self.udp.recv_from(&mut buffer).await {
            self.receive(&buffer[..length], &Way::Udp(from)).await;
        }
    }

    async fn accept(self: Arc<Self>, listener: TcpListener) {
        while let Ok((stream, _)) = listener.accept().await {
            let (incoming, sender) = wire::open(stream);
            tokio::spawn(Arc::clone(&self).serve(incoming, sender));
        }
    }

    /// Reads a connection until it ends.
    async fn serve(self: Arc<Self>, mut incoming: Incoming, sender: Sender) {
        let way = Way::Tcp(sender);
        while let Some(octets) = incoming.next().await {
            self.receive(&octets, &way).await;
        }
    }

    async fn receive(&self, octets: &[u8], way: &Way) {
        if let Some(rest) = octets.strip_prefix(b"SIP/2.0 ") {
            let status = String::from_utf8_lossy(&rest[..rest.len().min(3)]).into_owned();
            let call_id = field(octets, "Call-ID").unwrap_or_default();
            if !status.starts_with('1')
                && let Some(sender) = self.pending().remove(call_id)
            {
                let _ = sender.send(status);
            }
        } else if octets.starts_with(b"MESSAGE ") {
            if let Some(number) = (self.place)(octets) {
                self.inbox.take(number);
            }
            self.send(way, ok(octets, "", "").as_bytes()).await;
        } else if octets.starts_with(b"INVITE ") {
            self.send(way, self.accepted(octets).as_bytes()).await;
        } else if !octets.starts_with(b"ACK ") {
            self.send(way, ok(octets, "", "").as_bytes()).await;
        }
    }

    /// A 200 with an answer that lets the edge connect to us.
    fn accepted(&self, invite: &[u8]) -> String {
        let session = field(invite, "Call-ID").unwrap_or_default();
        let session: String = session
            .chars()
            .filter(char::is_ascii_alphanumeric)
            .collect();
        let (host, port) = (self.msrp.ip(), self.msrp.port());
        let sdp = format!(
            "v=0\r\no=bench 1 1 IN IP4 {host}\r\ns=-\r\nc=IN IP4 {host}\r\nt=0 0\r\n\
             m=message {port} TCP/MSRP *\r\na=path:msrp://{host}:{port}/{session};tcp\r\n\
             a=accept-types:multipart/mixed\r\na=accept-wrapped-types:*\r\na=recvonly\r\na=setup:passive\r\n"
        );
        // Each user a client of his own.
        let more = format!(
            "Contact: <sip:{}@{}>;+g.oma.sip-im\r\nContent-Type: application/sdp\r\n",
            user(invite).unwrap_or("bench"),
            self.origin.split([' ', ';']).nth(2).unwrap_or_default()
        );
        ok(invite, &more, &sdp)
    }
}

/// Which messages have come.
pub(crate) struct Inbox {
    state: Mutex<Came>,
    distinct: watch::Sender<usize>,
    wanted: usize,
}

struct Came {
    is_here: Vec<bool>,
    repeated: usize,
    first: Option<Instant>,
    last: Instant,
}

impl Inbox {
    fn new(wanted: usize) -> Self {
        Self {
            state: Mutex::new(Came {
                is_here: vec![false; wanted],
                repeated: 0,
                first: None,
                last: Instant::now(),
            }),
            distinct: watch::Sender::new(0),
            wanted,
        }
    }

    fn state(&self) -> std::sync::MutexGuard<'_, Came> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Message `number` has come.
    pub(crate) fn take(&self, number: usize) {
        let mut state = self.state();
        match state.is_here.get_mut(number) {
            Some(is_here) if !*is_here => *is_here = true,
            _ => {
                state.repeated += 1;
                return;
            }
        }
        state.last = Instant::now();
        state.first = state.first.or(Some(state.last));
        self.distinct.send_modify(|distinct| *distinct += 1);
    }

    /// Waits until all have come; when the last one did, or nothing if none came for so long.
    pub(crate) async fn all(&self, patience: Duration) -> Option<Instant> {
        self.until(self.wanted, patience).await
    }

    /// As [`all`](Self::all), but waits for so many.
    pub(crate) async fn until(&self, wanted: usize, patience: Duration) -> Option<Instant> {
        let mut distinct = self.distinct.subscribe();
        while *distinct.borrow_and_update() < wanted {
            tokio::time::timeout(patience, distinct.changed())
                .await
                .ok()?
                .ok()?;
        }
        Some(self.state().last)
    }

    /// When the first one came.
    pub(crate) fn first(&self) -> Option<Instant> {
        self.state().first
    }

    /// How many have come, and how many of them again.
    pub(crate) fn counts(&self) -> (usize, usize) {
        (*self.distinct.borrow(), self.state().repeated)
    }
}
