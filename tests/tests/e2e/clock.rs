//! A wall clock that jumps: nothing is lost, no Message-ID comes twice, and going back deletes nothing (requirements §3.2).

use proto::v1::{Message, MessageState};
use restante_tests::shim::WallClock;
use restante_tests::sip::{example, fresh};
use restante_tests::{Deployment, Part, Scene, uri};

const HOUR: i64 = 3_600;
const DAY: i64 = 24 * HOUR;

/// The decimal of a Message-ID.
fn number(id: &str) -> u64 {
    let number = id.split('@').next().expect("a part before the host");
    number.parse().expect("decimal")
}

/// Seconds and nanoseconds of the receipt of a message.
fn received_at(message: &Message) -> (i64, i32) {
    let at = message.received_at.expect("always set");
    (at.seconds, at.nanos)
}

/// Receipt times do not go back with the clock: it may have been behind for a month, and the store been opened again.
#[tokio::test]
async fn a_clock_that_jumps_back_and_forth_loses_nothing_and_repeats_no_message_id() {
    let clock = WallClock::new();
    let plan = clock.over(Deployment::two_processes());
    let mut scene = Scene::start(plan).await;
    let bob = format!("bob-{}", fresh());
    let mut ids = vec![scene.deposit_text(&bob, "right").await.message_id];
    // They have a day: an hour ends none.
    for (off, text) in [
        (HOUR, "ahead"),
        (-HOUR, "behind"),
        (-30 * DAY, "far behind"),
    ] {
        clock.be_off(off);
        ids.push(scene.deposit_text(&bob, text).await.message_id);
        // A process that starts sweeps at once.
        scene.deployment.kill(Part::Storage).await;
        scene.deployment.launch(Part::Storage).await;
        scene.deployment.ready(Part::SipEdge).await;
        ids.push(scene.deposit_text(&bob, text).await.message_id);
        let states = scene.states(&bob).await;
        assert_eq!(states, vec![MessageState::Stored; ids.len()], "{text}");
    }
    let listed = scene.operator.list(&uri(&bob)).await;
    let received: Vec<_> = listed.iter().map(received_at).collect();
    assert!(received.is_sorted(), "{received:?}");
    let jumped = received[received.len() - 1].0 - received[0].0;
    assert!(jumped >= HOUR, "the clock did not jump: {received:?}");
    let numbers: Vec<_> = ids.iter().map(|id| number(id)).collect();
    assert!(numbers.is_sorted_by(|a, b| a < b), "{numbers:?}");
    clock.be_off(0);
    scene.register(&bob).await;
    let received = scene.receive(&bob, ids.len()).await;
    assert_eq!(received, ids);
}

/// What has expired says so: the operator sees when and why, and nothing that has time left goes with it.
#[tokio::test]
async fn a_clock_that_jumps_past_a_lifetime_expires_honestly_and_going_back_deletes_nothing() {
    let clock = WallClock::new();
    let plan = clock.over(Deployment::two_processes());
    let mut scene = Scene::start(plan).await;
    let bob = format!("bob-{}", fresh());
    let early = scene.deposit_text(&bob, "for a day").await.message_id;
    let request = example::message(&bob).set("Expires", "500000");
    scene.deposit(&request).await;
    let call_id = request.field("Call-ID");
    let late = scene.find(&bob, &call_id).await.message_id;
    clock.be_off(2 * DAY);
    scene.deployment.kill(Part::Storage).await;
    scene.deployment.launch(Part::Storage).await;
    scene.operator.until(&early, MessageState::Expired).await;
    assert_eq!(scene.operator.state(&late).await, MessageState::Stored);
    clock.be_off(0);
    scene.deployment.kill(Part::Storage).await;
    scene.deployment.launch(Part::Storage).await;
    assert_eq!(scene.operator.state(&early).await, MessageState::Expired);
    assert_eq!(scene.operator.state(&late).await, MessageState::Stored);
    assert_eq!(scene.operator.list(&uri(&bob)).await.len(), 2);
}
