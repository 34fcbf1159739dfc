//! Messages of 300 octets.

use std::time::{Duration, Instant};

use bytes::Bytes;
use storage::model::{Address, Class, Deposit, DuplicateKey, Headers, Part, PartKind, Priority};

/// Messages that a mailbox holds at first.
pub(super) const MAILBOX_MESSAGES: u64 = 10;

/// Octets of a body.
const BODY: usize = 300;

pub(super) fn address(mailbox: u64) -> Address {
    Address::new(format!("sip:user-{mailbox}@example.org"))
}

/// Message `number`.
pub(super) fn message(number: u64, mailbox: u64) -> Deposit {
    let sender = format!("sip:sender-{}@example.org", number % 1_000);
    let (call_id, tag) = (
        format!("flat-{number:x}@example.org"),
        format!("t{number:x}"),
    );
    let head = format!(
        "MESSAGE sip:user-{mailbox}@example.org SIP/2.0\r\n\
         Via: SIP/2.0/UDP 127.0.0.1:5062;branch=z9hG4bK-{number}\r\n\
         From: <{sender}>;tag={tag}\r\nTo: <sip:user-{mailbox}@example.org>\r\n\
         Call-ID: {call_id}\r\nCSeq: 1 MESSAGE\r\nP-Asserted-Identity: <{sender}>\r\n\
         Content-Type: text/plain\r\nContent-Length: {BODY}\r\n\r\n"
    );
    let body_offset = head.len() as u64;
    let mut octets = head.into_bytes();
    let mut bits = number.wrapping_mul(0x9E37_79B9_7F4A_7C15) | 1;
    octets.extend((0..BODY).map(|_| {
        bits = bits.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
        // Six random bits: bodies that no compression makes small.
        b' ' + u8::try_from(bits >> 58).unwrap_or_default()
    }));
    Deposit {
        served_user: address(mailbox),
        sender: Some(Address::new(sender.clone())),
        sender_exempt: false,
        class: Class::Pager,
        priority: Priority::Normal,
        is_text: true,
        headers: Headers {
            from: format!("<{sender}>;tag={tag}"),
            to: format!("<sip:user-{mailbox}@example.org>"),
            call_id: call_id.clone(),
            content_type: "text/plain".to_owned(),
            ..Headers::default()
        },
        duplicate_key: DuplicateKey {
            method: "MESSAGE".to_owned(),
            from_tag: tag,
            call_id,
            cseq: 1,
        },
        imdn_key: None,
        body_octets: BODY as u64,
        body_offset,
        parts: vec![Part {
            kind: PartKind::Message,
            octets: Bytes::from(octets),
        }],
        lifetime: None,
        received_from: "udp 127.0.0.1:5062".to_owned(),
        sha256: None,
        file: None,
        report_request: None,
        traceparent: None,
        leg: None,
        deadline: Instant::now() + Duration::from_secs(60),
    }
}
