//! Why octets are no message.

use super::{Headers, ResponseBuilder};
use crate::{Method, Name, StatusCode};

/// What is wrong with the octets.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, thiserror::Error)]
#[non_exhaustive]
pub enum ParseErrorKind {
    /// Neither a request line nor a status line (RFC 3261 §7.1, §7.2).
    #[error("malformed start line")]
    BadStartLine,
    /// A line without a name and a colon.
    #[error("malformed header line")]
    BadHeaderLine,
    /// CR or LF alone.
    #[error("line break other than CRLF")]
    BareLineBreak,
    /// The header block does not end with an empty line.
    #[error("no end of header block")]
    Truncated,
    /// The header block exceeds [`Limits::header_block_octets`](crate::Limits).
    #[error("header block too large")]
    HeaderBlockTooLarge,
    /// More fields than [`Limits::header_lines`](crate::Limits).
    #[error("too many header lines")]
    TooManyHeaderLines,
    /// A line exceeds [`Limits::line_octets`](crate::Limits).
    #[error("header line too long")]
    LineTooLong,
    /// The body exceeds [`Limits::body_octets`](crate::Limits).
    #[error("body too large")]
    BodyTooLarge,
    /// Content-Length is no number.
    #[error("malformed Content-Length")]
    BadContentLength,
    /// Two Content-Length fields that differ.
    #[error("conflicting Content-Length")]
    ConflictingContentLength,
    /// No Content-Length on a stream (RFC 3261 §20.14).
    #[error("missing Content-Length")]
    MissingContentLength,
    /// Content-Length reaches beyond the datagram (RFC 3261 §18.3).
    #[error("Content-Length exceeds the datagram")]
    ShortBody,
}

impl ParseErrorKind {
    /// The status a request with this fault is answered with (ERR-01, requirements 3.11).
    pub fn status(self) -> StatusCode {
        match self {
            Self::HeaderBlockTooLarge
            | Self::TooManyHeaderLines
            | Self::LineTooLong
            | Self::BodyTooLarge => StatusCode::MESSAGE_TOO_LARGE,
            Self::BadStartLine
            | Self::BadHeaderLine
            | Self::BareLineBreak
            | Self::Truncated
            | Self::BadContentLength
            | Self::ConflictingContentLength
            | Self::MissingContentLength
            | Self::ShortBody => StatusCode::BAD_REQUEST,
        }
    }
}

/// A message that could not be taken, with what could be indexed of it.
#[derive(Debug, Clone, thiserror::Error)]
#[error("{kind}")]
pub struct ParseError {
    kind: ParseErrorKind,
    headers: Headers,
    /// The first word of the start line if the octets look like a request.
    request_word: Option<Box<str>>,
}

impl ParseError {
    pub(super) fn new(kind: ParseErrorKind, headers: Headers, start_line: &[u8]) -> Self {
        let word = start_line
            .split(|octet| *octet == b' ')
            .next()
            .unwrap_or_default();
        let is_request = !word.is_empty() && !word.starts_with(b"SIP/");
        let request_word = is_request.then(|| String::from_utf8_lossy(word).into());
        Self {
            kind,
            headers,
            request_word,
        }
    }

    /// What is wrong.
    pub fn kind(&self) -> ParseErrorKind {
        self.kind
    }

    /// The status of the answer, 400 or 513, if an answer is possible at all; see [`Self::reply`].
    pub fn status(&self) -> StatusCode {
        self.kind.status()
    }

    /// The header lines found before indexing stopped.
    pub fn headers(&self) -> &Headers {
        &self.headers
    }

    /// The answer to a malformed request. `None` means drop it: it is a response, an ACK, or has no usable Via
    /// (ERR-01). What broke a line of the request does not break one of the answer.
    pub fn reply(&self) -> Option<ResponseBuilder> {
        let word = self.request_word.as_deref()?;
        let has_via = self.headers.first(Name::Via).is_some() && self.headers.top_via().is_ok();
        let answerable = has_via && word != Method::Ack.as_str();
        answerable.then(|| {
            let headers = self.headers.without_lone_breaks();
            ResponseBuilder::reply_to_headers(&headers, self.status())
        })
    }
}
