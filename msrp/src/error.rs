//! Why text or bytes were not understood.

use crate::frame::Response;

/// Why a text is no MSRP URI or path (RFC 4975 §9).
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum UriError {
    /// The scheme is neither `msrp` nor `msrps`.
    #[error("the scheme is neither msrp nor msrps")]
    Scheme,
    /// The host is missing or has characters that no host has.
    #[error("the host is missing or malformed")]
    Host,
    /// The port is no number from 1 to 65535.
    #[error("the port is no number from 1 to 65535")]
    Port,
    /// The session-id is empty or has characters outside its grammar.
    #[error("the session-id is malformed")]
    SessionId,
    /// The transport parameter is missing or no token.
    #[error("the transport is missing or malformed")]
    Transport,
    /// A path without a URI.
    #[error("a path needs at least one URI")]
    EmptyPath,
}

/// Why a text is no identifier of its kind.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("not an identifier of the MSRP grammar")]
pub struct IdError;

/// Why a text is no Byte-Range value.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("not a byte range of the form start-end/total")]
pub struct ByteRangeError;

/// What made a frame unintelligible.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum Malformed {
    /// The bytes do not begin with `MSRP`, a transaction id and a method or status.
    #[error("no MSRP start line")]
    StartLine,
    /// A line of the head is not ended by CRLF, is no `name: value`, or is not UTF-8.
    #[error("malformed header line")]
    HeaderLine,
    /// A header that this frame needs is missing.
    #[error("missing {0}")]
    MissingHeader(&'static str),
    /// A header that may stand once stands twice.
    #[error("more than one {0}")]
    RepeatedHeader(&'static str),
    /// A header's value breaks its grammar.
    #[error("malformed {0}")]
    HeaderValue(&'static str),
    /// The head is longer than [`HEAD_LIMIT_OCTETS`](crate::HEAD_LIMIT_OCTETS).
    #[error("head too long")]
    HeadTooLong,
    /// A response with a body.
    #[error("response with a body")]
    ResponseBody,
    /// The decoder has failed before; the connection is to be closed.
    #[error("the stream is already broken")]
    Broken,
}

/// A stream that cannot be read any further: the connection is to be closed (ERR-31).
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("unintelligible MSRP: {malformed}")]
pub struct DecodeError {
    /// What was wrong.
    pub malformed: Malformed,
    /// The 400 to send before closing; none where its addressee is unknown or wants no answer.
    pub answer: Option<Box<Response>>,
}

impl From<Malformed> for DecodeError {
    fn from(malformed: Malformed) -> DecodeError {
        DecodeError {
            malformed,
            answer: None,
        }
    }
}
