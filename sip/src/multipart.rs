//! Multipart bodies (RFC 2046 §5.1) and messages within messages, byte for byte.

use bytes::Bytes;
use memchr::memmem;

use crate::{
    Headers, Limits, MediaType, Message, ParseError,
    message::{self, index_fields},
};

/// Most parts taken from one body; a REGISTER carries three.
const MAX_PARTS: usize = 64;

/// One part of a multipart body.
#[derive(Debug, Clone)]
pub struct Part {
    /// The header fields of the part, possibly none.
    pub headers: Headers,
    /// The octets of the part, without the line break that belongs to the delimiter.
    pub body: Bytes,
}

/// Why a body cannot be taken apart.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum MultipartError {
    /// The type is not `multipart/*`, or has no usable `boundary` (1 to 70 characters).
    #[error("no multipart type with a boundary")]
    ContentType,
    /// No delimiter, or no closing one.
    #[error("multipart body is not delimited")]
    Delimiter,
    /// The header fields of a part are malformed.
    #[error("malformed part header")]
    PartHeader,
    /// More than 64 parts.
    #[error("too many parts")]
    TooManyParts,
}

/// Takes a multipart body apart; preamble and epilogue are dropped.
///
/// # Errors
/// Nothing of a malformed body is returned.
pub fn parse(content_type: &str, body: &Bytes) -> Result<Vec<Part>, MultipartError> {
    let boundary = boundary(content_type).ok_or(MultipartError::ContentType)?;
    let dashed = format!("--{boundary}");
    let mut start = Delimiter::find(body, 0, &dashed).ok_or(MultipartError::Delimiter)?;
    let mut parts = Vec::new();
    while !start.is_last {
        let end = Delimiter::find(body, start.next, &dashed).ok_or(MultipartError::Delimiter)?;
        if parts.len() == MAX_PARTS {
            return Err(MultipartError::TooManyParts);
        }
        parts.push(parse_part(
            &body.slice(start.next..end.start.max(start.next)),
        )?);
        start = end;
    }
    Ok(parts)
}

/// Reads a `message/sip` body. Its Content-Length may be missing, and so may the empty line if it has no body, since
/// gateways cut both.
///
/// # Errors
/// The octets are no SIP message; there is nobody to answer.
pub fn parse_embedded(body: &Bytes) -> Result<Message, ParseError> {
    message::parse_embedded(body, &Limits::default())
}

fn boundary(content_type: &str) -> Option<String> {
    let media_type: MediaType = content_type.parse().ok()?;
    let boundary = media_type.params.value("boundary")?;
    let usable = media_type.is_of_type("multipart") && (1..=70).contains(&boundary.len());
    usable.then(|| boundary.to_owned())
}

/// A line that starts with two dashes and the boundary.
struct Delimiter {
    /// First octet of the delimiter with the line break before it.
    start: usize,
    /// First octet behind its line.
    next: usize,
    is_last: bool,
}

impl Delimiter {
    fn find(body: &[u8], from: usize, dashed: &str) -> Option<Self> {
        let finder = memmem::Finder::new(dashed);
        let mut search = from;
        loop {
            let at = search + finder.find(body.get(search..)?)?;
            if let Some(delimiter) = Self::at(body, from, at, at + dashed.len()) {
                return Some(delimiter);
            }
            search = at + 1;
        }
    }

    /// Confirms that the dashes stand at the start of a line and nothing but blanks follows (RFC 2046 §5.1.1).
    fn at(body: &[u8], from: usize, at: usize, after: usize) -> Option<Self> {
        let start = match body[..at].strip_suffix(b"\r\n") {
            Some(before) => before.len(),
            None if at == from => at,
            None => return None,
        };
        let rest = &body[after..];
        let is_last = rest.starts_with(b"--");
        let rest = if is_last { &rest[2..] } else { rest };
        let padding = rest
            .iter()
            .take_while(|octet| matches!(octet, b' ' | b'\t'))
            .count();
        let line_end = body.len() - rest.len() + padding;
        match &rest[padding..] {
            [b'\r', b'\n', ..] => Some(Self {
                start,
                next: line_end + 2,
                is_last,
            }),
            [] if is_last => Some(Self {
                start,
                next: line_end,
                is_last,
            }),
            _ => None,
        }
    }
}

/// A part without header fields starts with an empty line.
fn parse_part(part: &Bytes) -> Result<Part, MultipartError> {
    let (headers, body_start) =
        index_fields(part, &Limits::default()).map_err(|_| MultipartError::PartHeader)?;
    Ok(Part {
        headers,
        body: part.slice(body_start..),
    })
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const TYPE: &str = "multipart/mixed;boundary=\"b 1\"";

    fn bodies(text: &str) -> Result<Vec<Bytes>, MultipartError> {
        let body = Bytes::from(text.replace('\n', "\r\n"));
        Ok(parse(TYPE, &body)?
            .into_iter()
            .map(|part| part.body)
            .collect())
    }

    #[test]
    fn preamble_padding_and_epilogue_are_no_parts() {
        let text = "preamble\n--b 1 \t\n\none\n--b 1\nContent-Type: text/plain\n\n\ntwo\n\n--b 1--  \nepilogue";
        assert_eq!(bodies(text), Ok(vec!["one".into(), "\r\ntwo\r\n".into()]));
    }

    #[test]
    fn a_longer_boundary_within_a_part_ends_nothing() {
        assert_eq!(
            bodies("--b 1\n\n--b 12\nx --b 1\n--b 1--"),
            Ok(vec!["--b 12\r\nx --b 1".into()])
        );
    }

    #[test]
    fn undelimited_bodies_are_refused() {
        for text in [
            "",
            "text",
            "--b 1\n\nunclosed",
            "--b 1\n\nunclosed\n--b 1\n",
        ] {
            assert_eq!(bodies(text), Err(MultipartError::Delimiter), "{text}");
        }
        assert_eq!(
            bodies("--b 1\nno header\n--b 1--"),
            Err(MultipartError::PartHeader)
        );
        let many = "--b 1\n\nx\n".repeat(65) + "--b 1--";
        assert_eq!(bodies(&many), Err(MultipartError::TooManyParts));
    }

    #[test]
    fn a_type_without_boundary_is_refused() {
        for content_type in [
            "text/plain;boundary=b",
            "multipart/mixed",
            "multipart/mixed;boundary=\"\"",
        ] {
            assert!(matches!(
                parse(content_type, &Bytes::new()),
                Err(MultipartError::ContentType)
            ));
        }
    }

    proptest! {
        #[test]
        fn parts_come_out_as_they_went_in(parts in prop::collection::vec("[ -~\r\n]{0,40}", 1..5)) {
            let mut body = Vec::new();
            for part in &parts {
                body.extend_from_slice(format!("--b 1\r\nX: y\r\n\r\n{part}\r\n").as_bytes());
            }
            body.extend_from_slice(b"--b 1--\r\n");
            let read = parse(TYPE, &body.into()).expect("well-formed");
            let read: Vec<_> = read.iter().map(|part| &part.body[..]).collect();
            prop_assert_eq!(read, parts.iter().map(String::as_bytes).collect::<Vec<_>>());
        }

        #[test]
        fn any_octets_are_taken_apart_or_refused(body in prop::collection::vec(any::<u8>(), 0..200)) {
            let _ = parse(TYPE, &body.clone().into());
            let _ = parse_embedded(&body.into());
        }
    }
}
