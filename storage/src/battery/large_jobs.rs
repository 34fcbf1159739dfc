//! Large messages to many (CFL-03, CFL-10, CFL-16): admitted, uploaded, committed as a job, read by its legs.

use std::time::Duration;

use bytes::Bytes;

use super::legs::{answered, job, owner};
use super::uploads::{large_deposit, octets};
use super::{Bench, Engine, MINUTE, address};
use crate::config::{FanOutLimits, StoreConfig, UploadLimits};
use crate::fan_out::FanOutStore;
use crate::model::{
    Admission, AdmissionOutcome, ClaimedLeg, DepositOutcome, JobAdmission, JobAdmissionOutcome,
    JobClass, JobNumber, JobOutcome, JobQuery, JobReceipt, JobRefusal, JobState, LargeJob,
    LegOutcome, LegSettled, LegTemplate, UploadId,
};
use crate::store::{Store, StoreError};

const SMALL: usize = 5_000;
const LARGE: usize = 700_000;

/// A large message of Alice to these, as her edge hands it over with the last of so many octets.
pub(crate) fn large_job(targets: &[&str], msrp_message_id: &str, octets: usize) -> LargeJob {
    let mut request = job("alice", targets);
    request.class = JobClass::Large;
    request.template = LegTemplate {
        send_head: Bytes::from_static(b"Message-ID: 4564\r\n"),
        ..request.template
    };
    LargeJob {
        job: request,
        msrp_message_id: msrp_message_id.to_owned(),
        octets: octets as u64,
    }
}

impl<E: Engine> Bench<E> {
    async fn ask_job(&self, announced_octets: Option<u64>) -> JobAdmissionOutcome {
        let admission = JobAdmission {
            sender: address("alice"),
            announced_octets,
        };
        let outcome = self.store().admit_job(admission).await;
        outcome.expect("the store answers")
    }

    async fn admit_job(&self, announced_octets: Option<u64>) -> UploadId {
        match self.ask_job(announced_octets).await {
            JobAdmissionOutcome::Admitted { upload, .. } => upload,
            JobAdmissionOutcome::Refused(refusal) => panic!("not admitted: {refusal}"),
        }
    }

    /// Uploads octets and commits them as a job.
    pub(crate) async fn upload_job(&self, octets: &Bytes, large: LargeJob) -> JobOutcome {
        let upload = self.admit_job(Some(octets.len() as u64)).await;
        let staged = self.store().stage(upload, 0, octets.clone()).await;
        assert_eq!(staged, Ok(Ok(())));
        let outcome = self.store().commit_job(upload, large).await;
        outcome.expect("the store answers")
    }

    pub(crate) async fn uploaded_job(&self, octets: &Bytes, large: LargeJob) -> JobReceipt {
        match self.upload_job(octets, large).await {
            JobOutcome::Accepted(receipt) => receipt.into_inner(),
            other => panic!("not accepted: {other:?}"),
        }
    }

    pub(crate) async fn large_legs(&self) -> Vec<ClaimedLeg> {
        let store = self.store();
        let batch = store.claim_legs(owner(1), JobClass::Large, 1_000, MINUTE);
        batch.await.expect("the store answers").legs
    }

    async fn jobs(&self) -> usize {
        let query = JobQuery {
            limit: 100,
            ..JobQuery::default()
        };
        let page = self.store().list_jobs(query).await;
        page.expect("the store answers").jobs.len()
    }

    async fn content(&self, number: JobNumber) -> Result<Bytes, StoreError> {
        self.store().read_job_content(number, 0, usize::MAX).await
    }
}

pub(crate) async fn an_upload_becomes_a_job<E: Engine>() {
    let bench = Bench::<E>::new();
    for (size, id) in [(SMALL, "m-1"), (LARGE, "m-2")] {
        let octets = octets(size);
        let before = bench.mail("bob").await;
        let receipt = bench
            .uploaded_job(&octets, large_job(&["bob", "carol"], id, size))
            .await;
        assert_eq!(
            bench.mail("bob").await.0,
            before.0 + 1,
            "no Message-ID is spent"
        );
        let found = bench.job(receipt.job).await;
        assert_eq!((found.class, found.octets), (JobClass::Large, size as u64));
        assert_eq!(found.state, JobState::Running);
        let template = bench.store().job_template(receipt.job).await;
        let template = template.expect("it runs").template;
        assert_eq!(template.send_head, "Message-ID: 4564\r\n");
        assert_eq!(bench.content(receipt.job).await, Ok(octets));
    }
}

pub(crate) async fn the_same_octets_to_others_are_another_job<E: Engine>() {
    let bench = Bench::<E>::new();
    let octets = octets(SMALL);
    let listed = |list: u8, targets: &[&str]| {
        let mut large = large_job(targets, "m-1", SMALL);
        large.job.content_hash = [list; 32];
        large
    };
    let first = bench
        .uploaded_job(&octets, listed(1, &["bob", "carol"]))
        .await;
    let others = bench.uploaded_job(&octets, listed(2, &["dave"])).await;
    assert_ne!(others.job, first.job);
    let again = bench.upload_job(&octets, listed(2, &["dave"])).await;
    let JobOutcome::Duplicate(known) = again else {
        panic!("not recognised: {again:?}");
    };
    assert_eq!(known.job, others.job);
    assert_eq!(bench.jobs().await, 2);
}

pub(crate) async fn no_job_is_there_before_its_commit<E: Engine>() {
    let bench = Bench::<E>::new();
    let whole = octets(LARGE);
    let upload = bench.admit_job(None).await;
    let (first, second) = (whole.slice(..LARGE / 2), whole.slice(LARGE / 2..));
    let late = bench.store().stage(upload, LARGE as u64 / 2, second);
    assert_eq!(late.await, Ok(Ok(())));
    assert_eq!(bench.jobs().await, 0);
    assert_eq!(bench.large_legs().await, []);
    assert_eq!(bench.store().stage(upload, 0, first).await, Ok(Ok(())));
    assert_eq!(bench.jobs().await, 0);
    let committed = bench
        .store()
        .commit_job(upload, large_job(&["bob"], "m", LARGE));
    let Ok(JobOutcome::Accepted(receipt)) = committed.await else {
        panic!("not accepted");
    };
    assert_eq!(bench.content(receipt.job).await, Ok(whole));
    assert_eq!(bench.large_legs().await.len(), 1);
}

pub(crate) async fn an_abandoned_upload_leaves_no_job<E: Engine>() {
    let bench = Bench::<E>::new();
    let upload = bench.admit_job(Some(LARGE as u64)).await;
    let some = octets(LARGE - 1);
    assert_eq!(
        bench.store().stage(upload, 0, some.clone()).await,
        Ok(Ok(()))
    );
    let early = bench
        .store()
        .commit_job(upload, large_job(&["bob"], "m", LARGE));
    assert_eq!(early.await.unwrap_err(), StoreError::UploadIncomplete);
    let upload = bench.admit_job(Some(LARGE as u64)).await;
    assert_eq!(bench.store().stage(upload, 0, some).await, Ok(Ok(())));
    bench.store().abandon(upload).await;
    let after = bench
        .store()
        .commit_job(upload, large_job(&["bob"], "m", LARGE));
    assert_eq!(after.await.unwrap_err(), StoreError::UnknownUpload);
    assert_eq!((bench.jobs().await, bench.large_legs().await), (0, vec![]));
}

pub(crate) async fn an_upload_becomes_what_it_was_admitted_for<E: Engine>() {
    let bench = Bench::<E>::new();
    let octets = octets(SMALL);
    let for_a_job = bench.admit_job(Some(SMALL as u64)).await;
    let admission = Admission {
        sender: Some(address("alice")),
        sender_exempt: false,
        served_user: address("bob"),
        announced_octets: Some(SMALL as u64),
        file_transfer: false,
    };
    let admitted = bench.store().admit(admission).await;
    let Ok(AdmissionOutcome::Admitted { upload, .. }) = admitted else {
        panic!("not admitted");
    };
    for upload in [for_a_job, upload] {
        let staged = bench.store().stage(upload, 0, octets.clone()).await;
        assert_eq!(staged, Ok(Ok(())));
    }
    let deposit = large_deposit("bob", "m", SMALL);
    let wrong = bench.store().commit_upload(for_a_job, deposit).await;
    assert_eq!(wrong.unwrap_err(), StoreError::OtherUpload);
    let wrong = bench
        .store()
        .commit_job(upload, large_job(&["bob"], "m", SMALL));
    assert_eq!(wrong.await.unwrap_err(), StoreError::OtherUpload);
    // Both are over.
    for upload in [for_a_job, upload] {
        let more = bench.store().stage(upload, 0, octets.clone()).await;
        assert_eq!(more, Err(StoreError::UnknownUpload));
    }
    assert_eq!(bench.jobs().await, 0);
}

pub(crate) async fn a_retry_of_an_upload_gets_the_first_receipt_of_its_job<E: Engine>() {
    let bench = Bench::<E>::new();
    let octets = octets(LARGE);
    let first = bench
        .uploaded_job(&octets, large_job(&["bob"], "m", LARGE))
        .await;
    let bench = bench.reopen().await;
    match bench
        .upload_job(&octets, large_job(&["bob"], "m", LARGE))
        .await
    {
        JobOutcome::Duplicate(receipt) => assert_eq!(receipt.into_inner(), first),
        other => panic!("not recognised: {other:?}"),
    }
    assert_eq!(
        bench.content(first.job).await,
        Ok(octets.clone()),
        "the retry took nothing away"
    );
    let others = [
        (octets.slice(1..), large_job(&["bob"], "m", LARGE - 1)),
        (octets.clone(), large_job(&["bob"], "n", LARGE)),
        (octets, {
            let mut elsewhere = large_job(&["bob"], "m", LARGE);
            elsewhere.job.addressed_to = address("other-team");
            elsewhere
        }),
    ];
    for (octets, other) in others {
        bench.uploaded_job(&octets, other).await;
    }
    assert_eq!(bench.jobs().await, 4);
}

pub(crate) async fn an_admission_looks_at_the_rate_and_the_commit_spends_it<E: Engine>() {
    let bench = Bench::<E>::with(StoreConfig {
        fan_out: FanOutLimits {
            sender_rate: 2,
            sender_jobs: 2,
            large_octets: SMALL as u64,
            ..FanOutLimits::default()
        },
        ..StoreConfig::default()
    });
    let octets = octets(SMALL);
    for _ in 0..5 {
        let upload = bench.admit_job(Some(1)).await;
        bench.store().abandon(upload).await;
    }
    bench
        .uploaded_job(&octets, large_job(&["bob", "carol"], "m", SMALL))
        .await;
    let refused = bench.ask_job(Some(1)).await;
    let is_for_the_rate = matches!(
        refused,
        JobAdmissionOutcome::Refused(JobRefusal::SenderRate { .. })
    );
    assert!(is_for_the_rate, "{refused:?}");
    bench.clock.advance(MINUTE);
    bench
        .uploaded_job(&octets, large_job(&["bob"], "n", SMALL))
        .await;
    bench.clock.advance(MINUTE);
    let refused = bench.ask_job(Some(1)).await;
    let is_for_the_jobs = matches!(
        refused,
        JobAdmissionOutcome::Refused(JobRefusal::SenderJobs { .. })
    );
    assert!(is_for_the_jobs, "{refused:?}");
}

pub(crate) async fn a_job_has_no_more_octets_than_are_taken<E: Engine>() {
    let bench = Bench::<E>::with(StoreConfig {
        fan_out: FanOutLimits {
            large_octets: SMALL as u64,
            ..FanOutLimits::default()
        },
        ..StoreConfig::default()
    });
    let admission = JobAdmission {
        sender: address("alice"),
        announced_octets: Some(SMALL as u64 + 1),
    };
    let over = bench.store().admit_job(admission).await;
    assert_eq!(over, Err(StoreError::UploadTooLarge));
    let admitted = bench.ask_job(None).await;
    let JobAdmissionOutcome::Admitted { upload, max_octets } = admitted else {
        panic!("not admitted: {admitted:?}");
    };
    assert_eq!(max_octets, SMALL as u64);
    let over = bench.store().stage(upload, 0, octets(SMALL + 1)).await;
    assert_eq!(over, Err(StoreError::UploadTooLarge));
}

pub(crate) async fn an_upload_of_a_job_lives_as_long_as_it_makes_progress<E: Engine>() {
    let bench = Bench::<E>::with(StoreConfig {
        uploads: UploadLimits {
            lease: MINUTE,
            concurrent: 1,
            ..UploadLimits::default()
        },
        ..StoreConfig::default()
    });
    let upload = bench.admit_job(Some(LARGE as u64)).await;
    let admission = JobAdmission {
        sender: address("alice"),
        announced_octets: None,
    };
    let too_many = bench.store().admit_job(admission).await;
    assert_eq!(too_many, Err(StoreError::Overloaded));
    bench.clock.advance(MINUTE + Duration::from_secs(1));
    bench.sweep().await;
    let late = bench.store().stage(upload, 0, octets(SMALL)).await;
    assert_eq!(late, Err(StoreError::UnknownUpload));
    bench.admit_job(None).await;
}

pub(crate) async fn a_content_counts_for_no_mailbox<E: Engine>() {
    let bench = Bench::<E>::with(super::uploads::quota(SMALL as u64 * 2));
    // Alice has a mailbox too.
    let deposited = large_deposit("alice", "m", SMALL);
    let _upload = bench.admit_job(Some(LARGE as u64)).await;
    let octets = octets(SMALL);
    let admission = Admission {
        sender: Some(address("alice")),
        sender_exempt: false,
        served_user: address("alice"),
        announced_octets: Some(SMALL as u64),
        file_transfer: false,
    };
    let admitted = bench.store().admit(admission).await;
    let Ok(AdmissionOutcome::Admitted { upload, .. }) = admitted else {
        panic!("not admitted: {admitted:?}");
    };
    assert_eq!(bench.store().stage(upload, 0, octets).await, Ok(Ok(())));
    let stored = bench.store().commit_upload(upload, deposited).await;
    assert!(
        matches!(stored, Ok(DepositOutcome::Stored(_))),
        "{stored:?}"
    );
}

pub(crate) async fn a_content_is_read_under_a_claim<E: Engine>() {
    let bench = Bench::<E>::new();
    let octets = octets(LARGE);
    let number = bench
        .uploaded_job(&octets, large_job(&["bob"], "m", LARGE))
        .await
        .job;
    let first = bench.large_legs().await.remove(0).token;
    assert_eq!(bench.store().holds_leg(first).await, Ok(true));
    let ranges = [
        (0, 10),
        (65_530, 20),
        (200_000, 300_000),
        (LARGE as u64 - 5, 100),
    ];
    for (offset, length) in ranges {
        let read = bench.store().read_job_content(number, offset, length).await;
        let start = usize::try_from(offset).expect("small");
        let end = (start + length).min(LARGE);
        assert!(read == Ok(octets.slice(start..end)), "{offset} {length}");
    }
    let past = bench
        .store()
        .read_job_content(number, LARGE as u64, 10)
        .await;
    assert_eq!(past, Ok(Bytes::new()));
    bench.clock.advance(2 * MINUTE);
    let second = bench.large_legs().await.remove(0).token;
    assert_eq!(
        bench.store().holds_leg(first).await,
        Ok(false),
        "superseded"
    );
    assert_eq!(bench.store().holds_leg(second).await, Ok(true));
    bench.outcome(second, answered(480)).await;
    assert_eq!(bench.store().holds_leg(second).await, Ok(false), "settled");
    let mut unknown = second;
    unknown.leg.index = 9;
    assert_eq!(
        bench.store().holds_leg(unknown).await,
        Err(StoreError::NotFound)
    );
}

pub(crate) async fn a_content_goes_with_the_last_leg<E: Engine>() {
    let bench = Bench::<E>::new();
    for size in [SMALL, LARGE] {
        let octets = octets(size);
        let id = format!("m-{size}");
        let large = large_job(&["bob", "carol"], &id, size);
        let number = bench.uploaded_job(&octets, large).await.job;
        let legs = bench.large_legs().await;
        bench.outcome(legs[0].token, answered(200)).await;
        assert_eq!(bench.content(number).await, Ok(octets), "one leg is left");
        bench.outcome(legs[1].token, answered(486)).await;
        assert!(
            bench.content(number).await.is_ok(),
            "it will be tried again"
        );
        bench.clock.advance(MINUTE);
        let again = bench.large_legs().await.remove(0);
        bench.outcome(again.token, answered(404)).await;
        assert_eq!(bench.job(number).await.state, JobState::Completed);
        assert_eq!(bench.content(number).await, Err(StoreError::NotFound));
        assert_eq!(bench.job(number).await.octets, size as u64);
    }
}

pub(crate) async fn a_cancelled_large_job_keeps_its_content_for_legs_in_flight<E: Engine>() {
    let bench = Bench::<E>::new();
    let octets = octets(LARGE);
    let number = bench
        .uploaded_job(&octets, large_job(&["bob", "carol"], "m", LARGE))
        .await
        .job;
    let store = bench.store();
    let batch = store.claim_legs(owner(1), JobClass::Large, 1, MINUTE).await;
    let leg = batch.expect("the store answers").legs.remove(0);
    let cancelled = store.cancel_job(number, "as asked".to_owned()).await;
    assert_eq!(cancelled.expect("it runs").counts.cancelled, 1);
    assert_eq!(bench.content(number).await, Ok(octets));
    let settled = bench.outcome(leg.token, LegOutcome::Returned).await;
    assert_eq!(settled, LegSettled::Settled);
    assert_eq!(bench.job(number).await.state, JobState::Cancelled);
    assert_eq!(bench.content(number).await, Err(StoreError::NotFound));
}

/// There may be no edge left that would claim what its former one has let lapse.
pub(crate) async fn an_expired_large_job_ends_without_an_edge<E: Engine>() {
    let bench = Bench::<E>::new();
    let octets = octets(LARGE);
    let mut large = large_job(&["bob", "carol"], "m", LARGE);
    large.job.lifetime = Some(10 * MINUTE);
    let number = bench.uploaded_job(&octets, large).await.job;
    assert_eq!(bench.large_legs().await.len(), 2);
    bench.clock.advance(10 * MINUTE + Duration::from_secs(1));
    for _ in 0..3 {
        bench.sweep().await;
        bench.clock.advance(Duration::from_secs(6));
    }
    let ended = bench.job(number).await;
    assert_eq!((ended.state, ended.counts.expired), (JobState::Expired, 2));
    assert_eq!(bench.content(number).await, Err(StoreError::NotFound));
}

pub(crate) async fn large_legs_and_others_do_not_wait_for_one_another<E: Engine>() {
    let bench = Bench::<E>::new();
    let octets = octets(SMALL);
    bench
        .uploaded_job(&octets, large_job(&["bob"], "m", SMALL))
        .await;
    assert_eq!(bench.legs().await, [], "none of this class");
    let slow = bench.large_legs().await.remove(0);
    // The same sender, the same target, a later job.
    bench.accept_job(job("alice", &["bob"])).await;
    assert_eq!(bench.large_legs().await, []);
    let fast = bench.legs().await.remove(0);
    bench.outcome(fast.token, answered(200)).await;
    // Among large ones the order and the one leg per target hold.
    bench
        .uploaded_job(&octets, large_job(&["bob"], "n", SMALL))
        .await;
    assert_eq!(bench.large_legs().await, []);
    bench.outcome(slow.token, answered(200)).await;
    assert_eq!(bench.large_legs().await.len(), 1);
}

pub(crate) async fn a_large_job_survives_a_crash<E: Engine>() {
    let bench = Bench::<E>::new();
    let mut accepted = Vec::new();
    for size in [SMALL, LARGE] {
        let octets = octets(size);
        let id = format!("m-{size}");
        let large = large_job(&["bob", "carol"], &id, size);
        accepted.push((bench.uploaded_job(&octets, large).await.job, octets));
    }
    let bench = bench.crash().await;
    for (number, octets) in accepted {
        assert!(bench.content(number).await == Ok(octets));
        assert_eq!(bench.job(number).await.state, JobState::Running);
    }
    assert_eq!(bench.large_legs().await.len(), 2, "one per target");
}
