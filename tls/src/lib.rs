//! Certificates from files, and connections whose both sides show one.
//!
//! What SIP, MSRP and gRPC over TLS have in common is here: PEM files ([`KeyPair`], [`authorities`]) that are read again when
//! they change ([`Reloading`]), and the cryptography ([`provider`]). gRPC needs no more than [`MutualServer`] and
//! [`MutualClient`]: each side shows a certificate that leads to an authority of the other's. What SIP and MSRP ask of a
//! peer's certificate instead is in `net`.
//!
//! New handshakes use what the files say then, connections live on. No session is resumed, so that each connection proves
//! its certificate anew. TLS 1.2 and 1.3 are spoken, nothing older (requirements 3.11).
//!
//! It opens no socket, and decides about no request: what the holder of a name may do is for others to say.

#[cfg(any(test, feature = "authority"))]
pub mod authority;
mod error;
mod fault;
mod file;
mod mutual;
mod names;
mod reloading;
#[cfg(test)]
mod tests;

use std::io;
use std::sync::Arc;
use std::time::Duration;

use rustls::crypto::{CryptoProvider, ring};
use tokio::time::timeout;

pub use self::error::TlsError;
pub use self::file::{CertificateFiles, KeyPair, authorities};
pub use self::mutual::{ClientConfig, ClientStream, MutualClient, MutualServer, ServerConfig};
pub use self::names::CertificateNames;
pub use self::reloading::Reloading;

/// Longest time from the first to the last octet of a handshake, unless told otherwise.
pub const HANDSHAKE_TIMEOUT: Duration = Duration::from_secs(10);

/// Time between two looks at the files, unless told otherwise.
pub const RELOAD_INTERVAL: Duration = Duration::from_secs(5);

/// The cryptography of all our connections.
#[must_use]
pub fn provider() -> Arc<CryptoProvider> {
    Arc::new(ring::default_provider())
}

/// A handshake within its time.
///
/// # Errors
/// Those of the handshake; [`io::ErrorKind::TimedOut`] after `limit`.
pub async fn in_time<T>(
    limit: Duration,
    handshake: impl Future<Output = io::Result<T>>,
) -> io::Result<T> {
    timeout(limit, handshake)
        .await
        .unwrap_or_else(|_| Err(io::ErrorKind::TimedOut.into()))
}
