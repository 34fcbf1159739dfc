//! Requests and responses with the bytes they were received or printed with.
//!
//! Parsing finds the lines and their names, nothing more; values are read when asked for ([`Headers`]). Printing is
//! done in one place, for builders and editors alike.

mod build_request;
mod build_response;
mod check;
mod edit;
mod error;
mod field;
mod headers;
mod index;
mod parse;
mod print;
mod request;
mod response;
mod stream;
mod typed;

pub use self::{
    build_request::RequestBuilder,
    build_response::ResponseBuilder,
    check::Violation,
    edit::RequestEditor,
    error::{ParseError, ParseErrorKind},
    field::Field,
    headers::Headers,
    parse::parse_datagram,
    request::Request,
    response::Response,
    stream::{StreamDecoder, StreamError, StreamItem},
};
pub(crate) use self::{index::index_fields, parse::parse_embedded};

/// A request or a response.
#[derive(Debug, Clone)]
pub enum Message {
    /// Starts with a method.
    Request(Request),
    /// Starts with the SIP version.
    Response(Response),
}

impl Message {
    /// The header fields of either kind.
    pub fn headers(&self) -> &Headers {
        match self {
            Self::Request(request) => request.headers(),
            Self::Response(response) => response.headers(),
        }
    }

    /// The body of either kind.
    pub fn body(&self) -> &bytes::Bytes {
        match self {
            Self::Request(request) => request.body(),
            Self::Response(response) => response.body(),
        }
    }

    /// The whole message exactly as received or printed.
    pub fn as_bytes(&self) -> &bytes::Bytes {
        match self {
            Self::Request(request) => request.as_bytes(),
            Self::Response(response) => response.as_bytes(),
        }
    }
}

#[cfg(test)]
mod tests;
