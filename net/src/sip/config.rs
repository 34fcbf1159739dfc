//! What an endpoint is told when it is bound.

use std::net::{Ipv4Addr, SocketAddr};
use std::sync::Arc;
use std::time::Duration;

use sip::transaction::{LayerLimits, Timers};
use sip::{Limits, Transport};

use crate::network::Network;
use crate::resolve::Resolver;
use crate::tls::TlsConfig;

/// One address to listen on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct SipListener {
    /// What is spoken there; TLS needs [`SipConfig::tls`].
    pub transport: Transport,
    /// Address and port; port 0 takes any free one, see [`local_addresses`](super::SipEndpoint::local_addresses).
    pub address: SocketAddr,
}

/// Configuration of a [`SipEndpoint`](super::SipEndpoint).
#[derive(Clone, Debug)]
pub struct SipConfig {
    /// Where to listen; all are bound before the first message is served.
    pub listeners: Vec<SipListener>,
    /// Where UDP listeners are bound; the operating system, if there is none.
    pub network: Option<Arc<dyn Network>>,
    /// How TLS is spoken; without it none is accepted and none connected.
    pub tls: Option<TlsConfig>,
    /// Host name or address written into the sent-by of our Vias, without port.
    pub advertised_host: String,
    /// Server of the answers that the endpoint gives by itself, besides their Date (requirements 1.20).
    pub server: Option<String>,
    /// Values of the transaction timers.
    pub timers: Timers,
    /// Bounds of the transaction tables, all shards together.
    pub transactions: LayerLimits,
    /// Bounds of a received message (requirements 3.11).
    pub limits: Limits,
    /// Independent parts of the transaction layer; each has a lock of its own.
    pub shards: usize,
    /// Sockets per UDP listener, each with a task of its own; the kernel spreads the peers (`SO_REUSEPORT`).
    pub udp_sockets: usize,
    /// `SO_RCVBUF` of UDP sockets.
    pub receive_buffer_octets: usize,
    /// `SO_SNDBUF` of UDP sockets.
    pub send_buffer_octets: usize,
    /// Arrivals that may wait for the transaction user; further requests are answered 503 (`P9`).
    pub incoming_queue: usize,
    /// Written into the `Retry-After` of these 503s, in whole seconds.
    pub retry_after: Duration,
    /// Requests above this size leave by a stream transport (RFC 3261 §18.1.1).
    pub datagram_request_octets: usize,
    /// Connections that peers may hold open at the same time.
    pub max_connections: usize,
    /// Connections that peers of one address may hold open at the same time.
    pub max_connections_per_address: usize,
    /// Silence after which a connection is closed.
    pub idle_timeout: Duration,
    /// Longest time from the first to the last octet of one message on a connection.
    pub message_timeout: Duration,
    /// Longest time to set up a connection to one address, before any handshake of TLS.
    pub connect_timeout: Duration,
    /// Longest time a connection may refuse what is written to it.
    pub write_timeout: Duration,
    /// Octets that may wait to be written to one connection; what exceeds them fails as if it were closed.
    pub write_queue_octets: usize,
    /// Finds the hops of the URIs that requests go to.
    pub resolver: Resolver,
}

impl Default for SipConfig {
    fn default() -> Self {
        let address = SocketAddr::from((Ipv4Addr::LOCALHOST, 5060));
        let listen = |transport| SipListener { transport, address };
        Self {
            listeners: vec![listen(Transport::Udp), listen(Transport::Tcp)],
            network: None,
            tls: None,
            advertised_host: Ipv4Addr::LOCALHOST.to_string(),
            server: None,
            timers: Timers::default(),
            transactions: LayerLimits::default(),
            limits: Limits::default(),
            shards: 8,
            udp_sockets: 1,
            receive_buffer_octets: 8 << 20,
            send_buffer_octets: 4 << 20,
            incoming_queue: 4096,
            retry_after: Duration::from_secs(5),
            datagram_request_octets: 1300,
            max_connections: 4096,
            max_connections_per_address: 1024,
            idle_timeout: Duration::from_secs(600),
            message_timeout: Duration::from_secs(30),
            connect_timeout: Duration::from_secs(5),
            write_timeout: Duration::from_secs(10),
            write_queue_octets: 4 << 20,
            resolver: Resolver::system(),
        }
    }
}
