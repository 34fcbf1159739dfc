//! Pushes that do not succeed: what the store is told, and what stays stored (requirements §3.5).

use proto::v1;
use proto::v1::acknowledge::Settlement;
use restante_sip_edge::Config;
use restante_sip_edge::config::DeliveryMode;

use crate::client::{TcpPeer, UdpPeer, answer};
use crate::deposit::message;
use crate::msrp_client::{MsrpClient, own_path, path_in};
use crate::push::{IM_TAG, Story, contact, description, in_dialog};
use crate::registration::register;
use crate::running::{Running, laptop};
use crate::store::{Behaviour, Store};

/// How a delivery ended, as the store was told.
pub(crate) fn outcome(release: v1::ReleaseRequest) -> (v1::DeliveryResult, String) {
    let outcome = release.outcome.expect("an outcome");
    (outcome.result(), outcome.reason)
}

/// Nobody falls back to MESSAGE.
pub(crate) fn sessions_only(config: &mut Config) {
    config.delivery.mode = DeliveryMode::Session;
}

#[tokio::test]
async fn a_refused_invite_is_told_with_its_status() {
    let table = [
        (
            "480 Temporarily Unavailable",
            v1::DeliveryResult::Unavailable,
            "INVITE 480",
        ),
        ("486 Busy Here", v1::DeliveryResult::Busy, "INVITE 486"),
        (
            "488 Not Acceptable Here",
            v1::DeliveryResult::Unsupported,
            "INVITE 488",
        ),
        ("404 Not Found", v1::DeliveryResult::Rejected, "INVITE 404"),
    ];
    for (status, result, reason) in table {
        let mut story = Story::begun(1, sessions_only).await;
        story.register(IM_TAG, "").await;
        let invite = story.bob.request_of("INVITE").await;
        story.bob.answer(&invite, status, "", "").await;
        story.bob.request_of("ACK").await;
        assert_eq!(
            outcome(story.store.release().await),
            (result, reason.to_owned())
        );
        assert_eq!(story.store.stored(), 1);
    }
}

#[tokio::test]
async fn a_client_that_rings_too_long_is_cancelled() {
    let mut store = Store::start(Behaviour::Stores).await;
    let mut config = laptop(store.address);
    config.push.ring_timeout = std::time::Duration::from_millis(50);
    let edge = Running::ready(config).await;
    let mut bob = TcpPeer::connect(edge.tcp).await;
    bob.send(&message("z9hG4bK-1", "")).await;
    assert_eq!(bob.response().await.status().code(), 202);
    let contact = format!("<sip:bob@{};transport=tcp>;+g.oma.sip-im", bob.address());
    bob.send(&register(&contact, "")).await;
    assert_eq!(bob.response().await.status().code(), 200);
    let invite = bob.request_of("INVITE").await;
    bob.answer(&invite, "180 Ringing", "", "").await;
    let cancel = bob.request_of("CANCEL").await;
    bob.answer(&cancel, "200 OK", "", "").await;
    bob.answer(&invite, "487 Request Terminated", "", "").await;
    bob.request_of("ACK").await;
    store.deposit().await;
    store.registration().await;
    let expected = (
        v1::DeliveryResult::Unavailable,
        "INVITE not answered".to_owned(),
    );
    assert_eq!(outcome(store.release().await), expected);
}

#[tokio::test]
async fn an_answer_without_a_usable_session_is_ended_at_once() {
    let mut story = Story::begun(1, sessions_only).await;
    story.register(IM_TAG, "").await;
    let invite = story.bob.request_of("INVITE").await;
    let answer = description(&own_path(9), "active").replace("multipart/mixed message/cpim ", "");
    story
        .bob
        .answer(&invite, "200 OK", &contact(&story.bob), &answer)
        .await;
    story.bob.request_of("ACK").await;
    let bye = story.bob.request_of("BYE").await;
    story.bob.answer(&bye, "200 OK", "", "").await;
    assert_eq!(
        outcome(story.store.release().await).0,
        v1::DeliveryResult::Unsupported
    );
    assert_eq!(story.store.stored(), 1);
}

#[tokio::test]
async fn a_refused_message_is_told_and_later_ones_go_on() {
    let mut story = Story::with_messages(2).await;
    let (_, mut client) = story.answered().await;
    let (first, second) = (client.next().await, client.next().await);
    client.answer(&first, "413 Too Large").await;
    client.answer(&second, "200 OK").await;
    let mut told = [
        story.store.acknowledgement().await,
        story.store.acknowledgement().await,
    ];
    told.sort_by(|a, b| a.message_id.cmp(&b.message_id));
    let [refused, delivered] = told.map(|told| told.settlement);
    let expected = v1::AttemptFailed {
        reason: "MSRP 413".to_owned(),
        refusal: true,
    };
    assert_eq!(refused, Some(Settlement::Failed(expected)));
    assert!(
        matches!(delivered, Some(Settlement::Delivered(_))),
        "{delivered:?}"
    );
    assert_eq!(
        outcome(story.store.release().await).0,
        v1::DeliveryResult::Completed
    );
    story.bob.request_of("BYE").await;
}

#[tokio::test]
async fn a_cut_session_leaves_what_was_not_acknowledged() {
    let mut story = Story::with_messages(2).await;
    let (_, mut client) = story.answered().await;
    let first = client.next().await;
    client.answer(&first, "200 OK").await;
    story.store.acknowledgement().await;
    drop(client);
    let bye = story.bob.request_of("BYE").await;
    story.bob.answer(&bye, "200 OK", "", "").await;
    let expected = (
        v1::DeliveryResult::Broken,
        "MSRP connection lost".to_owned(),
    );
    assert_eq!(outcome(story.store.release().await), expected);
    assert_eq!(story.store.stored(), 1);
}

#[tokio::test]
async fn a_client_that_says_bye_early_keeps_the_rest_for_later() {
    let mut story = Story::with_messages(1).await;
    let (invite, mut client) = story.answered().await;
    client.next().await;
    story.bob.send(&in_dialog(&invite, "BYE", 1)).await;
    assert_eq!(story.bob.response().await.status().code(), 200);
    assert_eq!(
        outcome(story.store.release().await).0,
        v1::DeliveryResult::EndedByClient
    );
    assert_eq!(story.store.stored(), 1);
}

#[tokio::test]
async fn a_draining_edge_ends_after_the_message_in_flight() {
    let mut story = Story::with_messages(5).await;
    let (_, mut client) = story.answered().await;
    let mut held = Vec::new();
    for _ in 0..4 {
        held.push(client.next().await);
    }
    story.edge.shut_down();
    let mut core = TcpPeer::connect(story.edge.tcp).await;
    let late = message("z9hG4bK-late", "").replace("CSeq: 101", "CSeq: 77");
    let mut core_status = 0;
    for number in 0..100 {
        core.send(&late.replace("z9hG4bK-late", &format!("z9hG4bK-late{number}")))
            .await;
        core_status = core.response().await.status().code();
        if core_status == 503 {
            break;
        }
        story.store.deposit().await;
    }
    assert_eq!(core_status, 503);
    for send in &held {
        client.answer(send, "200 OK").await;
    }
    for _ in 0..4 {
        story.store.acknowledgement().await;
    }
    let bye = story.bob.request_of("BYE").await;
    story.bob.answer(&bye, "200 OK", "", "").await;
    assert_eq!(
        outcome(story.store.release().await).0,
        v1::DeliveryResult::EdgeDraining
    );
    story.edge.ended().await;
}

#[tokio::test]
async fn the_first_answer_of_a_fork_wins_and_the_second_is_ended() {
    let mut story = Story::with_messages(1).await;
    let (invite, mut client) = story.answered().await;
    let second = answer(
        &invite,
        "200 OK",
        &contact(&story.bob),
        &description(&own_path(9), "active"),
    );
    story
        .bob
        .send(&second.replace("tag=b-9d", "tag=other"))
        .await;
    for method in ["ACK", "BYE"] {
        let request = story.bob.request_of(method).await;
        let to = request.headers().to().expect("well-formed").expect("a To");
        assert_eq!(to.tag(), Some("other"), "{method}");
        if method == "BYE" {
            story.bob.answer(&request, "200 OK", "", "").await;
        }
    }
    let send = client.next().await;
    client.answer(&send, "200 OK").await;
    let bye = story.bob.request_of("BYE").await;
    let to = bye.headers().to().expect("well-formed").expect("a To");
    assert_eq!(to.tag(), Some("b-9d"));
}

#[tokio::test]
async fn a_client_that_did_not_get_our_ack_gets_it_before_it_connects() {
    let mut story = Story::with_messages(1).await;
    let invite = story.bob.request_of("INVITE").await;
    let path = own_path(9);
    let (lines, sdp) = (contact(&story.bob), description(&path, "active"));
    for _ in 0..3 {
        story.bob.answer(&invite, "200 OK", &lines, &sdp).await;
        story.bob.request_of("ACK").await;
    }
    let mut client = MsrpClient::connect(path, path_in(invite.body())).await;
    let send = client.next().await;
    client.answer(&send, "200 OK").await;
    story.bob.request_of("BYE").await;
}

#[tokio::test]
async fn a_client_that_says_bye_before_it_connects_is_answered_at_once() {
    let mut story = Story::with_messages(1).await;
    let invite = story.bob.request_of("INVITE").await;
    let (lines, sdp) = (contact(&story.bob), description(&own_path(9), "active"));
    story.bob.answer(&invite, "200 OK", &lines, &sdp).await;
    story.bob.request_of("ACK").await;
    story.bob.send(&in_dialog(&invite, "BYE", 2)).await;
    assert_eq!(story.bob.response().await.status().code(), 200);
    let ended = outcome(story.store.release().await);
    assert_eq!(ended.0, v1::DeliveryResult::EndedByClient);
    assert_eq!(story.store.stored(), 1);
}

#[tokio::test]
async fn a_longer_session_interval_is_taken_up_once() {
    let mut story = Story::with_messages(1).await;
    let first = story.bob.request_of("INVITE").await;
    story
        .bob
        .answer(
            &first,
            "422 Session Interval Too Small",
            "Min-SE: 3600\r\n",
            "",
        )
        .await;
    story.bob.request_of("ACK").await;
    let second = story.bob.request_of("INVITE").await;
    let (first, second) = (first.headers(), second.headers());
    assert_eq!(second.call_id(), first.call_id());
    assert_eq!(
        second.cseq().expect("well-formed").map(|cseq| cseq.number),
        Some(2)
    );
    assert_eq!(second.min_se(), Ok(Some(3_600)));
    assert_eq!(
        second
            .session_expires()
            .expect("well-formed")
            .map(|held| held.seconds),
        Some(3_600)
    );
}

#[tokio::test]
async fn a_push_takes_the_flow_of_the_registration_whatever_the_contact_says() {
    let mut store = Store::start(Behaviour::Stores).await;
    let edge = Running::ready(laptop(store.address)).await;
    let bob = UdpPeer::new(edge.udp).await;
    bob.send(&message("z9hG4bK-1", "")).await;
    assert_eq!(bob.response().await.status().code(), 202);
    store.deposit().await;
    bob.send(&register(
        "<sip:bob@192.0.2.1:9;transport=tcp>;+g.oma.sip-im",
        "",
    ))
    .await;
    assert_eq!(bob.response().await.status().code(), 200);
    store.registration().await;
    let invite = bob.request().await;
    assert_eq!(invite.method().as_str(), "INVITE");
    bob.send(&answer(
        &invite,
        "480 Temporarily Unavailable",
        "Retry-After: 20\r\n",
        "",
    ))
    .await;
    let release = store.release().await;
    let told = release.outcome.expect("an outcome");
    assert_eq!(
        (told.result(), told.reason.as_str()),
        (v1::DeliveryResult::Unavailable, "INVITE 480")
    );
    assert_eq!(told.retry_after.map(|wait| wait.seconds), Some(20));
}
