//! A CPIM message: message headers, content headers, content (RFC 3862 §2).

use std::ops::Range;

use bytes::{Bytes, BytesMut};

use crate::NotCpim;

/// Message and content headers beyond this are not looked for (IMD-09).
pub const HEAD_LIMIT_OCTETS: usize = 16 * 1024;

/// A CPIM message that was received, with its octets unchanged.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Message {
    octets: Bytes,
    headers: Vec<Header>,
    content_headers: Vec<Header>,
    part_offset: usize,
    content_offset: usize,
}

/// Where a header stands.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Header {
    name: Range<usize>,
    value: Range<usize>,
}

impl Message {
    /// Reads the heads of a body of type `message/cpim`. Line ends may be CRLF or, as some clients
    /// write them, LF.
    ///
    /// # Errors
    /// [`NotCpim`] if the message headers or content headers cannot be told.
    pub fn parse(octets: &Bytes) -> Result<Self, NotCpim> {
        let (headers, part_offset) = block(octets, 0)
            .ok_or(NotCpim::HeadersUnended)?
            .parsed(octets)?;
        let content = block(octets, part_offset).ok_or(NotCpim::ContentHeadersUnended)?;
        // Content headers are MIME's; a line that is none is left alone.
        let (content_headers, content_offset) = (content.headers(octets), content.end);
        Ok(Self {
            octets: octets.clone(),
            headers,
            content_headers,
            part_offset,
            content_offset,
        })
    }

    /// The values of the message headers of this name, case-sensitive (RFC 3862 §2.1), in order.
    pub fn values<'a>(&'a self, name: &'a str) -> impl Iterator<Item = &'a str> {
        self.headers
            .iter()
            .filter(move |header| self.text(&header.name) == name)
            .map(|header| self.text(&header.value))
    }

    /// The place of the first header of the namespace `urn`, under whatever prefix it is declared
    /// (RFC 3862 §3.4).
    fn find(&self, urn: &str, name: &str) -> Option<&Header> {
        let prefix = self.prefix(urn)?;
        let wanted = |header: &&Header| {
            let written = self.text(&header.name);
            if prefix.is_empty() {
                return written == name;
            }
            written
                .strip_prefix(prefix)
                .and_then(|rest| rest.strip_prefix('.'))
                == Some(name)
        };
        self.headers.iter().find(wanted)
    }

    /// Its value.
    #[must_use]
    pub fn namespaced(&self, urn: &str, name: &str) -> Option<&str> {
        let header = self.find(urn, name)?;
        Some(self.text(&header.value))
    }

    /// The message with another value of that header, or without its line; every other octet is as it was. `None` if there
    /// is no such header.
    pub(crate) fn with_value(&self, urn: &str, name: &str, value: Option<&str>) -> Option<Bytes> {
        let header = self.find(urn, name)?;
        let line_end = self.octets.get(header.value.end..)?;
        let after_line = line_end.iter().position(|octet| *octet == b'\n')? + 1;
        let (until, from, between) = match value {
            Some(value) => (header.value.start, header.value.end, format!(" {value}")),
            None => (
                header.name.start,
                header.value.end + after_line,
                String::new(),
            ),
        };
        let octets = [
            self.octets.get(..until)?,
            between.as_bytes(),
            self.octets.get(from..)?,
        ];
        Some(octets.concat().into())
    }

    /// The prefix that headers of a namespace have here, possibly none.
    fn prefix(&self, urn: &str) -> Option<&str> {
        self.values("NS").find_map(|declaration| {
            let (prefix, declared) = declaration.rsplit_once(' ').unwrap_or(("", declaration));
            let declared = declared.trim().strip_prefix('<')?.strip_suffix('>')?;
            (declared == urn).then_some(prefix.trim())
        })
    }

    /// The message with another first address in `To` and one more header, of the namespace `urn`, behind the others;
    /// every other octet is as it was. `None` without `To`, or where the namespace is not declared.
    pub(crate) fn readdressed(
        &self,
        to: &str,
        urn: &str,
        (name, value): (&str, &str),
    ) -> Option<Bytes> {
        let prefix = self.prefix(urn)?;
        let name = match prefix {
            "" => name.to_owned(),
            prefix => format!("{prefix}.{name}"),
        };
        let addressed = self
            .headers
            .iter()
            .find(|header| self.text(&header.name) == "To")?;
        let end = self.headers.last()?.value.end;
        let (head, rest) = self.octets.split_at_checked(end)?;
        let line_end: &[u8] = if rest.starts_with(b"\n") {
            b"\n"
        } else {
            b"\r\n"
        };
        let mut octets =
            BytesMut::with_capacity(self.octets.len() + name.len() + value.len() + to.len() + 8);
        octets.extend_from_slice(head.get(..addressed.name.start)?);
        octets.extend_from_slice(format!("To: <{to}>").as_bytes());
        octets.extend_from_slice(head.get(addressed.value.end..)?);
        octets.extend_from_slice(line_end);
        octets.extend_from_slice(format!("{name}: {value}").as_bytes());
        octets.extend_from_slice(rest);
        Some(octets.freeze())
    }

    /// The value of a content header, named without regard to case.
    #[must_use]
    pub fn content_header(&self, name: &str) -> Option<&str> {
        let found = self
            .content_headers
            .iter()
            .find(|header| self.text(&header.name).eq_ignore_ascii_case(name));
        found.map(|header| self.text(&header.value))
    }

    /// `type/subtype` of the wrapped content in lower case, without parameters; `text/plain` where
    /// nothing is said (RFC 2045 §5.2).
    #[must_use]
    pub fn content_type(&self) -> String {
        let value = self.content_header("Content-Type").unwrap_or("text/plain");
        value
            .split(';')
            .next()
            .unwrap_or_default()
            .trim()
            .to_ascii_lowercase()
    }

    /// Octets of the message before the wrapped part: its content headers and its content (RFC 3862 §2.3).
    #[must_use]
    pub fn part_offset(&self) -> usize {
        self.part_offset
    }

    /// The wrapped content, byte for byte.
    #[must_use]
    pub fn content(&self) -> Bytes {
        self.octets.slice(self.content_offset..)
    }

    fn text(&self, range: &Range<usize>) -> &str {
        let octets = self.octets.get(range.clone()).unwrap_or_default();
        // Headers are UTF-8 (RFC 3862 §2.1); what is not has no value for us.
        std::str::from_utf8(octets).unwrap_or_default().trim()
    }
}

/// A run of lines up to an empty one.
struct Block {
    lines: Vec<Range<usize>>,
    /// Where the octets after the empty line begin.
    end: usize,
}

fn block(octets: &[u8], begin: usize) -> Option<Block> {
    let mut lines = Vec::new();
    let mut at = begin;
    while at < octets.len().min(HEAD_LIMIT_OCTETS) {
        let rest = octets.get(at..)?;
        let length = rest.iter().position(|octet| *octet == b'\n')?;
        let line = rest.get(..length)?;
        let text = line.strip_suffix(b"\r").unwrap_or(line);
        let next = at + length + 1;
        if text.is_empty() {
            return Some(Block { lines, end: next });
        }
        lines.push(at..at + text.len());
        at = next;
    }
    None
}

impl Block {
    fn parsed(&self, octets: &[u8]) -> Result<(Vec<Header>, usize), NotCpim> {
        let headers = self.headers(octets);
        if headers.len() < self.lines.len() {
            return Err(NotCpim::NoColon);
        }
        Ok((headers, self.end))
    }

    fn headers(&self, octets: &[u8]) -> Vec<Header> {
        let header = |line: &Range<usize>| {
            let colon = octets
                .get(line.clone())?
                .iter()
                .position(|octet| *octet == b':')?;
            let (name, value) = (
                line.start..line.start + colon,
                line.start + colon + 1..line.end,
            );
            Some(Header { name, value })
        };
        self.lines.iter().filter_map(header).collect()
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const TEXT: &str = "From: Alice <sip:alice@example.org>\r\nTo: Bob <sip:bob@example.org>\r\n\
        NS: imdn <urn:ietf:params:imdn>\r\nimdn.Message-ID: Xk39s0QpLm2a\r\n\r\n\
        Content-type: Text/Plain;charset=utf-8\r\nContent-Length: 4\r\n\r\n\r\nhi";

    fn parsed(text: &str) -> Result<Message, NotCpim> {
        Message::parse(&Bytes::copy_from_slice(text.as_bytes()))
    }

    #[test]
    fn headers_and_content_are_told_apart() {
        let message = parsed(TEXT).expect("CPIM");
        assert_eq!(
            message.values("From").collect::<Vec<_>>(),
            ["Alice <sip:alice@example.org>"]
        );
        assert_eq!(message.content_type(), "text/plain");
        assert_eq!(message.content_header("content-length"), Some("4"));
        assert_eq!(message.content().as_ref(), b"\r\nhi");
    }

    #[test]
    fn header_names_are_case_sensitive() {
        let message = parsed(TEXT).expect("CPIM");
        assert_eq!(message.values("from").count(), 0);
    }

    #[test]
    fn a_namespace_goes_by_its_urn_whatever_its_prefix() {
        let urn = "urn:ietf:params:imdn";
        for (declaration, name) in [
            ("x <urn:ietf:params:imdn>", "x.Message-ID"),
            ("<urn:ietf:params:imdn>", "Message-ID"),
        ] {
            let text = TEXT
                .replace("imdn <urn:ietf:params:imdn>", declaration)
                .replace("imdn.Message-ID", name);
            let message = parsed(&text).expect("CPIM");
            assert_eq!(
                message.namespaced(urn, "Message-ID"),
                Some("Xk39s0QpLm2a"),
                "{declaration}"
            );
        }
        let undeclared = parsed(&TEXT.replace("imdn <urn:", "imdn <other:")).expect("CPIM");
        assert_eq!(undeclared.namespaced(urn, "Message-ID"), None);
    }

    #[test]
    fn bare_line_feeds_are_taken() {
        let message = parsed("From: a\n\nContent-Type: text/plain\n\nhi").expect("CPIM");
        assert_eq!(message.content().as_ref(), b"hi");
    }

    #[test]
    fn what_is_no_cpim_says_why() {
        assert_eq!(parsed("hello"), Err(NotCpim::HeadersUnended));
        assert_eq!(parsed("hello\r\n\r\n\r\n"), Err(NotCpim::NoColon));
        assert_eq!(
            parsed("From: a\r\n\r\nContent-Type: text/plain\r\n"),
            Err(NotCpim::ContentHeadersUnended)
        );
        let endless = format!("Subject: {}\r\n\r\n\r\n", "a".repeat(HEAD_LIMIT_OCTETS));
        assert_eq!(parsed(&endless), Err(NotCpim::HeadersUnended));
    }

    proptest! {
        #[test]
        fn no_body_panics_and_content_is_a_suffix(body in proptest::collection::vec(any::<u8>(), 0..400)) {
            let octets = Bytes::from(body);
            if let Ok(message) = Message::parse(&octets) {
                prop_assert!(octets.ends_with(&message.content()));
                prop_assert!(!message.content_type().contains(';'));
                imdn_id(&message);
            }
        }

        #[test]
        fn any_content_is_kept(content in proptest::collection::vec(any::<u8>(), 0..200)) {
            let mut body = b"From: a\r\n\r\nContent-Type: x/y\r\n\r\n".to_vec();
            body.extend_from_slice(&content);
            let message = Message::parse(&body.into()).expect("CPIM");
            let kept = message.content();
            prop_assert_eq!(kept.as_ref(), content.as_slice());
        }
    }

    fn imdn_id(message: &Message) -> Option<String> {
        message
            .namespaced("urn:ietf:params:imdn", "Message-ID")
            .map(str::to_owned)
    }
}
