//! Requirements §5.4: what a push session carries.

use proto::v1::MessageState;
use restante_tests::msrp::{PushSession, Setup};
use restante_tests::sip::{SipPeer, SipText, Transport, example, fresh};
use restante_tests::{LoopbackNet, Scene, date, uri};

fn somebody() -> String {
    format!("bob-{}", fresh())
}

#[tokio::test]
async fn ct_dlv_12_a_send_holds_the_eight_fields_and_the_request() {
    let mut scene = Scene::all().await;
    let bob = somebody();
    let exchange = scene.deposit(&example::message(&bob)).await;
    let stored = scene.operator.only(&uri(&bob)).await;
    scene.register(&bob).await;
    let mut session = scene.accept_push(&bob).await;
    let push = session.take().await;
    let summary = push.summary();
    let sent = &exchange.request;
    for name in [
        "From",
        "To",
        "Call-ID",
        "Subject",
        "Priority",
        "P-Asserted-Identity",
    ] {
        assert_eq!(summary.field(name), sent.field(name));
    }
    assert_eq!(summary.field("Message-ID"), stored.message_id);
    let receipt = date::parse(summary.field("Date")).expect("a date");
    let seconds = receipt
        .duration_since(std::time::UNIX_EPOCH)
        .expect("after 1970")
        .as_secs();
    assert_eq!(
        stored
            .received_at
            .expect("always set")
            .seconds
            .unsigned_abs(),
        seconds
    );
    assert_eq!(push.parts()[1].field("Content-Type"), "message/sip");
    assert_eq!(
        String::from_utf8_lossy(&push.original()),
        without_core_fields(sent)
    );
    session.bye(&mut scene.core).await;
}

fn without_core_fields(request: &SipText) -> String {
    let text = request.to_string();
    let of_core = ["Route: ", "P-Served-User: "];
    let kept = text
        .split("\r\n")
        .filter(|line| !of_core.iter().any(|name| line.starts_with(name)));
    kept.collect::<Vec<_>>().join("\r\n")
}

#[tokio::test]
async fn ct_dlv_12_absent_subject_and_priority_are_omitted_and_normal() {
    let mut scene = Scene::all().await;
    let bob = somebody();
    scene
        .deposit(
            &example::message(&bob)
                .without("Subject")
                .without("Priority"),
        )
        .await;
    scene.register(&bob).await;
    let mut session = scene.accept_push(&bob).await;
    let summary = session.take().await.summary();
    assert_eq!(summary.find("Subject"), None);
    assert_eq!(summary.field("Priority"), "normal");
    session.bye(&mut scene.core).await;
}

#[tokio::test]
async fn ct_dlv_14_call_id_cseq_and_tags_are_not_altered() {
    let mut scene = Scene::all().await;
    let bob = somebody();
    let request = example::message(&bob)
        .set("CSeq", "4711 MESSAGE")
        .line("i-am: \t odd ");
    scene.deposit(&request).await;
    scene.register(&bob).await;
    let mut session = scene.accept_push(&bob).await;
    let original = SipText::new(session.take().await.original());
    for name in ["Call-ID", "CSeq", "From", "To"] {
        assert_eq!(original.field(name), request.field(name));
    }
    assert!(
        original.to_string().contains("\r\ni-am: \t odd \r\n"),
        "{original}"
    );
    session.bye(&mut scene.core).await;
}

#[tokio::test]
async fn ct_dlv_15_five_messages_come_in_order_and_bye_after_the_last() {
    let mut scene = Scene::all().await;
    let bob = somebody();
    let mut ids = Vec::new();
    for number in 0..5 {
        ids.push(
            scene
                .deposit_text(&bob, &format!("number {number}"))
                .await
                .message_id,
        );
    }
    scene.register(&bob).await;
    assert_eq!(scene.receive(&bob, 5).await, ids);
    assert_eq!(scene.states(&bob).await, [MessageState::Delivered; 5]);
}

/// The string of a Message-ID, as a number.
fn number(id: &str) -> u64 {
    let number = id
        .split_once('@')
        .and_then(|(number, _)| number.parse().ok());
    number.unwrap_or_else(|| panic!("no Message-ID: {id}"))
}

#[tokio::test]
async fn ct_ord_01_messages_of_five_senders_are_delivered_in_the_order_of_their_ids() {
    const SENDERS: usize = 5;
    const EACH: usize = 40;
    let mut scene = Scene::all().await;
    let bob = somebody();
    let mut ways = Vec::new();
    for _ in 0..SENDERS {
        let edge = scene.deployment.edge(Transport::Tcp);
        ways.push(scene.core.way(Transport::Tcp, edge).await);
    }
    // All at once, and each of them one after the other (RFC 3428 §8).
    for number in 0..EACH {
        let mut sent = Vec::new();
        for (sender, way) in ways.iter().enumerate() {
            let address = format!("<sip:sender-{sender}@example.org>");
            let request = example::message(&bob)
                .set("From", &format!("{address};tag={}", fresh()))
                .set("P-Asserted-Identity", &address)
                .body("text/plain", format!("{sender} {number}"));
            sent.push(scene.core.send(way, &request).await);
        }
        for request in &sent {
            let response = scene.core.response_to(request).await;
            assert_eq!(response.status(), Some(202), "{response}");
        }
    }
    scene.register(&bob).await;
    let mut session = scene.accept_push(&bob).await;
    let (mut numbers, mut of_senders) = (Vec::new(), vec![Vec::new(); SENDERS]);
    for _ in 0..SENDERS * EACH {
        let push = session.take().await;
        numbers.push(number(&push.message_id()));
        let original = SipText::new(push.original());
        let text = String::from_utf8_lossy(original.body()).into_owned();
        let (sender, number) = text.split_once(' ').expect("two numbers");
        let sender: usize = sender.parse().expect("a number");
        of_senders[sender].push(number.parse::<usize>().expect("a number"));
    }
    session.bye(&mut scene.core).await;
    let is_growing = numbers.windows(2).all(|pair| pair[0] < pair[1]);
    assert!(is_growing, "{numbers:?}");
    for of_sender in &of_senders {
        assert!(of_sender.iter().copied().eq(0..EACH), "{of_senders:?}");
    }
}

#[tokio::test]
async fn ct_dlv_16_a_message_that_arrives_during_the_push_joins_its_session() {
    let mut scene = Scene::all().await;
    let bob = somebody();
    let first = scene.deposit_text(&bob, "one").await.message_id;
    scene.register(&bob).await;
    let mut session = scene.accept_push(&bob).await;
    let push = session.next().await;
    let second = scene.deposit_text(&bob, "two").await.message_id;
    session.answer(push.last(), "200 OK").await;
    assert_eq!(
        (push.message_id(), session.take().await.message_id()),
        (first, second)
    );
    session.bye(&mut scene.core).await;
    assert_eq!(scene.states(&bob).await, [MessageState::Delivered; 2]);
}

#[tokio::test]
async fn ct_dlv_26_the_edge_connects_to_a_passive_client() {
    let mut scene = Scene::all().await;
    let bob = somebody();
    let id = scene.deposit_text(&bob, "hi").await.message_id;
    scene.register(&bob).await;
    let mut session = PushSession::accept(&mut scene.core, &bob, Setup::Passive).await;
    assert_eq!(session.take().await.message_id(), id);
    session.bye(&mut scene.core).await;
    assert_eq!(scene.states(&bob).await, [MessageState::Delivered]);
}

/// P4. That a message without any report stays stored after 120 s is tested beside the sending half.
#[tokio::test]
async fn ct_dlv_31_behind_a_relay_only_reports_of_all_octets_prove_delivery() {
    let mut scene = Scene::all().await;
    let bob = format!("bob-{}", fresh());
    let id = scene
        .deposit_text(&bob, &"x".repeat(1_000))
        .await
        .message_id;
    scene.register(&bob).await;
    let mut relay = PushSession::accept_as_relay(&mut scene.core, &bob).await;
    let push = relay.take().await;
    let send = push.last();
    assert_eq!(send.field("To-Path"), relay.local_path);
    assert_eq!(send.field("Success-Report"), "yes");
    relay.fence().await;
    assert_eq!(scene.operator.state(&id).await, MessageState::Claimed);
    let (outer, total) = (send.field("Message-ID"), push.body().len());
    relay
        .report(outer, &format!("1-500/{total}"), "200 OK")
        .await;
    relay.fence().await;
    assert_eq!(scene.operator.state(&id).await, MessageState::Claimed);
    let rest = format!("501-{total}/{total}");
    relay.report(outer, &rest, "200 OK").await;
    relay.bye(&mut scene.core).await;
    assert_eq!(scene.operator.state(&id).await, MessageState::Delivered);
}

#[tokio::test]
async fn ct_dlv_31_a_refusal_that_a_relay_reports_leaves_the_message_stored() {
    let mut scene = Scene::all().await;
    let bob = format!("bob-{}", fresh());
    let id = scene.deposit_text(&bob, "hi").await.message_id;
    scene.register(&bob).await;
    let mut relay = PushSession::accept_as_relay(&mut scene.core, &bob).await;
    let push = relay.take().await;
    let range = format!("1-{0}/{0}", push.body().len());
    let outer = push.last().field("Message-ID");
    relay.report(outer, &range, "413 Too Large").await;
    relay.bye(&mut scene.core).await;
    let message = scene.operator.only(&uri(&bob)).await;
    assert_eq!(
        (message.message_id.as_str(), message.state()),
        (id.as_str(), MessageState::Stored)
    );
    assert_eq!(message.reason, "MSRP 413");
}

#[tokio::test]
async fn ct_dlv_30_our_own_push_that_comes_back_is_a_loop() {
    let mut scene = Scene::all().await;
    let bob = somebody();
    let id = scene.deposit_text(&bob, "hi").await.message_id;
    scene.register(&bob).await;
    let invite = scene.core.request("INVITE", &uri(&bob)).await;
    let back = example::returned(&invite.text);
    assert_eq!(scene.status(&back).await, 482);
    // A core that is a B2BUA hides our Via: the asserted store identity gives the push away.
    let hidden = back
        .without("Via")
        .line("Via: {hop}")
        .set("Call-ID", &fresh());
    assert_eq!(scene.status(&hidden).await, 482);
    let delivered = example::message(&bob).line(format!("Message-ID: {id}"));
    assert_eq!(scene.status(&delivered).await, 482);
    scene
        .core
        .answer(&invite, "482 Loop Detected", &[], "")
        .await;
    let only = scene.operator.only(&uri(&bob)).await;
    assert_eq!((only.message_id, only.body_octets), (id, 2));
    let forged = example::message(&bob)
        .line("Via: SIP/2.0/TCP h;branch=z9hG4bK-rst-4tQz81LmNc0a4tQz-5b1f0c77a2e94d36");
    scene.deposit(&forged).await;
}

#[tokio::test]
async fn ct_dlv_36_boundaries_and_transactions_are_new_in_each_attempt() {
    let mut scene = Scene::all().await;
    let bob = somebody();
    let id = scene.deposit_text(&bob, "hi").await.message_id;
    let mut seen = std::collections::BTreeSet::new();
    for attempt in 0..2 {
        if attempt > 0 {
            scene
                .operator
                .redeliver(&id)
                .await
                .expect("its content is retained");
        }
        scene.register(&bob).await;
        let mut session = scene.accept_push(&bob).await;
        let push = session.take().await;
        assert!(push.boundary().len() >= 16 && push.last().transaction.len() >= 16);
        assert!(
            push.last()
                .lines
                .last()
                .is_some_and(|line| line.starts_with("Content-Type: "))
        );
        assert!(seen.insert(push.boundary()) && seen.insert(push.last().transaction.clone()));
        session.bye(&mut scene.core).await;
    }
}

#[tokio::test]
async fn ct_prv_01_a_private_message_does_not_name_its_sender() {
    let mut scene = Scene::all().await;
    let bob = somebody();
    let request = example::message(&bob)
        .set(
            "From",
            &format!(
                "\"Anonymous\" <sip:anonymous@anonymous.invalid>;tag={}",
                fresh()
            ),
        )
        .set("Call-ID", &format!("{}@anonymous.invalid", fresh()))
        .line("Privacy: id")
        .line("Contact: <sip:alice@198.51.100.7>")
        .line("P-Preferred-Identity: <sip:alice@example.org>")
        .line("Remote-Party-ID: <sip:alice@example.org>")
        .line("History-Info: <sip:alice@example.org>;index=1");
    scene.deposit(&request).await;
    scene.register(&bob).await;
    let mut session = scene.accept_push(&bob).await;
    let push = session.take().await;
    assert_eq!(push.parts()[1].field("Content-Type"), "message/sipfrag");
    let text = String::from_utf8_lossy(&push.body()).into_owned();
    for secret in ["alice", "198.51.100.7", "scscf"] {
        assert!(!text.contains(secret), "{secret} in\n{text}");
    }
    let original = SipText::new(push.original());
    assert_eq!(original.field("Privacy"), "id");
    assert_eq!(original.body(), b"Lunch at noon, same place?");
    session.bye(&mut scene.core).await;
}

#[tokio::test]
async fn ct_dlv_20_a_body_full_of_end_lines_does_not_break_the_framing() {
    let mut scene = Scene::all().await;
    let bob = somebody();
    let body = "-------a786hjs2$\r\n-------0000000000000000+\r\n\r\n--x--\r\n".repeat(20);
    scene
        .deposit(&example::message(&bob).body("text/plain", body.as_str()))
        .await;
    scene.register(&bob).await;
    let mut session = scene.accept_push(&bob).await;
    let original = SipText::new(session.take().await.original());
    assert_eq!(original.body(), body.as_bytes());
    session.bye(&mut scene.core).await;
}

#[tokio::test]
async fn ct_msr_02_strangers_do_not_take_over_a_session() {
    let mut scene = Scene::all().await;
    let bob = somebody();
    let id = scene.deposit_text(&bob, "hi").await.message_id;
    scene.register(&bob).await;
    let invite = scene.core.request("INVITE", &uri(&bob)).await;
    let offer = String::from_utf8_lossy(invite.text.body()).into_owned();
    let path = offer
        .lines()
        .find_map(|line| line.strip_prefix("a=path:"))
        .expect("a path")
        .to_owned();
    let stranger = SipPeer::open(scene.deployment.net().host(LoopbackNet::STRANGER)).await;
    let edge = scene.deployment.address("sip-edge.msrp_listen");
    let mut connection = stranger.connect(edge).await.expect("the edge listens");
    let bind = format!(
        "MSRP abcdefgh SEND\r\nTo-Path: {path}\r\nFrom-Path: msrp://192.0.2.1:9/foreign;tcp\r\n\
         Message-ID: bind-1\r\nByte-Range: 1-0/0\r\n-------abcdefgh$\r\n"
    );
    tokio::io::AsyncWriteExt::write_all(&mut connection, bind.as_bytes())
        .await
        .expect("an open connection");
    let mut session = PushSession::answer_invite(&mut scene.core, invite, Setup::Active).await;
    assert_eq!(session.take().await.message_id(), id);
    session.bye(&mut scene.core).await;
}
