//! The Byte-Range header (RFC 4975 §7.1).

use std::fmt;
use std::str::FromStr;

use crate::error::ByteRangeError;

/// `start-end/total`, counted in octets from 1; `None` is the `*` of the wire.
///
/// A number beyond `u64` reads as `u64::MAX`: well-formed, and beyond any limit that is checked
/// later (MSR-05).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ByteRange {
    /// First octet of this chunk, at least 1.
    pub start: u64,
    /// Last octet of this chunk, if the sender knows it; `start - 1` for an empty one.
    pub end: Option<u64>,
    /// Octets of the whole message, if the sender knows them.
    pub total: Option<u64>,
}

impl ByteRange {
    /// `1-*/*`: what a request without the header means.
    pub const UNSTATED: ByteRange = ByteRange {
        start: 1,
        end: None,
        total: None,
    };

    /// `1-0/0`: a message without content.
    pub const EMPTY: ByteRange = ByteRange {
        start: 1,
        end: Some(0),
        total: Some(0),
    };

    /// `1-total/total`: a whole message in one piece.
    pub fn whole(total: u64) -> ByteRange {
        ByteRange {
            start: 1,
            end: Some(total),
            total: Some(total),
        }
    }

    /// Octets of the message that come before this chunk.
    pub fn offset(&self) -> u64 {
        self.start.saturating_sub(1)
    }
}

impl FromStr for ByteRange {
    type Err = ByteRangeError;

    fn from_str(text: &str) -> Result<ByteRange, ByteRangeError> {
        let (range, total) = text.split_once('/').ok_or(ByteRangeError)?;
        let (start, end) = range.split_once('-').ok_or(ByteRangeError)?;
        let start = saturating_number(start)?;
        let end = number_or_star(end)?;
        if start == 0 || end.is_some_and(|end| end < start - 1) {
            return Err(ByteRangeError);
        }
        Ok(ByteRange {
            start,
            end,
            total: number_or_star(total)?,
        })
    }
}

impl fmt::Display for ByteRange {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}-", self.start)?;
        print_number_or_star(f, self.end)?;
        f.write_str("/")?;
        print_number_or_star(f, self.total)
    }
}

fn number_or_star(text: &str) -> Result<Option<u64>, ByteRangeError> {
    if text == "*" {
        Ok(None)
    } else {
        saturating_number(text).map(Some)
    }
}

fn saturating_number(text: &str) -> Result<u64, ByteRangeError> {
    if text.is_empty() || !text.bytes().all(|b| b.is_ascii_digit()) {
        return Err(ByteRangeError);
    }
    Ok(text.parse().unwrap_or(u64::MAX))
}

fn print_number_or_star(f: &mut fmt::Formatter<'_>, number: Option<u64>) -> fmt::Result {
    match number {
        Some(number) => write!(f, "{number}"),
        None => f.write_str("*"),
    }
}
