//! From octets to messages, and what is refused on the way.

use bytes::Bytes;

use super::{MESSAGE, octets, request};
use crate::{
    Limits, Message, Method, Name, ParseError, ParseErrorKind, StatusCode, multipart,
    parse_datagram,
};

fn refused(text: &str) -> ParseError {
    refused_within(text, &Limits::default())
}

fn refused_within(text: &str, limits: &Limits) -> ParseError {
    parse_datagram(octets(text), limits).expect_err(text)
}

#[test]
fn a_request_keeps_every_octet() {
    let request = request(MESSAGE);
    assert_eq!(*request.method(), Method::Message);
    assert_eq!(request.raw_uri(), "sip:bob@example.org");
    assert_eq!(request.version(), "SIP/2.0");
    assert_eq!(request.body(), "Lunch at noon, same place?");
    assert_eq!(*request.as_bytes(), octets(MESSAGE));
}

#[test]
fn fields_are_reached_by_position_name_and_compact_name() {
    let request = request(MESSAGE);
    let headers = request.headers();
    let names: Vec<_> = headers.iter().map(|field| field.name()).collect();
    assert_eq!(names[..3], ["Via", "v", "Max-Forwards"]);
    assert_eq!(headers.count(Name::Via), 2);
    assert_eq!(
        headers.first_named("call-id").map(|field| field.name()),
        Some("i")
    );
    assert_eq!(
        headers.first_named("x-ODD").map(|field| field.raw_value()),
        Some(&b";;,"[..])
    );
    let subject = headers.first(Name::Subject).expect("present");
    assert_eq!(subject.value(), "Lunch, today");
    assert_eq!(subject.raw(), b"Subject: Lunch,\r\n today");
}

#[test]
fn octets_that_are_no_utf8_stay() {
    let octets = Bytes::from_static(
        b"OPTIONS sip:a SIP/2.0\r\nVia: SIP/2.0/UDP a\r\nSubject: a\xffb\r\nFrom: <sip:a>\r\n\r\n\x00\xff",
    );
    let Ok(Message::Request(request)) = parse_datagram(octets.clone(), &Limits::default()) else {
        panic!("parsed");
    };
    let subject = request.headers().first(Name::Subject).expect("present");
    assert_eq!(subject.raw_value(), b" a\xffb");
    assert_eq!(subject.value(), "a\u{fffd}b");
    assert!(request.headers().from().is_ok_and(|from| from.is_some()));
    assert_eq!(request.body(), &b"\x00\xff"[..]);
    assert_eq!(*request.as_bytes(), octets);
}

#[test]
fn empty_lines_before_a_message_are_skipped() {
    let request = request(&format!("\n\n{MESSAGE}"));
    assert_eq!(*request.as_bytes(), octets(MESSAGE));
}

#[test]
fn a_datagram_of_empty_lines_is_nothing_to_answer() {
    for text in ["", "\n", "\n\n"] {
        assert!(refused(text).reply().is_none());
    }
}

#[test]
fn lone_line_breaks_end_nothing() {
    for text in [
        "OPTIONS sip:a SIP/2.0\r\nVia: SIP/2.0/UDP a\nFrom: x\r\n\r\n",
        "A sip:a SIP/2.0\rVia: x\r\n\r\n",
    ] {
        let error = parse_datagram(Bytes::from(text), &Limits::default()).expect_err(text);
        assert_eq!(error.kind(), ParseErrorKind::BareLineBreak);
    }
}

#[test]
fn the_answer_to_lone_line_breaks_has_none() {
    let text =
        "OPTIONS sip:a SIP/2.0\r\nVia: SIP/2.0/UDP a\r\nCSeq: 1\nX: smuggled\rOPTIONS\r\n\r\n";
    let error = parse_datagram(Bytes::from(text), &Limits::default()).expect_err(text);
    let reply = error.reply().expect("answerable").build();
    let lines = reply.headers().iter().map(|field| field.raw().to_vec());
    assert_eq!(
        lines.collect::<Vec<_>>(),
        [
            &b"Via: SIP/2.0/UDP a"[..],
            b"CSeq: 1 X: smuggled OPTIONS",
            b"Content-Length: 0"
        ]
    );
}

#[test]
fn lines_without_a_name_are_refused() {
    for line in ["no colon", ": no name", "two words: x"] {
        let error = refused(&format!("A sip:a SIP/2.0\nVia: SIP/2.0/UDP a\n{line}\n\n"));
        assert_eq!(error.kind(), ParseErrorKind::BadHeaderLine, "{line}");
        assert!(error.reply().is_some());
    }
}

#[test]
fn a_fold_behind_a_line_without_a_name_belongs_to_no_field() {
    let error =
        refused("A sip:a SIP/2.0\nVia: SIP/2.0/UDP a\ni: 1\nno colon\n folded\nCSeq: 1 A\n\n");
    assert_eq!(error.headers().call_id().as_deref(), Some("1"));
    let reply = error.reply().expect("answerable").build();
    let read = parse_datagram(reply.as_bytes().clone(), &Limits::default());
    assert_eq!(read.expect("well-formed").headers().iter().count(), 4);
}

#[test]
fn a_fold_behind_the_start_line_continues_nothing() {
    assert_eq!(
        refused("A sip:a SIP/2.0\n Via: x\n\n").kind(),
        ParseErrorKind::BadHeaderLine
    );
}

#[test]
fn malformed_start_lines_are_refused() {
    for line in [
        "OPTIONS",
        "OPTIONS sip:a",
        "OPTIONS  SIP/2.0",
        "OPTIONS sip:a HTTP/1.1",
        "OPTIONS sip:a SIP/2",
        "OP(TIONS sip:a SIP/2.0",
        "OPTIONS sip:\u{e9} SIP/2.0",
        "SIP/2.0 20 OK",
        "SIP/2.0 2000 OK",
        "SIP/2.0 700 OK",
        "SIP/2.0 ",
        "SIP/x 200 OK",
    ] {
        assert_eq!(
            refused(&format!("{line}\nVia: SIP/2.0/UDP a\n\n")).kind(),
            ParseErrorKind::BadStartLine,
            "{line}"
        );
    }
}

#[test]
fn a_malformed_request_is_answered_if_it_says_where_to() {
    let error =
        refused("OPTIONS sip:a b SIP/2.0\nVia: SIP/2.0/UDP a;branch=z9hG4bK1\nCall-ID: 1\n\n");
    let reply = error.reply().expect("answerable").build();
    assert_eq!(reply.status(), StatusCode::BAD_REQUEST);
    assert_eq!(reply.headers().call_id().as_deref(), Some("1"));
    for silent in [
        "OPTIONS sip:a b SIP/2.0\nCall-ID: 1\n\n",
        "OPTIONS sip:a b SIP/2.0\nVia: nonsense\n\n",
        "ACK sip:a b SIP/2.0\nVia: SIP/2.0/UDP a\n\n",
        "SIP/2.0 9 OK\nVia: SIP/2.0/UDP a\n\n",
    ] {
        assert!(refused(silent).reply().is_none(), "{silent}");
    }
}

#[test]
fn what_exceeds_a_limit_is_answered_with_513() {
    let limits = Limits {
        header_block_octets: 200,
        header_lines: 3,
        line_octets: 60,
        body_octets: 5,
    };
    let head = "OPTIONS sip:a SIP/2.0\nVia: SIP/2.0/UDP a\n";
    let cases = [
        (
            format!("{head}X: {}\n\n", "x".repeat(58)),
            ParseErrorKind::LineTooLong,
        ),
        (
            format!("{head}X: x\n {}\n\n", "x".repeat(60)),
            ParseErrorKind::LineTooLong,
        ),
        (
            format!("{head}X: x\nX: x\nX: x\n\n"),
            ParseErrorKind::TooManyHeaderLines,
        ),
        (
            format!("{head}X: x\nY: {}\n\n", "x".repeat(200)),
            ParseErrorKind::HeaderBlockTooLarge,
        ),
        (format!("{head}\n123456"), ParseErrorKind::BodyTooLarge),
    ];
    for (text, kind) in cases {
        let error = refused_within(&text, &limits);
        assert_eq!(error.kind(), kind);
        assert_eq!(
            error.reply().expect("answerable").build().status(),
            StatusCode::MESSAGE_TOO_LARGE
        );
    }
}

#[test]
fn a_content_length_frames_the_body_of_a_datagram() {
    let head = "OPTIONS sip:a SIP/2.0\nVia: SIP/2.0/UDP a\n";
    assert_eq!(request(&format!("{head}\nbody")).body(), "body");
    assert_eq!(request(&format!("{head}l: 2\n\nbody")).body(), "bo");
    assert_eq!(
        request(&format!("{head}l: 2\nContent-Length: 2\n\nbody")).body(),
        "bo"
    );
    assert_eq!(
        refused(&format!("{head}l: 5\n\nbody")).kind(),
        ParseErrorKind::ShortBody
    );
    let huge = refused(&format!("{head}l: 18446744073709551615\n\nbody"));
    assert_eq!(huge.kind(), ParseErrorKind::ShortBody);
    let beyond = refused(&format!("{head}l: 18446744073709551616\n\nbody"));
    assert_eq!(beyond.kind(), ParseErrorKind::BadContentLength);
}

#[test]
fn an_embedded_message_needs_neither_length_nor_end() {
    let whole = octets("REGISTER sip:a SIP/2.0\nTo: <sip:bob@example.org>\nContact: <sip:b>\n");
    let cut = whole.slice(..whole.len() - 2);
    let closed = Bytes::from([&whole[..], b"\r\n"].concat());
    for body in [whole, cut, closed] {
        let Ok(Message::Request(request)) = multipart::parse_embedded(&body) else {
            panic!("parsed")
        };
        assert_eq!(request.headers().iter().count(), 2);
        assert!(request.headers().to().is_ok_and(|to| to.is_some()));
    }
    assert!(multipart::parse_embedded(&Bytes::from_static(b"garbage")).is_err());
}
