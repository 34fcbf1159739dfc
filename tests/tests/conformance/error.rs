//! Requirements §5.9: which status code when.

use restante_tests::sip::{RequestText, SipPeer, Transport, example, fresh};
use restante_tests::{Deployment, LoopbackNet, Scene, date};

fn message() -> RequestText {
    example::message(&format!("bob-{}", fresh()))
}

/// Every error names server and date, and nothing is stored.
async fn is_refused(scene: &mut Scene, request: &RequestText, status: u16) {
    let way = scene.udp().await;
    let exchange = scene.core.call(&way, request).await;
    let response = exchange.response;
    assert_eq!(
        response.status(),
        Some(status),
        "{response}to\n{}",
        exchange.request
    );
    assert!(
        response.field("Server").starts_with("IM-serv/"),
        "{response}"
    );
    assert!(date::parse(response.field("Date")).is_some(), "{response}");
    assert_eq!(scene.operator.list("").await, []);
}

#[tokio::test]
async fn ct_err_01_what_cannot_be_understood_is_400() {
    let mut scene = Scene::all().await;
    let malformed = [
        message().set("CSeq", "101 INVITE"),
        message().line("Call-ID: another@198.51.100.7"),
        message().set("Content-Length", "9999"),
        message().without("From"),
        message().set("CSeq", "99999999999 MESSAGE"),
    ];
    for request in &malformed {
        is_refused_without_match(&mut scene, request).await;
    }
    for missing in ["CSeq", "Call-ID"] {
        is_refused_without_match(&mut scene, &message().without(missing)).await;
    }
}

/// As [`is_refused`] with 400, for requests whose answer cannot be found by Call-ID and CSeq.
async fn is_refused_without_match(scene: &mut Scene, request: &RequestText) {
    let way = scene.udp().await;
    let sent = scene.core.send(&way, request).await;
    let branch = sent.field("Via").to_owned();
    let answers = |text: &restante_tests::sip::SipText| {
        text.status().is_some() && text.field("Via").starts_with(&branch)
    };
    let response = scene
        .core
        .expect(&format!("the answer to\n{sent}"), answers)
        .await
        .text;
    assert_eq!(response.status(), Some(400), "{response}");
    assert!(
        response.field("Server").starts_with("IM-serv/"),
        "{response}"
    );
    assert_eq!(scene.operator.list("").await, []);
}

#[tokio::test]
async fn ct_err_01_without_a_usable_via_a_request_is_dropped() {
    let mut scene = Scene::all().await;
    let way = scene.udp().await;
    for request in [
        message().without("Via").without("Via"),
        message().set("Via", "nonsense"),
    ] {
        scene.core.send(&way, &request).await;
    }
    // The next request is answered: what came before it has had its turn.
    assert_eq!(
        scene.core.call(&way, &message()).await.response.status(),
        Some(202)
    );
    assert_eq!(scene.core.count(|text| text.status().is_some()), 0);
    assert_eq!(scene.operator.list("").await.len(), 1);
}

#[tokio::test]
async fn ct_err_02_versions_methods_schemes_and_hops() {
    let mut scene = Scene::all().await;
    let uri = "sip:bob@example.org";
    is_refused(
        &mut scene,
        &message().start_line(&format!("MESSAGE {uri} SIP/3.0")),
        505,
    )
    .await;
    let unknown = message()
        .start_line(&format!("FOO {uri} SIP/2.0"))
        .set("CSeq", "1 FOO");
    is_refused(&mut scene, &unknown, 501).await;
    is_refused(
        &mut scene,
        &message().start_line("MESSAGE http://example.org/bob SIP/2.0"),
        416,
    )
    .await;
    let last_hop = message()
        .start_line("MESSAGE sip:bob@elsewhere.example SIP/2.0")
        .without("P-Served-User")
        .set("Max-Forwards", "0");
    is_refused(&mut scene, &last_hop, 483).await;
    let refer = message()
        .start_line(&format!("REFER {uri} SIP/2.0"))
        .set("CSeq", "1 REFER")
        .line("Refer-To: <sip:carol@example.org>");
    let response = scene.call(&refer).await.response;
    assert_eq!(response.status(), Some(405));
    assert!(response.field("Allow").contains("MESSAGE"), "{response}");
}

#[tokio::test]
async fn ct_err_03_a_stranger_learns_nothing() {
    let mut scene = Scene::all().await;
    scene.deposit_text("bob", "hi").await;
    let host = scene.deployment.net().host(LoopbackNet::STRANGER);
    let mut stranger = SipPeer::open(host).await;
    let way = stranger
        .way(Transport::Tcp, scene.deployment.edge(Transport::Tcp))
        .await;
    let options = RequestText::new(
        "OPTIONS sip:{edge} SIP/2.0
        Via: {hop}
        Max-Forwards: 70
        From: <sip:mallory@example.net>;tag=m1
        To: <sip:bob@example.org>
        Call-ID: options-1@example.net
        CSeq: 1 OPTIONS
        Content-Length: 0",
    );
    let requests = [
        example::message("bob").line("Require: foo"),
        example::message("bob").set("To", "<sip:bob@example.org>;tag=none"),
        example::message("nobody"),
        example::message("bob"),
        options,
    ];
    let mut answers = Vec::new();
    for request in &requests {
        let response = stranger.call(&way, request).await.response;
        assert_eq!(response.status(), Some(403), "{response}");
        answers.push(names(&response.to_string()));
    }
    assert!(
        answers.iter().all(|answer| *answer == answers[0]),
        "{answers:#?}"
    );
    assert_eq!(scene.operator.list("").await.len(), 1);
}

/// Start line and names of the fields of a response, without repetitions.
fn names(response: &str) -> Vec<String> {
    let head = response.split("\r\n\r\n").next().unwrap_or_default();
    let name = |line: &str| line.split(':').next().unwrap_or_default().to_owned();
    let mut names: Vec<String> = head.lines().map(name).collect();
    names.dedup();
    names
}

#[tokio::test]
async fn ct_err_04_requests_of_unknown_dialogs_are_481() {
    let mut scene = Scene::all().await;
    for method in ["BYE", "UPDATE", "NOTIFY", "INVITE"] {
        let request = message()
            .start_line(&format!("{method} sip:bob@example.org SIP/2.0"))
            .set("CSeq", &format!("2 {method}"))
            .set("To", "<sip:bob@example.org>;tag=none")
            .without("P-Served-User");
        is_refused(&mut scene, &request, 481).await;
    }
}

#[tokio::test]
async fn err_07_an_unknown_extension_that_is_required_is_420() {
    let mut scene = Scene::all().await;
    let response = scene.call(&message().line("Require: foo")).await.response;
    assert_eq!(response.status(), Some(420));
    assert_eq!(response.field("Unsupported"), "foo");
}

#[tokio::test]
async fn ct_pfm_13_a_message_that_has_expired_is_480() {
    let mut scene = Scene::all().await;
    is_refused(&mut scene, &message().set("Expires", "0"), 480).await;
    let from_the_future = std::time::SystemTime::now() + std::time::Duration::from_secs(3_600);
    let odd = message()
        .set("Expires", "60")
        .set("Date", &date::at(from_the_future));
    scene.deposit(&odd).await;
    let stored = &scene.operator.list("").await[0];
    let lifetime =
        stored.expires_at.expect("set").seconds - stored.received_at.expect("set").seconds;
    assert_eq!(lifetime, 60, "its Date does not count");
}

#[tokio::test]
async fn ct_pfm_14_a_message_that_expired_on_its_way_is_480() {
    let mut scene = Scene::all().await;
    let five_minutes_ago = std::time::SystemTime::now() - std::time::Duration::from_secs(300);
    let late = message()
        .set("Expires", "60")
        .set("Date", &date::at(five_minutes_ago));
    is_refused(&mut scene, &late, 480).await;
}

/// The part of the row that concerns the participating function.
#[tokio::test]
async fn ct_err_05_nobody_of_ours_comes_before_what_is_not_allowed() {
    let plan = Deployment::all().set("provisioning", "listed");
    let mut scene = Scene::start(plan).await;
    is_refused(&mut scene, &message().line("Privacy: id"), 404).await;
}

#[tokio::test]
async fn ct_err_06_bodies_that_are_not_taken_are_415_and_say_what_is() {
    let mut scene = Scene::all().await;
    let invite = message()
        .start_line("INVITE sip:bob@example.org SIP/2.0")
        .set("CSeq", "1 INVITE")
        .line("Contact: <sip:alice@198.51.100.7>");
    let text = invite.clone().body("text/plain", "Lunch?");
    let response = scene.call(&text).await.response;
    assert_eq!(response.status(), Some(415), "{response}");
    assert!(
        response.field("Accept").contains("application/sdp"),
        "{response}"
    );
    let encoded = invite
        .set("Call-ID", &fresh())
        .body("application/sdp", "v=0\r\n")
        .line("Content-Encoding: gzip");
    let response = scene.call(&encoded).await.response;
    assert_eq!(response.status(), Some(415), "{response}");
    assert_eq!(response.field("Accept-Encoding"), "identity");

    let publish = message()
        .start_line("PUBLISH sip:alice@example.org SIP/2.0")
        .set("CSeq", "1 PUBLISH")
        .set("To", "<sip:alice@example.org>")
        .set("Call-ID", &fresh())
        .without("P-Served-User")
        .line("Event: poc-settings")
        .body("application/poc-settings+xml", "<poc-settings/>")
        .line("Content-Encoding: gzip");
    let response = scene.call(&publish).await.response;
    assert_eq!(response.status(), Some(415), "{response}");
    assert_eq!(response.field("Accept-Encoding"), "identity");
    assert!(
        response
            .field("Accept")
            .contains("application/poc-settings+xml"),
        "{response}"
    );
}
