//! The machine itself: what is written next, and what the peer's answers mean.

use std::collections::VecDeque;
use std::time::Instant;

use bytes::{Bytes, BytesMut};
use rand::CryptoRng;

use crate::frame::{RequestHead, Response};
use crate::id::TransactionId;
use crate::print::end_line;
use crate::status;

use super::chunk::{Chunk, ChunkEnd};
use super::message::Sending;
use super::transactions::Transactions;
use super::{
    Failure, INTERRUPTIBLE_ABOVE_OCTETS, OutboundId, OutboundMessage, OutboxConfig, OutboxRefusal,
    Outcome, Step,
};

/// Responses and REPORTs held before the driver is asked to wait with more.
const CONTROL_LIMIT: usize = 16;

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

    /// Takes a whole frame, a response or REPORT, that goes out before the next chunk and
    /// interrupts a running one, see [`has_room_for_control`](Outbox::has_room_for_control).
    pub fn push_control(&mut self, frame: Bytes) {
        self.control.push_back(frame);
    }

    /// Whether another frame may be handed to [`push_control`](Outbox::push_control) before some
    /// are written.
    pub fn has_room_for_control(&self) -> bool {
        self.control.len() < CONTROL_LIMIT
    }

    /// Ends the running chunk, if it can be interrupted, after the piece that is under way:
    /// somebody else wants the connection.
    pub fn interrupt(&mut self) {
        self.interrupt = self.chunk.is_some();
    }

    /// Whether a frame has been begun and not finished, so that nobody else may write.
    pub fn is_mid_frame(&self) -> bool {
        self.chunk.is_some()
    }

    /// The next thing to do; none until something else happens. `now` is after the last write was
    /// done.
    pub fn poll(&mut self, now: Instant, rng: &mut impl CryptoRng) -> Option<Step> {
        self.transactions
            .start_timers(now + self.config.transaction_timeout);
        match self.chunk.take() {
            Some(chunk) => Some(self.continue_chunk(chunk)),
            None => self.begin_frame(rng),
        }
    }

    /// The octets asked for by [`Step::NeedBody`]. Octets beyond the announced length are dropped;
    /// none at all mean that the body ended early.
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

    /// Ends every message with this failure and takes no more. What was cut short is still ended
    /// with `#` by the [`poll`](Outbox::poll)s that follow.
    pub fn end(&mut self, failure: Failure) {
        self.ended.get_or_insert(failure);
        for id in self.messages.iter().map(Sending::id).collect::<Vec<_>>() {
            self.settle(id, Outcome::Failed(failure));
        }
    }

    /// What became of the next message that was settled.
    pub fn poll_outcome(&mut self) -> Option<(OutboundId, Outcome)> {
        self.outcomes.pop_front()
    }

    /// Whether every message is settled and every frame written.
    pub fn is_idle(&self) -> bool {
        let nothing_to_say = self.control.is_empty() && self.abandoned.is_empty();
        self.messages.is_empty() && self.chunk.is_none() && nothing_to_say
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

    /// After a failure of the session nothing more is begun; what is fully sent may still be
    /// answered.
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
