//! Requirements §5.4: what arrives while a push comes to its end.

use std::time::Duration;

use restante_tests::clients::Clients;
use restante_tests::sip::{SipPeer, Transport, example};
use restante_tests::{Deployment, LoopbackNet, Scene, somebody, uri};

/// Messages, each deposited a little later after the acknowledgement of the one before.
const MESSAGES: u32 = 40;

/// From one to the next: they pass the last look, the release and the BYE.
const STEP: Duration = Duration::from_micros(500);

#[tokio::test]
async fn ct_dlv_33_a_deposit_between_the_last_look_and_the_bye_is_delivered() {
    let plan = Deployment::all().set("push.on_deposit", "10ms");
    let mut scene = Scene::start(plan).await;
    let bob = somebody();
    scene.register(&bob).await;
    let Scene {
        deployment,
        core,
        operator,
        ..
    } = scene;
    let clients = Clients::behind(core);
    let mut sender = SipPeer::open(deployment.net().host(LoopbackNet::CORE)).await;
    let edge = deployment.edge(Transport::Tcp);
    let way = sender.way(Transport::Tcp, edge).await;
    for number in 0..MESSAGES {
        let deposit = sender.call(&way, &example::message(&bob)).await;
        assert_eq!(deposit.response.status(), Some(202));
        clients.more_than(number as usize).await;
        tokio::time::sleep(STEP * number).await;
    }
    let received = clients.seen().receipts;
    let received: Vec<String> = received.into_iter().map(|r| r.message_id).collect();
    let stored = operator.list(&uri(&bob)).await;
    let ids: Vec<String> = stored.into_iter().map(|m| m.message_id).collect();
    assert_eq!(received, ids, "each once, in their order");
}
