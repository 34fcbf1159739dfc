//! A core that is down or has too much to do (requirements §3.5, CT-DLV-21).

use std::net::SocketAddr;
use std::time::Duration;

use proto::v1;
use restante_sip_edge::Config;
use tokio::net::TcpListener;

use crate::client::{TcpPeer, value};
use crate::deposit::message;
use crate::registration::third_party;
use crate::running::{Running, laptop};
use crate::store::{Behaviour, Store};

/// A message waits at an edge behind a core.
struct Behind {
    store: Store,
    _edge: Running,
    core: TcpPeer,
    registrations: usize,
}

impl Behind {
    async fn core_at(address: SocketAddr, configure: impl FnOnce(&mut Config)) -> Self {
        let mut store = Store::start(Behaviour::Stores).await;
        let mut config = laptop(store.address);
        config.sip.next_hop = Some(format!("sip:{address};transport=tcp"));
        configure(&mut config);
        let edge = Running::ready(config).await;
        let mut core = TcpPeer::connect(edge.tcp).await;
        core.send(&message("z9hG4bK-1", "")).await;
        assert_eq!(core.response().await.status().code(), 202);
        store.deposit().await;
        Self {
            store,
            _edge: edge,
            core,
            registrations: 0,
        }
    }

    /// The core tells that Bob has registered, which triggers a push.
    async fn register(&mut self) {
        self.registrations += 1;
        let branch = format!("z9hG4bK-3pr-{}", self.registrations);
        let text = third_party().replacen("z9hG4bK-3pr-01", &branch, 1);
        self.core.send(&text).await;
        assert_eq!(self.core.response().await.status().code(), 200);
        self.store.registration().await;
    }

    /// How the push ended, which must be the hop's fault, and how long it rests.
    async fn rest(&mut self) -> (String, Duration) {
        let told = self.store.release().await.outcome.expect("an outcome");
        assert_eq!(told.result(), v1::DeliveryResult::HopDown, "{told:?}");
        let pause = told.retry_after.expect("a pause");
        let pause = Duration::try_from(pause).expect("well-formed");
        (told.reason, pause)
    }
}

async fn listener() -> (TcpListener, SocketAddr) {
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("a free port");
    let address = listener.local_addr().expect("bound");
    (listener, address)
}

#[tokio::test]
async fn a_503_that_asks_to_wait_keeps_all_requests_from_the_hop() {
    let (listener, address) = listener().await;
    let mut behind = Behind::core_at(address, |_| {}).await;
    behind.register().await;
    let mut hop = TcpPeer::accept(&listener).await;
    let invite = hop.request_of("INVITE").await;
    assert_eq!(
        value(invite.headers(), "Route"),
        format!("<sip:{address};transport=tcp;lr>")
    );
    assert_eq!(invite.raw_uri(), "sip:bob@example.org");
    let wait = "Retry-After: 20\r\n";
    hop.answer(&invite, "503 Service Unavailable", wait, "")
        .await;
    hop.request_of("ACK").await;
    let twenty = Duration::from_secs(20);
    assert_eq!(behind.rest().await, ("INVITE 503".to_owned(), twenty));

    behind.register().await;
    let (reason, pause) = behind.rest().await;
    assert_eq!(reason, "next hop paused");
    assert!(
        pause <= twenty && pause > Duration::from_secs(1),
        "{pause:?}"
    );
    // The answer is the next thing on this connection: nothing was sent before it.
    let options = message("z9hG4bK-o", "").replace("MESSAGE", "OPTIONS");
    hop.send(&options).await;
    assert_eq!(hop.response().await.status().code(), 200);
}

#[tokio::test]
async fn a_hop_that_is_away_is_probed_until_it_answers() {
    let (listener, address) = listener().await;
    drop(listener);
    let mut behind = Behind::core_at(address, |_| {}).await;
    behind.register().await;
    let (reason, _) = behind.rest().await;
    assert_eq!(reason, "next hop unreachable");

    let listener = TcpListener::bind(address).await.expect("it was free");
    let mut hop = TcpPeer::accept(&listener).await;
    let probe = hop.request_of("OPTIONS").await;
    assert_eq!(probe.raw_uri(), format!("sip:{address};transport=tcp"));
    assert!(value(probe.headers(), "User-Agent").starts_with("IM-serv/OMA1.0 "));
    behind.register().await;
    assert_eq!(behind.rest().await.0, "next hop paused");
    hop.answer(&probe, "404 Not Found", "", "").await;
    // The edge takes the answer in when it gets to it.
    loop {
        behind.register().await;
        tokio::select! {
            invite = hop.request() => {
                assert_eq!(invite.method().as_str(), "INVITE");
                return;
            }
            (reason, _) = behind.rest() => assert_eq!(reason, "next hop paused"),
        }
    }
}

#[tokio::test]
async fn a_hop_that_leaves_users_unanswered_is_paused() {
    let (_listener, address) = listener().await;
    let mut behind = Behind::core_at(address, |config| {
        config.push.hop_down_after = 1;
        config.sip.t1 = Duration::from_millis(2);
    })
    .await;
    behind.register().await;
    assert_eq!(behind.rest().await.0, "next hop unreachable");
    behind.register().await;
    assert_eq!(behind.rest().await.0, "next hop paused");
}

#[tokio::test]
async fn one_silent_user_is_not_the_hops_fault() {
    let (_listener, address) = listener().await;
    let mut behind =
        Behind::core_at(address, |config| config.sip.t1 = Duration::from_millis(2)).await;
    behind.register().await;
    let told = behind.store.release().await.outcome.expect("an outcome");
    assert_eq!(told.result(), v1::DeliveryResult::Unavailable);
}
