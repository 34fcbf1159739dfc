//! From a host to addresses (RFC 3263).
//!
//! Address literals and A/AAAA records; the port and transport come from the caller.

use std::net::SocketAddr;

use sip::Host;

/// A target has no address.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ResolveError {
    /// Only sip and sips URIs can be resolved; a tel URI needs a next hop.
    #[error("not a SIP URI")]
    NotSip,
    /// The name exists but has no address.
    #[error("no address")]
    NoAddress,
    /// The look-up failed.
    #[error(transparent)]
    LookUp(#[from] std::io::Error),
}

/// The addresses of `host`, in the order in which they are to be tried (RFC 3263 §4.2).
pub(crate) async fn addresses(host: &Host, port: u16) -> Result<Vec<SocketAddr>, ResolveError> {
    let name = match host {
        Host::V4(address) => return Ok(vec![SocketAddr::from((*address, port))]),
        Host::V6(address) => return Ok(vec![SocketAddr::from((*address, port))]),
        Host::Name(name) => name,
    };
    let found: Vec<_> = tokio::net::lookup_host((name.as_str(), port))
        .await?
        .collect();
    if found.is_empty() {
        Err(ResolveError::NoAddress)
    } else {
        Ok(found)
    }
}
