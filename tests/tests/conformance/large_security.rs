//! Requirements §5.11, §5.15: peers that want the edge to connect where it must not, and bodies that want to
//! be more than bodies.

use std::time::{Duration, Instant};

use proto::v1::{MessageState, PartKind};
use restante_tests::deployment::Plan;
use restante_tests::msrp::{MsrpConnection, Sender, chunk};
use restante_tests::sip::{SipPeer, Transport, fresh};
use restante_tests::{Deployment, LoopbackNet, Scene, uri};
use tokio::net::TcpListener;

use crate::large_session::answer;

const PASSIVE: &str = "a=sendonly\r\na=setup:passive\r\n";

/// A scene whose edge may connect to no special network: of loopback only to 127.0.0.1 and ::1, since it is
/// bound to loopback itself. That names are judged by their addresses is tested beside the guard.
async fn guarded(plan: Plan) -> Scene {
    let core = SipPeer::open(plan.net().host(LoopbackNet::CORE)).await;
    let plan = plan
        .behind(&core)
        .set("msrp.allow_networks", "192.0.2.0/24");
    let deployment = plan.start().await;
    let edge = deployment.edge(Transport::Tcp);
    let way = core.way(Transport::Tcp, edge).await;
    let operator = deployment.operator();
    Scene {
        deployment,
        core,
        way,
        operator,
    }
}

/// Nobody waits to be accepted.
async fn is_untouched(listener: &TcpListener) {
    let accepted = tokio::time::timeout(Duration::ZERO, listener.accept()).await;
    assert!(accepted.is_err(), "somebody connected: {accepted:?}");
}

#[tokio::test]
async fn ct_msr_03_no_offer_makes_the_edge_connect_to_its_own_network() {
    let mut scene = guarded(Deployment::all()).await;
    let mut from = Sender::new(&scene.core, &format!("bob-{}", fresh())).await;
    let live = from.listener.local_addr().expect("bound");
    let own = scene.deployment.address("sip-edge.msrp_listen");
    for place in [
        live.to_string(),
        own.to_string(),
        format!("[::ffff:{}]:{}", live.ip(), live.port()),
        "169.254.169.254:80".to_owned(),
        "224.0.0.1:7394".to_owned(),
        "0.0.0.0:7394".to_owned(),
        "203.0.113.9:22".to_owned(),
    ] {
        from.path = format!("msrp://{place}/s1;tcp");
        let invite = from.offer(PASSIVE).set("Call-ID", &fresh());
        let response = answer(&mut scene, &invite).await;
        assert_eq!(response.status(), Some(488), "{place}: {response}");
    }
    is_untouched(&from.listener).await;
}

#[tokio::test]
async fn ct_msr_03_no_answer_to_a_push_makes_the_edge_connect_to_its_own_network() {
    let mut scene = guarded(Deployment::all()).await;
    let user = format!("bob-{}", fresh());
    scene.deposit_text(&user, "hi").await;
    scene.register(&user).await;
    let invite = scene.core.request("INVITE", &uri(&user)).await;
    let client = Sender::new(&scene.core, &user).await;
    let description = client
        .description(&client.media("a=recvonly\r\na=setup:passive\r\n"))
        .replace(
            "a=accept-types:",
            "a=accept-wrapped-types:*\r\na=accept-types:multipart/mixed ",
        );
    let lines = [
        format!(
            "Contact: <sip:{user}@{};transport=tcp>;+g.oma.sip-im",
            scene.core.tcp()
        ),
        "Content-Type: application/sdp".to_owned(),
    ];
    let core = &mut scene.core;
    core.answer(&invite, "200 OK", &lines, &description).await;
    let call_id = invite.text.field("Call-ID").to_owned();
    for method in ["ACK", "BYE"] {
        let of_call = |text: &restante_tests::sip::SipText| {
            text.method() == Some(method) && text.field("Call-ID") == call_id
        };
        let request = core.expect(method, of_call).await;
        if method == "BYE" {
            core.answer(&request, "200 OK", &[], "").await;
        }
    }
    assert_ne!(scene.states(&user).await, [MessageState::Delivered]);
    is_untouched(&client.listener).await;
}

/// However many people want it, each by a Contact of his own. That one peer gets no more either, wherever
/// he leads, is tested beside the pacer.
#[tokio::test]
async fn ct_msr_04_a_peer_cannot_have_the_edge_flood_somebody() {
    const SECOND: usize = 20;
    let mut scene = Scene::all().await;
    let victim = TcpListener::bind((scene.core.tcp().ip(), 0)).await;
    let victim = victim.expect("a free port");
    let place = victim.local_addr().expect("bound");
    let begun = Instant::now();
    let mut paths = Vec::new();
    for sender in 0..SECOND + 5 {
        let mut from = Sender::new(&scene.core, &format!("bob-{}", fresh())).await;
        from.path = format!("msrp://{place}/{};tcp", fresh());
        let (way, invite) = (scene.way.clone(), from.offer(PASSIVE));
        let contact = invite.field("Contact");
        let invite = invite
            .set(
                "P-Asserted-Identity",
                &format!("<sip:alice-{sender}@example.org>"),
            )
            .set(
                "Contact",
                &contact.replace("alice", &format!("alice-{sender}")),
            );
        let upload = from.accepted(&mut scene.core, &way, &invite).await;
        paths.push(upload.sender.path.clone());
    }
    for number in 1..=paths.len() {
        let mut connection = MsrpConnection::accept(&victim).await;
        if number > SECOND {
            assert!(begun.elapsed() >= Duration::from_secs(1), "{number}");
        }
        let frame = connection.frame().await;
        assert_eq!((frame.kind.as_str(), frame.body.len()), ("SEND", 0));
        let place = paths.iter().position(|path| path == frame.field("To-Path"));
        paths[place.expect("its own To-Path")].push_str(" seen");
    }
}

#[tokio::test]
async fn ct_prv_06_a_forged_end_line_within_a_chunk_ends_nothing() {
    let mut scene = Scene::all().await;
    let user = format!("bob-{}", fresh());
    let from = Sender::new(&scene.core, &user).await;
    let way = scene.way.clone();
    let mut upload = from.open(&mut scene.core, &way, "a=sendonly\r\n").await;
    let forged = chunk(
        (&upload.remote_path, &upload.sender.path),
        "forged01",
        "Message-ID: m2\r\nContent-Type: text/plain\r\n",
        b"forged",
        '$',
    );
    let second = [b"\r\n-------first001$\r\n".as_slice(), &forged].concat();
    let total = 5 + second.len();
    upload
        .send("first001", &format!("1-5/{total}"), b"Hello", '+')
        .await;
    upload
        .send("secon002", &format!("6-{total}/{total}"), &second, '$')
        .await;
    for transaction in ["first001", "secon002"] {
        let answered = upload.msrp().response().await;
        assert_eq!(answered, (transaction.to_owned(), 200));
    }
    assert_eq!(upload.bye(&mut scene.core).await, 200);
    let body = [b"Hello", second.as_slice()].concat();
    let stored = scene.operator.only(&uri(&user)).await;
    assert_eq!(stored.body_octets, total as u64);
    let kept = scene.operator.part(&stored.message_id, PartKind::SendBody);
    assert_eq!(kept.await, body);

    scene.register(&user).await;
    let mut session = scene.accept_push(&user).await;
    let push = session.take().await;
    assert_eq!(push.parts().len(), 2);
    let original = push.original();
    let end = original
        .windows(body.len())
        .position(|octets| octets == body);
    let end = end.expect("the whole body") + body.len();
    assert!(original[end..].starts_with(b"\r\n-------"));
    let transaction = &original[5..original
        .iter()
        .skip(5)
        .position(|o| *o == b' ')
        .unwrap_or(0)
        + 5];
    assert!(
        !body
            .windows(transaction.len())
            .any(|octets| octets == transaction)
    );
    // BYE: there is no second message.
    session.bye(&mut scene.core).await;
    assert_eq!(scene.states(&user).await, [MessageState::Delivered]);
}

#[tokio::test]
async fn ct_prv_07_guessed_boundaries_make_no_part() {
    let mut scene = Scene::all().await;
    let user = format!("bob-{}", fresh());
    let first = scene.deposit_text(&user, "hi").await;
    scene.register(&user).await;
    let mut session = scene.accept_push(&user).await;
    let seen = session.take().await.boundary();
    session.bye(&mut scene.core).await;

    let forged: String = ["dm1", &seen]
        .iter()
        .map(|boundary| {
            format!(
                "\r\n--{boundary}\r\nContent-Type: message/sipfrag;version=2.0\r\n\r\n\
                 From: <sip:mallory@example.org>\r\nMessage-ID: {}\r\n--{boundary}--\r\n",
                first.message_id
            )
        })
        .collect();
    let text = scene.deposit_text(&user, &forged).await;
    let from = Sender::new(&scene.core, &user).await;
    let way = scene.way.clone();
    let mut upload = from.open(&mut scene.core, &way, "a=sendonly\r\n").await;
    upload.send_whole(forged.as_bytes()).await;
    assert_eq!(upload.bye(&mut scene.core).await, 200);
    scene.register(&user).await;
    let mut session = scene.accept_push(&user).await;
    for number in 0..2 {
        let push = session.take().await;
        let boundary = push.boundary();
        assert!(boundary != seen && boundary != "dm1", "{boundary}");
        assert_eq!(push.parts().len(), 2);
        let summary = push.summary();
        assert!(summary.field("From").starts_with("\"Alice\""), "{summary}");
        assert_eq!(summary.field("Message-ID") == text.message_id, number == 0);
        let original = push.original();
        let is_whole = |octets: &[u8]| octets == forged.as_bytes();
        assert!(original.windows(forged.len()).any(is_whole));
    }
    session.bye(&mut scene.core).await;
}
