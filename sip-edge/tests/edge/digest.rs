//! Clients that prove who they are (REG-02, CT-REG-03).

use std::io::Write;

use restante_sip_edge::Config;
use restante_sip_edge::config::RegistrarAuth;
use sip::digest::{Algorithm, Challenge};
use sip::{Name, Response};
use tempfile::NamedTempFile;

use crate::client::TcpPeer;
use crate::deposit::message;
use crate::registration::{register, third_party};
use crate::running::{Running, laptop};
use crate::store::{Behaviour, Store};

const URI: &str = "sip:example.org";

fn users() -> NamedTempFile {
    let mut file = NamedTempFile::new().expect("a file");
    for name in ["bob@example.org", "carol@example.org"] {
        let ha1 = |algorithm: Algorithm| algorithm.ha1(name, "example.org", "secret");
        let (sha256, md5) = (ha1(Algorithm::Sha256), ha1(Algorithm::Md5));
        writeln!(file, "{name}:example.org:{sha256}:{md5}").expect("written");
    }
    file
}

/// An edge that trusts nobody and wants digest.
fn guarded(mut config: Config, users: &NamedTempFile) -> Config {
    config.trust.loopback = false;
    config.registrar.auth = Some(RegistrarAuth::Digest);
    config.registrar.users = Some(users.path().to_owned());
    config
}

struct Client {
    peer: TcpPeer,
    sent: usize,
}

impl Client {
    async fn register(&mut self, lines: &str) -> Response {
        self.send(&register("<sip:bob@h>", lines)).await
    }

    async fn send(&mut self, text: &str) -> Response {
        self.sent += 1;
        let text = text.replacen(
            "branch=z9hG4bK",
            &format!("branch=z9hG4bK-{}", self.sent),
            1,
        );
        self.peer.send(&text).await;
        self.peer.response().await
    }

    /// The challenge of this algorithm in the answer to a REGISTER without credentials.
    async fn challenge(&mut self, algorithm: Algorithm) -> Challenge {
        let response = self.register("").await;
        assert_eq!(response.status().code(), 401, "{response:?}");
        let fields = response.headers().all(Name::WwwAuthenticate);
        let challenges: Vec<Challenge> = fields
            .map(|field| field.value().parse().expect("a challenge"))
            .collect();
        let offered: Vec<_> = challenges
            .iter()
            .map(|challenge| challenge.algorithm)
            .collect();
        assert_eq!(offered, Algorithm::ALL);
        let found = challenges
            .into_iter()
            .find(|challenge| challenge.algorithm == algorithm);
        found.expect("offered")
    }
}

fn authorization(challenge: &Challenge, name: &str, password: &str) -> String {
    let answer = challenge.answer((name, password), "REGISTER", URI, 1, "c");
    format!("Authorization: {answer}\r\n")
}

#[tokio::test]
async fn ct_reg_03_only_the_right_password_registers_and_only_once() {
    let users = users();
    let mut store = Store::start(Behaviour::Stores).await;
    let edge = Running::ready(guarded(laptop(store.address), &users)).await;
    let mut bob = Client {
        peer: TcpPeer::connect(edge.tcp).await,
        sent: 0,
    };
    for algorithm in Algorithm::ALL {
        let challenge = bob.challenge(algorithm).await;
        let wrong = authorization(&challenge, "bob@example.org", "guess");
        assert_eq!(bob.register(&wrong).await.status().code(), 401);
        let stranger = authorization(&challenge, "mallory@example.org", "secret");
        assert_eq!(bob.register(&stranger).await.status().code(), 401);
        assert!(store.is_quiet());
        let right = authorization(&challenge, "bob@example.org", "secret");
        assert_eq!(bob.register(&right).await.status().code(), 200);
        assert_eq!(store.registration().await.address, "sip:bob@example.org");
        assert_eq!(bob.register(&right).await.status().code(), 401, "a replay");
    }
}

#[tokio::test]
async fn a_proof_is_good_for_the_own_registration_and_nothing_else() {
    let users = users();
    let mut store = Store::start(Behaviour::Stores).await;
    let edge = Running::ready(guarded(laptop(store.address), &users)).await;
    let mut carol = Client {
        peer: TcpPeer::connect(edge.tcp).await,
        sent: 0,
    };
    let challenge = carol.challenge(Algorithm::Sha256).await;
    let proof = authorization(&challenge, "carol@example.org", "secret");
    assert_eq!(carol.register(&proof).await.status().code(), 403);
    let uri = "sip:127.0.0.1";
    let answer = carol.challenge(Algorithm::Sha256).await.answer(
        ("carol@example.org", "secret"),
        "REGISTER",
        uri,
        1,
        "c",
    );
    let told = third_party().replacen(
        "Max-Forwards: 10\r\n",
        &format!("Max-Forwards: 10\r\nAuthorization: {answer}\r\n"),
        1,
    );
    assert_eq!(carol.send(&told).await.status().code(), 403);
    let message = carol.send(&message("z9hG4bK-m", "")).await;
    assert_eq!(message.status().code(), 403);
    assert!(store.is_quiet());
}

#[tokio::test]
async fn a_trusted_network_is_no_proof_under_digest() {
    let users = users();
    let mut store = Store::start(Behaviour::Stores).await;
    let mut config = guarded(laptop(store.address), &users);
    config.trust.loopback = true;
    let edge = Running::ready(config).await;
    let mut peer = Client {
        peer: TcpPeer::connect(edge.tcp).await,
        sent: 0,
    };
    assert_eq!(peer.register("").await.status().code(), 401);
    assert!(store.is_quiet());
    assert_eq!(peer.send(&third_party()).await.status().code(), 200);
    store.registration().await;
}
