//! Who may connect.

use super::*;

async fn edge(authority: &Authority, verify_peers: VerifyPeers) -> (SipEndpoint, Incoming) {
    secure(TlsConfig {
        verify_peers,
        ..authority.config(&["edge.example"])
    })
    .await
}

/// What the endpoint still says before it closes the connection.
async fn last_words(endpoint: &SipEndpoint, octets: &[u8]) -> Vec<u8> {
    let mut stream = TcpStream::connect(address(endpoint, Transport::Tls))
        .await
        .unwrap();
    stream.write_all(octets).await.unwrap();
    let mut words = Vec::new();
    // A reset instead of an end says the same.
    let _ = soon(stream.read_to_end(&mut words)).await;
    words
}

#[tokio::test]
async fn optional_certificate_left_out_leaves_no_name() {
    let authority = Authority::new();
    let (edge, mut incoming) = edge(&authority, VerifyPeers::Optional).await;
    let mut peer = TlsPeer::new(&edge, &authority).await;
    peer.send("SIP/2.0/TLS core.example", "z9hG4bK1").await;
    let request = next_request(&mut incoming).await;
    assert_eq!(request.source().transport, Transport::Tls);
    assert!(request.source().peer_names.is_empty());
}

#[tokio::test]
async fn required_certificate_left_out_closes_the_connection() {
    let authority = Authority::new();
    let (edge, mut incoming) = edge(&authority, VerifyPeers::Required).await;
    // TLS 1.3 lets the client finish first: the refusal comes with the first octets read.
    if let Ok(mut peer) = TlsPeer::of(&edge, &authority, rustls::ALL_VERSIONS).await {
        let _ = peer.stream.write_all(b"\r\n\r\n").await;
        let refused = soon(peer.stream.read(&mut [0; 8])).await;
        assert!(refused.is_err(), "{refused:?}");
    }
    edge.close().await;
    assert!(incoming.next().await.is_none());
}

#[tokio::test]
async fn certificate_of_an_unknown_authority_closes_the_connection() {
    let (ours, theirs) = (Authority::new(), Authority::new());
    let (edge, mut incoming) = edge(&ours, VerifyPeers::Optional).await;
    let believes_us = ours.config_with(theirs.certify(&["core.example"]));
    let (core, _) = secure(believes_us).await;
    let sent = core
        .request(message(), &at("edge.example", &edge), "z9hG4bK1".to_owned())
        .await;
    // The refusal may come after our side of the handshake; then it fails what was sent.
    if let Ok(mut transaction) = sent {
        assert!(soon(transaction.next()).await.unwrap().is_err());
    }
    edge.close().await;
    assert!(incoming.next().await.is_none());
}

#[tokio::test]
async fn plain_text_to_the_tls_port_is_closed_and_hurts_nobody() {
    let authority = Authority::new();
    let (edge, incoming) = edge(&authority, VerifyPeers::None).await;
    tokio::spawn(answer_all(incoming));
    let mut peer = TlsPeer::new(&edge, &authority).await;
    peer.is_answered("z9hG4bK1").await;
    let plain = request("MESSAGE", "SIP/2.0/TCP peer.example", "z9hG4bK2");
    let words = last_words(&edge, plain.as_bytes()).await;
    assert!(!words.starts_with(b"SIP/2.0"), "{words:?}");
    peer.is_answered("z9hG4bK3").await;
}

#[tokio::test]
async fn tls_1_2_is_spoken_and_1_1_refused() {
    let authority = Authority::new();
    let (edge, incoming) = edge(&authority, VerifyPeers::None).await;
    tokio::spawn(answer_all(incoming));
    let mut peer = TlsPeer::of(&edge, &authority, &[&version::TLS12])
        .await
        .unwrap();
    peer.is_answered("z9hG4bK1").await;
    let words = last_words(&edge, &client_hello_of_tls_1_1()).await;
    // Alert, TLS 1.x, two octets: fatal, protocol_version (RFC 8446 §6.2).
    assert_eq!(words.first(), Some(&21));
    assert_eq!(words.get(5..7), Some([2, 70].as_slice()));
}

/// A ClientHello in which nothing but the version, TLS 1.1, is out of date (RFC 4346 §7.4.1.2).
fn client_hello_of_tls_1_1() -> Vec<u8> {
    let mut hello = vec![3, 2];
    hello.extend([7; 32]); // random
    // No session, ECDHE_ECDSA_WITH_AES_128_GCM_SHA256, no compression.
    hello.extend([0, 0, 2, 0xC0, 0x2B, 1, 0]);
    // Extensions: ecdsa_secp256r1_sha256, x25519, uncompressed points.
    hello.extend([0, 22, 0, 13, 0, 4, 0, 2, 4, 3, 0, 10, 0, 4, 0, 2, 0, 29]);
    hello.extend([0, 11, 0, 2, 1, 0]);
    let length = u8::try_from(hello.len()).unwrap();
    let mut record = vec![22, 3, 1, 0, length + 4, 1, 0, 0, length];
    record.extend(hello);
    record
}

#[tokio::test]
async fn handshake_that_takes_too_long_is_closed() {
    let authority = Authority::new();
    let (edge, _incoming) = secure(TlsConfig {
        handshake_timeout: Duration::from_millis(20),
        ..authority.config(&["edge.example"])
    })
    .await;
    // The beginning of a record that never ends.
    assert_eq!(last_words(&edge, &[22, 3, 1]).await, b"");
}
