//! Requirements §5.2: a MESSAGE whose user is online goes on to his client (PFM-01).

use std::time::{Duration, Instant};

use proto::v1::{EventKind, Message, MessageState};
use restante_tests::deployment::Plan;
use restante_tests::patience::{ANSWER, within};
use restante_tests::sip::{Arrival, RequestText, SipPeer, SipText, Transport, Way, example, fresh};
use restante_tests::{Deployment, LoopbackNet, Part, Scene, uri};

fn somebody() -> String {
    format!("bob-{}", fresh())
}

fn forwarding() -> Plan {
    Deployment::two_processes().set("pf.forward_online", "true")
}

/// The example message to a user of whom the core says that he is registered.
fn message(user: &str) -> RequestText {
    let served = format!("<{}>;sescase=term;regstate=reg", uri(user));
    example::message(user).set("P-Served-User", &served)
}

/// A message to a user who has registered, and as it comes to his client.
async fn forwarded(scene: &mut Scene, user: &str) -> (SipText, Arrival) {
    scene.register(user).await;
    let sent = scene.core.send(&scene.way, &message(user)).await;
    let arrival = scene.core.request("MESSAGE", &uri(user)).await;
    (sent, arrival)
}

async fn answer(scene: &mut Scene, sent: &SipText, arrival: &Arrival, status: &str) -> SipText {
    scene.core.answer(arrival, status, &[], "").await;
    scene.core.response_to(sent).await
}

/// Waits until the one message of a user is in this state.
async fn settled(scene: &Scene, user: &str, state: MessageState) -> Message {
    let settled = async {
        loop {
            let message = scene.operator.only(&uri(user)).await;
            if message.state() == state {
                return message;
            }
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    };
    within(ANSWER, "the end of a message", settled).await
}

async fn kinds(scene: &Scene, message: &Message) -> Vec<EventKind> {
    let reply = scene.operator.message(&message.message_id).await;
    let timeline = reply.expect("a message").timeline;
    timeline.iter().map(|event| event.kind()).collect()
}

/// The lines of a request but for those that a proxy changes.
fn end_to_end(request: &SipText) -> Vec<String> {
    let text = String::from_utf8_lossy(request.octets()).into_owned();
    let (head, _) = text.split_once("\r\n\r\n").expect("an empty line");
    let changed = ["via", "route", "max-forwards"];
    let is_kept = |line: &&str| {
        let name = line.split(':').next().unwrap_or_default();
        !changed.contains(&&*name.to_ascii_lowercase())
    };
    let lines = head.split("\r\n").skip(1).filter(is_kept);
    lines.map(str::to_owned).collect()
}

#[tokio::test]
async fn ct_pfm_25_a_client_that_answers_200_has_its_answer_relayed() {
    let mut scene = Scene::start(forwarding()).await;
    let bob = somebody();
    let (sent, arrival) = forwarded(&mut scene, &bob).await;
    let came = &arrival.text;
    assert_eq!(came.body(), sent.body());
    assert_eq!(end_to_end(came), end_to_end(&sent));
    assert_eq!(came.field("Max-Forwards"), "67");
    assert_eq!(came.find("Record-Route"), None);
    let vias = came.all("Via");
    assert_eq!(vias[1..], sent.all("Via"));
    let branch = came.branch().expect("a branch");
    assert!(branch.starts_with("z9hG4bK-rst-"), "{branch}");

    let response = answer(&mut scene, &sent, &arrival, "200 OK").await;
    assert_eq!(response.status(), Some(200), "{response}");
    assert_eq!(response.all("Via"), sent.all("Via"));
    assert_eq!(response.tag("To"), Some(&*client_tag(came)));
    let message = settled(&scene, &bob, MessageState::Delivered).await;
    let kinds = kinds(&scene, &message).await;
    let expected = [
        EventKind::Deposited,
        EventKind::Claimed,
        EventKind::Delivered,
    ];
    assert_eq!(kinds, expected);
    let mailbox = scene.operator.mailbox(&uri(&bob)).await.expect("one");
    assert_eq!(mailbox.octets, 0);
}

/// The tag that the client of these tests gives.
fn client_tag(request: &SipText) -> String {
    let letters = request.field("Call-ID").chars();
    let letters = letters.filter(char::is_ascii_alphanumeric).take(20);
    format!("t{}", letters.collect::<String>())
}

#[tokio::test]
async fn ct_pfm_25_a_client_that_answers_480_leaves_the_message_to_a_push() {
    let plan = forwarding()
        .set("push.on_deposit", "1s")
        .set("push.backoff", "100ms")
        .set("push.lease", "1s");
    let mut scene = Scene::start(plan).await;
    let bob = somebody();
    let (sent, arrival) = forwarded(&mut scene, &bob).await;
    // The push that the deposit has planned does not come while the client has the message.
    tokio::time::sleep(Duration::from_millis(1_500)).await;
    assert_eq!(scene.unanswered_invites(&bob), 0);
    let response = answer(&mut scene, &sent, &arrival, "480 Temporarily Unavailable").await;
    assert_eq!(response.status(), Some(202), "{response}");
    assert!(response.field("Server").starts_with("IM-serv/"));
    let stored = scene.operator.only(&uri(&bob)).await;
    assert_eq!(scene.receive(&bob, 1).await, [&*stored.message_id]);
}

#[tokio::test]
async fn ct_pfm_25_a_client_that_answers_late_has_settled_the_message() {
    let mut scene = Scene::start(forwarding()).await;
    let bob = somebody();
    scene.register(&bob).await;
    let began = Instant::now();
    let sent = scene.core.send(&scene.way, &message(&bob)).await;
    let arrival = scene.core.request("MESSAGE", &uri(&bob)).await;
    let response = scene.core.response_to(&sent).await;
    assert_eq!(response.status(), Some(202), "{response}");
    let took = began.elapsed();
    let expected = Duration::from_secs(2)..Duration::from_secs(4);
    assert!(expected.contains(&took), "{took:?}");
    let state = scene.operator.only(&uri(&bob)).await.state();
    assert_eq!(state, MessageState::Claimed);
    scene.core.answer(&arrival, "200 OK", &[], "").await;
    settled(&scene, &bob, MessageState::Delivered).await;
}

#[tokio::test]
async fn ct_pfm_26_a_client_that_declines_has_its_answer_relayed() {
    let mut scene = Scene::start(forwarding()).await;
    let bob = somebody();
    let (sent, arrival) = forwarded(&mut scene, &bob).await;
    let response = answer(&mut scene, &sent, &arrival, "603 Decline").await;
    assert_eq!(response.status(), Some(603), "{response}");
    let message = settled(&scene, &bob, MessageState::Refused).await;
    let kinds = kinds(&scene, &message).await;
    let expected = [EventKind::Deposited, EventKind::Claimed, EventKind::Refused];
    assert_eq!(kinds, expected);
}

#[tokio::test]
async fn ct_pfm_28_a_message_whose_edge_is_killed_while_its_client_has_it_is_stored() {
    let mut scene = Scene::start(forwarding().set("push.lease", "1s")).await;
    let bob = somebody();
    forwarded(&mut scene, &bob).await;
    scene.deployment.kill(Part::SipEdge).await;
    scene.deployment.launch(Part::SipEdge).await;
    scene.reconnect().await;
    let message = settled(&scene, &bob, MessageState::Stored).await;
    scene.register(&bob).await;
    assert_eq!(scene.receive(&bob, 1).await, [message.message_id]);
}

#[tokio::test]
async fn pfm_01_a_forwarded_message_that_comes_back_is_a_loop() {
    let mut scene = Scene::start(forwarding()).await;
    let bob = somebody();
    let (sent, arrival) = forwarded(&mut scene, &bob).await;
    let back = example::returned(&arrival.text);
    assert_eq!(scene.status(&back).await, 482);
    let response = answer(&mut scene, &sent, &arrival, "482 Loop Detected").await;
    assert_eq!(response.status(), Some(202), "{response}");
    settled(&scene, &bob, MessageState::Stored).await;
}

#[tokio::test]
async fn pfm_01_it_is_the_oldest_message_that_is_forwarded_or_none() {
    let mut scene = Scene::start(forwarding()).await;
    let bob = somebody();
    let first = scene.deposit_text(&bob, "one").await.message_id;
    // No push begins: the client that registers last takes none.
    scene.register(&bob).await;
    let invite = scene.core.request("INVITE", &uri(&bob)).await;
    scene.core.answer(&invite, "486 Busy Here", &[], "").await;
    scene.fence().await;
    scene.deposit(&message(&bob)).await;
    let start_line = format!("MESSAGE {} SIP/2.0", uri(&bob));
    let to_bob = |text: &SipText| text.start_line() == start_line;
    assert_eq!(scene.core.count(to_bob), 0);
    scene.register(&bob).await;
    let ids = scene.receive(&bob, 2).await;
    assert_eq!(ids[0], first);
}

#[tokio::test]
async fn pfm_01_nothing_is_forwarded_to_who_is_offline_or_where_it_is_off() {
    let mut scene = Scene::start(forwarding()).await;
    let bob = somebody();
    // Nobody is registered; the core knows better than our table; no hop is left.
    scene.deposit(&message(&bob)).await;
    let bob = somebody();
    scene.register(&bob).await;
    scene.deposit(&example::message(&bob)).await;
    let carol = somebody();
    scene.register(&carol).await;
    scene
        .deposit(&message(&carol).set("Max-Forwards", "0"))
        .await;
    let is_message = |text: &SipText| text.method() == Some("MESSAGE");
    assert_eq!(scene.core.count(is_message), 0);

    let mut scene = Scene::start(Deployment::two_processes()).await;
    let bob = somebody();
    scene.register(&bob).await;
    scene.deposit(&message(&bob)).await;
    assert_eq!(scene.core.count(is_message), 0);
}

/// A client that is its own core: it registers with the edge, and speaks for Alice.
async fn directly() -> (Deployment, SipPeer, Way) {
    let plan = Deployment::all();
    let client = SipPeer::open(plan.net().host(LoopbackNet::CORE)).await;
    let deployment = plan.start().await;
    let way = client.way(Transport::Tcp, deployment.edge(Transport::Tcp));
    let way = way.await;
    (deployment, client, way)
}

fn direct_register(user: &str) -> RequestText {
    RequestText::new(&format!(
        "REGISTER sip:example.org SIP/2.0
        Via: {{hop}}
        Max-Forwards: 70
        From: <sip:{user}@example.org>;tag=r1
        To: <sip:{user}@example.org>
        Call-ID: reg-{user}
        CSeq: 1 REGISTER
        Contact: <sip:{user}@203.0.113.9:5060;transport=tcp>;+g.oma.sip-im;expires=3600
        Content-Length: 0"
    ))
}

#[tokio::test]
async fn pfm_01_a_client_of_a_laptop_gets_its_message_at_once_and_not_what_the_core_tells() {
    let (deployment, mut client, way) = directly().await;
    let bob = somebody();
    let registered = client.call(&way, &direct_register(&bob)).await.response;
    assert_eq!(registered.status(), Some(200), "{registered}");
    let sent = client.send(&way, &message(&bob)).await;
    let contact = format!("sip:{bob}@203.0.113.9:5060;transport=tcp");
    let arrival = client.request("MESSAGE", &contact).await;
    assert_eq!(arrival.text.body(), sent.body());
    for absent in ["P-Asserted-Identity", "P-Served-User", "Route"] {
        assert_eq!(arrival.text.find(absent), None, "{}", arrival.text);
    }
    client.answer(&arrival, "200 OK", &[], "").await;
    assert_eq!(client.response_to(&sent).await.status(), Some(200));

    // What would name who wants privacy is left out by a push alone.
    let private = message(&bob).line("Privacy: id");
    let response = client.call(&way, &private).await.response;
    assert_eq!(response.status(), Some(202), "{response}");
    let states = deployment.operator().list(&uri(&bob)).await;
    let states: Vec<_> = states.iter().map(Message::state).collect();
    assert_eq!(states, [MessageState::Delivered, MessageState::Stored]);
}
