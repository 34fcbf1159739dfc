//! MSRP over loopback: binding, sending, receiving.
#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

mod binding;
mod peer;
mod receiving;
mod sending;
mod tls;

use std::time::Duration;

use msrp::{MessageId, OutboundMessage, Path, RequestHead};
use restante_net::msrp::{
    Gatherer, MsrpConfig, MsrpEndpoint, MsrpSession, SessionRules, WholeMessage,
};
use tokio::time::timeout;

use peer::Peer;

/// Longer than anything here takes; reaching it is a failure.
const PATIENCE: Duration = Duration::from_secs(20);

const LOOPBACK: &str = "127.0.0.1:0";

fn config() -> MsrpConfig {
    let mut config = MsrpConfig::new(LOOPBACK.parse().unwrap());
    config.allow_networks = vec!["127.0.0.0/8".parse().unwrap()];
    config
}

async fn endpoint() -> MsrpEndpoint {
    MsrpEndpoint::bind(config()).await.unwrap()
}

fn path(text: &str) -> Path {
    text.parse().unwrap()
}

fn message(name: &str, octets: usize) -> OutboundMessage {
    OutboundMessage::new(
        name.parse::<MessageId>().unwrap(),
        "text/plain",
        octets as u64,
    )
}

async fn in_time<T>(what: impl Future<Output = T>) -> T {
    timeout(PATIENCE, what).await.expect("done in time")
}

/// Two endpoints of ours, the first passive.
async fn pair(passive: SessionRules, active: SessionRules) -> (MsrpSession, MsrpSession) {
    let (server, client) = (endpoint().await, endpoint().await);
    let waiting = server.open().with_rules(passive);
    let calling = client.open().with_rules(active);
    let (server_path, client_path) = (waiting.local_path().clone(), calling.local_path().clone());
    let (accepted, connected) = in_time(async {
        tokio::join!(
            waiting.accept(client_path, PATIENCE),
            calling.connect(server_path, "peer", PATIENCE)
        )
    })
    .await;
    (accepted.unwrap(), connected.unwrap())
}

/// A passive session of ours, bound by a peer of the test.
async fn bound(rules: SessionRules) -> (MsrpEndpoint, MsrpSession, Peer) {
    let endpoint = endpoint().await;
    let pending = endpoint.open().with_rules(rules);
    let local_path = pending.local_path().clone();
    let mut peer = Peer::connect(endpoint.local_address()).await;
    let peer_path = peer.path.clone();
    let accepting = tokio::spawn(pending.accept(peer_path, PATIENCE));
    peer.bind(&local_path).await;
    let session = in_time(accepting).await.unwrap().unwrap();
    (endpoint, session, peer)
}

fn name_of(head: &RequestHead) -> String {
    head.message_id.as_ref().expect("a Message-ID").to_string()
}

/// The next whole message of a session.
async fn whole(session: &mut MsrpSession) -> WholeMessage {
    let received = in_time(Gatherer::default().next(session)).await;
    received.expect("a message")
}
