//! How an endpoint and its sessions behave.

use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use ::msrp::InboxRules;
use ipnet::IpNet;
use tls::{CertificateFiles, HANDSHAKE_TIMEOUT, RELOAD_INTERVAL, TlsError};

use crate::network::Network;
use crate::resolve::Resolver;

/// Settings of an [`MsrpEndpoint`](super::MsrpEndpoint).
#[derive(Debug, Clone)]
pub struct MsrpConfig {
    /// Where to listen; port 0 takes a free one.
    pub address: SocketAddr,
    /// What is listened and connected on; the operating system, if there is none.
    pub network: Option<Arc<dyn Network>>,
    /// How MSRP is spoken over TLS; without it none is accepted and none connected.
    pub tls: Option<MsrpTlsConfig>,
    /// Host of our paths; none takes the address that was bound.
    pub advertised_host: Option<String>,
    /// Networks we connect to although MSR-04 forbids it: for laptops and tests.
    pub allow_networks: Vec<IpNet>,
    /// Networks we never connect to, beyond those that MSR-04 names.
    pub deny_networks: Vec<IpNet>,
    /// From the start of a connection attempt to its end (3.1: 10 s), before any handshake of TLS.
    pub connect_timeout: Duration,
    /// Connection attempts for one signalling peer, and to one address, in any second (MSR-04: 20).
    pub connects_per_second: usize,
    /// Wrong To-Paths from one address in any minute before its connection is closed (MSR-02: 20).
    pub wrong_paths_per_minute: usize,
    /// Other listeners of this process, which are not connected to either (MSR-04).
    pub other_listeners: Vec<SocketAddr>,
    /// How long a connection may be without its first session.
    pub unbound_timeout: Duration,
    /// How long a connection that was accepted is kept for a further session after its last one.
    pub reuse_timeout: Duration,
    /// How long a request waits for its session's peer path: a peer may connect before its SIP
    /// answer is here.
    pub path_wait: Duration,
    /// How long a write may make no progress before the connection is closed.
    pub write_stall: Duration,
    /// Connections accepted at the same time; more are closed at once.
    pub max_connections: usize,
    /// Connections accepted from one address at the same time.
    pub max_connections_per_address: usize,
    /// Finds the addresses of the hosts in peers' paths.
    pub resolver: Resolver,
    /// Compare only the session-ids of To-Path and From-Path, for peers behind a gateway that rewrites paths.
    pub sessmatch: bool,
}

impl MsrpConfig {
    /// The values of the requirements on this address.
    pub fn new(address: SocketAddr) -> MsrpConfig {
        MsrpConfig {
            address,
            network: None,
            tls: None,
            advertised_host: None,
            allow_networks: Vec::new(),
            deny_networks: Vec::new(),
            connect_timeout: Duration::from_secs(10),
            connects_per_second: 20,
            wrong_paths_per_minute: 20,
            other_listeners: Vec::new(),
            unbound_timeout: Duration::from_secs(30),
            reuse_timeout: Duration::from_secs(5),
            path_wait: Duration::from_secs(10),
            write_stall: Duration::from_secs(30),
            max_connections: 16_384,
            max_connections_per_address: 4_096,
            resolver: Resolver::system(),
            sessmatch: false,
        }
    }
}

/// MSRP over TLS: peers know each other by the fingerprints in their descriptions (MSR-03).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct MsrpTlsConfig {
    /// Where to listen, beside the listener in clear; port 0 takes a free one.
    pub address: SocketAddr,
    /// What we show; none makes a certificate that lives as long as the endpoint.
    pub own: Option<CertificateFiles>,
    /// Time between two looks at the files.
    pub reload_interval: Duration,
    /// Longest time for a handshake.
    pub handshake_timeout: Duration,
}

impl MsrpTlsConfig {
    /// A listener with a certificate of its own making.
    pub fn new(address: SocketAddr) -> MsrpTlsConfig {
        MsrpTlsConfig {
            address,
            own: None,
            reload_interval: RELOAD_INTERVAL,
            handshake_timeout: HANDSHAKE_TIMEOUT,
        }
    }
}

/// Why an endpoint could not be bound.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum BindError {
    /// The address cannot be listened on.
    #[error("cannot listen for MSRP on {address}")]
    Listen {
        /// The address asked for.
        address: SocketAddr,
        /// What the system said.
        source: io::Error,
    },
    /// The certificate for TLS cannot be used.
    #[error(transparent)]
    Tls(#[from] TlsError),
    /// `advertised_host` is no host of an MSRP URI.
    #[error("{0:?} cannot stand in an MSRP path")]
    AdvertisedHost(String),
}

/// What one session takes and how it sends.
#[derive(Debug, Clone)]
pub struct SessionRules {
    /// What is received.
    pub inbox: InboxRules,
    /// Longest chunk sent.
    pub chunk_octets: u64,
    /// Messages sent and not settled (PSH-09: 4).
    pub message_window: usize,
    /// From the last response to the last success REPORT, if one was asked for (3.1: 120 s).
    pub report_wait: Duration,
}

impl SessionRules {
    /// Sends, and refuses content (a push session).
    pub fn send_only() -> SessionRules {
        SessionRules {
            inbox: InboxRules::send_only(),
            ..SessionRules::receive_up_to(0)
        }
    }

    /// Sends, and receives one message up to this size (DEF-13).
    pub fn receive_one_up_to(max_octets: u64) -> SessionRules {
        SessionRules {
            inbox: InboxRules::one_up_to(max_octets),
            ..SessionRules::receive_up_to(max_octets)
        }
    }

    /// Sends, and receives messages of any type up to this size.
    pub fn receive_up_to(max_octets: u64) -> SessionRules {
        SessionRules {
            inbox: InboxRules::up_to(max_octets),
            chunk_octets: 256 * 1024,
            message_window: 4,
            report_wait: Duration::from_secs(120),
        }
    }
}

impl Default for SessionRules {
    /// Receives messages up to 1 MiB.
    fn default() -> SessionRules {
        SessionRules::receive_up_to(1024 * 1024)
    }
}
