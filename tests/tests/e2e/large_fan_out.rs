//! Large messages to many from end to end: through a controlling edge whose next hop is the participating edge, to
//! members who are away, and to each when he is back; and by the reference client.

use proto::v1::{Group, GroupMember, JobState, Message};
use restante_tests::msrp::Sender;
use restante_tests::patience::{ANSWER, eventually};
use restante_tests::sip::{SipPeer, Transport, example, fresh};
use restante_tests::{Deployment, LoopbackNet, run, uri};
use sha2::{Digest as _, Sha256};

const OCTETS: usize = 700_001;

fn content() -> Vec<u8> {
    let numbers = (0..OCTETS).map(|at| (at as u64).wrapping_mul(0x9e37_79b9_7f4a_7c15));
    numbers
        .flat_map(u64::to_le_bytes)
        .step_by(5)
        .take(OCTETS)
        .collect()
}

fn sha256(content: &[u8]) -> String {
    let hash = Sha256::digest(content);
    hash.iter().map(|octet| format!("{octet:02x}")).collect()
}

/// The message that waits for a user, once it has come.
async fn deferred(deployment: &Deployment, user: &str) -> Message {
    let operator = deployment.operator();
    let look = async || operator.list(user).await.into_iter().next();
    eventually(ANSWER, "the deferred message", look).await
}

/// The user comes back and gets his message.
async fn gets(deployment: &Deployment, user: &str, content: &[u8]) {
    let message = deferred(deployment, user).await;
    assert_eq!(message.sender, example::ALICE);
    assert_eq!(message.body_octets, content.len() as u64);
    assert_eq!(message.sha256, Sha256::digest(content).to_vec());
    let receive = ["receive", "--count", "1", "--for", "60s", "--json"];
    let received = run::run(deployment.im_client(user, &receive)).await;
    let received = received.done().records();
    assert_eq!(received[0]["octets"], content.len());
    assert_eq!(received[0]["sha256"], sha256(content));
}

#[tokio::test]
async fn ct_cfl_10_members_who_are_away_get_a_large_message_to_their_group_when_they_are_back() {
    let deployment = Deployment::two_processes()
        .set("msrp.allow_networks", "127.0.0.0/8")
        .start()
        .await;
    let controlling = deployment.controlling_edge().await;
    let members = [example::ALICE.to_owned(), uri(&fresh()), uri(&fresh())];
    let member = |uri: &String| GroupMember {
        uri: uri.clone(),
        display_name: String::new(),
    };
    let group = Group {
        uri: uri(&format!("team-{}", fresh())),
        members: members.iter().map(member).collect(),
        ..Group::default()
    };
    let group = deployment.operator().create_group(group).await.uri;
    let content = content();
    let mut core = SipPeer::open(deployment.net().host(LoopbackNet::CORE)).await;
    let way = core.way(Transport::Tcp, controlling.tcp).await;
    let sender = Sender::new(&core, "nobody").await;
    let invite = sender
        .offer(&format!("a=sendonly\r\na=filelength:{OCTETS}\r\n"))
        .start_line(&format!("INVITE {group} SIP/2.0"))
        .set("To", &format!("<{group}>"))
        .without("P-Served-User")
        .without("Route");
    let mut upload = sender.accepted(&mut core, &way, &invite).await;
    upload.connect(&core).await;
    upload.send_whole(&content).await;
    assert_eq!(upload.bye(&mut core).await, 200);
    for user in &members[1..] {
        gets(&deployment, user, &content).await;
    }
    assert!(deployment.operator().list(example::ALICE).await.is_empty());
    let look = async || {
        let job = deployment.operator().jobs().await.into_iter().next();
        job.filter(|job| job.state() == JobState::Completed)
    };
    let job = eventually(ANSWER, "the end of the job", look).await;
    assert_eq!((job.delivered, job.octets), (2, OCTETS as u64));
}

#[tokio::test]
async fn the_reference_client_sends_a_large_message_to_a_list_and_to_a_group() {
    let deployment = Deployment::all().start().await;
    let people = [uri(&fresh()), uri(&fresh()), uri(&fresh())];
    let [bob, carol, dave] = &people;
    let members = [example::ALICE, bob.as_str(), carol.as_str()].map(|uri| GroupMember {
        uri: uri.to_owned(),
        display_name: String::new(),
    });
    let group = Group {
        uri: uri(&format!("team-{}", fresh())),
        members: members.into(),
        ..Group::default()
    };
    let group = deployment.operator().create_group(group).await.uri;
    let folder = tempfile::tempdir().expect("a folder");
    let plan = folder.path().join("plan.bin");
    std::fs::write(&plan, content()).expect("writable");
    let plan = plan.to_str().expect("a path in UTF-8");
    let focus = deployment.address("controlling-edge.listen_tcp");
    let (proxy, factory) = (
        format!("sip:{focus};transport=tcp"),
        format!("sip:im-factory@{focus}"),
    );
    let to_list = [bob, "--also", carol, "--also", dave, "--factory", &factory];
    let to_group = [group.as_str()];
    for (to, recipients) in [(&to_list[..], 3), (&to_group[..], 2)] {
        let mut command = run::command("im-client");
        command
            .args(["--user", example::ALICE, "--proxy", &proxy, "send"])
            .args(to)
            .args(["--file", plan]);
        let said = run::run(command).await.done().output;
        assert_eq!(said, format!("taken, {OCTETS} octets\n"));
        // There is no core here that would bring the copies to anybody.
        let jobs = deployment.operator().jobs().await;
        let job = jobs.iter().find(|job| job.total == recipients);
        let job = job.expect("the message is a job");
        assert_eq!(job.octets, OCTETS as u64);
        assert_eq!(job.sender, example::ALICE);
    }
}
