//! The one SEND that a large message becomes inside a push: `message/msrp` (requirements 2.4.3).

use bytes::Bytes;
use rand::CryptoRng;

use crate::error::Malformed;
use crate::id::TransactionId;
use crate::print::END_LINE_HYPHENS;
use crate::uri::Path;

/// Type of a part that holds a whole SEND.
pub const MESSAGE_MSRP: &str = "message/msrp";

/// The header lines of a stored SEND, each as it was received.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SendHead {
    lines: Vec<Line>,
}

/// A header line without its CRLF.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Line {
    name: String,
    value: String,
    text: String,
}

impl SendHead {
    /// Reads the head of a SEND, with or without its start line and its empty line.
    ///
    /// # Errors
    /// A line that is no header line, or a head without its paths: no SEND can be made of it.
    pub fn parse(stored: &[u8]) -> Result<SendHead, Malformed> {
        let text = std::str::from_utf8(stored).map_err(|_| Malformed::HeaderLine)?;
        let lines = text
            .split("\r\n")
            .enumerate()
            .filter(|(at, line)| *at > 0 || !line.starts_with("MSRP "))
            .map(|(_, line)| line)
            .take_while(|line| !line.is_empty())
            .map(Line::parse)
            .collect::<Option<Vec<_>>>()
            .ok_or(Malformed::HeaderLine)?;
        let head = SendHead { lines };
        for name in ["To-Path", "From-Path"] {
            head.value(name).ok_or(Malformed::MissingHeader(name))?;
        }
        Ok(head)
    }

    /// The value of the first line of this name; case does not count.
    pub fn value(&self, name: &str) -> Option<&str> {
        let mut lines = self.lines.iter();
        lines
            .find(|line| line.is(name))
            .map(|line| line.value.as_str())
    }

    /// Name and value of the lines that describe the body, but for `Content-Type`.
    pub fn mime_headers(&self) -> impl Iterator<Item = (&str, &str)> {
        let lines = self.lines.iter();
        lines
            .filter(|line| line.is_mime() && !line.is("Content-Type"))
            .map(|line| (line.name.as_str(), line.value.as_str()))
    }

    /// The same head with one more line, which is without a line break.
    #[must_use]
    pub fn with(mut self, name: &str, value: &str) -> SendHead {
        self.lines.extend(Line::parse(&format!("{name}: {value}")));
        self
    }

    /// The same head with `anonymous.invalid` for every host of its paths (requirements 3.7).
    ///
    /// # Errors
    /// A path that is none: what it names cannot be hidden.
    pub fn anonymised(&self) -> Result<SendHead, Malformed> {
        let lines = self.lines.iter().map(Line::anonymised);
        Ok(SendHead {
            lines: lines.collect::<Result<_, _>>()?,
        })
    }

    /// The lines in their order, the range now that of the whole, what describes the body behind
    /// the rest and its type last (RFC 4975 §7.1).
    fn print(&self, transaction_id: &TransactionId, body_octets: u64) -> String {
        let range = format!("Byte-Range: 1-{body_octets}/{body_octets}");
        let is_range = |line: &Line| line.is("Byte-Range");
        let (mime, framing): (Vec<_>, Vec<_>) = self.lines.iter().partition(|line| line.is_mime());
        let (types, mime): (Vec<_>, Vec<_>) =
            mime.into_iter().partition(|line| line.is("Content-Type"));
        let mut text = format!("MSRP {transaction_id} SEND\r\n");
        let mut add = |line: &str| {
            text.push_str(line);
            text.push_str("\r\n");
        };
        for line in &framing {
            add(if is_range(line) { &range } else { &line.text });
        }
        if !framing.iter().any(|line| is_range(line)) {
            add(&range);
        }
        for line in mime.iter().chain(&types) {
            add(&line.text);
        }
        add("");
        text
    }
}

impl Line {
    fn parse(text: &str) -> Option<Line> {
        let (name, value) = text.split_once(':')?;
        let is_name = !name.is_empty() && name.bytes().all(|b| b.is_ascii_graphic());
        (is_name && !text.contains(['\r', '\n', '\0'])).then(|| Line {
            name: name.to_owned(),
            value: value.trim_matches([' ', '\t']).to_owned(),
            text: text.to_owned(),
        })
    }

    fn is(&self, name: &str) -> bool {
        self.name.eq_ignore_ascii_case(name)
    }

    fn is_mime(&self) -> bool {
        let start = self.name.get(.."Content-".len());
        start.is_some_and(|start| start.eq_ignore_ascii_case("Content-"))
    }

    fn anonymised(&self) -> Result<Line, Malformed> {
        if !self.is("To-Path") && !self.is("From-Path") {
            return Ok(self.clone());
        }
        let path: Path = self
            .value
            .parse()
            .map_err(|_| Malformed::HeaderValue("path"))?;
        let value = path.anonymised().to_string();
        Ok(Line {
            text: format!("{}: {value}", self.name),
            name: self.name.clone(),
            value,
        })
    }
}

/// One complete SEND whose body is still to be read: what stands before and after it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct WholeSend {
    head: Bytes,
    end: Bytes,
    body_octets: u64,
}

impl WholeSend {
    /// Frames a body of `body_octets` behind this head, under a fresh transaction id whose end-line
    /// does not occur in `known`, the body as far as it is in memory. Beyond that its randomness is
    /// the guarantee.
    pub fn new(
        rng: &mut impl CryptoRng,
        head: &SendHead,
        body_octets: u64,
        known: &[u8],
    ) -> WholeSend {
        let transaction_id = TransactionId::absent_from(rng, known);
        WholeSend {
            head: head.print(&transaction_id, body_octets).into(),
            end: format!("\r\n{END_LINE_HYPHENS}{transaction_id}$\r\n").into(),
            body_octets,
        }
    }

    /// Start line, headers and empty line.
    pub fn head(&self) -> &Bytes {
        &self.head
    }

    /// The CRLF after the body, and the end-line.
    pub fn end(&self) -> &Bytes {
        &self.end
    }

    /// Octets of the whole frame.
    pub fn octets(&self) -> u64 {
        self.body_octets + (self.head.len() + self.end.len()) as u64
    }
}
