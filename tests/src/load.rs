//! Senders that keep a deployment busy and remember what was promised to them.

use std::collections::BTreeMap;
use std::net::{IpAddr, SocketAddr};

use proto::v1::Message;
use tokio::sync::watch;
use tokio::task::JoinSet;

use crate::sip::{SipPeer, Transport, example};

/// Every message that was answered 202, by Call-ID, with the octets of its request.
pub type Promised = BTreeMap<String, Vec<u8>>;

/// Senders at work, each on a connection of its own, one message after the other.
pub struct Load {
    senders: JoinSet<Promised>,
    accepted: watch::Receiver<usize>,
}

impl Load {
    /// Starts so many senders at `host`. Each sends to a user of its own until the first answer that
    /// is not 202, or until it gets none any more.
    pub fn start(host: IpAddr, edge: SocketAddr, senders: usize) -> Self {
        let (sender, accepted) = watch::channel(0);
        let mut tasks = JoinSet::new();
        for number in 0..senders {
            let count = sender.clone();
            tasks.spawn(async move { send(host, edge, &format!("user-{number}"), &count).await });
        }
        Self {
            senders: tasks,
            accepted,
        }
    }

    /// Waits until so many messages were answered 202.
    ///
    /// # Panics
    /// When the senders gave up before.
    pub async fn accepted(&mut self, count: usize) {
        let reached = self.accepted.wait_for(|accepted| *accepted >= count);
        let reached =
            crate::patience::within(crate::patience::START, "messages to be accepted", reached)
                .await;
        reached.expect("the senders got answers");
    }

    /// Waits for the senders to give up; what was promised to them.
    ///
    /// # Panics
    /// When a sender panicked.
    pub async fn ended(mut self) -> Promised {
        let mut promised = Promised::new();
        while let Some(ended) = self.senders.join_next().await {
            promised.extend(ended.expect("a sender that did not panic"));
        }
        promised
    }
}

async fn send(
    host: IpAddr,
    edge: SocketAddr,
    user: &str,
    count: &watch::Sender<usize>,
) -> Promised {
    let mut peer = SipPeer::open(host).await;
    let way = peer.way(Transport::Tcp, edge).await;
    let mut promised = Promised::new();
    loop {
        let exchange = peer.call(&way, &example::message(user)).await;
        if exchange.response.status() != Some(202) {
            return promised;
        }
        let call_id = exchange.request.field("Call-ID").to_owned();
        promised.insert(call_id, exchange.request.octets().to_vec());
        count.send_modify(|count| *count += 1);
    }
}

/// Call-IDs of what was promised and is not stored.
pub fn lost(promised: &Promised, stored: &[Message]) -> Vec<String> {
    let there = by_call_id(stored);
    let missing = promised
        .keys()
        .filter(|call_id| !there.contains_key(*call_id));
    missing.cloned().collect()
}

/// The Message-IDs of stored messages by their Call-ID.
///
/// # Panics
/// When a Call-ID is stored twice.
pub fn by_call_id(stored: &[Message]) -> BTreeMap<String, String> {
    let mut found = BTreeMap::new();
    for message in stored {
        let call_id = message
            .headers
            .as_ref()
            .expect("always set")
            .call_id
            .clone();
        let twice = found.insert(call_id, message.message_id.clone());
        assert_eq!(twice, None, "stored twice: {message:?}");
    }
    found
}
