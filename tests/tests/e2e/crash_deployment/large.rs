//! Large messages: complete for everybody once their last octet is committed, or there for nobody (CFL-06, CFL-16).

use std::collections::BTreeSet;
use std::future::pending;
use std::time::Duration;

use proto::v1::PartKind;
use rand::Rng as _;
use restante_tests::msrp::{Sender, Upload};
use restante_tests::patience::{START, eventually};
use restante_tests::rounds::rounds;
use restante_tests::sip::SipText;
use sha2::{Digest as _, Sha256};
use tokio::time::sleep;

use super::{DEATHS, Stage};

/// The content of a large message, another one for each number; its length tells the number.
fn content(number: usize) -> Vec<u8> {
    let octets = (number..).map(|at| b'a' + u8::try_from(at * at % 26).expect("a letter"));
    octets.take((300 << 10) + number).collect()
}

impl Stage {
    /// The session of a large message to the group that was accepted, with half of it on its way and acknowledged.
    async fn half(&mut self, content: &[u8]) -> Upload {
        let way = self.way().await;
        let (core, group) = (&mut self.core, &self.group);
        let attributes = format!("a=sendonly\r\na=filelength:{}\r\n", content.len());
        let open = async || {
            let sender = Sender::new(core, "nobody").await;
            let invite = sender
                .offer(&attributes)
                .start_line(&format!("INVITE {group} SIP/2.0"))
                .set("To", &format!("<{group}>"))
                .without("P-Served-User")
                .without("Route");
            let exchange = core.call(&way, &invite).await;
            let is_accepted = exchange.response.status() == Some(200);
            is_accepted.then(|| sender.answered(exchange, way.clone()))
        };
        let mut upload = eventually(START, "an accepted INVITE", open).await;
        upload.acknowledge(&mut self.core).await;
        upload.connect(&self.core).await;
        let half = content.len() / 2;
        let range = format!("1-{half}/{}", content.len());
        upload.send("part0001", &range, &content[..half], '+').await;
        assert_eq!(upload.msrp().response().await.1, 200);
        upload
    }

    /// Whether the sender is told that his message was taken. He says 200 to a BYE.
    async fn is_told(&mut self, upload: &mut Upload) -> bool {
        let call_id = upload.invite.field("Call-ID").to_owned();
        let core = &mut self.core;
        let end = async {
            let is_bye =
                |text: &SipText| text.method() == Some("BYE") && text.field("Call-ID") == call_id;
            let bye = core.expect("an answer or a BYE", is_bye).await;
            core.reply(&bye, "200 OK", &[], "").await;
            pending::<bool>().await
        };
        let answer = async {
            while let Some(frame) = upload.msrp().next().await {
                if frame.kind != "SEND" && frame.transaction == "part0002" {
                    return frame.status() == 200;
                }
            }
            false
        };
        tokio::select! {
            is_told = answer => is_told,
            is_told = end => is_told,
        }
    }

    /// How often this content was accepted, whatever its sender heard. Of another one that may be so only now: a commit
    /// that has reached the store goes on when its edge dies.
    async fn times_accepted(&self, content: &[u8]) -> usize {
        let jobs = self.operator.jobs().await;
        let octets = jobs.iter().map(|job| job.octets);
        octets.filter(|it| *it == content.len() as u64).count()
    }
}

/// Sends the other half.
async fn complete(upload: &mut Upload, content: &[u8]) {
    let (half, total) = (content.len() / 2, content.len());
    let range = format!("{}-{total}/{total}", half + 1);
    upload.send("part0002", &range, &content[half..], '$').await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_large_message_to_many_comes_once_and_whole_to_all_or_to_nobody() {
    const MEMBERS: usize = 30;
    /// Deaths in the middle of uploads, usually around their last octet, and while a message goes out.
    const ABORTED: usize = 3;
    const COMMITS: usize = 9;
    const STEPS: [u32; 6] = [0, 4, 8, 12, 16, 20];
    let settings = [
        ("msrp.allow_networks", "127.0.0.0/8"),
        ("cf.large_legs_in_flight", "4"),
    ];
    let mut stage = Stage::start(MEMBERS, &settings).await;
    let receiving = [DEATHS[0], DEATHS[2], DEATHS[3]];
    let mut deaths = receiving.iter().cycle();
    for number in 0..ABORTED {
        let content = content(number);
        let _upload = stage.half(&content).await;
        stage.die(*deaths.next().expect("a cycle")).await;
        assert_eq!(stage.times_accepted(&content).await, 0);
    }
    let commits = rounds(COMMITS);
    for number in ABORTED..ABORTED + commits {
        let content = content(number);
        let mut upload = stage.half(&content).await;
        complete(&mut upload, &content).await;
        let pause = rand::rng().random_range(0..60);
        sleep(Duration::from_millis(pause)).await;
        let death = *deaths.next().expect("a cycle");
        stage.die(death).await;
        let is_told = stage.is_told(&mut upload).await;
        let accepted = stage.times_accepted(&content).await;
        println!("{death:?} {pause} ms after the last octet: told {is_told}, accepted {accepted}");
        assert!(accepted == 1 || accepted == 0 && !is_told);
    }
    let content_of_last = content(ABORTED + commits);
    let mut upload = stage.half(&content_of_last).await;
    complete(&mut upload, &content_of_last).await;
    assert!(stage.is_told(&mut upload).await);
    let job = stage.last_job().await;
    let mut deaths = DEATHS.iter().cycle();
    for step in STEPS {
        let delivered = stage.delivered(job, step).await;
        let death = *deaths.next().expect("a cycle");
        println!("{death:?} after {delivered} copies of job {job}");
        stage.die(death).await;
    }
    let jobs = stage.completed().await;
    let contents: BTreeSet<u64> = jobs.iter().map(|job| job.octets).collect();
    assert_eq!(contents.len(), jobs.len(), "each was accepted once at most");
    let messages = stage.each_has_one_of_each(&jobs).await;
    for message in &messages {
        let number = usize::try_from(message.body_octets).expect("small") - (300 << 10);
        let content = content(number);
        assert_eq!(message.sha256, Sha256::digest(&content).to_vec());
        if message.served_user == stage.members[0] {
            let part = PartKind::SendBody;
            assert!(stage.operator.part(&message.message_id, part).await == content);
        }
    }
    stage.absorbed(&messages).await;
    stage.finish().await;
}
