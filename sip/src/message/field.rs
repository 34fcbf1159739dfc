//! One header field as it stands in the message.

use std::borrow::Cow;

use super::index::Line;
use crate::{Name, text::unfold};

/// A view of one header field with its continuation lines.
#[derive(Debug, Clone, Copy)]
pub struct Field<'a> {
    bytes: &'a [u8],
    line: Line,
}

impl<'a> Field<'a> {
    pub(super) fn new(bytes: &'a [u8], line: Line) -> Self {
        Self { bytes, line }
    }

    /// The name as written, long or compact.
    pub fn name(&self) -> &'a str {
        // Names are tokens, hence ASCII.
        std::str::from_utf8(self.slice(self.line.start, self.line.name_end)).unwrap_or_default()
    }

    /// The header, if it is one with a name of its own.
    pub fn known(&self) -> Option<Name> {
        self.line.name
    }

    /// The value trimmed and unfolded; octets that are no UTF-8 appear as U+FFFD.
    pub fn value(&self) -> Cow<'a, str> {
        unfold(self.raw_value())
    }

    /// Everything between the colon and the final CRLF.
    pub fn raw_value(&self) -> &'a [u8] {
        self.slice(self.line.value_start, self.line.end)
    }

    /// The whole field without its final CRLF.
    pub fn raw(&self) -> &'a [u8] {
        self.slice(self.line.start, self.line.end)
    }

    pub(super) fn line(&self) -> Line {
        self.line
    }

    fn slice(&self, start: u32, end: u32) -> &'a [u8] {
        self.bytes
            .get(start as usize..end as usize)
            .unwrap_or_default()
    }
}
