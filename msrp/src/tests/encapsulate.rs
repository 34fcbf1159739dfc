//! The push bodies of 2.4.3, octet for octet.

use proptest::prelude::*;

use super::{events, rng};
use crate::encapsulate::{Boundary, Encapsulation, MESSAGE_MSRP, SendHead, WholeSend};
use crate::{Continuation, Event, TransactionId};

const STATED: &str = "From: \"Alice\" <sip:alice@example.org>;tag=a48f\r\n\
To: <sip:bob@example.org>\r\n\
Call-ID: 5f1c7a0e@198.51.100.7\r\n\
Date: Fri, 20 Nov 2026 09:14:06 GMT\r\n\
Subject: Lunch\r\n\
Priority: urgent\r\n\
P-Asserted-Identity: \"Alice\" <sip:alice@example.org>\r\n\
Message-ID: 13684434990@mailserver32.example.org\r\n";

const MESSAGE: &str = "MESSAGE sip:bob@example.org SIP/2.0\r\n\
Via: SIP/2.0/TCP scscf1.example.org:5060;branch=z9hG4bK-s1-7f3a\r\n\
Via: SIP/2.0/TCP 198.51.100.7:5062;branch=z9hG4bK-a-0091\r\n\
Max-Forwards: 68\r\n\
From: \"Alice\" <sip:alice@example.org>;tag=a48f\r\n\
To: <sip:bob@example.org>\r\n\
Call-ID: 5f1c7a0e@198.51.100.7\r\n\
CSeq: 101 MESSAGE\r\n\
Date: Fri, 20 Nov 2026 09:14:05 GMT\r\n\
Expires: 86400\r\n\
Subject: Lunch\r\n\
Priority: urgent\r\n\
Accept-Contact: *;+g.oma.sip-im\r\n\
User-Agent: IM-client/OMA1.0 AcmeIM/3.2\r\n\
P-Asserted-Identity: \"Alice\" <sip:alice@example.org>\r\n\
Content-Type: text/plain;charset=utf-8\r\n\
Content-Length: 26\r\n\
\r\n\
Lunch at noon, same place?";

#[test]
fn deferred_message_has_1033_octets() {
    let boundary = Boundary::fixed("Kf2Zt8Qw0LmXc5Vb1N").unwrap();
    let octets = MESSAGE.len() as u64;
    let framed = Encapsulation::new(&boundary, STATED, "message/sip", octets);
    let expected = format!(
        "--Kf2Zt8Qw0LmXc5Vb1N\r\nContent-Type: message/sipfrag;version=2.0\r\n\r\n{STATED}\r\n\
         --Kf2Zt8Qw0LmXc5Vb1N\r\nContent-Type: message/sip\r\n\r\n{MESSAGE}\r\n--Kf2Zt8Qw0LmXc5Vb1N--"
    );
    assert_eq!(framed.body(MESSAGE.as_bytes()), expected);
    assert_eq!(framed.octets(), 1033);
    assert_eq!(expected.len(), 1033);
    assert_eq!(
        framed.content_type(),
        "multipart/mixed;boundary=\"Kf2Zt8Qw0LmXc5Vb1N\""
    );
}

const STATED_LARGE: &str = "From: \"Alice\" <sip:alice@example.org>;tag=a5510\r\n\
To: <sip:bob@example.org>;tag=df1-77e2\r\n\
Call-ID: 90bd21ff@198.51.100.7\r\n\
Date: Fri, 20 Nov 2026 09:20:02 GMT\r\n\
Subject: Minutes of the meeting\r\n\
Priority: normal\r\n\
P-Asserted-Identity: \"Alice\" <sip:alice@example.org>\r\n\
Message-ID: 13684434991@mailserver32.example.org\r\n";

/// The head of the first chunk of 2.2, from its start line to its last header.
const FIRST_CHUNK: &str = "MSRP d93kswow SEND\r\n\
To-Path: msrp://192.0.2.20:2855/8rVq3LxT0mZc7YwKp5NbGd;tcp\r\n\
From-Path: msrp://198.51.100.7:7394/2s93i9idj;tcp\r\n\
Message-ID: 12339sdqwer\r\n\
Byte-Range: 1-*/3000\r\n\
Success-Report: yes\r\n\
Failure-Report: yes\r\n\
Content-Type: text/plain\r\n";

fn head(text: &str) -> SendHead {
    SendHead::parse(text.as_bytes()).expect("the head of a SEND")
}

/// The frame's head with the transaction id of the example.
fn rebuilt(text: &str, octets: u64) -> String {
    let send = WholeSend::new(&mut rng(), &head(text), octets, b"");
    let printed = String::from_utf8(send.head().to_vec()).expect("text");
    let id = printed.split(' ').nth(1).expect("a transaction id");
    assert_eq!(id.len(), 16);
    assert_eq!(send.end(), &format!("\r\n-------{id}$\r\n"));
    printed.replace(id, "w5Xn0cBt2KqLe7Ha")
}

#[test]
fn deferred_large_message_has_3745_octets() {
    let expected = FIRST_CHUNK
        .replace("d93kswow", "w5Xn0cBt2KqLe7Ha")
        .replace("1-*/3000", "1-3000/3000");
    assert_eq!(rebuilt(FIRST_CHUNK, 3_000), format!("{expected}\r\n"));
    let send = WholeSend::new(&mut rng(), &head(FIRST_CHUNK), 3_000, b"");
    let boundary = Boundary::fixed("Hy7Rj3Ga9PdSe4Uk6T").unwrap();
    let framed = Encapsulation::new(&boundary, STATED_LARGE, MESSAGE_MSRP, send.octets());
    assert_eq!(framed.octets(), 3745);
}

#[test]
fn what_describes_the_body_comes_last_and_its_type_at_the_very_end() {
    let shuffled = "From-Path: msrp://a:1/x;tcp\r\nContent-type:  image/png ; q=\"1\"\r\n\
        Content-Disposition: attachment; filename=\"b.png\"\r\nTo-Path: msrp://b:2/y;tcp\r\n\
        X-Own:kept  as it is\r\ncontent-id: <1@a>\r\nMessage-ID: 12ab\r\n\r\n";
    let expected = "MSRP w5Xn0cBt2KqLe7Ha SEND\r\nFrom-Path: msrp://a:1/x;tcp\r\n\
        To-Path: msrp://b:2/y;tcp\r\nX-Own:kept  as it is\r\nMessage-ID: 12ab\r\nByte-Range: 1-7/7\r\n\
        Content-Disposition: attachment; filename=\"b.png\"\r\ncontent-id: <1@a>\r\n\
        Content-type:  image/png ; q=\"1\"\r\n\r\n";
    assert_eq!(rebuilt(shuffled, 7), expected);
    let head = head(shuffled);
    assert_eq!(head.value("content-type"), Some("image/png ; q=\"1\""));
    let described: Vec<_> = head.mime_headers().collect();
    let expected = [
        ("Content-Disposition", "attachment; filename=\"b.png\""),
        ("content-id", "<1@a>"),
    ];
    assert_eq!(described, expected);
}

#[test]
fn a_private_head_names_no_host_and_keeps_all_else() {
    let text = FIRST_CHUNK.replace(
        "From-Path: msrp://",
        "From-Path: msrps://relay.example.org:9/r;tcp;a=b msrp://alice@",
    );
    let expected = text
        .replace("192.0.2.20", "anonymous.invalid")
        .replace("relay.example.org", "anonymous.invalid")
        .replace("alice@198.51.100.7", "anonymous.invalid");
    assert_eq!(head(&text).anonymised(), Ok(head(&expected)));
    let unreadable = FIRST_CHUNK.replace("msrp://198", "mailto:198");
    assert!(head(&unreadable).anonymised().is_err());
}

#[test]
fn what_is_no_head_of_a_send_is_refused() {
    let table: [&[u8]; 6] = [
        b"",
        b"MSRP a SEND\r\n",
        b"To-Path: msrp://a:1/x;tcp\r\n",
        b"To-Path: msrp://a:1/x;tcp\r\nFrom-Path: msrp://a:1/x;tcp\r\nno header\r\n",
        b"To-Path: msrp://a:1/x;tcp\nX: 1\r\nFrom-Path: msrp://a:1/x;tcp\r\n",
        b"To-Path: \xff\r\nFrom-Path: msrp://a:1/x;tcp\r\n",
    ];
    for text in table {
        assert!(SendHead::parse(text).is_err(), "{text:?}");
    }
}

#[test]
fn the_frame_inside_ends_nowhere_but_at_its_end() {
    let first = TransactionId::generate(&mut rng());
    let body = format!("before\r\n-------{first}$\r\nafter");
    let send = WholeSend::new(&mut rng(), &head(FIRST_CHUNK), 9, body.as_bytes());
    assert!(
        !send
            .end()
            .windows(16)
            .any(|id| id == first.as_str().as_bytes())
    );
}

proptest! {
    /// A head of any lines comes out with the same lines, and reads as the SEND it was.
    #[test]
    fn every_readable_head_makes_a_readable_frame(
        lines in prop::collection::vec("[A-Za-z-]{1,12}: ?[ -~]{0,30}", 0..6),
        octets in 1_u64..1_000,
    ) {
        let known = ["to-path", "from-path", "message-id", "byte-range", "success-report", "failure-report", "status"];
        let lines: Vec<_> = lines
            .into_iter()
            .filter(|line| !known.iter().any(|name| line.to_ascii_lowercase().starts_with(name)))
            .filter(|line| !line.to_ascii_lowercase().starts_with("content-type"))
            .collect();
        let text = format!("{FIRST_CHUNK}{}", lines.iter().map(|line| format!("{line}\r\n")).collect::<String>());
        let send = WholeSend::new(&mut rng(), &head(&text), octets, b"");
        let body = vec![b'x'; usize::try_from(octets).expect("small")];
        let frame = [send.head().as_ref(), &body, send.end().as_ref()].concat();
        prop_assert_eq!(frame.len() as u64, send.octets());
        let events = events(&[&frame]);
        let [Event::RequestHead { head, raw }, Event::Body(read), Event::RequestEnd(flag)] = &events[..] else {
            return Err(TestCaseError::fail(format!("{events:?}")));
        };
        prop_assert_eq!(read.as_ref(), &body[..]);
        prop_assert_eq!(*flag, Continuation::Complete);
        prop_assert_eq!(head.content_type.as_deref(), Some("text/plain"));
        prop_assert!(raw.ends_with(b"Content-Type: text/plain\r\n"));
        for line in &lines {
            let line = format!("\r\n{line}\r\n");
            prop_assert!(raw.windows(line.len()).any(|window| window == line.as_bytes()), "{}", line);
        }
    }

    #[test]
    fn no_octets_of_a_peer_break_the_reading(octets in prop::collection::vec(any::<u8>(), 0..200)) {
        let _ = SendHead::parse(&octets).and_then(|head| head.anonymised());
    }
}

#[test]
fn boundary_avoids_bodies_that_contain_it() {
    let first = Boundary::generate(&mut rng());
    let second = {
        let mut rng = rng();
        Boundary::generate(&mut rng);
        Boundary::generate(&mut rng)
    };
    let message = format!("before\r\n--{first}--\r\nafter");
    let chosen = Boundary::absent_from(&mut rng(), &[message.as_bytes()]);
    assert_eq!(chosen, second);
    let framed = Encapsulation::of_message(&mut rng(), STATED, "message/sip", message.as_bytes());
    assert!(framed.content_type().contains(&second.to_string()));
    assert_eq!(first.to_string().len(), 18);
}

#[test]
fn fixed_boundaries_are_base62() {
    for text in ["", "a b", "a\"b", "ä", &"x".repeat(71)] {
        assert_eq!(Boundary::fixed(text), None, "{text:?}");
    }
}
