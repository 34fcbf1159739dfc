//! Claims about what a client gets of a deferred message.

use sip::Request;

use storage_client::delivery::TakenMessage;
use storage_client::message::{Class, FileAttributes, Part, PartKind};

use super::{Encapsulated, NotAMessage, encapsulate, send_head};
use crate::delivery::content::Content;
use crate::delivery::example::{taken, taken_large};
use edge::example;

/// The body with its boundary replaced by that of the example, which is as long.
fn pushed(request: &Request) -> (Encapsulated, String) {
    let pushed = encapsulate(&taken(request), &mut rand::rng()).expect("a message");
    let boundary = pushed.content_type.split('"').nth(1).expect("a boundary");
    let body = String::from_utf8(pushed.content.held().0.to_vec()).expect("text");
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
    let body = String::from_utf8_lossy(pushed.content.held().0).into_owned();
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

/// What stands before and after the body of a large message, with the example's boundary and
/// transaction id, which are as long.
fn around(taken: &TakenMessage) -> (String, String) {
    let pushed = encapsulate(taken, &mut rand::rng()).expect("a message");
    assert_eq!(pushed.wrapped_type, "message/msrp");
    let boundary = pushed.content_type.split('"').nth(1).expect("a boundary");
    let (before, after) = pushed.content.held();
    let before = String::from_utf8(before.to_vec()).expect("text");
    let after = String::from_utf8(after.to_vec()).expect("text");
    let id = before.split("\r\nMSRP ").nth(1).expect("a SEND");
    let id = id.split(' ').next().expect("a transaction id");
    let dressed = |text: &str| {
        text.replace(boundary, "Hy7Rj3Ga9PdSe4Uk6T")
            .replace(id, "w5Xn0cBt2KqLe7Ha")
    };
    let octets = (before.len() + after.len()) as u64 + taken.message.body_octets;
    assert_eq!(pushed.content.octets(), octets);
    (dressed(&before), dressed(&after))
}

#[test]
fn a_large_message_is_pushed_as_the_send_it_came_in() {
    let (before, after) = around(&taken_large(""));
    let expected = "--Hy7Rj3Ga9PdSe4Uk6T\r\n\
        Content-Type: message/sipfrag;version=2.0\r\n\r\n\
        From: \"Alice\" <sip:alice@example.org>;tag=a5510\r\n\
        To: <sip:bob@example.org>;tag=df1-77e2\r\n\
        Call-ID: 90bd21ff@198.51.100.7\r\n\
        Date: Fri, 20 Nov 2026 09:20:02 GMT\r\n\
        Subject: Minutes of the meeting\r\n\
        Priority: normal\r\n\
        P-Asserted-Identity: \"Alice\" <sip:alice@example.org>\r\n\
        Message-ID: 13684434991@mailserver32.example.org\r\n\r\n\
        --Hy7Rj3Ga9PdSe4Uk6T\r\n\
        Content-Type: message/msrp\r\n\r\n\
        MSRP w5Xn0cBt2KqLe7Ha SEND\r\n\
        To-Path: msrp://192.0.2.20:2855/8rVq3LxT0mZc7YwKp5NbGd;tcp\r\n\
        From-Path: msrp://198.51.100.7:7394/2s93i9idj;tcp\r\n\
        Message-ID: 12339sdqwer\r\n\
        Byte-Range: 1-3000/3000\r\n\
        Success-Report: yes\r\n\
        Failure-Report: yes\r\n\
        Content-Disposition: attachment; filename=\"plan.pdf\"\r\n\
        Content-Type: application/pdf\r\n\r\n";
    assert_eq!(before, expected);
    assert_eq!(
        after,
        "\r\n-------w5Xn0cBt2KqLe7Ha$\r\n\r\n--Hy7Rj3Ga9PdSe4Uk6T--"
    );
}

#[test]
fn a_notification_that_came_over_msrp_is_enclosed_like_any_large_message() {
    let mut notification = taken_large("");
    notification.message.class = Class::Imdn;
    assert_eq!(around(&notification), around(&taken_large("")));
}

#[test]
fn a_private_large_message_names_no_host_and_nobody() {
    let (before, _) = around(&taken_large("Privacy: id\r\n"));
    assert!(!before.contains("P-Asserted-Identity"), "{before}");
    for path in [
        "To-Path: msrp://anonymous.invalid:2855/8rVq3LxT0mZc7YwKp5NbGd;tcp\r\n",
        "From-Path: msrp://anonymous.invalid:7394/2s93i9idj;tcp\r\n",
        "Message-ID: 12339sdqwer\r\n",
    ] {
        assert!(before.contains(path), "{before}");
    }
}

#[test]
fn an_inline_body_is_enclosed_whole_or_not_at_all() {
    let mut taken = taken_large("");
    let mut body = Part {
        kind: PartKind::SendBody,
        octets: vec![b'x'; 3_000].into(),
    };
    taken.parts.push(body.clone());
    let pushed = encapsulate(&taken, &mut rand::rng()).expect("a message");
    let (whole, _) = pushed.content.held();
    assert_eq!(pushed.content, Content::whole(whole.clone()));
    assert_eq!(
        whole
            .windows(3_000)
            .filter(|held| *held == &body.octets[..])
            .count(),
        1
    );

    taken.parts.pop();
    body.octets.truncate(2_999);
    taken.parts.push(body);
    assert_eq!(encapsulate(&taken, &mut rand::rng()), Err(NotAMessage));
}

#[test]
fn ft_05_a_file_keeps_its_name_where_only_its_offer_had_one() {
    let offered = FileAttributes {
        name: "a \"b\".pdf".to_owned(),
        disposition: "render".to_owned(),
        ..FileAttributes::default()
    };
    let head = |taken: &TakenMessage| send_head(taken).expect("a head");
    let mut taken = taken_large("");
    taken.message.file = Some(offered);
    let disposition = "attachment; filename=\"plan.pdf\"";
    assert_eq!(head(&taken).value("Content-Disposition"), Some(disposition));
    for part in &mut taken.parts {
        let text = String::from_utf8_lossy(&part.octets).into_owned();
        let line = format!("Content-Disposition: {disposition}\r\n");
        part.octets = text.replace(&line, "").into();
    }
    let made = "inline; filename=\"a \\\"b\\\".pdf\"";
    assert_eq!(head(&taken).value("Content-Disposition"), Some(made));
    taken.message.file = None;
    assert_eq!(head(&taken).value("Content-Disposition"), None);
}
