//! Requirements §5.4 and §5.13: what the client's answer to a push makes of its session.

use std::time::Duration;

use proto::v1::MessageState;
use restante_tests::large::Large;
use restante_tests::msrp::{Acceptance, PushSession, Setup, acceptance};
use restante_tests::sip::{Arrival, SipPeer, SipText, example, fresh};
use restante_tests::{Deployment, Scene, somebody, uri};

/// Half of the shortest session interval that there is (RFC 4028 §4), and some patience.
const UNTIL_REFRESH: Duration = Duration::from_secs(60);

/// Message-IDs of texts deposited for a user.
async fn deposited(scene: &mut Scene, user: &str, texts: &[&str]) -> Vec<String> {
    let mut ids = Vec::new();
    for text in texts {
        ids.push(scene.deposit_text(user, text).await.message_id);
    }
    ids
}

/// The push INVITE to a user who registers.
async fn invited(scene: &mut Scene, user: &str) -> Arrival {
    scene.register(user).await;
    scene.core.request("INVITE", &uri(user)).await
}

#[tokio::test]
async fn ct_dlv_10_a_second_client_that_answers_is_acknowledged_and_ended() {
    let mut scene = Scene::all().await;
    let bob = somebody();
    let ids = deposited(&mut scene, &bob, &["hi"]).await;
    let invite = invited(&mut scene, &bob).await;
    for tag in ["early1", "early2"] {
        let core = &scene.core;
        core.answer_of_fork(&invite, tag, "180 Ringing", &[], "")
            .await;
    }
    let mut accepted = None;
    let mut session = PushSession::answer_with(&mut scene.core, invite, Setup::Active, |answer| {
        accepted = Some(answer.clone());
    })
    .await;
    let Acceptance { lines, sdp } = accepted.expect("answered");
    scene
        .core
        .answer_of_fork(&session.invite, "second", "200 OK", &lines, &sdp)
        .await;
    for method in ["ACK", "BYE"] {
        let is_of_second =
            |text: &SipText| text.method() == Some(method) && text.tag("To") == Some("second");
        let request = scene.core.expect(method, is_of_second).await;
        if method == "BYE" {
            scene.core.answer(&request, "200 OK", &[], "").await;
        }
    }
    assert_eq!(session.take().await.message_id(), ids[0]);
    let bye = session.bye(&mut scene.core).await;
    assert_ne!(bye.text.tag("To"), Some("second"));
    assert_eq!(scene.states(&bob).await, [MessageState::Delivered]);
    let is_early = |text: &SipText| text.tag("To").is_some_and(|tag| tag.starts_with("early"));
    assert_eq!(scene.core.count(is_early), 0, "early dialogs are dropped");
}

/// Answers a push INVITE with a session that takes plain text only; its end.
async fn accept_text_only(scene: &mut Scene, invite: &Arrival) {
    let local = scene.core.tcp();
    let path = format!("msrp://{local}/{};tcp", fresh());
    let mut answer = acceptance(&scene.core, local, &path, Setup::Active);
    answer.attribute("accept-wrapped-types", "");
    answer.attribute("accept-types", "a=accept-types:text/plain\r\n");
    let core = &mut scene.core;
    core.answer(invite, "200 OK", &answer.lines, &answer.sdp)
        .await;
    core.acknowledged(invite).await;
    core.ended(invite).await;
}

#[tokio::test]
async fn ct_dlv_17_a_client_without_multipart_gets_no_session_but_messages() {
    let mut scene = Scene::all().await;
    let bob = somebody();
    let ids = deposited(&mut scene, &bob, &["one"]).await;
    let invite = invited(&mut scene, &bob).await;
    accept_text_only(&mut scene, &invite).await;
    let message = scene.core.request("MESSAGE", &uri(&bob)).await;
    assert_eq!(message.text.field("Message-ID"), ids[0]);
    scene.core.answer(&message, "200 OK", &[], "").await;

    let mut scene = Scene::start(Deployment::all().set("delivery.mode", "session")).await;
    deposited(&mut scene, &bob, &["one"]).await;
    let invite = invited(&mut scene, &bob).await;
    accept_text_only(&mut scene, &invite).await;
    scene.fence().await;
    assert_eq!(scene.unanswered_invites(&bob), 0);
    assert_eq!(scene.states(&bob).await, [MessageState::Stored]);
}

/// Takes so many messages in a session whose answer takes these types.
async fn receive_of_types(scene: &mut Scene, user: &str, types: &str, count: usize) -> Vec<String> {
    let invite = invited(scene, user).await;
    let change = |answer: &mut Acceptance| {
        answer.attribute("accept-wrapped-types", "");
        answer.attribute("accept-types", types);
    };
    let mut session =
        PushSession::answer_with(&mut scene.core, invite, Setup::Active, change).await;
    let mut ids = Vec::new();
    for _ in 0..count {
        ids.push(session.take().await.message_id());
    }
    session.bye(&mut scene.core).await;
    ids
}

#[tokio::test]
async fn ct_dlv_17_the_types_of_the_answer_decide_what_is_sent() {
    let mut scene = Scene::all().await;
    let bob = somebody();
    let pager = deposited(&mut scene, &bob, &["one"]).await;
    let data = scene.deployment.address("storage.listen");
    let large = Large::to(&bob, "large".repeat(1_000)).store(data).await;
    let without_msrp = "a=accept-types:multipart/mixed\r\n\
        a=accept-wrapped-types:message/sipfrag message/sip text/plain\r\n";
    assert_eq!(
        receive_of_types(&mut scene, &bob, without_msrp, 1).await,
        pager
    );
    let states = [MessageState::Delivered, MessageState::Stored];
    assert_eq!(scene.states(&bob).await, states);
    let any = "a=accept-types:*\r\n";
    assert_eq!(receive_of_types(&mut scene, &bob, any, 1).await, [large]);
    assert_eq!(scene.states(&bob).await, [MessageState::Delivered; 2]);
}

#[tokio::test]
async fn ct_dlv_18_what_is_larger_than_the_client_takes_is_kept() {
    let mut scene = Scene::all().await;
    let bob = somebody();
    let long = "x".repeat(2_000);
    let ids = deposited(&mut scene, &bob, &["one", &long, "three"]).await;
    let types = "a=accept-types:*\r\na=max-size:2000\r\n";
    let received = receive_of_types(&mut scene, &bob, types, 2).await;
    assert_eq!(received, [ids[0].clone(), ids[2].clone()]);
    let states = scene.states(&bob).await;
    let (delivered, stored) = (MessageState::Delivered, MessageState::Stored);
    assert_eq!(states, [delivered, stored, delivered]);
    scene.register(&bob).await;
    assert_eq!(scene.receive(&bob, 1).await, [ids[1].clone()]);
}

#[tokio::test]
async fn ct_dlv_26_a_path_with_port_9_is_that_of_a_client_that_connects() {
    let mut scene = Scene::all().await;
    let bob = somebody();
    let ids = deposited(&mut scene, &bob, &["hi"]).await;
    let invite = invited(&mut scene, &bob).await;
    let discard = |answer: &mut Acceptance| {
        let host = answer.path();
        let host = host.split([':', '/']).nth(3).unwrap_or_default();
        let path = format!("a=path:msrp://{host}:9/{};tcp\r\n", fresh());
        answer.attribute("path", &path);
    };
    let mut session =
        PushSession::answer_with(&mut scene.core, invite, Setup::Active, discard).await;
    assert_eq!(session.take().await.message_id(), ids[0]);
    session.bye(&mut scene.core).await;
    assert_eq!(scene.states(&bob).await, [MessageState::Delivered]);
}

#[tokio::test]
async fn ct_dlv_26_a_client_that_does_not_say_who_connects_is_connected_to() {
    let mut scene = Scene::all().await;
    for setup in ["a=setup:holdconn\r\n", ""] {
        let bob = somebody();
        let ids = deposited(&mut scene, &bob, &["hi"]).await;
        let invite = invited(&mut scene, &bob).await;
        let change = |answer: &mut Acceptance| answer.attribute("setup", setup);
        let mut session =
            PushSession::answer_with(&mut scene.core, invite, Setup::Passive, change).await;
        assert_eq!(session.take().await.message_id(), ids[0], "{setup:?}");
        session.bye(&mut scene.core).await;
    }
}

/// Two routers before the client, the one that is nearest to it first.
fn record_routes(core: &SipPeer) -> [String; 2] {
    ["near", "far"].map(|name| format!("<sip:{name}@{};transport=tcp;lr>", core.tcp()))
}

/// A request within a dialog goes to the Contact, by the recorded routes in reverse.
fn is_routed(request: &SipText, core: &SipPeer) {
    let [near, far] = record_routes(core);
    let routes: Vec<&str> = request.all("Route");
    let routes: Vec<&str> = routes.iter().flat_map(|line| line.split(", ")).collect();
    assert_eq!(routes, [far, near], "{request}");
    let method = request.method().expect("a request");
    let line = format!("{method} sip:bob@{};transport=tcp SIP/2.0", core.tcp());
    assert_eq!(request.start_line(), line);
}

#[tokio::test]
async fn ct_dlg_02_the_recorded_route_is_followed_backwards() {
    let mut scene = Scene::all().await;
    let bob = somebody();
    deposited(&mut scene, &bob, &["hi"]).await;
    let invite = invited(&mut scene, &bob).await;
    let local = scene.core.tcp();
    let routes = record_routes(&scene.core);
    let path = format!("msrp://{local}/{};tcp", fresh());
    let mut answer = acceptance(&scene.core, local, &path, Setup::Active);
    let recorded = routes.map(|route| format!("Record-Route: {route}"));
    answer.lines.extend(recorded);
    let core = &mut scene.core;
    core.answer(&invite, "200 OK", &answer.lines, &answer.sdp)
        .await;
    is_routed(&core.acknowledged(&invite).await, core);
    // Nobody connects: it ends with a BYE.
    let call_id = invite.text.field("Call-ID").to_owned();
    let is_bye = |text: &SipText| text.method() == Some("BYE") && text.field("Call-ID") == call_id;
    let bye = core.expect("a BYE", is_bye).await;
    is_routed(&bye.text, core);
    core.answer(&bye, "200 OK", &[], "").await;
}

/// Takes what a slow client is sent until the edge refreshes the session, which a provisional answer
/// allows by these methods; the refresh.
async fn refreshed(allow: &str) -> (SipText, SipText, Scene) {
    let mut scene = Scene::all().await;
    let bob = somebody();
    let texts: Vec<String> = (0..6).map(|number| format!("number {number}")).collect();
    let texts: Vec<&str> = texts.iter().map(String::as_str).collect();
    deposited(&mut scene, &bob, &texts).await;
    let invite = invited(&mut scene, &bob).await;
    let early = [
        format!("Allow: {allow}"),
        format!("Contact: <sip:early@{};transport=tcp>", scene.core.tcp()),
    ];
    scene.core.answer(&invite, "180 Ringing", &early, "").await;
    let routes = record_routes(&scene.core);
    let change = |answer: &mut Acceptance| {
        answer.header("Session-Expires", "90;refresher=uac");
        answer.lines.retain(|line| !line.starts_with("Allow: "));
        let recorded = routes.map(|route| format!("Record-Route: {route}"));
        answer.lines.extend(recorded);
    };
    let mut session =
        PushSession::answer_with(&mut scene.core, invite, Setup::Active, change).await;
    // Slow, and yet within the 30 s that each may take.
    let mut window = Vec::new();
    for _ in 0..4 {
        window.push(session.next().await);
    }
    tokio::time::sleep(Duration::from_secs(25)).await;
    for message in &window {
        session.answer(message.last(), "200 OK").await;
    }
    let rest = [session.next().await, session.next().await];
    let call_id = session.invite.text.field("Call-ID").to_owned();
    let is_refresh = |text: &SipText| {
        matches!(text.method(), Some("UPDATE" | "INVITE")) && text.field("Call-ID") == call_id
    };
    let core = &mut scene.core;
    let refresh = core.expect_within(UNTIL_REFRESH, "a refresh", is_refresh);
    let refresh = refresh.await;
    let mut lines = vec!["Session-Expires: 90;refresher=uac".to_owned()];
    lines.push(format!("Contact: <sip:bob@{};transport=tcp>", core.tcp()));
    core.answer(&refresh, "200 OK", &lines, "").await;
    if refresh.text.method() == Some("INVITE") {
        is_routed(&core.acknowledged(&refresh).await, core);
    }
    for message in &rest {
        session.answer(message.last(), "200 OK").await;
    }
    let invite = session.invite.text.clone();
    let bye = session.bye(core).await;
    is_routed(&bye.text, core);
    assert_eq!(scene.states(&bob).await, [MessageState::Delivered; 6]);
    (invite, refresh.text, scene)
}

async fn by_update() {
    let (_, update, scene) = refreshed("INVITE, ACK, BYE, UPDATE").await;
    assert_eq!(update.method(), Some("UPDATE"), "{update}");
    assert_eq!(update.body(), b"");
    assert!(update.field("Session-Expires").ends_with(";refresher=uac"));
    is_routed(&update, &scene.core);
}

async fn by_re_invite() {
    let (invite, again, _) = refreshed("INVITE, ACK, BYE").await;
    assert_eq!(again.method(), Some("INVITE"), "{again}");
    let of_session = |request: &SipText| -> Vec<String> {
        let sdp = String::from_utf8_lossy(request.body()).into_owned();
        let is_wanted = |line: &&str| line.starts_with("o=") || line.starts_with("a=path:");
        sdp.lines().filter(is_wanted).map(str::to_owned).collect()
    };
    assert_eq!(of_session(&invite).len(), 2);
    assert_eq!(of_session(&again), of_session(&invite));
}

#[tokio::test]
async fn ct_dlv_28_29_ct_dlg_02_a_slow_session_is_refreshed_by_what_the_client_allows() {
    tokio::join!(by_update(), by_re_invite());
}

#[tokio::test]
async fn ct_dlg_04_later_requests_go_to_where_the_client_has_moved() {
    let mut scene = Scene::all().await;
    for method in ["UPDATE", "INVITE"] {
        let bob = somebody();
        let ids = deposited(&mut scene, &bob, &["hi"]).await;
        let invite = invited(&mut scene, &bob).await;
        let [near, far] = record_routes(&scene.core);
        let mut sdp = String::new();
        let change = |answer: &mut Acceptance| {
            answer.lines.push(format!("Record-Route: {near}"));
            answer.lines.push(format!("Record-Route: {far}"));
            answer.sdp.clone_into(&mut sdp);
        };
        let mut session =
            PushSession::answer_with(&mut scene.core, invite, Setup::Active, change).await;
        let moved = format!("sip:moved@{};transport=tcp", scene.core.tcp());
        let request = session
            .request(method, 1)
            .line(format!("Contact: <{moved}>;+g.oma.sip-im"));
        let request = match method {
            "INVITE" => request.body("application/sdp", sdp),
            _ => request,
        };
        let answer = session.call(&mut scene.core, &request).await;
        assert_eq!(answer.status(), Some(200), "{answer}");
        if method == "INVITE" {
            let way = session.invite.way.clone();
            scene.core.send(&way, &session.request("ACK", 1)).await;
        }
        assert_eq!(session.take().await.message_id(), ids[0]);
        let bye = session.bye(&mut scene.core).await.text;
        assert_eq!(bye.start_line(), format!("BYE {moved} SIP/2.0"));
        let routes: Vec<&str> = bye.all("Route");
        let routes: Vec<&str> = routes.iter().flat_map(|line| line.split(", ")).collect();
        assert_eq!(routes, [far, near], "{bye}");
    }
}

#[tokio::test]
async fn ct_dlg_05_our_own_route_is_taken_off_and_none_of_ours_is_left() {
    let mut scene = Scene::all().await;
    let bob = somebody();
    let ours = "<sip:{edge};transport=tcp;lr>";
    scene
        .deposit(&example::message(&bob).set("Route", ours))
        .await;
    assert_eq!(scene.states(&bob).await, [MessageState::Stored]);

    let next = format!("<sip:{};transport=tcp;lr>", scene.core.tcp());
    for top in [
        "<sip:{edge};transport=tcp;lr;orig>",
        "<sip:{edge};transport=tcp;lr;orig>, <sip:{edge};transport=tcp;lr>",
    ] {
        let carol = somebody();
        let onward = example::message(&carol)
            .without("P-Served-User")
            .set("Route", &format!("{top}, {next}"));
        let sent = scene.core.send(&scene.way, &onward).await;
        let arrival = scene.core.request("MESSAGE", &uri(&carol)).await;
        assert_eq!(arrival.text.all("Route"), [next.as_str()], "{top}");
        scene.core.answer(&arrival, "200 OK", &[], "").await;
        assert_eq!(
            scene.core.response_to(&sent).await.status(),
            Some(200),
            "{top}"
        );
        assert_eq!(scene.operator.list(&uri(&carol)).await, []);
    }
}
