//! A disk whose syncs do not return, take long or fail, or that is full: nothing is promised that is not kept (P1, P2).

use std::time::{Duration, Instant};

use restante_tests::load::{Load, lost};
use restante_tests::msrp::{Sender, Upload};
use restante_tests::patience::{START, within};
use restante_tests::run::run;
use restante_tests::shim::Shim;
use restante_tests::sip::{SipPeer, SipText, Transport, example, fresh};
use restante_tests::{Deployment, LoopbackNet, Part, Scene, uri};

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

/// A session of a large message to this user.
async fn open(scene: &mut Scene, user: &str) -> Upload {
    let sender = Sender::new(&scene.core, user).await;
    let way = scene.way.clone();
    sender.open(&mut scene.core, &way, "a=sendonly\r\n").await
}

/// So much of a body is staged, and flushed before its message is.
const STAGED_OCTETS: usize = 400_000;

#[tokio::test]
async fn a_flush_that_fails_gives_no_final_200_and_no_message() {
    let shim = Shim::new();
    let mut scene = scene(&shim).await;
    let (bob, carol) = (format!("bob-{}", fresh()), format!("carol-{}", fresh()));
    let mut upload = open(&mut scene, &bob).await;
    let (body, half) = (vec![b'x'; STAGED_OCTETS], STAGED_OCTETS / 2);
    let range = |from: usize, to: usize| format!("{from}-{to}/{STAGED_OCTETS}");
    upload
        .send("half0001", &range(1, half), &body[..half], '+')
        .await;
    assert_eq!(upload.msrp().response().await.1, 200);
    shim.fail();
    let rest = range(half + 1, STAGED_OCTETS);
    upload.send("half0002", &rest, &body[half..], '$').await;
    let bye = upload.bye_of_edge(&mut scene.core).await;
    assert_eq!(bye.field("Reason"), "SIP;cause=503");
    upload.until_gone(&scene.core).await;
    let answers = upload.answers_to_the_end().await;
    assert_eq!(answers, [], "the last SEND is not answered at all");
    let not_ready =
        |status, conditions: &str| status == 503 && conditions.contains("store: not ready");
    let storage = &scene.deployment;
    storage.conditions_until(Part::Storage, not_ready).await;
    shim.mend();
    assert!(scene.operator.list(&uri(&bob)).await.is_empty());
    is_unavailable(&scene.call(&example::message(&bob)).await.response);
    scene.deployment.kill(Part::Storage).await;
    scene.deployment.launch(Part::Storage).await;
    scene.deployment.ready(Part::SipEdge).await;
    assert!(scene.operator.list(&uri(&bob)).await.is_empty());
    let mut upload = open(&mut scene, &carol).await;
    upload.send_whole(&body).await;
    let stored = scene.operator.only(&uri(&carol)).await;
    assert_eq!(stored.body_octets, STAGED_OCTETS as u64);
}

/// Nothing more comes from the sender: the store tells of its failure by itself.
#[tokio::test]
async fn a_store_that_fails_ends_the_session_of_a_silent_sender_at_once() {
    let shim = Shim::new();
    let mut scene = scene(&shim).await;
    let (bob, carol) = (format!("bob-{}", fresh()), format!("carol-{}", fresh()));
    let mut silent = open(&mut scene, &bob).await;
    let mut unconnected = open(&mut scene, &bob).await;
    silent.send("part0001", "1-5/10", b"Hello", '+').await;
    assert_eq!(silent.msrp().response().await.1, 200);
    shim.fail();
    is_unavailable(&scene.call(&example::message(&carol)).await.response);
    for upload in [&mut silent, &mut unconnected] {
        let bye = upload.bye_of_edge(&mut scene.core).await;
        assert_eq!(bye.field("Reason"), "SIP;cause=503");
    }
    let answers = silent.answers_to_the_end().await;
    assert_eq!(answers, [], "nothing is promised");
}

/// A sync that takes longer than a sender is kept waiting for.
const SLOW: Duration = Duration::from_secs(20);

/// Whoever waited for a slow disk is answered in time, and what he was answered 503 is not stored later (PFM-05). The one
/// exception is documented: what was in the group that was being synced when its time ran out.
#[tokio::test]
async fn what_a_slow_disk_had_refused_is_not_stored_later() {
    let shim = Shim::new();
    let mut scene = scene(&shim).await;
    let bob = format!("bob-{}", fresh());
    scene.deposit_text(&bob, "before").await;
    shim.slow_down(SLOW);
    let first = scene.core.send(&scene.way, &example::message(&bob)).await;
    is_unavailable(&scene.core.response_to(&first).await);
    // The disk is still at it: these come to stand behind.
    let began = Instant::now();
    let mut sent = Vec::new();
    for _ in 0..20 {
        sent.push(scene.core.send(&scene.way, &example::message(&bob)).await);
    }
    for request in &sent {
        is_unavailable(&scene.core.response_to(request).await);
    }
    assert!(began.elapsed() < HARD_LIMIT, "{:?}", began.elapsed());
    shim.mend();
    // Nothing was restarted: the store goes on as soon as the disk does.
    scene.deployment.ready(Part::SipEdge).await;
    let mut exchange = scene.call(&example::message(&bob)).await;
    while exchange.response.status() == Some(503) {
        exchange = scene.call(&example::message(&bob)).await;
    }
    assert_eq!(
        exchange.response.status(),
        Some(202),
        "{}",
        exchange.response
    );
    let stored = scene.operator.list(&uri(&bob)).await;
    let stored: Vec<_> = stored
        .into_iter()
        .filter_map(|message| message.headers.map(|headers| headers.call_id))
        .collect();
    for request in &sent {
        let call_id = request.field("Call-ID");
        assert!(
            !stored.iter().any(|id| id == call_id),
            "{call_id} was stored later"
        );
    }
}

/// The disk fills up below RocksDB in the middle of load: no 202 from then on, and after the restart with room again all
/// that was promised is there, though the power failed in between.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_disk_that_fills_up_under_load_loses_nothing() {
    let shim = Shim::new();
    let plan = shim.under(Deployment::two_processes());
    let mut deployment = plan.set("trust.peers", "127.0.0.0/8+udp").start().await;
    let host = deployment.net().host(LoopbackNet::CORE);
    let edge = deployment.edge(Transport::Tcp);
    let mut core = SipPeer::open(host).await;
    let way = core.way(Transport::Tcp, edge).await;
    let mut load = Load::start(host, edge, 4);
    for round in 0..3 {
        load.more(20 + round * 7).await;
        shim.fill();
        let is_told =
            |status, conditions: &str| status == 503 && conditions.contains("store: not ready");
        let told = deployment.conditions_until(Part::Storage, is_told);
        within(START, "the store to tell of a full disk", told).await;
        let refused = core.call(&way, &example::message("carol")).await;
        is_unavailable(&refused.response);
        deployment.kill(Part::Storage).await;
        // A 202 from a disk that is full is among them, and would be lost.
        let promised = load.promised();
        shim.cut_power();
        shim.mend();
        deployment.launch(Part::Storage).await;
        let stored = deployment.operator().list("").await;
        assert_eq!(lost(&promised, &stored), [""; 0], "round {round}");
    }
    load.more(10).await;
    load.end().await;
}

/// A process that cannot write does not pretend to have started, and does no harm.
#[tokio::test]
async fn a_store_without_room_says_so_when_it_is_opened_and_loses_nothing() {
    let shim = Shim::new();
    let mut scene = scene(&shim).await;
    let bob = format!("bob-{}", fresh());
    let accepted = scene.deposit_text(&bob, "before").await;
    scene.deployment.kill(Part::Storage).await;
    shim.fill();
    let ended = run(scene.deployment.command(Part::Storage)).await;
    let said = format!("{}{}", ended.output, ended.errors);
    assert_eq!(ended.code, Some(74), "{said}");
    assert!(
        said.contains("No space left on device"),
        "no reason: {said}"
    );
    shim.mend();
    scene.deployment.launch(Part::Storage).await;
    let call_id = accepted.headers.expect("always set").call_id;
    let found = scene.find(&bob, &call_id).await;
    assert_eq!(found.message_id, accepted.message_id);
}
