//! Delivery by MESSAGE (DLM rows, requirements §2.4.4).

use proto::v1;
use proto::v1::acknowledge::Settlement;
use restante_sip_edge::config::DeliveryMode;
use sip::Request;
use tokio::net::TcpListener;

use crate::client::{TcpPeer, UdpPeer, answer, value};
use crate::deposit::message;
use crate::push::{IM_TAG, Story, deposit};
use crate::push_failures::outcome;
use crate::registration::{register, third_party};
use crate::running::{Running, laptop};
use crate::store::{Behaviour, FIRST, HOSTNAME, Store};

/// Largest request for any way to a device.
const SAFE: usize = 1_300;

fn asked_again(request: &Request) -> String {
    let text = String::from_utf8_lossy(request.as_bytes()).into_owned();
    text.lines()
        .filter(|line| !line.starts_with("Via: "))
        .collect()
}

fn branch(request: &Request) -> String {
    let via = request
        .headers()
        .top_via()
        .expect("well-formed")
        .expect("a Via");
    via.branch().expect("a branch").to_owned()
}

/// Asks the edge something, and gets its answer as the next thing: nothing else was sent before.
async fn has_sent_nothing_else(bob: &mut TcpPeer) {
    let options = message("z9hG4bK-nothing-else", "").replace("MESSAGE", "OPTIONS");
    bob.send(&options).await;
    assert_eq!(bob.response().await.status().code(), 200);
}

#[tokio::test]
async fn a_phone_gets_one_message_after_the_other_in_their_order() {
    for lines in ["", "Allow: INVITE, MESSAGE\r\n"] {
        let mut story = Story::begun(3, |_| {}).await;
        story.register("", lines).await;
        for number in 0..3 {
            let request = story.bob.request_of("MESSAGE").await;
            let headers = request.headers();
            let id = format!("{}@{HOSTNAME}", FIRST + number);
            assert_eq!(value(headers, "Message-ID"), id);
            assert_eq!(value(headers, "Call-ID"), format!("dlv-{id}"));
            assert_eq!(value(headers, "Accept-Contact"), "");
            assert_eq!(headers.count(sip::Name::Contact), 0);
            assert_eq!(
                request.raw_uri(),
                format!("sip:bob@{};transport=tcp", story.bob.address())
            );
            assert_eq!(&request.body()[..], b"Lunch at noon, same place?");
            if number == 0 {
                has_sent_nothing_else(&mut story.bob).await;
            }
            story.bob.answer(&request, "100 Trying", "", "").await;
            story.bob.answer(&request, "200 OK", "", "").await;
            let acknowledge = story.store.acknowledgement().await;
            assert_eq!(acknowledge.message_id, id);
            let by = "MESSAGE 200".to_owned();
            assert_eq!(
                acknowledge.settlement,
                Some(Settlement::Delivered(v1::Delivered { by }))
            );
        }
        let release = story.store.release().await;
        assert_eq!(release.last_sequence, 3);
        assert_eq!(outcome(release).0, v1::DeliveryResult::Completed);
    }
}

#[tokio::test]
async fn the_final_answer_decides_about_the_message_and_the_next_ones() {
    let table = [
        ("202 Accepted", "delivered MESSAGE 202, handed over", true),
        ("603 Decline", "refused MESSAGE 603", true),
        ("415 Unsupported Media Type", "failed MESSAGE 415", true),
        ("486 Busy Here", "", false),
        ("480 Temporarily Unavailable", "", false),
    ];
    for (status, expected, goes_on) in table {
        let mut story = Story::begun(2, |_| {}).await;
        story.register("", "").await;
        let first = story.bob.request_of("MESSAGE").await;
        story.bob.answer(&first, status, "", "").await;
        if !goes_on {
            let (result, reason) = outcome(story.store.release().await);
            assert_eq!(result, v1::DeliveryResult::Unavailable, "{status}");
            assert!(status.starts_with(&reason["MESSAGE ".len()..]), "{reason}");
            has_sent_nothing_else(&mut story.bob).await;
            assert_eq!(story.store.stored(), 2);
            continue;
        }
        let told = match story.store.acknowledgement().await.settlement {
            Some(Settlement::Delivered(delivered)) => format!("delivered {}", delivered.by),
            Some(Settlement::Refused(refused)) => format!("refused {}", refused.reason),
            Some(Settlement::Failed(failed)) if failed.refusal => {
                format!("failed {}", failed.reason)
            }
            other => panic!("{status}: {other:?}"),
        };
        assert_eq!(told, expected);
        let second = story.bob.request_of("MESSAGE").await;
        story.bob.answer(&second, "200 OK", "", "").await;
        story.store.acknowledgement().await;
        assert_eq!(
            outcome(story.store.release().await).0,
            v1::DeliveryResult::Completed
        );
    }
}

#[tokio::test]
async fn a_repetition_is_the_same_request_with_a_new_branch() {
    let mut story = Story::begun(1, |_| {}).await;
    story.register("", "").await;
    let first = story.bob.request_of("MESSAGE").await;
    story
        .bob
        .answer(&first, "480 Temporarily Unavailable", "", "")
        .await;
    story.store.release().await;
    let refresh = register(
        &format!("<sip:bob@{};transport=tcp>", story.bob.address()),
        "",
    );
    story
        .bob
        .send(
            &refresh
                .replace("z9hG4bK-b-r1", "z9hG4bK-b-r2")
                .replace("CSeq: 12", "CSeq: 13"),
        )
        .await;
    assert_eq!(story.bob.response().await.status().code(), 200);
    let second = story.bob.request_of("MESSAGE").await;
    assert_eq!(asked_again(&first), asked_again(&second));
    assert_ne!(branch(&first), branch(&second));
}

#[tokio::test]
async fn the_mode_decides_what_a_client_gets() {
    let mut story = Story::begun(1, |config| config.delivery.mode = DeliveryMode::Message).await;
    story.register(IM_TAG, "").await;
    let request = story.bob.request_of("MESSAGE").await;
    assert_eq!(
        value(request.headers(), "Accept-Contact"),
        "*;+g.oma.sip-im"
    );

    let without_message = "Allow: INVITE, ACK, BYE\r\n";
    for (mode, lines) in [
        (DeliveryMode::Auto, without_message),
        (DeliveryMode::Message, without_message),
        (DeliveryMode::Session, ""),
    ] {
        let mut story = Story::begun(1, |config| config.delivery.mode = mode).await;
        story.register("", lines).await;
        assert_eq!(
            outcome(story.store.release().await).0,
            v1::DeliveryResult::Unsupported,
            "{mode}"
        );
        has_sent_nothing_else(&mut story.bob).await;
        assert_eq!(story.store.stored(), 1);
    }
}

#[tokio::test]
async fn a_client_that_can_do_no_session_gets_messages_for_the_rest_of_its_registration() {
    let mut story = Story::begun(1, |_| {}).await;
    story.register(IM_TAG, "").await;
    let invite = story.bob.request_of("INVITE").await;
    story
        .bob
        .answer(&invite, "488 Not Acceptable Here", "", "")
        .await;
    story.bob.request_of("ACK").await;
    let at_once = story.bob.request_of("MESSAGE").await;
    assert_eq!(
        value(at_once.headers(), "Accept-Contact"),
        "*;+g.oma.sip-im"
    );
    story
        .bob
        .answer(&at_once, "480 Temporarily Unavailable", "", "")
        .await;
    story.store.release().await;

    let contact = format!("<sip:bob@{};transport=tcp>{IM_TAG}", story.bob.address());
    let refresh = register(&contact, "").replace("z9hG4bK-b-r1", "z9hG4bK-b-r2");
    story
        .bob
        .send(&refresh.replace("CSeq: 12", "CSeq: 13"))
        .await;
    let response = story.bob.response_amid_requests().await;
    assert_eq!(response.status().code(), 200);
    story.store.registration().await;
    let refreshed = story.bob.request_of("MESSAGE").await;
    story
        .bob
        .answer(&refreshed, "480 Temporarily Unavailable", "", "")
        .await;
    story.store.release().await;

    let another = register(&contact, "")
        .replace("z9hG4bK-b-r1", "z9hG4bK-b-r3")
        .replace("reg-77a", "reg-78a");
    story.bob.send(&another).await;
    let response = story.bob.response_amid_requests().await;
    assert_eq!(response.status().code(), 200);
    story.bob.request_of("INVITE").await;
}

/// A body with which a delivery, that has `octets` with the body of the example, has exactly `wanted`.
fn body_for(octets: usize, wanted: usize) -> String {
    let head = octets - "26".len() - "Lunch at noon, same place?".len();
    let length = (0..wanted)
        .find(|length| head + length.to_string().len() + length == wanted)
        .expect("a length");
    "x".repeat(length)
}

#[tokio::test]
async fn large_messages_go_only_where_no_hop_can_be_congested() {
    // Over the device's own stream anything goes.
    let mut story = Story::begun(1, |_| {}).await;
    story.register("", "").await;
    let example = story.bob.request_of("MESSAGE").await;
    let mut core = TcpPeer::connect(story.edge.tcp).await;
    let body = body_for(example.as_bytes().len(), SAFE + 1);
    deposit(&mut story.store, &mut core, 2, &body).await;
    story.bob.answer(&example, "200 OK", "", "").await;
    story.store.acknowledgement().await;
    let large = story.bob.request_of("MESSAGE").await;
    assert_eq!(large.as_bytes().len(), SAFE + 1);

    // A datagram carries just so much.
    let mut store = Store::start(Behaviour::Stores).await;
    let edge = Running::ready(laptop(store.address)).await;
    let mut core = TcpPeer::connect(edge.tcp).await;
    deposit(&mut store, &mut core, 1, "Lunch at noon, same place?").await;
    let bob = UdpPeer::new(edge.udp).await;
    bob.send(&register("<sip:bob@192.0.2.1:9>", "")).await;
    assert_eq!(bob.response().await.status().code(), 200);
    store.registration().await;
    let example = bob.request().await;
    for (number, wanted) in [(2, SAFE + 1), (3, SAFE)] {
        let body = body_for(example.as_bytes().len(), wanted);
        deposit(&mut store, &mut core, number, &body).await;
    }
    bob.send(&answer(&example, "200 OK", "", "")).await;
    store.acknowledgement().await;
    let last = bob.request().await;
    assert_eq!(last.as_bytes().len(), SAFE);
    bob.send(&answer(&last, "200 OK", "", "")).await;
    let told = store.acknowledgement().await;
    assert_eq!(told.message_id, format!("{}@{HOSTNAME}", FIRST + 2));
    assert_eq!(
        outcome(store.release().await).0,
        v1::DeliveryResult::Completed
    );
    assert_eq!(store.stored(), 1);
}

/// The core that a message goes through, and what is behind the edge.
async fn through_the_core(is_safe: bool, lines: &str) -> (Store, Running, TcpPeer, Request) {
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("a free port");
    let address = listener.local_addr().expect("bound");
    let mut store = Store::start(Behaviour::Stores).await;
    let mut config = laptop(store.address);
    config.sip.next_hop = Some(format!("sip:{address};transport=tcp"));
    config.sip.next_hop_congestion_safe = is_safe;
    let edge = Running::ready(config).await;
    let mut core = TcpPeer::connect(edge.tcp).await;
    core.send(&message("z9hG4bK-1", lines)).await;
    assert_eq!(core.response().await.status().code(), 202);
    store.deposit().await;
    core.send(&third_party().replace(";+g.oma.sip-im", "              "))
        .await;
    assert_eq!(core.response().await.status().code(), 200);
    store.registration().await;
    let mut hop = TcpPeer::accept(&listener).await;
    let request = hop.request_of("MESSAGE").await;
    (store, edge, hop, request)
}

#[tokio::test]
async fn through_the_core_the_user_is_named_and_the_sender_asserted() {
    let (.., request) = through_the_core(false, "").await;
    let headers = request.headers();
    assert_eq!(request.raw_uri(), "sip:bob@example.org");
    assert!(value(headers, "Route").ends_with(";transport=tcp;lr>"));
    assert_eq!(
        value(headers, "P-Asserted-Identity"),
        "\"Alice\" <sip:alice@example.org>"
    );
    assert!(branch(&request).starts_with("z9hG4bK-rst-"));

    let (.., private) = through_the_core(false, "Privacy: id\r\n").await;
    assert_eq!(value(private.headers(), "P-Asserted-Identity"), "");
}

#[tokio::test]
async fn through_the_core_large_messages_go_only_if_it_is_safe() {
    for is_safe in [false, true] {
        let (mut store, edge, mut hop, example) = through_the_core(is_safe, "").await;
        let mut core = TcpPeer::connect(edge.tcp).await;
        for (number, wanted) in [(2, SAFE), (3, SAFE + 1)] {
            let body = body_for(example.as_bytes().len(), wanted);
            deposit(&mut store, &mut core, number, &body).await;
        }
        hop.answer(&example, "200 OK", "", "").await;
        store.acknowledgement().await;
        for wanted in SAFE..=SAFE + usize::from(is_safe) {
            let request = hop.request_of("MESSAGE").await;
            assert_eq!(request.as_bytes().len(), wanted);
            hop.answer(&request, "200 OK", "", "").await;
            store.acknowledgement().await;
        }
        assert_eq!(
            outcome(store.release().await).0,
            v1::DeliveryResult::Completed
        );
        assert_eq!(store.stored(), usize::from(!is_safe));
    }
}

#[tokio::test]
async fn our_own_message_that_comes_back_is_refused_and_a_foreign_mark_is_not() {
    let (mut store, edge, mut hop, request) = through_the_core(false, "").await;
    let mut core = TcpPeer::connect(edge.tcp).await;
    let via = "SIP/2.0/TCP scscf1.example.org:5060;branch=z9hG4bK-core-1;rport";
    let proxied = request.edit().prepend(sip::Name::Via, via).build();
    let rewritten = request
        .edit()
        .replace(sip::Name::Via, via.replace("-1", "-2"))
        .build();
    for back in [&proxied, &rewritten] {
        core.send(&String::from_utf8_lossy(back.as_bytes())).await;
        assert_eq!(core.response().await.status().code(), 482);
    }
    assert!(store.is_quiet());
    let foreign = message("z9hG4bK-rst-c8Rk2VdY6uPe-91d04ab27c35ef68", "");
    core.send(&foreign.replace("CSeq: 101", "CSeq: 9")).await;
    assert_eq!(core.response().await.status().code(), 202);
    store.deposit().await;

    hop.answer(&request, "482 Loop Detected", "", "").await;
    assert_eq!(
        outcome(store.release().await),
        (v1::DeliveryResult::Rejected, "MESSAGE 482".to_owned())
    );
    assert_eq!(store.stored(), 2);
}

#[tokio::test]
async fn a_draining_edge_ends_after_the_message_in_flight() {
    let mut story = Story::begun(2, |_| {}).await;
    story.register("", "").await;
    let first = story.bob.request_of("MESSAGE").await;
    story.edge.shut_down();
    story.bob.answer(&first, "200 OK", "", "").await;
    story.store.acknowledgement().await;
    assert_eq!(
        outcome(story.store.release().await).0,
        v1::DeliveryResult::EdgeDraining
    );
    assert_eq!(story.store.stored(), 1);
    story.edge.ended().await;
}
