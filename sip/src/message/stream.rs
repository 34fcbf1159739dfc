//! Messages out of a byte stream (RFC 3261 §18.3).

use bytes::{Buf, BytesMut};
use memchr::memmem;

use super::{
    Message, ParseError, ParseErrorKind,
    index::{Head, index},
    parse::{assemble, content_length, refuse},
};
use crate::Limits;

/// The end of a header block, and the keep-alive of RFC 5626 §4.4.1.
const DOUBLE_CRLF: &[u8] = b"\r\n\r\n";

/// What came out of the stream.
#[derive(Debug, Clone)]
pub enum StreamItem {
    /// A message that fits its framing.
    Message(Message),
    /// A message that is malformed but correctly framed: the stream goes on behind it.
    Malformed(ParseError),
    /// CRLFCRLF between messages, to be answered with CRLF (RFC 5626 §4.4.1).
    KeepAlive,
}

/// The end of the next message cannot be found, so the connection has to be closed, after the answer if there is one.
#[derive(Debug, Clone, thiserror::Error)]
#[error(transparent)]
pub struct StreamError(#[from] ParseError);

impl StreamError {
    /// The fault and its answer.
    pub fn error(&self) -> &ParseError {
        &self.0
    }
}

/// Cuts a stream into messages strictly by Content-Length.
///
/// It holds at most one header block and one body within its limits, plus what one [`push`](Self::push) brought; drain
/// it with [`next`](Self::next) before pushing again.
#[derive(Debug)]
pub struct StreamDecoder {
    limits: Limits,
    buffer: BytesMut,
    /// Octets of the buffer known to hold no end of a header block.
    searched: usize,
    /// The indexed head of a message whose body is still coming, and where the message ends.
    pending: Option<(Head, usize)>,
    failed: bool,
}

impl StreamDecoder {
    /// A decoder at the start of a connection.
    pub fn new(limits: Limits) -> Self {
        Self {
            limits,
            buffer: BytesMut::new(),
            searched: 0,
            pending: None,
            failed: false,
        }
    }

    /// Takes in what was read from the connection; ignored after a [`StreamError`].
    pub fn push(&mut self, octets: &[u8]) {
        if !self.failed {
            self.buffer.extend_from_slice(octets);
        }
    }

    /// Whether a message has begun and not ended, which a peer must not let last (CT-ROB-03).
    pub fn is_mid_message(&self) -> bool {
        !self.failed
            && self
                .buffer
                .iter()
                .any(|octet| !matches!(octet, b'\r' | b'\n'))
    }

    /// The next item, or `None` until more octets are pushed.
    ///
    /// # Errors
    /// Framing is lost; the decoder yields nothing more.
    #[expect(
        clippy::should_implement_trait,
        reason = "pulls from a buffer that is refilled, unlike an Iterator"
    )]
    pub fn next(&mut self) -> Result<Option<StreamItem>, StreamError> {
        if self.pending.is_none() {
            if self.skip_empty_lines() {
                return Ok(Some(StreamItem::KeepAlive));
            }
            let Some(head_end) = self.find_head_end()? else {
                return Ok(None);
            };
            self.begin_message(head_end)?;
        }
        Ok(self.finish_message())
    }

    /// Drops CRLFs before a message; `true` if they were a keep-alive.
    fn skip_empty_lines(&mut self) -> bool {
        if self.buffer.starts_with(DOUBLE_CRLF) {
            self.buffer.advance(DOUBLE_CRLF.len());
            return true;
        }
        if self.buffer.starts_with(b"\r\n") && !DOUBLE_CRLF.starts_with(&self.buffer) {
            self.buffer.advance(2);
        }
        false
    }

    /// Where the header block ends, if its end has come.
    fn find_head_end(&mut self) -> Result<Option<usize>, StreamError> {
        let from = self.searched.saturating_sub(DOUBLE_CRLF.len() - 1);
        let found = memmem::find(&self.buffer[from..], DOUBLE_CRLF);
        let head_end = found.map(|position| from + position + DOUBLE_CRLF.len());
        self.searched = self.buffer.len();
        if head_end.unwrap_or(self.searched) > self.limits.header_block_octets {
            let mut head = index(&self.buffer, &self.limits);
            head.fault = Some(ParseErrorKind::HeaderBlockTooLarge);
            return Err(self.fail(head, ParseErrorKind::HeaderBlockTooLarge));
        }
        Ok(head_end)
    }

    /// Indexes the head and decides where the message ends.
    fn begin_message(&mut self, head_end: usize) -> Result<(), StreamError> {
        let head = index(&self.buffer[..head_end], &self.limits);
        let length = match content_length(&self.buffer, &head) {
            Ok(Some(length)) if length <= self.limits.body_octets => Ok(length),
            Ok(Some(_)) => Err(ParseErrorKind::BodyTooLarge),
            Ok(None) => Err(ParseErrorKind::MissingContentLength),
            Err(kind) => Err(kind),
        };
        match (length, head.fault) {
            (Ok(length), None | Some(ParseErrorKind::BadHeaderLine)) => {
                self.pending = Some((head, head_end + length));
                Ok(())
            }
            (Ok(_), Some(kind)) | (Err(kind), _) => Err(self.fail(head, kind)),
        }
    }

    /// Cuts the pending message out of the buffer once all of it is there.
    fn finish_message(&mut self) -> Option<StreamItem> {
        let (head, end) = self.pending.take_if(|(_, end)| *end <= self.buffer.len())?;
        self.searched = 0;
        let message = assemble(self.buffer.split_to(end).freeze(), head);
        Some(message.map_or_else(StreamItem::Malformed, StreamItem::Message))
    }

    fn fail(&mut self, head: Head, kind: ParseErrorKind) -> StreamError {
        self.failed = true;
        self.searched = 0;
        refuse(self.buffer.split().freeze(), head, kind).into()
    }
}
