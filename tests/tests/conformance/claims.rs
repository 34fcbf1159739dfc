//! Requirements §5.14: claims, generations, and what operators do meanwhile.

use std::time::{Duration, SystemTime};

use proto::v1::{EventKind, MessageState};
use restante_tests::deployment::Plan;
use restante_tests::msrp::{PushSession, Pushed, Setup, chunk};
use restante_tests::patience::{ANSWER, eventually};
use restante_tests::sip::example::{bare_register, embedded_register};
use restante_tests::sip::{Arrival, SipText, example, fresh};
use restante_tests::{Deployment, Part, Scene, somebody, uri};
use tonic::Code;

/// A lease that runs out within a test.
const LEASE: &str = "2s";

/// Storage and one edge, and a user whose message the edge has sent; its answer is still to come.
async fn unanswered(plan: Plan) -> Unanswered {
    let mut scene = Scene::start(plan).await;
    let bob = somebody();
    let id = scene.deposit_text(&bob, "hi").await.message_id;
    scene.register(&bob).await;
    let mut session = scene.accept_push(&bob).await;
    let message = session.next().await;
    assert_eq!(message.message_id(), id);
    Unanswered {
        scene,
        bob,
        id,
        session,
        message,
    }
}

struct Unanswered {
    scene: Scene,
    bob: String,
    id: String,
    session: PushSession,
    message: Pushed,
}

fn count(timeline: &[EventKind], kind: EventKind) -> usize {
    timeline.iter().filter(|found| **found == kind).count()
}

#[tokio::test]
async fn ct_gen_01_an_acknowledgement_under_a_superseded_claim_settles_nothing() {
    const COUNTER: &str = "restante_acknowledgements_superseded_total";
    let plan = Deployment::two_processes().set("push.lease", LEASE);
    let Unanswered {
        mut scene,
        bob,
        id,
        mut session,
        message,
    } = unanswered(plan).await;
    let _second = scene.deployment.second_edge().await;
    scene.deployment.process(Part::SipEdge).freeze();
    let mut other = scene.accept_push(&bob).await;
    let again = other.take().await;
    assert_eq!(again.message_id(), id);
    other.bye(&mut scene.core).await;
    scene.operator.until(&id, MessageState::Delivered).await;
    session.answer(message.last(), "200 OK").await;
    scene.deployment.process(Part::SipEdge).thaw();
    session.bye(&mut scene.core).await;
    eventually(ANSWER, COUNTER, async || {
        let count = scene.deployment.counter(Part::Storage, COUNTER).await;
        (count == 1).then_some(())
    })
    .await;
    let timeline = scene.operator.timeline(&id).await;
    assert_eq!(count(&timeline, EventKind::Delivered), 1, "{timeline:?}");
    assert_eq!(
        count(&timeline, EventKind::AttemptFailed),
        1,
        "{timeline:?}"
    );
}

#[tokio::test]
async fn ct_gen_02_an_acknowledgement_after_the_deadline_settles_if_nobody_took_over() {
    // Without further tries nobody does.
    let plan = Deployment::two_processes()
        .set("push.lease", LEASE)
        .set("push.backoff", "");
    let Unanswered {
        mut scene,
        id,
        mut session,
        message,
        ..
    } = unanswered(plan).await;
    scene.deployment.process(Part::SipEdge).freeze();
    scene.operator.until(&id, MessageState::Stored).await;
    tokio::time::sleep(Duration::from_secs(10)).await;
    session.answer(message.last(), "200 OK").await;
    scene.deployment.process(Part::SipEdge).thaw();
    session.bye(&mut scene.core).await;
    scene.operator.until(&id, MessageState::Delivered).await;
    let timeline = scene.operator.timeline(&id).await;
    assert_eq!(count(&timeline, EventKind::Delivered), 1, "{timeline:?}");
}

#[tokio::test]
async fn ct_gen_03_an_edge_cut_off_from_the_store_ends_after_what_is_in_flight() {
    let plan = Deployment::two_processes().set("push.lease", LEASE);
    let mut scene = Scene::start(plan).await;
    let bob = somebody();
    let mut ids = Vec::new();
    for number in 0..10 {
        let text = format!("number {number}");
        ids.push(scene.deposit_text(&bob, &text).await.message_id);
    }
    scene.register(&bob).await;
    let mut session = scene.accept_push(&bob).await;
    let mut in_flight = Vec::new();
    for _ in 0..4 {
        in_flight.push(session.next().await);
    }
    scene.deployment.process(Part::Storage).freeze();
    // Two thirds of the lease are over, and the lease itself.
    tokio::time::sleep(Duration::from_secs(3)).await;
    for message in &in_flight {
        session.answer(message.last(), "200 OK").await;
    }
    let call_id = session.invite.text.field("Call-ID").to_owned();
    let is_bye = |text: &SipText| text.method() == Some("BYE") && text.field("Call-ID") == call_id;
    let patience = Duration::from_secs(45);
    let bye = scene.core.expect_within(patience, "a BYE", is_bye).await;
    scene.core.answer(&bye, "200 OK", &[], "").await;
    // The next frame answers this one: nothing more has been sent.
    let probe = fresh();
    let (to, from) = (session.remote_path.clone(), session.local_path.clone());
    let lines = "Message-ID: probe\r\nByte-Range: 1-1/1\r\nContent-Type: text/plain\r\n";
    session
        .write(&chunk((&to, &from), &probe, lines, b"x", '$'))
        .await;
    let next = session.frame().await;
    assert_eq!(next.transaction, probe, "{next:?}");
    scene.deployment.process(Part::Storage).thaw();
    for id in &ids[4..] {
        assert_ne!(scene.operator.state(id).await, MessageState::Delivered);
    }
    // Whatever was not settled comes again, in its order, and all of it comes.
    let mut received = Vec::new();
    let mut session = scene.accept_push(&bob).await;
    while received.last() != ids.last() {
        received.push(session.take().await.message_id());
    }
    session.bye(&mut scene.core).await;
    assert!(ids.ends_with(&received), "{received:?}");
    assert!(received.len() >= 6, "{received:?}");
    assert_eq!(scene.states(&bob).await, [MessageState::Delivered; 10]);
}

#[tokio::test]
async fn ct_gen_04_what_was_delivered_or_refused_can_be_delivered_again_and_nothing_else() {
    let mut scene = Scene::all().await;
    let bob = somebody();
    let phone = "<sip:bob@203.0.113.9:5060;transport=tcp>;expires=3600";
    let register =
        |user: &str| bare_register(user, 3_600).body("message/sip", embedded_register(user, phone));
    let refused = scene.deposit_text(&bob, "refused").await.message_id;
    let delivered = scene.deposit_text(&bob, "delivered").await.message_id;
    let ids = [refused.clone(), delivered];
    scene.registered(&register(&bob)).await;
    for status in ["603 Decline", "200 OK"] {
        let message = scene.core.request("MESSAGE", &uri(&bob)).await;
        scene.core.answer(&message, status, &[], "").await;
    }
    scene.operator.until(&ids[0], MessageState::Refused).await;
    scene.operator.until(&ids[1], MessageState::Delivered).await;
    // What follows does not join that delivery.
    scene.fence().await;
    let expired = scene.deposit_text(&bob, "expired").await.message_id;
    scene.operator.expire(&expired).await.expect("expired");
    let stored = scene.deposit_text(&bob, "stored").await.message_id;
    for id in [&expired, &stored] {
        let refused = scene.operator.redeliver(id).await.expect_err("not settled");
        assert_eq!(refused.code(), Code::FailedPrecondition, "{id}");
    }
    scene.operator.hold(&stored).await.expect("held");
    for id in &ids {
        let again = scene.operator.redeliver(id).await.expect("retained");
        assert_eq!(again.state(), MessageState::Stored);
    }
    scene.registered(&register(&bob)).await;
    for id in &ids {
        let message = scene.core.request("MESSAGE", &uri(&bob)).await;
        scene.core.answer(&message, "200 OK", &[], "").await;
        assert_eq!(message.text.field("Message-ID"), id);
        assert_eq!(message.text.field("CSeq"), "2 MESSAGE", "redelivered once");
    }
    for id in &ids {
        scene.operator.until(id, MessageState::Delivered).await;
        let reply = scene.operator.message(id).await.expect("a message");
        let claims = reply.timeline.iter();
        let claims = claims.filter(|event| event.kind() == EventKind::Claimed);
        let generations: Vec<u64> = claims.map(|event| event.generation).collect();
        assert_eq!(generations.len(), 2, "{generations:?}");
        assert!(generations[0] < generations[1], "{generations:?}");
    }
}

#[tokio::test]
async fn ct_gen_05_a_held_message_waits_until_it_is_put_back() {
    let plan = Deployment::all().set("push.on_deposit", "50ms");
    let mut scene = Scene::start(plan).await;
    let bob = somebody();
    let held = scene.deposit_text(&bob, "held").await.message_id;
    scene.operator.hold(&held).await.expect("held");
    scene.register(&bob).await;
    scene.fence().await;
    assert_eq!(scene.unanswered_invites(&bob), 0);
    assert_eq!(scene.operator.state(&held).await, MessageState::Held);
    scene.operator.unhold(&held).await.expect("put back");
    assert_eq!(scene.receive(&bob, 1).await, [held]);
}

/// What an operator does to a message.
#[derive(Clone, Copy, Debug)]
enum Verb {
    Delete,
    Expire,
}

impl Verb {
    async fn act(self, scene: &Scene, id: &str) {
        let done = match self {
            Self::Delete => scene.operator.delete(id).await,
            Self::Expire => scene.operator.expire(id).await,
        };
        done.unwrap_or_else(|status| panic!("{self:?}: {status}"));
    }

    fn event(self) -> EventKind {
        match self {
            Self::Delete => EventKind::Deleted,
            Self::Expire => EventKind::Expired,
        }
    }
}

/// A user who is invited while his message is claimed and not sent.
async fn invited(scene: &mut Scene) -> (String, String, Arrival) {
    let bob = somebody();
    let text = format!("hi {}", fresh());
    let id = scene.deposit_text(&bob, &text).await.message_id;
    scene.register(&bob).await;
    let invite = scene.core.request("INVITE", &uri(&bob)).await;
    (bob, id, invite)
}

#[tokio::test]
async fn ct_gen_05_what_an_operator_removes_before_it_is_sent_is_not_sent() {
    let mut scene = Scene::all().await;
    for verb in [Verb::Delete, Verb::Expire] {
        let (bob, id, invite) = invited(&mut scene).await;
        let next = scene.deposit_text(&bob, "next").await.message_id;
        verb.act(&scene, &id).await;
        let core = &mut scene.core;
        let mut session = PushSession::answer_invite(core, invite, Setup::Active).await;
        assert_eq!(session.take().await.message_id(), next, "{verb:?}");
        session.bye(&mut scene.core).await;
        let timeline = scene.operator.timeline(&id).await;
        assert_eq!(count(&timeline, verb.event()), 1, "{timeline:?}");
        assert_eq!(count(&timeline, EventKind::Delivered), 0, "{timeline:?}");
    }
}

#[tokio::test]
async fn ct_gen_05_once_it_is_sent_the_word_of_the_client_wins() {
    let mut scene = Scene::all().await;
    for verb in [Verb::Delete, Verb::Expire] {
        let (_, id, invite) = invited(&mut scene).await;
        let core = &mut scene.core;
        let mut session = PushSession::answer_invite(core, invite, Setup::Active).await;
        let message = session.next().await;
        assert_eq!(message.message_id(), id);
        verb.act(&scene, &id).await;
        session.answer(message.last(), "200 OK").await;
        session.bye(&mut scene.core).await;
        assert_eq!(
            scene.operator.state(&id).await,
            MessageState::Delivered,
            "{verb:?}"
        );
        let timeline = scene.operator.timeline(&id).await;
        assert_eq!(count(&timeline, verb.event()), 1, "{timeline:?}");
        assert_eq!(count(&timeline, EventKind::Delivered), 1, "{timeline:?}");
    }
}

#[tokio::test]
async fn ct_gen_05_a_message_held_until_a_time_is_delivered_then_and_not_before() {
    let mut scene = Scene::start(Deployment::all().set("push.on_deposit", "100ms")).await;
    let bob = somebody();
    scene.deposit(&example::message(&bob)).await;
    let first = scene.operator.only(&uri(&bob)).await.message_id;
    let held = scene
        .operator
        .hold_for(&first, Duration::from_secs(8))
        .await;
    let held = held.expect("it waits");
    assert_eq!(held.state(), MessageState::Held);
    let time = SystemTime::try_from(held.deliver_after.expect("a time")).expect("after 1970");
    scene.deposit(&example::message(&bob)).await;
    scene.register(&bob).await;
    let second = scene.receive(&bob, 1).await;
    assert_ne!(second, std::slice::from_ref(&first));
    // Nobody registers or writes: the time alone has it pushed.
    assert_eq!(scene.receive(&bob, 1).await, std::slice::from_ref(&first));
    assert!(SystemTime::now() >= time);
    scene.operator.until(&first, MessageState::Delivered).await;
    let past = scene.operator.hold_for(&first, Duration::ZERO).await;
    assert_eq!(past.expect_err("settled").code(), Code::FailedPrecondition);
}
