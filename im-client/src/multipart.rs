//! Bodies of several parts (RFC 2046 §5.1).

use sip::token;

/// A `multipart/mixed` body that is being put together.
#[derive(Clone, Debug)]
pub(crate) struct Multipart {
    boundary: String,
    octets: Vec<u8>,
}

impl Multipart {
    /// Without parts, under a boundary that nobody guesses.
    pub(crate) fn new() -> Self {
        Self {
            boundary: token::random_base62(&mut rand::rng(), 24),
            octets: Vec::new(),
        }
    }

    /// Its type.
    pub(crate) fn content_type(&self) -> String {
        format!("multipart/mixed;boundary=\"{}\"", self.boundary)
    }

    /// Adds a part with these header fields.
    pub(crate) fn part(&mut self, headers: &[(&str, &str)], body: &[u8]) {
        let mut head = format!("--{}\r\n", self.boundary);
        for (name, value) in headers {
            head.extend([name, ": ", value, "\r\n"]);
        }
        head.push_str("\r\n");
        self.octets.extend_from_slice(head.as_bytes());
        self.octets.extend_from_slice(body);
        self.octets.extend_from_slice(b"\r\n");
    }

    /// The body, closed.
    pub(crate) fn finish(mut self) -> Vec<u8> {
        let end = format!("--{}--\r\n", self.boundary);
        self.octets.extend_from_slice(end.as_bytes());
        self.octets
    }
}
