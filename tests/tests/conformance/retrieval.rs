//! Requirements §5.14: fetching one message by INVITE.

use std::time::Duration;

use proto::v1::MessageState;
use restante_tests::deployment::Part;
use restante_tests::msrp::{Frame, Pushed, Sender, Upload};
use restante_tests::run::run;
use restante_tests::sip::{RequestText, SipText, fresh};
use restante_tests::subscriber::Subscriber;
use restante_tests::{Deployment, Scene, uri};

fn somebody() -> String {
    format!("bob-{}", fresh())
}

/// The INVITE of a reader who wants one of his messages; `setup` says who connects.
pub(crate) fn fetch(sender: &Sender, reader: &str, id: &str, setup: &str) -> RequestText {
    let attributes = format!("a=recvonly\r\na=accept-wrapped-types:*\r\na=setup:{setup}\r\n");
    let media = sender.media(&attributes);
    let media = media.replace("message/cpim text/plain", "multipart/mixed");
    let address = uri(reader);
    sender
        .invite(&sender.description(&media))
        .start_line(&format!("INVITE sip:{id} SIP/2.0"))
        .set("From", &format!("<{address}>;tag={}", fresh()))
        .set("To", &format!("<sip:{id}>"))
        .set("P-Asserted-Identity", &format!("<{address}>"))
        .without("P-Served-User")
}

async fn answer(upload: &mut Upload, send: &Frame, status: &str) {
    let Frame { transaction, .. } = send;
    let octets = format!(
        "MSRP {transaction} {status}\r\nTo-Path: {}\r\nFrom-Path: {}\r\n-------{transaction}$\r\n",
        upload.remote_path, upload.sender.path
    );
    upload.msrp().write(octets.as_bytes()).await;
}

/// The answer to the INVITE of a reader.
async fn refused(scene: &mut Scene, reader: &str, id: &str) -> SipText {
    let sender = Sender::new(&scene.core, reader).await;
    let invite = fetch(&sender, reader, id, "active");
    scene.call(&invite).await.response
}

/// Opens the session in which the client connects, and binds it.
async fn opened(scene: &mut Scene, reader: &str, id: &str) -> Upload {
    let sender = Sender::new(&scene.core, reader).await;
    let invite = fetch(&sender, reader, id, "active");
    let way = scene.way.clone();
    let mut session = sender.accepted(&mut scene.core, &way, &invite).await;
    session.connect(&scene.core).await;
    let bind = format!(
        "MSRP bind0001 SEND\r\nTo-Path: {}\r\nFrom-Path: {}\r\nMessage-ID: bind-1\r\n\
         Byte-Range: 1-0/0\r\n-------bind0001$\r\n",
        session.remote_path, session.sender.path
    );
    session.msrp().write(bind.as_bytes()).await;
    let bound = session.msrp().frame().await;
    assert_eq!(bound.status(), 200, "{bound:?}");
    session
}

#[tokio::test]
async fn ct_xcp_04_the_owner_fetches_just_one_message_and_all_else_is_404_alike() {
    let mut scene = Scene::all().await;
    let (bob, carol) = (somebody(), somebody());
    let first = scene.deposit_text(&bob, "one").await.message_id;
    let wanted = scene.deposit_text(&bob, "two").await.message_id;
    let others = scene.deposit_text(&carol, "three").await.message_id;
    let mut session = opened(&mut scene, &bob, &wanted).await;
    let description = String::from_utf8_lossy(session.response.body()).into_owned();
    assert!(description.contains("\r\na=sendonly\r\n"), "{description}");
    let send = session.msrp().frame().await;
    assert_eq!(scene.operator.state(&wanted).await, MessageState::Claimed);
    answer(&mut session, &send, "200 OK").await;
    let pushed = Pushed { chunks: vec![send] };
    assert_eq!(pushed.message_id(), wanted);
    session.bye_of_edge(&mut scene.core).await;
    assert_eq!(scene.operator.state(&wanted).await, MessageState::Delivered);
    assert_eq!(scene.operator.state(&first).await, MessageState::Stored);
    let number: u64 = first
        .split('@')
        .next()
        .and_then(|text| text.parse().ok())
        .expect("a number");
    let unknown = format!("{}@store.example.org", number - 1_000);
    let mut answers = Vec::new();
    for id in [&wanted, &others, &unknown] {
        let response = refused(&mut scene, &bob, id).await;
        assert_eq!(response.status(), Some(404), "{id}: {response}");
        let lines = response.to_string();
        let varies = ["Via:", "From:", "To:", "Call-ID:", "Date:"];
        let alike: Vec<String> = lines
            .lines()
            .filter(|line| !varies.iter().any(|name| line.starts_with(name)))
            .map(str::to_owned)
            .collect();
        answers.push(alike);
    }
    assert!(
        answers.windows(2).all(|pair| pair[0] == pair[1]),
        "{answers:?}"
    );
}

#[tokio::test]
async fn a_reader_who_hangs_up_before_he_connects_leaves_the_mailbox_free() {
    let mut scene = Scene::all().await;
    let bob = somebody();
    let wanted = scene.deposit_text(&bob, "one").await.message_id;
    let sender = Sender::new(&scene.core, &bob).await;
    let invite = fetch(&sender, &bob, &wanted, "active");
    let way = scene.way.clone();
    let mut session = sender.accepted(&mut scene.core, &way, &invite).await;
    assert_eq!(session.bye(&mut scene.core).await, 200);
    // The claim is given back behind the answer to the BYE.
    let mut session = loop {
        let sender = Sender::new(&scene.core, &bob).await;
        let again = fetch(&sender, &bob, &wanted, "active");
        let exchange = scene.call(&again).await;
        match exchange.response.status() {
            Some(480) => tokio::time::sleep(Duration::from_millis(20)).await,
            Some(200) => break sender.answered(exchange, way.clone()),
            other => panic!("{other:?}"),
        }
    };
    session.acknowledge(&mut scene.core).await;
    assert_eq!(session.bye(&mut scene.core).await, 200);
}

#[tokio::test]
async fn a_fetched_message_that_is_not_acknowledged_stays_and_can_be_fetched_again() {
    let mut scene = Scene::all().await;
    let bob = somebody();
    let id = scene.deposit_text(&bob, "one").await.message_id;
    let mut session = opened(&mut scene, &bob, &id).await;
    session.msrp().frame().await;
    session.disconnect();
    session.bye_of_edge(&mut scene.core).await;
    let sender = Sender::new(&scene.core, &bob).await;
    let invite = fetch(&sender, &bob, &id, "passive");
    let way = scene.way.clone();
    let mut session = sender.accepted(&mut scene.core, &way, &invite).await;
    session.accept().await;
    let bind = session.msrp().frame().await;
    assert_eq!(bind.field("Byte-Range"), "1-0/0", "{bind:?}");
    answer(&mut session, &bind, "200 OK").await;
    let send = session.msrp().frame().await;
    answer(&mut session, &send, "200 OK").await;
    session.bye_of_edge(&mut scene.core).await;
    assert_eq!(scene.operator.state(&id).await, MessageState::Delivered);
}

#[tokio::test]
async fn mwi_subscribers_are_told_what_is_left_after_a_fetch() {
    let mut scene = Scene::all().await;
    let bob = somebody();
    let id = scene.deposit_text(&bob, "one").await.message_id;
    scene.deposit_text(&bob, "two").await;
    let mut subscriber = Subscriber::behind(&scene.core, &bob);
    let way = scene.way.clone();
    subscriber.subscribe(&mut scene.core, &way, 3_600).await;
    let first = subscriber.notified(&mut scene.core).await;
    assert!(first.has("Text-Message: 2/0 (2/0)"), "{}", first.body);
    let mut session = opened(&mut scene, &bob, &id).await;
    let send = session.msrp().frame().await;
    answer(&mut session, &send, "200 OK").await;
    session.bye_of_edge(&mut scene.core).await;
    // What was fetched is old now, as after a push.
    subscriber
        .notified_until(&mut scene.core, "Text-Message: 1/1 (1/1)")
        .await;
}

#[tokio::test]
async fn a_mailbox_that_is_being_fetched_from_is_busy_for_another_fetch() {
    let mut scene = Scene::all().await;
    let bob = somebody();
    let ids = [
        scene.deposit_text(&bob, "one").await.message_id,
        scene.deposit_text(&bob, "two").await.message_id,
    ];
    let mut session = opened(&mut scene, &bob, &ids[0]).await;
    let send = session.msrp().frame().await;
    let busy = refused(&mut scene, &bob, &ids[1]).await;
    assert_eq!(
        (busy.status(), busy.field("Retry-After")),
        (Some(480), "10")
    );
    answer(&mut session, &send, "200 OK").await;
    session.bye_of_edge(&mut scene.core).await;
    let mut session = opened(&mut scene, &bob, &ids[1]).await;
    let send = session.msrp().frame().await;
    answer(&mut session, &send, "200 OK").await;
    session.bye_of_edge(&mut scene.core).await;
    assert_eq!(scene.operator.state(&ids[1]).await, MessageState::Delivered);
}

#[tokio::test]
async fn a_fetch_that_is_cancelled_while_the_store_says_nothing_claims_nothing() {
    let mut scene = Scene::start(Deployment::two_processes()).await;
    let bob = somebody();
    let id = scene.deposit_text(&bob, "one").await.message_id;
    let sender = Sender::new(&scene.core, &bob).await;
    let invite = fetch(&sender, &bob, &id, "active");
    let way = scene.way.clone();
    scene.deployment.process(Part::Storage).freeze();
    let sent = scene.core.send(&way, &invite).await;
    let is_trying = |text: &SipText| text.answers(&sent) && text.status() == Some(100);
    scene.core.expect("100", is_trying).await;
    let cancel = invite
        .start_line(&format!("CANCEL sip:{id} SIP/2.0"))
        .set("Via", sent.field("Via"))
        .set("CSeq", &sent.field("CSeq").replace("INVITE", "CANCEL"))
        .without("Content-Type")
        .body("text/plain", "");
    let cancel = scene.core.send(&way, &cancel).await;
    assert_eq!(scene.core.response_to(&cancel).await.status(), Some(200));
    scene.deployment.process(Part::Storage).thaw();
    assert_eq!(scene.core.response_to(&sent).await.status(), Some(487));
    let mut session = opened(&mut scene, &bob, &id).await;
    let send = session.msrp().frame().await;
    answer(&mut session, &send, "200 OK").await;
    session.bye_of_edge(&mut scene.core).await;
}

#[tokio::test]
async fn a_slow_reader_keeps_his_claim_for_longer_than_a_lease() {
    let lease = Duration::from_secs(1);
    let plan = Deployment::all().set("push.lease", "1s");
    let mut scene = Scene::start(plan).await;
    let bob = somebody();
    let id = scene.deposit_text(&bob, "one").await.message_id;
    let mut session = opened(&mut scene, &bob, &id).await;
    let send = session.msrp().frame().await;
    // The lease is what passes here: nothing else tells that it was renewed.
    tokio::time::sleep(lease * 2).await;
    let busy = refused(&mut scene, &bob, &id).await;
    assert_eq!(busy.status(), Some(480), "the claim is alive: {busy}");
    answer(&mut session, &send, "200 OK").await;
    session.bye_of_edge(&mut scene.core).await;
    assert_eq!(scene.operator.state(&id).await, MessageState::Delivered);
}

#[tokio::test]
async fn a_reader_needs_an_identity_and_a_line_to_receive_on() {
    let mut scene = Scene::all().await;
    let bob = somebody();
    let id = scene.deposit_text(&bob, "one").await.message_id;
    let sender = Sender::new(&scene.core, &bob).await;
    let nobody = fetch(&sender, &bob, &id, "active").without("P-Asserted-Identity");
    assert_eq!(scene.status(&nobody).await, 403);
    let sender = Sender::new(&scene.core, &bob).await;
    let sending = sender.media("a=sendonly\r\n");
    let invite = fetch(&sender, &bob, &id, "active");
    let invite = invite.body("application/sdp", sender.description(&sending));
    assert_eq!(scene.status(&invite).await, 488);
    assert_eq!(scene.operator.state(&id).await, MessageState::Stored);
}

#[tokio::test]
async fn ct_xcp_04_a_client_fetches_single_messages_on_the_command_line() {
    let deployment = Deployment::all().start().await;
    let (bob, alice) = (uri(&somebody()), uri("alice"));
    let file = deployment.scratch().join("plan.bin");
    let content: Vec<u8> = (0..3_000_000_u32).flat_map(u32::to_le_bytes).collect();
    let content = &content[..3_000_000];
    std::fs::write(&file, content).expect("room");
    let file = file.to_str().expect("a path");
    for message in [&["one"][..], &["two"], &["three"], &["--file", file]] {
        let send = [&["send", bob.as_str()], message].concat();
        run(deployment.im_client(&alice, &send)).await.done();
    }
    let operator = deployment.operator();
    let ids = operator.list(&bob).await.into_iter();
    let ids: Vec<String> = ids.map(|message| message.message_id).collect();
    for (setup, at, body) in [("active", 1, "two"), ("passive", 2, "three")] {
        let fetch = ["--setup", setup, "fetch", &ids[at], "--json"];
        let fetched = run(deployment.im_client(&bob, &fetch)).await.done();
        let records = fetched.records();
        assert_eq!(records.len(), 1);
        assert_eq!(records[0]["message_id"], ids[at]);
        assert_eq!(records[0]["body"], body);
        assert_eq!(operator.state(&ids[at]).await, MessageState::Delivered);
    }
    let folder = deployment.scratch().join("received");
    let folder = folder.to_str().expect("a path");
    let fetch = ["fetch", &ids[3], "--json", "--save", folder];
    let fetched = run(deployment.im_client(&bob, &fetch)).await.done();
    let saved = fetched.records()[0]["saved"].as_str().map(str::to_owned);
    let kept = std::fs::read(saved.expect("a file")).expect("it is there");
    assert!(kept == content, "byte for byte");
    assert_eq!(operator.state(&ids[3]).await, MessageState::Delivered);
    assert_eq!(operator.state(&ids[0]).await, MessageState::Stored);
    for (user, id) in [(&bob, &ids[3]), (&alice, &ids[0])] {
        let refused = run(deployment.im_client(user, &["fetch", id])).await;
        let is_404 = refused.code == Some(69) && refused.errors.contains("404");
        assert!(is_404, "{refused:?}");
    }
}
