//! From a SIP URI to the hops of its request (RFC 3263).
//!
//! The choice of transports, services and servers is pure: records in, an ordered list out. Only [`Resolver`] asks, of
//! whatever [`Lookup`] it is given. It opens no flow and remembers no failure: the first is the endpoint's, the second
//! that of [`HopHealth`](crate::hop::HopHealth).

mod record;
mod resolver;
mod service;
mod srv;
mod system;
#[cfg(test)]
mod tests;

use sip::Transport;

pub use self::record::{Answer, Lookup, LookupError, Naptr, Srv};
pub use self::resolver::Resolver;
pub use self::system::SystemLookup;

/// What the sender of a request can do and needs.
#[derive(Clone, Copy, Debug)]
pub struct Sending<'a> {
    /// The transports it can send by; records may choose among them.
    pub transports: &'a [Transport],
    /// Too large for UDP, so that streams come first where the URI leaves the choice (RFC 3261 §18.1.1).
    pub is_large: bool,
}

/// A URI leads to no hop.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ResolveError {
    /// Only sip and sips URIs can be resolved; a tel URI needs a next hop.
    #[error("not a SIP URI")]
    NotSip,
    /// The URI asks for a transport we do not speak, or for one that a sips URI must not use.
    #[error("transport of the URI cannot be used")]
    Transport,
    /// The domain says that it does not offer the service (RFC 2782: a target of `.`).
    #[error("service not offered by the domain")]
    NotOffered,
    /// The names exist or not, but have no address.
    #[error("no address")]
    NoAddress,
    /// Nothing was found, and a question stayed without an answer.
    #[error(transparent)]
    LookUp(#[from] LookupError),
    /// The answers did not come within the time of a resolution.
    #[error("no hop found in time")]
    Timeout,
}
