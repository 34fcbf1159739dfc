//! Kill -9 of each process of a whole deployment, and power cuts of the one with the store, in the middle of messages to
//! many: each member finds each accepted message once in his mailbox, whoever died (P2, CFP-18).

mod large;

use std::collections::BTreeMap;
use std::time::Duration;

use proto::v1::{EventKind, Group, GroupMember, Job, JobState, Message};
use restante_tests::load::by_call_id;
use restante_tests::operator::Operator;
use restante_tests::patience::{START, eventually};
use restante_tests::rounds::rounds;
use restante_tests::shim::Shim;
use restante_tests::sip::{RequestText, SipPeer, Transport, Way, fresh};
use restante_tests::{Deployment, LoopbackNet, Part, run, uri};

/// Long enough for all legs of a message whose hop and store were away again and again.
const PATIENCE: Duration = Duration::from_secs(180);

/// Who dies how.
#[derive(Clone, Copy, Debug)]
enum Death {
    Kill(Part),
    PowerCut,
}

/// In turn.
const DEATHS: [Death; 4] = [
    Death::Kill(Part::Storage),
    Death::Kill(Part::SipEdge),
    Death::Kill(Part::ControllingEdge),
    Death::PowerCut,
];

/// Three processes: copies of the controlling edge go to the participating edge, which defers them, for all members are
/// away. The test is the sender.
struct Stage {
    shim: Shim,
    deployment: Deployment,
    core: SipPeer,
    operator: Operator,
    group: String,
    members: Vec<String>,
}

impl Stage {
    async fn start(members: usize, settings: &[(&str, &str)]) -> Self {
        let shim = Shim::new();
        let plan = shim
            .under(Deployment::two_processes())
            .set("cf.leg_lease", "2s");
        let plan = settings
            .iter()
            .fold(plan, |plan, (key, value)| plan.set(key, value));
        let deployment = plan.start().await;
        let core = SipPeer::open(deployment.net().host(LoopbackNet::CORE)).await;
        let operator = deployment.operator();
        let members: Vec<_> = (0..members)
            .map(|number| uri(&format!("m{number}")))
            .collect();
        let group = Group {
            uri: uri("team"),
            non_members_may_send: true,
            members: members.iter().map(|uri| member(uri)).collect(),
            ..Group::default()
        };
        let group = operator.create_group(group).await.uri;
        let mut stage = Self {
            shim,
            deployment,
            core,
            operator,
            group,
            members,
        };
        stage.launch(Part::ControllingEdge).await;
        stage
    }

    /// Starts a part. Only the controlling edge has a next hop.
    async fn launch(&mut self, part: Part) {
        let hop = match part {
            Part::ControllingEdge => {
                format!("sip:{};transport=tcp", self.deployment.edge(Transport::Tcp))
            }
            _ => "off".to_owned(),
        };
        self.deployment.set("sip.next_hop", &hop);
        self.deployment.launch(part).await;
    }

    /// A process dies and comes back.
    async fn die(&mut self, death: Death) {
        let part = match death {
            Death::Kill(part) => part,
            Death::PowerCut => Part::Storage,
        };
        self.deployment.kill(part).await;
        if matches!(death, Death::PowerCut) {
            self.shim.cut_power();
            self.shim.mend();
        }
        self.launch(part).await;
    }

    /// To the controlling edge.
    async fn way(&self) -> Way {
        let address = self.deployment.address("controlling-edge.listen_tcp");
        self.core.way(Transport::Tcp, address).await
    }

    /// Sends a request until it is answered 202, as a sender would who gets something else.
    async fn accepted(&mut self, request: &RequestText) {
        let way = self.way().await;
        let core = &mut self.core;
        let send = async || {
            let response = core.call(&way, request).await.response;
            (response.status() == Some(202)).then_some(())
        };
        eventually(START, "an accepted message", send).await;
    }

    /// The job that was made last.
    async fn last_job(&self) -> u64 {
        let jobs = self.operator.jobs().await;
        let numbers = jobs.iter().map(|job| job.job);
        numbers.max().expect("a job was accepted")
    }

    /// Waits until so many members have their copy; how many have.
    async fn delivered(&self, job: u64, goal: u32) -> u32 {
        let what = format!("{goal} copies of job {job}");
        eventually(PATIENCE, &what, async || {
            let delivered = self.operator.job(job).await.delivered;
            (delivered >= goal).then_some(delivered)
        })
        .await
    }

    /// Waits until each job has its end, which must be that everybody has it.
    async fn completed(&self) -> Vec<Job> {
        let look = async || {
            let jobs = self.operator.jobs().await;
            let is_over = jobs.iter().all(|job| job.state() != JobState::Running);
            is_over.then_some(jobs)
        };
        let jobs = eventually(PATIENCE, "the end of all jobs", look).await;
        for job in &jobs {
            assert_eq!(job.state(), JobState::Completed, "{job:?}");
            assert_eq!(
                (job.delivered, job.total),
                (self.total(), self.total()),
                "{job:?}"
            );
        }
        jobs
    }

    fn total(&self) -> u32 {
        u32::try_from(self.members.len()).expect("few")
    }

    /// Asserts that each member has one message of each job and nobody anything else; all messages.
    async fn each_has_one_of_each(&self, jobs: &[Job]) -> Vec<Message> {
        let messages = self.operator.list("").await;
        // Fails if a copy is stored twice under its Call-ID.
        assert_eq!(by_call_id(&messages).len(), messages.len());
        let mut found: BTreeMap<(&str, u64), usize> = BTreeMap::new();
        for message in &messages {
            *found
                .entry((&message.served_user, job_of(message)))
                .or_default() += 1;
        }
        for job in jobs {
            for member in &self.members {
                let copies = found.remove(&(member.as_str(), job.job)).unwrap_or(0);
                assert_eq!(copies, 1, "copies of job {} for {member}", job.job);
            }
        }
        assert!(found.is_empty(), "nobody else got anything: {found:?}");
        messages
    }

    /// Copies that came again and were recognised.
    async fn absorbed(&self, messages: &[Message]) -> usize {
        let mut absorbed = 0;
        for message in messages {
            let timeline = self.operator.timeline(&message.message_id).await;
            let repeats = timeline.iter();
            absorbed += repeats
                .filter(|kind| **kind == EventKind::DuplicateAbsorbed)
                .count();
        }
        println!("{absorbed} of {} copies came again", messages.len());
        absorbed
    }

    /// Ends it all; the store must be sound.
    async fn finish(mut self) {
        self.deployment.kill(Part::Storage).await;
        let mut command = run::command("restante");
        command.args(["storage", "check"]);
        command.env("RESTANTE_STORAGE__DATA_DIR", self.shim.data());
        let checked = run::run(command).await.done().output;
        assert!(checked.contains("the store is sound"), "{checked}");
    }
}

fn member(uri: &str) -> GroupMember {
    GroupMember {
        uri: uri.to_owned(),
        display_name: String::new(),
    }
}

/// The job of a copy.
fn job_of(message: &Message) -> u64 {
    let call_id = &message.headers.as_ref().expect("always set").call_id;
    let number = call_id
        .split('-')
        .nth(1)
        .and_then(|number| number.parse().ok());
    number.unwrap_or_else(|| panic!("{call_id} is no copy of a job"))
}

/// A MESSAGE of Alice, who is no member, to a group.
fn message(group: &str, text: &str) -> RequestText {
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
    RequestText::new(&head).body("text/plain;charset=utf-8", text)
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn each_of_a_thousand_members_gets_a_message_once_whoever_dies() {
    /// Deaths, usually, and how many while one message goes out.
    const ROUNDS: usize = 30;
    const DEATHS_OF_EACH: u32 = 10;
    /// Copies between two deaths.
    const STEP: u32 = 70;
    let settings = [("cf.sender_fanout_rate", "0"), ("cf.leg_rate", "250")];
    let mut stage = Stage::start(1_000, &settings).await;
    let mut deaths = DEATHS.iter().cycle();
    let messages = rounds(ROUNDS).div_ceil(10);
    for number in 0..messages {
        let request = message(&stage.group, &format!("Stand-up {number} moved to 10:30."));
        stage.accepted(&request).await;
        let job = stage.last_job().await;
        for round in 0..DEATHS_OF_EACH {
            let delivered = stage.delivered(job, round * STEP).await;
            let death = *deaths.next().expect("a cycle");
            println!("{death:?} after {delivered} copies of job {job}");
            assert!(delivered < stage.total(), "nothing was on its way");
            stage.die(death).await;
        }
        // A sender who did not hear the 202 is not told twice.
        stage.accepted(&request).await;
    }
    let jobs = stage.completed().await;
    assert_eq!(jobs.len(), messages);
    let copies = stage.each_has_one_of_each(&jobs).await;
    assert_ne!(stage.absorbed(&copies).await, 0, "no copy was repeated");
    stage.finish().await;
}
