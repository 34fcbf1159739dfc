//! Requirements §5.9, §3.12: OPTIONS, what we call ourselves, and how an edge ends.

use std::time::Duration;

use proto::v1::LegState;
use restante_tests::msrp::Sender;
use restante_tests::sip::{RequestText, SipText, Transport, example, fresh};
use restante_tests::subscriber::Subscriber;
use restante_tests::{Deployment, Part, Scene, uri};

use crate::fan_out::{Controlling, entry, people};
use crate::retrieval::fetch;
use crate::settings::{delivery, publish};

fn options() -> RequestText {
    RequestText::new(&format!(
        "OPTIONS sip:{{edge}} SIP/2.0
        Via: {{hop}}
        Max-Forwards: 70
        From: <sip:dispatcher@example.org>;tag={}
        To: <sip:{{edge}}>
        Call-ID: {}@dispatcher.example.org
        CSeq: 1 OPTIONS
        Content-Length: 0",
        fresh(),
        fresh()
    ))
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
async fn ct_srv_01_options_tell_whether_the_edge_can_work() {
    let mut scene = Scene::start(Deployment::two_processes()).await;
    let response = scene.call(&options()).await.response;
    assert_eq!(response.status(), Some(200), "{response}");
    for name in ["Allow", "Accept", "Supported", "Allow-Events"] {
        assert!(response.find(name).is_some(), "{name} in {response}");
    }
    scene.deployment.terminate(Part::Storage).await;
    let not_ready = |status, _: &str| status == 503;
    scene
        .deployment
        .conditions_until(Part::SipEdge, not_ready)
        .await;
    is_unavailable(&scene.call(&options()).await.response);
    scene.deployment.launch(Part::Storage).await;
    scene.deployment.ready(Part::SipEdge).await;
    assert_eq!(scene.status(&options()).await, 200);
}

#[tokio::test]
async fn ct_srv_01_a_draining_edge_answers_503() {
    let mut scene = Scene::start(Deployment::two_processes()).await;
    let bob = format!("bob-{}", fresh());
    scene.deposit_text(&bob, "hi").await;
    scene.register(&bob).await;
    // A push in flight keeps the drain open.
    let mut session = scene.accept_push(&bob).await;
    let push = session.next().await;
    scene.deployment.process(Part::SipEdge).terminate();
    let draining = |status, _: &str| status == 503;
    scene
        .deployment
        .conditions_until(Part::SipEdge, draining)
        .await;
    let waiting = Subscriber::behind(&scene.core, &bob).request(3_600);
    let id = scene.operator.only(&uri(&bob)).await.message_id;
    let sender = Sender::new(&scene.core, &bob).await;
    for request in [
        options(),
        example::message(&bob),
        waiting,
        publish(&bob, &delivery("true")),
        fetch(&sender, &bob, &id, "active"),
    ] {
        is_unavailable(&scene.call(&request).await.response);
    }
    session.answer(push.last(), "200 OK").await;
    session.bye(&mut scene.core).await;
    assert_eq!(scene.deployment.ended(Part::SipEdge).await.code(), Some(0));
}

#[tokio::test]
async fn ct_srv_01_the_controlling_edge_answers_options() {
    let deployment = Deployment::three_processes().start().await;
    let mut peer = restante_tests::sip::SipPeer::open(
        deployment.net().host(restante_tests::LoopbackNet::CORE),
    )
    .await;
    for (transport, key) in [
        (Transport::Udp, "controlling-edge.listen_udp"),
        (Transport::Tcp, "controlling-edge.listen_tcp"),
    ] {
        let way = peer.way(transport, deployment.address(key)).await;
        let response = peer.call(&way, &options()).await.response;
        assert_eq!(response.status(), Some(200), "{response}");
    }
}

#[tokio::test]
async fn ct_srv_01_a_draining_controlling_edge_answers_503() {
    let mut cf = Controlling::of(Scene::start(Deployment::three_processes()).await).await;
    let [bob] = &people(1)[..] else {
        panic!("one");
    };
    let request = cf.to(&[entry(bob, "to")]);
    cf.accepted(&request).await;
    // A copy in flight keeps the drain open.
    let copy = cf.copy(bob).await;
    let deployment = &cf.scene.deployment;
    deployment.process(Part::ControllingEdge).terminate();
    let draining = |status, _: &str| status == 503;
    deployment
        .conditions_until(Part::ControllingEdge, draining)
        .await;
    is_unavailable(&cf.call(&options()).await.response);
    let request = cf.to(&[entry(bob, "to")]);
    is_unavailable(&cf.call(&request).await.response);
    cf.scene.core.answer(&copy, "200 OK", &[], "").await;
    let ended = cf.scene.deployment.ended(Part::ControllingEdge).await;
    assert_eq!(ended.code(), Some(0));
}

#[tokio::test]
async fn ct_srv_02_the_configured_release_is_in_every_message() {
    let plan = Deployment::all().set("sip.release", "IM-serv/OMA2.0");
    let mut scene = Scene::start(plan).await;
    let bob = format!("bob-{}", fresh());
    let name = format!("IM-serv/OMA2.0 Restante/{}", env!("CARGO_PKG_VERSION"));
    let answers = [
        scene.deposit(&example::message(&bob)).await.response,
        scene
            .call(&example::message(&bob).set("Expires", "0"))
            .await
            .response,
        scene.call(&options()).await.response,
        scene.register(&bob).await.response,
    ];
    for response in &answers {
        assert_eq!(response.field("Server"), name, "{response}");
    }
    let mut session = scene.accept_push(&bob).await;
    assert_eq!(session.invite.text.field("User-Agent"), name);
    session.take().await;
    let bye = session.bye(&mut scene.core).await.text;
    assert_eq!(bye.field("User-Agent"), name, "{bye}");
    assert_eq!(scene.operator.list(&uri(&bob)).await.len(), 1);
}

#[tokio::test]
async fn cfp_18_an_edge_ends_when_the_outcomes_of_its_last_copies_are_on_disk() {
    let scene = Scene::start(Deployment::three_processes()).await;
    let mut cf = Controlling::of(scene).await;
    let people = people(5);
    let entries: Vec<_> = people.iter().map(|user| entry(user, "bcc")).collect();
    let request = cf.to(&entries);
    cf.accepted(&request).await;
    let mut copies = Vec::new();
    for user in &people {
        copies.push(cf.copy(user).await);
    }
    let deployment = &mut cf.scene.deployment;
    deployment.process(Part::ControllingEdge).terminate();
    deployment.process(Part::Storage).freeze();
    for copy in &copies {
        cf.scene.core.answer(copy, "200 OK", &[], "").await;
    }
    // The edge has nothing left to do but to wait for the store.
    tokio::time::sleep(Duration::from_secs(1)).await;
    let deployment = &mut cf.scene.deployment;
    deployment.process(Part::Storage).thaw();
    deployment.ended(Part::ControllingEdge).await;
    let job = cf.scene.operator.jobs().await[0].job;
    let legs = cf.scene.operator.legs(job).await;
    let states: Vec<_> = legs.iter().map(|leg| leg.state()).collect();
    assert_eq!(states, [LegState::Delivered; 5]);
}
