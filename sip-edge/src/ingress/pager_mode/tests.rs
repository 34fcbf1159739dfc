//! Claims about what becomes of a MESSAGE.

use std::time::{Duration, SystemTime};

use sip::Request;
use storage_client::Deposit;
use storage_client::message::{Class, PartKind, Priority};

use super::{Leave, Pager, read};
use crate::site::fixture::df1;
use edge::example;
use edge::refuse::Refusal;

/// One second after example 2.1 was sent.
fn now() -> SystemTime {
    SystemTime::UNIX_EPOCH + Duration::from_secs(1_795_166_046)
}

fn outcome(request: &Request) -> Result<Pager, Refusal> {
    let arrival = ("tcp 192.0.2.11:5060".to_owned(), now());
    read(request, &df1(), arrival, |_| Ok(Leave::default()))
}

fn deposit(request: &Request) -> Deposit {
    match outcome(request) {
        Ok(Pager::Deposit(deposit)) => *deposit,
        other => panic!("no deposit: {other:?}"),
    }
}

fn with_body(content_type: &str, body: &str) -> Request {
    example::request(&format!(
        "MESSAGE sip:bob@example.org SIP/2.0\r\nVia: SIP/2.0/UDP h;branch=z9hG4bK1\r\n\
         From: <sip:alice@example.org>;tag=1\r\nTo: <sip:bob@example.org>\r\nCall-ID: 1\r\n\
         CSeq: 1 MESSAGE\r\n{}Content-Type: {content_type}\r\nContent-Length: {}\r\n\r\n{body}",
        example::IDENTITY,
        body.len(),
    ))
}

#[test]
fn the_example_becomes_a_deposit_with_every_value() {
    let request = example::message();
    let deposit = deposit(&request);
    assert_eq!(deposit.served_user, "sip:bob@example.org");
    assert_eq!(deposit.sender.as_deref(), Some("sip:alice@example.org"));
    assert_eq!(
        (deposit.class, deposit.priority, deposit.is_text),
        (Class::Pager, Priority::Urgent, true)
    );
    assert_eq!(
        deposit.headers.from,
        "\"Alice\" <sip:alice@example.org>;tag=a48f"
    );
    assert_eq!(
        deposit.headers.asserted_identity,
        "\"Alice\" <sip:alice@example.org>"
    );
    assert_eq!(deposit.headers.subject, "Lunch");
    assert_eq!(deposit.headers.date, "Fri, 20 Nov 2026 09:14:05 GMT");
    assert_eq!(deposit.duplicate_key.from_tag, "a48f");
    assert_eq!(deposit.duplicate_key.cseq, 101);
    // It was sent a second ago.
    assert_eq!(deposit.lifetime, Some(Duration::from_secs(86_399)));
}

#[test]
fn what_is_stored_is_what_was_received() {
    let request = example::message();
    let deposit = deposit(&request);
    let [part] = deposit.parts.as_slice() else {
        panic!("one part")
    };
    assert_eq!(
        (part.kind, &part.octets),
        (PartKind::Message, request.as_bytes())
    );
    let body_offset = usize::try_from(deposit.body_offset).expect("small");
    assert_eq!(&part.octets[body_offset..], b"Lunch at noon, same place?");
    assert_eq!(deposit.body_octets, 26);
}

#[test]
fn class_and_kind_follow_the_content() {
    let cpim = |wrapped: &str| {
        format!(
            "NS: imdn <urn:ietf:params:imdn>\r\nimdn.Message-ID: Xk39\r\n\r\n\
             Content-Type: {wrapped}\r\n\r\nx"
        )
    };
    let table = [
        ("text/plain", "hi".to_owned(), Class::Pager, true),
        (
            "TEXT/HTML;charset=utf-8",
            "hi".to_owned(),
            Class::Pager,
            true,
        ),
        ("image/png", "hi".to_owned(), Class::Pager, false),
        ("message/cpim", cpim("text/plain"), Class::Pager, true),
        ("message/cpim", cpim("image/png"), Class::Pager, false),
        ("Message/CPIM", cpim("message/imdn+xml"), Class::Imdn, false),
        ("message/cpim", "garbage".to_owned(), Class::Pager, false),
    ];
    for (content_type, body, class, is_text) in table {
        let deposit = deposit(&with_body(content_type, &body));
        assert_eq!(
            (deposit.class, deposit.is_text),
            (class, is_text),
            "{content_type} {body}"
        );
    }
    let imdn = deposit(&with_body("message/cpim", &cpim("text/plain")));
    assert_eq!(imdn.headers.imdn_message_id, "Xk39");
}

#[test]
fn is_composing_is_dropped() {
    let request = with_body("application/im-iscomposing+xml", "<isComposing/>");
    assert!(matches!(outcome(&request), Ok(Pager::Composing)));
}

#[test]
fn bodies_over_the_limit_are_413_and_at_the_limit_are_not() {
    let limit = df1().message_body_octets;
    assert!(outcome(&with_body("text/plain", &"x".repeat(limit))).is_ok());
    let over = outcome(&with_body("text/plain", &"x".repeat(limit + 1)));
    assert!(matches!(over, Err(Refusal::BodyTooLarge)), "{over:?}");
}

#[test]
fn refusals_come_in_the_order_of_the_table() {
    let too_large = "x".repeat(df1().message_body_octets + 1);
    let without = |name| {
        with_body("text/plain", &too_large)
            .edit()
            .remove(name)
            .build()
    };
    let nobody = without(sip::Name::PAssertedIdentity);
    assert!(matches!(outcome(&nobody), Err(Refusal::NoAssertedIdentity)));
    let foreign = without(sip::Name::PServedUser)
        .edit()
        .set_uri("sip:bob@elsewhere.org")
        .build();
    assert!(matches!(outcome(&foreign), Err(Refusal::UserUnknown)));
    let expired = with_body("text/plain", &too_large)
        .edit()
        .append(sip::Name::Expires, 0)
        .build();
    assert!(matches!(
        outcome(&expired),
        Err(Refusal::TemporarilyUnavailable)
    ));
}

#[test]
fn critical_privacy_is_refused_only_where_it_cannot_be_given() {
    let with_privacy = |value: &str| {
        example::message()
            .edit()
            .append(sip::Name::Privacy, value)
            .build()
    };
    assert_eq!(deposit(&with_privacy("id")).headers.privacy, "id");
    assert!(outcome(&with_privacy("id;critical")).is_ok());
    assert!(outcome(&with_privacy("user")).is_ok());
    let refused = outcome(&with_privacy("user;critical"));
    assert!(
        matches!(refused, Err(Refusal::CriticalPrivacy)),
        "{refused:?}"
    );
}

#[test]
fn the_imdn_message_id_is_found_under_any_prefix_and_only_where_it_is_declared() {
    let body = "NS: x <urn:ietf:params:imdn>\r\nx.Message-ID: Xk39\r\n\r\n\
                Content-Type: text/plain\r\n\r\nhi";
    let undeclared = body.replace("NS: x <urn:ietf:params:imdn>\r\n", "");
    for (body, expected) in [(body, "Xk39"), (&undeclared, ""), ("garbage", "")] {
        let deposit = deposit(&with_body("message/cpim", body));
        assert_eq!(deposit.headers.imdn_message_id, expected, "{body}");
    }
}
