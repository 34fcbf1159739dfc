//! Endpoints over loopback sockets, against peers that are bare sockets.

mod client;
mod failover;
mod server;
mod stream;
mod tls;

use std::net::{Ipv4Addr, SocketAddr};
use std::time::Duration;

use sip::transaction::Timers;
use sip::{
    Limits, Message, Request, Response, ResponseBuilder, StatusCode, Transport, parse_datagram,
};
use tokio::net::UdpSocket;
use tokio::time::timeout;

use super::{Arrival, Flow, Incoming, ServerTransaction, SipConfig, SipEndpoint, SipListener};

/// What no test should need.
const TOO_LONG: Duration = Duration::from_secs(10);

/// UDP and TCP on free ports of the loopback, with all timers in proportion to `t1`.
async fn endpoint(t1: Duration) -> (SipEndpoint, Incoming) {
    SipEndpoint::bind(config(t1)).await.unwrap()
}

fn config(t1: Duration) -> SipConfig {
    let address = SocketAddr::from((Ipv4Addr::LOCALHOST, 0));
    let listeners =
        [Transport::Udp, Transport::Tcp].map(|transport| SipListener { transport, address });
    SipConfig {
        listeners: listeners.to_vec(),
        timers: Timers::scaled(t1),
        receive_buffer_octets: 64 * 1024,
        send_buffer_octets: 64 * 1024,
        ..SipConfig::default()
    }
}

/// The timers of the standard.
const T1: Duration = Duration::from_millis(500);

fn address(endpoint: &SipEndpoint, transport: Transport) -> SocketAddr {
    let found = endpoint
        .local_addresses()
        .into_iter()
        .find(|(listener, _)| *listener == transport);
    found.unwrap().1
}

async fn soon<T>(future: impl Future<Output = T>) -> T {
    timeout(TOO_LONG, future).await.expect("happens soon")
}

async fn next_request(incoming: &mut Incoming) -> ServerTransaction {
    match soon(incoming.next()).await {
        Some(Arrival::Request(transaction)) => transaction,
        other => panic!("expected a request: {other:?}"),
    }
}

/// Waits until the connection of a flow has gone.
async fn is_closed(flow: &Flow) {
    soon(async {
        while flow.is_open() {
            tokio::task::yield_now().await;
        }
    })
    .await;
}

/// A request with the given top Via, of which others may follow.
fn request(method: &str, via: &str, branch: &str) -> String {
    let (own, _) = branch.split_once(',').unwrap_or((branch, ""));
    format!(
        "{method} sip:bob@example.org SIP/2.0\r\nVia: {via};branch={branch}\r\nMax-Forwards: 70\r\n\
         From: <sip:alice@example.org>;tag=a1\r\nTo: <sip:bob@example.org>\r\nCall-ID: call-{own}\r\n\
         CSeq: 1 {method}\r\nContent-Length: 0\r\n\r\n"
    )
}

fn reply(transaction: &ServerTransaction, status: StatusCode) -> Response {
    ResponseBuilder::reply_to(transaction.request(), status)
        .to_tag("b1")
        .build()
}

/// A peer that is nothing but a UDP socket.
struct UdpPeer {
    socket: UdpSocket,
    endpoint: SocketAddr,
}

impl UdpPeer {
    async fn of(endpoint: &SipEndpoint) -> Self {
        let socket = UdpSocket::bind((Ipv4Addr::LOCALHOST, 0)).await.unwrap();
        Self {
            socket,
            endpoint: address(endpoint, Transport::Udp),
        }
    }

    fn address(&self) -> SocketAddr {
        self.socket.local_addr().unwrap()
    }

    fn via(&self) -> String {
        format!("SIP/2.0/UDP {};rport", self.address())
    }

    async fn send(&self, octets: impl AsRef<[u8]>) {
        self.socket
            .send_to(octets.as_ref(), self.endpoint)
            .await
            .unwrap();
    }

    async fn receive(&self) -> Message {
        let mut buffer = vec![0; 65_535];
        let (length, _) = soon(self.socket.recv_from(&mut buffer)).await.unwrap();
        parse_datagram(buffer[..length].to_vec().into(), &Limits::default()).unwrap()
    }

    async fn response(&self) -> Response {
        match self.receive().await {
            Message::Response(response) => response,
            Message::Request(request) => panic!("expected a response: {request:?}"),
        }
    }

    async fn request(&self) -> Request {
        match self.receive().await {
            Message::Request(request) => request,
            Message::Response(response) => panic!("expected a request: {response:?}"),
        }
    }
}
