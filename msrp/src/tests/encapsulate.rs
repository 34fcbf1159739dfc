//! The push bodies of 2.4.3, octet for octet.

use super::rng;
use crate::encapsulate::{Boundary, Encapsulation};

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

#[test]
fn deferred_large_message_has_3745_octets() {
    let stated = "From: \"Alice\" <sip:alice@example.org>;tag=a5510\r\n\
To: <sip:bob@example.org>;tag=df1-77e2\r\n\
Call-ID: 90bd21ff@198.51.100.7\r\n\
Date: Fri, 20 Nov 2026 09:20:02 GMT\r\n\
Subject: Minutes of the meeting\r\n\
Priority: normal\r\n\
P-Asserted-Identity: \"Alice\" <sip:alice@example.org>\r\n\
Message-ID: 13684434991@mailserver32.example.org\r\n";
    let head = "MSRP w5Xn0cBt2KqLe7Ha SEND\r\n\
To-Path: msrp://192.0.2.20:2855/8rVq3LxT0mZc7YwKp5NbGd;tcp\r\n\
From-Path: msrp://198.51.100.7:7394/2s93i9idj;tcp\r\n\
Message-ID: 12339sdqwer\r\n\
Byte-Range: 1-3000/3000\r\n\
Success-Report: yes\r\n\
Failure-Report: yes\r\n\
Content-Type: text/plain\r\n\r\n";
    let octets = head.len() as u64 + 3000 + "\r\n-------w5Xn0cBt2KqLe7Ha$\r\n".len() as u64;
    let boundary = Boundary::fixed("Hy7Rj3Ga9PdSe4Uk6T").unwrap();
    let framed = Encapsulation::new(&boundary, stated, "message/msrp", octets);
    assert_eq!(framed.octets(), 3745);
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
