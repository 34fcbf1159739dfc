//! Which files hold what, and what is asked of peers.

use std::path::PathBuf;
use std::time::Duration;

use ::tls::{CertificateFiles, HANDSHAKE_TIMEOUT, RELOAD_INTERVAL};

/// What those who connect to us must show. Those whom we connect to always show a certificate that leads to one of our
/// authorities and names the host we look for.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum VerifyPeers {
    /// No certificate is asked for: nobody has a verified name.
    #[default]
    None,
    /// A certificate that is shown must be good; without one the peer has no verified name.
    Optional,
    /// No connection without a good certificate.
    Required,
}

/// How SIP is spoken over TLS.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TlsConfig {
    /// What we show to either side.
    pub own: CertificateFiles,
    /// PEM files with the certificates of the authorities we believe. Without any, no server is believed.
    pub peer_ca: Vec<PathBuf>,
    /// What is asked of those who connect to us; anything but [`VerifyPeers::None`] needs `peer_ca`.
    pub verify_peers: VerifyPeers,
    /// Time between two looks at the files.
    pub reload_interval: Duration,
    /// Longest time for a handshake.
    pub handshake_timeout: Duration,
}

impl TlsConfig {
    /// Shows this certificate, asks nobody for one, and believes no server.
    #[must_use]
    pub fn new(own: CertificateFiles) -> Self {
        Self {
            own,
            peer_ca: Vec::new(),
            verify_peers: VerifyPeers::None,
            reload_interval: RELOAD_INTERVAL,
            handshake_timeout: HANDSHAKE_TIMEOUT,
        }
    }

    /// Everything that is read.
    pub(super) fn files(&self) -> Vec<PathBuf> {
        let own = [&self.own.certificate, &self.own.key];
        own.into_iter().chain(&self.peer_ca).cloned().collect()
    }
}
