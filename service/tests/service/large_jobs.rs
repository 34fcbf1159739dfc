//! Large messages to many, over gRPC: admitted, uploaded, committed as a job, read by legs (CFL-03, CFL-10, CFL-16).

use std::sync::Arc;
use std::time::Duration;

use bytes::{Bytes, BytesMut};
use proto::v1;
use storage_client::fan_out::{
    JobAccepted, JobAdmission, JobAdmissionAnswer, JobAnswer, JobClass, JobRefusalReason,
    LargeJobRequest, Leg, LegClaim,
};
use storage_client::{
    AdmissionAnswer, AdmissionRequest, ReadPartError, StorageClient, Upload, UploadError,
};

use crate::fan_out::{accepted, answered, cancel, message, next, reaches};
use crate::support::{ALICE, BOB, Service, config, connected, memory, soon};

const OCTETS: usize = 1_000_000;

fn octets() -> Bytes {
    (0..OCTETS)
        .map(|place| u8::try_from(place / 5 % 251).expect("small"))
        .collect()
}

fn admission(announced_octets: Option<u64>) -> JobAdmission {
    JobAdmission {
        sender: ALICE.to_owned(),
        recipients: 3,
        announced_octets,
    }
}

async fn admit(client: &StorageClient, octets: usize) -> Upload {
    match client.admit_job(admission(Some(octets as u64))).await {
        Ok(JobAdmissionAnswer::Admitted(upload)) => upload,
        other => panic!("not admitted: {other:?}"),
    }
}

fn large(number: u32, recipients: usize, octets: usize) -> LargeJobRequest {
    let mut job = message(number, recipients);
    job.template.send_head = Bytes::from_static(b"Message-ID: 4564\r\n");
    LargeJobRequest {
        job,
        msrp_message_id: format!("msrp-{number}"),
        octets: octets as u64,
    }
}

async fn uploaded(client: &StorageClient, number: u32, recipients: usize) -> JobAccepted {
    let mut upload = admit(client, OCTETS).await;
    for place in (0..OCTETS).step_by(10_000) {
        let piece = octets().slice(place..place + 10_000);
        upload.write(place as u64, piece).await.expect("taken");
    }
    match soon(upload.commit_job(large(number, recipients, OCTETS))).await {
        Ok(JobAnswer::Accepted(accepted)) => accepted,
        other => panic!("not accepted: {other:?}"),
    }
}

async fn read(
    client: &StorageClient,
    claim: LegClaim,
    offset: u64,
    length: u64,
) -> Result<Bytes, ReadPartError> {
    let mut reader = client.read_job_content(claim, offset, length).await?;
    let mut read = BytesMut::new();
    while let Some(piece) = soon(reader.next()).await? {
        assert!(piece.len() <= 64 << 10);
        read.extend_from_slice(&piece);
    }
    Ok(read.freeze())
}

#[tokio::test]
async fn a_large_message_to_many_is_read_by_each_leg_and_goes_with_the_last() {
    let service = Service::on_disk(config()).await;
    let client = service.client();
    connected(&client).await;
    let job = uploaded(&client, 1, 3).await;
    assert!(!job.duplicate());
    let mut legs = client.fan_out(5, 2);
    let mut last = None;
    for _ in 0..3 {
        let leg = next(&mut legs).await;
        assert_eq!(leg.job.class, JobClass::Large);
        assert_eq!(leg.job.octets, OCTETS as u64);
        assert_eq!(leg.job.template.send_head, "Message-ID: 4564\r\n");
        let claim = leg.claim;
        assert_eq!(read(&client, claim, 0, 0).await, Ok(octets()));
        let middle = read(&client, claim, 70_000, 230_001).await;
        assert_eq!(middle, Ok(octets().slice(70_000..300_001)));
        leg.settle(answered(200));
        last = Some(claim);
    }
    let done = reaches(&service, job.job(), v1::JobState::Completed).await;
    assert_eq!(
        (done.class(), done.octets),
        (v1::JobClass::Large, OCTETS as u64)
    );
    let settled = read(&client, last.expect("three"), 0, 0).await;
    assert_eq!(settled, Err(ReadPartError::Superseded));
    let nobodys = LegClaim {
        job: 7,
        index: 0,
        generation: 1,
    };
    assert_eq!(read(&client, nobodys, 0, 0).await, Err(ReadPartError::Gone));
    let again = uploaded(&client, 1, 3).await;
    assert_eq!((again.duplicate(), again.job()), (true, job.job()));
    service.stop().await.expect("a clean end");
}

#[tokio::test]
async fn a_broken_upload_leaves_no_job() {
    let service = Service::on_disk(config()).await;
    let client = service.client();
    connected(&client).await;
    let mut legs = client.fan_out(5, 5);
    let mut upload = admit(&client, OCTETS).await;
    upload.write(0, octets()).await.expect("taken");
    drop(upload);
    let mut upload = admit(&client, OCTETS).await;
    upload.write(0, octets().slice(1..)).await.expect("taken");
    let early = soon(upload.commit_job(large(1, 3, OCTETS))).await;
    assert!(early.is_err(), "{early:?}");
    // What comes first is the leg of a later message.
    accepted(&client, message(2, 1)).await;
    let leg = next(&mut legs).await;
    assert_eq!(leg.job.class, JobClass::Pager);
    leg.settle(answered(200));
    service.stop().await.expect("a clean end");
}

#[tokio::test]
async fn no_job_is_accepted_before_the_sync() {
    let config = config();
    let store = memory(&config);
    let service = Service::over(config, Arc::clone(&store));
    let client = service.client();
    connected(&client).await;
    let mut upload = admit(&client, OCTETS).await;
    upload.write(0, octets()).await.expect("taken");
    store.hold_syncs();
    let mut commit = Box::pin(upload.commit_job(large(1, 1, OCTETS)));
    let silent = tokio::time::timeout(Duration::from_millis(300), &mut commit).await;
    assert!(silent.is_err(), "{silent:?}");
    store.release_syncs();
    let answer = soon(commit).await;
    assert!(matches!(answer, Ok(JobAnswer::Accepted(_))), "{answer:?}");
}

#[tokio::test]
async fn slow_transfers_take_no_place_of_others_and_an_edge_without_places_gets_none() {
    let service = Service::in_memory(config());
    let (one, two) = (service.client_named("cf-1"), service.client_named("cf-2"));
    connected(&one).await;
    connected(&two).await;
    let (mut first, mut second) = (one.fan_out(2, 1), two.fan_out(2, 0));
    let job = uploaded(&one, 1, 3).await;
    let slow = next(&mut first).await;
    assert_eq!(slow.job.class, JobClass::Large);
    // The same targets, by MESSAGE: both edges have their places.
    let pager = accepted(&one, message(2, 3)).await;
    for _ in 0..3 {
        let leg: Leg = soon(async {
            tokio::select! {
                leg = first.next() => leg,
                leg = second.next() => leg,
            }
        })
        .await
        .expect("attached");
        assert_eq!(leg.job.class, JobClass::Pager);
        leg.settle(answered(200));
    }
    reaches(&service, pager.job(), v1::JobState::Completed).await;
    slow.settle(answered(200));
    for _ in 0..2 {
        let leg = next(&mut first).await;
        assert_eq!(leg.job.job, job.job());
        leg.settle(answered(200));
    }
    reaches(&service, job.job(), v1::JobState::Completed).await;
}

#[tokio::test]
async fn an_operator_ends_a_large_job() {
    let service = Service::in_memory(config());
    let client = service.client();
    connected(&client).await;
    let mut legs = client.fan_out(0, 1);
    let job = uploaded(&client, 1, 2).await.job();
    let leg = next(&mut legs).await;
    cancel(&service, job).await;
    soon(leg.cancelled()).await;
    leg.settle(answered(487));
    let done = reaches(&service, job, v1::JobState::Cancelled).await;
    assert_eq!((done.delivered, done.failed, done.cancelled), (0, 1, 1));
}

#[tokio::test]
async fn what_was_admitted_for_a_mailbox_is_no_job() {
    let service = Service::in_memory(config());
    let client = service.client();
    connected(&client).await;
    let request = AdmissionRequest {
        served_user: BOB.to_owned(),
        sender: Some(ALICE.to_owned()),
        sender_exempt: false,
        announced_octets: Some(3),
        file_transfer: false,
    };
    let Ok(AdmissionAnswer::Admitted(mut upload)) = client.admit(request).await else {
        panic!("not admitted");
    };
    upload
        .write(0, Bytes::from_static(b"abc"))
        .await
        .expect("taken");
    let refused = soon(upload.commit_job(large(1, 1, 3))).await;
    let Err(UploadError::Unavailable(refused)) = refused else {
        panic!("not refused: {refused:?}");
    };
    assert!(refused.reason.contains("InvalidArgument"), "{refused:?}");
}

#[tokio::test]
async fn an_admission_is_refused_as_the_job_would_be() {
    let mut config = config();
    config.fan_out.sender_fanout_rate = 3;
    let service = Service::in_memory(config);
    let client = service.client();
    connected(&client).await;
    for _ in 0..4 {
        drop(admit(&client, OCTETS).await);
    }
    accepted(&client, message(1, 3)).await;
    match client.admit_job(admission(None)).await {
        Ok(JobAdmissionAnswer::Refused(refusal)) => {
            assert_eq!(refusal.reason, JobRefusalReason::SenderRate);
            assert!(refusal.retry_after.is_some());
        }
        other => panic!("not refused: {other:?}"),
    }
    let mut nobody = admission(None);
    nobody.recipients = 0;
    let refused = client.admit_job(nobody).await.expect_err("no sense");
    assert!(refused.reason.contains("InvalidArgument"), "{refused:?}");
    let refused = client.admit_job(admission(Some(1 << 40))).await;
    let refused = refused.expect_err("it is never taken");
    assert!(refused.reason.contains("OutOfRange"), "{refused:?}");
}
