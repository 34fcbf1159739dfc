//! What can go wrong for a client.

use sip::StatusCode;

/// Why a procedure did not succeed.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ClientError {
    /// The sockets could not be opened.
    #[error("cannot open a socket: {0}")]
    Bind(#[from] net::sip::BindError),
    /// The socket for message sessions could not be opened.
    #[error("cannot open a socket for message sessions: {0}")]
    BindMsrp(#[from] net::msrp::BindError),
    /// The request could not be sent.
    #[error("cannot reach the proxy: {0}")]
    Send(#[from] net::sip::SendError),
    /// The transaction ended without a final response.
    #[error("no answer: {0}")]
    Unanswered(#[from] net::sip::TransactionFailure),
    /// The proxy or the peer refused.
    #[error("answered {status} {reason}")]
    Refused {
        /// The status of the final response.
        status: StatusCode,
        /// Its reason phrase, or the text of a Warning.
        reason: String,
    },
    /// The peer sent something that makes no sense.
    #[error("the peer misbehaved: {0}")]
    PeerMisbehaved(&'static str),
    /// What is to be sent cannot be read.
    #[error("the content cannot be read: {0}")]
    Content(std::io::Error),
    /// What came cannot be kept; it stays where it was.
    #[error("the message cannot be kept: {0}")]
    NotKept(std::io::Error),
    /// A Message-ID is a number, `@` and the host of its store.
    #[error("no Message-ID")]
    NoMessageId,
    /// The message session was agreed upon and not set up.
    #[error("no message session: {0}")]
    Session(#[from] net::msrp::OpenError),
    /// The message is not known to have arrived.
    #[error("the message was not taken: {0}")]
    NotTaken(#[from] net::msrp::SendFailure),
    /// The peer ended the session before it had the message.
    #[error("the peer ended the session{0}")]
    EndedByPeer(String),
    /// Nobody refreshed the session in time (RFC 4028 §10).
    #[error("the session expired")]
    Expired,
    /// The user gave the message up.
    #[error("given up")]
    Cancelled,
    /// The endpoint was closed.
    #[error("the client is closed")]
    Closed,
}
