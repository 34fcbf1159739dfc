//! SIP over TLS: who is believed by the name in his certificate (CT-TLS-01, requirements §3.8).

use daemon::exit::Code;
use daemon::readiness::Readiness;
use proto::v1;
use restante_sip_edge::{App, Config};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream};

use crate::authority::Authority;
use crate::client::{TcpPeer, value};
use crate::deposit::message;
use crate::push::IM_TAG;
use crate::push_failures::outcome;
use crate::registration::{register, third_party};
use crate::running::{Running, laptop};
use crate::store::{Behaviour, Store};
use crate::within;

/// The laptop mode with a TLS listener, where only the core is trusted, by its name.
fn named(config: &mut Config, authority: &Authority) {
    let own = authority.files("127.0.0.1");
    config.process.listen_tls = vec!["127.0.0.1:0".parse().expect("an address")];
    config.tls.certificate = Some(own.certificate);
    config.tls.key = Some(own.key);
    config.tls.peer_ca = vec![authority.file()];
    config.trust.loopback = false;
    config.trust.peers = vec!["tls:core.example.net".parse().expect("an entry")];
}

async fn running(store: &Store, authority: &Authority) -> Running {
    let mut config = laptop(store.address);
    named(&mut config, authority);
    Running::ready(config).await
}

/// A connection of whoever has a certificate for this name, if any.
async fn peer(edge: &Running, authority: &Authority, name: Option<&str>) -> TcpPeer {
    let address = edge.tls.expect("it listens");
    TcpPeer::connect_tls(address, authority.client(name)).await
}

/// The message of the example, as it comes over TLS.
fn secure_message(branch: &str) -> String {
    message(branch, "").replace("SIP/2.0/TCP scscf1", "SIP/2.0/TLS scscf1")
}

async fn status_of_message(peer: &mut TcpPeer, branch: &str) -> u16 {
    peer.send(&secure_message(branch)).await;
    peer.response().await.status().code()
}

#[tokio::test]
async fn ct_tls_01_the_trusted_name_deposits_and_every_other_is_refused_with_403() {
    let authority = Authority::new();
    let mut store = Store::start(Behaviour::Stores).await;
    let edge = running(&store, &authority).await;
    for (number, name) in [Some("other.example.net"), None].into_iter().enumerate() {
        let mut stranger = peer(&edge, &authority, name).await;
        let status = status_of_message(&mut stranger, &format!("z9hG4bK-{number}")).await;
        assert_eq!(status, 403, "{name:?}");
    }
    let mut plain = TcpPeer::connect(edge.tcp).await;
    plain.send(&message("z9hG4bK-plain", "")).await;
    assert_eq!(plain.response().await.status().code(), 403);
    assert!(store.is_quiet());

    let mut core = peer(&edge, &authority, Some("core.example.net")).await;
    assert_eq!(status_of_message(&mut core, "z9hG4bK-core").await, 202);
    assert_eq!(store.deposit().await.sender, "sip:alice@example.org");
}

#[tokio::test]
async fn ct_tls_01_plain_text_to_the_port_for_tls_ends_that_connection_only() {
    let authority = Authority::new();
    let store = Store::start(Behaviour::Stores).await;
    let edge = running(&store, &authority).await;
    let mut core = peer(&edge, &authority, Some("core.example.net")).await;
    let mut plain = TcpPeer::connect(edge.tls.expect("it listens")).await;
    plain.send(&message("z9hG4bK-plain", "")).await;
    let rest = plain.rest().await;
    assert!(!rest.contains("SIP/2.0"), "{rest}");
    assert_eq!(status_of_message(&mut core, "z9hG4bK-before").await, 202);
    let mut later = peer(&edge, &authority, Some("core.example.net")).await;
    assert_eq!(status_of_message(&mut later, "z9hG4bK-after").await, 202);
}

/// A ClientHello of TLS 1.1 (RFC 4346 §7.4.1.2) with two cipher suites of its time.
fn old_hello() -> Vec<u8> {
    let mut hello = vec![3, 2];
    hello.extend([0x5a; 32]);
    hello.extend([0, 0, 4, 0x00, 0x2f, 0x00, 0x35, 1, 0]);
    let length = u8::try_from(hello.len()).expect("short");
    let mut record = vec![22, 3, 1, 0, length + 4, 1, 0, 0, length];
    record.extend(hello);
    record
}

#[tokio::test]
async fn ct_tls_01_tls_1_1_is_refused() {
    let authority = Authority::new();
    let store = Store::start(Behaviour::Stores).await;
    let edge = running(&store, &authority).await;
    let old = TcpStream::connect(edge.tls.expect("it listens")).await;
    let mut old = old.expect("it listens");
    old.write_all(&old_hello()).await.expect("sent");
    let mut answer = Vec::new();
    // A reset is an end too.
    let _ = within("the end", old.read_to_end(&mut answer)).await;
    // An alert (21) that is fatal (2), of handshake_failure (40) or protocol_version (70), and no ServerHello.
    assert_eq!(answer.first(), Some(&21), "{answer:?}");
    assert!(matches!(answer.get(5..), Some([2, 40 | 70])), "{answer:?}");
    let mut core = peer(&edge, &authority, Some("core.example.net")).await;
    assert_eq!(status_of_message(&mut core, "z9hG4bK-core").await, 202);
}

#[tokio::test]
async fn a_push_takes_the_secure_connection_of_the_registration() {
    let authority = Authority::new();
    let mut store = Store::start(Behaviour::Stores).await;
    let edge = running(&store, &authority).await;
    let mut proxy = peer(&edge, &authority, Some("core.example.net")).await;
    assert_eq!(status_of_message(&mut proxy, "z9hG4bK-1").await, 202);
    store.deposit().await;
    let contact = format!("<sip:bob@{};transport=tls>{IM_TAG}", proxy.address());
    let text = register(&contact, "Expires: 600\r\n").replace("SIP/2.0/TCP", "SIP/2.0/TLS");
    proxy.send(&text).await;
    assert_eq!(proxy.response().await.status().code(), 200);
    let invite = proxy.request_of("INVITE").await;
    let port = edge.tls.expect("it listens").port();
    let via = value(invite.headers(), "Via");
    assert!(
        via.starts_with(&format!("SIP/2.0/TLS 127.0.0.1:{port};")),
        "{via}"
    );
    let contact = value(invite.headers(), "Contact");
    assert!(
        contact.contains(&format!(":{port};transport=tls>")),
        "{contact}"
    );
}

/// A message is stored and its user registered through a core that is reached over TLS.
async fn behind(core: &TcpListener, authority: &Authority) -> (Store, Running) {
    let core = core.local_addr().expect("bound");
    behind_hop(&format!("sip:{core};transport=tls"), authority).await
}

async fn behind_hop(next_hop: &str, authority: &Authority) -> (Store, Running) {
    let mut store = Store::start(Behaviour::Stores).await;
    let mut config = laptop(store.address);
    named(&mut config, authority);
    config.trust.loopback = true;
    config.sip.next_hop = Some(next_hop.to_owned());
    let edge = Running::ready(config).await;
    let mut peer = TcpPeer::connect(edge.tcp).await;
    peer.send(&message("z9hG4bK-1", "")).await;
    assert_eq!(peer.response().await.status().code(), 202);
    store.deposit().await;
    peer.send(&third_party()).await;
    assert_eq!(peer.response().await.status().code(), 200);
    store.registration().await;
    (store, edge)
}

#[tokio::test]
async fn a_push_goes_over_tls_to_a_core_that_proves_its_name() {
    let authority = Authority::new();
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("a free port");
    let (_store, _edge) = behind(&listener, &authority).await;
    let core = TcpPeer::accept_tls(&listener, authority.server("127.0.0.1")).await;
    core.expect("believed").request_of("INVITE").await;
}

#[tokio::test]
async fn a_push_to_a_sips_core_has_a_sips_contact() {
    let authority = Authority::new();
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("a free port");
    let core = listener.local_addr().expect("bound");
    let (_store, edge) = behind_hop(&format!("sips:{core}"), &authority).await;
    let core = TcpPeer::accept_tls(&listener, authority.server("127.0.0.1")).await;
    let invite = core.expect("believed").request_of("INVITE").await;
    let contact = value(invite.headers(), "Contact");
    let port = edge.tls.expect("it listens").port();
    assert!(contact.starts_with("<sips:"), "{contact}");
    assert!(contact.contains(&format!(":{port}>")), "{contact}");
}

#[tokio::test]
async fn a_core_with_another_name_gets_no_push() {
    let authority = Authority::new();
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("a free port");
    let (mut store, _edge) = behind(&listener, &authority).await;
    let other = authority.server("other.example.net");
    let core = TcpPeer::accept_tls(&listener, other).await;
    assert!(core.is_none(), "the edge believed it");
    let result = outcome(store.release().await).0;
    assert_eq!(result, v1::DeliveryResult::HopDown);
    assert_eq!(store.stored(), 1);
}

#[tokio::test]
async fn certificates_that_cannot_be_used_are_mistakes_of_the_configuration() {
    let authority = Authority::new();
    let store = Store::silent(Behaviour::Stores).await;
    let mut sip = laptop(store.address);
    named(&mut sip, &authority);
    sip.tls.key = Some(authority.files("other.example.net").key);
    let mut msrp = laptop(store.address);
    msrp.process.msrp_listen_tls = Some("127.0.0.1:0".parse().expect("an address"));
    msrp.msrp.certificate = Some("nowhere.pem".into());
    msrp.msrp.key = Some("nowhere.pem".into());
    for (config, key) in [(sip, "tls: "), (msrp, "msrp.certificate: ")] {
        let fatal = App::build(config, &Readiness::new()).await;
        let fatal = fatal.expect_err("it cannot be built");
        assert_eq!(fatal.code, Code::Config);
        assert!(fatal.sentence.starts_with(key), "{fatal}");
    }
}
