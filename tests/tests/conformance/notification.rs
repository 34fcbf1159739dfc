//! Requirements §5.2: notifications of disposition, which are stored like messages and counted apart (PFM-10).

use proto::v1::{Mailbox, MessageClass};
use restante_tests::sip::{RequestText, example, fresh};
use restante_tests::subscriber::Subscriber;
use restante_tests::{Scene, uri};

/// Notifications that a mailbox holds by default (requirements §3.6).
const QUOTA: usize = 200;

fn somebody() -> String {
    format!("bob-{}", fresh())
}

/// What a client says of a message it has shown (requirements §2.9).
const DOCUMENT: &str = "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\r\n\
         <imdn xmlns=\"urn:ietf:params:xml:ns:imdn\">\r\n\
         <message-id>Xk39s0QpLm2a</message-id>\r\n\
         <datetime>2026-11-20T12:00:09Z</datetime>\r\n\
         <recipient-uri>sip:alice@example.org</recipient-uri>\r\n\
         <original-recipient-uri>sip:alice@example.org</original-recipient-uri>\r\n\
         <delivery-notification><status><delivered/></status></delivery-notification>\r\n\
         </imdn>\r\n";

/// The notification of requirements §2.9 that a client sends after a push.
fn notification(user: &str) -> RequestText {
    let body = format!(
        "From: Alice <sip:alice@example.org>\r\n\
         To: Bob <{}>\r\n\
         NS: imdn <urn:ietf:params:imdn>\r\n\
         imdn.Message-ID: {}\r\n\r\n\
         Content-Type: message/imdn+xml\r\n\
         Content-Disposition: notification\r\n\
         Content-Length: {}\r\n\r\n{DOCUMENT}",
        uri(user),
        fresh(),
        DOCUMENT.len(),
    );
    example::message(user).body("message/cpim", body)
}

async fn counts(scene: &Scene, user: &str) -> (u64, u64, u64) {
    let mailbox = scene.operator.mailbox(&uri(user)).await;
    let Mailbox {
        text,
        multimedia,
        imdn,
        ..
    } = mailbox.expect("a mailbox");
    let new = |count: Option<proto::v1::MessageCount>| count.expect("always set").new;
    (new(text), new(multimedia), imdn)
}

#[tokio::test]
async fn ct_pfm_18_a_notification_is_stored_and_not_counted() {
    let mut scene = Scene::all().await;
    let user = somebody();
    scene.deposit(&example::message(&user)).await;
    let mut bob = Subscriber::behind(&scene.core, &user);
    bob.subscribe(&mut scene.core, &scene.way, 3_600).await;
    let first = bob.notified(&mut scene.core).await;
    assert!(first.has("Text-Message: 1/0 (1/0)"), "{}", first.body);

    let sent = scene.deposit(&notification(&user)).await.request;
    let stored = scene.find(&user, sent.field("Call-ID")).await;
    assert_eq!(stored.class(), MessageClass::Imdn);
    assert_eq!(counts(&scene, &user).await, (1, 0, 1));
    // What is told next is what came after it.
    scene.deposit(&example::message(&user)).await;
    let next = bob.notified_until(&mut scene.core, "Text-Message: 2/0 (2/0)");
    let next = next.await;
    assert_eq!(next.blocks.len(), 1, "{}", next.body);
    assert!(!next.body.contains(&stored.message_id), "{}", next.body);
    // It is delivered with the others.
    scene.register(&user).await;
    let ids = scene.receive(&user, 3).await;
    assert_eq!(ids[1], stored.message_id);
}

#[tokio::test]
async fn ct_pfm_35_notifications_have_a_quota_of_their_own() {
    let mut scene = Scene::all().await;
    let bob = somebody();
    let mut sent = Vec::new();
    for _ in 0..QUOTA {
        sent.push(scene.core.send(&scene.way, &notification(&bob)).await);
    }
    for request in &sent {
        let response = scene.core.response_to(request).await;
        assert_eq!(response.status(), Some(202), "{response}");
    }
    let response = scene.call(&notification(&bob)).await.response;
    assert_eq!(response.status(), Some(480), "{response}");
    let seconds = response.field("Retry-After").parse::<u32>();
    assert!(seconds.is_ok_and(|seconds| seconds > 0), "{response}");
    scene.deposit(&example::message(&bob)).await;
    assert_eq!(counts(&scene, &bob).await, (1, 0, QUOTA as u64));
}
