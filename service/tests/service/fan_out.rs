//! Messages to many: accepted once, sent by whoever is attached, seen and ended by operators.

use std::time::{Duration, SystemTime};

use bytes::Bytes;
use proto::v1;
use proto::v1::group_service_client::GroupServiceClient;
use proto::v1::job_service_client::JobServiceClient;
use storage_client::GroupError;
use storage_client::StorageClient;
use storage_client::deposit::DuplicateKey;
use storage_client::fan_out::{
    CopyControl, FanOutLegs, Group, GroupAnswer, GroupDocument, GroupMember, JobAccepted,
    JobAnswer, JobRefusalReason, JobRequest, Leg, LegOutcome, LegTemplate, RosterEntry,
};
use tonic::Code;
use tonic::transport::Channel;

use crate::support::{ALICE, Service, channel, client_of, config, connected, memory, soon};

const TEAM: &str = "sip:team@example.org";

fn user(number: usize) -> String {
    format!("sip:u{number}@example.org")
}

pub(crate) fn message(number: u32, recipients: usize) -> JobRequest {
    let entry = |number| RosterEntry {
        target: user(number),
        copy_control: CopyControl::To,
        variation: Bytes::from(vec![1, 2, 3]),
    };
    JobRequest {
        sender: ALICE.to_owned(),
        addressed_to: TEAM.to_owned(),
        to_group: true,
        duplicate_key: DuplicateKey {
            method: "MESSAGE".to_owned(),
            from_tag: "a1".to_owned(),
            call_id: format!("{number}@alice.example"),
            cseq: number,
        },
        content_hash: [9; 32],
        template: LegTemplate {
            head: Bytes::from_static(b"Subject: Lunch\r\n"),
            body: Bytes::from_static(b"hi, and who else"),
            body_without_history: Some(Bytes::from_static(b"hi")),
            send_head: Bytes::new(),
        },
        roster: (0..recipients).map(entry).collect(),
        lifetime: None,
        max_forwards: 68,
        received_from: "tcp 192.0.2.1:5060".to_owned(),
        report_request: None,
    }
}

pub(crate) async fn accepted(client: &StorageClient, request: JobRequest) -> JobAccepted {
    match client.accept_job(request).await {
        Ok(JobAnswer::Accepted(accepted)) => accepted,
        other => panic!("not accepted: {other:?}"),
    }
}

pub(crate) async fn next(legs: &mut FanOutLegs) -> Leg {
    soon(legs.next()).await.expect("attached")
}

pub(crate) fn answered(status: u16) -> LegOutcome {
    LegOutcome::Answered {
        status,
        reason: format!("MESSAGE {status}"),
        retry_after: None,
    }
}

async fn jobs(service: &Service) -> JobServiceClient<Channel> {
    JobServiceClient::new(channel(service.operator).await)
}

async fn groups(service: &Service) -> GroupServiceClient<Channel> {
    GroupServiceClient::new(channel(service.operator).await)
}

/// An operator cancels it.
pub(crate) async fn cancel(service: &Service, job: u64) -> v1::Job {
    let cancel = v1::CancelJobRequest {
        job,
        reason: "as asked".to_owned(),
    };
    let cancelled = jobs(service).await.cancel_job(cancel).await;
    cancelled.expect("it runs").into_inner()
}

/// Waits until a job is in a state.
pub(crate) async fn reaches(service: &Service, job: u64, state: v1::JobState) -> v1::Job {
    let mut jobs = jobs(service).await;
    soon(async {
        loop {
            let found = jobs.get_job(v1::GetJobRequest { job }).await;
            let found = found.expect("it is there").into_inner();
            if found.state() == state {
                return found;
            }
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
    })
    .await
}

#[tokio::test]
async fn a_message_to_many_reaches_each_once_and_its_job_completes() {
    let service = Service::on_disk(config()).await;
    let client = service.client();
    connected(&client).await;
    let request = message(1, 300);
    let job = accepted(&client, request.clone()).await;
    assert!(!job.duplicate());
    assert!(job.accepted_at() <= SystemTime::now());
    let mut legs = client.fan_out(50, 0);
    let mut targets = Vec::new();
    for _ in 0..300 {
        let leg = next(&mut legs).await;
        assert_eq!(leg.job.job, job.job());
        assert_eq!(leg.job.template, request.template);
        assert_eq!((leg.job.max_forwards, leg.attempts), (68, 0));
        assert_eq!(leg.entry.variation, request.roster[0].variation);
        targets.push(leg.entry.target.clone());
        let status = if leg.entry.target == user(7) {
            404
        } else {
            202
        };
        leg.settle(answered(status));
    }
    targets.sort();
    let mut expected: Vec<_> = (0..300).map(user).collect();
    expected.sort();
    assert_eq!(targets, expected);
    let done = reaches(&service, job.job(), v1::JobState::Completed).await;
    assert_eq!((done.total, done.delivered, done.failed), (300, 299, 1));
    let request = v1::ListLegsRequest {
        job: job.job(),
        states: vec![v1::LegState::Failed.into()],
        page_size: 1_000,
        page_token: String::new(),
    };
    let failed = jobs(&service).await.list_legs(request).await;
    let failed = failed.expect("listed").into_inner().legs;
    assert_eq!(failed.len(), 1);
    assert_eq!(
        (failed[0].status, failed[0].target.as_str()),
        (404, "sip:u7@example.org")
    );
    let again = accepted(&client, message(1, 300)).await;
    assert!(again.duplicate());
    assert_eq!(again.job(), job.job());
    service.stop().await.expect("a clean end");
}

#[tokio::test]
async fn nothing_is_accepted_before_the_sync() {
    let config = config();
    let store = memory(&config);
    let service = Service::over(config, std::sync::Arc::clone(&store));
    let client = service.client();
    connected(&client).await;
    store.hold_syncs();
    let held = client.accept_job(message(1, 2)).await;
    assert!(held.is_err(), "{held:?}");
    store.release_syncs();
    assert!(accepted(&client, message(1, 2)).await.duplicate());
}

#[tokio::test]
async fn legs_are_spread_over_edges_and_a_paused_edge_gets_none() {
    let service = Service::in_memory(config());
    let (one, two) = (service.client_named("cf-1"), service.client_named("cf-2"));
    let (mut first, mut second) = (one.fan_out(10, 0), two.fan_out(10, 0));
    connected(&one).await;
    accepted(&one, message(1, 20)).await;
    let mut held = Vec::new();
    for _ in 0..10 {
        held.push(next(&mut first).await);
        held.push(next(&mut second).await);
    }
    second.resize(0, 0);
    // The edge has said so when the store has heard it: legs given back come to the other one alone.
    tokio::time::sleep(Duration::from_millis(300)).await;
    held.clear();
    for _ in 0..20 {
        let leg = next(&mut first).await;
        assert_eq!(leg.attempts, 0, "given back is not tried");
        leg.settle(answered(200));
    }
    let silent = tokio::time::timeout(Duration::from_millis(300), second.next()).await;
    assert!(silent.is_err());
}

#[tokio::test]
async fn a_failed_try_comes_again_and_a_hop_that_is_down_counts_none() {
    let service = Service::in_memory(config());
    let client = service.client();
    let mut legs = client.fan_out(10, 0);
    connected(&client).await;
    let job = accepted(&client, message(1, 1)).await;
    next(&mut legs).await.settle(LegOutcome::HopDown {
        reason: "refused".to_owned(),
        retry_after: Some(Duration::from_millis(50)),
    });
    let leg = next(&mut legs).await;
    assert_eq!(leg.attempts, 0);
    leg.settle(answered(500));
    let leg = next(&mut legs).await;
    assert_eq!(leg.attempts, 1);
    leg.settle(answered(200));
    reaches(&service, job.job(), v1::JobState::Completed).await;
}

#[tokio::test]
async fn an_operator_ends_a_job() {
    let service = Service::in_memory(config());
    let client = service.client();
    let mut legs = client.fan_out(2, 0);
    connected(&client).await;
    let job = accepted(&client, message(1, 5)).await.job();
    next(&mut legs).await.settle(answered(200));
    let ringing = next(&mut legs).await;
    let other = next(&mut legs).await;
    let cancelled = cancel(&service, job).await;
    assert!(cancelled.cancelling);
    soon(ringing.cancelled()).await;
    soon(other.cancelled()).await;
    ringing.settle(answered(487));
    other.settle(answered(200));
    let done = reaches(&service, job, v1::JobState::Cancelled).await;
    assert_eq!((done.delivered, done.cancelled), (2, 2));
    assert_eq!(done.reason, "as asked");
    let cancel = v1::CancelJobRequest {
        job,
        reason: String::new(),
    };
    let again = jobs(&service).await.cancel_job(cancel).await;
    let code = again.map_err(|status| status.code()).map(drop);
    assert_eq!(code, Err(Code::FailedPrecondition));
}

#[tokio::test]
async fn a_new_process_of_an_edge_takes_over_at_once() {
    let service = Service::in_memory(config());
    let client = service.client();
    connected(&client).await;
    let job = accepted(&client, message(1, 3)).await.job();
    let process = tokio::runtime::Runtime::new().expect("threads");
    let data = service.data;
    let held = process.spawn(async move {
        let client = client_of(data, "cf-1", |_| {});
        let mut legs = client.fan_out(10, 0);
        let mut held = Vec::new();
        for _ in 0..3 {
            held.push(next(&mut legs).await);
        }
        held
    });
    let held = held.await.expect("three legs");
    // It dies: nothing is given back, nothing renewed.
    process.shutdown_background();
    let new = service.client_named("cf-1");
    let mut legs = new.fan_out(10, 0);
    for _ in 0..3 {
        let leg = next(&mut legs).await;
        assert_eq!((leg.attempts, leg.claim.generation), (0, 2));
        leg.settle(answered(200));
    }
    reaches(&service, job, v1::JobState::Completed).await;
    drop(held);
}

#[tokio::test]
async fn a_sender_with_too_many_recipients_is_told_when_to_come_again() {
    let mut config = config();
    config.fan_out.sender_fanout_rate = 10;
    let service = Service::in_memory(config);
    let client = service.client();
    connected(&client).await;
    accepted(&client, message(1, 8)).await;
    accepted(&client, message(2, 8)).await;
    match client.accept_job(message(3, 8)).await {
        Ok(JobAnswer::Refused(refusal)) => {
            assert_eq!(refusal.reason, JobRefusalReason::SenderRate);
            let retry_after = refusal.retry_after.expect("it says when");
            assert!(retry_after <= Duration::from_secs(60), "{retry_after:?}");
        }
        other => panic!("not refused: {other:?}"),
    }
    assert!(accepted(&client, message(1, 8)).await.duplicate());
}

#[tokio::test]
async fn what_makes_no_sense_is_refused() {
    let service = Service::in_memory(config());
    let client = service.client();
    connected(&client).await;
    let nobody = message(1, 0);
    let mut twice = message(2, 2);
    twice.roster[1] = twice.roster[0].clone();
    let mut large = message(3, 1);
    large.template.body = Bytes::from(vec![0; (1 << 20) + 1]);
    for request in [nobody, twice, large] {
        let refused = client.accept_job(request).await;
        let refused = refused.expect_err("it makes no sense");
        assert!(refused.reason.contains("InvalidArgument"), "{refused:?}");
    }
}

#[tokio::test]
async fn groups_are_looked_up_as_operators_leave_them() {
    let service = Service::in_memory(config());
    let client = service.client();
    connected(&client).await;
    assert_eq!(
        client.look_up_group(TEAM, 0).await,
        Ok(GroupAnswer::Unknown)
    );
    let member = |number| v1::GroupMember {
        uri: user(number),
        display_name: String::new(),
    };
    let group = v1::Group {
        uri: TEAM.to_owned(),
        non_members_may_send: true,
        members: (0..10_000).map(member).collect(),
        ..Default::default()
    };
    let mut groups = groups(&service).await.max_decoding_message_size(16 << 20);
    let request = v1::CreateGroupRequest { group: Some(group) };
    let made = groups.create_group(request.clone()).await;
    let made = made.expect("it is new").into_inner();
    assert_eq!(made.member_count, 10_000);
    let again = groups.create_group(request).await;
    assert_eq!(again.expect_err("it is there").code(), Code::AlreadyExists);
    let Ok(GroupAnswer::Found(found)) = client.look_up_group(TEAM, 0).await else {
        panic!("not found");
    };
    assert_eq!(found.members.len(), 10_000);
    assert!(found.non_members_may_send);
    let known = client.look_up_group(TEAM, found.version).await;
    assert_eq!(known, Ok(GroupAnswer::Unchanged));
    let more = v1::AddMembersRequest {
        uri: TEAM.to_owned(),
        members: vec![member(10_000)],
    };
    let more = groups.add_members(more).await.expect_err("it is full");
    assert_eq!(more.code(), Code::InvalidArgument);
    let fewer = v1::RemoveMembersRequest {
        uri: TEAM.to_owned(),
        members: vec![user(3)],
    };
    let fewer = groups.remove_members(fewer).await.expect("it is there");
    assert_eq!(fewer.into_inner().member_count, 9_999);
    let listed = groups.list_groups(v1::ListGroupsRequest::default()).await;
    let listed = listed.expect("listed").into_inner().groups;
    assert_eq!((listed.len(), listed[0].members.len()), (1, 0));
}

#[tokio::test]
async fn owners_edit_their_groups_under_conditions() {
    let service = Service::in_memory(config());
    let client = service.client();
    connected(&client).await;
    let group = Group {
        uri: TEAM.to_owned(),
        owner: Some(ALICE.to_owned()),
        members: vec![GroupMember {
            uri: user(1),
            display_name: "One".to_owned(),
        }],
        ..Group::default()
    };
    let made = client.put_group(group.clone(), None, Some(0)).await;
    let version = made.expect("there is none").version;
    let stale = client.put_group(group.clone(), None, Some(0)).await;
    assert_eq!(stale, Err(GroupError::Stale));
    let foreign = Group {
        owner: Some(user(9)),
        ..group
    };
    let foreign = client.put_group(foreign, None, None).await;
    assert_eq!(foreign, Err(GroupError::NotOwner));
    let removed = client.remove_group(TEAM, ALICE, Some(version)).await;
    assert_eq!(removed, Ok(()));
    let again = client.remove_group(TEAM, ALICE, None).await;
    assert_eq!(again, Err(GroupError::Unknown));
}

#[tokio::test]
async fn an_owner_reads_what_he_wrote_and_what_operators_changed() {
    let service = Service::in_memory(config());
    let client = service.client();
    connected(&client).await;
    let group = Group {
        uri: TEAM.to_owned(),
        owner: Some(ALICE.to_owned()),
        ..Group::default()
    };
    let document = GroupDocument {
        name: "friends".to_owned(),
        octets: "<group/>".into(),
    };
    let made = client.put_group(group, Some(document.clone()), None).await;
    let made = made.expect("there is none");
    assert_eq!(made.document.as_deref(), Some("friends"));
    let found = client.group_document(ALICE, "friends").await;
    let found = found.expect("an answer").expect("it is there");
    assert_eq!(found.document, Some(document.octets.clone()));
    assert_eq!(found.group.version, made.version);
    let none = client.group_document(ALICE, "enemies").await;
    assert_eq!(none, Ok(None));
    let other = Group {
        uri: user(7),
        owner: Some(ALICE.to_owned()),
        ..Group::default()
    };
    let other = client.put_group(other, Some(document), None).await;
    assert_eq!(other, Err(GroupError::OtherDocument));
    let large = GroupDocument {
        name: "large".to_owned(),
        octets: vec![b'x'; (1 << 20) + 1].into(),
    };
    let large = client.put_group(made, Some(large), None).await;
    assert!(matches!(large, Err(GroupError::Invalid(_))));
}

#[tokio::test]
async fn thousands_of_addresses_are_looked_up() {
    let service = Service::in_memory(config());
    let client = service.client();
    connected(&client).await;
    let group = Group {
        uri: user(2_500),
        owner: Some(ALICE.to_owned()),
        ..Group::default()
    };
    let made = client.put_group(group, None, None).await;
    assert!(made.is_ok());
    let asked = (0..3_000).map(user).collect();
    let are_groups = client.which_are_groups(asked).await.expect("an answer");
    assert_eq!(are_groups.len(), 3_000);
    let groups: Vec<_> = (0..3_000).filter(|n| are_groups[*n]).collect();
    assert_eq!(groups, [2_500]);
}
