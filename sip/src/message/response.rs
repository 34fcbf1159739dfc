//! Responses.

use std::{borrow::Cow, ops::Range};

use bytes::Bytes;

use super::Headers;
use crate::StatusCode;

/// A response with the bytes it was received or printed with. Cloning is cheap.
#[derive(Debug, Clone)]
pub struct Response {
    status: StatusCode,
    reason: Range<usize>,
    version: Range<usize>,
    headers: Headers,
    body: Bytes,
}

impl Response {
    /// The ranges count from the first octet of the message.
    pub(super) fn new(
        status: StatusCode,
        reason: Range<usize>,
        version: Range<usize>,
        headers: Headers,
        body: Bytes,
    ) -> Self {
        Self {
            status,
            reason,
            version,
            headers,
            body,
        }
    }

    /// The status code, 100 to 699.
    pub fn status(&self) -> StatusCode {
        self.status
    }

    /// The reason phrase as written, possibly empty; octets that are no UTF-8 appear as U+FFFD.
    pub fn reason(&self) -> Cow<'_, str> {
        String::from_utf8_lossy(self.slice(self.reason.clone()))
    }

    pub(super) fn version(&self) -> &[u8] {
        self.slice(self.version.clone())
    }

    /// The header fields.
    pub fn headers(&self) -> &Headers {
        &self.headers
    }

    /// The body, as long as Content-Length says.
    pub fn body(&self) -> &Bytes {
        &self.body
    }

    /// The whole response exactly as received or printed.
    pub fn as_bytes(&self) -> &Bytes {
        self.headers.bytes()
    }

    fn slice(&self, range: Range<usize>) -> &[u8] {
        self.as_bytes().get(range).unwrap_or_default()
    }
}
