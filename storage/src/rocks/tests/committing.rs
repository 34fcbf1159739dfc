//! P1 and P2: what is answered when syncs fail, hang or are slow.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::mpsc::{Receiver, Sender, channel};
use std::task::{Context, Poll, Waker};
use std::time::Duration;

use rocksdb::WriteBatch;
use tempfile::TempDir;
use tokio::sync::mpsc::{UnboundedReceiver, unbounded_channel};

use crate::battery::large_jobs::large_job;
use crate::battery::uploads::large_deposit;
use crate::battery::{MINUTE, START, address, letter};
use crate::config::{QueueLimits, StoreConfig};
use crate::fan_out::FanOutStore;
use crate::model::{
    Admission, AdmissionOutcome, Deposit, DepositOutcome, JobAdmission, JobAdmissionOutcome,
    JobClass, JobOutcome, JobQuery, JobRefusal, LargeDeposit, LargeJob, ListQuery, ManualClock,
    Owner, PartKind, Refusal, Sequence, TakeLimit, UnixMillis, UploadId,
};
use crate::rocks::RocksStore;
use crate::rocks::database::Database;
use crate::rocks::disk::{Disk, SyncedDisk};
use crate::store::{Store, StoreError};

pub(super) fn config(folder: &TempDir) -> StoreConfig {
    StoreConfig {
        data_dir: folder.path().join("data"),
        ..StoreConfig::default()
    }
}

pub(super) fn new_folder() -> TempDir {
    TempDir::new().expect("there is place for tests")
}

fn open_on(config: &StoreConfig, disk: impl Disk) -> RocksStore {
    let clock = Arc::new(ManualClock::new(START));
    RocksStore::open_on(config.clone(), clock, Box::new(disk)).expect("the folder is free")
}

/// Syncs so many times, then fails; like a disk, it may have written all the same.
struct FailingDisk {
    good: usize,
    writes_all_the_same: bool,
}

impl Disk for FailingDisk {
    fn commit(&mut self, database: &Database, batch: WriteBatch) -> Result<(), String> {
        let fails = self.good == 0;
        self.good = self.good.saturating_sub(1);
        if !fails || self.writes_all_the_same {
            SyncedDisk.commit(database, batch)?;
        }
        match fails {
            true => Err("the disk is gone".to_owned()),
            false => Ok(()),
        }
    }
}

/// Tells that a sync has begun and waits until it is let go.
pub(super) struct GatedDisk {
    begun: tokio::sync::mpsc::UnboundedSender<usize>,
    let_go: Receiver<()>,
    opened: bool,
    syncs: Arc<AtomicUsize>,
}

impl Disk for GatedDisk {
    fn commit(&mut self, database: &Database, batch: WriteBatch) -> Result<(), String> {
        if self.opened {
            self.begun.send(batch.len()).map_err(|e| e.to_string())?;
            self.let_go.recv().map_err(|e| e.to_string())?;
            self.syncs.fetch_add(1, Ordering::SeqCst);
        }
        self.opened = true;
        SyncedDisk.commit(database, batch)
    }
}

pub(super) struct Gate {
    pub(super) begun: UnboundedReceiver<usize>,
    pub(super) let_go: Sender<()>,
    syncs: Arc<AtomicUsize>,
}

/// A disk whose first commit, the one of the opening, passes.
pub(super) fn gated() -> (GatedDisk, Gate) {
    let (begin, begun) = unbounded_channel();
    let (let_go, wait) = channel();
    let syncs = Arc::new(AtomicUsize::new(0));
    let disk = GatedDisk {
        begun: begin,
        let_go: wait,
        opened: false,
        syncs: Arc::clone(&syncs),
    };
    let gate = Gate {
        begun,
        let_go,
        syncs,
    };
    (disk, gate)
}

fn is_latched<T>(answer: &Result<T, StoreError>) -> bool {
    matches!(answer, Err(StoreError::Latched { .. }))
}

#[tokio::test]
async fn after_a_failed_sync_nothing_is_accepted_or_delivered() {
    let folder = new_folder();
    let disk = FailingDisk {
        good: 3,
        writes_all_the_same: false,
    };
    let store = open_on(&config(&folder), disk);
    let stored = store.deposit(letter("bob")).await;
    assert!(matches!(stored, Ok(DepositOutcome::Stored(_))));
    let mailbox = store.mailbox(address("bob")).await.expect("it answers");
    let request = crate::model::ClaimRequest {
        mailbox: mailbox.expect("bob has one"),
        edge: String::new(),
        lease: Duration::from_secs(60),
    };
    let claim = match store.claim(request.clone()).await {
        Ok(crate::model::ClaimGrant::Granted(claim)) => claim,
        other => panic!("not granted: {other:?}"),
    };
    assert!(is_latched(&store.deposit(letter("bob")).await));
    assert!(is_latched(&store.deposit(letter("carol")).await));
    assert!(is_latched(&store.claim(request).await));
    let limit = TakeLimit {
        messages: 1,
        octets: 1,
    };
    assert!(is_latched(&store.take(claim, Sequence(0), limit).await));
    assert!(
        store
            .unready()
            .is_some_and(|why| why.contains("the disk is gone"))
    );
    assert!(
        store.summary(claim.mailbox).await.is_ok(),
        "reading goes on"
    );
}

/// Nobody was told that it is stored, so that either is right; the next id is free in any case.
#[tokio::test]
async fn a_store_reopened_after_a_failed_sync_goes_on_either_way() {
    for writes_all_the_same in [false, true] {
        let folder = new_folder();
        let disk = FailingDisk {
            good: 2,
            writes_all_the_same,
        };
        let store = open_on(&config(&folder), disk);
        let first = store.deposit(letter("bob")).await;
        assert!(matches!(first, Ok(DepositOutcome::Stored(_))));
        assert!(is_latched(&store.deposit(letter("bob")).await));
        drop(store);
        let store = open_on(&config(&folder), SyncedDisk);
        let next = store.deposit(letter("bob")).await;
        let Ok(DepositOutcome::Stored(next)) = next else {
            panic!("not stored: {next:?}");
        };
        let expected = START.0 * 1_000 + 1 + u64::from(writes_all_the_same);
        assert_eq!(next.id.number.0, expected);
        let report = store.check(false).await.expect("it can be read");
        assert!(report.is_sound(), "{:?}", report.findings);
    }
}

#[tokio::test]
async fn a_sync_that_never_returns_answers_no_deposit() {
    let folder = new_folder();
    let (disk, mut gate) = gated();
    let store = open_on(&config(&folder), disk);
    let mut context = Context::from_waker(Waker::noop());
    let mut deposits: Vec<_> = (0..10)
        .map(|_| Box::pin(store.deposit(letter("bob"))))
        .collect();
    for deposit in &mut deposits {
        assert!(deposit.as_mut().poll(&mut context).is_pending());
    }
    gate.begun.recv().await.expect("the sync has begun");
    for deposit in &mut deposits {
        assert!(deposit.as_mut().poll(&mut context).is_pending());
    }
    let seen = store.mailbox(address("bob")).await;
    assert_eq!(seen, Ok(None), "nobody sees what is not on disk");
    drop(gate);
    for deposit in deposits {
        assert!(is_latched(&deposit.await));
    }
}

#[tokio::test]
async fn deposits_that_come_during_a_sync_share_the_next_one() {
    let folder = new_folder();
    let (disk, mut gate) = gated();
    let store = open_on(&config(&folder), disk);
    let mut context = Context::from_waker(Waker::noop());
    let mut first = Box::pin(store.deposit(letter("bob")));
    assert!(first.as_mut().poll(&mut context).is_pending());
    gate.begun.recv().await.expect("the sync has begun");
    let mut others: Vec<_> = (0..50)
        .map(|_| Box::pin(store.deposit(letter("carol"))))
        .collect();
    for other in &mut others {
        assert!(other.as_mut().poll(&mut context).is_pending());
    }
    for _ in 0..2 {
        gate.let_go.send(()).expect("the disk waits");
    }
    first.await.expect("it is stored");
    for other in others {
        assert!(matches!(other.await, Ok(DepositOutcome::Stored(_))));
    }
    assert_eq!(gate.syncs.load(Ordering::SeqCst), 2);
}

#[tokio::test]
async fn a_full_queue_is_an_answer() {
    let folder = new_folder();
    let (disk, mut gate) = gated();
    let config = StoreConfig {
        queues: QueueLimits {
            deposits: 2,
            ..QueueLimits::default()
        },
        ..config(&folder)
    };
    let store = open_on(&config, disk);
    let mut context = Context::from_waker(Waker::noop());
    let mut first = Box::pin(store.deposit(letter("bob")));
    assert!(first.as_mut().poll(&mut context).is_pending());
    gate.begun.recv().await.expect("the sync has begun");
    let mut queued: Vec<_> = (0..2)
        .map(|_| Box::pin(store.deposit(letter("bob"))))
        .collect();
    for deposit in &mut queued {
        assert!(deposit.as_mut().poll(&mut context).is_pending());
    }
    let answer = store.deposit(letter("bob")).await;
    assert!(matches!(answer, Err(StoreError::Overloaded)));
    drop(gate);
}

/// It waited in the queue until its edge had answered 503 (PFM-05).
#[tokio::test]
async fn a_deposit_whose_time_runs_out_in_the_queue_is_not_stored() {
    let folder = new_folder();
    let (disk, mut gate) = gated();
    let clock = Arc::new(ManualClock::new(START));
    let store = RocksStore::open_on(config(&folder), Arc::clone(&clock), Box::new(disk));
    let store = store.expect("the folder is free");
    let mut context = Context::from_waker(Waker::noop());
    let mut first = Box::pin(store.deposit(letter("bob")));
    assert!(first.as_mut().poll(&mut context).is_pending());
    gate.begun.recv().await.expect("the sync has begun");
    let mut late = letter("bob");
    late.deadline = std::time::Instant::now() + Duration::from_secs(30);
    let mut late = Box::pin(store.deposit(late));
    assert!(late.as_mut().poll(&mut context).is_pending());
    clock.advance(Duration::from_secs(60));
    gate.let_go.send(()).expect("the disk waits");
    first.await.expect("it is stored");
    let answer = late.await;
    assert!(matches!(
        answer,
        Ok(DepositOutcome::Refused(Refusal::TooLate))
    ));
    assert_eq!(gate.syncs.load(Ordering::SeqCst), 1, "nothing to sync");
}

#[tokio::test]
async fn a_close_finishes_what_is_queued() {
    let folder = new_folder();
    let store = open_on(&config(&folder), SyncedDisk);
    let mut context = Context::from_waker(Waker::noop());
    let mut queued = Box::pin(store.deposit(letter("bob")));
    let answered = queued.as_mut().poll(&mut context);
    store.close().await;
    match answered {
        Poll::Ready(answer) => drop(answer.expect("it is stored")),
        Poll::Pending => drop(queued.await.expect("it is stored")),
    }
    let late = store.deposit(letter("bob")).await;
    assert!(matches!(late, Err(StoreError::Closed)));
    assert_eq!(store.mailbox(address("bob")).await, Err(StoreError::Closed));
}

/// A large message that is staged, and its commit.
async fn staged(store: &RocksStore) -> (UploadId, LargeDeposit) {
    let octets = 300_000;
    let admission = Admission {
        sender: Some(address("alice")),
        sender_exempt: false,
        served_user: address("bob"),
        announced_octets: Some(octets as u64),
        file_transfer: false,
    };
    let admitted = store.admit(admission).await;
    let Ok(AdmissionOutcome::Admitted { upload, .. }) = admitted else {
        panic!("not admitted: {admitted:?}");
    };
    let staged = store.stage(upload, 0, vec![7; octets].into()).await;
    assert_eq!(staged, Ok(Ok(())));
    (upload, large_deposit("bob", "msrp-1", octets))
}

/// As [`staged`], of a large message to many.
async fn staged_job(store: &RocksStore) -> (UploadId, LargeJob) {
    let octets = 300_000;
    let admission = JobAdmission {
        sender: address("alice"),
        announced_octets: Some(octets as u64),
    };
    let admitted = store.admit_job(admission).await;
    let Ok(JobAdmissionOutcome::Admitted { upload, .. }) = admitted else {
        panic!("not admitted: {admitted:?}");
    };
    let staged = store.stage(upload, 0, vec![7; octets].into()).await;
    assert_eq!(staged, Ok(Ok(())));
    (upload, large_job(&["bob", "carol"], "msrp-1", octets))
}

/// As for a message: the next opening shows the job with its content and its legs, or nothing of it.
#[tokio::test]
async fn what_a_job_commit_that_failed_leaves_is_whole_or_nothing_after_the_next_opening() {
    for writes_all_the_same in [true, false] {
        let folder = new_folder();
        let disk = FailingDisk {
            good: 1,
            writes_all_the_same,
        };
        let store = open_on(&config(&folder), disk);
        let (upload, job) = staged_job(&store).await;
        assert!(is_latched(&store.commit_job(upload, job).await));
        let now = std::time::Instant::now();
        assert_eq!(store.shared.sweep_orphans(now), Ok((0, false)));
        drop(store);
        let store = open_on(&config(&folder), SyncedDisk);
        let query = JobQuery {
            limit: 10,
            ..JobQuery::default()
        };
        let listed = store.list_jobs(query).await.expect("it reads");
        assert_eq!(listed.jobs.len(), usize::from(writes_all_the_same));
        let owner = Owner {
            edge: "cf-1".to_owned(),
            incarnation: 1,
        };
        let lease = Duration::from_secs(60);
        let legs = store.claim_legs(owner, JobClass::Large, 10, lease).await;
        let legs = legs.expect("the store answers").legs;
        assert_eq!(legs.len(), 2 * usize::from(writes_all_the_same));
        for job in listed.jobs {
            let content = store.read_job_content(job.number, 0, usize::MAX).await;
            assert!(content == Ok(vec![7; 300_000].into()));
        }
        let swept = store.shared.sweep_orphans(std::time::Instant::now());
        assert_eq!(swept, Ok((usize::from(!writes_all_the_same), false)));
        assert!(store.check(false).await.expect("it reads").is_sound());
    }
}

/// Nobody sees a job before its batch is synced, and the edge hears nothing.
#[tokio::test]
async fn a_sync_that_never_returns_answers_no_job_commit() {
    let folder = new_folder();
    let (disk, mut gate) = gated();
    let store = open_on(&config(&folder), disk);
    let (upload, job) = staged_job(&store).await;
    let mut commit = Box::pin(store.commit_job(upload, job));
    tokio::select! {
        answer = &mut commit => panic!("answered before the sync: {answer:?}"),
        begun = gate.begun.recv() => drop(begun.expect("the sync has begun")),
    }
    let listed = store.list_jobs(JobQuery {
        limit: 10,
        ..JobQuery::default()
    });
    assert_eq!(listed.await.expect("it reads").jobs, []);
    drop(gate);
    assert!(is_latched(&commit.await));
}

#[tokio::test]
async fn a_job_whose_disk_fills_up_is_refused_and_leaves_nothing() {
    let folder = new_folder();
    let store = open_on(&config(&folder), SyncedDisk);
    let (upload, job) = staged_job(&store).await;
    store.shared.free_space.pretend_full();
    let more = store.stage(upload, 0, vec![7; 10].into()).await;
    assert_eq!(more, Ok(Err(Refusal::DiskFull)));
    let committed = store.commit_job(upload, job).await;
    assert!(matches!(
        committed,
        Ok(JobOutcome::Refused(JobRefusal::DiskFull))
    ));
    assert_eq!(store.shared.next_staged(UploadId(0)), Ok(None));
}

/// The batch may be on disk: the next opening shows its message with all of its octets, or none.
#[tokio::test]
async fn what_a_commit_that_failed_leaves_is_not_swept_before_the_next_opening() {
    for writes_all_the_same in [true, false] {
        let folder = new_folder();
        let disk = FailingDisk {
            good: 1,
            writes_all_the_same,
        };
        let store = open_on(&config(&folder), disk);
        let (upload, deposit) = staged(&store).await;
        assert!(is_latched(&store.commit_upload(upload, deposit).await));
        let now = std::time::Instant::now();
        // A sweep that had begun before.
        assert_eq!(store.shared.sweep_orphans(now), Ok((0, false)));
        drop(store);
        let store = open_on(&config(&folder), SyncedDisk);
        let listed = store.list(ListQuery::default()).await.expect("it reads");
        assert_eq!(listed.messages.len(), usize::from(writes_all_the_same));
        for message in listed.messages {
            let number = message.envelope.id.number;
            let body = store.read_part(number, PartKind::SendBody, 0, usize::MAX);
            assert_eq!(body.await.map(|body| body.len()), Ok(300_000));
        }
        let swept = store.shared.sweep_orphans(std::time::Instant::now());
        assert_eq!(swept, Ok((usize::from(!writes_all_the_same), false)));
    }
}

#[tokio::test]
async fn a_disk_that_fills_up_refuses_octets_and_latches_nothing() {
    let folder = new_folder();
    let store = open_on(&config(&folder), SyncedDisk);
    let (upload, deposit) = staged(&store).await;
    store.shared.free_space.pretend_full();
    let more = store.stage(upload, 0, vec![7; 10].into()).await;
    assert_eq!(more, Ok(Err(Refusal::DiskFull)));
    let committed = store.commit_upload(upload, deposit).await;
    assert!(matches!(
        committed,
        Ok(DepositOutcome::Refused(Refusal::DiskFull))
    ));
    assert_eq!(store.shared.next_staged(UploadId(0)), Ok(None));
}

#[tokio::test]
async fn whoever_waits_for_it_hears_that_the_store_has_latched() {
    let folder = new_folder();
    let disk = FailingDisk {
        good: 1,
        writes_all_the_same: false,
    };
    let store = open_on(&config(&folder), disk);
    let mut latched = Box::pin(store.latched());
    let mut context = Context::from_waker(Waker::noop());
    assert!(latched.as_mut().poll(&mut context).is_pending());
    assert!(is_latched(&store.deposit(letter("bob")).await));
    assert!(matches!(latched.await, StoreError::Latched { cause } if cause == "the disk is gone"));
}

/// What is due is ended in slices: those that are on disk are told of although a later one fails.
#[tokio::test]
async fn a_sweep_that_fails_on_its_way_says_what_it_has_done() {
    let folder = new_folder();
    let clock = Arc::new(ManualClock::new(START));
    // The opening, the deposits, and the first slice.
    let disk = FailingDisk {
        good: 1 + 70 + 1,
        writes_all_the_same: false,
    };
    let store = RocksStore::open_on(config(&folder), Arc::clone(&clock), Box::new(disk));
    let store = store.expect("the folder is free");
    for _ in 0..70 {
        let short = Deposit {
            lifetime: Some(MINUTE),
            ..letter("bob")
        };
        let stored = store.deposit(short).await;
        assert!(matches!(stored, Ok(DepositOutcome::Stored(_))));
    }
    clock.advance(MINUTE);
    let swept = store.sweep(UnixMillis(u64::MAX), 1_000).await;
    let swept = swept.expect("something was swept");
    assert_eq!((swept.expired.len(), swept.more), (64, true));
    assert!(is_latched(&store.sweep(UnixMillis(u64::MAX), 1_000).await));
}

/// It was decided when its end lay ahead, and reaches the disk when that has passed.
#[tokio::test]
async fn a_sweep_passes_nothing_over_that_is_on_its_way_to_the_disk() {
    let folder = new_folder();
    let (disk, mut gate) = gated();
    let clock = Arc::new(ManualClock::new(START));
    let store = RocksStore::open_on(config(&folder), Arc::clone(&clock), Box::new(disk));
    let store = store.expect("the folder is free");
    let until = |seconds| Deposit {
        lifetime: Some(Duration::from_secs(seconds)),
        ..letter("bob")
    };
    let number = |stored: Result<DepositOutcome, StoreError>| match stored {
        Ok(DepositOutcome::Stored(receipt)) => receipt.id.number,
        other => panic!("not stored: {other:?}"),
    };
    gate.let_go.send(()).expect("the disk waits");
    let later = number(store.deposit(until(15)).await);
    gate.begun.recv().await.expect("the sync was");
    let mut context = Context::from_waker(Waker::noop());
    let mut earlier = Box::pin(store.deposit(until(10)));
    assert!(earlier.as_mut().poll(&mut context).is_pending());
    gate.begun.recv().await.expect("the sync has begun");
    clock.advance(Duration::from_secs(20));
    let mut sweep = Box::pin(store.sweep(UnixMillis(u64::MAX), 1_000));
    // As long as the disk is busy.
    let early = tokio::time::timeout(Duration::from_millis(200), &mut sweep).await;
    assert!(early.is_err(), "{early:?}");
    for _ in 0..2 {
        gate.let_go.send(()).expect("the disk waits");
    }
    let earlier = number(earlier.await);
    let swept = sweep.await.expect("the store answers");
    assert_eq!(swept.expired, [earlier, later]);
    drop(gate);
    let report = store.check(false).await.expect("it can be read");
    assert!(report.is_sound(), "{:?}", report.findings);
}
