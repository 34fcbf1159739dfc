//! Messages with bodies and fields that are no text.

use proto::v1::{MessageClass, MessageState};
use restante_tests::msrp::{PushSession, Setup};
use restante_tests::sip::{RequestText, SipText, example};
use restante_tests::{Scene, somebody, uri};

/// RP-DATA of a short message in its transfer, and the RP-ACK to it (3GPP TS 24.011 §7.3): no UTF-8.
const RP_DATA: &[u8] = b"\x00\x2a\x00\x07\x91\x21\x43\x65\x87\x09\xf1\x05\x01\x00\x00\xc8\x32";
const RP_ACK: &[u8] = b"\x02\x2a\x41\x02\x00\xff";

const SMS: &str = "application/vnd.3gpp.sms";

/// Has a request accepted; what is stored are its octets.
async fn is_stored_as_sent(scene: &mut Scene, user: &str, request: &RequestText) -> String {
    let sent = scene.deposit(request).await.request;
    let message = scene.find(user, &request.field("Call-ID")).await;
    let stored = scene.operator.request_octets(&message.message_id).await;
    assert!(stored == sent.octets(), "{}", SipText::new(stored));
    message.message_id
}

/// SIP over WebSocket (RFC 7118) ends at the proxy of the browser; what is left of it are a Via and a Contact that
/// name no place, and bodies with any octets.
#[tokio::test]
async fn binary_body_from_a_websocket() {
    let mut scene = Scene::all().await;
    let user = somebody();
    let body: Vec<u8> = (0..=255).chain(*b"\r\n\r\n\0").collect();
    let request = example::message(&user)
        .line("Via: SIP/2.0/WS df7jal23ls0d.invalid;branch=z9hG4bK-ws;rport")
        .line("Contact: <sip:kq4@df7jal23ls0d.invalid;transport=ws>")
        .body("application/octet-stream", body);
    let id = is_stored_as_sent(&mut scene, &user, &request).await;
    scene.register(&user).await;
    assert_eq!(scene.receive(&user, 1).await, [id]);
}

/// Fields of some thousand octets, as of clients that put a whole certificate or token in one, and a hundred fields.
#[tokio::test]
async fn oversized_fields() {
    let mut scene = Scene::all().await;
    let user = somebody();
    let mut request = example::message(&user)
        .set("Subject", &"Lunch and dinner ".repeat(200))
        .line(format!("Identity: {}", "a0B1".repeat(1_500)));
    for number in 0..100 {
        request = request.line(format!("X-Field-{number}: {number}"));
    }
    let id = is_stored_as_sent(&mut scene, &user, &request).await;
    scene.register(&user).await;
    let mut session = scene.accept_push(&user).await;
    let pushed = session.take().await;
    assert_eq!(pushed.message_id(), id);
    let original = SipText::new(pushed.original());
    assert_eq!(original.field("Subject"), request.field("Subject"));
    assert_eq!(original.field("X-Field-99"), "99");
    session.bye(&mut scene.core).await;
}

/// Gateways to short messages confirm in a MESSAGE of their own, with the Call-ID of what they confirm in In-Reply-To
/// (3GPP TS 24.341 §5.3.2.4). It is a message as any other, to whoever sent the first, and settles nothing here.
#[tokio::test]
async fn rp_ack_as_a_request_of_its_own() {
    let mut scene = Scene::all().await;
    let (bob, gateway) = (somebody(), somebody());
    let data = example::message(&bob)
        .set("P-Asserted-Identity", &format!("<{}>", uri(&gateway)))
        .body(SMS, RP_DATA);
    is_stored_as_sent(&mut scene, &bob, &data).await;
    let confirmation = example::message(&gateway)
        .set("P-Asserted-Identity", &format!("<{}>", uri(&bob)))
        .set("In-Reply-To", &data.field("Call-ID"))
        .body(SMS, RP_ACK);
    is_stored_as_sent(&mut scene, &gateway, &confirmation).await;
    for user in [&bob, &gateway] {
        assert_eq!(scene.states(user).await, [MessageState::Stored]);
    }
}

/// Clients show whatever MESSAGE comes as one of their user's: who did not ask for reports gets none of ours, neither
/// "the user is offline" when he sends nor "delivered" when it goes out.
#[tokio::test]
async fn no_notice_that_a_client_would_show() {
    let mut scene = Scene::all().await;
    let user = somebody();
    let request = example::message(&user);
    let answer = scene.deposit(&request).await.response;
    assert_eq!(answer.body(), b"", "a client would show it: {answer}");
    scene.register(&user).await;
    let mut session = PushSession::accept(&mut scene.core, &user, Setup::Active).await;
    let pushed = session.take().await;
    let body = SipText::new(pushed.original());
    assert_eq!(
        body.body(),
        b"Lunch at noon, same place?",
        "nothing before it"
    );
    session.bye(&mut scene.core).await;
    scene.fence().await;
    let messages = |text: &SipText| text.method() == Some("MESSAGE");
    assert_eq!(scene.core.count(messages), 0);
}

/// What a client says of a message it got, in a MESSAGE of its own (RFC 5438 §7.2.1): never counted as a message that waits.
#[tokio::test]
async fn imdn_as_a_message() {
    let mut scene = Scene::all().await;
    let user = somebody();
    let request = example::message(&user).body("message/cpim", imdn(&user));
    is_stored_as_sent(&mut scene, &user, &request).await;
    assert_eq!(
        scene.operator.only(&uri(&user)).await.class(),
        MessageClass::Imdn
    );
}

/// A notification of delivery in CPIM to this user.
pub(super) fn imdn(user: &str) -> String {
    format!(
        "From: Bob <sip:bob@example.org>\r\nTo: <{}>\r\nNS: imdn <urn:ietf:params:imdn>\r\n\
         imdn.Message-ID: d834jied93rf\r\n\r\nContent-Type: message/imdn+xml\r\n\
         Content-Disposition: notification\r\n\r\n<?xml version=\"1.0\" encoding=\"UTF-8\"?>\r\n\
         <imdn xmlns=\"urn:ietf:params:xml:ns:imdn\"><message-id>34jk324j</message-id>\
         <datetime>2026-11-20T09:14:05Z</datetime>\
         <delivery-notification><status><delivered/></status></delivery-notification></imdn>\r\n",
        uri(user)
    )
}
