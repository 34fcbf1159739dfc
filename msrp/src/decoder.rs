//! Frames out of a byte stream, with constant memory.
//!
//! A head is held until it is complete (at most [`HEAD_LIMIT_OCTETS`]); a body is passed on in
//! pieces as it arrives, except for the few octets that may be the beginning of the end-line.

use bytes::{Buf, Bytes, BytesMut};
use memchr::memmem::Finder;

use crate::error::{DecodeError, Malformed};
use crate::frame::{Continuation, RequestHead, Response};
use crate::id::TransactionId;
use crate::parse::{self, Kind, StartLine};
use crate::print::END_LINE_HYPHENS;

/// Longest head of a frame: start line and headers.
pub const HEAD_LIMIT_OCTETS: usize = 16 * 1024;

/// What the stream brought.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Event {
    /// A request begins. `Body` and one `RequestEnd` follow.
    RequestHead {
        /// The head, understood.
        head: Box<RequestHead>,
        /// The head's bytes as received, from `MSRP` to the CRLF of the last header.
        raw: Bytes,
    },
    /// The next piece of the request's body, of any size but never empty.
    Body(Bytes),
    /// The request ends.
    RequestEnd(Continuation),
    /// A response, complete.
    Response(Box<Response>),
}

/// Cuts a byte stream into [`Event`]s.
///
/// Feed it by [`push`](Decoder::push), then call [`next_event`](Decoder::next_event) until it has
/// no more. After an error it stays broken: framing is lost, the connection is to be closed.
#[derive(Debug, Default)]
pub struct Decoder {
    buffer: BytesMut,
    state: State,
}

#[derive(Debug)]
enum State {
    Head(HeadScan),
    Body(Box<BodyScan>),
    /// The head ended with an end-line.
    NoBody(Continuation),
    Broken,
}

impl Default for State {
    fn default() -> State {
        State::Head(HeadScan::default())
    }
}

/// How far the lines of a head were looked at.
#[derive(Debug, Default)]
struct HeadScan {
    start_line: Option<StartLine>,
    line_start: usize,
}

/// How a head ended.
enum HeadEnd {
    EmptyLine,
    EndLine(Continuation),
}

#[derive(Debug)]
struct BodyScan {
    /// `CRLF -------tid`, as it stands before the flag.
    end_line: Finder<'static>,
    /// No octet of the body has been passed on yet.
    fresh: bool,
}

/// What stands at the beginning of the buffer.
enum Found {
    Data(usize),
    End {
        before: usize,
        length: usize,
        flag: Continuation,
    },
    NeedMore,
}

impl Decoder {
    /// A decoder at the beginning of a stream.
    pub fn new() -> Decoder {
        Decoder::default()
    }

    /// Appends received bytes.
    pub fn push(&mut self, bytes: &[u8]) {
        self.buffer.extend_from_slice(bytes);
    }

    /// The receive buffer, for drivers that read straight into it.
    pub fn buffer_mut(&mut self) -> &mut BytesMut {
        &mut self.buffer
    }

    /// The next event, or none until more bytes come.
    pub fn next_event(&mut self) -> Result<Option<Event>, DecodeError> {
        let outcome = match &self.state {
            State::Head(_) => self.next_in_head(),
            State::Body(_) => Ok(self.next_in_body()),
            State::NoBody(flag) => {
                let event = Event::RequestEnd(*flag);
                self.state = State::default();
                Ok(Some(event))
            }
            State::Broken => Err(Malformed::Broken.into()),
        };
        if outcome.is_err() {
            self.state = State::Broken;
            self.buffer.clear();
        }
        outcome
    }

    fn next_in_head(&mut self) -> Result<Option<Event>, DecodeError> {
        let State::Head(scan) = &mut self.state else {
            return Ok(None);
        };
        let Some((end, next_frame)) = scan.find_end(&self.buffer)? else {
            return Ok(None);
        };
        let start_line = scan.start_line.take().ok_or(Malformed::StartLine)?;
        let raw = self.buffer.split_to(scan.line_start).freeze();
        self.buffer.advance(next_frame - raw.len());
        self.head_event(start_line, &raw, end).map(Some)
    }

    fn head_event(
        &mut self,
        start_line: StartLine,
        raw: &Bytes,
        end: HeadEnd,
    ) -> Result<Event, DecodeError> {
        let transaction_id = start_line.transaction_id;
        match start_line.kind {
            Kind::Response { code, comment } => {
                if matches!(end, HeadEnd::EmptyLine) {
                    return Err(Malformed::ResponseBody.into());
                }
                self.state = State::default();
                let response = parse::response(transaction_id, code, comment, header_lines(raw))?;
                Ok(Event::Response(Box::new(response)))
            }
            Kind::Request(method) => {
                self.state = match end {
                    HeadEnd::EmptyLine => State::Body(Box::new(BodyScan::new(&transaction_id))),
                    HeadEnd::EndLine(flag) => State::NoBody(flag),
                };
                let head = parse::request_head(transaction_id, method, header_lines(raw))?;
                Ok(Event::RequestHead {
                    head: Box::new(head),
                    raw: raw.clone(),
                })
            }
        }
    }

    fn next_in_body(&mut self) -> Option<Event> {
        let State::Body(scan) = &mut self.state else {
            return None;
        };
        match scan.find(&self.buffer) {
            Found::NeedMore => None,
            Found::Data(length) => {
                scan.fresh = false;
                Some(Event::Body(self.buffer.split_to(length).freeze()))
            }
            Found::End {
                before: 0,
                length,
                flag,
            } => {
                self.buffer.advance(length);
                self.state = State::default();
                Some(Event::RequestEnd(flag))
            }
            Found::End { before, .. } => {
                scan.fresh = false;
                Some(Event::Body(self.buffer.split_to(before).freeze()))
            }
        }
    }
}

impl HeadScan {
    /// Looks at the lines that have become complete. On success `line_start` is where the headers
    /// end, and the number returned where the rest of the stream begins.
    fn find_end(&mut self, buffer: &[u8]) -> Result<Option<(HeadEnd, usize)>, Malformed> {
        loop {
            let rest = buffer.get(self.line_start..).unwrap_or_default();
            if self.start_line.is_none() && !begins_like_msrp(rest) {
                return Err(Malformed::StartLine);
            }
            let Some(newline) = memchr::memchr(b'\n', rest) else {
                let too_long = buffer.len() > HEAD_LIMIT_OCTETS;
                return if too_long {
                    Err(Malformed::HeadTooLong)
                } else {
                    Ok(None)
                };
            };
            let next_line = self.line_start + newline + 1;
            if next_line > HEAD_LIMIT_OCTETS {
                return Err(Malformed::HeadTooLong);
            }
            let line = rest.get(..newline).unwrap_or_default();
            let line = line.strip_suffix(b"\r").ok_or(Malformed::HeaderLine)?;
            match &self.start_line {
                None => self.start_line = Some(StartLine::parse(line)?),
                Some(_) if line.is_empty() => return Ok(Some((HeadEnd::EmptyLine, next_line))),
                Some(start_line) => {
                    if let Some(flag) = end_line_flag(line, &start_line.transaction_id) {
                        return Ok(Some((HeadEnd::EndLine(flag), next_line)));
                    }
                }
            }
            self.line_start = next_line;
        }
    }
}

impl BodyScan {
    fn new(transaction_id: &TransactionId) -> BodyScan {
        let end_line = format!("\r\n{END_LINE_HYPHENS}{transaction_id}");
        BodyScan {
            end_line: Finder::new(end_line.as_bytes()).into_owned(),
            fresh: true,
        }
    }

    fn find(&self, buffer: &[u8]) -> Found {
        if self.fresh {
            // An empty body whose CRLF before the end-line is also the empty line of the head.
            let bare = self.end_line.needle().get(2..).unwrap_or_default();
            match ends_at(buffer, bare) {
                Ends::Yes(flag) => {
                    return Found::End {
                        before: 0,
                        length: bare.len() + 3,
                        flag,
                    };
                }
                Ends::Maybe => return Found::NeedMore,
                Ends::No => {}
            }
        }
        let needle = self.end_line.needle();
        let Some(at) = self.end_line.find(buffer) else {
            return data_or_more(buffer.len() - held_back(buffer, needle));
        };
        let tail = buffer.get(at..).unwrap_or_default();
        match ends_at(tail, needle) {
            Ends::Yes(flag) => Found::End {
                before: at,
                length: needle.len() + 3,
                flag,
            },
            Ends::Maybe => data_or_more(at),
            Ends::No => Found::Data(at + needle.len()),
        }
    }
}

fn data_or_more(length: usize) -> Found {
    if length == 0 {
        Found::NeedMore
    } else {
        Found::Data(length)
    }
}

enum Ends {
    Yes(Continuation),
    No,
    /// Too few bytes to tell.
    Maybe,
}

/// Whether `bytes` begin with `needle`, a flag and CRLF.
fn ends_at(bytes: &[u8], needle: &[u8]) -> Ends {
    let known = bytes.len().min(needle.len());
    if bytes.get(..known) != needle.get(..known) {
        return Ends::No;
    }
    match bytes.get(needle.len()..).unwrap_or_default() {
        [] => Ends::Maybe,
        [flag, rest @ ..] => match (Continuation::from_byte(*flag), rest) {
            (Some(flag), [b'\r', b'\n', ..]) => Ends::Yes(flag),
            (Some(_), [] | [b'\r']) => Ends::Maybe,
            _ => Ends::No,
        },
    }
}

/// Octets at the end that may be the beginning of `needle`. Its CR is its first octet and stands
/// nowhere else in it, so only the last CR of the buffer can begin it.
fn held_back(buffer: &[u8], needle: &[u8]) -> usize {
    match memchr::memrchr(b'\r', buffer) {
        Some(at) if needle.starts_with(buffer.get(at..).unwrap_or_default()) => buffer.len() - at,
        _ => 0,
    }
}

fn begins_like_msrp(bytes: &[u8]) -> bool {
    let wanted = b"MSRP ";
    let known = bytes.len().min(wanted.len());
    bytes.get(..known) == wanted.get(..known)
}

fn end_line_flag(line: &[u8], transaction_id: &TransactionId) -> Option<Continuation> {
    let rest = line.strip_prefix(END_LINE_HYPHENS.as_bytes())?;
    match rest.strip_prefix(transaction_id.as_str().as_bytes())? {
        [flag] => Continuation::from_byte(*flag),
        _ => None,
    }
}

/// The lines after the start line, without their CRLF.
fn header_lines(raw: &[u8]) -> impl Iterator<Item = &[u8]> {
    let lines = raw.split(|b| *b == b'\n').skip(1);
    lines
        .filter(|line| !line.is_empty())
        .map(|line| line.strip_suffix(b"\r").unwrap_or(line))
}
