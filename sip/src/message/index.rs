//! Finding the lines of a header block. Nothing is copied: a line is a few offsets.

use std::ops::Range;

use super::{Headers, ParseErrorKind};
use crate::{
    Limits, Name,
    text::{is_blank, is_token_octet},
};

/// Room for the fields of an ordinary IMS request.
const USUAL_LINES: usize = 24;

/// Offsets of one header field within the message.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Line {
    pub(super) name: Option<Name>,
    /// First octet of the name.
    pub(super) start: u32,
    /// Behind the last octet of the name.
    pub(super) name_end: u32,
    /// Behind the colon.
    pub(super) value_start: u32,
    /// Behind the last octet of the value, before the final CRLF.
    pub(super) end: u32,
}

/// What indexing found; complete even where a fault was met, so that an error can be answered.
#[derive(Debug, Default)]
pub(super) struct Head {
    /// The start line without its CRLF.
    pub(super) start_line: Range<usize>,
    pub(super) lines: Vec<Line>,
    /// Behind the empty line: the first octet of the body.
    pub(super) end: usize,
    /// The first thing wrong.
    pub(super) fault: Option<ParseErrorKind>,
}

/// Indexes a start line and the fields after it.
pub(super) fn index(bytes: &[u8], limits: &Limits) -> Head {
    let mut head = Head {
        lines: Vec::with_capacity(USUAL_LINES),
        ..Head::default()
    };
    match next_line(bytes, 0, &mut head.fault) {
        Some((line, next)) => {
            head.note_if(line.len() > limits.line_octets, ParseErrorKind::LineTooLong);
            head.start_line = line;
            head.index_from(bytes, next, limits);
        }
        None => {
            head.end = bytes.len();
            head.note_if(true, ParseErrorKind::Truncated);
        }
    }
    head
}

/// Indexes fields without a start line, as at the head of a MIME part; the offset of the body comes with them.
pub(crate) fn index_fields(
    bytes: &bytes::Bytes,
    limits: &Limits,
) -> Result<(Headers, usize), ParseErrorKind> {
    let mut head = Head::default();
    head.index_from(bytes, 0, limits);
    match head.fault {
        Some(fault) => Err(fault),
        None => Ok((Headers::new(bytes.clone(), head.lines), head.end)),
    }
}

impl Head {
    fn note_if(&mut self, condition: bool, fault: ParseErrorKind) {
        if condition {
            self.fault.get_or_insert(fault);
        }
    }

    /// Takes fields from `position` to the empty line or the first exceeded limit.
    fn index_from(&mut self, bytes: &[u8], mut position: usize, limits: &Limits) {
        self.end = bytes.len();
        while let Some((line, next)) = next_line(bytes, position, &mut self.fault) {
            if next > limits.header_block_octets || u32::try_from(next).is_err() {
                return self.note_if(true, ParseErrorKind::HeaderBlockTooLarge);
            }
            if line.is_empty() {
                self.end = next;
                return;
            }
            self.push_line(bytes, line);
            let length = self.lines.last().map_or(0, |line| line.end - line.start);
            if self.lines.len() > limits.header_lines {
                return self.note_if(true, ParseErrorKind::TooManyHeaderLines);
            }
            self.note_if(
                length as usize > limits.line_octets,
                ParseErrorKind::LineTooLong,
            );
            position = next;
        }
        self.note_if(true, ParseErrorKind::Truncated);
    }

    /// Appends a field, or its continuation if the line starts with a blank (RFC 3261 §7.3.1). What continues a line
    /// that is no field belongs to no field before it.
    fn push_line(&mut self, bytes: &[u8], line: Range<usize>) {
        if is_blank(bytes[line.start]) {
            match self.lines.last_mut() {
                Some(folded) if folded.end as usize + 2 == line.start => {
                    folded.end = offset(line.end);
                }
                _ => self.note_if(true, ParseErrorKind::BadHeaderLine),
            }
            return;
        }
        match split_field(&bytes[line.clone()]) {
            Some((name_length, value_start)) => self.lines.push(Line {
                name: Name::from_bytes(&bytes[line.start..line.start + name_length]),
                start: offset(line.start),
                name_end: offset(line.start + name_length),
                value_start: offset(line.start + value_start),
                end: offset(line.end),
            }),
            None => self.note_if(true, ParseErrorKind::BadHeaderLine),
        }
    }
}

/// Offsets were checked against the size of the block, which fits 32 bits.
fn offset(position: usize) -> u32 {
    u32::try_from(position).unwrap_or(u32::MAX)
}

/// Length of the name and offset behind the colon; `None` if the line is no field.
fn split_field(line: &[u8]) -> Option<(usize, usize)> {
    let name_length = line.iter().position(|octet| !is_token_octet(*octet))?;
    let blanks = line[name_length..]
        .iter()
        .position(|octet| !is_blank(*octet))?;
    let colon = name_length + blanks;
    (name_length > 0 && line[colon] == b':').then_some((name_length, colon + 1))
}

/// The line at `position` without its CRLF, and where the next one starts. A lone CR or LF is a fault and no line
/// end: peers that disagree about it could be made to see different headers.
fn next_line(
    bytes: &[u8],
    position: usize,
    fault: &mut Option<ParseErrorKind>,
) -> Option<(Range<usize>, usize)> {
    let mut from = position;
    loop {
        let found = from + memchr::memchr2(b'\r', b'\n', bytes.get(from..)?)?;
        if bytes[found..].starts_with(b"\r\n") {
            return Some((position..found, found + 2));
        }
        fault.get_or_insert(ParseErrorKind::BareLineBreak);
        from = found + 1;
    }
}
