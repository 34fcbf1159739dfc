//! The main job: a pager message is deferred, queried, and pushed when its user comes back.

use std::process::Stdio;
use std::time::Duration;

use proto::v1::{EventKind, Message, MessageState};
use restante_tests::msrp::{PushSession, Pushed};
use restante_tests::patience::{ANSWER, START, within};
use restante_tests::sip::{SipText, Transport, example, fresh};
use restante_tests::{Deployment, LoopbackNet, Scene, date, run, uri};
use serde_json::Value;
use tokio::io::{AsyncBufReadExt as _, BufReader, Lines};
use tokio::process::ChildStdout;

#[tokio::test]
async fn one_process_defers_shows_and_pushes_a_message() {
    story(Scene::all().await).await;
}

#[tokio::test]
async fn three_processes_defer_show_and_push_a_message() {
    story(Scene::start(Deployment::three_processes()).await).await;
}

async fn story(mut scene: Scene) {
    for transport in [Transport::Tcp, Transport::Udp] {
        let user = format!("bob-{}", fresh());
        let request = example::message(&user);
        let way = match transport {
            Transport::Tcp => scene.way.clone(),
            Transport::Udp => scene.udp().await,
        };
        let exchange = scene.core.call(&way, &request).await;
        is_accepted(&scene, &exchange.request, &exchange.response);
        let message = shown(&scene, &user, &exchange.request).await;
        pushed(&mut scene, &user, &exchange.request, &message).await;
        pushed_again_on_order(&mut scene, &user, &message).await;
    }
}

/// PFM-02 to PFM-05: 202 without Contact and body, with the profile of §2.1.
fn is_accepted(scene: &Scene, request: &SipText, response: &SipText) {
    assert_eq!(response.start_line(), "SIP/2.0 202 Accepted");
    assert_eq!(response.find("Contact"), None);
    assert_eq!(response.field("Content-Length"), "0");
    assert_eq!(response.body(), b"");
    assert_eq!(response.field("Server"), server_name());
    assert!(date::parse(response.field("Date")).is_some(), "{response}");
    assert_eq!(
        response.field("P-Asserted-Identity"),
        format!("<{}>", store_identity(scene))
    );
    for name in ["From", "Call-ID", "CSeq"] {
        assert_eq!(response.field(name), request.field(name));
    }
    let (sent, got) = (request.all("Via"), response.all("Via"));
    assert!(
        got[0].starts_with(sent[0]) && got[1..] == sent[1..],
        "{response}"
    );
    let tag = response.tag("To").expect("a tag");
    assert_eq!(
        response.field("To"),
        format!("{};tag={tag}", request.field("To"))
    );
}

/// The message as an operator sees it, its octets those that were sent.
async fn shown(scene: &Scene, user: &str, request: &SipText) -> Message {
    let message = scene.operator.only(&uri(user)).await;
    assert_eq!(message.state(), MessageState::Stored);
    let (number, host) = message.message_id.split_once('@').expect("number@host");
    assert!(number.parse::<u64>().is_ok(), "{message:?}");
    assert_eq!(host, "store.example.org");
    assert_eq!(message.message_uri, format!("sip:{}", message.message_id));
    assert_eq!(message.sender, example::ALICE);
    assert_eq!(
        scene.operator.request_octets(&message.message_id).await,
        request.octets()
    );
    let shown = scene
        .deployment
        .restantectl(&["show", &message.message_id])
        .await
        .done()
        .records();
    assert_eq!(shown[0]["message_id"], message.message_id.as_str());
    assert_eq!(shown[0]["state"], "stored");
    message
}

/// The user registers and gets the message, byte for byte; it is settled then.
async fn pushed(scene: &mut Scene, user: &str, request: &SipText, message: &Message) {
    let answer = scene.register(user).await.response;
    assert_eq!(
        answer.field("Contact"),
        "<sip:scscf1.example.org>;expires=3600"
    );
    let mut session = scene.accept_push(user).await;
    is_the_push_invite(scene, user, &session.invite.text);
    let push = session.take().await;
    is_the_send(&session, request, message, &push);
    let bye = session.bye(&mut scene.core).await.text;
    assert_eq!(bye.field("CSeq"), "2 BYE");
    let shown = scene
        .operator
        .message(&message.message_id)
        .await
        .expect("still there");
    assert_eq!(
        shown.message.expect("always set").state(),
        MessageState::Delivered
    );
    let kinds: Vec<EventKind> = shown.timeline.iter().map(proto::v1::Event::kind).collect();
    assert_eq!(kinds.first(), Some(&EventKind::Deposited));
    assert_eq!(kinds.last(), Some(&EventKind::Delivered));
}

/// `redeliver` and `push` deliver again, with the same Message-ID.
async fn pushed_again_on_order(scene: &mut Scene, user: &str, message: &Message) {
    let id = message.message_id.as_str();
    let changed = scene
        .deployment
        .restantectl(&["redeliver", id, "--reason", "a test"])
        .await
        .done();
    assert_eq!(changed.records()[0]["outcome"], "done");
    let pushed = scene
        .deployment
        .restantectl(&["push", &uri(user)])
        .await
        .done();
    assert_eq!(pushed.records()[0]["outcome"], "done");
    assert_eq!(scene.receive(user, 1).await, [id]);
    assert_eq!(scene.operator.state(id).await, MessageState::Delivered);
}

fn server_name() -> String {
    format!("IM-serv/OMA1.0 Restante/{}", env!("CARGO_PKG_VERSION"))
}

fn store_identity(scene: &Scene) -> String {
    format!(
        "sip:im-store@{}",
        scene.deployment.net().host(LoopbackNet::SERVER)
    )
}

/// The INVITE of §2.4.2: these lines and no others.
fn is_the_push_invite(scene: &Scene, user: &str, invite: &SipText) {
    let edge = scene.deployment.edge(Transport::Tcp);
    let msrp = scene.deployment.address("sip-edge.msrp_listen");
    let branch = invite.branch().expect("a branch");
    let mark = branch
        .strip_prefix("z9hG4bK-rst-")
        .and_then(|mark| mark.split_once('-'));
    let (nonce, code) = mark.unwrap_or_else(|| panic!("no mark: {branch}"));
    assert!(
        nonce.len() >= 12 && code.len() == 16 && code.bytes().all(|c| c.is_ascii_hexdigit()),
        "{branch}"
    );
    let tag = invite.tag("From").expect("a tag");
    let store = store_identity(scene);
    let sdp = String::from_utf8_lossy(invite.body()).into_owned();
    let mut expected = vec![
        format!("INVITE {} SIP/2.0", uri(user)),
        // With the parameter of RFC 3581 §3, which the example leaves out.
        format!("Via: SIP/2.0/TCP {edge};branch={branch};rport"),
        "Max-Forwards: 70".to_owned(),
        format!("Route: <sip:{};transport=tcp;lr>", scene.core.tcp()),
        format!("From: <{store}>;tag={tag}"),
        format!("To: <{}>", uri(user)),
        format!("Call-ID: {}", invite.field("Call-ID")),
        "CSeq: 1 INVITE".to_owned(),
        format!("Contact: <sip:im-store@{edge};transport=tcp>;automata;+g.oma.sip-im"),
        format!("Date: {}", invite.field("Date")),
        "Expires: 30".to_owned(),
        "Accept-Contact: *;+g.oma.sip-im;require;explicit".to_owned(),
        "Allow: INVITE, ACK, CANCEL, BYE, OPTIONS, UPDATE".to_owned(),
        "Supported: timer".to_owned(),
        "Session-Expires: 1800;refresher=uac".to_owned(),
        format!("User-Agent: {}", server_name()),
        format!("P-Asserted-Identity: <{store}>"),
        "Content-Type: application/sdp".to_owned(),
        format!("Content-Length: {}", sdp.len()),
    ];
    assert!(date::parse(invite.field("Date")).is_some());
    let text = invite.to_string();
    let head = text.split("\r\n\r\n").next().unwrap_or_default();
    let mut lines: Vec<&str> = head.split("\r\n").collect();
    expected.sort();
    lines.sort_unstable();
    assert_eq!(lines, expected);
    is_the_offer(&sdp, &msrp.to_string());
}

/// The offer of §2.4.2, line by line.
fn is_the_offer(sdp: &str, msrp: &str) {
    let (host, port) = msrp.split_once(':').expect("host:port");
    let lines: Vec<&str> = sdp.split_terminator("\r\n").collect();
    let origin: Vec<&str> = lines[1].split(' ').collect();
    assert_eq!(
        (origin[0], &origin[2..]),
        ("o=restante", ["1", "IN", "IP4", host].as_slice()),
        "{sdp}"
    );
    let path = lines[6]
        .strip_prefix(&format!("a=path:msrp://{msrp}/"))
        .and_then(|rest| rest.strip_suffix(";tcp"));
    let session = path.unwrap_or_else(|| panic!("no path of ours: {sdp}"));
    assert!(
        session.len() == 22 && session.bytes().all(|c| c.is_ascii_alphanumeric()),
        "{sdp}"
    );
    assert_eq!((lines[0], lines[2], lines[4]), ("v=0", "s=-", "t=0 0"));
    assert_eq!(lines[3], format!("c=IN IP4 {host}"));
    assert_eq!(lines[5], format!("m=message {port} TCP/MSRP *"));
    assert_eq!(
        lines[7..],
        ["a=accept-types:*", "a=sendonly", "a=setup:actpass"],
        "{sdp}"
    );
}

/// The SEND of §2.4.3, byte for byte.
fn is_the_send(session: &PushSession, request: &SipText, message: &Message, push: &Pushed) {
    let [send] = push.chunks.as_slice() else {
        panic!("one chunk: {push:?}")
    };
    let boundary = push.boundary();
    assert!(
        boundary.len() >= 18 && send.transaction.len() >= 16,
        "{send:?}"
    );
    let body = expected_body(request, message, &boundary);
    let (number, _) = message.message_id.split_once('@').expect("number@host");
    let send_id = send.field("Message-ID");
    assert!(
        send_id.starts_with(&format!("dlv-{number}-")) && send_id.len() <= 32,
        "{send_id}"
    );
    let expected = format!(
        "MSRP {tid} SEND\r\nTo-Path: {}\r\nFrom-Path: {}\r\nMessage-ID: {send_id}\r\n\
         Byte-Range: 1-{length}/{length}\r\nSuccess-Report: no\r\nFailure-Report: yes\r\n\
         Content-Type: multipart/mixed;boundary=\"{boundary}\"\r\n\r\n{body}\r\n-------{tid}$\r\n",
        session.local_path,
        session.remote_path,
        tid = send.transaction,
        length = body.len(),
    );
    assert_eq!(String::from_utf8_lossy(&send.octets), expected);
}

fn expected_body(request: &SipText, message: &Message, boundary: &str) -> String {
    let received = message.received_at.as_ref().expect("always set");
    let seconds = Duration::from_secs(received.seconds.unsigned_abs());
    let receipt = date::at(std::time::UNIX_EPOCH + seconds);
    let original = without_core_fields(request);
    format!(
        "--{boundary}\r\nContent-Type: message/sipfrag;version=2.0\r\n\r\n\
         From: {}\r\nTo: {}\r\nCall-ID: {}\r\nDate: {receipt}\r\nSubject: Lunch\r\nPriority: urgent\r\n\
         P-Asserted-Identity: \"Alice\" <sip:alice@example.org>\r\nMessage-ID: {}\r\n\
         \r\n--{boundary}\r\nContent-Type: message/sip\r\n\r\n{original}\r\n--{boundary}--",
        request.field("From"),
        request.field("To"),
        request.field("Call-ID"),
        message.message_id,
    )
}

/// What was sent, without the fields that are for the core only.
fn without_core_fields(request: &SipText) -> String {
    let text = request.to_string();
    let lines = text.split("\r\n");
    let kept: Vec<&str> = lines
        .filter(|line| !line.starts_with("Route: ") && !line.starts_with("P-Served-User: "))
        .collect();
    kept.join("\r\n")
}

#[tokio::test]
async fn a_client_without_a_core_sends_registers_and_receives() {
    let deployment = Deployment::all().start().await;
    let user = uri(&format!("bob-{}", fresh()));
    let sent = run::run(deployment.im_client(example::ALICE, &["send", &user, "Lunch at noon?"]))
        .await
        .done();
    assert_eq!(sent.output, "202 Accepted\n");
    let message = deployment.operator().only(&user).await;
    assert_eq!(
        (message.state(), message.sender.as_str()),
        (MessageState::Stored, example::ALICE)
    );
    let arguments = ["receive", "--count", "1", "--for", "30s", "--json"];
    let received = run::run(deployment.im_client(&user, &arguments))
        .await
        .done()
        .records();
    assert_eq!(received[0]["message_id"], message.message_id.as_str());
    assert_eq!(received[0]["body"], "Lunch at noon?");
    assert_eq!(
        deployment.operator().state(&message.message_id).await,
        MessageState::Delivered
    );
}

/// The next JSON line of a program.
async fn notice(lines: &mut Lines<BufReader<ChildStdout>>) -> Value {
    let line = within(ANSWER, "a notice", lines.next_line()).await;
    let line = line.expect("text").expect("one more line");
    serde_json::from_str(&line).unwrap_or_else(|_| panic!("no record: {line}"))
}

#[tokio::test]
async fn a_client_is_told_what_waits_as_it_changes() {
    let deployment = Deployment::three_processes().start().await;
    let user = uri(&format!("bob-{}", fresh()));
    let arguments = ["subscribe", "--json", "--count", "3"];
    let mut command = deployment.im_client(&user, &arguments);
    command.stdin(Stdio::null()).stdout(Stdio::piped());
    let mut client = command.kill_on_drop(true).spawn().expect("im-client");
    let mut lines = BufReader::new(client.stdout.take().expect("piped")).lines();

    let first = notice(&mut lines).await;
    assert_eq!(first["account"], user.as_str());
    assert_eq!(first["waiting"], false);
    assert!(
        first["state"]
            .as_str()
            .is_some_and(|state| state.starts_with("active;"))
    );
    assert_eq!(first["messages"], Value::Array(Vec::new()));
    run::run(deployment.im_client(example::ALICE, &["send", &user, "Lunch at noon?"]))
        .await
        .done();
    let message = deployment.operator().only(&user).await;
    let second = notice(&mut lines).await;
    assert_eq!(second["waiting"], true);
    assert_eq!(second["counts"]["Text-Message"]["new"], 1);
    assert_eq!(
        second["messages"][0]["Message-ID"],
        message.message_id.as_str()
    );
    deployment
        .operator()
        .delete(&message.message_id)
        .await
        .expect("it waits");
    let third = notice(&mut lines).await;
    assert_eq!(third["waiting"], false);
    assert_eq!(third["counts"]["Text-Message"]["new"], 0);

    let status = within(START, "the end of im-client", client.wait()).await;
    assert!(status.expect("our own child").success());
    within(ANSWER, "the end of the subscription", async {
        while !deployment.operator().subscriptions(&user).await.is_empty() {
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    })
    .await;
}
