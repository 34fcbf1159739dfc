//! Requirements §5.5: who is told what waits, when, and by which edge.

use restante_tests::patience::{ANSWER, eventually};
use restante_tests::sip::{RequestText, SipPeer, Transport, example, fresh};
use restante_tests::subscriber::Subscriber;
use restante_tests::{Deployment, LoopbackNet, Part, Scene, date, uri};

fn somebody() -> String {
    format!("bob-{}", fresh())
}

async fn scene_with(settings: &[(&str, &str)]) -> Scene {
    let plan = settings
        .iter()
        .fold(Deployment::all(), |plan, (key, value)| plan.set(key, value));
    Scene::start(plan).await
}

/// A subscriber who has got his first NOTIFY, which is not looked at.
async fn subscribed(scene: &mut Scene, user: &str) -> Subscriber {
    let mut bob = Subscriber::behind(&scene.core, user);
    bob.subscribe(&mut scene.core, &scene.way, 3_600).await;
    bob.notified(&mut scene.core).await;
    bob
}

/// Waits until the store knows no subscription of a user.
async fn is_forgotten(scene: &Scene, user: &str) {
    eventually(ANSWER, "the end of a subscription", async || {
        let subscriptions = scene.operator.subscriptions(&uri(user)).await;
        subscriptions.is_empty().then_some(())
    })
    .await;
}

fn status(response: &restante_tests::sip::SipText) -> u16 {
    response.status().expect("a response")
}

#[tokio::test]
async fn ct_mwi_01_an_empty_account_is_told_at_once() {
    let mut scene = Scene::all().await;
    let user = somebody();
    let mut bob = Subscriber::behind(&scene.core, &user);
    let response = bob.subscribe(&mut scene.core, &scene.way, 3_600).await;
    assert_eq!(response.field("Expires"), "3600");
    assert!(
        response.field("Contact").ends_with(">;automata"),
        "{response}"
    );
    assert!(
        response.field("Server").starts_with("IM-serv/OMA"),
        "{response}"
    );
    assert!(date::parse(response.field("Date")).is_some(), "{response}");
    assert_eq!(response.all("Record-Route"), bob.record_routes);
    let first = bob.notified(&mut scene.core).await;
    assert_eq!(first.cseq(), 65_537);
    assert_eq!(
        first.text.start_line(),
        format!("NOTIFY {} SIP/2.0", bob.contact)
    );
    assert_eq!(first.text.field("Event"), "message-summary");
    assert!(
        first.state().starts_with("active;expires="),
        "{}",
        first.text
    );
    assert_eq!(
        first.text.field("Content-Type"),
        "application/simple-message-summary"
    );
    assert_eq!(first.text.field("From"), response.field("To"));
    assert_eq!(
        first.body,
        format!(
            "Messages-Waiting: no\r\nMessage-Account: sip:{user}@example.org\r\n\
             Voice-Message: 0/0\r\nText-Message: 0/0 (0/0)\r\nMultimedia-Message: 0/0 (0/0)\r\n"
        )
    );
}

#[tokio::test]
async fn ct_mwi_02_messages_that_wait_are_counted_and_named() {
    let mut scene = Scene::all().await;
    let user = somebody();
    let lunch = scene.deposit_text(&user, "Lunch?").await;
    let minutes = example::message(&user)
        .body("application/octet-stream", vec![0; 100])
        .set("Subject", "Minutes of the meeting")
        .without("Priority");
    scene.deposit(&minutes).await;
    let minutes = scene.find(&user, &minutes.field("Call-ID")).await;
    let mut bob = Subscriber::behind(&scene.core, &user);
    bob.subscribe(&mut scene.core, &scene.way, 3_600).await;
    let first = bob.notified(&mut scene.core).await;
    assert_eq!(
        first.counts(),
        [
            "Messages-Waiting: yes",
            &format!("Message-Account: sip:{user}@example.org"),
            "Voice-Message: 0/0",
            "Text-Message: 1/0 (1/0)",
            "Multimedia-Message: 1/0 (0/0)"
        ]
    );
    assert_eq!(first.blocks.len(), 2, "{}", first.body);
    let named = [
        (&lunch, "Lunch", "urgent"),
        (&minutes, "Minutes of the meeting", "normal"),
    ];
    for (block, (message, subject, priority)) in first.blocks.iter().zip(named) {
        let (dates, others): (Vec<_>, Vec<_>) =
            block.iter().partition(|line| line.starts_with("Date: "));
        assert!(
            date::parse(&dates[0]["Date: ".len()..]).is_some(),
            "{dates:?}"
        );
        assert_eq!(block[2], *dates[0]);
        assert_eq!(
            others,
            [
                &format!("To: <sip:{user}@example.org>"),
                "From: \"Alice\" <sip:alice@example.org>",
                &format!("Subject: {subject}"),
                &format!("Priority: {priority}"),
                &format!("Message-ID: {}", message.message_id),
                "P-Asserted-Identity: \"Alice\" <sip:alice@example.org>",
            ]
        );
    }
}

#[tokio::test]
async fn ct_mwi_03_counts_alone_come_first_where_the_operator_wants_it() {
    let mut scene = scene_with(&[("mwi.initial_headers", "omit")]).await;
    let user = somebody();
    scene.deposit_text(&user, "before").await;
    let mut bob = Subscriber::behind(&scene.core, &user);
    bob.subscribe(&mut scene.core, &scene.way, 3_600).await;
    let first = bob.notified(&mut scene.core).await;
    assert!(first.has("Text-Message: 1/0 (1/0)"), "{}", first.body);
    assert_eq!(first.blocks.len(), 0, "{}", first.body);
    let later = scene.deposit_text(&user, "after").await;
    let second = bob.notified(&mut scene.core).await;
    assert!(second.has("Text-Message: 2/0 (2/0)"), "{}", second.body);
    assert_eq!(second.blocks.len(), 1, "{}", second.body);
    let id = format!("Message-ID: {}", later.message_id);
    assert!(second.blocks[0].contains(&id), "{}", second.body);
}

#[tokio::test]
async fn mwi_03_an_account_that_was_empty_is_told_headers_later() {
    let mut scene = scene_with(&[("mwi.initial_headers", "omit")]).await;
    let user = somebody();
    let bob = subscribed(&mut scene, &user).await;
    scene.deposit_text(&user, "the first of all").await;
    let told = bob.notified(&mut scene.core).await;
    assert!(told.has("Text-Message: 1/0 (1/0)"), "{}", told.body);
    assert_eq!(told.blocks.len(), 1, "{}", told.body);
}

#[tokio::test]
async fn ct_mwi_04_a_full_mailbox_names_the_newest() {
    let mut scene = Scene::all().await;
    let user = somebody();
    let mut sent = Vec::new();
    for _ in 0..100 {
        sent.push(scene.core.send(&scene.way, &example::message(&user)).await);
    }
    for request in &sent {
        assert_eq!(status(&scene.core.response_to(request).await), 202);
    }
    let mut bob = Subscriber::behind(&scene.core, &user);
    bob.subscribe(&mut scene.core, &scene.way, 3_600).await;
    let first = bob.notified(&mut scene.core).await;
    assert!(first.has("Text-Message: 100/0 (100/0)"), "{}", first.body);
    assert_eq!(first.blocks.len(), 25);
    assert!(first.body.len() <= 8_192 + 200, "{}", first.body.len());
    let newest = scene.operator.list(&uri(&user)).await.pop();
    let newest = newest.expect("a hundred").message_id;
    let last = first.blocks.last().expect("some");
    assert!(last.contains(&format!("Message-ID: {newest}")), "{last:?}");
}

#[tokio::test]
async fn ct_mwi_05_a_burst_is_told_once() {
    let mut scene = Scene::all().await;
    let user = somebody();
    let bob = subscribed(&mut scene, &user).await;
    let mut sent = Vec::new();
    for _ in 0..5 {
        sent.push(scene.core.send(&scene.way, &example::message(&user)).await);
    }
    for request in &sent {
        assert_eq!(status(&scene.core.response_to(request).await), 202);
    }
    let mut notified = vec![bob.notified(&mut scene.core).await];
    while !notified.iter().any(|n| n.has("Text-Message: 5/0 (5/0)")) {
        notified.push(bob.notified(&mut scene.core).await);
    }
    assert!(notified.len() <= 2, "{} NOTIFYs", notified.len());
    let named: usize = notified.iter().map(|n| n.blocks.len()).sum();
    assert_eq!(named, 5);
}

#[tokio::test]
async fn ct_mwi_06_whatever_leaves_is_told_without_headers() {
    let mut scene = Scene::all().await;
    let user = somebody();
    let mut ids = Vec::new();
    for text in ["one", "two", "three"] {
        ids.push(scene.deposit_text(&user, text).await.message_id);
    }
    let bob = subscribed(&mut scene, &user).await;
    scene.operator.delete(&ids[0]).await.expect("it waits");
    let deleted = bob.notified(&mut scene.core).await;
    assert!(deleted.has("Text-Message: 2/0 (2/0)"), "{}", deleted.body);
    scene.operator.expire(&ids[1]).await.expect("it waits");
    let expired = bob.notified(&mut scene.core).await;
    assert!(expired.has("Text-Message: 1/0 (1/0)"), "{}", expired.body);
    scene.register(&user).await;
    assert_eq!(scene.receive(&user, 1).await, ids[2..]);
    let delivered = bob
        .notified_until(&mut scene.core, "Text-Message: 0/1 (0/1)")
        .await;
    assert!(delivered.has("Messages-Waiting: no"), "{}", delivered.body);
    for notified in [&deleted, &expired, &delivered] {
        assert_eq!(notified.blocks.len(), 0, "{}", notified.body);
    }
}

#[tokio::test]
async fn ct_mwi_07_only_the_owner_subscribes() {
    let mut scene = Scene::all().await;
    let user = somebody();
    scene.deposit_text(&user, "hi").await;
    scene.deposit_text("carol", "hi").await;
    let mut bob = Subscriber::behind(&scene.core, &user);
    for expires in [3_600, 0] {
        let carol = bob
            .request(expires)
            .set("P-Asserted-Identity", "<sip:carol@example.org>");
        assert_eq!(scene.status(&carol).await, 403);
        let nobody = bob.request(expires).without("P-Asserted-Identity");
        assert_eq!(scene.status(&nobody).await, 403);
    }
    assert_eq!(bob.unseen(&mut scene.core), 0);
    assert!(scene.operator.subscriptions(&uri(&user)).await.is_empty());
}

#[tokio::test]
async fn mwi_07_a_full_edge_keeps_the_subscriptions_it_has() {
    let mut scene = scene_with(&[("mwi.subscriptions", "1")]).await;
    let mut bob = subscribed(&mut scene, &somebody()).await;
    let mut carol = Subscriber::behind(&scene.core, &somebody());
    for expires in [3_600, 0] {
        assert_eq!(scene.status(&carol.request(expires)).await, 503);
    }
    bob.subscribe(&mut scene.core, &scene.way, 3_600).await;
    bob.notified(&mut scene.core).await;
    bob.subscribe(&mut scene.core, &scene.way, 0).await;
    bob.notified(&mut scene.core).await;
    is_forgotten(&scene, &bob.user).await;
    carol.subscribe(&mut scene.core, &scene.way, 0).await;
    carol.notified(&mut scene.core).await;
}

/// A user for whom so much waits that a NOTIFY is too large for UDP, and his subscription by that route.
async fn subscribed_by_udp(scene: &mut Scene, hop: std::net::SocketAddr) -> Subscriber {
    let user = somebody();
    for _ in 0..6 {
        scene.deposit_text(&user, "hi").await;
    }
    let mut bob = Subscriber::behind(&scene.core, &user);
    bob.record_routes = vec![format!("<sip:{hop};transport=udp;lr>")];
    bob.subscribe(&mut scene.core, &scene.way, 3_600).await;
    bob
}

#[tokio::test]
async fn mwi_07_a_large_notify_leaves_by_tcp_though_its_route_is_udp() {
    let mut scene = Scene::all().await;
    // Nobody listens at that port by UDP: what comes has come by TCP.
    let hop = scene.core.tcp();
    let bob = subscribed_by_udp(&mut scene, hop).await;
    let first = bob.notified(&mut scene.core).await;
    assert_eq!(first.blocks.len(), 6, "{}", first.text);
    assert!(first.text.field("Via").starts_with("SIP/2.0/TCP"));
    assert_eq!(first.text.all("Route"), bob.record_routes);
}

#[tokio::test]
async fn mwi_07_a_large_notify_whose_tcp_is_refused_leaves_by_udp() {
    let mut scene = Scene::all().await;
    let hop = scene.core.udp();
    let bob = subscribed_by_udp(&mut scene, hop).await;
    let first = bob.notified(&mut scene.core).await;
    assert!(first.text.field("Via").starts_with("SIP/2.0/UDP"));
    // RFC 3261 §18.1.1: a reset says that there is only UDP.
    assert!(first.has("Text-Message: 6/0 (6/0)"), "{}", first.body);
    assert_eq!(first.blocks.len(), 6, "{}", first.body);
}

#[tokio::test]
async fn mwi_08_a_subscription_to_a_later_alias_goes_on() {
    let mut scene = Scene::all().await;
    let (user, alias) = (somebody(), somebody());
    let mut bob = subscribed(&mut scene, &alias).await;
    scene.deposit_text(&user, "to the account").await;
    let address = uri(&user);
    let add = ["user", "alias", "add", &address, &uri(&alias)];
    scene.deployment.restantectl(&add).await.done();
    let joined = bob.notified(&mut scene.core).await;
    assert!(joined.has("Text-Message: 1/0 (1/0)"), "{}", joined.body);
    scene.deposit_text(&user, "one more").await;
    let told = bob.notified(&mut scene.core).await;
    assert!(told.has("Text-Message: 2/0 (2/0)"), "{}", told.body);
    bob.subscribe(&mut scene.core, &scene.way, 0).await;
    let last = bob.notified(&mut scene.core).await;
    assert_eq!(last.state(), "terminated;reason=timeout");
}

#[tokio::test]
async fn ct_mwi_08_other_packages_are_not_known() {
    let mut scene = Scene::all().await;
    let mut bob = Subscriber::behind(&scene.core, &somebody());
    let presence = bob.request(3_600).set("Event", "presence");
    let none = bob.request(3_600).without("Event");
    for request in [presence, none] {
        let response = scene.call(&request).await.response;
        assert_eq!(response.status(), Some(489), "{response}");
        let known = response.field("Allow-Events");
        assert!(known.contains("message-summary"), "{response}");
    }
}

#[tokio::test]
async fn ct_mwi_09_too_short_a_subscription_is_refused() {
    let mut scene = Scene::all().await;
    let mut bob = Subscriber::behind(&scene.core, &somebody());
    let response = scene.call(&bob.request(5)).await.response;
    assert_eq!(response.status(), Some(423), "{response}");
    assert_eq!(response.field("Min-Expires"), "60");
}

#[tokio::test]
async fn ct_mwi_10_every_end_has_a_last_word() {
    let mut scene = scene_with(&[("mwi.min_expires", "1s")]).await;
    let user = somebody();
    scene.deposit_text(&user, "hi").await;
    let timeout = "terminated;reason=timeout";
    let mut fetching = Subscriber::behind(&scene.core, &user);
    fetching.subscribe(&mut scene.core, &scene.way, 0).await;
    let fetched = fetching.notified(&mut scene.core).await;
    assert_eq!(fetched.state(), timeout);
    assert!(fetched.has("Text-Message: 1/0 (1/0)"), "{}", fetched.body);
    let mut leaving = subscribed(&mut scene, &user).await;
    leaving.subscribe(&mut scene.core, &scene.way, 0).await;
    let left = leaving.notified(&mut scene.core).await;
    assert_eq!(left.state(), timeout);
    assert!(left.has("Text-Message: 1/0 (1/0)"), "{}", left.body);
    let mut silent = Subscriber::behind(&scene.core, &user);
    silent.subscribe(&mut scene.core, &scene.way, 2).await;
    silent.notified(&mut scene.core).await;
    let lapsed = silent.notified(&mut scene.core).await;
    assert_eq!(lapsed.state(), timeout);
    is_forgotten(&scene, &user).await;
    let late = silent.request(3_600);
    assert!([481, 404].contains(&scene.status(&late).await));
}

#[tokio::test]
async fn ct_mwi_11_who_does_not_know_or_not_answer_is_forgotten() {
    let mut scene = scene_with(&[("sip.t1", "10ms"), ("sip.t2", "40ms")]).await;
    let user = somebody();
    let bob = subscribed(&mut scene, &user).await;
    scene.deposit_text(&user, "hi").await;
    let arrival = bob.arrival(&mut scene.core).await;
    let gone = "481 Call/Transaction Does Not Exist";
    scene.core.answer(&arrival, gone, &[], "").await;
    is_forgotten(&scene, &user).await;
    let bob = subscribed(&mut scene, &user).await;
    scene.deposit_text(&user, "ho").await;
    bob.arrival(&mut scene.core).await;
    is_forgotten(&scene, &user).await;
}

#[tokio::test]
async fn ct_mwi_12_identities_are_for_those_who_may_see_them() {
    let mut scene = Scene::all().await;
    let user = somebody();
    scene
        .deposit(&example::message(&user).line("Privacy: id"))
        .await;
    let mut bob = Subscriber::behind(&scene.core, &user);
    bob.subscribe(&mut scene.core, &scene.way, 3_600).await;
    let private = bob.notified(&mut scene.core).await;
    assert!(
        !private.body.contains("P-Asserted-Identity"),
        "{}",
        private.body
    );
    scene.deposit_text(&user, "open").await;
    let open = bob.notified(&mut scene.core).await;
    assert!(open.body.contains("P-Asserted-Identity"), "{}", open.body);
    // No proxy stays in the path: the NOTIFY goes to whoever is at that address.
    let elsewhere = scene.deployment.net().host(LoopbackNet::STRANGER);
    let mut elsewhere = SipPeer::open(elsewhere).await;
    let mut direct = Subscriber::behind(&scene.core, &user);
    direct.record_routes.clear();
    direct.contact = format!("sip:{user}@{};transport=tcp", elsewhere.tcp());
    direct.subscribe(&mut scene.core, &scene.way, 3_600).await;
    let untrusted = direct.notified(&mut elsewhere).await;
    assert_eq!(untrusted.blocks.len(), 2);
    assert!(
        !untrusted.body.contains("P-Asserted-Identity"),
        "{}",
        untrusted.body
    );
}

#[tokio::test]
async fn ct_mwi_13_a_subscriber_who_takes_no_summary_is_refused() {
    let mut scene = Scene::all().await;
    let mut bob = Subscriber::behind(&scene.core, &somebody());
    let request = bob.request(3_600).set("Accept", "application/pidf+xml");
    assert_eq!(scene.status(&request).await, 406);
    let request = bob
        .request(3_600)
        .set("Accept", "text/plain, application/*");
    assert_eq!(scene.status(&request).await, 200);
}

#[tokio::test]
async fn ct_mwi_14_a_refresh_is_told_the_state_with_the_next_number() {
    let mut scene = Scene::all().await;
    let user = somebody();
    let mut bob = subscribed(&mut scene, &user).await;
    bob.contact = format!("sip:{user}@203.0.113.77:5060;transport=tcp");
    bob.subscribe(&mut scene.core, &scene.way, 600).await;
    let second = bob.notified(&mut scene.core).await;
    assert_eq!(second.cseq(), 65_538);
    // The target is refreshed, the route set is not (CT-DLG-04).
    assert_eq!(
        second.text.start_line(),
        format!("NOTIFY {} SIP/2.0", bob.contact)
    );
    assert_eq!(second.text.all("Route"), bob.record_routes);
    let stale = bob.request(600).set("CSeq", "1 SUBSCRIBE");
    assert_eq!(scene.status(&stale).await, 500);
}

#[tokio::test]
async fn ct_mwi_15_a_subject_makes_no_header() {
    let mut scene = Scene::all().await;
    let user = somebody();
    let folded = "Subject: Lunch\r\n P-Asserted-Identity: <sip:eve@example.org>";
    let encoded = "Subject: =?UTF-8?Q?a=0D=0AP-Asserted-Identity:_x?=";
    for subject in [folded, encoded] {
        let message = example::message(&user).without("Subject").line(subject);
        scene.deposit(&message).await;
    }
    let mut bob = Subscriber::behind(&scene.core, &user);
    bob.subscribe(&mut scene.core, &scene.way, 3_600).await;
    let first = bob.notified(&mut scene.core).await;
    assert_eq!(
        first.blocks[0][3],
        "Subject: Lunch P-Asserted-Identity: <sip:eve@example.org>"
    );
    assert_eq!(first.blocks[1][3], encoded);
    for block in &first.blocks {
        assert_eq!(block.len(), 7, "{block:?}");
    }
}

#[tokio::test]
async fn ct_mwi_16_an_edge_that_stops_says_goodbye() {
    let mut scene = Scene::start(Deployment::two_processes()).await;
    let user = somebody();
    let bob = subscribed(&mut scene, &user).await;
    scene.deployment.process(Part::SipEdge).terminate();
    let last = bob.notified(&mut scene.core).await;
    let state = last.state();
    let wait = state.strip_prefix("terminated;reason=deactivated;retry-after=");
    let wait = wait.and_then(|wait| wait.parse::<u32>().ok());
    assert!(wait.is_some_and(|seconds| seconds > 0), "{}", last.text);
    scene.deployment.ended(Part::SipEdge).await;
    assert!(scene.operator.subscriptions(&uri(&user)).await.is_empty());
}

#[tokio::test]
async fn ct_mwi_17_another_edge_goes_on_where_one_has_died() {
    let mut scene = Scene::start(Deployment::two_processes()).await;
    let second = scene.deployment.second_edge().await;
    let other = scene.core.way(Transport::Tcp, second.tcp).await;
    let users = [somebody(), somebody()];
    let mut subscribers = Vec::new();
    for user in &users {
        subscribers.push(subscribed(&mut scene, user).await);
    }
    scene.deployment.kill(Part::SipEdge).await;
    for subscriber in &mut subscribers {
        let taken_over = subscriber.notified(&mut scene.core).await;
        assert!(taken_over.cseq() > 2 * 65_536, "{}", taken_over.text);
        let contact = taken_over.text.field("Contact");
        assert!(contact.contains(&second.tcp.to_string()), "{contact}");
        subscriber.subscribe(&mut scene.core, &other, 3_600).await;
        let refreshed = subscriber.notified(&mut scene.core).await;
        assert_eq!(refreshed.cseq(), taken_over.cseq() + 1);
        let message = example::message(&subscriber.user);
        let deposited = scene.core.call(&other, &message).await;
        assert_eq!(deposited.response.status(), Some(202));
        let told = subscriber.notified(&mut scene.core).await;
        assert!(told.has("Text-Message: 1/0 (1/0)"), "{}", told.body);
    }
}

#[tokio::test]
async fn mwi_10_a_refresh_by_a_shared_contact_comes_to_whichever_edge_is_there() {
    const SHARED: &str = "edges.example.org";
    let plan = Deployment::two_processes().set("sip.contact", SHARED);
    let mut scene = Scene::start(plan).await;
    let second = scene.deployment.second_edge().await;
    let other = scene.core.way(Transport::Tcp, second.tcp).await;
    let mut bob = Subscriber::behind(&scene.core, &somebody());
    bob.subscribe(&mut scene.core, &scene.way, 3_600).await;
    let first = bob.notified(&mut scene.core).await;
    let shared = first.text.field("Contact").to_owned();
    assert!(
        shared.contains(&format!("@{SHARED};transport=tcp>")),
        "{shared}"
    );
    scene.deployment.kill(Part::SipEdge).await;
    let taken_over = bob.notified(&mut scene.core).await;
    assert_eq!(taken_over.text.field("Contact"), shared);
    // The client keeps to the Contact it has: the name leads to the edge that is left.
    bob.subscribe(&mut scene.core, &other, 3_600).await;
    let refreshed = bob.notified(&mut scene.core).await;
    assert_eq!(refreshed.cseq(), taken_over.cseq() + 1);
    assert_eq!(refreshed.text.field("Contact"), shared);
}

#[tokio::test]
async fn mwi_10_a_restarted_edge_takes_its_subscriptions_back() {
    let mut scene = Scene::start(Deployment::two_processes()).await;
    let user = somebody();
    let bob = subscribed(&mut scene, &user).await;
    scene.deployment.kill(Part::SipEdge).await;
    scene.deployment.launch(Part::SipEdge).await;
    let again = bob.notified(&mut scene.core).await;
    assert_eq!(again.cseq(), 2 * 65_536 + 1);
    // The store may go and come back: what has changed meanwhile is told.
    scene.reconnect().await;
    scene.deposit_text(&user, "hi").await;
    let told = bob.notified(&mut scene.core).await;
    assert!(told.has("Text-Message: 1/0 (1/0)"), "{}", told.body);
    scene.deployment.kill(Part::Storage).await;
    scene.deployment.launch(Part::Storage).await;
    scene.deployment.ready(Part::SipEdge).await;
    scene.deposit_text(&user, "ho").await;
    let told = bob
        .notified_until(&mut scene.core, "Text-Message: 2/0 (2/0)")
        .await;
    assert!(told.cseq() > again.cseq());
}

#[tokio::test]
async fn ct_mwi_18_the_operator_chooses_the_headers() {
    let mut scene = scene_with(&[("mwi.headers", "From, Date")]).await;
    let user = somebody();
    scene.deposit_text(&user, "hi").await;
    let mut bob = Subscriber::behind(&scene.core, &user);
    bob.subscribe(&mut scene.core, &scene.way, 3_600).await;
    let first = bob.notified(&mut scene.core).await;
    let names = first.blocks[0]
        .iter()
        .filter_map(|line| line.split(':').next());
    assert_eq!(names.collect::<Vec<_>>(), ["From", "Date", "Message-ID"]);
}

#[tokio::test]
async fn ct_dlg_01_a_notify_follows_the_recorded_route() {
    let mut scene = Scene::all().await;
    let mut bob = Subscriber::behind(&scene.core, &somebody());
    bob.record_routes
        .push("<sip:edge-proxy.example.org;lr>".to_owned());
    bob.subscribe(&mut scene.core, &scene.way, 3_600).await;
    let first = bob.notified(&mut scene.core).await;
    assert_eq!(first.text.all("Route"), bob.record_routes);
}

#[tokio::test]
async fn ct_dlg_03_a_strict_router_takes_the_place_of_the_target() {
    let mut scene = Scene::all().await;
    let mut bob = Subscriber::behind(&scene.core, &somebody());
    let strict = format!("sip:{};transport=tcp", scene.core.tcp());
    bob.record_routes = vec![format!("<{strict}>")];
    bob.subscribe(&mut scene.core, &scene.way, 3_600).await;
    let first = bob.notified(&mut scene.core).await;
    assert_eq!(first.text.start_line(), format!("NOTIFY {strict} SIP/2.0"));
    assert_eq!(first.text.all("Route"), [format!("<{}>", bob.contact)]);
}

#[tokio::test]
async fn dlv_04_who_is_back_but_cannot_be_delivered_to_is_told_what_waits() {
    // Sessions only, and the client that registers can do none.
    let mut scene = scene_with(&[("delivery.mode", "session")]).await;
    let user = somebody();
    scene.deposit_text(&user, "hi").await;
    let bob = subscribed(&mut scene, &user).await;
    let plain = "<sip:bob@203.0.113.9:5060;transport=tcp>;expires=3600";
    let parts = [
        example::embedded_register(&user, plain),
        example::embedded_ok(&user, plain),
    ];
    let register: RequestText = example::bare_register(&user, 3600).body(
        "multipart/mixed;boundary=\"3pr\"",
        example::multipart("3pr", "message/sip", &parts),
    );
    scene.registered(&register).await;
    let reminded = bob.notified(&mut scene.core).await;
    assert!(reminded.has("Text-Message: 1/0 (1/0)"), "{}", reminded.body);
    assert_eq!(scene.unanswered_invites(&user), 0);
}

#[tokio::test]
async fn mwi_08_operators_watch_a_mailbox() {
    let mut scene = Scene::all().await;
    let user = somebody();
    let first = scene.deposit_text(&user, "hi").await.message_id;
    let mut watch = scene.operator.watch(&uri(&user)).await;
    assert_eq!(watch.counters().await.text.expect("set").new, 1);
    let second = scene.deposit_text(&user, "ho").await.message_id;
    assert_eq!(watch.message().await, (second, "STORED".to_owned()));
    assert_eq!(watch.counters().await.text.expect("set").new, 2);
    scene.operator.delete(&first).await.expect("it waits");
    assert_eq!(watch.message().await, (first, "DELETED".to_owned()));
    assert_eq!(watch.counters().await.text.expect("set").new, 1);
}
