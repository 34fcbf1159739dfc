//! Requirements §5.14: the list of deferred messages over XCAP.

use std::net::IpAddr;

use proto::v1::{ExportDeferredListRequest, MessageState};
use restante_tests::http::{Reply, request};
use restante_tests::patience::{ANSWER, within};
use restante_tests::run::run;
use restante_tests::sip::{example, fresh};
use restante_tests::subscriber::Subscriber;
use restante_tests::{Deployment, LoopbackNet, Scene, uri};
use tokio::net::TcpSocket;

const AUID: &str = "org.openmobilealliance.deferred-list";

fn somebody() -> String {
    format!("bob-{}", fresh())
}

/// A scene whose proxy is the core's host, and nobody else.
async fn scene() -> Scene {
    let plan = Deployment::all();
    let proxy = format!("{}/32", plan.net().host(LoopbackNet::CORE));
    Scene::start(plan.set("xcap.trusted_proxies", &proxy)).await
}

fn document(user: &str) -> String {
    format!("/{AUID}/users/{}/deferred-list", uri(user))
}

/// Asks in the name of a user, as his proxy does.
struct Proxy<'a> {
    scene: &'a Scene,
    from: IpAddr,
    lines: Vec<String>,
}

impl<'a> Proxy<'a> {
    fn of(scene: &'a Scene, user: &str) -> Self {
        Self {
            scene,
            from: scene.deployment.net().host(LoopbackNet::CORE),
            lines: vec![format!("X-3GPP-Asserted-Identity: \"{}\"", uri(user))],
        }
    }

    fn with(mut self, line: &str) -> Self {
        self.lines.push(line.to_owned());
        self
    }

    async fn ask(&self, method: &str, path: &str) -> Reply {
        let to = self.scene.deployment.address("xcap.listen");
        let answer = request((self.from, to), method, path, &self.lines);
        let answer = within(ANSWER, "an XCAP answer", answer).await;
        answer.expect("an answer")
    }
}

#[tokio::test]
async fn ct_xcp_01_the_owner_reads_his_list_and_parts_of_it() {
    let mut scene = scene().await;
    let bob = somebody();
    let first = scene.deposit_text(&bob, "one").await;
    let second = scene.deposit_text(&bob, "three").await;
    let proxy = Proxy::of(&scene, &bob);
    let list = proxy.ask("GET", &document(&bob)).await;
    assert_eq!(list.status, 200, "{list:?}");
    let media_type = list.field("Content-Type");
    assert_eq!(media_type, "application/vnd.oma.im.deferred-list+xml");
    assert_eq!(list.body.matches("<history id=").count(), 2, "{list:?}");
    for part in [
        "<size>3</size>",
        "<size>5</size>",
        "<subject>Lunch</subject>",
        &format!(
            "<history-reference>sip:{}</history-reference>",
            first.message_id
        ),
        "<from>&quot;Alice&quot; &lt;sip:alice@example.org&gt;;tag=",
        "<auth-id>sip:alice@example.org</auth-id>",
        "<expiry>",
    ] {
        assert!(list.body.contains(part), "{part} in {}", list.body);
    }
    let tag = list.field("ETag").to_owned();
    let selector = format!("history%5B@id=%22{}%22%5D", second.message_id);
    let node = format!("{}/~~/history-list/{selector}", document(&bob));
    let one = proxy.ask("GET", &node).await;
    assert_eq!((one.status, one.field("ETag")), (200, tag.as_str()));
    assert_eq!(one.field("Content-Type"), "application/xcap-el+xml");
    assert!(
        one.body
            .starts_with(&format!("<history id=\"{}\">", second.message_id)),
        "{one:?}"
    );
    let size = proxy
        .ask(
            "GET",
            &format!("{}/~~/history-list/history%5B1%5D/size", document(&bob)),
        )
        .await;
    assert_eq!(size.body, "<size>3</size>");
    let head = proxy.ask("HEAD", &document(&bob)).await;
    assert_eq!((head.status, head.body.as_str()), (200, ""));
    let again = Proxy::of(&scene, &bob).with(&format!("If-None-Match: {tag}"));
    let unchanged = again.ask("GET", &document(&bob)).await;
    assert_eq!((unchanged.status, unchanged.body.as_str()), (304, ""));
    scene.deposit_text(&bob, "four").await;
    let again = Proxy::of(&scene, &bob).with(&format!("If-None-Match: {tag}"));
    assert_eq!(again.ask("GET", &document(&bob)).await.status, 200);
}

#[tokio::test]
async fn ct_xcp_01_a_user_with_nothing_stored_reads_an_empty_list() {
    let scene = scene().await;
    let bob = somebody();
    let list = Proxy::of(&scene, &bob).ask("GET", &document(&bob)).await;
    assert_eq!(list.status, 200);
    assert!(
        !list.body.contains("<history ") && list.body.contains("<history-list"),
        "{list:?}"
    );
}

#[tokio::test]
async fn ct_xcp_02_only_a_proxy_speaks_for_a_user_and_each_has_his_own_tree() {
    let mut scene = scene().await;
    let (bob, carol) = (somebody(), somebody());
    scene.deposit_text(&bob, "hi").await;
    scene.deposit_text(&carol, "hi").await;
    let mut nobody = Proxy::of(&scene, &bob);
    nobody.lines.clear();
    assert_eq!(nobody.ask("GET", &document(&bob)).await.status, 403);
    let mut stranger = Proxy::of(&scene, &bob);
    stranger.from = scene.deployment.net().host(LoopbackNet::SERVER);
    assert_eq!(stranger.ask("GET", &document(&bob)).await.status, 403);
    let both =
        Proxy::of(&scene, &bob).with(&format!("X-XCAP-Asserted-Identity: \"{}\"", uri(&carol)));
    for user in [&bob, &carol] {
        let reply = both.ask("GET", &document(user)).await;
        assert_eq!(reply.status, 403, "one of them is not the proxy's word");
    }
    let proxy = Proxy::of(&scene, &bob);
    for path in [
        document(&carol),
        document("nobody"),
        document(&bob).replace(AUID, "resource-lists"),
        document(&bob).replace("deferred-list", "other-list"),
        document(&bob).replace("example.org", "elsewhere.org"),
        format!("/{AUID}/global/deferred-list"),
        "/".to_owned(),
        format!("{}/~~/history-list/history%5B7%5D", document(&bob)),
    ] {
        let reply = proxy.ask("GET", &path).await;
        assert_eq!((reply.status, reply.body.as_str()), (404, ""), "{path}");
    }
    let broken = proxy
        .ask("GET", &format!("{}/~~/history%5B", document(&bob)))
        .await;
    assert_eq!(broken.status, 400);
    let mut oma = Proxy::of(&scene, &bob);
    oma.lines = vec![format!("X-XCAP-Asserted-Identity: \"{}\"", uri(&bob))];
    assert_eq!(oma.ask("GET", &document(&bob)).await.status, 200);
}

#[tokio::test]
async fn ct_xcp_03_a_message_is_deleted_by_its_owner_if_he_has_seen_the_list() {
    let mut scene = scene().await;
    let bob = somebody();
    let ids = [
        scene.deposit_text(&bob, "one").await.message_id,
        scene.deposit_text(&bob, "two").await.message_id,
    ];
    let node = |id: &str| {
        let selector = format!("history%5B@id=%22{id}%22%5D");
        format!("{}/~~/history-list/{selector}", document(&bob))
    };
    let tag = {
        let list = Proxy::of(&scene, &bob).ask("GET", &document(&bob)).await;
        list.field("ETag").to_owned()
    };
    let current = Proxy::of(&scene, &bob).with(&format!("If-Match: {tag}"));
    let put = current.ask("PUT", &node(&ids[0])).await;
    assert_eq!((put.status, put.field("Allow")), (405, "GET, HEAD, DELETE"));
    assert_eq!(current.ask("DELETE", &document(&bob)).await.status, 405);
    let part = format!("{}/size", node(&ids[0]));
    assert_eq!(current.ask("DELETE", &part).await.status, 405);
    let first = format!("{}/~~/history-list/history%5B1%5D", document(&bob));
    let conflict = current.ask("DELETE", &first).await;
    assert_eq!(conflict.status, 409, "the next one would be the first then");
    assert!(conflict.body.contains("<cannot-delete/>"), "{conflict:?}");
    let deleted = current.ask("DELETE", &node(&ids[0])).await;
    assert_eq!(deleted.status, 200, "{deleted:?}");
    assert_ne!(deleted.field("ETag"), tag);
    assert_eq!(scene.operator.state(&ids[0]).await, MessageState::Deleted);
    let stale = current.ask("DELETE", &node(&ids[1])).await;
    assert_eq!(stale.status, 412);
    assert_eq!(scene.operator.state(&ids[1]).await, MessageState::Stored);
    let gone = Proxy::of(&scene, &bob).ask("DELETE", &node(&ids[0])).await;
    assert_eq!(gone.status, 404);
    let fresh_tag = Proxy::of(&scene, &bob).with(&format!("If-Match: {}", deleted.field("ETag")));
    assert_eq!(fresh_tag.ask("DELETE", &node(&ids[1])).await.status, 200);
    let timeline = scene
        .operator
        .message(&ids[1])
        .await
        .expect("it is there")
        .timeline;
    assert_eq!(
        timeline.last().map(|event| event.actor.as_str()),
        Some("served user")
    );
}

#[tokio::test]
async fn ct_xcp_03_a_message_that_came_before_its_address_was_an_alias_is_deleted_like_others() {
    let mut scene = scene().await;
    let (bob, alias) = (somebody(), somebody());
    let id = scene.deposit_text(&alias, "to the alias").await.message_id;
    for text in ["one", "two"] {
        scene.deposit_text(&bob, text).await;
    }
    let add = ["user", "alias", "add", &uri(&bob), &uri(&alias)];
    scene.deployment.restantectl(&add).await.done();
    let list = Proxy::of(&scene, &bob).ask("GET", &document(&bob)).await;
    let node = format!(
        "{}/~~/history-list/history%5B@id=%22{id}%22%5D",
        document(&bob)
    );
    let condition = format!("If-Match: {}", list.field("ETag"));
    let proxy = Proxy::of(&scene, &bob).with(&condition);
    let deleted = proxy.ask("DELETE", &node).await;
    assert_eq!(deleted.status, 200, "{deleted:?}");
    let list = Proxy::of(&scene, &bob).ask("GET", &document(&bob)).await;
    assert_eq!(deleted.field("ETag"), list.field("ETag"));
}

#[tokio::test]
async fn ct_xcp_03_what_the_edge_has_in_hand_is_not_sent_once_its_owner_has_deleted_it() {
    let mut scene = scene().await;
    let bob = somebody();
    let mut ids = Vec::new();
    for number in 0..6 {
        let text = format!("number {number}");
        ids.push(scene.deposit_text(&bob, &text).await.message_id);
    }
    scene.register(&bob).await;
    let mut session = scene.accept_push(&bob).await;
    // Four are on their way, two wait at the edge for a place in the window.
    let mut in_flight = Vec::new();
    for _ in 0..4 {
        in_flight.push(session.next().await);
    }
    let selector = format!("history%5B@id=%22{}%22%5D", ids[4]);
    let node = format!("{}/~~/history-list/{selector}", document(&bob));
    let deleted = Proxy::of(&scene, &bob).ask("DELETE", &node).await;
    assert_eq!(deleted.status, 200, "{deleted:?}");
    for message in &in_flight {
        session.answer(message.last(), "200 OK").await;
    }
    assert_eq!(session.take().await.message_id(), ids[5]);
    session.bye(&mut scene.core).await;
    assert_eq!(scene.operator.state(&ids[4]).await, MessageState::Deleted);
}

#[tokio::test]
async fn ct_xcp_03_a_condition_that_cannot_be_read_deletes_nothing() {
    let mut scene = scene().await;
    let bob = somebody();
    let id = scene.deposit_text(&bob, "one").await.message_id;
    let node = format!(
        "{}/~~/history-list/history%5B@id=%22{id}%22%5D",
        document(&bob)
    );
    let tag = Proxy::of(&scene, &bob).ask("GET", &document(&bob)).await;
    let tag = tag.field("ETag").to_owned();
    for conditions in [
        vec!["If-Match: \u{e9}".to_owned()],
        vec!["If-Match: \"0\"".to_owned(), "If-Match: \"77\"".to_owned()],
    ] {
        let mut proxy = Proxy::of(&scene, &bob);
        proxy.lines.extend(conditions);
        assert_eq!(proxy.ask("DELETE", &node).await.status, 412);
    }
    assert_eq!(scene.operator.state(&id).await, MessageState::Stored);
    // A list in two lines is one list (RFC 9110 §5.3).
    let mut proxy = Proxy::of(&scene, &bob).with("If-Match: \"0\"");
    proxy.lines.push(format!("If-Match: {tag}"));
    assert_eq!(proxy.ask("DELETE", &node).await.status, 200);
}

#[tokio::test]
async fn xcp_whoever_says_nothing_keeps_no_proxy_waiting() {
    let scene = scene().await;
    let bob = somebody();
    let stranger = scene.deployment.net().host(LoopbackNet::SERVER);
    let mut silent = Vec::new();
    for _ in 0..200 {
        let socket = TcpSocket::new_v4().expect("a socket");
        socket.bind((stranger, 0).into()).expect("a free port");
        let connection = socket.connect(scene.deployment.address("xcap.listen"));
        silent.push(within(ANSWER, "a connection", connection).await);
    }
    let list = Proxy::of(&scene, &bob).ask("GET", &document(&bob)).await;
    assert_eq!(list.status, 200);
    drop(silent);
}

#[tokio::test]
async fn xcp_a_list_of_messages_with_long_headers_is_read_all_the_same() {
    let mut scene = scene().await;
    let bob = somebody();
    let long = "\"".repeat(7_000);
    for _ in 0..400 {
        let request = example::message(&bob)
            .set("Subject", &long)
            .set("Conversation-ID", &long);
        scene.deposit(&request).await;
    }
    let list = Proxy::of(&scene, &bob).ask("GET", &document(&bob)).await;
    assert_eq!(list.status, 200);
    let shown = list.body.matches("<history id=").count();
    assert!((150..400).contains(&shown), "bounded: {shown}");
    let node = format!("{}/~~/history-list/history%5B1%5D/size", document(&bob));
    let size = Proxy::of(&scene, &bob).ask("GET", &node).await;
    assert_eq!(size.status, 200);
}

#[tokio::test]
async fn xcp_an_unknown_user_has_no_list_where_users_are_listed() {
    let plan = Deployment::all().set("provisioning", "listed");
    let proxy = format!("{}/32", plan.net().host(LoopbackNet::CORE));
    let scene = Scene::start(plan.set("xcap.trusted_proxies", &proxy)).await;
    let (bob, carol) = (somebody(), somebody());
    let add = ["user", "add", &uri(&bob)];
    scene.deployment.restantectl(&add).await.done();
    for (user, status) in [(&bob, 200), (&carol, 404)] {
        let list = Proxy::of(&scene, user).ask("GET", &document(user)).await;
        assert_eq!(list.status, status, "{list:?}");
    }
}

#[tokio::test]
async fn ct_xcp_03_subscribers_are_told_what_is_left_after_a_deletion() {
    let mut scene = scene().await;
    let bob = somebody();
    let id = scene.deposit_text(&bob, "one").await.message_id;
    scene.deposit_text(&bob, "two").await;
    let mut subscriber = Subscriber::behind(&scene.core, &bob);
    let way = scene.way.clone();
    subscriber.subscribe(&mut scene.core, &way, 3_600).await;
    let first = subscriber.notified(&mut scene.core).await;
    assert!(first.has("Text-Message: 2/0 (2/0)"), "{}", first.body);
    let node = format!(
        "{}/~~/history-list/history%5B@id=%22{id}%22%5D",
        document(&bob)
    );
    let deleted = Proxy::of(&scene, &bob).ask("DELETE", &node).await;
    assert_eq!(deleted.status, 200, "{deleted:?}");
    let told = subscriber.notified(&mut scene.core).await;
    assert!(told.has("Text-Message: 1/0 (1/0)"), "{}", told.body);
}

#[tokio::test]
async fn prv_a_sender_who_asked_for_privacy_is_not_in_the_list() {
    let mut scene = scene().await;
    let bob = somebody();
    let hidden = example::message(&bob)
        .set(
            "From",
            "\"Anonymous\" <sip:anonymous@anonymous.invalid>;tag=1",
        )
        .set("Privacy", "id");
    scene.deposit(&hidden).await;
    let list = Proxy::of(&scene, &bob).ask("GET", &document(&bob)).await;
    assert_eq!(list.status, 200);
    assert!(
        list.body.contains("anonymous.invalid") && !list.body.contains("alice"),
        "{list:?}"
    );
}

#[tokio::test]
async fn an_operator_exports_the_same_list() {
    let mut scene = scene().await;
    let bob = somebody();
    scene.deposit_text(&bob, "one").await;
    let list = Proxy::of(&scene, &bob).ask("GET", &document(&bob)).await;
    let request = ExportDeferredListRequest {
        served_user: uri(&bob),
    };
    let url = format!(
        "http://{}",
        scene.deployment.address("storage.operator_listen")
    );
    let endpoint = tonic::transport::Endpoint::from_shared(url).expect("a URL");
    let mut mailboxes =
        proto::v1::mailbox_service_client::MailboxServiceClient::new(endpoint.connect_lazy());
    let exported = mailboxes.export_deferred_list(request).await;
    assert_eq!(exported.expect("a list").into_inner().document, list.body);
}

#[tokio::test]
async fn a_client_lists_and_deletes_what_waits_on_the_command_line() {
    let plan = Deployment::all().set("xcap.trusted_proxies", "127.0.0.1/32");
    let deployment = plan.start().await;
    let (bob, alice) = (uri(&somebody()), uri("alice"));
    for text in ["one", "three"] {
        let send = ["send", bob.as_str(), "--subject", "Lunch", text];
        run(deployment.im_client(&alice, &send)).await.done();
    }
    let root = format!("http://{}/", deployment.address("xcap.listen"));
    let list = ["--assert-identity", "list", "--json", "--xcap-root", &root];
    let listed = run(deployment.im_client(&bob, &list))
        .await
        .done()
        .records();
    assert_eq!(listed.len(), 2);
    assert_eq!(listed[1]["size"], 5);
    assert_eq!(listed[1]["subject"], "Lunch");
    let id = listed[0]["message_id"].as_str().expect("an id").to_owned();
    let delete = ["--assert-identity", "delete", &id, "--xcap-root", &root];
    run(deployment.im_client(&bob, &delete)).await.done();
    let left = run(deployment.im_client(&bob, &list))
        .await
        .done()
        .records();
    assert_eq!(left, [listed[1].clone()]);
    let again = run(deployment.im_client(&bob, &delete)).await;
    assert!(
        again.code == Some(69) && again.errors.contains("404"),
        "{again:?}"
    );
    let unproven = ["list", "--xcap-root", &root];
    let refused = run(deployment.im_client(&bob, &unproven)).await;
    assert!(
        refused.code == Some(69) && refused.errors.contains("403"),
        "{refused:?}"
    );
}
