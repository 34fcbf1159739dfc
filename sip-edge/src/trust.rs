//! Trusted peers (requirements §3.8): by network and transport.
//!
//! A network means TCP and TLS, because the source address of a datagram can be forged; UDP must
//! be named. Loopback is trusted on all transports while no SIP listener is bound beyond it. The
//! TLS name of a peer is not looked at: there is no TLS listener yet.

use std::net::IpAddr;
use std::str::FromStr;

use daemon::config::TextValue;
use ipnet::IpNet;
use sip::Transport;

/// One entry of `trust.peers`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TrustedPeer {
    network: IpNet,
    over_udp: bool,
}

impl TrustedPeer {
    fn covers(&self, transport: Transport, address: IpAddr) -> bool {
        (self.over_udp || transport != Transport::Udp) && self.network.contains(&address)
    }
}

/// The text is no network, or something else than `+udp` follows it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("not a network")]
pub struct NotANetwork;

impl FromStr for TrustedPeer {
    type Err = NotANetwork;

    fn from_str(text: &str) -> Result<Self, NotANetwork> {
        let (written, over_udp) = match text.strip_suffix("+udp") {
            Some(written) => (written, true),
            None => (text, false),
        };
        let network = network(written.trim()).ok_or(NotANetwork)?;
        Ok(Self { network, over_udp })
    }
}

/// A network, or an address as the network of itself.
fn network(text: &str) -> Option<IpNet> {
    text.parse()
        .ok()
        .or_else(|| text.parse::<IpAddr>().ok().map(IpNet::from))
}

impl TextValue for TrustedPeer {
    const EXPECTED: &'static str = "a network or address, with `+udp` if it is believed over UDP too: `192.0.2.0/24`, `192.0.2.11+udp`";
}

/// Who is believed.
#[derive(Debug, Clone)]
pub(crate) struct TrustedPeers {
    peers: Vec<TrustedPeer>,
    loopback: bool,
}

impl TrustedPeers {
    /// `loopback` says that loopback is to be trusted *and* that no listener is bound beyond it.
    pub(crate) fn new(peers: Vec<TrustedPeer>, loopback: bool) -> Self {
        Self { peers, loopback }
    }

    /// Whether what a peer asserts over this transport from this address is believed.
    pub(crate) fn contains(&self, transport: Transport, address: IpAddr) -> bool {
        let address = address.to_canonical();
        (self.loopback && address.is_loopback())
            || self
                .peers
                .iter()
                .any(|peer| peer.covers(transport, address))
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

    fn address(text: &str) -> IpAddr {
        text.parse().expect("an address")
    }

    #[test]
    fn a_network_means_tcp_and_tls_and_udp_must_be_named() {
        let peers = peers(&["192.0.2.0/24", "198.51.100.7+udp"], false);
        assert!(peers.contains(Transport::Tcp, address("192.0.2.9")));
        assert!(peers.contains(Transport::Tls, address("192.0.2.9")));
        assert!(!peers.contains(Transport::Udp, address("192.0.2.9")));
        assert!(peers.contains(Transport::Udp, address("198.51.100.7")));
        assert!(peers.contains(Transport::Tcp, address("198.51.100.7")));
        assert!(!peers.contains(Transport::Tcp, address("203.0.113.1")));
    }

    #[test]
    fn loopback_is_trusted_on_all_transports_only_where_told() {
        for transport in [Transport::Udp, Transport::Tcp, Transport::Tls] {
            assert!(peers(&[], true).contains(transport, address("127.0.0.1")));
            assert!(peers(&[], true).contains(transport, address("::ffff:127.0.0.1")));
            assert!(!peers(&[], false).contains(transport, address("127.0.0.1")));
        }
    }

    #[test]
    fn entries_that_mean_nothing_are_refused() {
        for text in ["here", "10.0.0.0/8+sctp", "10.0.0.0/40", "+udp", ""] {
            assert_eq!(text.parse::<TrustedPeer>(), Err(NotANetwork), "{text}");
        }
    }
}
