//! Dialogs of both roles, rule by rule.

use super::*;
use crate::message::{Message, ResponseBuilder, parse_datagram};
use crate::{Limits, StatusCode};

fn request(text: &str) -> Request {
    match parse_datagram(text.to_owned().into(), &Limits::default()) {
        Ok(Message::Request(request)) => request,
        other => panic!("a request: {other:?}"),
    }
}

fn uri(text: &str) -> Uri {
    text.parse().unwrap()
}

/// A request of Alice to Bob with two proxies in its Record-Route.
fn from_alice(method: &str, cseq: u32, extra: &str) -> Request {
    request(&format!(
        "{method} sip:bob@192.0.2.4 SIP/2.0\r\nVia: SIP/2.0/UDP 192.0.2.1;branch=z9hG4bK{cseq}\r\n\
         From: \"Alice\" <sip:alice@example.org>;tag=a\r\nTo: Bob <sip:bob@example.org>\r\nCall-ID: c1\r\n\
         CSeq: {cseq} {method}\r\n{extra}Content-Length: 0\r\n\r\n"
    ))
}

const CONTACT: &str = "Contact: <sip:alice@192.0.2.1:5070>\r\n";

fn bobs_dialog(record_routes: &str) -> Dialog {
    let invite = from_alice("INVITE", 7, &format!("{CONTACT}{record_routes}"));
    Dialog::uas(&invite, "b", uri("sip:bob@192.0.2.4")).unwrap()
}

fn alices_dialog(record_routes: &str) -> Dialog {
    let invite = from_alice("INVITE", 7, &format!("{CONTACT}{record_routes}"));
    let answer = ResponseBuilder::reply_to(&invite, StatusCode::OK)
        .to_tag("b")
        .header(Name::Contact, "<sip:bob@192.0.2.4>")
        .build();
    Dialog::uac(&invite, &answer).unwrap()
}

fn routes(request: &Request) -> Vec<String> {
    request
        .headers()
        .routes()
        .unwrap()
        .iter()
        .map(|route| route.uri.to_string())
        .collect()
}

const TWO_LOOSE: &str = "Record-Route: <sip:p2.example.org;lr>, <sip:p1.example.org;lr>\r\n";

#[test]
fn both_sides_name_the_same_dialog() {
    let (alice, bob) = (alices_dialog(""), bobs_dialog(""));
    assert_eq!(alice.id().call_id(), "c1");
    assert_eq!(
        (alice.id().local_tag(), alice.id().remote_tag()),
        ("a", "b")
    );
    assert_eq!((bob.id().local_tag(), bob.id().remote_tag()), ("b", "a"));
    let bye = alices_dialog("").request(Method::Bye).build();
    assert_eq!(DialogId::of_request(&bye).as_ref(), Some(bob.id()));
    let answer = ResponseBuilder::reply_to(&bye, StatusCode::OK).build();
    assert_eq!(DialogId::of_response(&answer).as_ref(), Some(alice.id()));
    assert_eq!(DialogId::of_request(&from_alice("INVITE", 1, "")), None);
}

#[test]
fn requests_carry_the_dialog() {
    let mut bob = bobs_dialog("");
    let bye = bob.request(Method::Bye).build();
    let headers = bye.headers();
    assert_eq!(bye.raw_uri(), "sip:alice@192.0.2.1:5070");
    assert_eq!(headers.from().unwrap().unwrap().tag(), Some("b"));
    assert_eq!(
        headers.to().unwrap().unwrap().display_name.as_deref(),
        Some("Alice")
    );
    assert_eq!(headers.cseq().unwrap().unwrap().to_string(), "1 BYE");
    assert_eq!(
        bob.request(Method::Update)
            .build()
            .headers()
            .cseq()
            .unwrap()
            .unwrap()
            .number,
        2
    );
}

#[test]
fn uas_routes_in_the_order_of_record_route() {
    let mut bob = bobs_dialog(TWO_LOOSE);
    let bye = bob.request(Method::Bye).build();
    assert_eq!(
        routes(&bye),
        ["sip:p2.example.org;lr", "sip:p1.example.org;lr"]
    );
    assert_eq!(bob.next_hop(), &uri("sip:p2.example.org;lr"));
}

#[test]
fn uac_routes_in_the_reverse_order_of_record_route() {
    let mut alice = alices_dialog(TWO_LOOSE);
    let expected = ["sip:p1.example.org;lr", "sip:p2.example.org;lr"];
    for request in [alice.ack(7).build(), alice.request(Method::Bye).build()] {
        assert_eq!(request.raw_uri(), "sip:bob@192.0.2.4");
        assert_eq!(routes(&request), expected);
    }
    assert_eq!(
        alice
            .ack(7)
            .build()
            .headers()
            .cseq()
            .unwrap()
            .unwrap()
            .to_string(),
        "7 ACK"
    );
}

#[test]
fn strict_router_becomes_the_request_uri() {
    let mut bob =
        bobs_dialog("Record-Route: <sip:strict.example.org>, <sip:p1.example.org;lr>\r\n");
    let bye = bob.request(Method::Bye).build();
    assert_eq!(bye.raw_uri(), "sip:strict.example.org");
    assert_eq!(
        routes(&bye),
        ["sip:p1.example.org;lr", "sip:alice@192.0.2.1:5070"]
    );
    assert_eq!(bob.next_hop(), &uri("sip:strict.example.org"));
}

#[test]
fn target_refresh_moves_the_target_and_not_the_routes() {
    let mut bob = bobs_dialog(TWO_LOOSE);
    for (number, method) in [
        (8, "UPDATE"),
        (9, "INVITE"),
        (10, "SUBSCRIBE"),
        (11, "NOTIFY"),
    ] {
        let contact =
            format!("Contact: <sip:alice@192.0.2.{number}>\r\nRecord-Route: <sip:other;lr>\r\n");
        bob.handle_request(&from_alice(method, number, &contact))
            .unwrap();
        bob.invite_answered();
        let bye = bob.request(Method::Bye).build();
        assert_eq!(bye.raw_uri(), format!("sip:alice@192.0.2.{number}"));
        assert_eq!(routes(&bye).len(), 2);
    }
    bob.handle_request(&from_alice("MESSAGE", 12, "Contact: <sip:elsewhere>\r\n"))
        .unwrap();
    assert_eq!(bob.remote_target(), &uri("sip:alice@192.0.2.11"));
}

#[test]
fn response_to_a_target_refresh_moves_the_target() {
    let mut alice = alices_dialog("");
    let update = alice.request(Method::Update).build();
    let moved = |status| {
        ResponseBuilder::reply_to(&update, status)
            .header(Name::Contact, "<sip:bob@192.0.2.99>")
            .build()
    };
    alice.handle_response(&moved(StatusCode::NOT_ACCEPTABLE_HERE));
    assert_eq!(alice.remote_target(), &uri("sip:bob@192.0.2.4"));
    alice.handle_response(&moved(StatusCode::OK));
    assert_eq!(alice.remote_target(), &uri("sip:bob@192.0.2.99"));
}

#[test]
fn old_cseq_is_refused_with_500() {
    let mut bob = bobs_dialog("");
    bob.handle_request(&from_alice("MESSAGE", 9, "")).unwrap();
    let refused = bob
        .handle_request(&from_alice("MESSAGE", 8, ""))
        .unwrap_err();
    assert_eq!(refused.status, StatusCode::SERVER_INTERNAL_ERROR);
    // The ACK of an earlier INVITE is no new request.
    bob.handle_request(&from_alice("ACK", 7, "")).unwrap();
}

#[test]
fn crossing_invites_are_refused() {
    let mut bob = bobs_dialog("");
    bob.handle_request(&from_alice("INVITE", 8, CONTACT))
        .unwrap();
    let second = bob
        .handle_request(&from_alice("INVITE", 9, CONTACT))
        .unwrap_err();
    assert_eq!(second.status, StatusCode::SERVER_INTERNAL_ERROR);
    bob.invite_answered();
    let ours = bob.request(Method::Invite).build();
    let glare = bob
        .handle_request(&from_alice("INVITE", 10, CONTACT))
        .unwrap_err();
    assert_eq!(glare.status, StatusCode::REQUEST_PENDING);
    bob.handle_response(&ResponseBuilder::reply_to(&ours, StatusCode::TRYING).build());
    assert!(
        bob.handle_request(&from_alice("INVITE", 11, CONTACT))
            .is_err()
    );
    bob.handle_response(&ResponseBuilder::reply_to(&ours, StatusCode::REQUEST_PENDING).build());
    bob.handle_request(&from_alice("INVITE", 12, CONTACT))
        .unwrap();
}

#[test]
fn dialog_ends_with_481_and_408() {
    for status in [
        StatusCode::CALL_OR_TRANSACTION_DOES_NOT_EXIST,
        StatusCode::REQUEST_TIMEOUT,
    ] {
        let mut alice = alices_dialog("");
        let update = alice.request(Method::Update).build();
        alice.handle_response(&ResponseBuilder::reply_to(&update, StatusCode::BUSY_HERE).build());
        assert!(!alice.is_terminated());
        alice.handle_response(&ResponseBuilder::reply_to(&update, status).build());
        assert!(alice.is_terminated());
    }
}

#[test]
fn dialog_needs_exactly_one_contact() {
    let missing = Err(DialogError::Missing(Name::Contact));
    for contact in ["", "Contact: <sip:a>, <sip:b>\r\n", "Contact: *\r\n"] {
        let dialog = Dialog::uas(
            &from_alice("INVITE", 1, contact),
            "b",
            uri("sip:bob@192.0.2.4"),
        );
        assert_eq!(dialog.map(|_| ()), missing);
    }
}
