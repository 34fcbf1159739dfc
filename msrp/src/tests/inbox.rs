//! What the receiving half answers, and when.

use bytes::Bytes;

use super::{LOCAL, PEER, events, rng};
use crate::{
    Abandonment, AcceptTypes, Collector, Continuation, FinalAnswer, Inbox, InboxEvent, InboxRules,
};

/// A receiver fed with text, and what came of it.
struct Receiver {
    inbox: Inbox,
    replies: Vec<String>,
    started: usize,
    collector: Collector,
    complete: Vec<(Bytes, Box<FinalAnswer>)>,
    abandoned: Vec<Abandonment>,
    reports: usize,
}

impl Receiver {
    fn new(rules: InboxRules) -> Receiver {
        Receiver {
            inbox: Inbox::new(rules),
            replies: Vec::new(),
            started: 0,
            collector: Collector::default(),
            complete: Vec::new(),
            abandoned: Vec::new(),
            reports: 0,
        }
    }

    fn feed(&mut self, text: &str) -> &mut Receiver {
        for event in events(&[text.as_bytes()]) {
            self.inbox.handle(event);
            while let Some(event) = self.inbox.poll_event() {
                self.note(event);
            }
        }
        self
    }

    fn note(&mut self, event: InboxEvent) {
        match event {
            InboxEvent::Reply(response) => {
                self.replies
                    .push(format!("{} {}", response.transaction_id, response.code));
            }
            InboxEvent::Started { .. } => self.started += 1,
            InboxEvent::Octets { offset, octets, .. } => self.collector.put(offset, &octets),
            InboxEvent::Complete { total, answer, .. } => {
                let body = std::mem::take(&mut self.collector).finish(total);
                self.complete.push((body, answer));
            }
            InboxEvent::Abandoned { why, .. } => self.abandoned.push(why),
            InboxEvent::Report(_) => self.reports += 1,
        }
    }
}

fn request(method: &str, id: &str, headers: &str, body: Option<&str>, flag: char) -> String {
    let body = body.map_or(String::new(), |body| {
        format!("Content-Type: text/plain\r\n\r\n{body}\r\n")
    });
    format!(
        "MSRP {id} {method}\r\nTo-Path: {LOCAL}\r\nFrom-Path: {PEER}\r\nMessage-ID: m1\r\n{headers}{body}-------{id}{flag}\r\n"
    )
}

fn send(id: &str, headers: &str, body: &str, flag: char) -> String {
    request("SEND", id, headers, Some(body), flag)
}

fn receiver() -> Receiver {
    Receiver::new(InboxRules::up_to(1000))
}

#[test]
fn the_completing_send_waits_for_its_answer() {
    let mut receiver = receiver();
    receiver.feed(&send("tid1", "Byte-Range: 1-5/10\r\n", "Hello", '+'));
    assert_eq!(receiver.replies, ["tid1 200"]);
    receiver.feed(&send("tid2", "Byte-Range: 6-10/10\r\n", "World", '$'));
    assert_eq!(receiver.replies, ["tid1 200"]);
    let (body, answer) = receiver.complete.pop().expect("a message");
    assert_eq!(body, "HelloWorld");
    let (response, report) = answer.accept(&mut rng());
    let expected =
        format!("MSRP tid2 200 OK\r\nTo-Path: {PEER}\r\nFrom-Path: {LOCAL}\r\n-------tid2$\r\n");
    assert_eq!(response.expect("asked for").print(), expected);
    assert_eq!(report, None);
}

#[test]
fn chunks_may_come_backwards_and_overlap() {
    let mut receiver = receiver();
    receiver.feed(&send("tid1", "Byte-Range: 4-10/10\r\n", "xxWorld", '$'));
    receiver.feed(&send("tid2", "Byte-Range: 1-5/10\r\n", "Hello", '+'));
    assert_eq!(receiver.replies, ["tid1 200"]);
    assert_eq!(receiver.complete[0].0, "HelloWorld");
    assert_eq!(receiver.started, 1);
}

#[test]
fn success_report_covers_the_message_along_the_whole_path() {
    let relay = "msrp://relay.example.org:2855/r1;tcp";
    let text = send(
        "tid1",
        "Success-Report: yes\r\nFailure-Report: no\r\n",
        "Hello",
        '$',
    )
    .replace(
        &format!("From-Path: {PEER}"),
        &format!("From-Path: {relay} {PEER}"),
    );
    let mut receiver = receiver();
    let (_, answer) = receiver.feed(&text).complete.pop().expect("a message");
    let (response, report) = answer.accept(&mut rng());
    assert_eq!(response, None);
    let report = report.expect("asked for");
    let id = report.transaction_id.clone();
    assert_eq!(
        report.print_whole(b"", Continuation::Complete),
        format!(
            "MSRP {id} REPORT\r\nTo-Path: {relay} {PEER}\r\nFrom-Path: {LOCAL}\r\nMessage-ID: m1\r\n\
             Byte-Range: 1-5/5\r\nStatus: 000 200 OK\r\n-------{id}$\r\n"
        )
    );
}

#[test]
fn failure_report_decides_which_answers_are_sent() {
    for (wanted, ok, refusal) in [
        ("yes", true, true),
        ("partial", false, true),
        ("no", false, false),
    ] {
        let header = format!("Failure-Report: {wanted}\r\n");
        let mut taken = receiver();
        taken.feed(&send(
            "tid1",
            &format!("{header}Byte-Range: 1-5/10\r\n"),
            "Hello",
            '+',
        ));
        assert_eq!(!taken.replies.is_empty(), ok, "{wanted}");
        let mut refused = receiver();
        refused.feed(&send(
            "tid1",
            &format!("{header}Byte-Range: 1-*/5000\r\n"),
            "Hello",
            '+',
        ));
        assert_eq!(!refused.replies.is_empty(), refusal, "{wanted}");
        let mut last = receiver();
        let (_, answer) = last
            .feed(&send("tid1", &header, "Hello", '$'))
            .complete
            .pop()
            .unwrap();
        assert_eq!(
            answer.clone().accept(&mut rng()).0.is_some(),
            ok,
            "{wanted}"
        );
        assert_eq!(answer.refuse(413).is_some(), refusal, "{wanted}");
    }
}

#[test]
fn binding_send_is_answered_and_delivers_nothing() {
    let mut receiver = Receiver::new(InboxRules::send_only());
    receiver.feed(&request(
        "SEND",
        "aa00bb11",
        "Byte-Range: 1-0/0\r\n",
        None,
        '$',
    ));
    assert_eq!(receiver.replies, ["aa00bb11 200"]);
    assert_eq!((receiver.started, receiver.complete.len()), (0, 0));
}

#[test]
fn message_without_octets_is_answered_and_goes_nowhere() {
    let mut receiver = receiver();
    receiver.feed(&send("tid1", "Byte-Range: 1-0/0\r\n", "", '$'));
    assert_eq!(receiver.replies, ["tid1 200"]);
    assert_eq!(receiver.complete.len(), 0);
    assert_eq!(receiver.abandoned, [Abandonment::Empty]);
}

#[test]
fn content_is_refused_where_it_may_not_come() {
    let mut sender = Receiver::new(InboxRules::send_only());
    sender.feed(&send("tid1", "", "Hello", '$'));
    assert_eq!(sender.replies, ["tid1 403"]);
    let accept = AcceptTypes::of(["message/cpim"]);
    let mut narrow = Receiver::new(InboxRules {
        accept,
        ..InboxRules::up_to(10)
    });
    narrow.feed(&send("tid1", "", "Hello", '$'));
    assert_eq!(narrow.replies, ["tid1 415"]);
    assert_eq!((narrow.started, narrow.complete.len()), (0, 0));
}

#[test]
fn refusal_of_one_chunk_ends_its_message_and_no_other() {
    let mut receiver = receiver();
    receiver.feed(&send("tid1", "Byte-Range: 1-5/10\r\n", "Hello", '+'));
    receiver.feed(&send("tid2", "Byte-Range: 6-*/2000\r\n", "World", '+'));
    assert_eq!(receiver.replies, ["tid1 200", "tid2 413"]);
    assert_eq!(receiver.abandoned, [Abandonment::Refused(413)]);
    receiver.feed(&send("tid3", "Byte-Range: 6-10/10\r\n", "World", '$'));
    assert_eq!(receiver.replies.last().unwrap(), "tid3 413");
    receiver.collector = Collector::default();
    receiver.feed(&send("tid4", "", "other", '$').replace("m1", "m2"));
    assert_eq!(receiver.complete[0].0, "other");
}

#[test]
fn a_chunk_that_overruns_is_refused_before_it_ends() {
    let mut receiver = Receiver::new(InboxRules::up_to(3));
    let text = send("tid1", "", "Hello", '$');
    receiver.feed(text.strip_suffix("\r\n-------tid1$\r\n").unwrap().as_ref());
    assert_eq!(receiver.replies, ["tid1 413"]);
}

#[test]
fn messages_beyond_the_open_limit_are_refused() {
    let mut receiver = Receiver::new(InboxRules {
        open_messages: 2,
        ..InboxRules::up_to(100)
    });
    for (tid, message) in [("tid1", "m1"), ("tid2", "m2"), ("tid3", "m3")] {
        let text = send(tid, "Byte-Range: 1-*/10\r\n", "Hello", '+').replace("m1", message);
        receiver.feed(&text);
    }
    assert_eq!(receiver.replies, ["tid1 200", "tid2 200", "tid3 413"]);
}

#[test]
fn abort_forgets_the_message() {
    let mut receiver = receiver();
    receiver.feed(&send("tid1", "Byte-Range: 1-5/10\r\n", "Hello", '#'));
    assert_eq!(receiver.replies, ["tid1 200"]);
    assert_eq!(receiver.abandoned, [Abandonment::BySender]);
}

#[test]
fn repeated_end_of_a_complete_message_never_looks_accepted() {
    let mut receiver = receiver();
    receiver.feed(&send("tid1", "", "Hello", '$'));
    receiver.feed(&send("tid2", "Byte-Range: 1-3/5\r\n", "Hel", '+'));
    receiver.feed(&send("tid3", "", "Hello", '$'));
    assert_eq!(receiver.replies, ["tid2 200", "tid3 413"]);
    assert_eq!(receiver.complete.len(), 1);
}

#[test]
fn unknown_methods_and_reports_get_what_the_standard_says() {
    let mut receiver = receiver();
    receiver.feed(&request("FOO", "tid1", "", None, '$'));
    receiver.feed(&request(
        "REPORT",
        "tid2",
        "Status: 000 413 x\r\n",
        None,
        '$',
    ));
    assert_eq!(receiver.replies, ["tid1 501"]);
    assert_eq!(receiver.reports, 1);
}

#[test]
fn a_session_for_one_message_refuses_the_second_and_not_the_empty_one() {
    let mut receiver = Receiver::new(InboxRules::one_up_to(100));
    let empty = send("tid0", "Byte-Range: 1-0/0\r\n", "", '$').replace("m1", "m0");
    receiver.feed(&empty);
    receiver.feed(&send("tid1", "", "Hello", '$'));
    receiver.feed(&send("tid2", "", "Hello", '$').replace("m1", "m2"));
    assert_eq!(receiver.replies, ["tid0 200", "tid2 413"]);
    assert_eq!(receiver.abandoned, [Abandonment::Empty]);
    assert_eq!(receiver.complete.len(), 1);
}

#[test]
fn a_message_that_is_stopped_is_refused_with_its_next_chunk() {
    let mut receiver = receiver();
    receiver.feed(&send("tid1", "Byte-Range: 1-5/10\r\n", "Hello", '+'));
    receiver.inbox.stop(&"m1".parse().unwrap());
    receiver.feed(&send("tid2", "Byte-Range: 6-10/10\r\n", "World", '$'));
    assert_eq!(receiver.replies, ["tid1 200", "tid2 413"]);
    assert_eq!(receiver.abandoned, [Abandonment::Refused(413)]);
    assert!(receiver.complete.is_empty());
}

#[test]
fn a_message_stopped_in_the_middle_of_a_chunk_is_refused_at_once() {
    let mut receiver = receiver();
    let text = send("tid1", "", "Hello", '$');
    let mut frames = events(&[text.as_bytes()]).into_iter();
    receiver.inbox.handle(frames.next().unwrap());
    receiver.inbox.stop(&"m1".parse().unwrap());
    frames.for_each(|event| receiver.inbox.handle(event));
    while let Some(event) = receiver.inbox.poll_event() {
        receiver.note(event);
    }
    assert_eq!(receiver.replies, ["tid1 413"]);
    assert_eq!(receiver.abandoned, [Abandonment::Refused(413)]);
    assert!(receiver.complete.is_empty());
}
