//! Claims about a MESSAGE of ours (requirements §2.4.4).

use sip::Request;

use super::{Addressing, request};
use crate::delivery::example::taken;
use crate::site::fixture::df1;
use edge::example;

fn through_the_core(routes: &[String]) -> Addressing<'_> {
    Addressing {
        uri: "sip:bob@example.org",
        routes,
        served_user: "sip:bob@example.org",
        is_trusted: true,
        has_im_tag: false,
        feature: "",
    }
}

fn to_a_device() -> Addressing<'static> {
    Addressing {
        uri: "sip:bob@203.0.113.9;transport=tcp",
        is_trusted: false,
        ..through_the_core(&[])
    }
}

fn delivered(stored: &Request, to: &Addressing<'_>) -> Request {
    request(&taken(stored), to, &df1().signature).expect("a message")
}

fn text(request: &Request) -> String {
    String::from_utf8_lossy(request.as_bytes()).into_owned()
}

#[test]
fn the_message_is_that_of_the_example() {
    let routes = ["<sip:scscf1.example.org;transport=tcp;lr>".to_owned()];
    let delivered = delivered(&example::message(), &through_the_core(&routes));
    let product = df1().signature.product().to_owned();
    let expected = format!(
        "MESSAGE sip:bob@example.org SIP/2.0\r\n\
         Max-Forwards: 70\r\n\
         Route: <sip:scscf1.example.org;transport=tcp;lr>\r\n\
         From: \"Alice\" <sip:alice@example.org>;tag=dlv-13684434990\r\n\
         To: <sip:bob@example.org>\r\n\
         Call-ID: dlv-13684434990@mailserver32.example.org\r\n\
         CSeq: 1 MESSAGE\r\n\
         Date: Fri, 20 Nov 2026 09:14:05 GMT\r\n\
         Subject: Lunch\r\n\
         Priority: urgent\r\n\
         Content-Type: text/plain;charset=utf-8\r\n\
         Content-Length: 26\r\n\
         P-Asserted-Identity: \"Alice\" <sip:alice@example.org>\r\n\
         User-Agent: {product}\r\n\
         Message-ID: 13684434990@mailserver32.example.org\r\n\r\n\
         Lunch at noon, same place?"
    );
    assert_eq!(text(&delivered), expected);
}

#[test]
fn every_attempt_is_the_same_and_a_redelivery_has_the_next_number() {
    let mut taken = taken(&example::message());
    let to = to_a_device();
    let signature = df1().signature.clone();
    let first = request(&taken, &to, &signature).expect("a message");
    taken.message.attempts = 2;
    let second = request(&taken, &to, &signature).expect("a message");
    assert_eq!(first.as_bytes(), second.as_bytes());
    taken.message.redeliveries = 1;
    let again = request(&taken, &to, &signature).expect("a message");
    let cseq = again.headers().cseq().expect("well-formed");
    assert_eq!(cseq.map(|cseq| cseq.number), Some(2));
    assert_eq!(again.headers().call_id(), first.headers().call_id());
}

#[test]
fn bodies_and_their_headers_keep_every_octet() {
    let binary = "\u{0}\r\n\r\n\u{1}ü";
    let stored = example::message_with(
        "Content-Encoding: gzip\r\nc: multipart/mixed;\r\n boundary=\"b\"\r\n\
         CONTENT-DISPOSITION: render\r\ns: grüße\r\nConversation-ID: f81d\r\nContribution-ID: abcd\r\n\
         In-Reply-To: 1@h\r\nX-Other: no\r\n",
    );
    let stored = stored.edit().set_body(binary).build();
    let delivered = delivered(&stored, &to_a_device());
    assert_eq!(&delivered.body()[..], binary.as_bytes());
    let text = text(&delivered);
    for kept in [
        "Content-Encoding: gzip\r\n",
        "c: multipart/mixed;\r\n boundary=\"b\"\r\n",
        "CONTENT-DISPOSITION: render\r\n",
        "s: grüße\r\n",
        "Conversation-ID: f81d\r\n",
        "Contribution-ID: abcd\r\n",
        "In-Reply-To: 1@h\r\n",
    ] {
        assert!(text.contains(kept), "{kept} in {text}");
    }
    assert!(!text.contains("X-Other"), "{text}");
}

#[test]
fn a_message_without_date_gets_the_moment_of_its_receipt() {
    let stored = example::message_with("");
    let delivered = delivered(&stored, &to_a_device());
    let date = delivered.headers().date().expect("a date");
    assert_eq!(date.unix_seconds(), 1_795_166_046);
}

#[test]
fn the_sender_is_asserted_to_the_core_only_and_never_against_his_wish() {
    let asserted = |privacy: &str, to: &Addressing<'_>| {
        let stored = example::message()
            .edit()
            .append(sip::Name::Privacy, privacy)
            .build();
        let delivered = delivered(&stored, to);
        delivered.headers().count(sip::Name::PAssertedIdentity) > 0
    };
    assert!(asserted("none", &through_the_core(&[])));
    assert!(!asserted("none", &to_a_device()));
    for privacy in ["id", "header", "user;critical", "session"] {
        assert!(!asserted(privacy, &through_the_core(&[])), "{privacy}");
    }
}

#[test]
fn a_private_message_has_no_field_beyond_the_list() {
    let stored = example::message()
        .edit()
        .append(sip::Name::Privacy, "id")
        .append(sip::Name::Contact, "<sip:alice@198.51.100.7>")
        .append_raw("Remote-Party-ID", "<sip:alice@example.org>")
        .append_raw("History-Info", "<sip:alice@example.org>;index=1")
        .build();
    let delivered = delivered(&stored, &through_the_core(&[]));
    let names: Vec<_> = delivered
        .headers()
        .iter()
        .map(|field| field.name().to_owned())
        .collect();
    let expected = [
        "Max-Forwards",
        "From",
        "To",
        "Call-ID",
        "CSeq",
        "Date",
        "Subject",
        "Priority",
        "Content-Type",
        "Content-Length",
        "Privacy",
        "User-Agent",
        "Message-ID",
    ];
    assert_eq!(names, expected);
}

#[test]
fn only_im_clients_are_asked_for_by_feature() {
    let accept_contact = |has_im_tag| {
        let to = Addressing {
            has_im_tag,
            feature: "",
            ..to_a_device()
        };
        let delivered = delivered(&example::message(), &to);
        let field = delivered.headers().first(sip::Name::AcceptContact);
        field.map(|field| field.value().into_owned())
    };
    assert_eq!(accept_contact(false), None);
    assert_eq!(accept_contact(true).as_deref(), Some("*;+g.oma.sip-im"));
}
