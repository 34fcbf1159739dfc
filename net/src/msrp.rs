//! MSRP over TCP and TLS: a listener for each, sessions bound to connections by their paths.
//!
//! [`MsrpEndpoint::open`] makes a [`PendingSession`] whose path goes into an offer or answer; when
//! the peer's path is known, [`PendingSession::accept`] waits for the peer's connection and
//! [`PendingSession::connect`] opens one. Either gives an [`MsrpSession`] that sends messages and
//! hands over received ones as streams of pieces, or whole by a [`Gatherer`].
//!
//! [`MsrpEndpoint::open_secure`] makes one for TLS, whose description names our certificate by its fingerprint; the
//! peer's must be the one that its own description names (MSR-03).
//!
//! A connection belongs to no session by itself: each request on it is led to the session that its
//! To-Path names, if its From-Path is the one negotiated (MSR-02). Every queue is bounded; a
//! session that is not served slows its connection down, it does not grow.
//!
//! It does not speak SIP or SDP, keeps nothing after a session, and retries nothing.

mod answer;
mod body;
mod config;
mod connection;
mod endpoint;
mod gatherer;
mod guard;
mod inbound;
mod incoming;
mod listener;
mod metric;
mod outgoing;
mod pace;
mod pending;
mod reader;
mod registry;
mod session;

pub use answer::AnswerHandle;
pub use body::{BodyRead, BodySource};
pub use config::{BindError, MsrpConfig, MsrpTlsConfig, SessionRules};
pub use endpoint::MsrpEndpoint;
pub use gatherer::Gatherer;
pub use inbound::{Inbound, Piece, WholeMessage};
pub use pending::{OpenError, PendingSession, Permitted};
pub use session::{AbortReason, MsrpSession, Receipt, SendFailure, SendTicket, SessionSender};
