//! A disk whose syncs do not return, or fail: nothing is promised any more (P1, P2).

use std::time::{Duration, Instant};

use restante_tests::shim::Shim;
use restante_tests::sip::{SipText, example, fresh};
use restante_tests::{Deployment, Part, Scene};

/// Within what a sender must have his answer (requirements §3.1).
const HARD_LIMIT: Duration = Duration::from_secs(4);

async fn scene(shim: &Shim) -> Scene {
    Scene::start(shim.under(Deployment::two_processes())).await
}

/// 503 with Retry-After: the node as a whole cannot (ERR-21).
fn is_unavailable(response: &SipText) {
    assert_eq!(response.status(), Some(503), "{response}");
    let seconds = response.field("Retry-After").parse::<u32>();
    assert!(seconds.is_ok_and(|seconds| seconds > 0), "{response}");
}

#[tokio::test]
async fn a_sync_that_never_returns_answers_no_2xx() {
    let shim = Shim::new();
    let mut scene = scene(&shim).await;
    let bob = format!("bob-{}", fresh());
    let accepted = scene.deposit_text(&bob, "before").await;
    shim.hang();
    let began = Instant::now();
    let mut sent = Vec::new();
    for _ in 0..20 {
        sent.push(scene.core.send(&scene.way, &example::message(&bob)).await);
    }
    // One message by two ways: no copy is promised for the sake of the other (CT-DUP-11).
    let (request, udp) = (example::message(&bob), scene.udp().await);
    let copies = [
        scene.core.send(&scene.way, &request).await,
        scene.core.send(&udp, &request).await,
    ];
    for request in &sent {
        is_unavailable(&scene.core.response_to(request).await);
    }
    for copy in &copies {
        let response = scene.core.response_to(copy).await;
        assert!(
            response.status().is_some_and(|status| status >= 400),
            "{response}"
        );
    }
    assert!(began.elapsed() < HARD_LIMIT, "{:?}", began.elapsed());
    scene.deployment.kill(Part::Storage).await;
    shim.mend();
    scene.deployment.launch(Part::Storage).await;
    let again = scene
        .find(&bob, &accepted.headers.expect("always set").call_id)
        .await;
    assert_eq!(again.message_id, accepted.message_id);
}

#[tokio::test]
async fn a_sync_that_fails_latches_the_store_until_it_is_opened_again() {
    let shim = Shim::new();
    let mut scene = scene(&shim).await;
    let bob = format!("bob-{}", fresh());
    let accepted = scene.deposit_text(&bob, "before").await;
    shim.fail();
    is_unavailable(&scene.call(&example::message(&bob)).await.response);
    let not_ready =
        |status, conditions: &str| status == 503 && conditions.contains("store: not ready");
    let conditions = scene
        .deployment
        .conditions_until(Part::Storage, not_ready)
        .await;
    assert!(
        conditions.contains("sync") || conditions.contains("disk"),
        "no reason: {conditions}"
    );
    // A disk that works again proves nothing about what it lost.
    shim.mend();
    is_unavailable(&scene.call(&example::message(&bob)).await.response);
    scene.deployment.kill(Part::Storage).await;
    scene.deployment.launch(Part::Storage).await;
    scene.deployment.ready(Part::SipEdge).await;
    let call_id = accepted.headers.expect("always set").call_id;
    assert_eq!(
        scene.find(&bob, &call_id).await.message_id,
        accepted.message_id
    );
    scene.deposit_text(&bob, "after").await;
}
