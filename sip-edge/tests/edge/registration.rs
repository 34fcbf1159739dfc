//! Users who come back (REG rows, requirements §2.4.1).

use std::time::{Duration, Instant};

use proto::v1;
use proto::v1::binding_change::Change;

use crate::client::{TcpPeer, value};
use crate::running::{Running, laptop};
use crate::store::{Behaviour, Store};

/// A REGISTER of Bob's client from this address.
pub(crate) fn register(contact: &str, lines: &str) -> String {
    format!(
        "REGISTER sip:example.org SIP/2.0\r\nVia: SIP/2.0/TCP 203.0.113.9;branch=z9hG4bK-b-r1;rport\r\n\
         Max-Forwards: 70\r\nFrom: <sip:bob@example.org>;tag=b771\r\nTo: <sip:bob@example.org>\r\n\
         Call-ID: reg-77a@203.0.113.9\r\nCSeq: 12 REGISTER\r\nContact: {contact}\r\n\
         {lines}Content-Length: 0\r\n\r\n"
    )
}

/// The REGISTER of the core about Bob, with his own embedded.
pub(crate) fn third_party() -> String {
    let embedded = register(
        "<sip:bob@203.0.113.9:5060;transport=tcp>;+g.oma.sip-im;expires=3600",
        "",
    );
    format!(
        "REGISTER sip:127.0.0.1 SIP/2.0\r\nVia: SIP/2.0/TCP scscf1.example.org:5060;branch=z9hG4bK-3pr-01;rport\r\n\
         Max-Forwards: 10\r\nFrom: <sip:scscf1.example.org>;tag=s77\r\nTo: <sip:bob@example.org>\r\n\
         Call-ID: 3pr-9001@scscf1.example.org\r\nCSeq: 1 REGISTER\r\nEvent: registration\r\n\
         Contact: <sip:scscf1.example.org>\r\nExpires: 3600\r\n\
         P-Associated-URI: <sip:bob@example.org>, <tel:+15550100>\r\n\
         Content-Type: message/sip\r\nContent-Length: {}\r\n\r\n{embedded}",
        embedded.len()
    )
}

fn bound(registration: &v1::RegisterRequest) -> &v1::Binding {
    match registration
        .changes
        .first()
        .and_then(|change| change.change.as_ref())
    {
        Some(Change::Bind(binding)) => binding,
        other => panic!("no binding: {other:?}"),
    }
}

#[tokio::test]
async fn a_client_registers_and_is_told_its_bindings() {
    let mut store = Store::start(Behaviour::Stores).await;
    let edge = Running::ready(laptop(store.address)).await;
    let mut bob = TcpPeer::connect(edge.tcp).await;
    let contact =
        "<sip:bob@10.0.0.7:5062;transport=tcp>;+g.oma.sip-im;+sip.instance=\"<urn:uuid:1>\"";
    bob.send(&register(
        contact,
        "Expires: 600\r\nPath: <sip:p.example.org;lr>\r\n",
    ))
    .await;
    let registration = store.registration().await;
    let response = bob.response().await;

    assert_eq!(response.status().code(), 200, "{response:?}");
    let contacts = response.headers().contacts().expect("well-formed");
    let contact = contacts.first().expect("a contact");
    assert_eq!(
        contact.uri.to_string(),
        "sip:bob@10.0.0.7:5062;transport=tcp"
    );
    assert!(
        (599..=600).contains(&contact.expires().expect("expires")),
        "{response:?}"
    );
    assert_eq!(value(response.headers(), "Path"), "<sip:p.example.org;lr>");

    let binding = bound(&registration);
    assert_eq!(registration.address, "sip:bob@example.org");
    assert!(binding.has_im_tag);
    assert_eq!(binding.kind(), v1::RegistrationKind::Direct);
    assert_eq!(
        binding.flow.as_ref().map(|flow| flow.edge.as_str()),
        Some("sip-edge-1")
    );
}

#[tokio::test]
async fn what_the_registrar_does_not_take_has_its_status() {
    let mut store = Store::start(Behaviour::Stores).await;
    let edge = Running::ready(laptop(store.address)).await;
    let mut bob = TcpPeer::connect(edge.tcp).await;
    let table = [
        (register("<sip:bob@h>;expires=10", ""), 423, "60"),
        (register("*", "Expires: 60\r\n"), 400, ""),
        (
            register("<sip:bob@h>", "").replace("bob@example.org", "bob@elsewhere.org"),
            404,
            "",
        ),
    ];
    for (number, (text, code, min_expires)) in table.into_iter().enumerate() {
        bob.send(&text.replace("z9hG4bK-b-r1", &format!("z9hG4bK-r{number}")))
            .await;
        let response = bob.response().await;
        assert_eq!(response.status().code(), code, "{response:?}");
        assert_eq!(value(response.headers(), "Min-Expires"), min_expires);
    }
    assert!(store.is_quiet());
}

#[tokio::test]
async fn without_a_registrar_a_client_is_refused() {
    let store = Store::start(Behaviour::Stores).await;
    let mut config = laptop(store.address);
    config.registrar.enabled = restante_sip_edge::config::RegistrarSwitch::Off;
    let edge = Running::ready(config).await;
    let mut bob = TcpPeer::connect(edge.tcp).await;
    bob.send(&register("<sip:bob@h>", "")).await;
    assert_eq!(bob.response().await.status().code(), 403);
}

#[tokio::test]
async fn the_core_tells_of_a_registration_and_its_aliases() {
    let mut store = Store::start(Behaviour::Stores).await;
    let edge = Running::ready(laptop(store.address)).await;
    let mut core = TcpPeer::connect(edge.tcp).await;
    core.send(&third_party()).await;
    let registration = store.registration().await;
    let response = core.response().await;
    assert_eq!(response.status().code(), 200, "{response:?}");
    assert_eq!(
        value(response.headers(), "Contact"),
        "<sip:scscf1.example.org>;expires=3600"
    );
    assert_eq!(registration.aliases, ["tel:+15550100"]);
    let binding = bound(&registration);
    assert_eq!(binding.contact, "sip:bob@203.0.113.9:5060;transport=tcp");
    assert_eq!(binding.kind(), v1::RegistrationKind::ThirdParty);
}

#[tokio::test]
async fn a_registration_waits_for_the_store_and_is_replayed() {
    let mut store = Store::silent(Behaviour::Stores).await;
    let edge = Running::start(laptop(store.address)).await;
    let mut core = TcpPeer::connect(edge.tcp).await;
    let sent = Instant::now();
    core.send(&third_party()).await;
    let response = core.response().await;
    assert_eq!(response.status().code(), 200, "{response:?}");
    assert!(
        sent.elapsed() < Duration::from_secs(2),
        "{:?}",
        sent.elapsed()
    );

    store.serve();
    assert_eq!(store.registration().await.address, "sip:bob@example.org");
}

#[tokio::test]
async fn a_client_is_told_that_the_store_is_away() {
    let store = Store::silent(Behaviour::Stores).await;
    let edge = Running::start(laptop(store.address)).await;
    let mut bob = TcpPeer::connect(edge.tcp).await;
    bob.send(&register("<sip:bob@h>", "")).await;
    let response = bob.response().await;
    assert_eq!(response.status().code(), 503, "{response:?}");
    assert!(
        response
            .headers()
            .retry_after()
            .expect("well-formed")
            .is_some()
    );
}
