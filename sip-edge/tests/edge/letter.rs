//! A message in a session of its own, in the name of its sender (requirements 4.3, DLM-04).

use proto::v1;
use proto::v1::acknowledge::Settlement;
use restante_sip_edge::config::DeliveryMode;
use sip::Request;

use crate::client::{TcpPeer, UdpPeer, answer, value};
use crate::msrp_client::{Chunk, MsrpClient, own_path, path_in};
use crate::push::{IM_TAG, Story, contact, deposit, description};
use crate::push_failures::outcome;
use crate::push_large::{deceptive, parts};
use crate::registration::register;
use crate::running::{Running, laptop};
use crate::store::{Behaviour, FIRST, HOSTNAME, Store};

/// What Bob's client answers that takes plain content only.
fn plain() -> String {
    let answer = description(&own_path(9), "active");
    answer.replace("multipart/mixed message/cpim ", "")
}

/// Bob's client takes the session of the next INVITE, and all of one message.
async fn taken(story: &mut Story) -> (Request, Vec<Chunk>) {
    let invite = story.bob.request_of("INVITE").await;
    let lines = contact(&story.bob);
    story.bob.answer(&invite, "200 OK", &lines, &plain()).await;
    story.bob.request_of("ACK").await;
    let mut client = MsrpClient::connect(own_path(9), path_in(invite.body())).await;
    let chunks = client.message(true).await;
    let settled = story.store.acknowledgement().await.settlement;
    assert!(
        matches!(settled, Some(Settlement::Delivered(_))),
        "{settled:?}"
    );
    let bye = story.bob.request_of("BYE").await;
    story.bob.answer(&bye, "200 OK", "", "").await;
    (invite, chunks)
}

#[tokio::test]
async fn in_mode_message_each_large_message_has_its_own_session_of_its_sender() {
    let mut story = Story::begun(1, |config| config.delivery.mode = DeliveryMode::Message).await;
    let bodies = [deceptive(300_000), deceptive(20)];
    for (body, is_inline) in bodies.iter().zip([false, true]) {
        story.store.keep_large(parts(), body.clone(), is_inline);
    }
    story.register(IM_TAG, "").await;
    let pager = story.bob.request_of("MESSAGE").await;
    story.bob.answer(&pager, "200 OK", "", "").await;
    story.store.acknowledgement().await;
    for (number, body) in (1..).zip(&bodies) {
        let (invite, chunks) = taken(&mut story).await;
        let headers = invite.headers();
        let id = format!("{}@{HOSTNAME}", FIRST + number);
        assert_eq!(invite.raw_uri(), "sip:bob@example.org");
        let from = value(headers, "From");
        assert!(
            from.starts_with("\"Alice\" <sip:alice@example.org>;tag="),
            "{from}"
        );
        assert_eq!(value(headers, "Message-ID"), id);
        assert_eq!(value(headers, "Subject"), "Minutes");
        let via = headers.top_via().expect("well-formed").expect("a Via");
        assert!(via.branch().expect("a branch").starts_with("z9hG4bK-rst-"));
        // The client was registered directly: it is no trusted hop (requirements §3.8).
        assert_eq!(value(headers, "P-Asserted-Identity"), "");
        let offer = String::from_utf8_lossy(invite.body()).into_owned();
        let file = "a=filename:plan.pdf\r\na=filetype:application/pdf\r\n";
        assert!(offer.contains(file) && !offer.contains("a=icon"), "{offer}");
        let head = &chunks[0].head;
        assert_eq!(head.content_type.as_deref(), Some("text/plain"));
        assert_eq!(head.header("Content-Disposition"), Some("attachment"));
        let received: Vec<u8> = chunks.iter().flat_map(|chunk| chunk.body.clone()).collect();
        assert_eq!(received, *body);
    }
    let release = story.store.release().await;
    assert_eq!(release.last_sequence, 3);
    assert_eq!(outcome(release).0, v1::DeliveryResult::Completed);
    assert_eq!(story.store.stored(), 0);
}

#[tokio::test]
async fn a_client_without_multipart_gets_large_messages_one_by_one() {
    let mut story = Story::begun(1, |_| {}).await;
    let body = deceptive(300_000);
    story.store.keep_large(parts(), body.clone(), false);
    story.register(IM_TAG, "").await;
    let push = story.bob.request_of("INVITE").await;
    let lines = contact(&story.bob);
    story.bob.answer(&push, "200 OK", &lines, &plain()).await;
    story.bob.request_of("ACK").await;
    let bye = story.bob.request_of("BYE").await;
    story.bob.answer(&bye, "200 OK", "", "").await;
    let pager = story.bob.request_of("MESSAGE").await;
    story.bob.answer(&pager, "200 OK", "", "").await;
    story.store.acknowledgement().await;
    let (invite, chunks) = taken(&mut story).await;
    assert!(value(invite.headers(), "From").starts_with("\"Alice\""));
    let received: Vec<u8> = chunks.iter().flat_map(|chunk| chunk.body.clone()).collect();
    assert_eq!(received, body);
    assert_eq!(
        outcome(story.store.release().await).0,
        v1::DeliveryResult::Completed
    );
    assert_eq!(story.store.stored(), 0);
}

#[tokio::test]
async fn a_client_that_refuses_sessions_is_invited_once_for_all_large_messages() {
    let mut story = Story::begun(0, |config| config.delivery.mode = DeliveryMode::Message).await;
    for _ in 0..2 {
        story.store.keep_large(parts(), deceptive(3_000), true);
    }
    story.register(IM_TAG, "").await;
    let invite = story.bob.request_of("INVITE").await;
    story
        .bob
        .answer(&invite, "488 Not Acceptable Here", "", "")
        .await;
    story.bob.request_of("ACK").await;
    let release = story.store.release().await;
    assert_eq!(release.last_sequence, 2);
    assert_eq!(outcome(release).0, v1::DeliveryResult::Completed);

    let contact = format!("<sip:bob@{};transport=tcp>{IM_TAG}", story.bob.address());
    let refresh = register(&contact, "").replace("z9hG4bK-b-r1", "z9hG4bK-b-r2");
    let refresh = refresh.replace("CSeq: 12", "CSeq: 13");
    story.bob.send(&refresh).await;
    assert_eq!(story.bob.response().await.status().code(), 200);
    story.store.registration().await;
    // Nothing but the release comes of it.
    assert_eq!(story.store.release().await.last_sequence, 2);
    assert_eq!(story.store.stored(), 2);
}

/// The large message with a preview in the body of its INVITE.
fn parts_with_icon() -> Vec<v1::Part> {
    let mut parts = parts();
    let invite = String::from_utf8(parts[0].octets.to_vec()).expect("text");
    let (head, sdp) = invite.split_once("\r\n\r\n").expect("a body");
    let body = format!(
        "--b\r\nContent-Type: application/sdp\r\n\r\n{sdp}\r\n--b\r\nContent-Type: image/png\r\n\
         Content-ID: <icon1>\r\n\r\nPNG\r\n--b--\r\n"
    );
    let head = head
        .replace("application/sdp", "multipart/related;boundary=b")
        .replace(
            &format!("Content-Length: {}", sdp.len()),
            &format!("Content-Length: {}", body.len()),
        );
    parts[0].octets = format!("{head}\r\n\r\n{body}").into();
    parts
}

#[tokio::test]
async fn a_preview_goes_along_and_is_left_out_where_it_is_refused() {
    for refuses in [false, true] {
        let mut story =
            Story::begun(0, |config| config.delivery.mode = DeliveryMode::Message).await;
        let body = deceptive(20);
        story
            .store
            .keep_large(parts_with_icon(), body.clone(), true);
        story.register(IM_TAG, "").await;
        if refuses {
            let first = story.bob.request_of("INVITE").await;
            story
                .bob
                .answer(&first, "415 Unsupported Media Type", "", "")
                .await;
            story.bob.request_of("ACK").await;
            let content_type = value(first.headers(), "Content-Type");
            assert!(
                content_type.starts_with("multipart/mixed;"),
                "{content_type}"
            );
        }
        let (invite, _) = taken(&mut story).await;
        let text = String::from_utf8_lossy(invite.body()).into_owned();
        let icon = "Content-Type: image/png\r\nContent-ID: <icon1>\r\n\r\nPNG\r\n--";
        assert_eq!(text.contains("a=icon:cid:icon1\r\n"), !refuses, "{text}");
        assert_eq!(text.contains(icon), !refuses, "{text}");
        assert_eq!(story.store.stored(), 0);
    }
}

#[tokio::test]
async fn an_unreachable_client_ends_the_run_and_keeps_the_message() {
    let mut story = Story::begun(0, |config| config.delivery.mode = DeliveryMode::Message).await;
    story.store.keep_large(parts(), deceptive(3_000), true);
    story.register(IM_TAG, "").await;
    let invite = story.bob.request_of("INVITE").await;
    let status = "480 Temporarily Unavailable";
    story.bob.answer(&invite, status, "", "").await;
    let expected = (v1::DeliveryResult::Unavailable, "INVITE 480".to_owned());
    assert_eq!(outcome(story.store.release().await), expected);
    assert_eq!(story.store.stored(), 1);
}

#[tokio::test]
async fn a_message_too_long_for_a_datagram_goes_to_an_im_client_by_session() {
    let mut store = Store::start(Behaviour::Stores).await;
    let mut config = laptop(store.address);
    config.delivery.mode = DeliveryMode::Message;
    let edge = Running::ready(config).await;
    let mut core = TcpPeer::connect(edge.tcp).await;
    let body = "x".repeat(1_301);
    deposit(&mut store, &mut core, 1, &body).await;
    let bob = UdpPeer::new(edge.udp).await;
    bob.send(&register("<sip:bob@192.0.2.1:9>;+g.oma.sip-im", ""))
        .await;
    assert_eq!(bob.response().await.status().code(), 200);
    store.registration().await;
    let invite = bob.request().await;
    assert_eq!(invite.method().as_str(), "INVITE");
    let lines = "Contact: <sip:bob@192.0.2.1:9>\r\nContent-Type: application/sdp\r\n";
    bob.send(&answer(&invite, "200 OK", lines, &plain())).await;
    let mut client = MsrpClient::connect(own_path(9), path_in(invite.body())).await;
    let chunks = client.message(true).await;
    assert_eq!(
        chunks[0].head.content_type.as_deref(),
        Some("text/plain;charset=utf-8")
    );
    assert_eq!(chunks[0].body, body.as_bytes());
    store.acknowledgement().await;
}

#[tokio::test]
async fn our_own_invite_that_comes_back_is_refused_even_with_another_via() {
    let mut story = Story::begun(0, |config| config.delivery.mode = DeliveryMode::Message).await;
    story.store.keep_large(parts(), deceptive(3_000), true);
    story.register(IM_TAG, "").await;
    let invite = story.bob.request_of("INVITE").await;
    let via = "SIP/2.0/TCP scscf1.example.org:5060;branch=z9hG4bK-core-1;rport";
    let proxied = invite.edit().prepend(sip::Name::Via, via).build();
    let rewritten = invite
        .edit()
        .replace(sip::Name::Via, via.replace("-1", "-2"))
        .append(sip::Name::PAssertedIdentity, "<sip:alice@example.org>")
        .build();
    let mut core = TcpPeer::connect(story.edge.tcp).await;
    for back in [&proxied, &rewritten] {
        core.send(&String::from_utf8_lossy(back.as_bytes())).await;
        assert_eq!(core.response().await.status().code(), 482);
    }
    assert_eq!(story.store.stored(), 1);
}
