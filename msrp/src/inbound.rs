//! The receiving half of a session: decoder events in, answers and positioned octets out.
//!
//! Chunks of a message may come in any order, overlap and interleave with those of others. Octets
//! are passed on where they belong as they arrive; nothing is gathered here. The response to the
//! SEND that completes a message is not sent but handed out as a [`FinalAnswer`], so that it can
//! wait until the message is safe.

mod answer;
mod collect;
mod event;
mod reassembly;
mod rules;

use std::collections::VecDeque;

use bytes::Bytes;

use crate::byte_range::ByteRange;
use crate::decoder::Event;
use crate::frame::{Continuation, Method, RequestHead, Response};
use crate::id::MessageId;
use crate::status;

pub use answer::FinalAnswer;
pub use collect::Collector;
pub use event::{Abandonment, InboxEvent};
pub use reassembly::{MAX_GAPS, Progress, Reassembly, Refusal};
pub use rules::InboxRules;

/// Messages whose fate is remembered, so that a late chunk of one gets the right answer.
const REMEMBERED_MESSAGES: usize = 64;

/// The receiving half of one session.
#[derive(Debug)]
pub struct Inbox {
    rules: InboxRules,
    open: Vec<Open>,
    /// Messages begun, without those that turned out to be empty.
    begun: usize,
    chunk: Option<Chunk>,
    remembered: VecDeque<(MessageId, Remembered)>,
    events: VecDeque<InboxEvent>,
}

/// A message of which something is missing.
#[derive(Debug)]
struct Open {
    message_id: MessageId,
    reassembly: Reassembly,
}

/// The chunk that is coming in.
#[derive(Debug)]
struct Chunk {
    head: Box<RequestHead>,
    target: Target,
}

impl Chunk {
    fn is_of(&self, message_id: &MessageId) -> bool {
        matches!(&self.target, Target::Message(own) if own == message_id)
    }
}

#[derive(Debug)]
enum Target {
    /// Its octets belong to this message.
    Message(MessageId),
    /// No content and no message: keeps or binds a connection (RFC 4975 §5.4).
    Empty,
    /// A piece of a message that is complete.
    Repeated,
    /// Answered already, or never to be answered.
    Ignored,
}

/// What is left of a message that is no longer open.
#[derive(Debug, Clone, Copy)]
enum Remembered {
    Complete,
    Refused(u16),
}

impl Inbox {
    /// An empty receiving half.
    pub fn new(rules: InboxRules) -> Inbox {
        Inbox {
            rules,
            open: Vec::new(),
            begun: 0,
            chunk: None,
            remembered: VecDeque::new(),
            events: VecDeque::new(),
        }
    }

    /// Takes what the decoder found in a request of this session. Responses belong to the sending
    /// half and are ignored here.
    pub fn handle(&mut self, event: Event) {
        match event {
            Event::RequestHead { head, raw } => self.handle_head(head, &raw),
            Event::Body(octets) => self.handle_octets(octets),
            Event::RequestEnd(flag) => self.handle_end(flag),
            Event::Response(_) => {}
        }
    }

    /// The next thing that came of it. Take all of them after every [`handle`](Inbox::handle).
    pub fn poll_event(&mut self) -> Option<InboxEvent> {
        self.events.pop_front()
    }

    /// Whoever takes a message wants no more of it: it is refused with 413, at once if one of its
    /// chunks is coming in, else with its next one (RFC 4975 §7.3).
    pub fn stop(&mut self, message_id: &MessageId) {
        if self.reassembly(message_id).is_none() {
            return;
        }
        let code = status::STOP_SENDING;
        let Some(chunk) = self.chunk.take_if(|chunk| chunk.is_of(message_id)) else {
            self.remember(message_id.clone(), Remembered::Refused(code));
            return self.abandon(message_id.clone(), Abandonment::Refused(code));
        };
        let target = self.refuse(&chunk.head, code);
        self.chunk = Some(Chunk { target, ..chunk });
    }

    fn handle_head(&mut self, head: Box<RequestHead>, raw: &[u8]) {
        let target = match (&head.method, head.message_id.clone()) {
            (Method::Report, _) => {
                self.events.push_back(InboxEvent::Report(head.clone()));
                Target::Ignored
            }
            (Method::Send, Some(message_id)) => match self.begin(&head, raw, message_id) {
                Ok(target) => target,
                Err(code) => self.refuse(&head, code),
            },
            (Method::Send, None) => self.refuse(&head, status::BAD_REQUEST),
            (Method::Other(_), _) => self.refuse(&head, status::UNKNOWN_METHOD),
        };
        self.chunk = Some(Chunk { head, target });
    }

    fn begin(
        &mut self,
        head: &RequestHead,
        raw_head: &[u8],
        message_id: MessageId,
    ) -> Result<Target, u16> {
        match self.remembered(&message_id) {
            Some(Remembered::Complete) => return Ok(Target::Repeated),
            Some(Remembered::Refused(code)) => return Err(code),
            None => {}
        }
        let is_open = self.open.iter().any(|held| held.message_id == message_id);
        if !is_open {
            let Some(content_type) = &head.content_type else {
                return Ok(Target::Empty);
            };
            self.admit(content_type)?;
            self.begun += 1;
            let reassembly = Reassembly::new(self.rules.max_octets);
            self.open.push(Open {
                message_id: message_id.clone(),
                reassembly,
            });
            // A copy: as received, the head would hold on to the whole receive buffer.
            let raw_head = Bytes::copy_from_slice(raw_head);
            let (message_id, head) = (message_id.clone(), Box::new(head.clone()));
            self.events.push_back(InboxEvent::Started {
                message_id,
                head,
                raw_head,
            });
        }
        let range = head.byte_range.unwrap_or(ByteRange::UNSTATED);
        let begun = self
            .reassembly(&message_id)
            .map(|held| held.begin_chunk(&range));
        match begun {
            Some(Err(refusal)) => Err(refusal.code()),
            _ => Ok(Target::Message(message_id)),
        }
    }

    fn admit(&self, content_type: &str) -> Result<(), u16> {
        if !self.rules.receive {
            return Err(status::FORBIDDEN);
        }
        if !self.rules.accept.accepts(content_type) {
            return Err(status::UNSUPPORTED_TYPE);
        }
        let is_one_too_many = self.open.len() >= self.rules.open_messages;
        if is_one_too_many || self.begun >= self.rules.messages {
            return Err(status::STOP_SENDING);
        }
        Ok(())
    }

    fn handle_octets(&mut self, octets: Bytes) {
        let Some(chunk) = self.chunk.take() else {
            return;
        };
        let refused = match &chunk.target {
            Target::Message(message_id) => self.place(message_id, octets).err(),
            // Content without a Content-Type (RFC 4975 §9 has no such frame).
            Target::Empty => Some(status::UNSUPPORTED_TYPE),
            Target::Repeated | Target::Ignored => None,
        };
        let Chunk { head, target } = chunk;
        let target = match refused {
            Some(code) => self.refuse(&head, code),
            None => target,
        };
        self.chunk = Some(Chunk { head, target });
    }

    fn place(&mut self, message_id: &MessageId, octets: Bytes) -> Result<(), u16> {
        let Some(reassembly) = self.reassembly(message_id) else {
            return Ok(());
        };
        let offset = reassembly
            .place(octets.len() as u64)
            .map_err(Refusal::code)?;
        let message_id = message_id.clone();
        self.events.push_back(InboxEvent::Octets {
            message_id,
            offset,
            octets,
        });
        Ok(())
    }

    fn handle_end(&mut self, flag: Continuation) {
        let Some(Chunk { head, target }) = self.chunk.take() else {
            return;
        };
        match target {
            Target::Message(message_id) => self.end_chunk(&head, message_id, flag),
            Target::Empty => self.reply(&head, status::OK),
            // The answer to the completing SEND may still be open: no 200 may look like it (P1).
            Target::Repeated if flag == Continuation::Complete => {
                self.reply(&head, status::STOP_SENDING);
            }
            Target::Repeated => self.reply(&head, status::OK),
            Target::Ignored => {}
        }
    }

    fn end_chunk(&mut self, head: &RequestHead, message_id: MessageId, flag: Continuation) {
        let Some(reassembly) = self.reassembly(&message_id) else {
            return;
        };
        match reassembly.end_chunk(flag) {
            Ok(Progress::Partial) => self.reply(head, status::OK),
            Ok(Progress::Complete { total: 0 }) => {
                self.begun = self.begun.saturating_sub(1);
                self.abandon(message_id, Abandonment::Empty);
                self.reply(head, status::OK);
            }
            Ok(Progress::Complete { total }) => {
                self.open.retain(|held| held.message_id != message_id);
                self.remember(message_id.clone(), Remembered::Complete);
                let answer = Box::new(FinalAnswer::new(head, total));
                self.events.push_back(InboxEvent::Complete {
                    message_id,
                    total,
                    answer,
                });
            }
            Ok(Progress::Aborted) => {
                self.abandon(message_id, Abandonment::BySender);
                self.reply(head, status::OK);
            }
            Err(refusal) => {
                self.refuse(head, refusal.code());
            }
        }
    }

    /// Answers at once, gives the message up and drops what is left of the chunk.
    fn refuse(&mut self, head: &RequestHead, code: u16) -> Target {
        self.reply(head, code);
        if let (Method::Send, Some(message_id)) = (&head.method, &head.message_id)
            && self.remembered(message_id).is_none()
        {
            self.remember(message_id.clone(), Remembered::Refused(code));
            self.abandon(message_id.clone(), Abandonment::Refused(code));
        }
        Target::Ignored
    }

    fn abandon(&mut self, message_id: MessageId, why: Abandonment) {
        let held = self.open.len();
        self.open.retain(|open| open.message_id != message_id);
        if self.open.len() < held {
            self.events
                .push_back(InboxEvent::Abandoned { message_id, why });
        }
    }

    fn reply(&mut self, head: &RequestHead, code: u16) {
        if head.wanted_responses().wants(code) {
            self.events
                .push_back(InboxEvent::Reply(Box::new(Response::to(head, code))));
        }
    }

    fn reassembly(&mut self, message_id: &MessageId) -> Option<&mut Reassembly> {
        let found = self
            .open
            .iter_mut()
            .find(|held| held.message_id == *message_id);
        found.map(|held| &mut held.reassembly)
    }

    fn remembered(&self, message_id: &MessageId) -> Option<Remembered> {
        let found = self.remembered.iter().find(|(held, _)| held == message_id);
        found.map(|(_, remembered)| *remembered)
    }

    fn remember(&mut self, message_id: MessageId, what: Remembered) {
        if self.remembered.len() == REMEMBERED_MESSAGES {
            self.remembered.pop_front();
        }
        self.remembered.push_back((message_id, what));
    }
}
