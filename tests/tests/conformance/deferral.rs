//! Requirements §5.1: what a MESSAGE may look like.

use proto::v1::Message;
use restante_tests::sip::{RequestText, example, fresh};
use restante_tests::{Scene, date, uri};

fn somebody() -> String {
    format!("bob-{}", fresh())
}

/// Has a request accepted and finds its octets in the store.
async fn is_stored_as_sent(scene: &mut Scene, user: &str, request: &RequestText) -> Message {
    let exchange = scene.deposit(request).await;
    assert_eq!(exchange.response.find("Contact"), None);
    let stored = scene.operator.only(&uri(user)).await;
    let octets = scene.operator.request_octets(&stored.message_id).await;
    assert!(
        octets == exchange.request.octets(),
        "sent\n{}\nstored\n{}",
        exchange.request,
        String::from_utf8_lossy(&octets)
    );
    stored
}

#[tokio::test]
async fn ct_pfm_01_an_accepted_message_is_stored_as_it_was_sent() {
    let mut scene = Scene::all().await;
    let bob = somebody();
    let request = example::message(&bob);
    let response = scene.deposit(&request).await.response;
    assert_eq!(response.field("Content-Length"), "0");
    assert!(response.tag("To").is_some(), "{response}");
    let other = somebody();
    is_stored_as_sent(&mut scene, &other, &example::message(&other)).await;
}

#[tokio::test]
async fn ct_pfm_02_the_answer_names_server_date_and_store() {
    let mut scene = Scene::all().await;
    let response = scene.deposit(&example::message(&somebody())).await.response;
    assert!(
        response.field("Server").starts_with("IM-serv/OMA"),
        "{response}"
    );
    assert!(date::parse(response.field("Date")).is_some(), "{response}");
    assert!(
        response
            .field("P-Asserted-Identity")
            .starts_with("<sip:im-store@"),
        "{response}"
    );
}

#[tokio::test]
async fn ct_pfm_03_accept_contact_is_taken_in_every_form() {
    let mut scene = Scene::all().await;
    for form in [
        "*;+g.oma.sip-im",
        "*;+g.oma.sip-im;explicit",
        "*;require;+g.oma.sip-im;explicit",
        "*;+G.OMA.SIP-IM",
    ] {
        let bob = somebody();
        let request = example::message(&bob).set("Accept-Contact", form);
        is_stored_as_sent(&mut scene, &bob, &request).await;
    }
}

#[tokio::test]
async fn ct_pfm_04_neither_accept_contact_nor_user_agent_is_needed() {
    let mut scene = Scene::all().await;
    let bob = somebody();
    let request = example::message(&bob)
        .without("Accept-Contact")
        .without("User-Agent");
    is_stored_as_sent(&mut scene, &bob, &request).await;
}

#[tokio::test]
async fn ct_pfm_05_a_contact_is_stored_and_not_returned() {
    let mut scene = Scene::all().await;
    let bob = somebody();
    let request = example::message(&bob).line("Contact: <sip:alice@198.51.100.7>;+g.oma.sip-im");
    is_stored_as_sent(&mut scene, &bob, &request).await;
}

#[tokio::test]
async fn ct_pfm_06_long_messages_over_tcp_are_byte_exact() {
    let mut scene = Scene::all().await;
    for length in [1_300, 1_301, 20_000] {
        let bob = somebody();
        let request = example::message(&bob).body("text/plain", vec![b'x'; length]);
        let stored = is_stored_as_sent(&mut scene, &bob, &request).await;
        assert_eq!(stored.body_octets, length as u64);
    }
}

#[tokio::test]
async fn ct_pfm_07_a_message_over_1300_bytes_is_accepted_over_udp() {
    let mut scene = Scene::all().await;
    let (bob, udp) = (somebody(), scene.udp().await);
    let request = example::message(&bob).body("text/plain", vec![b'x'; 1_400]);
    let exchange = scene.core.call(&udp, &request).await;
    assert_eq!(exchange.response.status(), Some(202));
    let id = scene.operator.only(&uri(&bob)).await.message_id;
    assert_eq!(
        scene.operator.request_octets(&id).await,
        exchange.request.octets()
    );
}

#[tokio::test]
async fn ct_pfm_08_bodies_of_any_kind_are_byte_exact() {
    let mut scene = Scene::all().await;
    let binary: Vec<u8> = (0..=255).chain(*b"\0\r\n\r\n\n\r").collect();
    let parts = [
        "--b\r\n\r\none\r\n",
        "--b\r\nContent-Type: text/html\r\n\r\n<p>\r\n--b--\r\n",
    ]
    .concat();
    for (content_type, body) in [
        (
            "text/plain;charset=utf-8",
            "𝔾rüße, 你好 🙂".as_bytes().to_vec(),
        ),
        ("application/octet-stream", binary),
        ("multipart/mixed;boundary=b", parts.into_bytes()),
        ("text/plain", Vec::new()),
    ] {
        let bob = somebody();
        let request = example::message(&bob).body(content_type, body);
        is_stored_as_sent(&mut scene, &bob, &request).await;
    }
    let bob = somebody();
    let empty = example::message(&bob)
        .body("text/plain", "")
        .without("Content-Type");
    is_stored_as_sent(&mut scene, &bob, &empty).await;
}

#[tokio::test]
async fn ct_pfm_09_unknown_folded_and_compact_fields_keep_order_and_spelling() {
    let mut scene = Scene::all().await;
    let bob = somebody();
    let mut request = example::message(&bob)
        .without("Subject")
        .without("Content-Type")
        .line("s: Lunch\r\n and\r\n\t dinner")
        .line("c: text/plain");
    for number in 0..60 {
        request = request.line(format!("X-Unknown-{number}:value {number}"));
    }
    is_stored_as_sent(&mut scene, &bob, &request).await;
    let bob = somebody();
    is_stored_as_sent(&mut scene, &bob, &compact(&bob)).await;
}

/// The example with every field that has a compact form in that form.
fn compact(user: &str) -> RequestText {
    RequestText::new(&format!(
        "MESSAGE sip:{user}@example.org SIP/2.0
        v: {{hop}}
        max-forwards: 68
        f: \"Alice\" <sip:alice@example.org>;tag={}
        t: <sip:{user}@example.org>
        i: {}@198.51.100.7
        CSEQ: 101 MESSAGE
        m: <sip:alice@198.51.100.7>
        s: Lunch
        P-Asserted-Identity: <sip:alice@example.org>
        c: text/plain
        l: 0",
        fresh(),
        fresh()
    ))
}

#[tokio::test]
async fn ct_pfm_17_a_body_over_the_limit_is_413() {
    let mut scene = Scene::all().await;
    let bob = somebody();
    let limit = 64 * 1024;
    let over = example::message(&bob).body("text/plain", vec![b'x'; limit + 1]);
    assert_eq!(scene.status(&over).await, 413);
    let at = example::message(&bob).body("text/plain", vec![b'x'; limit]);
    is_stored_as_sent(&mut scene, &bob, &at).await;
}

#[tokio::test]
async fn ct_pfm_19_a_composing_indication_is_200_and_not_stored() {
    let mut scene = Scene::all().await;
    let bob = somebody();
    let body = "<?xml version=\"1.0\"?><isComposing xmlns=\"urn:ietf:params:xml:ns:im-iscomposing\">\
                <state>active</state></isComposing>";
    let request = example::message(&bob).body("application/im-iscomposing+xml", body);
    assert_eq!(scene.status(&request).await, 200);
    assert_eq!(scene.operator.list(&uri(&bob)).await, []);
}

#[tokio::test]
async fn ct_pfm_20_a_message_in_a_dialog_we_do_not_have_is_481() {
    let mut scene = Scene::all().await;
    let bob = somebody();
    let request = example::message(&bob).set("To", &format!("<{}>;tag=none", uri(&bob)));
    assert_eq!(scene.status(&request).await, 481);
    assert_eq!(scene.operator.list(&uri(&bob)).await, []);
}

#[tokio::test]
async fn ct_pfm_21_target_dialog_is_ignored() {
    let mut scene = Scene::all().await;
    let bob = somebody();
    let request = example::message(&bob)
        .line("Target-Dialog: fa77as7dad8-sd98ajzz@h;local-tag=a;remote-tag=b");
    is_stored_as_sent(&mut scene, &bob, &request).await;
}

#[tokio::test]
async fn ct_pfm_24_a_request_for_privacy_is_stored_with_its_message() {
    let mut scene = Scene::all().await;
    let bob = somebody();
    let request = example::message(&bob).line("Privacy: id");
    let stored = is_stored_as_sent(&mut scene, &bob, &request).await;
    let headers = stored.headers.expect("always set");
    assert_eq!(headers.privacy, "id");
    assert!(headers.asserted_identity.contains("sip:alice@example.org"));
}
