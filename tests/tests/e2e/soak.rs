//! A load for hours: messages to users who are there and who come later, large ones, and ones to a group, with kills in
//! between in the first half, and without in the second, in which memory may not grow.
//!
//! `make soak` runs it for `SOAK` (8 h). It goes in rounds, after each of which everything that was accepted must be where it
//! belongs; what was settled is forgotten, here and by the store, so that hours need no more room than minutes.

use std::collections::{BTreeMap, BTreeSet};
use std::time::{Duration, Instant};

use proto::v1::{Group, GroupMember, Job, JobState, Message, MessageState, PartKind};
use restante_tests::clients::Clients;
use restante_tests::load::Load;
use restante_tests::patience::eventually;
use restante_tests::sip::{RequestText, SipPeer, Transport, example, fresh};
use restante_tests::uploads::{Uploads, octets_of};
use restante_tests::{Deployment, LoopbackNet, Part, run, uri};
use tokio::time::{sleep, timeout};

/// The variable with its duration: `8h`, `90m`, `300s`.
const VARIABLE: &str = "SOAK";
/// Without it: long enough for both halves to mean something.
const USUAL: Duration = Duration::from_secs(600);

/// Senders at a time.
const SENDERS: usize = 3;
/// Messages of a round before and after a kill.
const MESSAGES: usize = 300;
/// Large messages of a round.
const UPLOADS: usize = 4;
/// Messages to the group in a round.
const TO_MANY: usize = 3;
/// Its members, of whom half are registered.
const MEMBERS: usize = 20;
/// What the store keeps of what is settled.
const MEMORY: Duration = Duration::from_secs(120);
/// A round takes no less.
const ROUND: Duration = Duration::from_secs(15);
/// How long the last of a round may be on their way, tries after a kill among it.
const PATIENCE: Duration = Duration::from_secs(300);

/// Of one process, at any time.
const RESIDENT_MIB: u64 = 1_024;
/// What a process may grow by in the quiet half, behind its first quarter: caches and tables fill up to what they are
/// given.
const GROWTH_MIB: u64 = 96;

const PARTS: [Part; 3] = [Part::Storage, Part::SipEdge, Part::ControllingEdge];

struct Soak {
    deployment: Deployment,
    clients: Clients,
    uploads: Uploads,
    uploaded: BTreeSet<String>,
    group: String,
    last_job: u64,
    next_hop: String,
    totals: Totals,
    highest: BTreeMap<Part, u64>,
}

/// Of all rounds.
#[derive(Debug, Default)]
struct Totals {
    rounds: usize,
    kills: usize,
    accepted: usize,
    uploaded: usize,
    to_many: usize,
    copies: usize,
    deliveries: usize,
}

impl Soak {
    async fn start() -> Self {
        let seconds = format!("{}s", MEMORY.as_secs());
        let plan = Deployment::three_processes()
            .set("push.lease", "2s")
            .set("push.on_deposit", "20ms")
            .set("cf.leg_lease", "2s")
            .set("cf.sender_fanout_rate", "0")
            .set("retention.delivered", "0s")
            .set("retention.timeline", &seconds)
            .set("dedupe.window", &seconds)
            // All clients are at one address.
            .set("msrp.connects_per_second", "1000");
        let core = SipPeer::open(plan.net().host(LoopbackNet::CORE)).await;
        let next_hop = format!("sip:{};transport=tcp", core.tcp());
        // The controlling edge, whose copies go to the participating one, is no core.
        let plan = plan.behind(&core).set("trust.peers", "127.0.0.0/8+udp");
        let mut deployment = plan.start().await;
        let hop = format!("sip:{};transport=tcp", deployment.edge(Transport::Tcp));
        deployment.terminate(Part::ControllingEdge).await;
        deployment.set("sip.next_hop", &hop);
        deployment.launch(Part::ControllingEdge).await;
        let members = (0..MEMBERS).map(|number| GroupMember {
            uri: uri(&format!("member-{number}")),
            display_name: String::new(),
        });
        let group = Group {
            uri: uri("soak"),
            non_members_may_send: true,
            members: members.collect(),
            ..Group::default()
        };
        let group = deployment.operator().create_group(group).await.uri;
        let uploads = Uploads::start(deployment.address("storage.listen"), 2);
        Self {
            clients: Clients::behind(core),
            deployment,
            uploads,
            uploaded: BTreeSet::new(),
            group,
            last_job: 0,
            next_hop,
            totals: Totals::default(),
            highest: BTreeMap::new(),
        }
    }

    /// Starts a part with the next hop that is its.
    async fn launch(&mut self, part: Part) {
        let hop = match part {
            Part::ControllingEdge => {
                format!("sip:{};transport=tcp", self.deployment.edge(Transport::Tcp))
            }
            _ => self.next_hop.clone(),
        };
        self.deployment.set("sip.next_hop", &hop);
        self.deployment.launch(part).await;
    }

    fn load(&self) -> Load {
        let host = self.deployment.net().host(LoopbackNet::CORE);
        Load::start(host, self.deployment.edge(Transport::Tcp), SENDERS)
    }

    /// Load, a death in the middle of it, and everything where it belongs.
    async fn round(&mut self, death: Option<Part>) {
        let begin = Instant::now();
        self.register((0..MEMBERS / 2).map(|number| format!("member-{number}")))
            .await;
        self.register((0..SENDERS).map(|number| format!("user-{number}-0")))
            .await;
        let mut load = self.load();
        self.message_many().await;
        load.more(MESSAGES).await;
        let mut promised: BTreeSet<String> = BTreeSet::new();
        if let Some(part) = death {
            self.deployment.kill(part).await;
            promised.extend(load.promised().into_keys());
            self.launch(part).await;
            self.totals.kills += 1;
            if part == Part::SipEdge {
                load = self.load();
            }
        }
        load.more(MESSAGES).await;
        self.uploads.more(UPLOADS).await;
        self.uploads.rest();
        load.end().await;
        promised.extend(load.promised().into_keys());
        self.settle(&promised).await;
        self.look_at_uploads().await;
        self.totals.rounds += 1;
        self.totals.accepted += promised.len();
        self.totals.deliveries += self.clients.seen().receipts.len();
        self.clients.forget();
        self.look_at_memory();
        sleep(ROUND.saturating_sub(begin.elapsed())).await;
    }

    /// Registers users; whoever has something waiting gets it.
    async fn register(&self, users: impl Iterator<Item = String>) {
        let mut core = SipPeer::open(self.deployment.net().host(LoopbackNet::CORE)).await;
        let way = core
            .way(Transport::Tcp, self.deployment.edge(Transport::Tcp))
            .await;
        for user in users {
            let exchange = core.call(&way, &example::register(&user)).await;
            assert_eq!(
                exchange.response.status(),
                Some(200),
                "{}",
                exchange.response
            );
        }
    }

    /// Messages to the group.
    async fn message_many(&mut self) {
        let mut core = SipPeer::open(self.deployment.net().host(LoopbackNet::CORE)).await;
        let address = self.deployment.address("controlling-edge.listen_tcp");
        let way = core.way(Transport::Tcp, address).await;
        for _ in 0..TO_MANY {
            let request = to_group(&self.group);
            let exchange = core.call(&way, &request).await;
            assert_eq!(
                exchange.response.status(),
                Some(202),
                "{}",
                exchange.response
            );
            self.totals.to_many += 1;
        }
    }

    /// Waits until everybody has what was accepted for him: users who were away come now.
    async fn settle(&mut self, promised: &BTreeSet<String>) {
        let operator = self.deployment.operator();
        let last = self.last_job;
        // Those of this round, as they were last seen: a job that is over is forgotten in time.
        let mut jobs: BTreeMap<u64, Job> = BTreeMap::new();
        eventually(PATIENCE, "the end of every job of the round", async || {
            let new = operator
                .jobs()
                .await
                .into_iter()
                .filter(|job| job.job > last);
            jobs.extend(new.map(|job| (job.job, job)));
            let over = jobs.values().filter(|job| job.state() != JobState::Running);
            (over.count() >= TO_MANY).then_some(())
        })
        .await;
        assert_eq!(jobs.len(), TO_MANY, "{jobs:?}");
        for job in jobs.values() {
            assert_eq!(job.state(), JobState::Completed, "{job:?}");
            assert_eq!(job.delivered, job.total, "{job:?}");
        }
        self.totals.copies += jobs.values().map(|job| job.total as usize).sum::<usize>();
        self.last_job = jobs.keys().copied().max().unwrap_or_default();
        eventually(PATIENCE, "the last messages", async || {
            let users = waiting(&operator.list("").await);
            if users.is_empty() {
                return Some(());
            }
            self.register(users.into_iter()).await;
            sleep(Duration::from_secs(1)).await;
            None
        })
        .await;
        let seen = self.clients.seen();
        let got: BTreeSet<&String> = seen.receipts.iter().map(|it| &it.call_id).collect();
        let lost: Vec<&String> = promised.iter().filter(|id| !got.contains(id)).collect();
        assert!(lost.is_empty(), "accepted and never delivered: {lost:?}");
        // Under one Message-ID each, however often they came.
        let ids: BTreeMap<&String, &String> = seen
            .receipts
            .iter()
            .map(|it| (&it.message_id, &it.call_id))
            .collect();
        for receipt in &seen.receipts {
            assert_eq!(ids[&receipt.message_id], &receipt.call_id, "{receipt:?}");
        }
    }

    /// What was uploaded is whole; then it is deleted.
    async fn look_at_uploads(&mut self) {
        let operator = self.deployment.operator();
        let new: Vec<(String, String)> = self
            .uploads
            .promised()
            .into_iter()
            .filter(|(call_id, _)| !self.uploaded.contains(call_id))
            .collect();
        for (call_id, id) in new {
            let octets = operator.part(&id, PartKind::SendBody).await;
            assert!(octets == octets_of(&call_id), "{call_id} is not whole");
            let deleted = operator.delete(&id).await;
            deleted.unwrap_or_else(|status| panic!("{call_id} is not deleted: {status}"));
            self.uploaded.insert(call_id);
            self.totals.uploaded += 1;
        }
    }

    /// Resident memory of each process, MiB.
    fn memory(&self) -> BTreeMap<Part, u64> {
        let of = |part: Part| (part, resident_mib(self.deployment.process(part).id()));
        PARTS.into_iter().map(of).collect()
    }

    fn look_at_memory(&mut self) {
        for (part, mib) in self.memory() {
            assert!(mib <= RESIDENT_MIB, "{part:?} has {mib} MiB");
            let highest = self.highest.entry(part).or_default();
            *highest = mib.max(*highest);
        }
    }

    /// Ends it all; the store must be sound.
    async fn finish(mut self) {
        self.uploads.end().await;
        for part in [Part::SipEdge, Part::ControllingEdge, Part::Storage] {
            let status = self.deployment.terminate(part).await;
            assert!(status.success(), "{part:?}: {status}");
        }
        let mut command = run::command("restante");
        command.args(["storage", "check"]);
        command.env("RESTANTE_STORAGE__DATA_DIR", self.deployment.data());
        let checked = timeout(PATIENCE, run::run(command)).await;
        let checked = checked.expect("the check ends").done().output;
        assert!(checked.contains("the store is sound"), "{checked}");
    }
}

fn to_group(group: &str) -> RequestText {
    let head = format!(
        "MESSAGE {group} SIP/2.0
        Via: {{hop}}
        Max-Forwards: 68
        From: \"Alice\" <sip:alice@example.org>;tag={}
        To: <{group}>
        Call-ID: {}@198.51.100.7
        CSeq: 1 MESSAGE
        Accept-Contact: *;+g.oma.sip-im
        P-Asserted-Identity: \"Alice\" <sip:alice@example.org>
        Content-Length: 0",
        fresh(),
        fresh()
    );
    RequestText::new(&head).body("text/plain;charset=utf-8", "Stand-up moved to 10:30.")
}

/// Whom something waits for. Nothing is refused, held or dropped: what does not wait is delivered.
fn waiting(stored: &[Message]) -> BTreeSet<String> {
    let pushed = stored.iter().filter(|message| !is_upload(message));
    let waits = |message: &&Message| match message.state() {
        MessageState::Delivered => false,
        MessageState::Stored | MessageState::Claimed => true,
        _ => panic!("neither waiting nor delivered: {message:?}"),
    };
    pushed.filter(waits).map(user).collect()
}

/// The name in the address of who is served.
fn user(message: &Message) -> String {
    let address = message.served_user.trim_start_matches("sip:");
    address.split('@').next().unwrap_or_default().to_owned()
}

fn is_upload(message: &Message) -> bool {
    user(message).starts_with("upload-")
}

fn resident_mib(process: u32) -> u64 {
    let status = std::fs::read_to_string(format!("/proc/{process}/status"));
    let status = status.expect("a process of ours");
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:"));
    let kib = line.and_then(|line| line.trim().trim_end_matches(" kB").parse::<u64>().ok());
    kib.expect("resident memory") / 1_024
}

/// What `SOAK` says.
fn duration() -> Duration {
    let Ok(text) = std::env::var(VARIABLE) else {
        return USUAL;
    };
    let (number, unit) = text.split_at(text.len().saturating_sub(1));
    let seconds = match unit {
        "h" => 3_600,
        "m" => 60,
        "s" => 1,
        _ => panic!("SOAK is {text:?}, not like 8h, 90m, 300s"),
    };
    let number: u64 = number.parse().expect("a number before the unit");
    Duration::from_secs(number * seconds)
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[ignore = "long: a soak, as long as it is told to"]
async fn ct_rob_05_a_load_with_kills_loses_nothing_and_memory_does_not_grow() {
    let half = duration() / 2;
    let mut soak = Soak::start().await;
    let begin = Instant::now();
    let mut deaths = PARTS.iter().copied().cycle();
    while begin.elapsed() < half {
        soak.round(deaths.next()).await;
        println!("{:?} {:?}", soak.totals, soak.memory());
    }
    // The quiet half: the same processes all the time. Its first quarter fills what is bounded.
    let quiet = Instant::now();
    let mut before = soak.memory();
    while quiet.elapsed() < half {
        soak.round(None).await;
        if quiet.elapsed() < half / 4 {
            before = soak.memory();
        }
        println!("{:?} {:?}", soak.totals, soak.memory());
    }
    let after = soak.memory();
    println!(
        "{:?}; resident MiB at most {:?}, in the quiet half {before:?}, then {after:?}",
        soak.totals, soak.highest
    );
    for (part, mib) in after {
        assert!(
            mib <= before[&part] + GROWTH_MIB,
            "{part:?} grew from {} MiB to {mib}",
            before[&part]
        );
    }
    assert!(soak.totals.accepted >= 2 * MESSAGES * soak.totals.rounds);
    assert_eq!(soak.totals.copies, soak.totals.to_many * MEMBERS);
    soak.finish().await;
}
