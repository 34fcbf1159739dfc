//! Requirements §5.3: the states of a message, and what its timeline says of them. A claim is told
//! together with what came of it, and one that lapsed by the next (`docs/decisions/0002-one-claim-per-mailbox.md`).

use proto::v1::EventKind::{
    AttemptFailed, Claimed, Deleted, Delivered, Deposited, Expired, Held, Recalled, Refused, Unheld,
};
use proto::v1::{EventKind, MessageState, RecallMessageRequest};
use restante_tests::sip::Transport;
use restante_tests::sip::example::{self, bare_register, embedded_register};
use restante_tests::{Deployment, Part, Scene, somebody, uri};

async fn is(scene: &Scene, id: &str, state: MessageState, timeline: &[EventKind]) {
    scene.operator.until(id, state).await;
    assert_eq!(scene.operator.timeline(id).await, timeline, "{state:?}");
}

/// A message for a new user, and the user.
async fn stored(scene: &mut Scene) -> (String, String) {
    let bob = somebody();
    let id = scene.deposit_text(&bob, "hi").await.message_id;
    is(scene, &id, MessageState::Stored, &[Deposited]).await;
    (id, bob)
}

#[tokio::test]
async fn ct_sto_13_delivery_and_refusal_are_told_in_their_order() {
    let mut scene = Scene::all().await;
    let (id, bob) = stored(&mut scene).await;
    scene.register(&bob).await;
    let mut session = scene.accept_push(&bob).await;
    let message = session.next().await;
    scene.operator.until(&id, MessageState::Claimed).await;
    session.answer(message.last(), "200 OK").await;
    session.bye(&mut scene.core).await;
    let delivered = [Deposited, Claimed, Delivered];
    is(&scene, &id, MessageState::Delivered, &delivered).await;
    // A phone, which is served by MESSAGE.
    let (id, bob) = stored(&mut scene).await;
    let phone = "<sip:bob@203.0.113.9:5060;transport=tcp>;expires=3600";
    let register = bare_register(&bob, 3_600).body("message/sip", embedded_register(&bob, phone));
    scene.registered(&register).await;
    let message = scene.core.request("MESSAGE", &uri(&bob)).await;
    scene.operator.until(&id, MessageState::Claimed).await;
    scene.core.answer(&message, "603 Decline", &[], "").await;
    let refused = [Deposited, Claimed, Refused];
    is(&scene, &id, MessageState::Refused, &refused).await;
}

#[tokio::test]
async fn ct_sto_13_every_other_end_is_told_and_a_hold_that_ends() {
    let mut scene = Scene::all().await;
    let (id, _) = stored(&mut scene).await;
    scene.operator.expire(&id).await.expect("it waits");
    is(&scene, &id, MessageState::Expired, &[Deposited, Expired]).await;
    let (id, _) = stored(&mut scene).await;
    let wish = RecallMessageRequest {
        sender: example::ALICE.to_owned(),
        message_id: id.clone(),
        ..RecallMessageRequest::default()
    };
    scene.operator.recall(wish).await.expect("it waits");
    is(&scene, &id, MessageState::Recalled, &[Deposited, Recalled]).await;
    let (id, _) = stored(&mut scene).await;
    scene.operator.delete(&id).await.expect("it waits");
    is(&scene, &id, MessageState::Deleted, &[Deposited, Deleted]).await;
    let (id, _) = stored(&mut scene).await;
    scene.operator.hold(&id).await.expect("it waits");
    is(&scene, &id, MessageState::Held, &[Deposited, Held]).await;
    scene.operator.unhold(&id).await.expect("it is held");
    let unheld = [Deposited, Held, Unheld];
    is(&scene, &id, MessageState::Stored, &unheld).await;
}

/// The lease is 2 s, and nobody claims again before there is another edge.
#[tokio::test]
async fn ct_sto_13_a_claim_that_lapses_leaves_the_message_stored_and_the_next_one_tells_so() {
    let plan = Deployment::two_processes()
        .set("push.lease", "2s")
        .set("push.backoff", "");
    let mut scene = Scene::start(plan).await;
    let (id, bob) = stored(&mut scene).await;
    scene.register(&bob).await;
    let mut session = scene.accept_push(&bob).await;
    session.next().await;
    scene.operator.until(&id, MessageState::Claimed).await;
    scene.deployment.process(Part::SipEdge).freeze();
    is(&scene, &id, MessageState::Stored, &[Deposited]).await;
    let second = scene.deployment.second_edge().await;
    let other = scene.core.way(Transport::Tcp, second.tcp).await;
    let registered = scene.core.call(&other, &example::register(&bob)).await;
    let response = registered.response;
    assert_eq!(response.status(), Some(200), "{response}");
    assert_eq!(scene.receive(&bob, 1).await, std::slice::from_ref(&id));
    let timeline = [Deposited, AttemptFailed, Claimed, Delivered];
    is(&scene, &id, MessageState::Delivered, &timeline).await;
    let reply = scene.operator.message(&id).await.expect("a message");
    assert_eq!(reply.timeline[1].detail, "the lease ran out");
    assert!(reply.timeline[1].generation < reply.timeline[2].generation);
    scene.deployment.process(Part::SipEdge).thaw();
}
