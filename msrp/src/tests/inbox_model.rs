//! The receiving half against a model: chunks in any order, given up by their sender, stopped by their taker.

use std::fmt::Write as _;

use proptest::prelude::*;

use super::{LOCAL, PEER, events};
use crate::{Abandonment, Collector, Event, Inbox, InboxEvent, InboxRules};

/// Octets of every message.
const TOTAL: usize = 24;
const MESSAGES: usize = 2;

/// A SEND with one chunk, and a message that is stopped while it comes in.
#[derive(Clone, Debug)]
struct Step {
    message: usize,
    start: usize,
    length: usize,
    fill: u8,
    aborts: bool,
    /// Which message, and before which event of the frame; 3 is behind the last.
    stop: Option<(usize, usize)>,
}

impl Step {
    fn flag(&self) -> char {
        match self.aborts {
            true => '#',
            false if self.start + self.length == TOTAL => '$',
            false => '+',
        }
    }

    fn frame(&self, transaction: &str) -> String {
        let body = char::from(self.fill).to_string().repeat(self.length);
        format!(
            "MSRP {transaction} SEND\r\nTo-Path: {LOCAL}\r\nFrom-Path: {PEER}\r\nMessage-ID: m{}\r\n\
             Byte-Range: {}-*/{TOTAL}\r\nContent-Type: text/plain\r\n\r\n{body}\r\n-------{transaction}{}\r\n",
            self.message,
            self.start + 1,
            self.flag()
        )
    }
}

fn step() -> impl Strategy<Value = Step> {
    let stop = proptest::option::weighted(0.1, (0..MESSAGES, 0..=3_usize));
    let chunk = (0..TOTAL, 1..=TOTAL, b'a'..=b'z');
    let aborts = proptest::bool::weighted(0.05);
    (0..MESSAGES, chunk, aborts, stop).prop_map(|(message, (start, length, fill), aborts, stop)| {
        Step {
            message,
            start,
            length: length.min(TOTAL - start),
            fill,
            aborts,
            stop,
        }
    })
}

/// What a message is to the model.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
enum State {
    #[default]
    Unknown,
    Open {
        octets: [Option<u8>; TOTAL],
        end_seen: bool,
    },
    Complete,
    Stopped,
}

/// What has to come of the steps, line by line.
#[derive(Debug, Default)]
struct Model {
    states: [State; MESSAGES],
    expected: String,
    /// Whether the chunk that is coming in has had its answer.
    is_answered: bool,
}

impl Model {
    fn say(&mut self, line: impl std::fmt::Display) {
        let _ = writeln!(self.expected, "{line}");
    }

    fn reply(&mut self, transaction: &str, code: u16) {
        self.is_answered = true;
        self.say(format_args!("{transaction} {code}"));
    }

    fn head(&mut self, step: &Step, transaction: &str) {
        self.is_answered = false;
        match self.states[step.message] {
            State::Stopped => self.reply(transaction, 413),
            State::Unknown => {
                let octets = [None; TOTAL];
                let end_seen = false;
                self.states[step.message] = State::Open { octets, end_seen };
                self.say(format_args!("m{} started", step.message));
            }
            State::Open { .. } | State::Complete => {}
        }
    }

    fn body(&mut self, step: &Step) {
        if let State::Open { octets, .. } = &mut self.states[step.message]
            && !self.is_answered
        {
            octets[step.start..step.start + step.length].fill(Some(step.fill));
            self.say(format_args!("m{} octets {}", step.message, step.start));
        }
    }

    fn end(&mut self, step: &Step, transaction: &str) {
        if self.is_answered {
            return;
        }
        match &mut self.states[step.message] {
            State::Open { .. } if step.aborts => {
                self.states[step.message] = State::Unknown;
                self.say(format_args!("m{} given up", step.message));
                self.reply(transaction, 200);
            }
            State::Open { octets, end_seen } => {
                *end_seen |= step.flag() == '$';
                let body: Option<Vec<u8>> = octets.iter().copied().collect();
                match body.filter(|_| *end_seen) {
                    None => self.reply(transaction, 200),
                    Some(body) => {
                        self.states[step.message] = State::Complete;
                        let body = String::from_utf8_lossy(&body).into_owned();
                        self.say(format_args!("m{} complete {body}", step.message));
                    }
                }
            }
            // Nothing may look like the answer to the SEND that completed it.
            _ => self.reply(transaction, if step.flag() == '$' { 413 } else { 200 }),
        }
    }

    /// `coming_in`: the chunk that is, if it is one of this message.
    fn stop(&mut self, message: usize, coming_in: Option<&str>) {
        if !matches!(self.states[message], State::Open { .. }) {
            return;
        }
        self.states[message] = State::Stopped;
        if let Some(transaction) = coming_in {
            self.reply(transaction, 413);
        }
        self.say(format_args!("m{message} refused 413"));
    }
}

/// What came of it, in the same words.
#[derive(Default)]
struct Seen {
    lines: String,
    bodies: [Collector; MESSAGES],
}

impl Seen {
    fn drain(&mut self, inbox: &mut Inbox) {
        while let Some(event) = inbox.poll_event() {
            let line = match event {
                InboxEvent::Reply(response) => {
                    format!("{} {}", response.transaction_id, response.code)
                }
                InboxEvent::Started { message_id, .. } => format!("{message_id} started"),
                InboxEvent::Octets {
                    message_id,
                    offset,
                    octets,
                } => {
                    self.body(message_id.as_str()).put(offset, &octets);
                    format!("{message_id} octets {offset}")
                }
                InboxEvent::Complete {
                    message_id, total, ..
                } => {
                    let body = std::mem::take(self.body(message_id.as_str())).finish(total);
                    format!("{message_id} complete {}", String::from_utf8_lossy(&body))
                }
                InboxEvent::Abandoned { message_id, why } => {
                    *self.body(message_id.as_str()) = Collector::default();
                    match why {
                        Abandonment::BySender => format!("{message_id} given up"),
                        Abandonment::Refused(code) => format!("{message_id} refused {code}"),
                        Abandonment::Empty => format!("{message_id} empty"),
                    }
                }
                InboxEvent::Report(_) => "a report".to_owned(),
            };
            let _ = writeln!(self.lines, "{line}");
        }
    }

    fn body(&mut self, message_id: &str) -> &mut Collector {
        &mut self.bodies[usize::from(message_id.ends_with('1'))]
    }
}

proptest! {
    #[test]
    fn an_inbox_does_what_the_model_does(steps in proptest::collection::vec(step(), 1..40)) {
        let mut inbox = Inbox::new(InboxRules::up_to(TOTAL as u64));
        let (mut model, mut seen) = (Model::default(), Seen::default());
        for (number, step) in steps.iter().enumerate() {
            let transaction = format!("tid{number}");
            let frame = events(&[step.frame(&transaction).as_bytes()]);
            prop_assert_eq!(frame.len(), 3);
            let mut frame = frame.into_iter();
            for place in 0..=3 {
                if let Some((message, _)) = step.stop.filter(|(_, at)| *at == place) {
                    inbox.stop(&format!("m{message}").parse().unwrap());
                    let is_coming_in = message == step.message && (1..3).contains(&place);
                    model.stop(message, is_coming_in.then_some(transaction.as_str()));
                }
                let Some(event) = frame.next() else { continue };
                match event {
                    Event::RequestHead { .. } => model.head(step, &transaction),
                    Event::Body(_) => model.body(step),
                    _ => model.end(step, &transaction),
                }
                inbox.handle(event);
                seen.drain(&mut inbox);
            }
            seen.drain(&mut inbox);
            prop_assert_eq!(&seen.lines, &model.expected);
        }
    }
}
