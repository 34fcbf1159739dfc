//! The sending half of a session: messages in, frames and outcomes out.
//!
//! Messages go out in the order they were enqueued, a window of them at a time (PSH-09). One of more than
//! [`INTERRUPTIBLE_ABOVE_OCTETS`] goes as chunks whose range ends with `*`, so that responses, reports and other
//! sessions can cut in (RFC 4975 §7.1.1). Bodies are pulled piece by piece: the machine never holds more than
//! one piece of a message.
//!
//! ```text
//!   enqueue ──► waiting ──► sending ──► sent ──► acknowledged ──► Delivered
//!                              │          │        (REPORTs cover 1..N, where asked for)
//!                              └──────────┴──► Refused(code) | Failed(reason)
//! ```
//!
//! It writes no socket: the driver calls [`Outbox::poll`], writes what it is given, and calls again.

mod chunk;
mod message;
mod transactions;

use std::collections::VecDeque;
use std::time::{Duration, Instant};

use bytes::{Bytes, BytesMut};
use rand::CryptoRng;

use crate::frame::{FailureReport, RequestHead, Response};
use crate::id::{MessageId, TransactionId};
use crate::print::end_line;
use crate::status;
use crate::uri::Path;

use chunk::{Chunk, ChunkEnd};
use message::Sending;
use transactions::Transactions;

/// Chunks longer than this are sent with an open range end (RFC 4975 §7.1.1, PSH-11).
pub const INTERRUPTIBLE_ABOVE_OCTETS: u64 = 2048;

/// Names a message inside one [`Outbox`].
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct OutboundId(u64);

/// How a sending half behaves.
#[derive(Debug, Clone)]
pub struct OutboxConfig {
    /// Our path, as offered or answered in SDP.
    pub local_path: Path,
    /// The peer's path.
    pub peer_path: Path,
    /// Longest chunk.
    pub chunk_octets: u64,
    /// Largest piece of a body asked for at once, and the most that delays an interrupt.
    pub piece_octets: usize,
    /// Messages begun and not settled (PSH-09: 4).
    pub message_window: usize,
    /// Chunks sent and not answered.
    pub chunk_window: usize,
    /// Messages held, begun or not.
    pub queue_limit: usize,
    /// From the last octet of a chunk to its response (RFC 4975 §7.1.1: 30 s).
    pub transaction_timeout: Duration,
    /// From the last response to the last success REPORT, if one was asked for (3.1: 120 s).
    pub report_timeout: Duration,
}

impl OutboxConfig {
    /// The values of the standard between these two paths.
    pub fn new(local_path: Path, peer_path: Path) -> OutboxConfig {
        OutboxConfig {
            local_path,
            peer_path,
            chunk_octets: 256 * 1024,
            piece_octets: 16 * 1024,
            message_window: 4,
            chunk_window: 16,
            queue_limit: 8,
            transaction_timeout: Duration::from_secs(30),
            report_timeout: Duration::from_secs(120),
        }
    }
}

/// A message to send. Its body is pulled later, see [`Step::NeedBody`].
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct OutboundMessage {
    /// MSRP Message-ID, fresh in every session.
    pub message_id: MessageId,
    /// Type of the body; none makes an empty SEND, as the one that binds a connection.
    pub content_type: Option<String>,
    /// Octets of the body.
    pub body_octets: u64,
    /// Whether to wait for REPORTs that cover the whole message (2.4.3).
    pub success_report: bool,
    /// Which responses to ask for.
    pub failure_report: FailureReport,
    /// Further headers, printed before `Content-Type`.
    pub headers: Vec<(String, String)>,
}

impl OutboundMessage {
    /// A message with this type and length, `Failure-Report: yes`, `Success-Report: no`.
    pub fn new(message_id: MessageId, content_type: &str, body_octets: u64) -> OutboundMessage {
        OutboundMessage {
            message_id,
            content_type: Some(content_type.to_owned()),
            body_octets,
            success_report: false,
            failure_report: FailureReport::Yes,
            headers: Vec::new(),
        }
    }

    /// The empty SEND by which an active side binds its connection (RFC 4975 §5.4).
    pub fn binding(message_id: MessageId) -> OutboundMessage {
        OutboundMessage {
            content_type: None,
            ..OutboundMessage::new(message_id, "", 0)
        }
    }
}

/// What became of a message.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Outcome {
    /// Every chunk was answered 200 and, where asked for, REPORTs cover the message.
    Delivered,
    /// The peer answered a chunk with this code.
    Refused(u16),
    /// The peer never said.
    Failed(Failure),
}

/// Why nothing is known of a message's fate.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum Failure {
    /// No response within 30 s.
    #[error("no response in time")]
    TransactionTimeout,
    /// No covering success REPORT within 120 s.
    #[error("no success report in time")]
    ReportTimeout,
    /// A REPORT said that the message was lost behind the first hop, with this code.
    #[error("a report says {0}")]
    Reported(u16),
    /// The body could not be read to its end.
    #[error("the body could not be read")]
    BodyUnavailable,
    /// An earlier failure ended the session before this message was through.
    #[error("the session has failed")]
    SessionFailed,
    /// The session was closed from our side.
    #[error("the session was closed")]
    Closed,
    /// The connection broke.
    #[error("the connection was lost")]
    ConnectionLost,
}

/// Why a message was not taken.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum OutboxRefusal {
    /// As many messages wait as may wait.
    #[error("too many messages wait in this session")]
    Full,
    /// The session sends no more.
    #[error("the session has ended")]
    Ended,
}

/// What the driver is to do next.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Step {
    /// Write these bytes, then poll again.
    Write(Bytes),
    /// Read the next octets of this message's body (at least one, at most so many), hand them to
    /// [`Outbox::supply_body`] or report [`Outbox::fail_body`], then poll again.
    NeedBody {
        /// Whose body.
        message: OutboundId,
        /// The most that is taken.
        max_octets: usize,
    },
}

/// The sending half of one session.
#[derive(Debug)]
pub struct Outbox {
    config: OutboxConfig,
    /// Responses and REPORTs, whole frames, that go before the next chunk.
    control: VecDeque<Bytes>,
    messages: VecDeque<Sending>,
    transactions: Transactions,
    chunk: Option<Chunk>,
    interrupt: bool,
    ended: Option<Failure>,
    outcomes: VecDeque<(OutboundId, Outcome)>,
    /// Messages given up between two chunks, which the peer is told by an empty `#` chunk.
    abandoned: VecDeque<Sending>,
    next_id: u64,
}

impl Outbox {
    /// An empty sending half.
    pub fn new(config: OutboxConfig) -> Outbox {
        Outbox {
            config,
            control: VecDeque::new(),
            messages: VecDeque::new(),
            transactions: Transactions::default(),
            chunk: None,
            interrupt: false,
            ended: None,
            outcomes: VecDeque::new(),
            abandoned: VecDeque::new(),
            next_id: 0,
        }
    }

    /// Takes a message to send after those already there.
    pub fn enqueue(&mut self, message: OutboundMessage) -> Result<OutboundId, OutboxRefusal> {
        if self.ended.is_some() {
            return Err(OutboxRefusal::Ended);
        }
        if !self.has_room() {
            return Err(OutboxRefusal::Full);
        }
        let id = OutboundId(self.next_id);
        self.next_id += 1;
        self.messages.push_back(Sending::new(id, message));
        Ok(id)
    }

    /// Whether another message can be enqueued.
    pub fn has_room(&self) -> bool {
        self.messages.len() < self.config.queue_limit
    }

    /// Takes a whole frame, a response or REPORT, that goes out before the next chunk and interrupts a
    /// running one. The driver bounds how many it hands over.
    pub fn push_control(&mut self, frame: Bytes) {
        self.control.push_back(frame);
    }

    /// Ends the running chunk, if it can be interrupted, after the piece that is under way: somebody else wants
    /// the connection.
    pub fn interrupt(&mut self) {
        self.interrupt = self.chunk.is_some();
    }

    /// Whether a frame has been begun and not finished, so that nobody else may write.
    pub fn is_mid_frame(&self) -> bool {
        self.chunk.is_some()
    }

    /// The next thing to do; none until something else happens. `now` is after the last write was done.
    pub fn poll(&mut self, now: Instant, rng: &mut impl CryptoRng) -> Option<Step> {
        self.transactions
            .start_timers(now + self.config.transaction_timeout);
        match self.chunk.take() {
            Some(chunk) => Some(self.continue_chunk(chunk)),
            None => self.begin_frame(rng),
        }
    }

    /// The octets asked for by [`Step::NeedBody`]. Octets beyond the announced length are dropped; none at all
    /// mean that the body ended early.
    pub fn supply_body(&mut self, id: OutboundId, octets: Bytes) {
        if octets.is_empty() {
            return self.fail_body(id);
        }
        if let Some(message) = self.message_mut(id) {
            message.supply(octets);
        }
    }

    /// The body cannot be read: the message is given up.
    pub fn fail_body(&mut self, id: OutboundId) {
        self.settle(id, Outcome::Failed(Failure::BodyUnavailable));
    }

    /// Takes a response to one of our chunks; one that matches nothing is ignored.
    pub fn handle_response(&mut self, now: Instant, response: &Response) {
        let Some(id) = self
            .transactions
            .answered(&response.transaction_id, response.code)
        else {
            return;
        };
        if response.code == status::OK {
            return self.acknowledge(now, id);
        }
        self.settle(id, Outcome::Refused(response.code));
        if matches!(
            response.code,
            status::TIMED_OUT | status::NO_SESSION | status::WRONG_CONNECTION
        ) {
            self.stop(Failure::SessionFailed);
        }
    }

    /// Takes a REPORT; one for an unknown Message-ID is ignored (ERR-39).
    pub fn handle_report(&mut self, report: &RequestHead) {
        let Some(message_id) = &report.message_id else {
            return;
        };
        let found = self
            .messages
            .iter_mut()
            .find(|held| held.is_begun_as(message_id));
        let (Some(message), Some(status)) = (found, &report.status) else {
            return;
        };
        let id = message.id();
        if !status.is_success() {
            return self.settle(id, Outcome::Failed(Failure::Reported(status.code)));
        }
        message.reported(report.byte_range.as_ref());
        if message.is_covered_by_reports() {
            self.settle(id, Outcome::Delivered);
        }
    }

    /// Fails what has waited too long; with it the session (3.5).
    pub fn handle_timeout(&mut self, now: Instant) {
        while let Some(id) = self.transactions.expired(now) {
            self.settle(id, Outcome::Failed(Failure::TransactionTimeout));
            self.stop(Failure::SessionFailed);
        }
        let late = self.messages.iter().filter(|held| held.report_is_late(now));
        for id in late.map(Sending::id).collect::<Vec<_>>() {
            self.settle(id, Outcome::Failed(Failure::ReportTimeout));
            self.stop(Failure::SessionFailed);
        }
    }

    /// When [`handle_timeout`](Outbox::handle_timeout) is due.
    pub fn next_timeout(&self) -> Option<Instant> {
        let reports = self.messages.iter().filter_map(Sending::report_deadline);
        reports.chain(self.transactions.next_deadline()).min()
    }

    /// Ends every message with this failure and takes no more. A running chunk is ended with `#` by the next
    /// [`poll`](Outbox::poll).
    pub fn end(&mut self, failure: Failure) {
        self.ended.get_or_insert(failure);
        for id in self.messages.iter().map(Sending::id).collect::<Vec<_>>() {
            self.settle(id, Outcome::Failed(failure));
        }
        self.abandoned.clear();
    }

    /// What became of the next message that was settled.
    pub fn poll_outcome(&mut self) -> Option<(OutboundId, Outcome)> {
        self.outcomes.pop_front()
    }

    /// Whether every message is settled and every frame written.
    pub fn is_idle(&self) -> bool {
        self.messages.is_empty() && self.control.is_empty() && self.chunk.is_none()
    }

    fn acknowledge(&mut self, now: Instant, id: OutboundId) {
        let more_to_come = self.transactions.is_waiting_for(id);
        let deadline = now + self.config.report_timeout;
        let Some(message) = self.message_mut(id) else {
            return;
        };
        if more_to_come || !message.is_sent() {
            return;
        }
        if message.wants_report() {
            message.wait_for_report(deadline);
        } else {
            self.settle(id, Outcome::Delivered);
        }
    }

    /// After a failure of the session nothing more is begun; what is fully sent may still be answered.
    fn stop(&mut self, failure: Failure) {
        self.ended.get_or_insert(failure);
        let unsent = self
            .messages
            .iter()
            .filter(|held| !held.is_sent())
            .map(Sending::id);
        for id in unsent.collect::<Vec<_>>() {
            self.settle(id, Outcome::Failed(failure));
        }
    }

    fn settle(&mut self, id: OutboundId, outcome: Outcome) {
        let Some(at) = self.messages.iter().position(|held| held.id() == id) else {
            return;
        };
        let Some(message) = self.messages.remove(at) else {
            return;
        };
        self.transactions.forget(id);
        let cut_short = message.is_begun() && !message.is_sent();
        let in_chunk = self
            .chunk
            .as_ref()
            .is_some_and(|chunk| chunk.message() == id);
        // A peer that refused knows that no more comes (RFC 4975 §7.3.1).
        if cut_short && !in_chunk && !matches!(outcome, Outcome::Refused(_)) {
            self.abandoned.push_back(message);
        }
        self.outcomes.push_back((id, outcome));
    }

    fn begin_frame(&mut self, rng: &mut impl CryptoRng) -> Option<Step> {
        self.interrupt = false;
        if let Some(frame) = self.control.pop_front() {
            return Some(Step::Write(frame));
        }
        if let Some(message) = self.abandoned.pop_front() {
            let transaction_id = TransactionId::generate(rng);
            return Some(Step::Write(
                message.abort_frame(transaction_id, &self.config),
            ));
        }
        if self.ended.is_some() || self.transactions.waiting() >= self.config.chunk_window {
            return None;
        }
        self.begin_chunk(rng)
    }

    fn begin_chunk(&mut self, rng: &mut impl CryptoRng) -> Option<Step> {
        let begun = self.messages.iter().filter(|held| held.is_begun()).count();
        let config = &self.config;
        let message = self.messages.iter_mut().find(|held| !held.is_sent())?;
        if !message.is_begun() && begun >= config.message_window {
            return None;
        }
        let length = message.remaining().min(config.chunk_octets.max(1));
        let interruptible = length > INTERRUPTIBLE_ABOVE_OCTETS;
        if let Some(max_octets) = message.missing_for(length, interruptible, config.piece_octets) {
            return Some(Step::NeedBody {
                message: message.id(),
                max_octets,
            });
        }
        let (mut chunk, head) = Chunk::begin(message, length, config, rng);
        self.transactions
            .begin(chunk.transaction_id().clone(), message);
        let mut bytes = BytesMut::new();
        head.print(&mut bytes);
        bytes.extend_from_slice(&chunk.first_piece(message));
        if interruptible {
            self.chunk = Some(chunk);
        } else {
            self.end_chunk(&chunk, ChunkEnd::Reached, &mut bytes);
        }
        Some(Step::Write(bytes.freeze()))
    }

    fn continue_chunk(&mut self, mut chunk: Chunk) -> Step {
        let wanted_by_others = self.interrupt || !self.control.is_empty();
        let piece_octets = self.config.piece_octets;
        let message = self
            .messages
            .iter_mut()
            .find(|held| held.id() == chunk.message());
        let end = match message {
            None => ChunkEnd::GivenUp,
            Some(message) if chunk.is_full(message) => ChunkEnd::Reached,
            Some(_) if wanted_by_others => ChunkEnd::Reached,
            Some(message) => {
                if let Some(max_octets) = message.missing_for(1, true, piece_octets) {
                    let step = Step::NeedBody {
                        message: message.id(),
                        max_octets,
                    };
                    self.chunk = Some(chunk);
                    return step;
                }
                let piece = chunk.next_piece(message);
                if !piece.is_empty() {
                    self.chunk = Some(chunk);
                    return Step::Write(piece);
                }
                ChunkEnd::Reached
            }
        };
        let mut bytes = BytesMut::new();
        self.end_chunk(&chunk, end, &mut bytes);
        Step::Write(bytes.freeze())
    }

    fn end_chunk(&mut self, chunk: &Chunk, end: ChunkEnd, out: &mut BytesMut) {
        let Outbox {
            messages,
            transactions,
            outcomes,
            ..
        } = self;
        let at = messages
            .iter()
            .position(|held| held.id() == chunk.message());
        let message = at.and_then(|at| messages.get(at));
        let flag = chunk.flag(end, message);
        end_line(out, chunk.transaction_id(), flag, chunk.has_body());
        transactions.end(chunk.transaction_id());
        // Without responses to wait for, sent is all there is to know (RFC 4975 §7.1.2).
        if let Some((at, message)) = at.zip(message)
            && message.is_sent()
            && message.settles_when_sent()
        {
            outcomes.push_back((message.id(), Outcome::Delivered));
            transactions.forget(chunk.message());
            messages.remove(at);
        }
    }

    fn message_mut(&mut self, id: OutboundId) -> Option<&mut Sending> {
        self.messages.iter_mut().find(|held| held.id() == id)
    }
}
