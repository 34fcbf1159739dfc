//! What can go wrong between the transaction user and the network.

use std::io;
use std::net::SocketAddr;

use sip::Transport;

use crate::tls::TlsError;

/// An endpoint could not be bound.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum BindError {
    /// The address is taken, not ours, or not permitted.
    #[error("cannot listen on {transport} {address}: {source}")]
    Listen {
        /// The transport of the listener.
        transport: Transport,
        /// The address asked for.
        address: SocketAddr,
        /// What the operating system says.
        source: io::Error,
    },
    /// The advertised host is neither a host name nor an address.
    #[error("advertised host is no host name or address")]
    AdvertisedHost,
    /// The certificates for TLS cannot be used.
    #[error(transparent)]
    Tls(#[from] TlsError),
    /// A listener of a transport this endpoint cannot serve: TLS without certificates.
    #[error("no listener for {0} can be served")]
    Unsupported(Transport),
}

/// A request could not be sent; no transaction exists.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum SendError {
    /// The target is no SIP URI, or its host has no address.
    #[error("target cannot be resolved: {0}")]
    Unresolved(#[from] crate::resolve::ResolveError),
    /// Nothing here can send by that transport to that address family.
    #[error("no socket for {0}")]
    NoTransport(Transport),
    /// The connection could not be set up.
    #[error("cannot connect to {address}: {source}")]
    Connect {
        /// The last address tried.
        address: SocketAddr,
        /// What the operating system says.
        source: io::Error,
    },
    /// The flow of the target has gone (RFC 5626 §5.3: 430 for whoever asked).
    #[error("the flow has gone")]
    FlowGone,
    /// Larger than a datagram can be, and no stream transport is allowed.
    #[error("too large for a datagram")]
    TooLarge,
    /// Too many transactions or octets under way.
    #[error("too much under way")]
    Overloaded,
    /// The endpoint has been closed.
    #[error("endpoint closed")]
    Closed,
}

/// How a client transaction ended without a final response.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum TransactionFailure {
    /// No final response in time; counts as 408 (RFC 3261 §8.1.3.1).
    #[error("no response in time")]
    Timeout,
    /// The transport failed; counts as 503 (RFC 3261 §8.1.3.1).
    #[error("peer unreachable")]
    Unreachable,
}

/// Bytes that a flow did not take.
#[derive(Debug, thiserror::Error)]
pub(crate) enum NotSent {
    #[error("connection closed")]
    Closed,
    #[error("write queue full")]
    Full,
    #[error(transparent)]
    Io(#[from] io::Error),
}
