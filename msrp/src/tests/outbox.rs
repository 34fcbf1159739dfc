//! The sending half in virtual time.

use std::collections::HashMap;
use std::time::{Duration, Instant};

use bytes::Bytes;
use rand::rngs::StdRng;

use super::{LOCAL, PEER, events, path, rng};
use crate::{
    Continuation, Event, Failure, FailureReport, Method, OutboundId, OutboundMessage, Outbox,
    OutboxConfig, OutboxRefusal, Outcome, RequestHead, Response, Step, TransactionId,
};

/// A sending half with bodies, a clock and everything it wrote.
struct Sender {
    outbox: Outbox,
    bodies: HashMap<OutboundId, Bytes>,
    now: Instant,
    rng: StdRng,
    /// Written and not yet read as frames.
    written: Vec<u8>,
}

/// A SEND as the peer sees it.
#[derive(Debug)]
struct Sent {
    head: Box<RequestHead>,
    body: Bytes,
    flag: Continuation,
}

impl Sender {
    fn new(change: impl FnOnce(&mut OutboxConfig)) -> Sender {
        let mut config = OutboxConfig::new(path(LOCAL), path(PEER));
        change(&mut config);
        Sender {
            outbox: Outbox::new(config),
            bodies: HashMap::new(),
            now: Instant::now(),
            rng: rng(),
            written: Vec::new(),
        }
    }

    fn enqueue(&mut self, name: &str, body: &[u8]) -> OutboundId {
        self.enqueue_message(message(name, body.len()), body)
    }

    fn enqueue_message(&mut self, message: OutboundMessage, body: &[u8]) -> OutboundId {
        let id = self.outbox.enqueue(message).expect("room");
        self.bodies.insert(id, Bytes::copy_from_slice(body));
        id
    }

    /// Does one step; whether there was one.
    fn step(&mut self) -> bool {
        match self.outbox.poll(self.now, &mut self.rng) {
            None => return false,
            Some(Step::Write(bytes)) => self.written.extend_from_slice(&bytes),
            Some(Step::NeedBody {
                message,
                max_octets,
            }) => {
                let body = self.bodies.get_mut(&message).expect("a body");
                let octets = body.split_to(max_octets.min(body.len()));
                self.outbox.supply_body(message, octets);
            }
        }
        true
    }

    fn run(&mut self) -> Vec<Sent> {
        while self.step() {}
        sends(&events(&[&std::mem::take(&mut self.written)]))
    }

    fn answer(&mut self, sent: &Sent, code: u16) {
        self.outbox
            .handle_response(self.now, &Response::to(&sent.head, code));
    }

    fn report(&mut self, name: &str, range: &str, code: u16) {
        let mut report = RequestHead::new(
            "rep1".parse().unwrap(),
            Method::Report,
            path(LOCAL),
            path(PEER),
        );
        report.message_id = Some(name.parse().unwrap());
        report.byte_range = Some(range.parse().unwrap());
        report.status = format!("000 {code} x").parse().ok();
        self.outbox.handle_report(&report);
    }

    fn pass(&mut self, time: Duration) {
        self.now += time;
        self.outbox.handle_timeout(self.now);
    }

    fn outcomes(&mut self) -> Vec<(OutboundId, Outcome)> {
        std::iter::from_fn(|| self.outbox.poll_outcome()).collect()
    }
}

fn message(name: &str, octets: usize) -> OutboundMessage {
    OutboundMessage::new(name.parse().unwrap(), "text/plain", octets as u64)
}

fn sends(events: &[Event]) -> Vec<Sent> {
    let mut sends: Vec<Sent> = Vec::new();
    for event in events {
        match (event, sends.last_mut()) {
            (Event::RequestHead { head, .. }, _) => {
                let (body, flag) = (Bytes::new(), Continuation::Complete);
                sends.push(Sent {
                    head: head.clone(),
                    body,
                    flag,
                });
            }
            (Event::Body(body), Some(sent)) => sent.body = body.clone(),
            (Event::RequestEnd(flag), Some(sent)) => sent.flag = *flag,
            _ => {}
        }
    }
    sends
}

fn range_of(sent: &Sent) -> String {
    sent.head.byte_range.expect("a range").to_string()
}

#[test]
fn small_message_is_one_exact_chunk_as_in_the_requirements() {
    let mut sender = Sender::new(|_| {});
    let mut message = message("dlv-13684434990-1", 5);
    message.content_type = Some("multipart/mixed;boundary=\"Kf2Zt8Qw0LmXc5Vb1N\"".to_owned());
    sender.enqueue_message(message, b"Hello");
    while sender.step() {}
    let id = TransactionId::generate(&mut rng());
    let expected = format!(
        "MSRP {id} SEND\r\nTo-Path: {PEER}\r\nFrom-Path: {LOCAL}\r\nMessage-ID: dlv-13684434990-1\r\n\
         Byte-Range: 1-5/5\r\nSuccess-Report: no\r\nFailure-Report: yes\r\n\
         Content-Type: multipart/mixed;boundary=\"Kf2Zt8Qw0LmXc5Vb1N\"\r\n\r\nHello\r\n-------{id}$\r\n"
    );
    assert_eq!(String::from_utf8_lossy(&sender.written), expected);
}

#[test]
fn binding_send_has_no_body_and_no_empty_line() {
    let mut sender = Sender::new(|_| {});
    sender.enqueue_message(OutboundMessage::binding("bind-1".parse().unwrap()), b"");
    while sender.step() {}
    let id = TransactionId::generate(&mut rng());
    let expected = format!(
        "MSRP {id} SEND\r\nTo-Path: {PEER}\r\nFrom-Path: {LOCAL}\r\nMessage-ID: bind-1\r\n\
         Byte-Range: 1-0/0\r\n-------{id}$\r\n"
    );
    assert_eq!(String::from_utf8_lossy(&sender.written), expected);
}

#[test]
fn chunks_above_2048_octets_are_interruptible_and_others_exact() {
    for (octets, range) in [
        (2048, "1-2048/2048"),
        (2049, "1-*/2049"),
        (3745, "1-*/3745"),
    ] {
        let mut sender = Sender::new(|_| {});
        sender.enqueue("msg1", &vec![b'x'; octets]);
        let sent = sender.run();
        assert_eq!(sent.len(), 1);
        assert_eq!(range_of(&sent[0]), range);
        assert_eq!(sent[0].body.len(), octets);
        assert_eq!(sent[0].flag, Continuation::Complete);
    }
}

#[test]
fn long_messages_are_cut_into_chunks_that_join_to_the_body() {
    let body: Vec<u8> = (0..50_000_u32).map(|at| at.to_le_bytes()[0]).collect();
    for chunk_octets in [1000, 2048, 5000, 100_000] {
        let mut sender = Sender::new(|config| {
            config.chunk_octets = chunk_octets;
            config.piece_octets = 777;
            config.chunk_window = 100;
        });
        let id = sender.enqueue("msg1", &body);
        let sent = sender.run();
        let mut joined = Vec::new();
        for chunk in &sent {
            assert_eq!(chunk.head.byte_range.unwrap().offset(), joined.len() as u64);
            joined.extend_from_slice(&chunk.body);
        }
        assert_eq!(joined, body);
        assert!(
            sent.iter()
                .rev()
                .skip(1)
                .all(|chunk| chunk.flag == Continuation::More)
        );
        assert_eq!(sent.last().unwrap().flag, Continuation::Complete);
        for chunk in &sent {
            assert_eq!(sender.outcomes(), []);
            sender.answer(chunk, 200);
        }
        assert_eq!(sender.outcomes(), [(id, Outcome::Delivered)]);
        assert!(sender.outbox.is_idle());
    }
}

#[test]
fn four_messages_are_under_way_and_the_fifth_waits() {
    let mut sender = Sender::new(|_| {});
    let ids: Vec<_> = (0..6)
        .map(|at| sender.enqueue(&format!("msg{at}"), b"x"))
        .collect();
    let sent = sender.run();
    assert_eq!(sent.len(), 4);
    sender.answer(&sent[1], 200);
    assert_eq!(sender.outcomes(), [(ids[1], Outcome::Delivered)]);
    let next = sender.run();
    assert_eq!(next.len(), 1);
    assert_eq!(next[0].head.message_id, Some("msg4".parse().unwrap()));
}

#[test]
fn queue_is_bounded() {
    let mut sender = Sender::new(|config| config.queue_limit = 2);
    sender.enqueue("msg1", b"x");
    sender.enqueue("msg2", b"x");
    assert!(!sender.outbox.has_room());
    assert_eq!(
        sender.outbox.enqueue(message("msg3", 1)),
        Err(OutboxRefusal::Full)
    );
}

#[test]
fn refusal_of_one_message_leaves_the_others_alone() {
    let mut sender = Sender::new(|_| {});
    let ids: Vec<_> = (0..3)
        .map(|at| sender.enqueue(&format!("msg{at}"), b"x"))
        .collect();
    let sent = sender.run();
    sender.answer(&sent[1], 413);
    sender.answer(&sent[0], 200);
    sender.answer(&sent[2], 200);
    let expected = [
        (ids[1], Outcome::Refused(413)),
        (ids[0], Outcome::Delivered),
        (ids[2], Outcome::Delivered),
    ];
    assert_eq!(sender.outcomes(), expected);
    assert!(sender.outbox.enqueue(message("msg4", 1)).is_ok());
}

#[test]
fn refusal_in_mid_chunk_ends_the_chunk_with_abort() {
    let mut sender = Sender::new(|config| config.piece_octets = 1000);
    let id = sender.enqueue("msg1", &[b'x'; 9000]);
    for _ in 0..4 {
        sender.step();
    }
    let tid = TransactionId::generate(&mut rng());
    let head = RequestHead::new(tid, Method::Send, path(PEER), path(LOCAL));
    sender
        .outbox
        .handle_response(sender.now, &Response::to(&head, 413));
    assert_eq!(sender.outcomes(), [(id, Outcome::Refused(413))]);
    let sent = sender.run();
    assert_eq!(sent.len(), 1);
    assert_eq!(sent[0].flag, Continuation::Aborted);
    assert!(sent[0].body.len() < 9000);
}

#[test]
fn a_200_before_the_end_line_acknowledges_nothing() {
    let mut sender = Sender::new(|config| config.piece_octets = 1000);
    let id = sender.enqueue("msg1", &[b'x'; 3000]);
    sender.step();
    sender.step();
    let tid = TransactionId::generate(&mut rng());
    let head = RequestHead::new(tid, Method::Send, path(PEER), path(LOCAL));
    sender
        .outbox
        .handle_response(sender.now, &Response::to(&head, 200));
    sender.run();
    assert_eq!(sender.outcomes(), []);
    sender.pass(Duration::from_secs(30));
    assert_eq!(
        sender.outcomes(),
        [(id, Outcome::Failed(Failure::TransactionTimeout))]
    );
}

#[test]
fn responses_interrupt_a_long_chunk() {
    let mut sender = Sender::new(|config| config.piece_octets = 1000);
    sender.enqueue("msg1", &[b'x'; 9000]);
    for _ in 0..4 {
        sender.step();
    }
    sender.outbox.push_control(Bytes::from_static(b"MSRP ctl1 200 OK\r\nTo-Path: msrp://a:1/b;tcp\r\nFrom-Path: msrp://a:1/c;tcp\r\n-------ctl1$\r\n"));
    while sender.step() {}
    let read = events(&[&std::mem::take(&mut sender.written)]);
    let response = read
        .iter()
        .position(|event| matches!(event, Event::Response(_)))
        .unwrap();
    let sent = sends(&read);
    assert_eq!(sent.len(), 2);
    assert_eq!(sent[0].flag, Continuation::More);
    assert_eq!(sent[0].body.len(), 2000);
    assert_eq!(
        (range_of(&sent[1]).as_str(), sent[1].body.len()),
        ("2001-*/9000", 7000)
    );
    assert!(matches!(
        read[response - 1],
        Event::RequestEnd(Continuation::More)
    ));
}

#[test]
fn other_sessions_interrupt_a_long_chunk() {
    let mut sender = Sender::new(|config| config.piece_octets = 1000);
    sender.enqueue("msg1", &[b'x'; 9000]);
    for _ in 0..4 {
        sender.step();
    }
    assert!(sender.outbox.is_mid_frame());
    sender.outbox.interrupt();
    assert!(sender.step());
    assert!(!sender.outbox.is_mid_frame());
    assert_eq!(sender.run().len(), 2);
}

#[test]
fn a_silent_peer_fails_the_message_after_30_seconds_and_the_session_with_it() {
    let mut sender = Sender::new(|_| {});
    let ids: Vec<_> = (0..5)
        .map(|at| sender.enqueue(&format!("msg{at}"), b"x"))
        .collect();
    let sent = sender.run();
    sender.answer(&sent[1], 200);
    sender.outcomes();
    assert_eq!(
        sender.outbox.next_timeout(),
        Some(sender.now + Duration::from_secs(30))
    );
    sender.pass(Duration::from_millis(29_999));
    assert_eq!(sender.outcomes(), []);
    sender.pass(Duration::from_millis(1));
    let timeout = Outcome::Failed(Failure::TransactionTimeout);
    let expected = [
        (ids[0], timeout),
        (ids[4], Outcome::Failed(Failure::SessionFailed)),
        (ids[2], timeout),
        (ids[3], timeout),
    ];
    assert_eq!(sender.outcomes(), expected);
    assert_eq!(
        sender.outbox.enqueue(message("msg9", 1)),
        Err(OutboxRefusal::Ended)
    );
    assert_eq!(sender.outbox.next_timeout(), None);
}

#[test]
fn the_timer_runs_from_the_last_octet_written() {
    let mut sender = Sender::new(|config| config.piece_octets = 1000);
    let id = sender.enqueue("msg1", &[b'x'; 3000]);
    while sender.outbox.next_timeout().is_none() {
        sender.pass(Duration::from_secs(100));
        assert_eq!(sender.outcomes(), []);
        sender.step();
    }
    assert!(sender.outbox.next_timeout() == Some(sender.now + Duration::from_secs(30)));
    sender.pass(Duration::from_secs(30));
    assert_eq!(
        sender.outcomes(),
        [(id, Outcome::Failed(Failure::TransactionTimeout))]
    );
}

#[test]
fn codes_that_end_the_session_stop_what_was_not_sent() {
    for code in [408, 481, 506] {
        let mut sender = Sender::new(|_| {});
        let ids: Vec<_> = (0..5)
            .map(|at| sender.enqueue(&format!("msg{at}"), b"x"))
            .collect();
        let sent = sender.run();
        sender.answer(&sent[0], code);
        let expected = [
            (ids[0], Outcome::Refused(code)),
            (ids[4], Outcome::Failed(Failure::SessionFailed)),
        ];
        assert_eq!(sender.outcomes(), expected);
        sender.answer(&sent[1], 200);
        assert_eq!(sender.outcomes(), [(ids[1], Outcome::Delivered)]);
    }
}

#[test]
fn behind_a_relay_only_covering_reports_deliver() {
    let mut sender = Sender::new(|_| {});
    let mut asked = message("msg1", 3000);
    asked.success_report = true;
    let id = sender.enqueue_message(asked, &[b'x'; 3000]);
    let sent = sender.run();
    assert_eq!(sent[0].head.success_report, Some(true));
    sender.answer(&sent[0], 200);
    sender.report("msg1", "1-2048/3000", 200);
    assert_eq!(sender.outcomes(), []);
    sender.report("other", "1-3000/3000", 200);
    assert_eq!(sender.outcomes(), []);
    sender.report("msg1", "2049-3000/3000", 200);
    assert_eq!(sender.outcomes(), [(id, Outcome::Delivered)]);
}

#[test]
fn missing_or_bad_reports_fail_the_message() {
    let mut sender = Sender::new(|_| {});
    let reported = |name| OutboundMessage {
        success_report: true,
        ..message(name, 1)
    };
    let late = sender.enqueue_message(reported("late"), b"x");
    let lost = sender.enqueue_message(reported("lost"), b"x");
    let sent = sender.run();
    sender.answer(&sent[0], 200);
    sender.answer(&sent[1], 200);
    sender.report("lost", "1-1/1", 413);
    assert_eq!(
        sender.outcomes(),
        [(lost, Outcome::Failed(Failure::Reported(413)))]
    );
    sender.pass(Duration::from_secs(119));
    assert_eq!(sender.outcomes(), []);
    sender.pass(Duration::from_secs(1));
    assert_eq!(
        sender.outcomes(),
        [(late, Outcome::Failed(Failure::ReportTimeout))]
    );
}

#[test]
fn without_failure_report_sent_is_delivered() {
    for failure_report in [FailureReport::No, FailureReport::Partial] {
        let mut sender = Sender::new(|_| {});
        let id = sender.enqueue_message(
            OutboundMessage {
                failure_report,
                ..message("msg1", 5)
            },
            b"Hello",
        );
        sender.run();
        assert_eq!(sender.outcomes(), [(id, Outcome::Delivered)]);
        assert!(sender.outbox.is_idle());
    }
}

#[test]
fn exact_chunk_gets_an_id_that_is_not_in_its_data() {
    let first = TransactionId::generate(&mut rng());
    let body = format!("a\r\n-------{first}$\r\nb");
    let mut sender = Sender::new(|_| {});
    sender.enqueue("msg1", body.as_bytes());
    let sent = sender.run();
    assert_eq!(sent.len(), 1);
    assert_ne!(sent[0].head.transaction_id, first);
    assert_eq!(sent[0].body, body);
}

#[test]
fn end_line_in_a_streamed_body_ends_the_chunk_before_it() {
    let first = TransactionId::generate(&mut rng());
    let mut body = vec![b'x'; 5000];
    body.extend(format!("\r\n-------{first}$\r\n").bytes());
    body.extend([b'y'; 5000]);
    // Pieces of every size up to the end-line's, so that it is cut at each of its octets once.
    for piece_octets in 4990..5040 {
        let mut sender = Sender::new(|config| config.piece_octets = piece_octets);
        sender.enqueue("msg1", &body);
        while sender.step() {}
        let written = std::mem::take(&mut sender.written);
        // Once, as end-line of the first chunk or, under another id, as data: never as both.
        let end_line = format!("-------{first}");
        let found = memchr::memmem::find_iter(&written, end_line.as_bytes()).count();
        assert_eq!(found, 1, "{piece_octets}");
        let sent = sends(&events(&[&written]));
        let joined: Vec<u8> = sent.iter().flat_map(|chunk| chunk.body.to_vec()).collect();
        assert_eq!(joined, body, "{piece_octets}");
        let seen_at_once = piece_octets >= 5000 + 2 + end_line.len();
        assert_eq!(
            sent.len(),
            if seen_at_once { 1 } else { 2 },
            "{piece_octets}"
        );
    }
}

#[test]
fn body_that_ends_early_aborts_the_message() {
    let mut sender = Sender::new(|config| config.piece_octets = 1000);
    let id = sender.enqueue_message(message("msg1", 9000), &[b'x'; 4000]);
    let sent = sender.run();
    assert_eq!(
        sender.outcomes(),
        [(id, Outcome::Failed(Failure::BodyUnavailable))]
    );
    assert_eq!(sent.len(), 1);
    assert_eq!(
        (sent[0].flag, sent[0].body.len()),
        (Continuation::Aborted, 4000)
    );
}

#[test]
fn message_given_up_between_chunks_is_aborted_by_an_empty_one() {
    let mut sender = Sender::new(|config| config.chunk_octets = 1000);
    let id = sender.enqueue_message(message("msg1", 9000), &[b'x'; 1000]);
    let sent = sender.run();
    assert_eq!(
        sender.outcomes(),
        [(id, Outcome::Failed(Failure::BodyUnavailable))]
    );
    assert_eq!(sent.len(), 2);
    assert_eq!(
        (sent[1].flag, range_of(&sent[1])),
        (Continuation::Aborted, "1001-1000/9000".to_owned())
    );
    assert_eq!(sent[1].head.failure_report, Some(FailureReport::No));
}

#[test]
fn octets_beyond_the_announced_length_are_not_sent() {
    let mut sender = Sender::new(|_| {});
    let id = sender.outbox.enqueue(message("msg1", 3)).unwrap();
    sender.outbox.poll(sender.now, &mut sender.rng);
    sender.outbox.supply_body(id, Bytes::from_static(b"Hello"));
    assert_eq!(sender.run()[0].body, "Hel");
}

#[test]
fn end_settles_everything_and_closes_the_chunk() {
    let mut sender = Sender::new(|config| config.piece_octets = 1000);
    let first = sender.enqueue("msg1", &[b'x'; 9000]);
    let second = sender.enqueue("msg2", b"x");
    for _ in 0..4 {
        sender.step();
    }
    sender.outbox.end(Failure::Closed);
    let closed = Outcome::Failed(Failure::Closed);
    assert_eq!(sender.outcomes(), [(first, closed), (second, closed)]);
    let sent = sender.run();
    assert_eq!(sent.len(), 1);
    assert_eq!(sent[0].flag, Continuation::Aborted);
    assert!(sender.outbox.is_idle());
}
