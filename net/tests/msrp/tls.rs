//! Sessions over TLS, whose peers know each other by fingerprints (MSR-03).

use std::fs;
use std::time::Duration;

use bytes::Bytes;
use rcgen::{CertificateParams, KeyPair};
use restante_net::msrp::{
    MsrpConfig, MsrpEndpoint, MsrpSession, MsrpTlsConfig, OpenError, PendingSession, SendFailure,
    SessionRules, WholeMessage,
};
use restante_net::tls::{CertificateFiles, Fingerprint};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

use crate::peer::Peer;
use crate::{LOOPBACK, PATIENCE, config, in_time, message, whole};

fn secure_config() -> MsrpConfig {
    MsrpConfig {
        tls: Some(MsrpTlsConfig::new(LOOPBACK.parse().unwrap())),
        ..config()
    }
}

async fn secure() -> MsrpEndpoint {
    MsrpEndpoint::bind(secure_config()).await.unwrap()
}

/// A session that believes whoever has this fingerprint.
fn open(endpoint: &MsrpEndpoint, peer: Fingerprint) -> PendingSession {
    let pending = endpoint.open_secure().unwrap();
    pending
        .with_peer_fingerprint(peer)
        .with_rules(SessionRules::receive_up_to(4 << 20))
}

fn fingerprint(endpoint: &MsrpEndpoint) -> Fingerprint {
    endpoint
        .open_secure()
        .unwrap()
        .fingerprint()
        .unwrap()
        .clone()
}

/// Lets two sessions find each other; the first is passive.
async fn bring_together(
    passive: PendingSession,
    active: PendingSession,
) -> (
    Result<MsrpSession, OpenError>,
    Result<MsrpSession, OpenError>,
) {
    let (to, from) = (passive.local_path().clone(), active.local_path().clone());
    in_time(async {
        tokio::join!(
            passive.accept(from, PATIENCE),
            active.connect(to, "peer", PATIENCE)
        )
    })
    .await
}

async fn transfer(from: &MsrpSession, to: &mut MsrpSession, octets: usize) {
    let body = Bytes::from(vec![b'x'; octets]);
    let sent = from.send(message("msg1", octets), body.clone()).await;
    let WholeMessage {
        body: received,
        answer,
        ..
    } = whole(to).await;
    assert_eq!(received, body);
    answer.accept();
    in_time(sent).await.unwrap();
}

#[tokio::test]
async fn messages_pass_between_peers_with_the_announced_certificates() {
    let (server, client) = (secure().await, secure().await);
    let passive = open(&server, fingerprint(&client));
    let active = open(&client, fingerprint(&server));
    let path = passive.local_path().first();
    assert!(path.is_secure());
    assert_eq!(path.port(), server.secure_address().map(|own| own.port()));
    let (accepted, connected) = bring_together(passive, active).await;
    let (mut accepted, mut connected) = (accepted.unwrap(), connected.unwrap());
    transfer(&connected, &mut accepted, 3 << 20).await;
    transfer(&accepted, &mut connected, 1000).await;
}

#[tokio::test]
async fn active_side_leaves_a_peer_of_another_certificate() {
    let (server, client, other) = (secure().await, secure().await, secure().await);
    let passive = open(&server, fingerprint(&client));
    let active = open(&client, fingerprint(&other));
    let to = passive.local_path().clone();
    let failed = in_time(active.connect(to, "peer", PATIENCE)).await;
    assert!(
        matches!(failed, Err(OpenError::WrongCertificate)),
        "{failed:?}"
    );
}

#[tokio::test]
async fn passive_side_ends_the_session_of_a_peer_of_another_certificate() {
    let (server, client, other) = (secure().await, secure().await, secure().await);
    let passive = open(&server, fingerprint(&other));
    let active = open(&client, fingerprint(&server));
    let (accepted, connected) = bring_together(passive, active).await;
    assert!(
        matches!(accepted, Err(OpenError::WrongCertificate)),
        "{accepted:?}"
    );
    assert!(
        matches!(
            connected,
            Err(OpenError::Binding(SendFailure::ConnectionLost))
        ),
        "{connected:?}"
    );
}

#[tokio::test]
async fn session_for_tls_is_not_bound_in_clear() {
    let server = secure().await;
    let passive = open(&server, fingerprint(&server));
    let to = passive.local_path().clone();
    let mut peer = Peer::connect(server.local_address()).await;
    let accepting = tokio::spawn(passive.accept(peer.path.clone(), PATIENCE));
    peer.send(&to, "tid1", "Message-ID: msg1\r\n", None, '$')
        .await;
    assert!(peer.frame().await.is_none());
    let failed = in_time(accepting).await.unwrap();
    assert!(
        matches!(failed, Err(OpenError::WrongCertificate)),
        "{failed:?}"
    );
}

#[tokio::test]
async fn plain_text_to_the_tls_port_is_closed_and_hurts_nobody() {
    let (server, client) = (secure().await, secure().await);
    let passive = open(&server, fingerprint(&client));
    let to = passive.local_path().clone();
    let active = open(&client, fingerprint(&server));
    let mut stream = TcpStream::connect(server.secure_address().unwrap())
        .await
        .unwrap();
    let from = active.local_path();
    let text = format!(
        "MSRP tid1 SEND\r\nTo-Path: {to}\r\nFrom-Path: {from}\r\nMessage-ID: m1\r\n-------tid1$\r\n"
    );
    stream.write_all(text.as_bytes()).await.unwrap();
    let mut answer = Vec::new();
    // A reset instead of an end says the same.
    let _ = in_time(stream.read_to_end(&mut answer)).await;
    assert!(!answer.starts_with(b"MSRP"), "{answer:?}");
    let (accepted, connected) = bring_together(passive, active).await;
    assert!(accepted.is_ok() && connected.is_ok());
}

#[tokio::test]
async fn session_for_tls_needs_the_fingerprint_of_its_peer() {
    let endpoint = secure().await;
    let path = endpoint.open_secure().unwrap().local_path().clone();
    let passive = endpoint.open_secure().unwrap();
    let refused = passive.accept(path.clone(), PATIENCE).await;
    assert!(
        matches!(refused, Err(OpenError::NoFingerprint)),
        "{refused:?}"
    );
    let active = endpoint.open_secure().unwrap();
    let refused = active.connect(path, "peer", PATIENCE).await;
    assert!(
        matches!(refused, Err(OpenError::NoFingerprint)),
        "{refused:?}"
    );
}

#[tokio::test]
async fn session_for_tls_does_not_connect_in_clear() {
    let endpoint = secure().await;
    let in_clear = endpoint.open().local_path().clone();
    let active = open(&endpoint, fingerprint(&endpoint));
    let refused = active.connect(in_clear, "peer", PATIENCE).await;
    assert!(matches!(refused, Err(OpenError::Transport)), "{refused:?}");
}

#[tokio::test]
async fn endpoint_without_tls_opens_no_session_for_it() {
    assert!(crate::endpoint().await.open_secure().is_none());
}

#[tokio::test]
async fn handshake_that_takes_too_long_is_closed() {
    let mut config = secure_config();
    config.tls.as_mut().unwrap().handshake_timeout = Duration::from_millis(20);
    let endpoint = MsrpEndpoint::bind(config).await.unwrap();
    let mut stream = TcpStream::connect(endpoint.secure_address().unwrap())
        .await
        .unwrap();
    // The beginning of a record that never ends.
    stream.write_all(&[22, 3, 1]).await.unwrap();
    let mut rest = Vec::new();
    in_time(stream.read_to_end(&mut rest)).await.unwrap();
    assert_eq!(rest, b"");
}

/// Puts another certificate into these files.
fn renew(files: &CertificateFiles) {
    let key = KeyPair::generate().unwrap();
    let certificate = CertificateParams::default().self_signed(&key).unwrap();
    fs::write(&files.certificate, certificate.pem()).unwrap();
    fs::write(&files.key, key.serialize_pem()).unwrap();
}

#[tokio::test]
async fn replaced_certificate_is_announced_and_leaves_sessions_alone() {
    let directory = tempfile::tempdir().unwrap();
    let files = CertificateFiles {
        certificate: directory.path().join("certificate.pem"),
        key: directory.path().join("key.pem"),
    };
    renew(&files);
    let mut config = secure_config();
    config.tls.as_mut().unwrap().own = Some(files.clone());
    let (server, client) = (MsrpEndpoint::bind(config).await.unwrap(), secure().await);
    let first = fingerprint(&server);
    let passive = open(&server, fingerprint(&client));
    let (accepted, connected) = bring_together(passive, open(&client, first.clone())).await;
    let (mut accepted, connected) = (accepted.unwrap(), connected.unwrap());

    renew(&files);
    server.reload_certificates().await.unwrap();
    let second = fingerprint(&server);
    assert_ne!(first, second);
    let passive = open(&server, fingerprint(&client));
    let (again, _connected) = bring_together(passive, open(&client, second)).await;
    again.unwrap();
    transfer(&connected, &mut accepted, 1000).await;
}
