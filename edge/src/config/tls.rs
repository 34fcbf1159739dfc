//! How SIP and MSRP are spoken over TLS.

use std::net::SocketAddr;

use ::tls::CertificateFiles;
use net::msrp::MsrpTlsConfig;
use net::tls::{self, TlsConfig};

use super::{Msrp, Tls, VerifyPeers};

impl Tls {
    /// How SIP is spoken over TLS; `None` if it is not.
    #[must_use]
    pub fn sip(&self) -> Option<TlsConfig> {
        let own = CertificateFiles::both(&self.certificate, &self.key)?;
        Some(TlsConfig {
            peer_ca: self.peer_ca.clone(),
            verify_peers: self.verifying(),
            ..TlsConfig::new(own)
        })
    }

    fn verifying(&self) -> tls::VerifyPeers {
        match self.verify_peers {
            VerifyPeers::Auto if self.peer_ca.is_empty() => tls::VerifyPeers::None,
            VerifyPeers::Auto | VerifyPeers::Optional => tls::VerifyPeers::Optional,
            VerifyPeers::None => tls::VerifyPeers::None,
            VerifyPeers::Required => tls::VerifyPeers::Required,
        }
    }
}

impl Msrp {
    /// How MSRP is spoken over TLS on this address.
    #[must_use]
    pub fn tls(&self, listen: SocketAddr) -> MsrpTlsConfig {
        MsrpTlsConfig {
            own: CertificateFiles::both(&self.certificate, &self.key),
            ..MsrpTlsConfig::new(listen)
        }
    }
}
