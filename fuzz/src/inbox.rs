//! An inbox fed through the decoder, and what its sender and its user may rely on.

use std::collections::BTreeMap;

use arbitrary::Arbitrary;
use bytes::Bytes;
use msrp::{
    Collector, Decoder, FailureReport, FinalAnswer, Inbox, InboxEvent, InboxRules, MessageId,
    Method, Path, RequestHead, Response, TransactionId,
};
use rand::{SeedableRng, rngs::StdRng};

use crate::chunks::Chunk;

const MAX_OCTETS: u64 = 4096;
const OPEN_MESSAGES: usize = 2;

/// A SEND with one chunk of one of four messages.
#[derive(Arbitrary, Clone, Debug)]
pub struct Send {
    message: u8,
    chunk: Chunk,
    typed: bool,
    success_report: bool,
    failure_report: u8,
    /// Whether the user takes the message if this SEND completes it.
    taken: bool,
}

impl Send {
    fn head(&self, transaction_id: TransactionId) -> RequestHead {
        let path = |text: &str| text.parse::<Path>().expect("a path");
        let (to, from) = (
            path("msrp://a.example.org:1/b;tcp"),
            path("msrp://c.example.org:2/d;tcp"),
        );
        let mut head = RequestHead::new(transaction_id, Method::Send, to, from);
        head.message_id = Some(format!("m{}", self.message % 4).parse().expect("an id"));
        head.byte_range = Some(self.chunk.range());
        head.success_report = Some(self.success_report);
        head.failure_report = [
            None,
            Some(FailureReport::Yes),
            Some(FailureReport::Partial),
            Some(FailureReport::No),
        ][usize::from(self.failure_report % 4)];
        head.content_type = self.typed.then(|| "text/plain".to_owned());
        head
    }

    fn body(&self) -> Vec<u8> {
        let octets = self
            .chunk
            .pieces
            .iter()
            .map(|length| usize::from(*length))
            .sum();
        vec![self.chunk.fill; octets]
    }
}

/// Octets of a message by their places, and the collector that has to hold the same.
#[derive(Default)]
struct Held {
    places: BTreeMap<u64, u8>,
    collector: Collector,
}

struct Receiver {
    decoder: Decoder,
    inbox: Inbox,
    open: BTreeMap<MessageId, Held>,
    rng: StdRng,
}

/// Feeds all SENDs to one inbox.
pub fn run(sends: &[Send]) {
    let rules = InboxRules {
        open_messages: OPEN_MESSAGES,
        ..InboxRules::up_to(MAX_OCTETS)
    };
    let mut receiver = Receiver {
        decoder: Decoder::new(),
        inbox: Inbox::new(rules),
        open: BTreeMap::new(),
        rng: StdRng::seed_from_u64(1),
    };
    for (number, send) in sends.iter().enumerate() {
        receiver.take(send, format!("tid{number}").parse().expect("an id"));
    }
}

impl Receiver {
    fn take(&mut self, send: &Send, transaction_id: TransactionId) {
        let head = send.head(transaction_id);
        self.decoder
            .push(&head.print_whole(&send.body(), send.chunk.flag.into()));
        let mut answers = Vec::new();
        while let Some(event) = self.decoder.next_event().expect("a frame of the printer") {
            self.inbox.handle(event);
            while let Some(event) = self.inbox.poll_event() {
                answers.extend(self.note(event, send));
                assert!(self.open.len() <= OPEN_MESSAGES);
            }
        }
        check_answers(&head, &answers);
    }

    /// The code of the answer, if the event is one or ends in one.
    fn note(&mut self, event: InboxEvent, send: &Send) -> Option<Answer> {
        match event {
            InboxEvent::Reply(response) => return Some(Answer::Sent(*response)),
            InboxEvent::Started { message_id, .. } => {
                assert!(
                    self.open.insert(message_id, Held::default()).is_none(),
                    "started twice"
                );
            }
            InboxEvent::Octets {
                message_id,
                offset,
                octets,
            } => self.put(&message_id, offset, &octets),
            InboxEvent::Complete {
                message_id,
                total,
                answer,
            } => {
                self.complete(&message_id, total);
                return Some(self.decide(*answer, send.taken));
            }
            InboxEvent::Abandoned { message_id, .. } => {
                self.open
                    .remove(&message_id)
                    .expect("only an open message is abandoned");
            }
            InboxEvent::Report(_) => panic!("nobody sent a REPORT"),
        }
        None
    }

    fn put(&mut self, message_id: &MessageId, offset: u64, octets: &Bytes) {
        let held = self
            .open
            .get_mut(message_id)
            .expect("octets of an open message");
        assert!(
            offset + octets.len() as u64 <= MAX_OCTETS,
            "the limit holds"
        );
        held.collector.put(offset, octets);
        held.places.extend((offset..).zip(octets.iter().copied()));
    }

    fn complete(&mut self, message_id: &MessageId, total: u64) {
        let held = self
            .open
            .remove(message_id)
            .expect("only an open message is completed");
        assert!(
            held.places.keys().copied().eq(0..total),
            "every octet and no other"
        );
        let body: Vec<u8> = held.places.into_values().collect();
        assert_eq!(held.collector.finish(total), body);
    }

    fn decide(&mut self, answer: FinalAnswer, taken: bool) -> Answer {
        if taken {
            let (response, report) = answer.accept(&mut self.rng);
            Answer::Decided(response, report.is_some())
        } else {
            Answer::Decided(answer.refuse(413), false)
        }
    }
}

#[derive(Debug)]
enum Answer {
    Sent(Response),
    /// The answer to the completing SEND, and whether a success REPORT goes with it.
    Decided(Option<Response>, bool),
}

/// Each SEND is answered once, as its Failure-Report says (ERR-38), and reported only if it asked.
fn check_answers(head: &RequestHead, answers: &[Answer]) {
    assert!(answers.len() <= 1, "{answers:?}");
    let wanted = head.wanted_responses();
    let response = match answers.first() {
        Some(Answer::Sent(response)) => Some(response),
        Some(Answer::Decided(response, reported)) => {
            assert!(!reported || head.wants_success_report());
            response.as_ref()
        }
        None => None,
    };
    match response {
        Some(response) => {
            assert_eq!(response.transaction_id, head.transaction_id);
            assert!(wanted.wants(response.code), "{response:?} to {wanted:?}");
        }
        None => assert_ne!(wanted, FailureReport::Yes, "an answer is missing"),
    }
}
