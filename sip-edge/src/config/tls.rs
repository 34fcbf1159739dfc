//! What the keys about TLS mean together.

use sip::Transport;

use super::{Config, Rule, VerifyPeers};

impl Config {
    fn is_next_hop_secure(&self) -> bool {
        let next_hop = self.sip.next_hop().ok().flatten();
        next_hop.is_some_and(|uri| uri.secure || uri.transport() == Some(Transport::Tls))
    }

    /// A certificate is needed wherever another key speaks of TLS, and authorities wherever one speaks of names.
    pub(super) fn securing_sip(&self) -> [Rule; 6] {
        let keys = &self.tls;
        let is_verifying = matches!(
            keys.verify_peers,
            VerifyPeers::Optional | VerifyPeers::Required
        );
        let has_names = self.trust.peers.iter().any(|peer| peer.is_named());
        let believes_servers = keys.certificate.is_some() && !keys.peer_ca.is_empty();
        let is_meant = !self.process.listen_tls.is_empty()
            || keys.key.is_some()
            || !keys.peer_ca.is_empty()
            || is_verifying;
        [
            (
                !is_meant || keys.certificate.is_some(),
                "tls.certificate",
                "must name our certificate where sip-edge.listen_tls has an address or [tls] another key",
            ),
            (
                keys.certificate.is_none() || keys.key.is_some(),
                "tls.key",
                "must name the private key of tls.certificate",
            ),
            (
                !is_verifying || !keys.peer_ca.is_empty(),
                "tls.peer_ca",
                "must name the authorities by which tls.verify_peers is done",
            ),
            (
                !has_names || !keys.peer_ca.is_empty(),
                "trust.peers",
                "has a `tls:` name, which is proved to the authorities of tls.peer_ca: it must name them",
            ),
            (
                !has_names || keys.verify_peers != VerifyPeers::None,
                "tls.verify_peers",
                "must not be `none` where trust.peers has a `tls:` name",
            ),
            (
                !self.is_next_hop_secure() || believes_servers,
                "sip.next_hop",
                "is reached over TLS, which needs tls.certificate and tls.peer_ca",
            ),
        ]
    }

    pub(super) fn securing_msrp(&self) -> [Rule; 4] {
        let keys = &self.msrp;
        let is_listening = self.process.msrp_listen_tls.is_some();
        [
            (
                keys.certificate.is_some() || keys.key.is_none(),
                "msrp.certificate",
                "must name the certificate of msrp.key",
            ),
            (
                keys.certificate.is_none() || keys.key.is_some(),
                "msrp.key",
                "must name the private key of msrp.certificate",
            ),
            (
                is_listening || !keys.offer_tls,
                "msrp.offer_tls",
                "needs an address in sip-edge.msrp_listen_tls",
            ),
            (
                is_listening || keys.certificate.is_none(),
                "msrp.certificate",
                "needs an address in sip-edge.msrp_listen_tls",
            ),
        ]
    }
}
