//! From octets to a message.

use std::ops::Range;

use bytes::Bytes;

use super::{
    Headers, Message, ParseError, ParseErrorKind, Request, Response,
    index::{Head, index},
};
use crate::{
    Limits, Method, Name, StatusCode,
    text::{parse_number, unfold},
};

/// Reads the message in one datagram. Empty lines before it are skipped, octets behind its Content-Length are cut
/// off, and without Content-Length the body fills the datagram (RFC 3261 §7.5, §18.3).
///
/// # Errors
/// [`ParseError::reply`] says whether and how the fault is answered.
pub fn parse_datagram(bytes: Bytes, limits: &Limits) -> Result<Message, ParseError> {
    let bytes = skip_empty_lines(bytes);
    let head = index(&bytes, limits);
    parse_whole(bytes, head, limits)
}

/// Reads a message that is the body of another one: like a datagram, but the empty line may be missing as in a
/// `message/sipfrag` (RFC 3420 §2.1).
pub(crate) fn parse_embedded(bytes: &Bytes, limits: &Limits) -> Result<Message, ParseError> {
    let bytes = skip_empty_lines(bytes.clone());
    let mut head = index(&bytes, limits);
    if head.fault != Some(ParseErrorKind::Truncated) {
        return parse_whole(bytes, head, limits);
    }
    let closing: &[u8] = if bytes.ends_with(b"\r\n") {
        b"\r\n"
    } else {
        b"\r\n\r\n"
    };
    let closed = Bytes::from([&bytes, closing].concat());
    head = index(&closed, limits);
    parse_whole(closed, head, limits)
}

fn parse_whole(bytes: Bytes, head: Head, limits: &Limits) -> Result<Message, ParseError> {
    let available = bytes.len() - head.end;
    let length = match content_length(&bytes, &head) {
        Ok(None) => Ok(available),
        Ok(Some(length)) if length > available => Err(ParseErrorKind::ShortBody),
        Ok(Some(length)) => Ok(length),
        Err(kind) => Err(kind),
    };
    match length {
        Ok(length) if length > limits.body_octets => {
            Err(refuse(bytes, head, ParseErrorKind::BodyTooLarge))
        }
        Ok(length) => {
            let end = head.end + length;
            assemble(bytes.slice(..end), head)
        }
        Err(kind) => Err(refuse(bytes, head, kind)),
    }
}

fn skip_empty_lines(mut bytes: Bytes) -> Bytes {
    let empty = bytes
        .chunks_exact(2)
        .take_while(|pair| pair == b"\r\n")
        .count();
    bytes.split_off(2 * empty)
}

/// What the Content-Length fields say; `None` if there is none.
pub(super) fn content_length(bytes: &[u8], head: &Head) -> Result<Option<usize>, ParseErrorKind> {
    let mut agreed = None;
    for line in head
        .lines
        .iter()
        .filter(|line| line.name == Some(Name::ContentLength))
    {
        let value = unfold(&bytes[line.value_start as usize..line.end as usize]);
        let length = parse_number(&value).ok_or(ParseErrorKind::BadContentLength)?;
        if *agreed.get_or_insert(length) != length {
            return Err(ParseErrorKind::ConflictingContentLength);
        }
    }
    Ok(agreed)
}

/// Makes a message of octets that hold exactly one, indexed before.
pub(super) fn assemble(bytes: Bytes, head: Head) -> Result<Message, ParseError> {
    if let Some(fault) = head.fault {
        return Err(refuse(bytes, head, fault));
    }
    match StartLine::parse(&bytes, head.start_line.clone()) {
        Some(start_line) => Ok(start_line.into_message(bytes, head)),
        None => Err(refuse(bytes, head, ParseErrorKind::BadStartLine)),
    }
}

/// A fault noted while indexing explains more than what follows from it.
pub(super) fn refuse(bytes: Bytes, head: Head, kind: ParseErrorKind) -> ParseError {
    let kind = head.fault.unwrap_or(kind);
    let start_line = bytes.slice(head.start_line);
    ParseError::new(kind, Headers::new(bytes, head.lines), &start_line)
}

enum StartLine {
    Request {
        method: Method,
        uri: Range<usize>,
        version: Range<usize>,
    },
    Response {
        status: StatusCode,
        reason: Range<usize>,
        version: Range<usize>,
    },
}

impl StartLine {
    fn parse(bytes: &[u8], line: Range<usize>) -> Option<Self> {
        let text = &bytes[line.clone()];
        let first = line.start + memchr::memchr(b' ', text)?;
        if text.starts_with(b"SIP/") {
            Self::parse_status_line(bytes, line.start..first, line.end)
        } else {
            let last = line.start + memchr::memrchr(b' ', text)?;
            Self::parse_request_line(bytes, [line.start, first, last, line.end])
        }
    }

    /// Method, URI and version with single spaces between them (RFC 3261 §7.1).
    fn parse_request_line(bytes: &[u8], [start, first, last, end]: [usize; 4]) -> Option<Self> {
        let method = std::str::from_utf8(&bytes[start..first])
            .ok()?
            .parse()
            .ok()?;
        let uri = first + 1..last;
        let octets = bytes.get(uri.clone())?;
        let is_uri = !octets.is_empty() && octets.iter().all(u8::is_ascii_graphic);
        let version = last + 1..end;
        (is_uri && is_version(&bytes[version.clone()])).then_some(Self::Request {
            method,
            uri,
            version,
        })
    }

    /// Version, three digits and a reason that may be empty (RFC 3261 §7.2). Its space may be missing too: some
    /// senders trim it, and nothing depends on it.
    fn parse_status_line(bytes: &[u8], version: Range<usize>, end: usize) -> Option<Self> {
        let rest = bytes.get(version.end + 1..end)?;
        let (digits, after) = rest.split_at_checked(3)?;
        let code = parse_number(std::str::from_utf8(digits).ok()?)?;
        let reason = match after {
            [] => end..end,
            [b' ', ..] => version.end + 5..end,
            _ => return None,
        };
        let status = StatusCode::new(code).filter(|_| is_version(&bytes[version.clone()]))?;
        Some(Self::Response {
            status,
            reason,
            version,
        })
    }

    fn into_message(self, bytes: Bytes, head: Head) -> Message {
        let body = bytes.slice(head.end..);
        let headers = Headers::new(bytes, head.lines);
        match self {
            Self::Request {
                method,
                uri,
                version,
            } => Message::Request(Request::new(method, uri, version, headers, body)),
            Self::Response {
                status,
                reason,
                version,
            } => Message::Response(Response::new(status, reason, version, headers, body)),
        }
    }
}

/// `SIP/` and two numbers; whether it is the right version is for `check` to say.
fn is_version(text: &[u8]) -> bool {
    let is_number = |digits: &[u8]| !digits.is_empty() && digits.iter().all(u8::is_ascii_digit);
    let Some((b"SIP/", numbers)) = text.split_at_checked(4) else {
        return false;
    };
    let mut parts = numbers.splitn(2, |octet| *octet == b'.');
    parts.next().is_some_and(is_number) && parts.next().is_some_and(is_number)
}
