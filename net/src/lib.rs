//! Sockets, TLS, name resolution and timers that drive sip and msrp.

pub mod hop;
pub mod msrp;
pub mod network;
mod places;
pub mod resolve;
pub mod sip;
pub mod tls;

pub use resolve::ResolveError;
