//! Pushes over MSRP with TLS: both sides know each other by their fingerprints (MSR-03, CT-MSR-06, CT-TLS-03).

use net::msrp::{
    Gatherer, MsrpConfig, MsrpEndpoint, MsrpSession, MsrpTlsConfig, PendingSession, WholeMessage,
};
use proto::v1;
use restante_sip_edge::Config;
use sha2::{Digest, Sha256};
use sip::Request;

use crate::authority::Authority;
use crate::msrp_client::path_in;
use crate::push::{IM_TAG, Story, contact, description};
use crate::push_failures::{outcome, sessions_only};
use crate::{PATIENCE, within};

/// Offers TLS, and delivers in no other way.
fn offers_tls(config: &mut Config) {
    sessions_only(config);
    config.process.msrp_listen_tls = Some("127.0.0.1:0".parse().expect("an address"));
    config.msrp.offer_tls = true;
}

/// A message waits, and Bob's client has registered.
async fn story(configure: impl FnOnce(&mut Config)) -> Story {
    let mut story = Story::begun(1, configure).await;
    story.register(IM_TAG, "").await;
    story
}

/// An MSRP endpoint of Bob's with a certificate of its own.
async fn endpoint() -> MsrpEndpoint {
    let any = "127.0.0.1:0".parse().expect("an address");
    let config = MsrpConfig {
        tls: Some(MsrpTlsConfig::new(any)),
        allow_networks: vec!["127.0.0.0/8".parse().expect("a network")],
        ..MsrpConfig::new(any)
    };
    MsrpEndpoint::bind(config).await.expect("free ports")
}

fn open(endpoint: &MsrpEndpoint) -> PendingSession {
    endpoint.open_secure().expect("it listens for TLS")
}

/// What a session description says of its certificate.
fn fingerprint_in(description: &[u8]) -> String {
    let text = String::from_utf8_lossy(description);
    let value = text
        .lines()
        .find_map(|line| line.strip_prefix("a=fingerprint:"));
    value.expect("a fingerprint").to_owned()
}

/// Bob's answer over TLS with this line about his certificate.
fn secure_description(pending: &PendingSession, setup: &str, line: &str) -> String {
    let text = description(&pending.local_path().to_string(), setup);
    text.replace("TCP/MSRP", "TCP/TLS/MSRP") + line
}

fn line_of(pending: &PendingSession) -> String {
    let print = pending.fingerprint().expect("it is for TLS");
    format!("a=fingerprint:{print}\r\n")
}

/// Bob's client takes the INVITE with this description and has the ACK.
async fn answer(story: &mut Story, description: &str) -> Request {
    let invite = story.bob.request_of("INVITE").await;
    let lines = contact(&story.bob);
    story
        .bob
        .answer(&invite, "200 OK", &lines, description)
        .await;
    story.bob.request_of("ACK").await;
    invite
}

/// Takes the message that is pushed, and sees the end of the session.
async fn delivered(mut story: Story, mut session: MsrpSession) {
    let pushed = within("a message", Gatherer::default().next(&mut session)).await;
    let WholeMessage { body, answer, .. } = pushed.expect("a message");
    assert!(String::from_utf8_lossy(&body).contains("Lunch at noon, same place?"));
    answer.accept();
    story.store.acknowledgement().await;
    assert_eq!(
        outcome(story.store.release().await).0,
        v1::DeliveryResult::Completed
    );
    story.bob.request_of("BYE").await;
    assert_eq!(story.store.stored(), 0);
}

/// The session ends with BYE, and the message is still stored.
async fn not_delivered(mut story: Story, expected: v1::DeliveryResult) {
    let bye = story.bob.request_of("BYE").await;
    story.bob.answer(&bye, "200 OK", "", "").await;
    assert_eq!(outcome(story.store.release().await).0, expected);
    assert_eq!(story.store.stored(), 1);
}

#[tokio::test]
async fn ct_tls_03_what_waits_is_pushed_over_tls_to_a_client_that_connects() {
    let mut story = story(offers_tls).await;
    let endpoint = endpoint().await;
    let pending = open(&endpoint);
    let description = secure_description(&pending, "active", &line_of(&pending));
    let invite = answer(&mut story, &description).await;
    let offer = String::from_utf8_lossy(invite.body()).into_owned();
    assert!(offer.contains(" TCP/TLS/MSRP *\r\n"), "{offer}");
    let path = path_in(invite.body());
    assert!(path.starts_with("msrps://127.0.0.1:"), "{path}");
    let print = fingerprint_in(invite.body()).parse().expect("well-formed");
    let session = pending
        .with_peer_fingerprint(print)
        .connect(path.parse().expect("a path"), "edge", PATIENCE)
        .await
        .expect("the edge has the certificate it named");
    delivered(story, session).await;
}

#[tokio::test]
async fn ct_tls_03_what_waits_is_pushed_over_tls_to_a_client_that_listens() {
    let mut story = story(offers_tls).await;
    let endpoint = endpoint().await;
    let pending = open(&endpoint);
    let description = secure_description(&pending, "passive", &line_of(&pending));
    let invite = answer(&mut story, &description).await;
    let print = fingerprint_in(invite.body()).parse().expect("well-formed");
    let path = path_in(invite.body()).parse().expect("a path");
    let session = pending
        .with_peer_fingerprint(print)
        .accept(path, PATIENCE)
        .await
        .expect("the edge has the certificate it named");
    delivered(story, session).await;
}

#[tokio::test]
async fn ct_msr_06_a_client_with_another_certificate_than_it_named_gets_bye_and_nothing_else() {
    for setup in ["active", "passive"] {
        let mut story = story(offers_tls).await;
        let (endpoint, other) = (endpoint().await, endpoint().await);
        let pending = open(&endpoint);
        let description = secure_description(&pending, setup, &line_of(&open(&other)));
        let invite = answer(&mut story, &description).await;
        let print = fingerprint_in(invite.body()).parse().expect("well-formed");
        let path = path_in(invite.body()).parse().expect("a path");
        let pending = pending.with_peer_fingerprint(print);
        let client = tokio::spawn(async move {
            match setup {
                "active" => pending.connect(path, "edge", PATIENCE).await,
                _ => pending.accept(path, PATIENCE).await,
            }
        });
        not_delivered(story, v1::DeliveryResult::Broken).await;
        client.abort();
        if let Ok(session) = client.await {
            assert!(session.is_err(), "{setup}: {session:?}");
        }
    }
}

#[tokio::test]
async fn an_answer_without_a_good_fingerprint_is_ended_at_once() {
    for line in [
        "",
        "a=fingerprint:sha-256 4A:AD\r\n",
        "a=fingerprint:md5 00\r\n",
    ] {
        let mut story = story(offers_tls).await;
        let endpoint = endpoint().await;
        let description = secure_description(&open(&endpoint), "active", line);
        answer(&mut story, &description).await;
        not_delivered(story, v1::DeliveryResult::Unsupported).await;
    }
}

#[tokio::test]
async fn an_answer_in_clear_to_an_offer_of_tls_is_ended_at_once() {
    let mut story = story(offers_tls).await;
    let path = crate::msrp_client::own_path(9);
    answer(&mut story, &description(&path, "active")).await;
    not_delivered(story, v1::DeliveryResult::Unsupported).await;
}

#[tokio::test]
async fn the_offer_names_the_configured_certificate() {
    let authority = Authority::new();
    let files = authority.files("edge.example.net");
    let mut story = story(|config| {
        offers_tls(config);
        config.msrp.certificate = Some(files.certificate);
        config.msrp.key = Some(files.key);
    })
    .await;
    let invite = story.bob.request_of("INVITE").await;
    let pairs = Sha256::digest(&files.der);
    let pairs: Vec<_> = pairs.iter().map(|octet| format!("{octet:02X}")).collect();
    assert_eq!(
        fingerprint_in(invite.body()),
        format!("sha-256 {}", pairs.join(":"))
    );
}
