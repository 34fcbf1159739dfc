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
    /// The endpoint was closed.
    #[error("the client is closed")]
    Closed,
}
