//! Requests.

use std::{
    net::SocketAddr,
    ops::Range,
    sync::{Arc, OnceLock},
};

use bytes::Bytes;

use super::{Headers, RequestEditor, Violation};
use crate::{CSeq, HeaderError, Method, NameAddr, Uri, UriError, Via};

/// A request with the bytes it was received or printed with. Cloning is cheap.
#[derive(Debug, Clone)]
pub struct Request {
    method: Method,
    uri: Range<usize>,
    version: Range<usize>,
    headers: Headers,
    body: Bytes,
    source: Option<SocketAddr>,
    essentials: OnceLock<Arc<Essentials>>,
}

/// What every request is asked for again and again, read once: a transaction is found by it, the
/// response is made of it, every check begins with it.
#[derive(Debug)]
struct Essentials {
    top_via: Result<Option<Via>, HeaderError>,
    from: Result<Option<NameAddr>, HeaderError>,
    to: Result<Option<NameAddr>, HeaderError>,
    cseq: Result<Option<CSeq>, HeaderError>,
    uri: Result<Uri, UriError>,
    verdict: OnceLock<Result<(), Violation>>,
}

/// The value, or the error it was read with.
fn known<T, E: Copy>(read: &Result<Option<T>, E>) -> Result<Option<&T>, E> {
    match read {
        Ok(value) => Ok(value.as_ref()),
        Err(error) => Err(*error),
    }
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
            essentials: OnceLock::new(),
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

    /// The Request-URI, a copy at each call.
    ///
    /// # Errors
    /// The text is not a URI; [`Self::check`] refuses such a request with 400.
    pub fn uri(&self) -> Result<Uri, UriError> {
        self.request_uri().cloned()
    }

    /// The Request-URI, read once.
    ///
    /// # Errors
    /// As [`Self::uri`].
    pub fn request_uri(&self) -> Result<&Uri, UriError> {
        self.essentials().uri.as_ref().map_err(|error| *error)
    }

    /// As [`Headers::top_via`], read once.
    ///
    /// # Errors
    /// The value is malformed.
    pub fn top_via(&self) -> Result<Option<&Via>, HeaderError> {
        known(&self.essentials().top_via)
    }

    /// As [`Headers::from`], read once.
    ///
    /// # Errors
    /// The value is malformed.
    pub fn from(&self) -> Result<Option<&NameAddr>, HeaderError> {
        known(&self.essentials().from)
    }

    /// As [`Headers::to`], read once.
    ///
    /// # Errors
    /// The value is malformed.
    pub fn to(&self) -> Result<Option<&NameAddr>, HeaderError> {
        known(&self.essentials().to)
    }

    /// As [`Headers::cseq`], read once.
    ///
    /// # Errors
    /// The value is malformed.
    pub fn cseq(&self) -> Result<Option<&CSeq>, HeaderError> {
        known(&self.essentials().cseq)
    }

    /// Judged once, remembered by all copies.
    pub(super) fn verdict(
        &self,
        judge: impl FnOnce() -> Result<(), Violation>,
    ) -> Result<(), Violation> {
        *self.essentials().verdict.get_or_init(judge)
    }

    fn essentials(&self) -> &Essentials {
        self.essentials.get_or_init(|| {
            Arc::new(Essentials {
                top_via: self.headers.top_via(),
                from: self.headers.from(),
                to: self.headers.to(),
                cseq: self.headers.cseq(),
                uri: self.raw_uri().parse(),
                verdict: OnceLock::new(),
            })
        })
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
