//! TLS for SIP and MSRP: certificates from files, and what a peer's certificate proves.
//!
//! The two differ in what they trust. A SIP peer is who an authority of ours says (RFC 5922): its certificate leads to
//! one of the configured authorities, and [`PeerNames`] are the domains in it. An MSRP peer is whoever its session
//! description says (RFC 8122): any certificate will do whose [`Fingerprint`] stands there (`MSR-03`).
//!
//! Files are read again when they change, or on demand; new handshakes use what they say then, connections live on. No
//! session is resumed, so that each connection proves its certificate anew. TLS 1.2 and 1.3 are spoken, nothing older
//! (requirements 3.11).
//!
//! It opens no socket, and decides about no request: who is trusted is the edge's to say.

mod config;
mod error;
mod file;
mod fingerprint;
mod msrp;
mod peer_names;
mod reloading;
mod sip;
#[cfg(test)]
pub(crate) mod tests;
mod verify;

use std::io;
use std::time::Duration;

use tokio::time::timeout;

pub use self::config::{CertificateFiles, TlsConfig, VerifyPeers};
pub use self::error::TlsError;
pub use self::fingerprint::{Fingerprint, FingerprintError};
pub use self::peer_names::PeerNames;

pub(crate) use self::msrp::{Identity, MsrpTls};
pub(crate) use self::sip::{SipTls, server_name};

/// Longest time from the first to the last octet of a handshake, unless told otherwise.
pub(crate) const HANDSHAKE_TIMEOUT: Duration = Duration::from_secs(10);

/// Time between two looks at the files, unless told otherwise.
pub(crate) const RELOAD_INTERVAL: Duration = Duration::from_secs(5);

/// A handshake within its time.
async fn in_time<T>(
    limit: Duration,
    handshake: impl Future<Output = io::Result<T>>,
) -> io::Result<T> {
    timeout(limit, handshake)
        .await
        .unwrap_or_else(|_| Err(io::ErrorKind::TimedOut.into()))
}
