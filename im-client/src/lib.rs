//! The reference IM client: originating and terminating procedures of OMA SIMPLE IM, as a library.
//!
//! It does what a client in the field would: sends messages through its proxy, short ones by MESSAGE and others in
//! sessions of their own, registers with the IM feature tag, accepts push sessions and acknowledges each message over
//! MSRP. The command line
//! `im-client` is a thin cover; [`load`] is a load generator for benchmarks.
//!
//! It is not a user interface and keeps no history: what arrives is handed to the caller. What delivery reports need to be
//! understood may be kept for some hours ([`report::Journal`]).

pub mod account;
pub mod arrival;
pub mod choice;
pub mod client;
pub mod content;
pub mod deferred;
pub mod envelope;
pub mod error;
pub mod external;
pub mod file;
pub mod large;
pub mod load;
mod multipart;
pub mod outgoing;
pub mod pager;
pub mod publication;
pub mod push;
pub mod recipients;
pub mod registration;
pub mod report;
pub mod upload;
pub mod waiting;

pub use account::Account;
pub use arrival::PagerArrival;
pub use client::Client;
pub use error::ClientError;
pub use large::LargeMessage;
pub use push::{LargePush, PushedMessage};

/// The feature tag of OMA SIMPLE IM (COM-01).
pub const IM_FEATURE_TAG: &str = "+g.oma.sip-im";

/// `User-Agent` and `Server` of this client: release token and version (COM-02).
pub const RELEASE: &str = concat!("IM-client/OMA1.0 Restante/", env!("CARGO_PKG_VERSION"));

/// `Allow` of this client (COM-03).
pub const ALLOW: &str = "INVITE, ACK, CANCEL, BYE, MESSAGE, OPTIONS, UPDATE";
