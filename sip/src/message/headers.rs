//! The header fields of a message, by position and by name.

use std::{borrow::Cow, sync::Arc};

use bytes::Bytes;

use super::{Field, index::Line};
use crate::{
    Name,
    text::{find_top_level, trim},
};

/// Header fields in their order. Cloning copies two reference counts.
#[derive(Debug, Clone)]
pub struct Headers {
    /// The whole message.
    bytes: Bytes,
    lines: Arc<[Line]>,
}

impl Headers {
    pub(super) fn new(bytes: Bytes, lines: Vec<Line>) -> Self {
        Self {
            bytes,
            lines: lines.into(),
        }
    }

    pub(super) fn bytes(&self) -> &Bytes {
        &self.bytes
    }

    /// The same fields with a space for each lone CR or LF, which only the fields of a refused message can hold.
    pub(super) fn without_lone_breaks(&self) -> Self {
        let mut octets = self.bytes.to_vec();
        let mut line_end = None;
        for at in memchr::memchr2_iter(b'\r', b'\n', &self.bytes) {
            if self.bytes[at..].starts_with(b"\r\n") {
                line_end = Some(at + 1);
            } else if line_end != Some(at) {
                octets[at] = b' ';
            }
        }
        Self {
            bytes: octets.into(),
            lines: Arc::clone(&self.lines),
        }
    }

    /// Every field in order.
    pub fn iter(&self) -> impl DoubleEndedIterator<Item = Field<'_>> + Clone {
        self.lines.iter().map(|line| Field::new(&self.bytes, *line))
    }

    /// The fields of that name, in long and compact form.
    pub fn all(&self, name: Name) -> impl DoubleEndedIterator<Item = Field<'_>> + Clone {
        self.iter().filter(move |field| field.known() == Some(name))
    }

    /// The first field of that name.
    pub fn first(&self, name: Name) -> Option<Field<'_>> {
        self.all(name).next()
    }

    /// The first field so named, letter case and compact form apart.
    pub fn first_named(&self, name: &str) -> Option<Field<'_>> {
        match Name::from_bytes(name.as_bytes()) {
            Some(known) => self.first(known),
            None => self
                .iter()
                .find(|field| field.name().eq_ignore_ascii_case(name)),
        }
    }

    /// How many fields have that name; one field may hold several values.
    pub fn count(&self, name: Name) -> usize {
        self.all(name).count()
    }

    /// The values of that name over all its fields. Commas separate them where the header's grammar says so, but not
    /// within quotes and angle brackets; empty values are skipped (RFC 3261 §7.3.1).
    pub fn values(&self, name: Name) -> impl Iterator<Item = Cow<'_, str>> {
        self.all(name).flat_map(move |field| Values {
            rest: Some(field.value()),
            splits: name.is_list(),
        })
    }
}

/// The comma-separated values of one field.
struct Values<'a> {
    rest: Option<Cow<'a, str>>,
    splits: bool,
}

impl<'a> Iterator for Values<'a> {
    type Item = Cow<'a, str>;

    fn next(&mut self) -> Option<Cow<'a, str>> {
        loop {
            let rest = self.rest.take()?;
            let comma = if self.splits {
                find_top_level(&rest, b',')
            } else {
                None
            };
            let (value, rest) = split_cow(rest, comma);
            self.rest = rest;
            if !value.is_empty() {
                return Some(value);
            }
        }
    }
}

/// The trimmed text before the separator, and the text behind it.
fn split_cow(text: Cow<'_, str>, separator: Option<usize>) -> (Cow<'_, str>, Option<Cow<'_, str>>) {
    match (text, separator) {
        (Cow::Borrowed(text), Some(at)) => (trim(&text[..at]).into(), Some(text[at + 1..].into())),
        (Cow::Borrowed(text), None) => (trim(text).into(), None),
        (Cow::Owned(text), Some(at)) => (
            trim(&text[..at]).to_owned().into(),
            Some(text[at + 1..].to_owned().into()),
        ),
        (Cow::Owned(text), None) => (trim(&text).to_owned().into(), None),
    }
}
