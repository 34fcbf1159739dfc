//! Framing on streams, wherever they are cut (CT-ROB-01, CT-ROB-02).

use super::{MESSAGE, octets};
use crate::{Limits, Message, ParseErrorKind, StatusCode, StreamDecoder, StreamError, StreamItem};

/// What the decoder says, in words.
fn drain(decoder: &mut StreamDecoder, said: &mut Vec<String>) {
    loop {
        match decoder.next() {
            Ok(Some(StreamItem::Message(Message::Request(request)))) => {
                said.push(format!("{} {}", request.method(), request.body().len()));
            }
            Ok(Some(StreamItem::Message(Message::Response(response)))) => {
                said.push(response.status().to_string());
            }
            Ok(Some(StreamItem::Malformed(error))) => said.push(format!("{:?}", error.kind())),
            Ok(Some(StreamItem::KeepAlive)) => said.push("keep-alive".into()),
            Ok(None) => return,
            Err(error) => return said.push(format!("closed: {:?}", error.error().kind())),
        }
    }
}

fn decoded(pieces: &[&[u8]]) -> Vec<String> {
    let mut decoder = StreamDecoder::new(Limits::default());
    let mut said = Vec::new();
    for piece in pieces {
        decoder.push(piece);
        drain(&mut decoder, &mut said);
    }
    said
}

fn failure(text: &str) -> StreamError {
    let mut decoder = StreamDecoder::new(Limits::default());
    decoder.push(&octets(text));
    decoder.next().expect_err(text)
}

/// Two requests, keep-alives, a malformed one and a response.
fn session() -> Vec<u8> {
    let text = [
        "\n",
        MESSAGE,
        "\n\n",
        "BAD LINE HERE\nVia: SIP/2.0/TCP a\nl: 3\n\nxyz",
        "SIP/2.0 200 OK\nl: 0\n\n",
        "\n\n\n",
        "OPTIONS sip:a SIP/2.0\nnot a field\nl: 0\n\n",
        MESSAGE,
    ];
    octets(&text.concat()).to_vec()
}

const SAID: [&str; 7] = [
    "MESSAGE 26",
    "keep-alive",
    "BadStartLine",
    "200",
    "keep-alive",
    "BadHeaderLine",
    "MESSAGE 26",
];

#[test]
fn messages_come_out_whole_wherever_the_stream_is_split() {
    let session = session();
    assert_eq!(decoded(&[&session]), SAID);
    for split in 0..session.len() {
        let (first, second) = session.split_at(split);
        assert_eq!(decoded(&[first, second]), SAID, "split at {split}");
    }
}

#[test]
fn messages_come_out_whole_octet_by_octet() {
    let session = session();
    assert_eq!(decoded(&session.chunks(1).collect::<Vec<_>>()), SAID);
}

#[test]
fn a_decoded_message_keeps_its_octets() {
    let mut decoder = StreamDecoder::new(Limits::default());
    decoder.push(&octets(&MESSAGE.repeat(2)));
    for _ in 0..2 {
        match decoder.next() {
            Ok(Some(StreamItem::Message(message))) => {
                assert_eq!(*message.as_bytes(), octets(MESSAGE));
            }
            other => panic!("{other:?}"),
        }
    }
}

#[test]
fn lost_framing_ends_the_stream_with_an_answer() {
    let head = "OPTIONS sip:a SIP/2.0\nVia: SIP/2.0/TCP a\n";
    for (tail, kind, status) in [
        (
            "\n",
            ParseErrorKind::MissingContentLength,
            StatusCode::BAD_REQUEST,
        ),
        (
            "l: x\n\n",
            ParseErrorKind::BadContentLength,
            StatusCode::BAD_REQUEST,
        ),
        (
            "l: 1\nl: 2\n\n",
            ParseErrorKind::ConflictingContentLength,
            StatusCode::BAD_REQUEST,
        ),
        (
            "l: 99999999\n\n",
            ParseErrorKind::BodyTooLarge,
            StatusCode::MESSAGE_TOO_LARGE,
        ),
        (
            &format!("l: 0\nX: {}\n\n", "x".repeat(9_000)),
            ParseErrorKind::LineTooLong,
            StatusCode::MESSAGE_TOO_LARGE,
        ),
        (
            &"X: y\n".repeat(1_000),
            ParseErrorKind::TooManyHeaderLines,
            StatusCode::MESSAGE_TOO_LARGE,
        ),
    ] {
        let tail = if tail.ends_with("\n\n") || tail == "\n" {
            tail.to_owned()
        } else {
            format!("{tail}\n")
        };
        let error = failure(&format!("{head}{tail}"));
        assert_eq!(error.error().kind(), kind);
        assert_eq!(
            error.error().reply().expect("answerable").build().status(),
            status
        );
    }
}

#[test]
fn a_head_without_end_is_refused_at_its_limit() {
    let mut decoder = StreamDecoder::new(Limits::default());
    decoder.push(b"OPTIONS sip:a SIP/2.0\r\nVia: SIP/2.0/TCP a\r\n");
    let field = format!("X: {}\r\n", "x".repeat(1_000));
    let mut pushed = 0;
    let error = loop {
        match decoder.next() {
            Ok(None) => decoder.push(field.as_bytes()),
            Ok(Some(item)) => panic!("{item:?}"),
            Err(error) => break error,
        }
        pushed += field.len();
    };
    assert!(pushed <= 65_536 + 2 * field.len());
    assert_eq!(error.error().kind(), ParseErrorKind::HeaderBlockTooLarge);
    assert!(error.error().reply().is_some());
}

#[test]
fn nothing_follows_a_failure() {
    let mut decoder = StreamDecoder::new(Limits::default());
    decoder.push(&octets("OPTIONS sip:a SIP/2.0\n\n"));
    assert!(decoder.next().is_err());
    decoder.push(&octets(MESSAGE));
    assert!(matches!(decoder.next(), Ok(None)));
}

#[test]
fn a_begun_message_shows() {
    let mut decoder = StreamDecoder::new(Limits::default());
    decoder.push(b"\r\n");
    assert!(matches!(decoder.next(), Ok(None)));
    assert!(!decoder.is_mid_message());
    decoder.push(b"OPT");
    assert!(decoder.is_mid_message());
}
