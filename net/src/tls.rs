//! TLS for SIP and MSRP: certificates from files, and what a peer's certificate proves.
//!
//! The two differ in what they trust. A SIP peer is who an authority of ours says (RFC 5922): its certificate leads to
//! one of the configured authorities, and [`PeerNames`] are the domains in it. An MSRP peer is whoever its session
//! description says (RFC 8122): any certificate will do whose [`Fingerprint`] stands there (`MSR-03`).
//!
//! What both share with gRPC, certificates from files that are read again when they change, is in the crate `tls`.
//!
//! It opens no socket, and decides about no request: who is trusted is the edge's to say.

mod config;
mod fingerprint;
mod msrp;
mod peer_names;
mod sip;
#[cfg(test)]
pub(crate) mod tests;
mod verify;

pub use ::tls::{CertificateFiles, TlsError};

pub use self::config::{TlsConfig, VerifyPeers};
pub use self::fingerprint::{Fingerprint, FingerprintError};
pub use self::peer_names::PeerNames;

pub(crate) use self::msrp::{Identity, MsrpTls};
pub(crate) use self::sip::{SipTls, server_name};
