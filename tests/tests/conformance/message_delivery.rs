//! Requirements §5.10: delivery by MESSAGE to clients without the IM tag.

use proto::v1::{EventKind, MessageState};
use restante_tests::patience::{ANSWER, eventually};
use restante_tests::sip::example::{IM_CONTACT, bare_register, embedded_register};
use restante_tests::sip::{Arrival, RequestText, SipText, example, fresh};
use restante_tests::subscriber::Subscriber;
use restante_tests::{Deployment, Part, Scene, date, uri};

/// The binding of a phone that is no IM client.
const PHONE_CONTACT: &str = "<sip:bob@203.0.113.9:5060;transport=tcp>;expires=3600";

fn somebody() -> String {
    format!("bob-{}", fresh())
}

/// The third-party REGISTER of a client with this Contact.
fn register(user: &str, contact: &str) -> RequestText {
    bare_register(user, 3600).body("message/sip", embedded_register(user, contact))
}

/// The same of a client that says what it takes.
fn register_allowing(user: &str, allow: &str) -> RequestText {
    let embedded = embedded_register(user, PHONE_CONTACT);
    let embedded = embedded.replace("Supported: path", &format!("Allow: {allow}"));
    bare_register(user, 3600).body("message/sip", embedded)
}

async fn register_phone(scene: &mut Scene, user: &str) {
    scene.registered(&register(user, PHONE_CONTACT)).await;
}

/// The next MESSAGE to a user.
async fn message(scene: &mut Scene, user: &str) -> Arrival {
    scene.core.request("MESSAGE", &uri(user)).await
}

fn waiting_messages(scene: &mut Scene, user: &str) -> usize {
    let start_line = format!("MESSAGE {} SIP/2.0", uri(user));
    scene.core.count(|text| text.start_line() == start_line)
}

/// Takes the next MESSAGE to a user with this status.
async fn answer(scene: &mut Scene, user: &str, status: &str) -> SipText {
    let arrival = message(scene, user).await;
    scene.core.answer(&arrival, status, &[], "").await;
    arrival.text
}

/// Answers the next push INVITE to a user.
async fn answer_invite(scene: &mut Scene, user: &str, status: &str) {
    let invite = scene.core.request("INVITE", &uri(user)).await;
    scene.core.answer(&invite, status, &[], "").await;
}

/// Waits until the messages of a user are in these states.
async fn settled(scene: &Scene, user: &str, states: &[MessageState]) {
    let what = format!("{states:?}");
    eventually(ANSWER, &what, async || {
        (scene.states(user).await == states).then_some(())
    })
    .await;
}

#[tokio::test]
async fn ct_dlm_01_messages_come_one_by_one_in_their_order() {
    let mut scene = Scene::all().await;
    for allow in [None, Some("INVITE, ACK, MESSAGE")] {
        let bob = somebody();
        let mut ids = Vec::new();
        for text in ["one", "two", "three"] {
            ids.push(scene.deposit_text(&bob, text).await.message_id);
        }
        match allow {
            None => register_phone(&mut scene, &bob).await,
            Some(allow) => drop(scene.registered(&register_allowing(&bob, allow)).await),
        }
        for id in &ids {
            let arrival = message(&mut scene, &bob).await;
            assert_eq!(arrival.text.field("Message-ID"), id);
            for absent in ["Accept-Contact", "Contact"] {
                assert_eq!(arrival.text.find(absent), None, "{}", arrival.text);
            }
            scene.fence().await;
            assert_eq!(
                waiting_messages(&mut scene, &bob),
                0,
                "the one before has no answer yet"
            );
            scene.core.answer(&arrival, "200 OK", &[], "").await;
        }
        settled(&scene, &bob, &[MessageState::Delivered; 3]).await;
        assert_eq!(scene.unanswered_invites(&bob), 0);
    }
}

#[tokio::test]
async fn ct_dlm_01_a_user_who_deregisters_gets_no_more_than_the_message_in_flight() {
    let mut scene = Scene::all().await;
    let bob = somebody();
    for text in ["one", "two", "three"] {
        scene.deposit_text(&bob, text).await;
    }
    register_phone(&mut scene, &bob).await;
    let first = message(&mut scene, &bob).await;
    scene.deregister(&bob).await;
    scene.fence().await;
    scene.core.answer(&first, "200 OK", &[], "").await;
    let (delivered, stored) = (MessageState::Delivered, MessageState::Stored);
    settled(&scene, &bob, &[delivered, stored, stored]).await;
    scene.fence().await;
    assert_eq!(waiting_messages(&mut scene, &bob), 0);
    register_phone(&mut scene, &bob).await;
    answer(&mut scene, &bob, "200 OK").await;
    answer(&mut scene, &bob, "200 OK").await;
    settled(&scene, &bob, &[delivered; 3]).await;
}

#[tokio::test]
async fn ct_dlm_02_a_message_is_as_its_sender_wrote_it() {
    let mut scene = Scene::all().await;
    let bob = somebody();
    let multipart = "--b\r\nContent-Type: text/plain\r\n\r\nGrüße\r\n--b--\r\n";
    let bodies: [(&str, &[u8]); 4] = [
        ("text/plain;charset=utf-8", "Grüße 🌍".as_bytes()),
        ("application/octet-stream", b"\0\r\n\r\n\xff\xfe--\0"),
        ("multipart/mixed;boundary=b", multipart.as_bytes()),
        (
            "message/cpim",
            b"From: <im:a@h>\r\n\r\nContent-Type: text/plain\r\n\r\nhi",
        ),
    ];
    let mut sent = Vec::new();
    for (content_type, body) in bodies {
        let request = example::message(&bob).body(content_type, body);
        sent.push(scene.deposit(&request).await.request);
    }
    register_phone(&mut scene, &bob).await;
    for (request, (content_type, body)) in sent.iter().zip(bodies) {
        let pushed = answer(&mut scene, &bob, "200 OK").await;
        assert_eq!(pushed.body(), body, "{content_type}");
        assert_eq!(pushed.field("Content-Type"), content_type);
        for kept in ["Subject", "Priority", "Date"] {
            assert_eq!(pushed.field(kept), request.field(kept));
        }
        let display_name = request.field("From").split(";tag").next();
        assert_eq!(pushed.field("From").split(";tag").next(), display_name);
        assert_eq!(pushed.field("To"), format!("<{}>", uri(&bob)));
        assert_ne!(pushed.field("Call-ID"), request.field("Call-ID"));
    }
}

#[tokio::test]
async fn ct_dlm_02_without_a_date_the_receipt_counts_and_nothing_else_is_made_up() {
    let mut scene = Scene::all().await;
    let bob = somebody();
    let bare = example::message(&bob).without("Date").without("Subject");
    scene
        .deposit(&bare.set("From", "<sip:alice@example.org>;tag=a1"))
        .await;
    let stored = scene.operator.only(&uri(&bob)).await;
    register_phone(&mut scene, &bob).await;
    let pushed = answer(&mut scene, &bob, "200 OK").await;
    let at = date::parse(pushed.field("Date")).expect("a date");
    let seconds = at
        .duration_since(std::time::UNIX_EPOCH)
        .expect("after 1970");
    let received = stored.received_at.expect("always set").seconds;
    assert_eq!(i64::try_from(seconds.as_secs()), Ok(received));
    assert_eq!(pushed.find("Subject"), None);
    assert!(pushed.field("From").starts_with("<sip:alice@example.org>"));
}

#[tokio::test]
async fn ct_dlm_03_2xx_delivers_and_202_says_that_it_was_handed_over() {
    let mut scene = Scene::all().await;
    let bob = somebody();
    scene.deposit_text(&bob, "one").await;
    let second = scene.deposit_text(&bob, "two").await.message_id;
    register_phone(&mut scene, &bob).await;
    answer(&mut scene, &bob, "200 OK").await;
    answer(&mut scene, &bob, "202 Accepted").await;
    settled(&scene, &bob, &[MessageState::Delivered; 2]).await;
    let reply = scene.operator.message(&second).await.expect("a message");
    let delivered = reply.timeline.iter();
    let delivered = delivered.filter(|event| event.kind() == EventKind::Delivered);
    let details: Vec<_> = delivered.map(|event| event.detail.as_str()).collect();
    assert_eq!(details.len(), 1);
    assert!(details[0].contains("handed over"), "{details:?}");
}

#[tokio::test]
async fn ct_dlm_03_busy_keeps_and_decline_refuses() {
    let mut scene = Scene::start(Deployment::all().set("push.backoff", "1h")).await;
    let bob = somebody();
    scene.deposit_text(&bob, "one").await;
    scene.deposit_text(&bob, "two").await;
    register_phone(&mut scene, &bob).await;
    answer(&mut scene, &bob, "486 Busy Here").await;
    scene.fence().await;
    assert_eq!(scene.states(&bob).await, [MessageState::Stored; 2]);
    register_phone(&mut scene, &bob).await;
    answer(&mut scene, &bob, "200 OK").await;
    answer(&mut scene, &bob, "603 Decline").await;
    let states = [MessageState::Delivered, MessageState::Refused];
    settled(&scene, &bob, &states).await;
}

#[tokio::test]
async fn ct_dlm_03_what_a_client_cannot_read_is_refused_after_three_registrations() {
    let mut scene = Scene::start(Deployment::all().set("push.backoff", "1h")).await;
    let bob = somebody();
    scene.deposit_text(&bob, "unreadable").await;
    scene.deposit_text(&bob, "readable").await;
    for registration in 1..=3 {
        // A registration of its own: the one before has ended.
        scene.registered(&bare_register(&bob, 0)).await;
        register_phone(&mut scene, &bob).await;
        answer(&mut scene, &bob, "415 Unsupported Media Type").await;
        let unreadable = match registration {
            1 => {
                answer(&mut scene, &bob, "200 OK").await;
                MessageState::Stored
            }
            2 => MessageState::Stored,
            _ => MessageState::Refused,
        };
        settled(&scene, &bob, &[unreadable, MessageState::Delivered]).await;
        scene.fence().await;
    }
    assert_eq!(waiting_messages(&mut scene, &bob), 0);
}

#[tokio::test]
async fn ct_dlm_05_in_mode_session_a_phone_gets_nothing() {
    let mut scene = Scene::start(Deployment::all().set("delivery.mode", "session")).await;
    let bob = somebody();
    scene.deposit_text(&bob, "hi").await;
    register_phone(&mut scene, &bob).await;
    scene.fence().await;
    assert_eq!(waiting_messages(&mut scene, &bob), 0);
    assert_eq!(scene.unanswered_invites(&bob), 0);
    assert_eq!(scene.states(&bob).await, [MessageState::Stored]);
    let id = scene.operator.only(&uri(&bob)).await.message_id;
    scene.register(&bob).await;
    assert_eq!(scene.receive(&bob, 1).await, [id]);
}

#[tokio::test]
async fn ct_dlm_05_in_mode_message_an_im_client_gets_messages() {
    let mut scene = Scene::start(Deployment::all().set("delivery.mode", "message")).await;
    let bob = somebody();
    scene.deposit_text(&bob, "hi").await;
    scene.registered(&register(&bob, IM_CONTACT)).await;
    let pushed = answer(&mut scene, &bob, "200 OK").await;
    assert_eq!(pushed.field("Accept-Contact"), "*;+g.oma.sip-im");
    assert_eq!(scene.unanswered_invites(&bob), 0);
}

#[tokio::test]
async fn ct_dlm_05_a_phone_that_does_not_allow_message_gets_nothing() {
    let mut scene = Scene::all().await;
    let (bob, carol) = (somebody(), somebody());
    for user in [&bob, &carol] {
        scene.deposit_text(user, "hi").await;
    }
    scene
        .registered(&register_allowing(&bob, "INVITE, ACK, BYE"))
        .await;
    // Carol's comes after what Bob's registration could have caused.
    register_phone(&mut scene, &carol).await;
    answer(&mut scene, &carol, "200 OK").await;
    assert_eq!(waiting_messages(&mut scene, &bob), 0);
    assert_eq!(scene.unanswered_invites(&bob), 0);
    assert_eq!(scene.states(&bob).await, [MessageState::Stored]);
}

#[tokio::test]
async fn ct_dlm_06_a_client_that_takes_no_session_gets_messages_until_it_registers_anew() {
    let mut scene = Scene::all().await;
    let bob = somebody();
    scene.deposit_text(&bob, "one").await;
    scene.registered(&register(&bob, IM_CONTACT)).await;
    answer_invite(&mut scene, &bob, "488 Not Acceptable Here").await;
    answer(&mut scene, &bob, "200 OK").await;
    settled(&scene, &bob, &[MessageState::Delivered]).await;
    scene.deposit_text(&bob, "two").await;
    scene.registered(&register(&bob, IM_CONTACT)).await;
    answer(&mut scene, &bob, "200 OK").await;
    settled(&scene, &bob, &[MessageState::Delivered; 2]).await;
    let id = scene.deposit_text(&bob, "three").await.message_id;
    scene.registered(&bare_register(&bob, 0)).await;
    scene.registered(&register(&bob, IM_CONTACT)).await;
    assert_eq!(scene.receive(&bob, 1).await, [id]);
}

#[tokio::test]
async fn ct_dlm_07_our_own_message_that_comes_back_is_a_loop() {
    let mut scene = Scene::all().await;
    let bob = somebody();
    let id = scene.deposit_text(&bob, "hi").await.message_id;
    register_phone(&mut scene, &bob).await;
    let pushed = message(&mut scene, &bob).await;
    let back = example::returned(&pushed.text);
    assert_eq!(scene.status(&back).await, 482);
    assert_eq!(scene.operator.only(&uri(&bob)).await.message_id, id);
    scene.core.answer(&pushed, "202 Accepted", &[], "").await;
    settled(&scene, &bob, &[MessageState::Delivered]).await;
}

#[tokio::test]
async fn ct_dlm_08_after_a_kill_of_the_edge_the_copy_is_known_by_its_names() {
    let plan = Deployment::two_processes().set("push.lease", "1s");
    let mut scene = Scene::start(plan).await;
    let bob = somebody();
    let id = scene.deposit_text(&bob, "hi").await.message_id;
    register_phone(&mut scene, &bob).await;
    let first = message(&mut scene, &bob).await.text;
    scene.deployment.kill(Part::SipEdge).await;
    scene.deployment.launch(Part::SipEdge).await;
    scene.reconnect().await;
    register_phone(&mut scene, &bob).await;
    let second = answer(&mut scene, &bob, "200 OK").await;
    for same in ["Call-ID", "CSeq", "From", "Message-ID"] {
        assert_eq!(first.field(same), second.field(same));
    }
    assert_eq!(second.field("Message-ID"), id);
    assert_ne!(first.branch(), second.branch());
    settled(&scene, &bob, &[MessageState::Delivered]).await;
}

/// Octets that any way to a device carries (RFC 3428 §8).
const SAFE: usize = 1_300;

/// A body that makes a MESSAGE of so many octets, by one of the same user with the body `hi`.
fn body_for(example: &SipText, wanted: usize) -> String {
    let head = example.octets().len() - "2hi".len();
    let length = (0..wanted).find(|length| head + length.to_string().len() + length == wanted);
    "x".repeat(length.expect("a length"))
}

#[tokio::test]
async fn ct_dlm_04_through_the_core_a_long_message_goes_only_if_that_is_safe() {
    for is_safe in [false, true] {
        let plan = Deployment::all().set("sip.next_hop_congestion_safe", &is_safe.to_string());
        let mut scene = Scene::start(plan).await;
        let bob = somebody();
        scene.deposit_text(&bob, "hi").await;
        register_phone(&mut scene, &bob).await;
        let example = answer(&mut scene, &bob, "200 OK").await;
        settled(&scene, &bob, &[MessageState::Delivered]).await;
        for octets in [SAFE, SAFE + 1] {
            let body = body_for(&example, octets);
            scene.deposit_text(&bob, &body).await;
        }
        register_phone(&mut scene, &bob).await;
        for octets in SAFE..=SAFE + usize::from(is_safe) {
            let pushed = answer(&mut scene, &bob, "200 OK").await;
            assert_eq!(pushed.octets().len(), octets, "{pushed}");
        }
        let last = match is_safe {
            true => MessageState::Delivered,
            false => MessageState::Stored,
        };
        let states = [MessageState::Delivered, MessageState::Delivered, last];
        settled(&scene, &bob, &states).await;
        scene.fence().await;
        assert_eq!(waiting_messages(&mut scene, &bob), 0);
        let mut subscriber = Subscriber::behind(&scene.core, &bob);
        let way = scene.way.clone();
        subscriber.subscribe(&mut scene.core, &way, 3_600).await;
        let told = subscriber.notified(&mut scene.core).await;
        let waits = match is_safe {
            true => "Messages-Waiting: no",
            false => "Messages-Waiting: yes",
        };
        assert!(told.has(waits), "{}", told.body);
    }
}
