//! Where an edge listens for SIP, and by which name it is reached.

use std::net::{IpAddr, SocketAddr};

use sip::{Host, Transport};

/// The SIP listeners of an edge.
#[derive(Debug, Clone, Copy)]
pub struct Listening<'a> {
    /// Addresses for UDP.
    pub udp: &'a [SocketAddr],
    /// Addresses for TCP.
    pub tcp: &'a [SocketAddr],
    /// Addresses for TLS.
    pub tls: &'a [SocketAddr],
    /// The host name or address that is written, if one is.
    pub advertised_host: Option<&'a str>,
}

impl<'a> Listening<'a> {
    /// The listeners: UDP, TCP, TLS, each list in its order.
    pub fn sip(&self) -> impl Iterator<Item = (Transport, SocketAddr)> + 'a {
        let of = |transport, addresses: &'a [SocketAddr]| {
            addresses.iter().map(move |address| (transport, *address))
        };
        of(Transport::Udp, self.udp)
            .chain(of(Transport::Tcp, self.tcp))
            .chain(of(Transport::Tls, self.tls))
    }

    /// Whether every SIP listener is on loopback: what loopback trust and the registrar's
    /// default hang on (3.8, REG-02).
    #[must_use]
    pub fn is_loopback_only(&self) -> bool {
        self.sip().all(|(_, address)| address.ip().is_loopback())
    }

    /// Host of our Via, Contact and media descriptions; `None` if none is known.
    #[must_use]
    pub fn advertised_host(&self) -> Option<Host> {
        if let Some(host) = self.advertised_host {
            return host
                .parse()
                .ok()
                .or_else(|| host.parse::<IpAddr>().ok().map(Host::from));
        }
        let (_, first) = self.sip().next()?;
        Some(first.ip())
            .filter(|address| !address.is_unspecified())
            .map(Host::from)
    }
}
