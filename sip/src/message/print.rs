//! The one printer: everything that leaves is written here, and indexed while it is written.

use std::fmt::{self, Display, Write};

use bytes::{Bytes, BytesMut};

use super::{Field, Headers, index::Line};
use crate::{Method, Name, StatusCode, text::is_token_octet};

/// Header of a new field: one with a name of its own or any other token.
#[derive(Debug, Clone)]
pub(super) enum FieldName {
    Known(Name),
    Raw(String),
}

impl FieldName {
    /// Octets that may not stand in a name are left out.
    pub(super) fn from_text(text: &str) -> Self {
        match Name::from_bytes(text.as_bytes()) {
            Some(name) => Self::Known(name),
            None => Self::Raw(
                text.bytes()
                    .filter(|octet| is_token_octet(*octet))
                    .map(char::from)
                    .collect(),
            ),
        }
    }

    pub(super) fn known(&self) -> Option<Name> {
        match self {
            Self::Known(name) => Some(*name),
            Self::Raw(_) => None,
        }
    }

    fn as_str(&self) -> &str {
        match self {
            Self::Known(name) => name.as_str(),
            Self::Raw(name) => name,
        }
    }
}

/// A message being written.
#[derive(Debug)]
pub(super) struct Printer {
    out: BytesMut,
    lines: Vec<Line>,
}

/// Offsets of a printed request line.
#[derive(Debug)]
pub(super) struct PrintedRequestLine {
    pub(super) uri: std::ops::Range<usize>,
    pub(super) version: std::ops::Range<usize>,
}

impl Printer {
    pub(super) fn with_capacity(octets: usize) -> Self {
        Self {
            out: BytesMut::with_capacity(octets),
            lines: Vec::with_capacity(16),
        }
    }

    pub(super) fn request_line(
        &mut self,
        method: &Method,
        uri: &dyn Display,
    ) -> PrintedRequestLine {
        self.put(method.as_str());
        self.put(" ");
        let uri_start = self.out.len();
        print(&mut UriWriter(&mut self.out), uri);
        let uri = uri_start..self.out.len();
        self.put(" ");
        let version_start = self.out.len();
        self.put("SIP/2.0");
        let version = version_start..self.out.len();
        self.put("\r\n");
        PrintedRequestLine { uri, version }
    }

    /// Offsets of the version and the reason.
    pub(super) fn status_line(
        &mut self,
        status: StatusCode,
        reason: &str,
    ) -> (std::ops::Range<usize>, std::ops::Range<usize>) {
        self.put("SIP/2.0");
        let version = 0..self.out.len();
        print(&mut ValueWriter(&mut self.out), &format_args!(" {status} "));
        let start = self.out.len();
        print(&mut ValueWriter(&mut self.out), &reason);
        let reason = start..self.out.len();
        self.put("\r\n");
        (version, reason)
    }

    /// Writes a new field. Line breaks in the value become spaces.
    pub(super) fn field(&mut self, name: &FieldName, value: &dyn Display) {
        let start = self.offset();
        self.put(name.as_str());
        let name_end = self.offset();
        self.put(": ");
        let value_start = name_end + 1;
        print(&mut ValueWriter(&mut self.out), value);
        let end = self.offset();
        self.lines.push(Line {
            name: name.known(),
            start,
            name_end,
            value_start,
            end,
        });
        self.put("\r\n");
    }

    /// Copies a field octet by octet, and appends text to its value.
    pub(super) fn copy(&mut self, field: &Field<'_>, suffix: &dyn Display) {
        let from = field.line();
        let start = self.offset();
        self.out.extend_from_slice(field.raw());
        print(&mut ValueWriter(&mut self.out), suffix);
        let shift = |offset: u32| offset - from.start + start;
        let line = Line {
            name: from.name,
            start,
            name_end: shift(from.name_end),
            value_start: shift(from.value_start),
            end: self.offset(),
        };
        self.lines.push(line);
        self.put("\r\n");
    }

    /// Ends the header block and appends the body.
    pub(super) fn finish(mut self, body: &[u8]) -> (Headers, Bytes) {
        self.put("\r\n");
        let body_start = self.out.len();
        self.out.extend_from_slice(body);
        let bytes = self.out.freeze();
        let body = bytes.slice(body_start..);
        (Headers::new(bytes, self.lines), body)
    }

    fn put(&mut self, text: &str) {
        self.out.extend_from_slice(text.as_bytes());
    }

    /// Header blocks of ours stay far below 4 GiB.
    fn offset(&self) -> u32 {
        u32::try_from(self.out.len()).unwrap_or(u32::MAX)
    }
}

fn print(out: &mut dyn Write, value: &dyn Display) {
    // Both writers take everything, so only a value whose own Display fails stops short.
    let _ = write!(out, "{value}");
}

/// Writes a value within its line: what could end the line becomes a space.
struct ValueWriter<'a>(&'a mut BytesMut);

impl Write for ValueWriter<'_> {
    fn write_str(&mut self, text: &str) -> fmt::Result {
        let breaks = memchr::memchr3_iter(b'\r', b'\n', 0, text.as_bytes());
        let mut from = 0;
        for position in breaks {
            self.0.extend_from_slice(&text.as_bytes()[from..position]);
            self.0.extend_from_slice(b" ");
            from = position + 1;
        }
        self.0.extend_from_slice(&text.as_bytes()[from..]);
        Ok(())
    }
}

/// Writes a Request-URI: what could end it is left out.
struct UriWriter<'a>(&'a mut BytesMut);

impl Write for UriWriter<'_> {
    fn write_str(&mut self, text: &str) -> fmt::Result {
        self.0.extend(text.bytes().filter(u8::is_ascii_graphic));
        Ok(())
    }
}
