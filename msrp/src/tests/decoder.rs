//! Framing: split input, bodies that look like end-lines, broken input.

use bytes::Bytes;

use super::{LOCAL, PEER, events};
use crate::{Continuation, Decoder, Event, HEAD_LIMIT_OCTETS, Malformed, Method};

fn send(body_and_end: &str) -> Vec<u8> {
    format!(
        "MSRP d93kswow SEND\r\nTo-Path: {LOCAL}\r\nFrom-Path: {PEER}\r\nMessage-ID: 12339sdqwer\r\n\
         Byte-Range: 1-*/*\r\nContent-Type: text/plain\r\n\r\n{body_and_end}"
    )
    .into_bytes()
}

fn body_of(events: &[Event]) -> Bytes {
    match events {
        [
            Event::RequestHead { .. },
            Event::Body(body),
            Event::RequestEnd(_),
            ..,
        ] => body.clone(),
        other => panic!("no request with a body: {other:?}"),
    }
}

fn error_of(bytes: &[u8]) -> crate::DecodeError {
    let mut decoder = Decoder::new();
    decoder.push(bytes);
    loop {
        match decoder.next_event() {
            Ok(Some(_)) => {}
            Ok(None) => panic!("no error"),
            Err(error) => return error,
        }
    }
}

const TRICKY: &str = "-------\r\n-------other$\r\n\r\n-------d93kswowX\r\n-------d93kswow$ \r\n\
                      -------d93kswow+\r-------d93kswow$\r\r\n------\r\n\r\n-------d93kswow$\r\n";

#[test]
fn body_may_hold_anything_but_its_own_end_line() {
    let stream = send(TRICKY);
    let body = TRICKY.strip_suffix("\r\n-------d93kswow$\r\n").unwrap();
    assert_eq!(body_of(&events(&[&stream])), body);
}

#[test]
fn events_do_not_depend_on_where_the_stream_is_cut() {
    let mut stream = send(TRICKY);
    stream.extend(
        format!("MSRP aaaa1 200 OK\r\nTo-Path: {LOCAL}\r\nFrom-Path: {PEER}\r\n-------aaaa1$\r\n")
            .bytes(),
    );
    stream.extend(format!("MSRP bbbb1 REPORT\r\nTo-Path: {LOCAL}\r\nFrom-Path: {PEER}\r\nMessage-ID: m1\r\nStatus: 000 200 OK\r\n-------bbbb1$\r\n").bytes());
    let whole = events(&[&stream]);
    assert_eq!(whole.len(), 6);
    for at in 0..stream.len() {
        let (left, right) = stream.split_at(at);
        assert_eq!(events(&[left, right]), whole, "cut at {at}");
    }
    let octets: Vec<&[u8]> = stream.chunks(1).collect();
    assert_eq!(events(&octets), whole);
}

#[test]
fn all_flags_are_told_apart() {
    for (flag, expected) in [
        ('$', Continuation::Complete),
        ('+', Continuation::More),
        ('#', Continuation::Aborted),
    ] {
        let stream = send(&format!("x\r\n-------d93kswow{flag}\r\n"));
        assert_eq!(
            events(&[&stream]).last(),
            Some(&Event::RequestEnd(expected))
        );
    }
}

#[test]
fn empty_bodies_are_read_in_both_spellings() {
    for ending in ["\r\n-------d93kswow$\r\n", "-------d93kswow$\r\n"] {
        let stream = send(ending);
        for at in 0..stream.len() {
            let (left, right) = stream.split_at(at);
            let read = events(&[left, right]);
            assert!(
                matches!(
                    read.as_slice(),
                    [Event::RequestHead { .. }, Event::RequestEnd(_)]
                ),
                "{read:?}"
            );
        }
    }
}

#[test]
fn request_without_body_ends_at_once() {
    let text = format!(
        "MSRP aa00bb11 SEND\r\nTo-Path: {LOCAL}\r\nFrom-Path: {PEER}\r\nMessage-ID: bind-1\r\n\
         Byte-Range: 1-0/0\r\n-------aa00bb11$\r\n"
    );
    let read = events(&[text.as_bytes()]);
    let [
        Event::RequestHead { head, raw },
        Event::RequestEnd(Continuation::Complete),
    ] = read.as_slice()
    else {
        panic!("{read:?}");
    };
    assert_eq!(head.method, Method::Send);
    assert_eq!(head.byte_range, Some(crate::ByteRange::EMPTY));
    assert!(text.as_bytes().starts_with(raw));
    assert!(raw.ends_with(b"1-0/0\r\n"));
}

#[test]
fn body_passes_through_while_it_arrives() {
    let mut decoder = Decoder::new();
    decoder.push(&send(""));
    assert!(matches!(
        decoder.next_event(),
        Ok(Some(Event::RequestHead { .. }))
    ));
    for _ in 0..1000 {
        decoder.push(&[b'x'; 10_000]);
        let passed = decoder.next_event().unwrap();
        assert_eq!(
            passed,
            Some(Event::Body(Bytes::from_static(&[b'x'; 10_000])))
        );
        assert_eq!(decoder.next_event().unwrap(), None);
    }
    assert!(decoder.buffer_mut().is_empty());
}

#[test]
fn unintelligible_request_is_answered_400_where_its_sender_is_known() {
    let head = format!("MSRP d93kswow SEND\r\nTo-Path: {LOCAL}\r\nFrom-Path: {PEER}\r\n");
    let error = error_of(format!("{head}Message-ID: m\r\nByte-Range: 0-5/5\r\n\r\n").as_bytes());
    assert_eq!(error.malformed, Malformed::HeaderValue("Byte-Range"));
    let answer = error.answer.expect("the sender is known").print();
    let expected = format!(
        "MSRP d93kswow 400 Bad Request\r\nTo-Path: {PEER}\r\nFrom-Path: {LOCAL}\r\n-------d93kswow$\r\n"
    );
    assert_eq!(answer, expected);
}

#[test]
fn unintelligible_request_without_addressee_or_wish_is_only_dropped() {
    let no_from = format!("MSRP d93kswow SEND\r\nTo-Path: {LOCAL}\r\nMessage-ID: m\r\n\r\n");
    assert_eq!(error_of(no_from.as_bytes()).answer, None);
    let silent = format!(
        "MSRP d93kswow SEND\r\nTo-Path: {LOCAL}\r\nFrom-Path: {PEER}\r\nFailure-Report: no\r\n\r\n"
    );
    let error = error_of(silent.as_bytes());
    assert_eq!(
        (error.malformed, error.answer),
        (Malformed::MissingHeader("Message-ID"), None)
    );
}

#[test]
fn garbage_and_other_protocols_are_refused_at_once() {
    for garbage in [
        "GET / HTTP/1.1\r\n",
        "\r\n",
        "MSRP x SEND\r\n",
        "MSRP d93kswow\r\n",
        "MSRP d93kswow 200 O\0K\r\n",
        "\u{16}\u{3}",
    ] {
        assert_eq!(
            error_of(garbage.as_bytes()).malformed,
            Malformed::StartLine,
            "{garbage:?}"
        );
    }
    let bare_newline = format!("MSRP d93kswow SEND\nTo-Path: {LOCAL}\r\n");
    assert_eq!(
        error_of(bare_newline.as_bytes()).malformed,
        Malformed::HeaderLine
    );
}

#[test]
fn heads_beyond_the_limit_are_refused_before_they_end() {
    let mut decoder = Decoder::new();
    decoder.push(format!("MSRP d93kswow SEND\r\nTo-Path: {LOCAL}\r\nX: ").as_bytes());
    assert_eq!(decoder.next_event(), Ok(None));
    decoder.push(&vec![b'x'; HEAD_LIMIT_OCTETS]);
    assert_eq!(
        decoder.next_event().unwrap_err().malformed,
        Malformed::HeadTooLong
    );
    assert_eq!(
        decoder.next_event().unwrap_err().malformed,
        Malformed::Broken
    );
}

#[test]
fn response_with_a_body_breaks_the_stream() {
    let text = format!("MSRP d93kswow 200 OK\r\nTo-Path: {LOCAL}\r\nFrom-Path: {PEER}\r\n\r\n");
    assert_eq!(error_of(text.as_bytes()).malformed, Malformed::ResponseBody);
}
