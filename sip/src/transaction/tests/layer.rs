//! What the layer adds to the machines: matching, tables, CANCEL, ACK.

use std::time::{Duration, Instant};

use super::*;
use crate::transaction::{Event, Layer, LayerFull, LayerLimits, ServerId, Timers, Transmit};

fn layer() -> Layer<&'static str> {
    Layer::new(Timers::default(), LayerLimits::default())
}

fn small_layer(transactions: usize) -> Layer<&'static str> {
    let limits = LayerLimits {
        server_transactions: transactions,
        client_transactions: transactions,
    };
    Layer::new(Timers::default(), limits)
}

fn sent(layer: &mut Layer<&'static str>) -> Vec<String> {
    let transmits = std::iter::from_fn(|| layer.poll_transmit());
    transmits
        .map(|Transmit { bytes, .. }| first_line(&bytes))
        .collect()
}

fn first_line(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes)
        .lines()
        .next()
        .unwrap_or_default()
        .to_owned()
}

/// Hands a request in and returns its new transaction.
fn arrive(layer: &mut Layer<&'static str>, now: Instant, request: &Request) -> ServerId {
    layer.handle_request(now, request.clone(), "alice", false);
    match layer.poll_event() {
        Some(Event::Request { id, .. }) => id,
        other => panic!("a new request: {other:?}"),
    }
}

#[test]
fn retransmission_is_answered_and_not_reported() {
    let (mut layer, now) = (layer(), Instant::now());
    let message = request("MESSAGE", "z9hG4bK1", "");
    let id = arrive(&mut layer, now, &message);
    layer.handle_request(now, message.clone(), "alice", false);
    assert_eq!(sent(&mut layer), [""; 0]);
    layer.respond(now, id, &reply(&message, StatusCode::ACCEPTED));
    layer.handle_request(now, message.clone(), "alice", false);
    assert_eq!(sent(&mut layer), ["SIP/2.0 202 Accepted"; 2]);
    assert!(layer.poll_event().is_none());
    // Timer J: the same request is a new one after 32 s.
    layer.handle_timeout(now + Duration::from_secs(32));
    assert_eq!(layer.transactions(), (0, 0));
    arrive(&mut layer, now, &message);
}

#[test]
fn second_final_response_is_discarded() {
    let (mut layer, now) = (layer(), Instant::now());
    let message = request("MESSAGE", "z9hG4bK1", "");
    let id = arrive(&mut layer, now, &message);
    layer.respond(now, id, &reply(&message, StatusCode::ACCEPTED));
    layer.respond(now, id, &reply(&message, StatusCode::FORBIDDEN));
    layer.handle_request(now, message, "alice", false);
    assert_eq!(sent(&mut layer), ["SIP/2.0 202 Accepted"; 2]);
}

#[test]
fn sent_by_and_method_belong_to_the_key_and_host_case_does_not() {
    let (mut layer, now) = (layer(), Instant::now());
    let message = request("MESSAGE", "z9hG4bK1", "");
    arrive(&mut layer, now, &message);
    let text = String::from_utf8(message.as_bytes().to_vec()).unwrap();
    layer.handle_request(
        now,
        parse(text.replace("Alice.ex", "ALICE.ex")),
        "alice",
        false,
    );
    assert!(layer.poll_event().is_none());
    layer.handle_request(
        now,
        parse(text.replace("Alice.ex", "Carol.ex")),
        "alice",
        false,
    );
    assert!(matches!(layer.poll_event(), Some(Event::Merged { .. })));
    arrive(&mut layer, now, &request("OPTIONS", "z9hG4bK1", ""));
}

#[test]
fn request_of_rfc_2543_is_matched_by_its_fields() {
    for branch in ["", "1"] {
        let (mut layer, now) = (layer(), Instant::now());
        let invite = request("INVITE", branch, "");
        let id = arrive(&mut layer, now, &invite);
        layer.handle_request(now, invite.clone(), "alice", false);
        assert!(layer.poll_event().is_none());
        layer.respond(now, id, &reply(&invite, StatusCode::BUSY_HERE));
        let ack = parse(
            String::from_utf8(invite.as_bytes().to_vec())
                .unwrap()
                .replace("INVITE", "ACK"),
        );
        layer.handle_request(now, ack, "alice", false);
        assert!(layer.poll_event().is_none());
        sent(&mut layer);
        layer.handle_timeout(now + Duration::from_secs(4));
        assert_eq!(
            sent(&mut layer),
            [""; 0],
            "the ACK has stopped the retransmissions"
        );
    }
}

#[test]
fn merged_request_is_told_apart_until_the_first_is_answered() {
    let (mut layer, now) = (layer(), Instant::now());
    let first = request("MESSAGE", "z9hG4bK1", "");
    let id = arrive(&mut layer, now, &first);
    layer.handle_request(now, request("MESSAGE", "z9hG4bK2", ""), "alice", false);
    let Some(Event::Merged {
        id: merged,
        request: copy,
        ..
    }) = layer.poll_event()
    else {
        panic!("merged")
    };
    layer.respond(now, merged, &reply(&copy, StatusCode::LOOP_DETECTED));
    layer.respond(now, id, &reply(&first, StatusCode::ACCEPTED));
    assert_eq!(
        sent(&mut layer),
        ["SIP/2.0 482 Loop Detected", "SIP/2.0 202 Accepted"]
    );
    // A retry by another way, while the transaction still absorbs retransmissions.
    arrive(&mut layer, now, &request("MESSAGE", "z9hG4bK3", ""));
}

#[test]
fn full_table_retires_the_longest_completed() {
    let (mut layer, now) = (small_layer(2), Instant::now());
    let requests =
        ["z9hG4bK1", "z9hG4bK2", "z9hG4bK3"].map(|branch| request("OPTIONS", branch, ""));
    let other_call = |request: &Request, call: &str| {
        parse(
            String::from_utf8(request.as_bytes().to_vec())
                .unwrap()
                .replace("c1", call),
        )
    };
    let first = &requests[0];
    let id = arrive(&mut layer, now, first);
    layer.respond(now, id, &reply(first, StatusCode::OK));
    arrive(&mut layer, now, &other_call(&requests[1], "c2"));
    arrive(&mut layer, now, &other_call(&requests[2], "c3"));
    assert_eq!(layer.transactions(), (2, 0));
    // The first one is forgotten: it would be a new request now.
    layer.handle_request(now, first.clone(), "alice", false);
    assert!(matches!(layer.poll_event(), Some(Event::Overflow { .. })));
}

#[test]
fn request_without_room_is_an_overflow() {
    let (mut layer, now) = (small_layer(1), Instant::now());
    arrive(&mut layer, now, &request("OPTIONS", "z9hG4bK1", ""));
    layer.handle_request(now, request("MESSAGE", "z9hG4bK2", ""), "alice", false);
    assert!(matches!(layer.poll_event(), Some(Event::Overflow { .. })));
    assert!(
        layer
            .start_request(now, request("OPTIONS", "z9hG4bK3", ""), "bob", false)
            .is_ok()
    );
    let full = layer.start_request(now, request("OPTIONS", "z9hG4bK4", ""), "bob", false);
    assert_eq!(full, Err(LayerFull));
}

/// Gives the answer that the layer wants to a CANCEL.
fn answer_cancel(layer: &mut Layer<&'static str>, now: Instant) {
    let Some(Event::Cancel {
        id,
        request,
        status,
        to_tag,
    }) = layer.poll_event()
    else {
        panic!("no CANCEL to answer");
    };
    let answer = ResponseBuilder::reply_to(&request, status).to_tag(&to_tag);
    layer.respond(now, id, &answer.build());
}

#[test]
fn cancel_is_answered_and_reported_once() {
    let (mut layer, now) = (layer(), Instant::now());
    let invite = request("INVITE", "z9hG4bK1", "");
    let id = arrive(&mut layer, now, &invite);
    let cancel = request("CANCEL", "z9hG4bK1", "");
    layer.handle_request(now, cancel.clone(), "alice", false);
    answer_cancel(&mut layer, now);
    assert!(
        matches!(layer.poll_event(), Some(Event::Cancelled { id: cancelled, .. }) if cancelled == id)
    );
    layer.handle_request(now, cancel, "alice", false);
    assert_eq!(sent(&mut layer), ["SIP/2.0 200 OK"; 2]);
    assert!(layer.poll_event().is_none());
}

#[test]
fn cancel_after_the_final_response_changes_nothing() {
    let (mut layer, now) = (layer(), Instant::now());
    let invite = request("INVITE", "z9hG4bK1", "");
    let id = arrive(&mut layer, now, &invite);
    layer.respond(now, id, &reply(&invite, StatusCode::OK));
    layer.handle_request(now, request("CANCEL", "z9hG4bK1", ""), "alice", false);
    answer_cancel(&mut layer, now);
    assert_eq!(sent(&mut layer), ["SIP/2.0 200 OK"; 2]);
    assert!(layer.poll_event().is_none());
    layer.handle_request(now, request("CANCEL", "z9hG4bK-other", ""), "alice", false);
    answer_cancel(&mut layer, now);
    assert_eq!(
        sent(&mut layer),
        ["SIP/2.0 481 Call/Transaction Does Not Exist"]
    );
}

#[test]
fn ack_of_a_2xx_reaches_the_dialog_each_time_and_stops_its_copies() {
    let (mut layer, now) = (layer(), Instant::now());
    let invite = request("INVITE", "z9hG4bK1", "");
    let id = arrive(&mut layer, now, &invite);
    layer.respond(now, id, &reply(&invite, StatusCode::OK));
    layer.handle_timeout(now + Duration::from_millis(500));
    assert_eq!(sent(&mut layer), ["SIP/2.0 200 OK"; 2]);
    for _ in 0..2 {
        layer.handle_request(now, ack(&invite, "z9hG4bK2"), "alice", false);
        assert!(matches!(layer.poll_event(), Some(Event::Ack { .. })));
    }
    layer.handle_timeout(now + Duration::from_secs(40));
    assert_eq!(sent(&mut layer), [""; 0]);
    assert!(layer.poll_event().is_none());
    assert_eq!(layer.transactions(), (0, 0));
}

#[test]
fn merged_invites_answered_alike_do_not_lose_each_others_ack() {
    let (mut layer, now) = (layer(), Instant::now());
    let (first, second) = (
        request("INVITE", "z9hG4bK1", ""),
        request("INVITE", "z9hG4bK2", ""),
    );
    let id = arrive(&mut layer, now, &first);
    layer.respond(now, id, &reply(&first, StatusCode::OK));
    let later = now + Duration::from_secs(30);
    layer.handle_timeout(later);
    layer.handle_request(later, second.clone(), "alice", false);
    let Some(Event::Merged { id, .. }) = layer.poll_event() else {
        panic!("a merged request")
    };
    layer.respond(later, id, &reply(&second, StatusCode::OK));
    // Timer L ends the first; the second still waits for its ACK.
    layer.handle_timeout(now + Duration::from_secs(33));
    sent(&mut layer);
    while layer.poll_event().is_some() {}
    layer.handle_request(later, ack(&second, "z9hG4bK3"), "alice", false);
    layer.handle_timeout(later + Duration::from_secs(10));
    assert_eq!(sent(&mut layer), [""; 0]);
}

#[test]
fn failure_is_acknowledged_on_the_branch_of_the_invite() {
    let (mut layer, now) = (layer(), Instant::now());
    let invite = request(
        "INVITE",
        "z9hG4bK1",
        "Route: <sip:p1;lr>\r\nRoute: <sip:p2;lr>\r\n",
    );
    layer
        .start_request(now, invite.clone(), "bob", false)
        .unwrap();
    layer.poll_transmit();
    assert!(layer.handle_response(now, reply(&invite, StatusCode::BUSY_HERE)));
    let ack = layer.poll_transmit().unwrap().bytes;
    let Ok(Message::Request(ack)) = parse_datagram(ack, &Limits::default()) else {
        panic!("an ACK")
    };
    assert!(ack.check().is_ok());
    let headers = ack.headers();
    assert_eq!(headers.cseq().unwrap().unwrap().to_string(), "1 ACK");
    assert_eq!(
        headers.top_via().unwrap().unwrap().branch(),
        Some("z9hG4bK1")
    );
    assert_eq!(headers.to().unwrap().unwrap().tag(), Some("b"));
    assert_eq!(headers.routes().unwrap().len(), 2);
}

#[test]
fn cancel_waits_for_a_provisional_response_and_ends_after_64_t1() {
    let (mut layer, now) = (layer(), Instant::now());
    let invite = request("INVITE", "z9hG4bK1", "");
    let id = layer
        .start_request(now, invite.clone(), "bob", true)
        .unwrap();
    layer.cancel(now, id);
    assert_eq!(sent(&mut layer), ["INVITE sip:bob@example.org SIP/2.0"]);
    layer.handle_response(now, reply(&invite, StatusCode::RINGING));
    assert_eq!(sent(&mut layer), ["CANCEL sip:bob@example.org SIP/2.0"]);
    layer.cancel(now, id);
    assert_eq!(sent(&mut layer), [""; 0]);
    assert!(matches!(layer.poll_event(), Some(Event::Response { .. })));
    layer.handle_timeout(now + Duration::from_secs(32));
    let ends: Vec<_> = std::iter::from_fn(|| layer.poll_event()).collect();
    assert!(
        matches!(ends[..], [Event::Timeout { id: ended, .. }] if ended == id),
        "{ends:?}"
    );
    assert_eq!(layer.transactions(), (0, 0));
}

#[test]
fn stray_response_is_no_event() {
    let (mut layer, now) = (layer(), Instant::now());
    let message = request("MESSAGE", "z9hG4bK1", "");
    assert!(!layer.handle_response(now, reply(&message, StatusCode::OK)));
    layer.start_request(now, message, "bob", false).unwrap();
    let forged = request("MESSAGE", "z9hG4bK1", "")
        .edit()
        .replace_first(crate::Name::Via, "SIP/2.0/UDP x;branch=z9hG4bK1");
    assert!(!layer.handle_response(now, reply(&forged.build(), StatusCode::OK)));
    assert!(layer.poll_event().is_none());
}

#[test]
fn ended_transactions_leave_no_timers_behind() {
    let (mut layer, now) = (layer(), Instant::now());
    let message = request("MESSAGE", "z9hG4bK1", "");
    let id = layer.start_request(now, message, "bob", true).unwrap();
    layer.handle_transport_failure(now, id);
    assert!(matches!(
        layer.poll_event(),
        Some(Event::Unreachable { .. })
    ));
    layer.handle_timeout(now);
    assert_eq!(layer.next_timeout(), None);
}
