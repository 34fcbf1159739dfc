//! The operators' console as a browser finds it, and as those do who should not: each threat, over real sockets.

mod guest;

use std::time::Duration;

use proto::v1::{Message, MessageState};
use restante_tests::http::send;
use restante_tests::patience::{START, within};
use restante_tests::sip::example;
use restante_tests::{Deployment, Scene, somebody, uri};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;
use tokio::time::sleep;

use guest::{Guest, token};

/// All pages, with what they need.
const PAGES: [&str; 8] = [
    "/",
    "/messages",
    "/message?id=1",
    "/order?id=1&verb=hold",
    "/content?id=1",
    "/download?id=1",
    "/queue",
    "/live",
];

/// A deployment with one stored message.
async fn scene() -> (Scene, Message) {
    scene_of(Deployment::all()).await
}

async fn scene_of(plan: restante_tests::deployment::Plan) -> (Scene, Message) {
    let mut scene = Scene::start(plan.set("events.enabled", "true")).await;
    let message = scene.deposit_text(&somebody(), "Lunch at noon?").await;
    (scene, message)
}

/// The fields that hold a message.
fn hold(id: &str) -> [(&str, &str); 3] {
    [("id", id), ("verb", "hold"), ("reason", "ticket 4711")]
}

#[tokio::test]
async fn a_token_signs_its_holder_in_once_and_nobody_without() {
    let deployment = Deployment::storage_alone().start().await;
    let guest = Guest::new(&deployment);
    let token = token(&deployment, "").await;
    for wrong in ["", "x", &token[1..], &token.to_lowercase()] {
        let reply = guest.sign_in(wrong).await;
        assert_eq!((reply.status, reply.field("Set-Cookie")), (403, ""));
    }
    let reply = guest.sign_in(&token).await;
    assert_eq!((reply.status, reply.field("Location")), (303, "/"));
    let cookie = reply.field("Set-Cookie");
    let port = guest.address.port();
    assert!(
        cookie.starts_with(&format!("__Host-restante-{port}=")),
        "{cookie}"
    );
    let (_, attributes) = cookie.split_once("; ").expect("attributes");
    assert_eq!(attributes, "Path=/; Secure; HttpOnly; SameSite=Strict");
    let again = guest.sign_in(&token).await;
    assert_eq!((again.status, again.field("Set-Cookie")), (403, ""));
    let log = deployment.process(restante_tests::Part::Storage).log();
    let told = log.lines().join("\n");
    let secret = cookie.split(['=', ';']).nth(1).expect("a value");
    assert!(
        !told.contains(&token) && !told.contains(secret),
        "secrets are not logged"
    );
}

#[tokio::test]
async fn without_a_session_the_console_shows_and_does_nothing() {
    let (scene, message) = scene().await;
    let mut stranger = Guest::new(&scene.deployment);
    let forged = format!("__Host-restante-{}=AAAA", stranger.address.port());
    for cookie in [String::new(), forged] {
        stranger.cookie = cookie;
        for path in PAGES {
            let reply = stranger.get(path).await;
            assert_eq!(
                (reply.status, reply.field("Location")),
                (303, "/sign-in"),
                "{path}"
            );
        }
        let reply = stranger.get("/live/events").await;
        assert!(
            reply.status == 303 && reply.body.is_empty(),
            "{}",
            reply.head
        );
        for path in ["/order", "/push", "/sign-out"] {
            let reply = stranger.post(path, &hold(&message.message_id)).await;
            assert_eq!(reply.status, 401, "{path}");
        }
    }
    let state = scene.operator.state(&message.message_id).await;
    assert_eq!(state, MessageState::Stored);
}

#[tokio::test]
async fn a_name_that_is_led_here_by_somebody_else_is_not_answered() {
    let deployment = Deployment::storage_alone().start().await;
    let guest = Guest::signed_in(&deployment, "").await;
    let port = guest.address.port();
    for host in [
        "Host: rebound.example.net".to_owned(),
        format!("Host: rebound.example.net:{port}"),
        format!("Host: {}", guest.address.ip()),
        String::new(),
    ] {
        let lines = guest.unusual("Host", &host);
        for path in ["/", "/sign-in", "/console.js", "/none"] {
            let reply = guest.request("GET", path, &lines, "").await;
            assert!(
                matches!(reply.status, 400 | 421),
                "{host:?} {path}: {}",
                reply.head
            );
            assert!(!reply.body.contains("<"), "{}", reply.body);
        }
    }
    let lines = guest.unusual("Host", &format!("Host: localhost:{port}"));
    let lines: Vec<_> = lines
        .into_iter()
        .filter(|line| !line.starts_with("Origin"))
        .collect();
    assert_eq!(guest.request("GET", "/", &lines, "").await.status, 200);
}

#[tokio::test]
async fn forms_of_other_pages_and_other_sessions_change_nothing() {
    let (scene, message) = scene().await;
    let guest = Guest::signed_in(&scene.deployment, "").await;
    let other = Guest::signed_in(&scene.deployment, "").await;
    let order = hold(&message.message_id);
    for origin in [
        "Origin: http://evil.example.net",
        "Origin: http://127.0.0.1:1",
        "Origin: null",
        "",
    ] {
        let lines = guest.unusual("Origin", origin);
        for path in ["/order", "/push", "/sign-out", "/sign-in"] {
            let reply = guest.post_with(path, &lines, &order).await;
            assert_eq!(reply.status, 403, "{origin} {path}");
        }
    }
    let mut lines = guest.usual();
    lines.push("Sec-Fetch-Site: same-site".to_owned());
    assert_eq!(guest.post_with("/order", &lines, &order).await.status, 403);
    for form in ["", "AAAA", &other.form] {
        let forged = Guest {
            form: form.to_owned(),
            ..guest.clone()
        };
        for path in ["/order", "/push", "/sign-out"] {
            assert_eq!(forged.post(path, &order).await.status, 403, "{form} {path}");
        }
    }
    // What changes something is no address to visit.
    let path = format!(
        "/order?id={}&verb=hold&form={}",
        message.message_id, guest.form
    );
    assert_eq!(guest.get(&path).await.status, 200);
    assert_eq!(guest.get("/push").await.status, 405);
    let state = scene.operator.state(&message.message_id).await;
    assert_eq!(state, MessageState::Stored);

    let reply = guest.post("/order", &order).await;
    assert_eq!(reply.status, 303, "{}", reply.body);
    let state = scene.operator.state(&message.message_id).await;
    assert_eq!(state, MessageState::Held);
}

#[tokio::test]
async fn the_console_does_what_the_roles_of_its_token_allow_and_says_who_did_it() {
    let (scene, message) = scene().await;
    let id = message.message_id.as_str();
    let content = format!("/content?id={id}");
    let download = format!("/download?id={id}");
    for (roles, may_change, may_read) in [
        ("reader", false, false),
        ("body-reader", false, true),
        ("operator", true, false),
        ("operator,body-reader", true, true),
    ] {
        let guest = Guest::signed_in(&scene.deployment, roles).await;
        for path in [
            "/".to_owned(),
            "/queue".to_owned(),
            "/live".to_owned(),
            format!("/message?id={id}"),
        ] {
            assert_eq!(guest.get(&path).await.status, 200, "{roles} {path}");
        }
        let page = guest.get(&format!("/message?id={id}")).await.body;
        assert_eq!(page.contains("verb="), may_change, "{roles}");
        assert_eq!(page.contains("/content?"), may_read, "{roles}");
        for path in [&content, &download] {
            let reply = guest.get(path).await;
            assert_eq!(
                reply.status,
                if may_read { 200 } else { 403 },
                "{roles} {path}"
            );
            assert_eq!(
                reply.body.contains("Lunch at noon?"),
                may_read,
                "{roles} {path}"
            );
        }
        let before = scene.operator.state(id).await;
        let order = if before == MessageState::Held {
            "unhold"
        } else {
            "hold"
        };
        let fields = [("id", id), ("verb", order), ("reason", "")];
        let reply = guest.post("/order", &fields).await;
        assert_eq!(
            reply.status,
            if may_change { 303 } else { 403 },
            "{roles}: {}",
            reply.body
        );
        let is_changed = scene.operator.state(id).await != before;
        assert_eq!(is_changed, may_change, "{roles}");
        let push = guest.post("/push", &[("user", &message.served_user)]).await;
        assert_eq!(push.status, if may_change { 303 } else { 403 }, "{roles}");
    }
    let timeline = scene
        .operator
        .message(id)
        .await
        .expect("a message")
        .timeline;
    let actors: Vec<_> = timeline.iter().map(|event| event.actor.as_str()).collect();
    let in_console = actors
        .iter()
        .filter(|actor| actor.ends_with(" in the console"));
    assert_eq!(in_console.count(), 2, "{actors:?}");
}

#[tokio::test]
async fn every_answer_tells_the_browser_to_run_nothing_else_and_to_keep_nothing() {
    let (scene, message) = scene().await;
    let guest = Guest::signed_in(&scene.deployment, "").await;
    let stranger = Guest::new(&scene.deployment);
    let id = message.message_id.as_str();
    let mut replies = vec![
        guest.post("/order", &hold(id)).await,
        guest.post("/order", &[("verb", "none")]).await,
        guest.request("PUT", "/", &guest.usual(), "").await,
        guest
            .request("GET", "/", &guest.unusual("Host", "Host: a"), "")
            .await,
        stranger.sign_in("wrong").await,
        stranger.get("/").await,
        stranger.post("/order", &[]).await,
    ];
    for path in [
        "/",
        "/messages",
        "/queue",
        "/live",
        "/sign-in",
        "/console.js",
        "/console.css",
        "/icon.svg",
        "/none",
        "/message?id=nothing",
        &format!("/message?id={id}"),
        &format!("/content?id={id}"),
        &format!("/download?id={id}"),
    ] {
        replies.push(guest.get(path).await);
    }
    for reply in replies {
        let policy = reply.field("Content-Security-Policy");
        assert!(policy.starts_with("default-src 'none'; "), "{}", reply.head);
        for part in [
            "script-src 'self';",
            "style-src 'self';",
            "frame-ancestors 'none'",
            "base-uri 'none'",
            "form-action 'self'",
        ] {
            assert!(policy.contains(part), "{part} in {policy}");
        }
        assert!(!policy.contains("unsafe"), "{policy}");
        for (name, value) in [
            ("X-Frame-Options", "DENY"),
            ("X-Content-Type-Options", "nosniff"),
            ("Referrer-Policy", "same-origin"),
            ("Cache-Control", "no-store"),
            ("Cross-Origin-Opener-Policy", "same-origin"),
            ("Cross-Origin-Resource-Policy", "same-origin"),
        ] {
            assert_eq!(reply.field(name), value, "{name}: {}", reply.head);
        }
        for inline in [
            "<style",
            "style=",
            "onclick=",
            "onload=",
            "javascript:",
            "<script>",
        ] {
            assert!(!reply.body.contains(inline), "{inline} in {}", reply.body);
        }
    }
}

#[tokio::test]
async fn messages_are_asked_for_by_the_group_they_came_through() {
    let mut scene = Scene::start(Deployment::all()).await;
    let user = somebody();
    scene.deposit(&example::message(&user)).await;
    let guest = Guest::signed_in(&scene.deployment, "").await;
    let path = format!("/messages?user={user}@example.org");
    let all = guest.get(&path).await.body;
    assert!(all.contains("data-name=\"Message\""), "{all}");
    let path = format!("{path}&group=team@example.org");
    let page = guest.get(&path).await.body;
    assert!(page.contains("No messages."), "{page}");
    assert!(page.contains("value=\"team@example.org\""), "{page}");
}

#[tokio::test]
async fn what_a_sender_writes_is_text_in_every_page() {
    const HOSTILE: &str = "</title><script>alert(1)</script><img src=x onerror=alert(1)>\"'&";
    let mut scene = Scene::start(Deployment::all()).await;
    let user = somebody();
    let request = example::message(&user)
        .set("Subject", HOSTILE)
        .body("text/html", HOSTILE);
    scene.deposit(&request).await;
    let message = scene.operator.only(&uri(&user)).await;
    let guest = Guest::signed_in(&scene.deployment, "").await;
    let id = message.message_id.as_str();
    let reason = [("id", id), ("verb", "hold"), ("reason", HOSTILE)];
    assert_eq!(guest.post("/order", &reason).await.status, 303);
    for path in [
        format!("/messages?user={user}@EXAMPLE.org"),
        "/messages?user=%3Cscript%3Ealert(1)%3C/script%3E@example.org&sender=%22%3E%3Cscript%3E"
            .to_owned(),
        "/messages?group=%22%3E%3Cscript%3E".to_owned(),
        format!("/message?id={id}"),
        format!("/message?id={id}&done=%3Cscript%3E"),
        "/message?id=%3Cscript%3Ealert(1)".to_owned(),
        format!("/order?id={id}&verb=delete"),
        format!("/content?id={id}"),
        "/live?user=%22%3E%3Cscript%3Ealert(1)%3C/script%3E".to_owned(),
    ] {
        let reply = guest.get(&path).await;
        let body = &reply.body;
        assert!(
            reply.field("Content-Type").starts_with("text/html"),
            "{path}: {}",
            reply.head
        );
        for markup in ["<script>", "</title><script", "<img src=x"] {
            assert!(!body.contains(markup), "{path}: {markup} in {body}");
        }
    }
    let shown = guest.get(&format!("/content?id={id}")).await.body;
    assert!(
        shown.contains("&lt;script&gt;alert(1)&lt;/script&gt;"),
        "{shown}"
    );
    let kept = guest.get(&format!("/download?id={id}")).await;
    assert_eq!(kept.field("Content-Type"), "application/octet-stream");
    assert!(
        kept.field("Content-Disposition")
            .starts_with("attachment; filename=\"message-")
    );
}

#[tokio::test]
async fn requests_that_are_too_large_or_too_slow_are_refused() {
    let deployment = Deployment::storage_alone().start().await;
    let guest = Guest::signed_in(&deployment, "").await;
    let long = "a".repeat(6 << 10);
    let reply = guest
        .post("/order", &[("id", "1"), ("reason", &long)])
        .await;
    assert_eq!(reply.status, 413, "{}", reply.head);
    let mut lines = guest.usual();
    lines.push(format!("X-Long: {}", "a".repeat(32 << 10)));
    assert_eq!(guest.request("GET", "/", &lines, "").await.status, 431);
    let many = (0..100).map(|number| format!("X-{number}: 1"));
    let lines: Vec<_> = guest.usual().into_iter().chain(many).collect();
    assert_eq!(guest.request("GET", "/", &lines, "").await.status, 431);
    let request = format!(
        "POST /order HTTP/1.1\r\nHost: {0}\r\nOrigin: http://{0}\r\n\
                           Cookie: {1}\r\nConnection: close\r\n\
                           Content-Type: application/x-www-form-urlencoded\r\nContent-Length: 10\r\n\r\nform=",
        guest.address, guest.cookie
    );
    let slow = within(
        START,
        "the end of a slow form",
        send(guest.address, &request),
    )
    .await;
    assert_eq!(slow.expect("an answer").status, 408);
    let fields = [("id", "1"), ("verb", "hold"), ("reason", &"a".repeat(501))];
    assert_eq!(guest.post("/order", &fields).await.status, 400);
}

#[tokio::test]
async fn too_many_wrong_tokens_are_told_so_and_a_good_one_is_taken() {
    let deployment = Deployment::storage_alone().start().await;
    let guest = Guest::new(&deployment);
    for _ in 0..10 {
        assert_eq!(guest.sign_in("wrong").await.status, 403);
    }
    let reply = guest.sign_in("wrong").await;
    assert_eq!((reply.status, reply.field("Retry-After")), (429, "60"));
    Guest::signed_in(&deployment, "reader").await;
}

/// Opens the live watch; what has come so far.
async fn watch(guest: &Guest, user: &str) -> (TcpStream, String) {
    let mut stream = TcpStream::connect(guest.address)
        .await
        .expect("a connection");
    let lines: String = guest
        .usual()
        .iter()
        .map(|line| format!("{line}\r\n"))
        .collect();
    let request = format!("GET /live/events?user={user} HTTP/1.1\r\n{lines}\r\n");
    stream.write_all(request.as_bytes()).await.expect("open");
    let mut come = String::new();
    while !come.contains(": begin") {
        come += &piece(&mut stream).await.expect("a beginning");
    }
    assert!(come.contains("text/event-stream"), "{come}");
    (stream, come)
}

/// What comes next; nothing at the end.
async fn piece(stream: &mut TcpStream) -> Option<String> {
    let mut octets = [0; 4_096];
    let length = within(START, "a piece", stream.read(&mut octets)).await;
    let length = length.expect("an open stream");
    (length > 0).then(|| String::from_utf8_lossy(&octets[..length]).into_owned())
}

/// Reads until the end of the answer.
async fn end(stream: &mut TcpStream) {
    // The last chunk is an empty one; the connection may stay open.
    while let Some(piece) = piece(stream).await {
        if piece.ends_with("0\r\n\r\n") {
            return;
        }
    }
}

#[tokio::test]
async fn whoever_signs_out_sees_nothing_more() {
    let (mut scene, message) = scene().await;
    let guest = Guest::signed_in(&scene.deployment, "reader").await;
    let other = Guest::signed_in(&scene.deployment, "reader").await;
    let (mut stream, mut come) = watch(&guest, "").await;
    let stored = scene.deposit_text(&somebody(), "More").await;
    while !come.contains(&stored.message_id) {
        come += &piece(&mut stream).await.expect("an event");
    }
    assert!(!come.contains(&message.message_id), "from now on: {come}");

    let reply = guest.post("/sign-out", &[]).await;
    assert_eq!((reply.status, reply.field("Location")), (303, "/sign-in"));
    assert!(
        reply.field("Set-Cookie").contains("Max-Age=0"),
        "{}",
        reply.head
    );
    within(START, "the end of the watch", end(&mut stream)).await;
    assert_eq!(
        guest.get("/").await.status,
        303,
        "the cookie is worth nothing"
    );
    assert_eq!(other.get("/").await.status, 200, "others stay");
}

#[tokio::test]
async fn a_page_that_opens_its_watch_anew_goes_on_where_it_was() {
    let (mut scene, _) = scene().await;
    let guest = Guest::signed_in(&scene.deployment, "reader").await;
    let (mut stream, mut come) = watch(&guest, "").await;
    let position = loop {
        // The first thing that is told, before anything has happened.
        let mut positions = come.lines().filter_map(|line| line.strip_prefix("id: "));
        match positions.next() {
            Some(position) => break position.to_owned(),
            None => come += &piece(&mut stream).await.expect("a position"),
        }
    };
    drop(stream);
    let stored = scene.deposit_text(&somebody(), "More").await;
    let (mut stream, mut come) = watch(&guest, &format!("&after={position}")).await;
    while !come.contains(&stored.message_id) {
        come += &piece(&mut stream).await.expect("an event");
    }
}

#[tokio::test]
async fn who_signs_in_and_out_stands_in_the_audit_log() {
    let deployment = Deployment::storage_alone().start().await;
    let guest = Guest::signed_in(&deployment, "operator").await;
    guest.post("/sign-out", &[]).await;
    let log = deployment.data().join("audit.jsonl");
    let log = std::fs::read_to_string(log).expect("an audit log");
    let lines: Vec<serde_json::Value> = log
        .lines()
        .map(|line| serde_json::from_str(line).expect("JSON"))
        .collect();
    let told: Vec<_> = lines
        .iter()
        .map(|line| (line["verb"].as_str(), line["stage"].as_str()))
        .collect();
    let answered = |verb| (Some(verb), Some("answered"));
    assert_eq!(
        told,
        [
            (Some("CreateSignIn"), Some("asked")),
            answered("CreateSignIn"),
            answered("SignIn"),
            answered("SignOut"),
        ]
    );
    for line in &lines[1..3] {
        assert_eq!(line["after"]["roles"], serde_json::json!(["operator"]));
        assert!(!line["who"].as_str().unwrap_or_default().is_empty());
    }
}

#[tokio::test]
async fn links_of_other_pages_of_this_machine_lead_to_no_content() {
    let (scene, message) = scene().await;
    let guest = Guest::signed_in(&scene.deployment, "").await;
    let mut lines = guest.unusual("Origin", "");
    lines.push("Sec-Fetch-Mode: navigate".to_owned());
    lines.push("Sec-Fetch-Site: same-site".to_owned());
    let id = message.message_id.as_str();
    for (page, status) in [("message", 200), ("content", 403), ("download", 403)] {
        let path = format!("/{page}?id={id}");
        let reply = guest.request("GET", &path, &lines, "").await;
        assert_eq!(reply.status, status, "{page}: {}", reply.head);
    }
}

#[tokio::test]
async fn a_session_ends_when_nobody_is_there_though_its_watch_is_open() {
    let plan = Deployment::storage_alone().set("events.enabled", "true");
    let deployment = plan.set("console.idle", "2s").start().await;
    let guest = Guest::signed_in(&deployment, "reader").await;
    let (mut stream, _) = watch(&guest, "").await;
    within(START, "the end of the watch", end(&mut stream)).await;
    assert_eq!(guest.get("/").await.status, 303);
}

#[tokio::test]
async fn a_session_ends_in_the_end_however_busy_it_is() {
    let plan = Deployment::storage_alone().set("console.idle", "2s");
    let deployment = plan.set("console.session", "3s").start().await;
    let guest = Guest::signed_in(&deployment, "reader").await;
    let busy = async {
        while guest.get("/sign-in").await.status == 200 && guest.get("/queue").await.status == 200 {
            sleep(Duration::from_millis(200)).await;
        }
    };
    within(START, "the end of the session", busy).await;
}

#[tokio::test]
async fn a_console_that_is_off_is_not_there() {
    let deployment = Deployment::storage_alone()
        .set("console.listen", "off")
        .start()
        .await;
    let ended = deployment.restantectl(&["console"]).await;
    assert_ne!(ended.code, Some(0));
    assert!(
        ended.errors.contains("there is no console"),
        "{}",
        ended.errors
    );
}
