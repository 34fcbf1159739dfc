//! Kill -9 of each process in turn, while messages come in and go out: P2, P4, P5, P6.

use std::collections::{BTreeMap, BTreeSet};

use proto::v1::{Message, MessageState};
use restante_tests::clients::{Clients, Receipt, Seen};
use restante_tests::load::{Load, Promised, by_call_id, lost};
use restante_tests::rounds::rounds;
use restante_tests::sip::{SipPeer, Transport, example};
use restante_tests::{Deployment, LoopbackNet, Part, uri};

/// Kills in one test, usually.
const ROUNDS: usize = 50;

/// Senders at a time.
const SENDERS: usize = 3;

/// Mailboxes of one sender that clients have registered for.
const REGISTERED: usize = 4;

/// SENDs that may be unacknowledged (PSH-09).
const WINDOW: usize = 4;

struct Crashes {
    deployment: Deployment,
    clients: Clients,
    load: Load,
    promised: Promised,
    /// Call-IDs of sessions that a kill may have cut.
    cut: BTreeSet<String>,
}

impl Crashes {
    async fn start() -> Self {
        let plan = Deployment::two_processes()
            .set("push.lease", "1s")
            .set("push.on_deposit", "20ms")
            // All clients are at one address.
            .set("msrp.connects_per_second", "1000");
        let host = plan.net().host(LoopbackNet::CORE);
        let core = SipPeer::open(host).await;
        let deployment = plan.behind(&core).start().await;
        let clients = Clients::behind(core);
        register_all(&deployment).await;
        let load = Load::start(host, deployment.edge(Transport::Tcp), SENDERS);
        Self {
            deployment,
            clients,
            load,
            promised: Promised::new(),
            cut: BTreeSet::new(),
        }
    }

    /// Kills a part while messages come in and go out, and brings it back.
    async fn kill(&mut self, part: Part, messages: usize) {
        self.load.more(messages).await;
        self.clients.more(1 + messages / 4).await;
        let before = self.clients.seen();
        self.deployment.kill(part).await;
        self.promised.extend(self.load.promised());
        self.deployment.launch(part).await;
        let after = self.clients.seen();
        self.cut
            .extend(after.begun.difference(&before.ended).cloned());
        if part == Part::SipEdge {
            let host = self.deployment.net().host(LoopbackNet::CORE);
            self.load = Load::start(host, self.deployment.edge(Transport::Tcp), SENDERS);
        }
    }

    /// Waits until everything that was promised to those who have registered is with them; what the
    /// store holds then.
    async fn settle(&mut self) -> Vec<Message> {
        self.load.end().await;
        self.promised.extend(self.load.promised());
        let expected: BTreeSet<String> = self
            .deployment
            .operator()
            .list("")
            .await
            .iter()
            .filter(|message| is_registered(&message.served_user))
            .map(call_id)
            .collect();
        let has_all = |seen: &Seen| {
            let got: BTreeSet<&String> = seen.receipts.iter().map(|it| &it.call_id).collect();
            got.len() >= expected.len()
        };
        self.clients.until("the last messages", has_all).await;
        self.deployment.operator().list("").await
    }
}

fn user(sender: usize, mailbox: usize) -> String {
    format!("user-{sender}-{mailbox}")
}

fn is_registered(served_user: &str) -> bool {
    let mut numbers = (0..SENDERS).flat_map(|sender| (0..REGISTERED).map(move |it| (sender, it)));
    numbers.any(|(sender, mailbox)| served_user == uri(&user(sender, mailbox)))
}

fn call_id(message: &Message) -> String {
    let headers = message.headers.as_ref().expect("always set");
    headers.call_id.clone()
}

async fn register_all(deployment: &Deployment) {
    let mut core = SipPeer::open(deployment.net().host(LoopbackNet::CORE)).await;
    let edge = deployment.edge(Transport::Tcp);
    let way = core.way(Transport::Tcp, edge).await;
    for sender in 0..SENDERS {
        for mailbox in 0..REGISTERED {
            let register = example::register(&user(sender, mailbox));
            let exchange = core.call(&way, &register).await;
            assert_eq!(
                exchange.response.status(),
                Some(200),
                "{}",
                exchange.response
            );
        }
    }
}

/// Each copy of a message has the Message-ID under which the store has it, and no other message has that.
fn assert_ids(receipts: &[Receipt], stored: &[Message]) {
    let ids = by_call_id(stored);
    let distinct: BTreeSet<&String> = ids.values().collect();
    assert_eq!(distinct.len(), ids.len(), "a Message-ID is used twice");
    for receipt in receipts {
        assert_eq!(
            ids.get(&receipt.call_id),
            Some(&receipt.message_id),
            "{receipt:?}"
        );
    }
}

/// Repeated copies apart, each mailbox came in the order of the store.
fn assert_order(receipts: &[Receipt], stored: &[Message]) {
    let places: BTreeMap<String, u64> = stored
        .iter()
        .map(|message| (call_id(message), message.sequence))
        .collect();
    let mut seen = BTreeSet::new();
    let mut last: BTreeMap<&str, u64> = BTreeMap::new();
    for receipt in receipts.iter().filter(|it| seen.insert(&it.call_id)) {
        let place = places[&receipt.call_id];
        let before = last.insert(&receipt.user, place);
        assert!(before < Some(place), "{receipt:?} comes after {before:?}");
    }
}

/// A session that was cut repeats at most its window, any other nothing; and some were cut.
fn assert_repeats(receipts: &[Receipt], cut: &BTreeSet<String>) {
    let mut final_session: BTreeMap<&str, &str> = BTreeMap::new();
    for receipt in receipts {
        final_session.insert(&receipt.call_id, &receipt.session);
    }
    let mut repeated: BTreeMap<&str, usize> = BTreeMap::new();
    for receipt in receipts {
        if final_session[receipt.call_id.as_str()] != receipt.session {
            *repeated.entry(&receipt.session).or_default() += 1;
        }
    }
    assert!(
        !repeated.is_empty(),
        "no kill has cut a session in the middle"
    );
    for (session, count) in &repeated {
        let allowed = if cut.contains(*session) { WINDOW } else { 0 };
        assert!(
            *count <= allowed,
            "{session} repeats {count} messages, allowed are {allowed}"
        );
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn ct_sto_05_kill_9_of_each_process_in_turn_keeps_order_ids_and_messages() {
    let mut crashes = Crashes::start().await;
    for round in 0..rounds(ROUNDS) {
        let part = [Part::Storage, Part::SipEdge][round % 2];
        crashes.kill(part, 1 + round * 7 % 30).await;
    }
    let stored = crashes.settle().await;
    let receipts = crashes.clients.seen().receipts;
    assert_eq!(lost(&crashes.promised, &stored), [""; 0]);
    assert_ids(&receipts, &stored);
    assert_order(&receipts, &stored);
    assert_repeats(&receipts, &crashes.cut);
    let got: BTreeSet<&String> = receipts.iter().map(|it| &it.call_id).collect();
    for message in &stored {
        let is_delivered = message.state() == MessageState::Delivered;
        assert!(
            !is_delivered || got.contains(&call_id(message)),
            "nobody got {message:?}"
        );
    }
}
