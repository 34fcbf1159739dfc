//! Kill -9 of each process: nothing that was promised is lost (P2), no Message-ID is used twice (P6).

use std::collections::{BTreeMap, BTreeSet};

use proto::v1::MessageState;
use restante_tests::deployment::Plan;
use restante_tests::load::{Load, by_call_id, lost, under_load};
use restante_tests::rounds::rounds;
use restante_tests::sip::{Transport, fresh};
use restante_tests::{Deployment, LoopbackNet, Part, Scene};

/// Kills of the store, usually.
const ROUNDS: usize = 20;
/// Ends of a part, usually.
const ENDS: usize = 4;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn kill_9_of_storage_right_after_a_202_loses_nothing() {
    let mut deployment = under_load(Deployment::two_processes()).start().await;
    let host = deployment.net().host(LoopbackNet::CORE);
    let load = Load::start(host, deployment.edge(Transport::Tcp), 4);
    let mut ids = BTreeMap::new();
    for round in 0..rounds(ROUNDS) {
        load.more(1 + round * 7 % 40).await;
        deployment.kill(Part::Storage).await;
        let promised = load.promised();
        deployment.launch(Part::Storage).await;
        let stored = deployment.operator().list("").await;
        assert_eq!(lost(&promised, &stored), [""; 0], "round {round}");
        ids = ids_stay(&ids, by_call_id(&stored));
    }
    let operator = deployment.operator();
    for (call_id, octets) in load.promised().iter().step_by(50) {
        if let Some(id) = ids.get(call_id) {
            assert_eq!(operator.request_octets(id).await, *octets);
        }
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn kill_9_of_the_edge_under_load_loses_nothing() {
    ends_without_loss(Deployment::two_processes(), Part::SipEdge, End::Kill).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn kill_9_of_everything_under_load_loses_nothing() {
    ends_without_loss(Deployment::all(), Part::All, End::Kill).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn ct_rob_04_sigterm_under_load_loses_nothing() {
    ends_without_loss(Deployment::all(), Part::All, End::Terminate).await;
    ends_without_loss(Deployment::two_processes(), Part::SipEdge, End::Terminate).await;
    ends_without_loss(Deployment::two_processes(), Part::Storage, End::Terminate).await;
}

#[derive(Clone, Copy)]
enum End {
    Kill,
    Terminate,
}

/// Ends a part under load a few times; whatever was promised until then is there afterwards.
async fn ends_without_loss(plan: Plan, part: Part, end: End) {
    let mut deployment = under_load(plan).start().await;
    let host = deployment.net().host(LoopbackNet::CORE);
    for round in 0..rounds(ENDS) {
        deployment.ready(Part::SipEdge).await;
        let load = Load::start(host, deployment.edge(Transport::Tcp), 4);
        load.more(10 + round * 13 % 50).await;
        match end {
            End::Kill => deployment.kill(part).await,
            End::Terminate => {
                assert_eq!(deployment.terminate(part).await.code(), Some(0), "{part:?}");
            }
        }
        let promised = load.promised();
        deployment.launch(part).await;
        let stored = deployment.operator().list("").await;
        assert_eq!(lost(&promised, &stored), [""; 0], "{part:?}, round {round}");
    }
}

/// What was stored before has its Message-ID still, and all differ.
fn ids_stay(
    before: &BTreeMap<String, String>,
    now: BTreeMap<String, String>,
) -> BTreeMap<String, String> {
    for (call_id, id) in before {
        assert_eq!(now.get(call_id), Some(id));
    }
    let distinct: BTreeSet<&String> = now.values().collect();
    assert_eq!(distinct.len(), now.len());
    now
}

#[tokio::test]
async fn ct_dlv_25_kill_9_of_the_edge_in_mid_push_repeats_what_was_not_acknowledged() {
    let plan = Deployment::two_processes().set("push.lease", "2s");
    let mut scene = Scene::start(plan).await;
    let bob = format!("bob-{}", fresh());
    let mut ids = Vec::new();
    for text in ["one", "two", "three"] {
        ids.push(scene.deposit_text(&bob, text).await.message_id);
    }
    scene.register(&bob).await;
    let mut session = scene.accept_push(&bob).await;
    let first = session.next().await;
    assert_eq!(first.message_id(), ids[0]);
    scene.deployment.kill(Part::SipEdge).await;
    scene.deployment.launch(Part::SipEdge).await;
    scene.reconnect().await;
    scene.register(&bob).await;
    assert_eq!(scene.receive(&bob, 3).await, ids);
    assert_eq!(scene.states(&bob).await, [MessageState::Delivered; 3]);
}
