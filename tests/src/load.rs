//! Senders that keep a deployment busy and remember what was promised to them.

use std::collections::BTreeMap;
use std::net::{IpAddr, SocketAddr};
use std::sync::{Arc, Mutex};

use proto::v1::Message;
use tokio::sync::watch;
use tokio::task::JoinSet;

use crate::deployment::Plan;
use crate::patience::START;
use crate::sip::{Exchange, SipPeer, Transport, example};

/// Every message that was answered 202, by Call-ID, with the octets of its request.
pub type Promised = BTreeMap<String, Vec<u8>>;

/// Messages to one mailbox, which holds no more than a thousand.
const PER_MAILBOX: usize = 100;

/// Senders at work, each on a connection of its own, one message after the other, whatever the answers,
/// until their connections end.
pub struct Load {
    senders: JoinSet<()>,
    promised: Arc<Mutex<Promised>>,
    accepted: watch::Sender<usize>,
    refused: Arc<Mutex<Vec<Option<u16>>>>,
}

/// A plan for a load: its sender is believed over UDP too, and has any number of messages stored.
#[must_use]
pub fn under_load(plan: Plan) -> Plan {
    let plan = plan.set("trust.peers", "127.0.0.0/8+udp");
    plan.set("limits.sender_stored", "off")
        .set("limits.sender_stored_octets", "off")
}

impl Load {
    /// Starts so many senders at `host`.
    pub fn start(host: IpAddr, edge: SocketAddr, senders: usize) -> Self {
        let mut load = Self {
            senders: JoinSet::new(),
            promised: Arc::default(),
            accepted: watch::Sender::new(0),
            refused: Arc::default(),
        };
        for number in 0..senders {
            let (promised, accepted) = (Arc::clone(&load.promised), load.accepted.clone());
            let refused = Arc::clone(&load.refused);
            load.senders.spawn(async move {
                let mut peer = SipPeer::open(host).await;
                let way = peer.way(Transport::Tcp, edge).await;
                let closed = way.clone();
                let sending = async {
                    for count in 0.. {
                        let user = format!("user-{number}-{}", count / PER_MAILBOX);
                        let exchange = peer.call(&way, &example::message(&user)).await;
                        remember(&exchange, &promised, &accepted);
                        let status = exchange.response.status();
                        if status != Some(202) {
                            refused.lock().expect("nobody panics with it").push(status);
                        }
                    }
                };
                tokio::select! {
                    biased;
                    () = closed.closed() => {}
                    () = sending => {}
                }
            });
        }
        load
    }

    /// Waits until so many more messages were answered 202.
    ///
    /// # Panics
    /// When that takes too long.
    pub async fn more(&self, count: usize) {
        let mut accepted = self.accepted.subscribe();
        let goal = *accepted.borrow() + count;
        let reached = accepted.wait_for(|accepted| *accepted >= goal);
        let reached = tokio::time::timeout(START, reached).await;
        let answers = self.refused();
        let last = &answers[answers.len().saturating_sub(5)..];
        reached
            .unwrap_or_else(|_| {
                panic!(
                    "{START:?} in vain for {count} messages to be accepted; refused last: {last:?}"
                )
            })
            .expect("we hold the sender");
    }

    /// Has the senders end, whatever they wait for.
    pub async fn end(&mut self) {
        self.senders.shutdown().await;
    }

    /// The other answers so far.
    ///
    /// # Panics
    /// When a sender panicked.
    pub fn refused(&self) -> Vec<Option<u16>> {
        self.refused.lock().expect("no sender panicked").clone()
    }

    /// What was promised so far.
    ///
    /// # Panics
    /// When a sender panicked.
    pub fn promised(&self) -> Promised {
        self.promised.lock().expect("no sender panicked").clone()
    }
}

fn remember(exchange: &Exchange, promised: &Mutex<Promised>, accepted: &watch::Sender<usize>) {
    if exchange.response.status() == Some(202) {
        let call_id = exchange.request.field("Call-ID").to_owned();
        let octets = exchange.request.octets().to_vec();
        promised
            .lock()
            .expect("nobody panics with it")
            .insert(call_id, octets);
        accepted.send_modify(|count| *count += 1);
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
