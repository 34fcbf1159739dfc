//! Claims about what a client gets of a deferred message.

use sip::Request;

use super::{Encapsulated, NotAMessage, encapsulate};
use crate::delivery::example::taken;
use edge::example;

/// The body with its boundary replaced by that of the example, which is as long.
fn pushed(request: &Request) -> (Encapsulated, String) {
    let pushed = encapsulate(&taken(request), &mut rand::rng()).expect("a message");
    let boundary = pushed.content_type.split('"').nth(1).expect("a boundary");
    let body = String::from_utf8(pushed.body.to_vec()).expect("text");
    let body = body.replace(boundary, "Kf2Zt8Qw0LmXc5Vb1N");
    (pushed, body)
}

#[test]
fn the_example_is_pushed_to_the_byte() {
    let (pushed, body) = pushed(&example::message());
    let expected = "--Kf2Zt8Qw0LmXc5Vb1N\r\n\
        Content-Type: message/sipfrag;version=2.0\r\n\r\n\
        From: \"Alice\" <sip:alice@example.org>;tag=a48f\r\n\
        To: <sip:bob@example.org>\r\n\
        Call-ID: 5f1c7a0e@198.51.100.7\r\n\
        Date: Fri, 20 Nov 2026 09:14:06 GMT\r\n\
        Subject: Lunch\r\n\
        Priority: urgent\r\n\
        P-Asserted-Identity: \"Alice\" <sip:alice@example.org>\r\n\
        Message-ID: 13684434990@mailserver32.example.org\r\n\r\n\
        --Kf2Zt8Qw0LmXc5Vb1N\r\n\
        Content-Type: message/sip\r\n\r\n\
        MESSAGE sip:bob@example.org SIP/2.0\r\n\
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
        Content-Length: 26\r\n\r\n\
        Lunch at noon, same place?\r\n\
        --Kf2Zt8Qw0LmXc5Vb1N--";
    assert_eq!(body, expected);
    assert_eq!((body.len(), pushed.wrapped_type), (1_033, "message/sip"));
}

#[test]
fn all_core_fields_and_no_other_are_left_out() {
    let lines = "Route: <sip:a;lr>\r\nP-Charging-Vector: icid-value=1\r\nP-Charging-Function-Addresses: ccf=1\r\n\
        p-access-network-info: 3GPP\r\nP-Visited-Network-ID: x\r\nProxy-Authorization: Digest a=\"b\"\r\n\
        Authorization: Digest a=\"b\"\r\nP-Asserted-Service: urn\r\nP-Served-User: <sip:bob@example.org>\r\n\
        X-Kept:  odd   spacing\r\nm: <sip:alice@198.51.100.7>\r\n";
    let (_, body) = pushed(&example::message_with(lines));
    let wrapped = body.split("message/sip\r\n\r\n").nth(1).expect("part 2");
    for gone in [
        "Route",
        "P-Charging",
        "network-info",
        "Visited",
        "uthorization",
        "Service",
        "Served",
    ] {
        assert!(!wrapped.contains(gone), "{gone}: {wrapped}");
    }
    assert!(
        wrapped.contains("X-Kept:  odd   spacing\r\nm: <sip:alice@198.51.100.7>\r\n"),
        "{wrapped}"
    );
}

#[test]
fn a_private_message_names_its_sender_nowhere() {
    let request = example::request(
        "MESSAGE sip:bob@example.org SIP/2.0\r\n\
         Via: SIP/2.0/TCP 198.51.100.7:5062;branch=z9hG4bK-a-1\r\nMax-Forwards: 70\r\n\
         From: \"Anonymous\" <sip:anonymous@anonymous.invalid>;tag=zz1\r\n\
         t: <sip:bob@example.org>\r\nCall-ID: 0a1b2c@anonymous.invalid\r\nCSeq: 7 MESSAGE\r\n\
         Privacy: id\r\nP-Asserted-Identity: <sip:alice@example.org>\r\n\
         P-Preferred-Identity: <sip:alice@example.org>\r\nContact: <sip:alice@198.51.100.7>\r\n\
         Remote-Party-ID: <sip:alice@example.org>\r\nUser-Agent: alice's phone\r\n\
         Date: Fri, 20 Nov 2026 10:00:00 GMT\r\nc: text/plain\r\nContent-Length: 5\r\n\r\npsst!",
    );
    let (pushed, body) = pushed(&request);
    assert_eq!(pushed.wrapped_type, "message/sipfrag");
    assert!(
        !body.contains("alice") && !body.contains("198.51.100.7"),
        "{body}"
    );
    let expected = "Content-Type: message/sipfrag\r\n\r\nMESSAGE sip:bob@example.org SIP/2.0\r\n\
        From: \"Anonymous\" <sip:anonymous@anonymous.invalid>;tag=zz1\r\n\
        t: <sip:bob@example.org>\r\nCall-ID: 0a1b2c@anonymous.invalid\r\nCSeq: 7 MESSAGE\r\n\
        Privacy: id\r\nDate: Fri, 20 Nov 2026 10:00:00 GMT\r\nc: text/plain\r\n\
        Content-Length: 5\r\n\r\npsst!\r\n--Kf2Zt8Qw0LmXc5Vb1N--";
    assert!(body.ends_with(expected), "{body}");
}

#[test]
fn privacy_none_is_no_privacy() {
    let request = example::message()
        .edit()
        .append(sip::Name::Privacy, "none")
        .build();
    assert_eq!(pushed(&request).0.wrapped_type, "message/sip");
}

#[test]
fn absent_values_are_omitted_and_priority_is_normal() {
    let (_, body) = pushed(&example::message_with(""));
    let stated = body.split("\r\n\r\n").nth(1).expect("part 1");
    assert!(
        !stated.contains("Subject") && !stated.contains("P-Asserted-Identity"),
        "{stated}"
    );
    assert!(stated.contains("\r\nPriority: normal\r\n"), "{stated}");
}

#[test]
fn no_stored_value_begins_a_line_of_its_own() {
    let mut taken = taken(&example::message());
    taken.message.headers.subject = "one\r\nMessage-ID: forged".to_owned();
    let pushed = encapsulate(&taken, &mut rand::rng()).expect("a message");
    let body = String::from_utf8_lossy(&pushed.body).into_owned();
    assert!(
        body.contains("Subject: one  Message-ID: forged\r\n"),
        "{body}"
    );
}

#[test]
fn octets_that_are_no_message_are_not_pushed() {
    let mut taken = taken(&example::message());
    taken.parts[0].octets = "garbage".into();
    assert_eq!(encapsulate(&taken, &mut rand::rng()), Err(NotAMessage));
    taken.parts.clear();
    assert_eq!(encapsulate(&taken, &mut rand::rng()), Err(NotAMessage));
}
