//! Rows in which the store is away.

use std::time::{Duration, Instant};

use restante_tests::patience::{ANSWER, within};
use restante_tests::shim::Shim;
use restante_tests::sip::{RequestText, SipPeer, SipText, Transport, Way, example, fresh};
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
async fn ct_dlv_34_a_registration_that_waits_for_the_store_survives_the_drain_of_its_edge() {
    let mut scene = apart().await;
    let bob = format!("bob-{}", fresh());
    let id = scene.deposit_text(&bob, "hi").await.message_id;
    scene.deployment.terminate(Part::Storage).await;
    scene.register(&bob).await;
    scene.deployment.process(Part::SipEdge).terminate();
    let draining = |_, conditions: &str| conditions.contains("draining");
    scene
        .deployment
        .conditions_until(Part::SipEdge, draining)
        .await;
    scene.deployment.launch(Part::Storage).await;
    assert_eq!(scene.deployment.ended(Part::SipEdge).await.code(), Some(0));
    scene.deployment.launch(Part::SipEdge).await;
    assert_eq!(scene.receive(&bob, 1).await, [id]);
}

#[tokio::test]
async fn ct_dlv_35_a_restarted_store_plans_the_push_again() {
    // A claim whose release is lost with the store lapses; one that comes after all counts as a try.
    let plan = Deployment::two_processes()
        .set("push.on_deposit", "50ms")
        .set("push.lease", "2s")
        .set("push.backoff", "100ms,100ms,100ms");
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

/// What a series of an edge has counted.
async fn counted(scene: &Scene, series: &str) -> usize {
    let (_, metrics) = scene.deployment.fetch(Part::SipEdge, "/metrics").await;
    let lines = metrics.lines().filter(|line| !line.starts_with('#'));
    let value = |line: &str| line.strip_prefix(series)?.trim().parse::<usize>().ok();
    lines.filter_map(value).sum()
}

#[tokio::test]
async fn ct_pfm_29_what_a_silent_connection_delivers_late_is_not_stored() {
    let mut scene = apart().await;
    let bob = format!("bob-{}", fresh());
    scene.deposit_text(&bob, "before").await;
    scene.deployment.process(Part::Storage).freeze();
    let silent = Instant::now();
    let mut sent = Vec::new();
    for _ in 0..100 {
        sent.push(scene.core.send(&scene.way, &example::message(&bob)).await);
    }
    for request in &sent {
        is_unavailable(&scene.core.response_to(request).await);
    }
    let took = silent.elapsed();
    assert!(took < Duration::from_secs(4), "{took:?}");
    tokio::time::sleep(Duration::from_secs(6).saturating_sub(took)).await;
    scene.deployment.process(Part::Storage).thaw();
    scene.deployment.ready(Part::SipEdge).await;
    // What the store had still to read comes before what is sent now.
    scene.deposit_text(&bob, "after").await;
    let stored = scene.operator.list(&uri(&bob)).await.len();
    let late = counted(&scene, "restante_late_commits_total").await;
    assert!(stored <= 2 + late, "{stored} stored, {late} late");
}

/// OPTIONS as a dispatcher sends it.
fn options() -> RequestText {
    RequestText::new(&format!(
        "OPTIONS sip:{{edge}} SIP/2.0
        Via: {{hop}}
        Max-Forwards: 70
        From: <sip:dispatcher@example.org>;tag={}
        To: <sip:{{edge}}>
        Call-ID: {}@example.org
        CSeq: 1 OPTIONS
        Content-Length: 0",
        fresh(),
        fresh()
    ))
}

/// Asks an edge for its health until it answers with this status.
async fn health(core: &mut SipPeer, way: &Way, status: u16) -> SipText {
    let asked = async {
        loop {
            let response = core.call(way, &options()).await.response;
            if response.status() == Some(status) {
                return response;
            }
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
    };
    within(ANSWER, &format!("OPTIONS to be answered {status}"), asked).await
}

#[tokio::test]
async fn srv_02_every_edge_knows_of_a_latched_store_and_of_its_recovery() {
    let shim = Shim::new();
    let mut scene = Scene::start(shim.under(Deployment::two_processes())).await;
    let second = scene.deployment.second_edge().await;
    let other = scene.core.way(Transport::Tcp, second.tcp).await;
    health(&mut scene.core, &other, 200).await;
    shim.fail();
    is_unavailable(&scene.call(&example::message("bob")).await.response);
    // It has had no deposit.
    is_unavailable(&health(&mut scene.core, &other, 503).await);
    let refused = scene.core.call(&other, &example::message("bob")).await;
    is_unavailable(&refused.response);
    shim.mend();
    scene.deployment.kill(Part::Storage).await;
    scene.deployment.launch(Part::Storage).await;
    for way in [scene.way.clone(), other] {
        health(&mut scene.core, &way, 200).await;
        let accepted = scene.core.call(&way, &example::message("bob")).await;
        assert_eq!(accepted.response.status(), Some(202));
    }
}

#[tokio::test]
async fn srv_02_a_disk_above_its_mark_turns_dispatchers_away_while_it_is() {
    let mut scene = Scene::start(Deployment::three_processes()).await;
    let bob = format!("bob-{}", fresh());
    scene.deposit_text(&bob, "before").await;
    let address = scene.deployment.address("controlling-edge.listen_tcp");
    let controlling = scene.core.way(Transport::Tcp, address).await;
    scene.deployment.terminate(Part::Storage).await;
    scene.deployment.set("limits.disk_reserve", "1000000GiB");
    scene.deployment.spawn(Part::Storage).await;
    let is_told = |status, conditions: &str| status == 503 && conditions.contains("high-water");
    for edge in [Part::SipEdge, Part::ControllingEdge] {
        scene.deployment.conditions_until(edge, is_told).await;
    }
    for way in [scene.way.clone(), controlling.clone()] {
        is_unavailable(&health(&mut scene.core, &way, 503).await);
    }
    is_unavailable(&scene.call(&example::message(&bob)).await.response);
    // What is stored still goes out.
    scene.register(&bob).await;
    scene.receive(&bob, 1).await;
    scene.deployment.terminate(Part::Storage).await;
    scene.deployment.set("limits.disk_reserve", "1MiB");
    scene.deployment.launch(Part::Storage).await;
    for way in [scene.way.clone(), controlling] {
        health(&mut scene.core, &way, 200).await;
    }
    scene.deposit_text(&bob, "after").await;
}
