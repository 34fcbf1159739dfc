//! Rows with two edges of one store.

use restante_tests::deployment::SecondEdge;
use restante_tests::sip::{Transport, Way, example, fresh};
use restante_tests::{Deployment, Scene, uri};

/// A deployment with a second edge, and the core's connection to that.
async fn two_edges() -> (Scene, SecondEdge, Way) {
    let scene = Scene::start(Deployment::two_processes()).await;
    let second = scene.deployment.second_edge().await;
    let way = scene.core.way(Transport::Tcp, second.tcp).await;
    (scene, second, way)
}

#[tokio::test]
async fn ct_dup_03_a_retry_through_another_edge_is_stored_once() {
    let (mut scene, _second, other) = two_edges().await;
    let bob = format!("bob-{}", fresh());
    let request = example::message(&bob);
    scene.deposit(&request).await;
    let retry = scene.core.call(&other, &request).await;
    assert_eq!(retry.response.status(), Some(202), "{}", retry.response);
    assert_eq!(scene.operator.list(&uri(&bob)).await.len(), 1);
}

#[tokio::test]
async fn ct_dlv_09_registers_at_two_edges_make_one_invite() {
    let (mut scene, _second, other) = two_edges().await;
    let bob = format!("bob-{}", fresh());
    let id = scene.deposit_text(&bob, "hi").await.message_id;
    let mut sent = Vec::new();
    for way in [&scene.way, &other, &scene.way, &other] {
        sent.push(scene.core.send(way, &example::register(&bob)).await);
    }
    for request in &sent {
        assert_eq!(scene.core.response_to(request).await.status(), Some(200));
    }
    assert_eq!(scene.receive(&bob, 1).await, [id]);
    scene.fence().await;
    assert_eq!(scene.unanswered_invites(&bob), 0);
}

#[tokio::test]
async fn ct_dlv_30_a_push_that_comes_back_to_another_edge_is_a_loop() {
    let (mut scene, _second, other) = two_edges().await;
    let bob = format!("bob-{}", fresh());
    scene.deposit_text(&bob, "hi").await;
    scene.register(&bob).await;
    let invite = scene.core.request("INVITE", &uri(&bob)).await;
    let back = example::returned(&invite.text);
    for way in [scene.way.clone(), other] {
        let exchange = scene.core.call(&way, &back).await;
        assert_eq!(
            exchange.response.status(),
            Some(482),
            "{}",
            exchange.response
        );
    }
    assert_eq!(scene.operator.list(&uri(&bob)).await.len(), 1);
}

#[tokio::test]
async fn ct_sto_02_ids_differ_over_two_edges() {
    let (mut scene, _second, other) = two_edges().await;
    let mut sent = Vec::new();
    for _ in 0..50 {
        for way in [&scene.way, &other] {
            sent.push(scene.core.send(way, &example::message("bob")).await);
        }
    }
    for request in &sent {
        assert_eq!(scene.core.response_to(request).await.status(), Some(202));
    }
    let stored = scene.operator.list(&uri("bob")).await;
    let ids: std::collections::BTreeSet<&str> = stored
        .iter()
        .map(|message| message.message_id.as_str())
        .collect();
    assert_eq!((stored.len(), ids.len()), (100, 100));
}
