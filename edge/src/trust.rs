//! Trusted peers (requirements §3.8): by network and transport, or by the name in their certificate.
//!
//! A network means TCP and TLS, because the source address of a datagram can be forged; UDP must
//! be named. A name is believed wherever it is proved, which is over TLS only. Loopback is trusted
//! on all transports while no SIP listener is bound beyond it.

use std::net::IpAddr;
use std::str::FromStr;

use daemon::config::TextValue;
use ipnet::IpNet;
use net::sip::Source;
use net::tls::PeerNames;
use sip::{Host, Transport};

/// One entry of `trust.peers`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TrustedPeer(Entry);

#[derive(Debug, Clone, PartialEq, Eq)]
enum Entry {
    Network { network: IpNet, over_udp: bool },
    Name(String),
}

impl TrustedPeer {
    /// Whether it is known by the name in its certificate.
    pub fn is_named(&self) -> bool {
        matches!(self.0, Entry::Name(_))
    }

    fn covers(&self, seen: &Seen<'_>) -> bool {
        match &self.0 {
            Entry::Network { network, over_udp } => {
                (*over_udp || seen.transport != Transport::Udp) && network.contains(&seen.address)
            }
            Entry::Name(name) => seen.transport == Transport::Tls && seen.names.contains(name),
        }
    }
}

/// What the socket knows of a peer.
#[derive(Debug, Clone, Copy)]
pub struct Seen<'a> {
    /// The transport it speaks.
    pub transport: Transport,
    /// Where it is.
    pub address: IpAddr,
    /// What its certificate proves.
    pub names: &'a PeerNames,
}

impl<'a> From<&'a Source> for Seen<'a> {
    fn from(source: &'a Source) -> Self {
        Self {
            transport: source.transport,
            address: source.remote.ip(),
            names: &source.peer_names,
        }
    }
}

/// The text is no network and no name after `tls:`, or something else than `+udp` follows a network.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("neither a network nor a name")]
pub struct NotAPeer;

impl FromStr for TrustedPeer {
    type Err = NotAPeer;

    fn from_str(text: &str) -> Result<Self, NotAPeer> {
        if let Some(name) = text.strip_prefix("tls:") {
            return host_name(name.trim()).map(|name| Self(Entry::Name(name)));
        }
        let (written, over_udp) = match text.strip_suffix("+udp") {
            Some(written) => (written, true),
            None => (text, false),
        };
        let network = network(written.trim()).ok_or(NotAPeer)?;
        Ok(Self(Entry::Network { network, over_udp }))
    }
}

/// A network, or an address as the network of itself.
fn network(text: &str) -> Option<IpNet> {
    text.parse()
        .ok()
        .or_else(|| text.parse::<IpAddr>().ok().map(IpNet::from))
}

/// A certificate proves names of hosts, not addresses.
fn host_name(text: &str) -> Result<String, NotAPeer> {
    match text.parse() {
        Ok(Host::Name(name)) => Ok(name),
        _ => Err(NotAPeer),
    }
}

impl TextValue for TrustedPeer {
    const EXPECTED: &'static str = "a network or address, with `+udp` if it is believed over UDP too, or `tls:` and the name in a certificate: `192.0.2.0/24`, `192.0.2.11+udp`, `tls:core.example.net`";
}

/// Who is believed.
#[derive(Debug, Clone)]
pub struct TrustedPeers {
    peers: Vec<TrustedPeer>,
    loopback: bool,
}

impl TrustedPeers {
    /// `loopback` says that loopback is to be trusted *and* that no listener is bound beyond it.
    pub fn new(peers: Vec<TrustedPeer>, loopback: bool) -> Self {
        Self { peers, loopback }
    }

    /// Whether what this peer asserts is believed.
    pub fn contains(&self, seen: &Seen<'_>) -> bool {
        let seen = Seen {
            address: seen.address.to_canonical(),
            ..*seen
        };
        (self.loopback && seen.address.is_loopback())
            || self.peers.iter().any(|peer| peer.covers(&seen))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn peers(entries: &[&str], loopback: bool) -> TrustedPeers {
        let peers = entries
            .iter()
            .map(|entry| entry.parse().expect("an entry"))
            .collect();
        TrustedPeers::new(peers, loopback)
    }

    /// Whether a peer at this address without any name is believed.
    fn trusts(peers: &TrustedPeers, transport: Transport, address: &str) -> bool {
        believes(peers, transport, address, &[])
    }

    fn believes(peers: &TrustedPeers, transport: Transport, address: &str, names: &[&str]) -> bool {
        let address: IpAddr = address.parse().expect("an address");
        peers.contains(&Seen {
            transport,
            address,
            names: &names.iter().collect(),
        })
    }

    #[test]
    fn a_network_means_tcp_and_tls_and_udp_must_be_named() {
        let peers = peers(&["192.0.2.0/24", "198.51.100.7+udp"], false);
        assert!(trusts(&peers, Transport::Tcp, "192.0.2.9"));
        assert!(trusts(&peers, Transport::Tls, "192.0.2.9"));
        assert!(!trusts(&peers, Transport::Udp, "192.0.2.9"));
        assert!(trusts(&peers, Transport::Udp, "198.51.100.7"));
        assert!(trusts(&peers, Transport::Tcp, "198.51.100.7"));
        assert!(!trusts(&peers, Transport::Tcp, "203.0.113.1"));
    }

    #[test]
    fn a_name_counts_over_tls_only_and_from_anywhere() {
        let peers = peers(&["tls:Core.example.net"], false);
        let names = ["im.example.net", "core.example.net"];
        assert!(believes(&peers, Transport::Tls, "203.0.113.1", &names));
        assert!(!believes(&peers, Transport::Tcp, "203.0.113.1", &names));
        assert!(!believes(
            &peers,
            Transport::Tls,
            "203.0.113.1",
            &names[..1]
        ));
        assert!(!trusts(&peers, Transport::Tls, "203.0.113.1"));
    }

    #[test]
    fn loopback_is_trusted_on_all_transports_only_where_told() {
        for transport in [Transport::Udp, Transport::Tcp, Transport::Tls] {
            assert!(trusts(&peers(&[], true), transport, "127.0.0.1"));
            assert!(trusts(&peers(&[], true), transport, "::ffff:127.0.0.1"));
            assert!(!trusts(&peers(&[], false), transport, "127.0.0.1"));
        }
    }

    #[test]
    fn entries_that_mean_nothing_are_refused() {
        let nameless = ["tls:", "tls:10.0.0.1", "tls:*.example.net", "tls:a b"];
        let networks = ["here", "10.0.0.0/8+sctp", "10.0.0.0/40", "+udp", ""];
        for text in nameless.into_iter().chain(networks) {
            assert_eq!(text.parse::<TrustedPeer>(), Err(NotAPeer), "{text}");
        }
    }
}
