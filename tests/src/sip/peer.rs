//! A peer with a UDP socket and TCP connections.

use std::collections::VecDeque;
use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;
use std::time::Duration;

use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpSocket, TcpStream, UdpSocket};
use tokio::sync::mpsc;

use super::framing::Framing;
use super::{RequestText, SipText, Transport, fresh};
use crate::patience::{ANSWER, within};
use crate::target::{Target, not_against_a_target};

/// Messages that may wait for the test.
const INBOX: usize = 16_384;

/// A message and the way it came, by which its answer goes.
#[derive(Clone, Debug)]
pub struct Arrival {
    /// The message.
    pub text: SipText,
    /// The way back.
    pub way: Way,
}

/// A way to another SIP element.
#[derive(Clone, Debug)]
pub struct Way {
    /// Where it leads.
    pub to: SocketAddr,
    link: Link,
}

#[derive(Clone, Debug)]
enum Link {
    Udp(Arc<UdpSocket>),
    Tcp(mpsc::Sender<Vec<u8>>),
}

impl Way {
    /// By which transport.
    pub fn transport(&self) -> Transport {
        match self.link {
            Link::Udp(_) => Transport::Udp,
            Link::Tcp(_) => Transport::Tcp,
        }
    }

    /// Returns when the connection has ended; never for datagrams.
    pub async fn closed(&self) {
        match &self.link {
            Link::Udp(_) => std::future::pending().await,
            Link::Tcp(writer) => writer.closed().await,
        }
    }

    /// Sends octets as they are.
    ///
    /// # Panics
    /// When that is not possible.
    pub async fn send(&self, octets: &[u8]) {
        assert!(self.offer(octets).await, "{} takes nothing", self.to);
    }

    /// Sends octets as they are, to somebody who may be gone; whether they could be sent.
    pub async fn offer(&self, octets: &[u8]) -> bool {
        match &self.link {
            Link::Udp(socket) => socket.send_to(octets, self.to).await.is_ok(),
            Link::Tcp(writer) => writer.send(octets.to_vec()).await.is_ok(),
        }
    }
}

/// A request with its answer.
#[derive(Clone, Debug)]
pub struct Exchange {
    /// What was sent.
    pub request: SipText,
    /// The final response.
    pub response: SipText,
}

/// A SIP element on an address of its own.
#[derive(Debug)]
pub struct SipPeer {
    address: IpAddr,
    udp: Arc<UdpSocket>,
    tcp: SocketAddr,
    sender: mpsc::Sender<Arrival>,
    arrivals: mpsc::Receiver<Arrival>,
    /// What arrived and nobody asked for yet.
    waiting: VecDeque<Arrival>,
}

impl SipPeer {
    /// Listens on this address by UDP and TCP.
    ///
    /// # Panics
    /// When it cannot.
    pub async fn open(address: IpAddr) -> Self {
        Self::open_at(SocketAddr::new(address, 0)).await
    }

    /// Listens on this address by UDP and TCP; the port is that of TCP.
    ///
    /// # Panics
    /// When it cannot.
    pub async fn open_at(place: SocketAddr) -> Self {
        let address = place.ip();
        let udp = UdpSocket::bind((address, 0)).await;
        let udp = Arc::new(udp.unwrap_or_else(|error| cannot_bind(address, &error)));
        let listener = TcpListener::bind(place).await;
        let listener = listener.unwrap_or_else(|error| cannot_bind(address, &error));
        let tcp = listener.local_addr().expect("bound");
        let (sender, arrivals) = mpsc::channel(INBOX);
        tokio::spawn(read_datagrams(Arc::clone(&udp), sender.clone()));
        let inbox = sender.clone();
        tokio::spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                serve(stream, inbox.clone());
            }
        });
        let waiting = VecDeque::new();
        Self {
            address,
            udp,
            tcp,
            sender,
            arrivals,
            waiting,
        }
    }

    /// Where it takes connections.
    pub fn tcp(&self) -> SocketAddr {
        self.tcp
    }

    /// Where it takes datagrams.
    ///
    /// # Panics
    /// Never: the socket is bound.
    pub fn udp(&self) -> SocketAddr {
        self.udp.local_addr().expect("bound")
    }

    /// The way to `edge` by this transport: a new connection, or the one socket.
    ///
    /// # Panics
    /// When nobody takes the connection.
    pub async fn way(&self, transport: Transport, edge: SocketAddr) -> Way {
        match transport {
            Transport::Udp => Way {
                to: edge,
                link: Link::Udp(Arc::clone(&self.udp)),
            },
            Transport::Tcp => {
                let stream = within(ANSWER, "a connection", self.connect(edge)).await;
                serve(
                    stream.unwrap_or_else(|error| panic!("{edge}: {error}")),
                    self.sender.clone(),
                )
            }
        }
    }

    /// A connection from the address of this peer that the test itself reads and writes.
    ///
    /// # Errors
    /// Those of the system.
    pub async fn connect(&self, edge: SocketAddr) -> std::io::Result<TcpStream> {
        let socket = TcpSocket::new_v4()?;
        socket.bind(SocketAddr::new(self.address, 0))?;
        socket.connect(edge).await
    }

    /// The value of our Via on this way, with a new branch.
    pub fn hop(&self, way: &Way) -> String {
        let address = match way.transport() {
            Transport::Udp => self.udp(),
            Transport::Tcp => self.tcp,
        };
        format!(
            "SIP/2.0/{} {address};branch=z9hG4bK-{}",
            way.transport(),
            fresh()
        )
    }

    /// Sends a request with the next branch, and returns it as it was sent.
    pub async fn send(&self, way: &Way, request: &RequestText) -> SipText {
        let octets = request.octets(&self.hop(way), &way.to.to_string());
        way.send(&octets).await;
        SipText::new(octets)
    }

    /// Sends a request and waits for its final response.
    pub async fn call(&mut self, way: &Way, request: &RequestText) -> Exchange {
        let request = self.send(way, request).await;
        let response = self.response_to(&request).await;
        Exchange { request, response }
    }

    /// Waits for the final response to a request that was sent.
    pub async fn response_to(&mut self, request: &SipText) -> SipText {
        let what = format!("the answer to\n{request}");
        let is_final = |text: &SipText| {
            text.answers(request) && text.status().is_some_and(|status| status >= 200)
        };
        self.expect(&what, is_final).await.text
    }

    /// Waits for a message; the others stay for whoever asks for them.
    ///
    /// # Panics
    /// When none arrives in time; `what` completes "waited in vain for …".
    pub async fn expect(&mut self, what: &str, wanted: impl Fn(&SipText) -> bool) -> Arrival {
        self.expect_within(ANSWER, what, wanted).await
    }

    /// As [`SipPeer::expect`], for what takes its time.
    ///
    /// # Panics
    /// When none arrives in time.
    pub async fn expect_within(
        &mut self,
        limit: Duration,
        what: &str,
        wanted: impl Fn(&SipText) -> bool,
    ) -> Arrival {
        if let Some(place) = self
            .waiting
            .iter()
            .position(|arrival| wanted(&arrival.text))
        {
            return self.waiting.remove(place).expect("found");
        }
        let arrival = within(limit, what, async {
            loop {
                let arrival = self.arrivals.recv().await.expect("we hold a sender");
                if wanted(&arrival.text) {
                    return arrival;
                }
                self.waiting.push_back(arrival);
            }
        });
        arrival.await
    }

    /// Waits for a request of this method to a user.
    pub async fn request(&mut self, method: &str, uri: &str) -> Arrival {
        let start_line = format!("{method} {uri} SIP/2.0");
        self.expect(&start_line, |text| text.start_line() == start_line)
            .await
    }

    /// How many messages have arrived that nobody asked for and that `wanted` takes.
    pub fn count(&mut self, wanted: impl Fn(&SipText) -> bool) -> usize {
        while let Ok(arrival) = self.arrivals.try_recv() {
            self.waiting.push_back(arrival);
        }
        self.waiting
            .iter()
            .filter(|arrival| wanted(&arrival.text))
            .count()
    }

    /// The next message, however long it takes.
    ///
    /// # Panics
    /// Never: we hold a sender.
    pub async fn next(&mut self) -> Arrival {
        match self.waiting.pop_front() {
            Some(arrival) => arrival,
            None => self.arrivals.recv().await.expect("we hold a sender"),
        }
    }

    /// Waits for the ACK of the answer to an INVITE.
    pub async fn acknowledged(&mut self, invite: &Arrival) -> SipText {
        let call_id = invite.text.field("Call-ID").to_owned();
        let is_ack =
            |text: &SipText| text.method() == Some("ACK") && text.field("Call-ID") == call_id;
        self.expect("an ACK", is_ack).await.text
    }

    /// Waits for the BYE of the dialog that an INVITE of the edge has made, and answers it.
    pub async fn ended(&mut self, invite: &Arrival) -> Arrival {
        let call_id = invite.text.field("Call-ID").to_owned();
        let is_bye =
            |text: &SipText| text.method() == Some("BYE") && text.field("Call-ID") == call_id;
        let bye = self.expect("the BYE of a push session", is_bye).await;
        self.answer(&bye, "200 OK", &[], "").await;
        bye
    }

    /// Answers a request as another client would to whom it was forked: with a tag of his own.
    pub async fn answer_of_fork(
        &self,
        request: &Arrival,
        tag: &str,
        status: &str,
        lines: &[String],
        body: &str,
    ) {
        let response = response(&request.text, status, lines, body);
        let response = response.replace(&local_tag(&request.text), tag);
        request.way.send(response.as_bytes()).await;
    }

    /// Like [`SipPeer::answer`], to somebody who may be gone.
    pub async fn reply(&self, request: &Arrival, status: &str, lines: &[String], body: &str) {
        let response = response(&request.text, status, lines, body);
        request.way.offer(response.as_bytes()).await;
    }

    /// Answers a request: a head of this status with the fields copied that must be, these lines and
    /// this body.
    pub async fn answer(&self, request: &Arrival, status: &str, lines: &[String], body: &str) {
        let response = response(&request.text, status, lines, body);
        request.way.send(response.as_bytes()).await;
    }
}

/// A target that is elsewhere may have a network of which this machine has not all addresses.
fn cannot_bind(address: IpAddr, error: &std::io::Error) -> ! {
    if error.kind() == std::io::ErrorKind::AddrNotAvailable {
        not_against_a_target(&format!("needs the address {address} on this machine"));
    }
    if error.kind() == std::io::ErrorKind::AddrInUse {
        not_against_a_target("needs the address of the core for a second deployment");
    }
    panic!("{address}: {error}")
}

/// A response with the fields of RFC 3261 §8.2.6.2. The tag of To is made of the Call-ID, so that every
/// answer of a dialog has the same.
fn response(request: &SipText, status: &str, lines: &[String], body: &str) -> String {
    let mut response = format!("SIP/2.0 {status}\r\n");
    for name in ["Via", "Record-Route", "From", "Call-ID", "CSeq"] {
        for value in request.all(name) {
            response += &format!("{name}: {value}\r\n");
        }
    }
    let to = request.field("To");
    let tag = match request.tag("To") {
        Some(_) => String::new(),
        None => format!(";tag={}", local_tag(request)),
    };
    response += &format!("To: {to}{tag}\r\n");
    for line in lines {
        response += &format!("{line}\r\n");
    }
    response + &format!("Content-Length: {}\r\n\r\n{body}", body.len())
}

/// Our tag in the dialog of this request.
pub(crate) fn local_tag(request: &SipText) -> String {
    let letters = request
        .field("Call-ID")
        .chars()
        .filter(char::is_ascii_alphanumeric);
    format!("t{}", letters.take(20).collect::<String>())
}

async fn read_datagrams(socket: Arc<UdpSocket>, inbox: mpsc::Sender<Arrival>) {
    let mut buffer = vec![0; 65_536];
    while let Ok((length, from)) = socket.recv_from(&mut buffer).await {
        let text = SipText::new(buffer[..length].to_vec());
        let way = Way {
            to: from,
            link: Link::Udp(Arc::clone(&socket)),
        };
        if !take(Arrival { text, way }, &inbox).await {
            return;
        }
    }
}

/// Gives a message to the test; whether there still is one. A target whose core was away between two tests probes it: a
/// core that is there says so, whatever the test is about.
async fn take(arrival: Arrival, inbox: &mpsc::Sender<Arrival>) -> bool {
    if Target::get().is_some() && arrival.text.method() == Some("OPTIONS") {
        let alive = response(&arrival.text, "200 OK", &[], "");
        arrival.way.offer(alive.as_bytes()).await;
        return true;
    }
    inbox.send(arrival).await.is_ok()
}

/// Reads and writes a connection until it ends.
fn serve(stream: TcpStream, inbox: mpsc::Sender<Arrival>) -> Way {
    let to = stream.peer_addr().expect("connected");
    let (writer, mut outgoing) = mpsc::channel::<Vec<u8>>(1_024);
    let way = Way {
        to,
        link: Link::Tcp(writer),
    };
    let (mut reader, mut sink) = stream.into_split();
    let writing = tokio::spawn(async move {
        while let Some(octets) = outgoing.recv().await {
            if sink.write_all(&octets).await.is_err() {
                return;
            }
        }
    });
    let back = way.clone();
    tokio::spawn(async move {
        let mut framing = Framing::default();
        let mut buffer = vec![0; 65_536];
        while let Ok(length @ 1..) = reader.read(&mut buffer).await {
            framing.push(&buffer[..length]);
            while let Some(text) = framing.next() {
                let way = back.clone();
                if !take(Arrival { text, way }, &inbox).await {
                    return;
                }
            }
        }
        // With the writer ends what `Way::closed` waits for.
        writing.abort();
    });
    way
}
