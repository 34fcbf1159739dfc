//! Requirements §3.2, §3.6: how much a mailbox holds, and for how long.

use std::time::{Duration, SystemTime, UNIX_EPOCH};

use proto::v1::{EventKind, ListMessagesRequest, MessageState};
use restante_tests::sip::{RequestText, SipText, Transport, example, fresh};
use restante_tests::subscriber::Subscriber;
use restante_tests::{Deployment, Part, Scene, uri};

/// Messages that a mailbox holds here.
const FULL: usize = 3;

fn somebody() -> String {
    format!("bob-{}", fresh())
}

async fn small_mailboxes() -> Scene {
    Scene::start(Deployment::all().set("limits.mailbox_messages", &FULL.to_string())).await
}

/// Fills the mailbox of a user; the last request.
async fn fill(scene: &mut Scene, user: &str) -> RequestText {
    let requests: Vec<_> = (0..FULL).map(|_| example::message(user)).collect();
    for request in &requests {
        scene.deposit(request).await;
    }
    requests.into_iter().next_back().expect("some")
}

#[tokio::test]
async fn ct_sto_09_a_full_mailbox_refuses_with_a_time_to_try_again() {
    let mut scene = small_mailboxes().await;
    let bob = somebody();
    fill(&mut scene, &bob).await;
    let response = scene.call(&example::message(&bob)).await.response;
    assert_eq!(response.status(), Some(480));
    let seconds: u32 = response.field("Retry-After").parse().expect("a number");
    assert!(seconds > 0);
    assert_eq!(scene.operator.list(&uri(&bob)).await.len(), FULL);
    // Another mailbox is not concerned, and what is delivered makes room.
    scene.deposit(&example::message(&somebody())).await;
    scene.register(&bob).await;
    scene.receive(&bob, FULL).await;
    scene.deposit(&example::message(&bob)).await;
}

#[tokio::test]
async fn ct_sto_09_a_full_mailbox_may_drop_its_oldest_for_the_newest() {
    let plan = Deployment::all()
        .set("limits.mailbox_messages", &FULL.to_string())
        .set("limits.mailbox_full", "drop-oldest");
    let mut scene = Scene::start(plan).await;
    let bob = somebody();
    let message = |priority| example::message(&bob).set("Priority", priority);
    scene.deposit(&message("urgent")).await;
    for _ in 1..FULL {
        scene.deposit(&message("normal")).await;
    }
    let before = scene.operator.list(&uri(&bob)).await;
    scene.deposit(&message("normal")).await;
    let oldest = &before[1].message_id;
    assert_eq!(scene.operator.state(oldest).await, MessageState::Deleted);
    let timeline = scene.operator.timeline(oldest).await;
    assert_eq!(timeline, [EventKind::Deposited, EventKind::Dropped]);
    assert_eq!(
        scene.operator.state(&before[0].message_id).await,
        MessageState::Stored
    );
    let counts = scene.operator.mailbox(&uri(&bob)).await.expect("a mailbox");
    let full = u64::try_from(FULL).expect("few");
    assert_eq!(counts.text.expect("always set").new, full);
    scene.register(&bob).await;
    let received = scene.receive(&bob, FULL).await;
    assert_eq!(received[0], before[0].message_id);
    assert!(!received.contains(oldest), "{received:?}");
}

#[tokio::test]
async fn ct_pfm_30_a_repeated_message_is_known_before_anything_is_refused() {
    let mut scene = small_mailboxes().await;
    let bob = somebody();
    let last = fill(&mut scene, &bob).await;
    let before = scene.operator.list(&uri(&bob)).await;
    scene.deposit(&last).await;
    let after = scene.operator.list(&uri(&bob)).await;
    let ids = |messages: &[proto::v1::Message]| -> Vec<String> {
        messages.iter().map(|it| it.message_id.clone()).collect()
    };
    assert_eq!(ids(&before), ids(&after));
    let mut scene = Scene::start(Deployment::all().set("provisioning", "listed")).await;
    let long = example::message("nobody").body("text/plain", "x".repeat(64 * 1024 + 1));
    assert_eq!(scene.status(&long).await, 413);
}

#[tokio::test]
async fn ct_pfm_31_the_last_place_of_a_mailbox_is_given_once() {
    let plan = Deployment::two_processes().set("limits.mailbox_messages", "1");
    let mut scene = Scene::start(plan).await;
    let second = scene.deployment.second_edge().await;
    let other = scene.core.way(Transport::Tcp, second.tcp).await;
    let bob = somebody();
    let mut sent = Vec::new();
    for number in 0..20 {
        let way = if number % 2 == 0 { &scene.way } else { &other };
        sent.push(scene.core.send(way, &example::message(&bob)).await);
    }
    let mut accepted = 0;
    for request in &sent {
        let response = scene.core.response_to(request).await;
        match response.status() {
            Some(202) => accepted += 1,
            status => {
                assert_eq!(status, Some(480), "{response}");
                assert!(response.find("Retry-After").is_some(), "{response}");
            }
        }
    }
    assert_eq!(accepted, 1);
    assert_eq!(scene.operator.list(&uri(&bob)).await.len(), 1);
}

#[tokio::test]
async fn ct_pfm_12_an_expired_message_is_not_pushed() {
    let mut scene = Scene::all().await;
    let bob = somebody();
    scene
        .deposit(&example::message(&bob).set("Expires", "1"))
        .await;
    let stored = scene.operator.only(&uri(&bob)).await;
    let end = stored.expires_at.expect("always set").seconds + 1;
    while seconds_since_1970() <= end {
        scene.fence().await;
    }
    // The sweep comes once a minute; what is pushed does not wait for it.
    scene.register(&bob).await;
    scene.fence().await;
    assert_eq!(scene.unanswered_invites(&bob), 0);
    // A store that starts sweeps at once.
    scene.deployment.kill(Part::All).await;
    scene.deployment.launch(Part::All).await;
    scene.reconnect().await;
    let mut state = scene.operator.state(&stored.message_id).await;
    for _ in 0..50 {
        if state == MessageState::Expired {
            break;
        }
        scene.fence().await;
        state = scene.operator.state(&stored.message_id).await;
    }
    assert_eq!(state, MessageState::Expired);
}

fn seconds_since_1970() -> i64 {
    let since = SystemTime::now().duration_since(UNIX_EPOCH);
    let seconds = since.expect("after 1970").as_secs();
    i64::try_from(seconds).expect("before the end of time")
}

#[tokio::test]
async fn ct_sto_12_delivered_content_is_kept_and_can_be_delivered_again() {
    let mut scene = Scene::all().await;
    let bob = somebody();
    let request = scene.deposit(&example::message(&bob)).await.request;
    scene.register(&bob).await;
    let ids = scene.receive(&bob, 1).await;
    assert_eq!(
        scene.operator.request_octets(&ids[0]).await,
        request.octets()
    );
    let counts = scene.operator.mailbox(&uri(&bob)).await.expect("a mailbox");
    let text = counts.text.expect("always set");
    assert_eq!((text.new, text.old, counts.octets), (0, 1, 0));
    let again = scene.operator.redeliver(&ids[0]).await.expect("retained");
    assert_eq!(again.redeliveries, 1);
    scene.register(&bob).await;
    assert_eq!(scene.receive(&bob, 1).await, ids);
}

#[tokio::test]
async fn ct_sto_12_without_retention_only_the_timeline_stays() {
    let mut scene = Scene::start(Deployment::all().set("retention.delivered", "0s")).await;
    let bob = somebody();
    scene.deposit(&example::message(&bob)).await;
    scene.register(&bob).await;
    let ids = scene.receive(&bob, 1).await;
    let reply = scene.operator.message(&ids[0]).await.expect("its timeline");
    let message = reply.message.expect("always set");
    assert_eq!(message.state(), MessageState::Delivered);
    assert!(!message.content_retained);
    let kinds: Vec<_> = reply.timeline.iter().map(proto::v1::Event::kind).collect();
    assert!(kinds.contains(&EventKind::Delivered), "{kinds:?}");
    let refused = scene
        .operator
        .redeliver(&ids[0])
        .await
        .expect_err("its content is gone");
    assert_eq!(refused.code(), tonic::Code::FailedPrecondition);
}

/// Longer than from one sweep of the store to the next.
const A_SWEEP: Duration = Duration::from_secs(75);

#[tokio::test]
async fn ct_sto_10_whatever_its_sender_wants_a_message_expires_after_the_longest_time() {
    let plan = Deployment::all()
        .set("retention.max", "5s")
        .set("retention.default", "5s");
    let mut scene = Scene::start(plan).await;
    let bob = somebody();
    let mut subscriber = Subscriber::behind(&scene.core, &bob);
    let way = scene.way.clone();
    subscriber.subscribe(&mut scene.core, &way, 3_600).await;
    subscriber.notified(&mut scene.core).await;
    scene.deposit(&example::message(&bob)).await;
    let message = scene.operator.only(&uri(&bob)).await;
    let [received, expires] = [message.received_at, message.expires_at];
    let lifetime = expires.expect("set").seconds - received.expect("set").seconds;
    assert!(lifetime <= 5, "{lifetime} s instead of a day");
    let told = subscriber.notified(&mut scene.core).await;
    assert!(told.has("Messages-Waiting: yes"), "{}", told.body);
    let is_notify = |text: &SipText| text.method() == Some("NOTIFY");
    let what = "a NOTIFY of the end";
    let told = scene.core.expect_within(A_SWEEP, what, is_notify).await;
    scene.core.answer(&told, "200 OK", &[], "").await;
    let body = String::from_utf8_lossy(told.text.body()).into_owned();
    assert!(body.starts_with("Messages-Waiting: no\r\n"), "{body}");
    let id = &message.message_id;
    assert_eq!(scene.operator.state(id).await, MessageState::Expired);
    let listed = ListMessagesRequest {
        served_user: uri(&bob),
        states: vec![MessageState::Stored.into()],
        ..ListMessagesRequest::default()
    };
    let (waiting, _) = scene.operator.page(listed).await.expect("a list");
    assert_eq!(waiting, []);
    scene.register(&bob).await;
    scene.fence().await;
    assert_eq!(scene.unanswered_invites(&bob), 0);
}
