//! What the keys about TLS mean together.

use std::path::PathBuf;

use net::msrp::MsrpTlsConfig;
use net::tls::{self, CertificateFiles, TlsConfig};
use sip::Transport;

use super::{Config, Rule, VerifyPeers};

impl Config {
    /// How SIP is spoken over TLS; `None` if it is not.
    pub(crate) fn sip_tls(&self) -> Option<TlsConfig> {
        let own = files(&self.tls.certificate, &self.tls.key)?;
        Some(TlsConfig {
            peer_ca: self.tls.peer_ca.clone(),
            verify_peers: self.verify_peers(),
            ..TlsConfig::new(own)
        })
    }

    /// How MSRP is spoken over TLS; `None` if it is not.
    pub(crate) fn msrp_tls(&self) -> Option<MsrpTlsConfig> {
        Some(MsrpTlsConfig {
            own: files(&self.msrp.certificate, &self.msrp.key),
            ..MsrpTlsConfig::new(self.process.msrp_listen_tls?)
        })
    }

    fn verify_peers(&self) -> tls::VerifyPeers {
        match self.tls.verify_peers {
            VerifyPeers::Auto if self.tls.peer_ca.is_empty() => tls::VerifyPeers::None,
            VerifyPeers::Auto | VerifyPeers::Optional => tls::VerifyPeers::Optional,
            VerifyPeers::None => tls::VerifyPeers::None,
            VerifyPeers::Required => tls::VerifyPeers::Required,
        }
    }

    fn is_next_hop_secure(&self) -> bool {
        let next_hop = self.next_hop().ok().flatten();
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

/// Both files, or nothing: half of it is a contradiction.
fn files(certificate: &Option<PathBuf>, key: &Option<PathBuf>) -> Option<CertificateFiles> {
    Some(CertificateFiles {
        certificate: certificate.clone()?,
        key: key.clone()?,
    })
}
