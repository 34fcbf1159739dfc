//! Rows in which the store is away.

use std::time::{Duration, Instant};

use restante_tests::sip::{SipText, example, fresh};
use restante_tests::{Deployment, Part, Scene, uri};

async fn apart() -> Scene {
    Scene::start(Deployment::two_processes()).await
}

fn is_unavailable(response: &SipText) {
    assert_eq!(response.status(), Some(503), "{response}");
    assert!(
        response
            .field("Retry-After")
            .parse::<u32>()
            .is_ok_and(|seconds| seconds > 0),
        "{response}"
    );
}

#[tokio::test]
async fn ct_pfm_10_without_a_store_the_answer_is_503_and_nothing_is_stored_later() {
    let mut scene = apart().await;
    let bob = format!("bob-{}", fresh());
    scene.deposit_text(&bob, "before").await;
    scene.deployment.terminate(Part::Storage).await;
    let began = Instant::now();
    is_unavailable(&scene.call(&example::message(&bob)).await.response);
    assert!(
        began.elapsed() < Duration::from_secs(4),
        "{:?}",
        began.elapsed()
    );
    scene.deployment.launch(Part::Storage).await;
    scene.deployment.ready(Part::SipEdge).await;
    scene.deposit_text(&bob, "after").await;
    let stored = scene.operator.list(&uri(&bob)).await;
    assert_eq!(stored.len(), 2, "{stored:#?}");
}

#[tokio::test]
async fn ct_pfm_11_a_message_accepted_just_before_kill_9_is_there() {
    let mut scene = apart().await;
    let bob = format!("bob-{}", fresh());
    let exchange = scene.deposit(&example::message(&bob)).await;
    scene.deployment.kill(Part::Storage).await;
    scene.deployment.launch(Part::Storage).await;
    let stored = scene.operator.only(&uri(&bob)).await;
    assert_eq!(
        scene.operator.request_octets(&stored.message_id).await,
        exchange.request.octets()
    );
}

#[tokio::test]
async fn ct_dlv_34_a_registration_without_a_store_is_answered_and_pushed_later() {
    let mut scene = apart().await;
    let bob = format!("bob-{}", fresh());
    let id = scene.deposit_text(&bob, "hi").await.message_id;
    scene.deployment.terminate(Part::Storage).await;
    let began = Instant::now();
    scene.register(&bob).await;
    assert!(
        began.elapsed() < Duration::from_secs(3),
        "{:?}",
        began.elapsed()
    );
    scene.deployment.launch(Part::Storage).await;
    assert_eq!(scene.receive(&bob, 1).await, [id]);
}

#[tokio::test]
async fn ct_dlv_35_a_restarted_store_plans_the_push_again() {
    // A claim whose release is lost with the store lapses.
    let plan = Deployment::two_processes()
        .set("push.on_deposit", "50ms")
        .set("push.lease", "2s");
    let mut scene = Scene::start(plan).await;
    let bob = format!("bob-{}", fresh());
    scene.register(&bob).await;
    let id = scene.deposit_text(&bob, "hi").await.message_id;
    let invite = scene.core.request("INVITE", &uri(&bob)).await;
    scene
        .core
        .answer(&invite, "480 Temporarily Unavailable", &[], "")
        .await;
    let call_id = invite.text.field("Call-ID").to_owned();
    scene
        .core
        .expect("the ACK", |text| {
            text.method() == Some("ACK") && text.field("Call-ID") == call_id
        })
        .await;
    scene.deployment.kill(Part::Storage).await;
    scene.deployment.launch(Part::Storage).await;
    assert_eq!(scene.receive(&bob, 1).await, [id]);
}
