//! Requirements §5.4: pushes that do not end as they should.

use proto::v1::MessageState;
use restante_tests::sip::fresh;
use restante_tests::{Deployment, Scene, uri};

/// SENDs that may be unacknowledged (PSH-09).
const WINDOW: usize = 4;

fn somebody() -> String {
    format!("bob-{}", fresh())
}

/// Answers the push INVITE to a user with this status and waits for the ACK.
async fn refuse(scene: &mut Scene, user: &str, status: &str) {
    let invite = scene.core.request("INVITE", &uri(user)).await;
    scene.core.answer(&invite, status, &[], "").await;
    let call_id = invite.text.field("Call-ID").to_owned();
    let is_ack = |text: &restante_tests::sip::SipText| {
        text.method() == Some("ACK") && text.field("Call-ID") == call_id
    };
    scene.core.expect("the ACK of a refusal", is_ack).await;
}

#[tokio::test]
async fn ct_dlv_21_480_keeps_the_message_and_is_tried_again() {
    let plan = Deployment::all().set("push.backoff", "100ms,1h");
    let mut scene = Scene::start(plan).await;
    let bob = somebody();
    let id = scene.deposit_text(&bob, "hi").await.message_id;
    scene.register(&bob).await;
    refuse(&mut scene, &bob, "480 Temporarily Unavailable").await;
    assert_eq!(scene.receive(&bob, 1).await, [id]);
}

#[tokio::test]
async fn ct_dlv_21_486_keeps_the_message_until_the_next_registration() {
    let plan = Deployment::all().set("push.backoff", "50ms");
    let mut scene = Scene::start(plan).await;
    let bob = somebody();
    let id = scene.deposit_text(&bob, "hi").await.message_id;
    scene.register(&bob).await;
    refuse(&mut scene, &bob, "486 Busy Here").await;
    scene.fence().await;
    scene.fence().await;
    assert_eq!(scene.unanswered_invites(&bob), 0);
    assert_eq!(scene.states(&bob).await, [MessageState::Stored]);
    scene.register(&bob).await;
    assert_eq!(scene.receive(&bob, 1).await, [id]);
}

#[tokio::test]
async fn ct_dlv_24_a_client_that_says_bye_early_keeps_the_rest_stored() {
    let mut scene = Scene::all().await;
    let bob = somebody();
    // One more than the window: it is sent once the first is acknowledged.
    let mut ids = Vec::new();
    for number in 0..=WINDOW {
        ids.push(
            scene
                .deposit_text(&bob, &format!("number {number}"))
                .await
                .message_id,
        );
    }
    scene.register(&bob).await;
    let mut session = scene.accept_push(&bob).await;
    let mut sent = Vec::new();
    for _ in 0..WINDOW {
        sent.push(session.next().await);
    }
    session.answer(sent[0].last(), "200 OK").await;
    assert_eq!(session.next().await.message_id(), ids[WINDOW]);
    assert_eq!(session.hang_up(&mut scene.core).await, 200);
    scene.fence().await;
    assert_eq!(scene.unanswered_invites(&bob), 0);
    let mut expected = [MessageState::Stored; WINDOW + 1];
    expected[0] = MessageState::Delivered;
    assert_eq!(scene.states(&bob).await, expected);
    scene.register(&bob).await;
    assert_eq!(scene.receive(&bob, WINDOW).await, ids[1..]);
}

#[tokio::test]
async fn ct_dlv_23_a_lost_connection_keeps_the_rest_for_a_new_session_with_a_new_path() {
    let plan = Deployment::all().set("push.backoff", "100ms");
    let mut scene = Scene::start(plan).await;
    let bob = somebody();
    let first = scene.deposit_text(&bob, "one").await.message_id;
    let second = scene.deposit_text(&bob, "two").await.message_id;
    scene.register(&bob).await;
    let mut session = scene.accept_push(&bob).await;
    assert_eq!(session.take().await.message_id(), first);
    session.next().await;
    let path = session.remote_path.clone();
    session.bye_after_disconnection(&mut scene.core).await;
    let mut session = scene.accept_push(&bob).await;
    assert_ne!(session.remote_path, path);
    assert_eq!(session.take().await.message_id(), second);
    session.bye(&mut scene.core).await;
    assert_eq!(scene.states(&bob).await, [MessageState::Delivered; 2]);
}
