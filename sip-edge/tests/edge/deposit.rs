//! A MESSAGE to a user who is away (PFM rows, requirements §2.1).

use std::time::{Duration, Instant};

use edge::mark::{Mark, marked_branch};
use proto::v1;
use sip::Name;

use crate::client::{TcpPeer, UdpPeer, value};
use crate::running::{Running, laptop};
use crate::store::{Asked, Behaviour, Store};

/// Example 2.1 with a Via of ours.
pub(crate) fn message(branch: &str, lines: &str) -> String {
    format!(
        "MESSAGE sip:bob@example.org SIP/2.0\r\n\
         Via: SIP/2.0/TCP scscf1.example.org:5060;branch={branch};rport\r\n\
         Via: SIP/2.0/TCP 198.51.100.7:5062;branch=z9hG4bK-a-0091\r\n\
         Max-Forwards: 68\r\n\
         Route: <sip:127.0.0.1;transport=tcp;lr>\r\n\
         From: \"Alice\" <sip:alice@example.org>;tag=a48f\r\n\
         To: <sip:bob@example.org>\r\n\
         Call-ID: 5f1c7a0e@198.51.100.7\r\n\
         CSeq: 101 MESSAGE\r\n\
         Subject: Lunch\r\n\
         Priority: urgent\r\n\
         Accept-Contact: *;+g.oma.sip-im\r\n\
         User-Agent: IM-client/OMA1.0 AcmeIM/3.2\r\n\
         P-Asserted-Identity: \"Alice\" <sip:alice@example.org>\r\n\
         P-Served-User: <sip:bob@example.org>;sescase=term;regstate=unreg\r\n\
         {lines}Content-Type: text/plain;charset=utf-8\r\n\
         Content-Length: 26\r\n\r\n\
         Lunch at noon, same place?"
    )
}

#[tokio::test]
async fn the_example_is_stored_and_answered_202_with_the_profile() {
    let mut store = Store::start(Behaviour::Stores).await;
    let edge = Running::ready(laptop(store.address)).await;
    let mut core = TcpPeer::connect(edge.tcp).await;
    core.send(&message("z9hG4bK-s1-7f3a", "")).await;
    let deposit = store.deposit().await;
    let response = core.response().await;

    assert_eq!(response.status().code(), 202, "{response:?}");
    let headers = response.headers();
    assert!(value(headers, "Server").starts_with("IM-serv/OMA1.0 Restante/"));
    assert!(headers.date().is_some(), "{response:?}");
    assert_eq!(
        value(headers, "P-Asserted-Identity"),
        "<sip:im-store@127.0.0.1>"
    );
    assert!(
        headers
            .to()
            .expect("well-formed")
            .expect("a To")
            .tag()
            .is_some()
    );
    assert_eq!(headers.count(Name::Contact), 0);
    assert!(response.body().is_empty());
    let vias = headers.vias().expect("well-formed");
    assert_eq!(vias.len(), 2);

    let octets = &deposit.parts[0].octets;
    let offset = usize::try_from(deposit.body_offset).expect("small");
    assert_eq!(
        String::from_utf8_lossy(octets),
        message("z9hG4bK-s1-7f3a", "")
    );
    assert_eq!(&octets[offset..], b"Lunch at noon, same place?");
    assert_eq!(deposit.served_user, "sip:bob@example.org");
    assert_eq!(deposit.sender, "sip:alice@example.org");
}

/// Anybody can write the Call-ID of a copy; its mark can be made by edges of the store alone.
#[tokio::test]
async fn a_leg_is_named_by_its_call_id_only_under_its_mark() {
    let mut store = Store::start(Behaviour::Stores).await;
    let edge = Running::ready(laptop(store.address)).await;
    let call_id = "cf-7-2@store.example.org";
    let secret = b"secret of the store";
    let of_leg = marked_branch(Mark::Leg, secret, call_id, &mut rand::rng());
    let of_another = marked_branch(Mark::Leg, secret, "cf-7-3@h", &mut rand::rng());
    let leg = Some(v1::LegName { job: 7, index: 2 });
    for (branch, leg) in [
        ("z9hG4bK-s1-7f3a", None),
        (&of_another, None),
        (&of_leg, leg),
    ] {
        let mut core = TcpPeer::connect(edge.tcp).await;
        let text = message(branch, "").replace("5f1c7a0e@198.51.100.7", call_id);
        core.send(&text).await;
        let deposit = store.deposit().await;
        assert_eq!(deposit.leg, leg, "{branch}");
        assert_eq!(deposit.sender_exempt, leg.is_some(), "{branch}");
        assert_eq!(core.response().await.status().code(), 202);
    }
}

#[tokio::test]
async fn what_is_stored_keeps_every_octet_of_a_strange_spelling() {
    let mut store = Store::start(Behaviour::Stores).await;
    let edge = Running::ready(laptop(store.address)).await;
    let peer = UdpPeer::new(edge.udp).await;
    let text = "MESSAGE sip:bob@example.org SIP/2.0\r\n\
                v : SIP / 2.0 / UDP  198.51.100.7:5062 ;rport; branch=z9hG4bK-odd,\r\n \
                SIP/2.0/UDP 198.51.100.8;branch=z9hG4bK-0\r\n\
                f:\t\"Alice\" <sip:alice@example.org>;tag=a48f\r\nt: <sip:bob@example.org>\r\n\
                i: odd@198.51.100.7\r\ncseq:  7   MESSAGE\r\nX-Folded: one\r\n\ttwo\r\n   three\r\n\
                P-ASSERTED-IDENTITY: <sip:alice@example.org>\r\nc: application/octet-stream\r\n\
                l: 6\r\n\r\n\u{0}\r\n\r\n\u{1}";
    peer.send(text).await;
    let deposit = store.deposit().await;
    let response = peer.response().await;
    assert_eq!(response.status().code(), 202, "{response:?}");
    assert_eq!(String::from_utf8_lossy(&deposit.parts[0].octets), text);
    let top = response
        .headers()
        .top_via()
        .expect("well-formed")
        .expect("a Via");
    assert!(top.received().is_some() && top.rport().is_some(), "{top}");
}

#[tokio::test]
async fn a_retransmission_gets_the_same_answer_and_stores_nothing() {
    let mut store = Store::start(Behaviour::Stores).await;
    let edge = Running::ready(laptop(store.address)).await;
    let peer = UdpPeer::new(edge.udp).await;
    let text = message("z9hG4bK-retransmitted", "");
    peer.send(&text).await;
    let first = peer.receive().await;
    peer.send(&text).await;
    assert_eq!(peer.receive().await, first);
    store.deposit().await;
    assert!(store.is_quiet());
}

#[tokio::test]
async fn a_retry_in_a_new_transaction_gets_202_again() {
    let mut store = Store::start(Behaviour::Stores).await;
    let edge = Running::ready(laptop(store.address)).await;
    let mut core = TcpPeer::connect(edge.tcp).await;
    for branch in ["z9hG4bK-1", "z9hG4bK-2"] {
        core.send(&message(branch, "")).await;
        assert_eq!(core.response().await.status().code(), 202, "{branch}");
        store.deposit().await;
    }
    assert_eq!(store.stored(), 1);
}

#[tokio::test]
async fn without_a_store_the_sender_gets_503_in_time() {
    let silent = Store::silent(Behaviour::Stores).await;
    let edge = Running::start(laptop(silent.address)).await;
    assert_503_within_4_s(&edge).await;
}

#[tokio::test]
async fn a_store_that_never_syncs_brings_503_and_never_a_2xx() {
    let mut store = Store::start(Behaviour::NeverSyncs).await;
    let edge = Running::ready(laptop(store.address)).await;
    assert_503_within_4_s(&edge).await;
    store.deposit().await;
}

async fn assert_503_within_4_s(edge: &Running) {
    let mut core = TcpPeer::connect(edge.tcp).await;
    let sent = Instant::now();
    core.send(&message("z9hG4bK-late", "")).await;
    let response = core.response().await;
    assert_eq!(response.status().code(), 503, "{response:?}");
    assert!(
        response
            .headers()
            .retry_after()
            .expect("well-formed")
            .is_some(),
        "{response:?}"
    );
    assert!(
        sent.elapsed() < Duration::from_secs(4),
        "{:?}",
        sent.elapsed()
    );
}

#[tokio::test]
async fn refusals_of_the_store_have_their_status() {
    let table = [
        (v1::RefusalReason::UnknownUser, 404, false),
        (v1::RefusalReason::Barred, 480, false),
        (v1::RefusalReason::MailboxFull, 480, true),
        (v1::RefusalReason::SenderLimit, 480, true),
        (v1::RefusalReason::DiskFull, 503, true),
    ];
    for (reason, code, has_retry_after) in table {
        let store = Store::start(Behaviour::Refuses(reason)).await;
        let edge = Running::ready(laptop(store.address)).await;
        let mut core = TcpPeer::connect(edge.tcp).await;
        core.send(&message("z9hG4bK-refused", "")).await;
        let response = core.response().await;
        let retry_after = response.headers().retry_after().expect("well-formed");
        assert_eq!(
            (response.status().code(), retry_after.is_some()),
            (code, has_retry_after),
            "{reason:?}"
        );
    }
}

#[tokio::test]
async fn a_stranger_is_refused_whatever_he_asks() {
    let mut store = Store::start(Behaviour::Stores).await;
    let mut config = laptop(store.address);
    config.trust.loopback = false;
    let edge = Running::ready(config).await;
    let peer = UdpPeer::new(edge.udp).await;
    let message = message("z9hG4bK-stranger", "Require: foo\r\n");
    for text in [
        message.clone(),
        message
            .replace("MESSAGE", "OPTIONS")
            .replace("-stranger", "-o"),
    ] {
        peer.send(&text).await;
        let response = peer.response().await;
        assert_eq!(response.status().code(), 403, "{response:?}");
        assert_eq!(response.headers().count(Name::Unsupported), 0);
    }
    assert!(store.is_quiet());
}

#[tokio::test]
async fn what_cannot_be_served_is_refused_with_the_reason() {
    let mut store = Store::start(Behaviour::Stores).await;
    let edge = Running::ready(laptop(store.address)).await;
    let mut core = TcpPeer::connect(edge.tcp).await;
    let message = message("z9hG4bK-x", "");
    let invite = message.replace("MESSAGE", "INVITE");
    let table = [
        (message.replace("MESSAGE", "SUBSCRIBE"), 489, "Allow-Events"),
        (message.replace("MESSAGE", "REFER"), 405, "Allow"),
        (message.replace("MESSAGE", "FOO"), 501, "Allow"),
        (invite.clone(), 415, "Accept"),
        (
            invite.replace("text/plain;charset=utf-8", "application/sdp"),
            488,
            "Warning",
        ),
        (
            message.replace("sescase=term", "sescase=orig"),
            404,
            "Warning",
        ),
        (
            message.replace("example.org>;sescase", "elsewhere.org>;sescase"),
            404,
            "",
        ),
        (
            message.replace("P-Asserted-Identity", "X-Identity"),
            403,
            "",
        ),
    ];
    for (number, (text, code, header)) in table.into_iter().enumerate() {
        core.send(&text.replace("z9hG4bK-x", &format!("z9hG4bK-x{number}")))
            .await;
        let response = core.response().await;
        assert_eq!(response.status().code(), code, "{text}\n{response:?}");
        assert!(
            header.is_empty() || response.headers().first_named(header).is_some(),
            "{response:?}"
        );
        if text.starts_with("INVITE") {
            core.send(
                &text
                    .replace("INVITE", "ACK")
                    .replace("z9hG4bK-x", &format!("z9hG4bK-x{number}")),
            )
            .await;
        }
    }
    assert!(store.is_quiet());
}

#[tokio::test]
async fn what_is_no_request_of_sip_2_0_is_answered_with_the_profile() {
    let store = Store::start(Behaviour::Stores).await;
    let edge = Running::ready(laptop(store.address)).await;
    let peer = UdpPeer::new(edge.udp).await;
    let message = message("z9hG4bK-bad", "");
    for (text, code) in [
        (message.replace("CSeq: 101 MESSAGE", "CSeq: none"), 400),
        (message.replace("SIP/2.0\r\nVia", "SIP/3.0\r\nVia"), 505),
    ] {
        peer.send(&text).await;
        let response = peer.response().await;
        assert_eq!(response.status().code(), code, "{response:?}");
        assert!(value(response.headers(), "Server").starts_with("IM-serv/OMA1.0 Restante/"));
        assert!(response.headers().date().is_some(), "{response:?}");
    }
}

#[tokio::test]
async fn is_composing_is_answered_200_and_dropped() {
    let mut store = Store::start(Behaviour::Stores).await;
    let edge = Running::ready(laptop(store.address)).await;
    let mut core = TcpPeer::connect(edge.tcp).await;
    let text = message("z9hG4bK-c", "")
        .replace("text/plain;charset=utf-8", "application/im-iscomposing+xml");
    core.send(&text).await;
    assert_eq!(core.response().await.status().code(), 200);
    assert!(store.is_quiet());
}

#[tokio::test]
async fn options_says_whether_to_send_anything_here() {
    let options = message("z9hG4bK-o", "").replace("MESSAGE", "OPTIONS");
    let store = Store::start(Behaviour::Stores).await;
    let ready = Running::ready(laptop(store.address)).await;
    let mut core = TcpPeer::connect(ready.tcp).await;
    core.send(&options).await;
    let response = core.response().await;
    assert_eq!(response.status().code(), 200);
    for header in ["Allow", "Accept", "Supported", "Server", "Date"] {
        assert!(
            response.headers().first_named(header).is_some(),
            "{header}: {response:?}"
        );
    }

    let silent = Store::silent(Behaviour::Stores).await;
    let waiting = Running::start(laptop(silent.address)).await;
    let mut core = TcpPeer::connect(waiting.tcp).await;
    core.send(&options).await;
    let response = core.response().await;
    assert_eq!(response.status().code(), 503);
    assert!(
        response
            .headers()
            .retry_after()
            .expect("well-formed")
            .is_some()
    );
}

#[tokio::test]
async fn a_latched_store_turns_dispatchers_away() {
    let mut store = Store::start(Behaviour::IsLatched).await;
    let edge = Running::ready(laptop(store.address)).await;
    let mut core = TcpPeer::connect(edge.tcp).await;
    core.send(&message("z9hG4bK-l", "")).await;
    assert_eq!(core.response().await.status().code(), 503);
    store.deposit().await;
    core.send(&message("z9hG4bK-o", "").replace("MESSAGE", "OPTIONS"))
        .await;
    let response = core.response().await;
    assert_eq!(response.status().code(), 503);
    let retry_after = response.headers().retry_after().expect("well-formed");
    assert!(retry_after.is_some(), "{response:?}");
    edge.not_ready().await;
}

#[tokio::test]
async fn a_deposit_under_way_is_answered_while_the_edge_drains() {
    let mut store = Store::start(Behaviour::NeverSyncs).await;
    let edge = Running::ready(laptop(store.address)).await;
    let mut core = TcpPeer::connect(edge.tcp).await;
    core.send(&message("z9hG4bK-d", "")).await;
    assert!(matches!(store.asked().await, Asked::Deposit(_)));
    edge.shut_down();
    let response = core.response().await;
    assert_eq!(response.status().code(), 503, "{response:?}");
    edge.ended().await;
    assert_eq!(core.rest().await, "");
}
