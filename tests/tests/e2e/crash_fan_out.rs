//! Kill -9 and power cuts of storage, and the death of an edge, in the middle of messages to a thousand
//! members (CFP-18): whatever was accepted reaches everybody, in job order, and is repeated only
//! where it was on its way.

use std::collections::{BTreeMap, HashMap, HashSet};
use std::net::SocketAddr;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use proto::v1::attach_fan_out_reply::Reply;
use proto::v1::attach_fan_out_request::Request;
use proto::v1::fan_out_service_client::FanOutServiceClient;
use proto::v1::job_service_client::JobServiceClient;
use proto::v1::{
    AcceptJobRequest, AttachFanOutRequest, DuplicateKey, FanOutHello, GetJobRequest, JobAccepted,
    JobClass, JobState, Leg, LegAnswered, LegClaim, LegSettlement, LegTemplate, RosterEntry,
    SettleLegs, accept_job_reply, leg_settlement,
};
use rand::Rng;
use restante_tests::patience::within;
use restante_tests::rounds::{patience, rounds};
use restante_tests::shim::Shim;
use restante_tests::{Deployment, Part};
use tokio::sync::mpsc;
use tokio::task::JoinHandle;
use tokio::time::sleep;
use tokio_stream::wrappers::ReceiverStream;
use tonic::transport::{Channel, Endpoint};

/// Members of each group.
const MEMBERS: u32 = 1_000;

/// Kills and deaths, usually.
const ROUNDS: usize = 30;

/// Long enough for all legs of the usual rounds.
const PATIENCE: Duration = Duration::from_secs(180);

/// What the members have got: copies by job and index.
type Copies = BTreeMap<(u64, u32), usize>;

/// What edges have done, over all their lives.
#[derive(Default)]
struct Seen {
    copies: Copies,
    /// The last leg to each target.
    last: HashMap<String, (u64, u32)>,
}

/// A controlling edge that delivers every leg it is given, and says so.
struct Edge {
    data: SocketAddr,
    incarnation: u64,
    seen: Arc<Mutex<Seen>>,
    /// Settlements that are not known to be on disk.
    unsettled: HashMap<(u64, u32, u64), LegSettlement>,
}

impl Edge {
    fn start(data: SocketAddr, incarnation: u64, seen: &Arc<Mutex<Seen>>) -> JoinHandle<()> {
        let edge = Self {
            data,
            incarnation,
            seen: Arc::clone(seen),
            unsettled: HashMap::new(),
        };
        tokio::spawn(edge.run())
    }

    async fn run(mut self) {
        loop {
            // A storage process that is gone comes back.
            drop(self.attached().await);
            sleep(Duration::from_millis(20)).await;
        }
    }

    async fn attached(&mut self) -> Result<(), Box<dyn std::error::Error + Send + Sync>> {
        let mut client = FanOutServiceClient::new(connect(self.data).await?);
        let (requests, receiver) = mpsc::channel(8);
        let send = |request| AttachFanOutRequest {
            request: Some(request),
        };
        let hello = FanOutHello {
            edge: "cf-1".to_owned(),
            incarnation: self.incarnation,
            capacity: 200,
            large_capacity: 0,
        };
        requests.send(send(Request::Hello(hello))).await?;
        let replies = client.attach_fan_out(ReceiverStream::new(receiver)).await?;
        let mut replies = replies.into_inner();
        let again: Vec<_> = self.unsettled.values().cloned().collect();
        let settle = |settlements| Request::Settle(SettleLegs { settlements });
        requests.send(send(settle(again))).await?;
        while let Some(reply) = replies.message().await? {
            match reply.reply {
                Some(Reply::Legs(legs)) => {
                    let settlements: Vec<_> =
                        legs.legs.iter().map(|leg| self.deliver(leg)).collect();
                    requests.send(send(settle(settlements))).await?;
                }
                Some(Reply::Settled(settled)) => {
                    for claim in settled.legs.iter().filter_map(|settled| settled.leg) {
                        self.unsettled.remove(&name(&claim));
                    }
                }
                _ => {}
            }
        }
        Ok(())
    }

    /// The member has it; what is left is to say so.
    fn deliver(&mut self, leg: &Leg) -> LegSettlement {
        let claim = leg.claim.expect("a leg has a claim");
        let target = leg
            .entry
            .as_ref()
            .expect("a leg has a target")
            .target
            .clone();
        let place = (claim.job, claim.index);
        let mut seen = self.seen.lock().expect("nobody panics with it");
        *seen.copies.entry(place).or_default() += 1;
        let before = seen.last.insert(target, place);
        drop(seen);
        if let Some((other, _)) = before {
            assert!(other <= claim.job, "{other} came before {}", claim.job);
        }
        let answered = LegAnswered {
            status: 200,
            reason: "MESSAGE 200".to_owned(),
            retry_after: None,
        };
        let settlement = LegSettlement {
            leg: Some(claim),
            outcome: Some(leg_settlement::Outcome::Answered(answered)),
        };
        self.unsettled.insert(name(&claim), settlement.clone());
        settlement
    }
}

fn name(claim: &LegClaim) -> (u64, u32, u64) {
    (claim.job, claim.index, claim.generation)
}

async fn connect(address: SocketAddr) -> Result<Channel, tonic::transport::Error> {
    let endpoint = Endpoint::from_shared(format!("http://{address}")).expect("a URL");
    endpoint.connect().await
}

fn message(number: u32) -> AcceptJobRequest {
    let entry = |member| RosterEntry {
        target: format!("sip:member{member}@example.org"),
        ..RosterEntry::default()
    };
    AcceptJobRequest {
        sender: "sip:alice@example.org".to_owned(),
        addressed_to: "sip:team@example.org".to_owned(),
        to_group: true,
        class: JobClass::Pager.into(),
        duplicate_key: Some(DuplicateKey {
            method: "MESSAGE".to_owned(),
            from_tag: "a1".to_owned(),
            call_id: format!("{number}@alice.example"),
            cseq: 1,
        }),
        content_hash: vec![7; 32].into(),
        template: Some(LegTemplate {
            head: "Subject: Stand-up\r\n".into(),
            body: "moved to 10:30".into(),
            body_without_history: None,
            send_head: Default::default(),
        }),
        roster: (0..MEMBERS).map(entry).collect(),
        lifetime: None,
        max_forwards: 68,
        received_from: "tcp 192.0.2.1:5060".to_owned(),
        report_request: None,
        remaining: Some(Duration::from_secs(3).try_into().expect("a short time")),
    }
}

/// Sends the message until it is accepted, as a sender would who gets no 202.
async fn accepted(data: SocketAddr, request: &AcceptJobRequest) -> JobAccepted {
    let sending = async {
        loop {
            if let Ok(channel) = connect(data).await {
                let mut client = FanOutServiceClient::new(channel);
                let reply = client.accept_job(request.clone()).await;
                let answer = reply.ok().and_then(|reply| reply.into_inner().answer);
                if let Some(accept_job_reply::Answer::Accepted(accepted)) = answer {
                    return accepted;
                }
            }
            sleep(Duration::from_millis(20)).await;
        }
    };
    within(PATIENCE, "an accepted job", sending).await
}

/// Waits until a job has its end.
async fn completed(operator: SocketAddr, job: u64, limit: Duration) -> proto::v1::Job {
    let waiting = async {
        loop {
            let client = connect(operator).await.map(JobServiceClient::new);
            let mut client = client.expect("the storage process runs");
            let found = client.get_job(GetJobRequest { job }).await;
            let found = found.expect("it is there").into_inner();
            if found.state() != JobState::Running {
                return found;
            }
            sleep(Duration::from_millis(50)).await;
        }
    };
    within(limit, "the end of a job", waiting).await
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_accepted_message_to_many_survives_every_death() {
    let shim = Shim::new();
    let plan = shim
        .under(Deployment::storage_alone())
        .set("cf.sender_fanout_rate", "0")
        .set("cf.leg_lease", "2s");
    let mut deployment = plan.start().await;
    let data = deployment.address("storage.listen");
    let seen = Arc::new(Mutex::new(Seen::default()));
    let mut edge = Edge::start(data, 0, &seen);
    let mut jobs = Vec::new();
    let rounds = rounds(ROUNDS);
    for round in 0..u32::try_from(rounds).expect("few") {
        let job = accepted(data, &message(round)).await.job;
        jobs.push(job);
        let pause = rand::rng().random_range(0..300);
        sleep(Duration::from_millis(pause)).await;
        if round % 3 == 2 {
            edge.abort();
            edge = Edge::start(data, u64::from(round), &seen);
        } else {
            deployment.kill(Part::Storage).await;
            if round % 3 == 1 {
                shim.cut_power();
                shim.mend();
            }
            deployment.launch(Part::Storage).await;
        }
        let again = accepted(data, &message(round)).await;
        assert_eq!((again.job, again.duplicate), (job, true));
    }
    let operator = deployment.address("storage.operator_listen");
    let limit = patience(PATIENCE, ROUNDS, rounds);
    for job in &jobs {
        let done = completed(operator, *job, limit).await;
        assert_eq!(done.state(), JobState::Completed);
        assert_eq!((done.delivered, done.total), (MEMBERS, MEMBERS), "{done:?}");
    }
    edge.abort();
    let seen = seen.lock().expect("nobody panics with it");
    let reached: HashSet<_> = seen.copies.keys().copied().collect();
    for job in &jobs {
        for index in 0..MEMBERS {
            assert!(
                reached.contains(&(*job, index)),
                "{index} of {job} was lost"
            );
        }
    }
    assert_eq!(
        reached.len(),
        jobs.len() * 1_000,
        "nobody else got anything"
    );
    let repeated: usize = seen.copies.values().map(|copies| copies - 1).sum();
    println!("{repeated} of {} copies were repeated", reached.len());
    // What was on its way at a death, at most: 200 legs of the edge.
    assert!(repeated <= rounds * 200);
}
