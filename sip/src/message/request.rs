//! Requests.

use std::{net::SocketAddr, ops::Range};

use bytes::Bytes;

use super::{Headers, RequestEditor};
use crate::{Method, Uri, UriError};

/// A request with the bytes it was received or printed with. Cloning is cheap.
#[derive(Debug, Clone)]
pub struct Request {
    method: Method,
    uri: Range<usize>,
    version: Range<usize>,
    headers: Headers,
    body: Bytes,
    source: Option<SocketAddr>,
}

impl Request {
    /// The ranges count from the first octet of the message and hold ASCII.
    pub(super) fn new(
        method: Method,
        uri: Range<usize>,
        version: Range<usize>,
        headers: Headers,
        body: Bytes,
    ) -> Self {
        Self {
            method,
            uri,
            version,
            headers,
            body,
            source: None,
        }
    }

    /// Remembers where the request came from. Its bytes stay as they are (P7); every response made
    /// for it notes the source in the top Via (RFC 3261 §18.2.1, RFC 3581 §4).
    #[must_use]
    pub fn received_from(mut self, source: SocketAddr) -> Self {
        self.source = Some(source);
        self
    }

    pub(super) fn source(&self) -> Option<SocketAddr> {
        self.source
    }

    /// The method of the request line.
    pub fn method(&self) -> &Method {
        &self.method
    }

    /// The Request-URI as written.
    pub fn raw_uri(&self) -> &str {
        self.ascii(self.uri.clone())
    }

    /// The Request-URI, parsed at each call.
    ///
    /// # Errors
    /// The text is not a URI; [`Self::check`] refuses such a request with 400.
    pub fn uri(&self) -> Result<Uri, UriError> {
        self.raw_uri().parse()
    }

    /// The version of the request line, `SIP/2.0` in all requests that pass [`Self::check`].
    pub fn version(&self) -> &str {
        self.ascii(self.version.clone())
    }

    /// The header fields.
    pub fn headers(&self) -> &Headers {
        &self.headers
    }

    /// The body, as long as Content-Length says.
    pub fn body(&self) -> &Bytes {
        &self.body
    }

    /// The whole request exactly as received or printed.
    pub fn as_bytes(&self) -> &Bytes {
        self.headers.bytes()
    }

    /// A copy to be changed in a few places; every untouched line keeps its bytes.
    pub fn edit(&self) -> RequestEditor {
        RequestEditor::new(self)
    }

    fn ascii(&self, range: Range<usize>) -> &str {
        self.as_bytes()
            .get(range)
            .and_then(|octets| std::str::from_utf8(octets).ok())
            .unwrap_or_default()
    }
}
