//! Requirements §5.4 and §5.10: what a large message is like when it is pushed.

use proto::v1::MessageState;
use restante_tests::deployment::Plan;
use restante_tests::large::{FROM_PATH, Large, TO_PATH};
use restante_tests::msrp::{PushSession, Pushed, Setup};
use restante_tests::sip::{SipText, fresh};
use restante_tests::{Deployment, Scene, uri};

fn somebody() -> String {
    format!("bob-{}", fresh())
}

/// A scene in which this message waits, and its Message-ID.
async fn waiting(plan: Plan, large: &Large) -> (Scene, String) {
    let scene = Scene::start(plan).await;
    let data = scene.deployment.address("storage.listen");
    let id = large.store(data).await;
    (scene, id)
}

/// Head and body of the SEND in part 2.
fn enclosed(push: &Pushed) -> (String, Vec<u8>) {
    assert_eq!(push.parts()[1].field("Content-Type"), "message/msrp");
    let original = push.original();
    let text = String::from_utf8_lossy(&original).into_owned();
    let transaction = text.split(' ').nth(1).expect("a transaction id").to_owned();
    let end = format!("\r\n-------{transaction}$\r\n");
    let frame = original.strip_suffix(end.as_bytes()).expect("its end-line");
    let split = frame.windows(4).position(|octets| octets == b"\r\n\r\n");
    let split = split.expect("an empty line");
    let head = String::from_utf8(frame[..split + 2].to_vec()).expect("text");
    (
        head.replace(&transaction, "d93kswow"),
        frame[split + 4..].to_vec(),
    )
}

#[tokio::test]
async fn ct_dlv_13_14_19_20_a_large_message_is_pushed_as_the_send_it_came_in() {
    let bob = somebody();
    let large = Large::to(&bob, Large::deceptive(1024 * 1024));
    let (mut scene, id) = waiting(Deployment::all(), &large).await;
    scene.register(&bob).await;
    let mut session = scene.accept_push(&bob).await;
    let push = session.take().await;
    assert!(push.chunks.len() >= 4, "{}", push.chunks.len());
    let range = push.chunks[0].field("Byte-Range");
    assert!(range.starts_with("1-*/"), "{range}");
    for chunk in &push.chunks {
        let last = chunk.lines.last().expect("a header");
        assert!(last.starts_with("Content-Type: multipart/mixed;"), "{last}");
        assert!(chunk.transaction.len() >= 16, "{}", chunk.transaction);
    }
    let summary = push.summary();
    for (name, value) in [
        ("From", "\"Alice\" <sip:alice@example.org>;tag=a5510"),
        ("To", &format!("<{}>;tag=df1-77e2", uri(&bob))),
        ("Call-ID", &large.call_id),
        ("Subject", "Minutes of the meeting"),
        ("Priority", "normal"),
        ("P-Asserted-Identity", "\"Alice\" <sip:alice@example.org>"),
        ("Message-ID", &id),
    ] {
        assert_eq!(summary.field(name), value, "{name}");
    }
    let (head, body) = enclosed(&push);
    assert_eq!(head, large.head());
    assert!(body == large.body, "{} octets", body.len());
    session.bye(&mut scene.core).await;
    assert_eq!(scene.states(&bob).await, [MessageState::Delivered]);
}

#[tokio::test]
async fn ct_dlv_36_each_attempt_frames_a_large_message_anew() {
    let bob = somebody();
    let large = Large::to(&bob, "short".repeat(1_000));
    let (mut scene, id) = waiting(Deployment::all(), &large).await;
    let mut seen = std::collections::BTreeSet::new();
    for attempt in 0..2 {
        if attempt > 0 {
            scene.operator.redeliver(&id).await.expect("retained");
        }
        scene.register(&bob).await;
        let mut session = scene.accept_push(&bob).await;
        let push = session.take().await;
        let original = String::from_utf8_lossy(&push.original()).into_owned();
        let inner = original.split(' ').nth(1).expect("a transaction id");
        assert!(inner.len() >= 16 && inner != "d93kswow", "{inner}");
        for fresh in [
            push.boundary(),
            push.last().transaction.clone(),
            push.last().field("Message-ID").to_owned(),
            inner.to_owned(),
        ] {
            assert!(seen.insert(fresh.clone()), "{fresh} again");
        }
        session.bye(&mut scene.core).await;
    }
}

#[tokio::test]
async fn ct_prv_01_a_private_large_message_names_no_host_of_its_sender() {
    let bob = somebody();
    let mut large = Large::to(&bob, Large::deceptive(300_000));
    large.privacy = "id";
    let (mut scene, _) = waiting(Deployment::all(), &large).await;
    scene.register(&bob).await;
    let mut session = scene.accept_push(&bob).await;
    let push = session.take().await;
    assert_eq!(push.summary().find("P-Asserted-Identity"), None);
    let (head, body) = enclosed(&push);
    let hidden = large
        .head()
        .replace(TO_PATH, &TO_PATH.replace("192.0.2.20", "anonymous.invalid"))
        .replace(
            FROM_PATH,
            &FROM_PATH.replace("198.51.100.7", "anonymous.invalid"),
        );
    assert_eq!(head, hidden);
    assert!(body == large.body);
    session.bye(&mut scene.core).await;
}

#[tokio::test]
async fn ct_dlm_09_in_mode_message_a_large_message_has_a_session_of_its_sender() {
    let bob = somebody();
    let large = Large::to(&bob, Large::deceptive(300_000));
    let plan = Deployment::all().set("delivery.mode", "message");
    let (mut scene, id) = waiting(plan, &large).await;
    scene.register(&bob).await;
    let invite = scene.core.request("INVITE", &uri(&bob)).await;
    let text: &SipText = &invite.text;
    assert!(
        text.field("From")
            .starts_with("\"Alice\" <sip:alice@example.org>;tag=")
    );
    assert_eq!(
        text.field("P-Asserted-Identity"),
        "\"Alice\" <sip:alice@example.org>"
    );
    assert_eq!(text.field("Message-ID"), id);
    assert_eq!(text.field("Subject"), "Minutes of the meeting");
    let via = text.field("Via");
    assert!(via.contains(";branch=z9hG4bK-rst-"), "{via}");
    let offer = String::from_utf8_lossy(text.body()).into_owned();
    let file = "a=file-selector:name:\"a b.txt\" type:text/plain size:300000\r\n";
    assert!(offer.contains(file), "{offer}");
    let mut session = PushSession::answer_invite(&mut scene.core, invite, Setup::Active).await;
    let push = session.take().await;
    assert_eq!(push.last().field("Content-Type"), "text/plain");
    assert_eq!(
        push.last().field("Content-Disposition"),
        "attachment; filename=\"a b.txt\""
    );
    assert!(push.body() == large.body);
    session.bye(&mut scene.core).await;
    assert_eq!(scene.states(&bob).await, [MessageState::Delivered]);
}
