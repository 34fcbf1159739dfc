//! Large messages in over TLS: both sides know each other by their fingerprints (CT-TLS-02, CT-MSR-06).

use net::tls::Fingerprint;
use restante_sip_edge::Config;

use crate::msrp_client::path_in;
use crate::reception::{Alice, send};
use crate::{PATIENCE, within};

fn speaks_tls(config: &mut Config) {
    config.process.msrp_listen_tls = Some("127.0.0.1:0".parse().expect("an address"));
    config.msrp.allow_networks = vec!["127.0.0.0/8".parse().expect("a network")];
}

fn line_of(print: &Fingerprint) -> String {
    format!("a=fingerprint:{print}\r\n")
}

fn fingerprint_in(description: &[u8]) -> Fingerprint {
    let text = String::from_utf8_lossy(description);
    let value = text
        .lines()
        .find_map(|line| line.strip_prefix("a=fingerprint:"));
    value
        .expect("a fingerprint")
        .parse()
        .expect("a fingerprint")
}

#[tokio::test]
async fn ct_tls_02_a_message_over_tls_is_stored_in_both_roles() {
    for setup in ["actpass", "passive"] {
        let mut alice = Alice::new(speaks_tls).await;
        let mut offered = alice.offer_secure(&format!("a=setup:{setup}\r\n"));
        let own = offered.pending.fingerprint().expect("it is for TLS");
        offered.description += &line_of(own);
        let response = alice.accepted(&offered).await;
        let text = String::from_utf8_lossy(response.body()).into_owned();
        assert!(text.contains(" TCP/TLS/MSRP *"), "{text}");
        let path = path_in(response.body());
        assert!(path.starts_with("msrps://"), "{path}");
        let path = path.parse().expect("a path");
        let pending = offered
            .pending
            .with_peer_fingerprint(fingerprint_in(response.body()));
        let session = match setup {
            "passive" => pending.accept(path, PATIENCE).await,
            _ => Box::pin(pending.connect(path, "edge", PATIENCE)).await,
        };
        let session = session.expect("a session");
        let sending = tokio::spawn(async move { send(&session, 100_000).await });
        let (_, body) = alice.store.large().await;
        assert!(body == vec![b'x'; 100_000]);
        within("the outcome", sending)
            .await
            .expect("no panic")
            .expect("stored");
    }
}

#[tokio::test]
async fn ct_msr_06_a_sender_with_another_certificate_is_told_goodbye() {
    let mut alice = Alice::new(speaks_tls).await;
    let stranger = Alice::new(speaks_tls).await;
    let mut offered = alice.offer_secure("a=setup:actpass\r\n");
    let other = stranger.offer_secure("");
    let other = other.pending.fingerprint().expect("it is for TLS");
    offered.description += &line_of(other);
    let response = alice.accepted(&offered).await;
    let path = path_in(response.body()).parse().expect("a path");
    let pending = offered
        .pending
        .with_peer_fingerprint(fingerprint_in(response.body()));
    let connected = Box::pin(pending.connect(path, "edge", PATIENCE)).await;
    assert!(connected.is_err(), "{connected:?}");
    alice.bye().await;
}

#[tokio::test]
async fn an_offer_over_tls_needs_a_fingerprint_and_an_edge_that_speaks_tls() {
    let mut alice = Alice::new(speaks_tls).await;
    let offered = alice.offer_secure("");
    alice.invite(&offered.description).await;
    assert_eq!(alice.core.response().await.status().code(), 488);

    let mut alice = Alice::new(|_| {}).await;
    let mut offered = alice.offer_secure("");
    let own = offered.pending.fingerprint().expect("it is for TLS");
    offered.description += &line_of(own);
    alice.invite(&offered.description).await;
    assert_eq!(alice.core.response().await.status().code(), 488);
}
