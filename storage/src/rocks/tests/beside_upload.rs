//! B4: how long a deposit takes while an upload comes in at full speed, and while none does
//! (docs/benchmarks.md). The store alone: no SIP, no MSRP, no gRPC.
//!
//! A benchmark, no test, so it has a feature of its own.

use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use bytes::Bytes;
use rocksdb::WriteBatch;
use tempfile::TempDir;
use tokio::task::{JoinHandle, JoinSet};
use tokio::time::{Instant, MissedTickBehavior, interval};

use crate::battery::deposit_to;
use crate::battery::uploads::large_deposit;
use crate::config::{Quota, StoreConfig};
use crate::model::{Admission, AdmissionOutcome, DepositOutcome, SystemClock};
use crate::rocks::RocksStore;
use crate::rocks::database::Database;
use crate::rocks::disk::{Disk, SyncedDisk};
use crate::store::Store;

const ROUNDS: usize = 5;
const TURN: Duration = Duration::from_secs(4);
/// Deposits come at this pace, in microseconds from one to the next, however long each takes.
const EVERY_US: u64 = 2_000;
const MAILBOXES: u64 = 20_000;
const UPLOAD_OCTETS: usize = 256 << 20;
const PIECE_OCTETS: usize = 256 << 10;

type Times = Arc<Mutex<Vec<Duration>>>;

/// Keeps how long each commit took.
struct TimedDisk(Times);

impl Disk for TimedDisk {
    fn commit(&mut self, database: &Database, batch: WriteBatch) -> Result<(), String> {
        let begun = Instant::now();
        let committed = SyncedDisk.commit(database, batch);
        note(&self.0, begun.elapsed());
        committed
    }
}

fn note(times: &Times, time: Duration) {
    times
        .lock()
        .unwrap_or_else(PoisonError::into_inner)
        .push(time);
}

/// The median and the 99th percentile in milliseconds; forgets the times.
fn figures(times: &Times) -> (f64, f64) {
    let mut times = std::mem::take(&mut *times.lock().unwrap_or_else(PoisonError::into_inner));
    times.sort();
    let at = |share: usize| {
        let time = times.get(times.len() * share / 100).copied();
        time.unwrap_or_default().as_secs_f64() * 1_000.0
    };
    (at(50), at(99))
}

/// Deposits at their pace for one turn; each time counts from when the deposit was due.
async fn deposits(store: &Arc<RocksStore>, from: u64, times: &Times) -> u64 {
    let mut due = interval(Duration::from_micros(EVERY_US));
    due.set_missed_tick_behavior(MissedTickBehavior::Burst);
    let begun = Instant::now();
    let mut number = from;
    let mut under_way = JoinSet::new();
    while begun.elapsed() < TURN {
        let due = due.tick().await;
        let user = format!("user{}", number.wrapping_mul(7_919) % MAILBOXES);
        let deposit = deposit_to(&user, &number.to_string(), &format!("{number:0>300}"));
        let (store, times) = (Arc::clone(store), Arc::clone(times));
        under_way.spawn(async move {
            let outcome = store.deposit(deposit).await.expect("the store answers");
            assert!(matches!(outcome, DepositOutcome::Stored(_)), "{outcome:?}");
            note(&times, due.elapsed());
        });
        number += 1;
    }
    under_way.join_all().await;
    number
}

/// Uploads one message, or forgets it when told to stop; counts its octets.
async fn upload(store: &RocksStore, number: u64, stop: &AtomicBool, octets: &AtomicU64) {
    let piece: Bytes = (0..PIECE_OCTETS).map(|_| rand::random::<u8>()).collect();
    let admission = Admission {
        sender: Some(address("alice")),
        sender_exempt: false,
        served_user: crate::battery::address(&format!("large{number}")),
        announced_octets: Some(UPLOAD_OCTETS as u64),
        file_transfer: false,
    };
    let outcome = store.admit(admission).await.expect("the store answers");
    let AdmissionOutcome::Admitted { upload, .. } = outcome else {
        panic!("not admitted: {outcome:?}");
    };
    for offset in (0..UPLOAD_OCTETS).step_by(PIECE_OCTETS) {
        let staged = store.stage(upload, offset as u64, piece.clone()).await;
        assert_eq!(staged, Ok(Ok(())));
        octets.fetch_add(PIECE_OCTETS as u64, Ordering::Relaxed);
        if stop.load(Ordering::Relaxed) {
            return store.abandon(upload).await;
        }
    }
    let deposit = large_deposit(&format!("large{number}"), "one", UPLOAD_OCTETS);
    let outcome = store.commit_upload(upload, deposit).await;
    assert!(
        matches!(outcome, Ok(DepositOutcome::Stored(_))),
        "{outcome:?}"
    );
}

/// Uploads for as long as it lives.
struct Uploading {
    stop: Arc<AtomicBool>,
    octets: Arc<AtomicU64>,
    task: JoinHandle<u64>,
}

impl Uploading {
    /// The messages have numbers from `first` on.
    fn begin(store: &Arc<RocksStore>, first: u64) -> Self {
        let (stop, octets) = (Arc::<AtomicBool>::default(), Arc::<AtomicU64>::default());
        let task = tokio::spawn({
            let (store, stop, octets) = (Arc::clone(store), Arc::clone(&stop), Arc::clone(&octets));
            async move {
                let mut number = first;
                while !stop.load(Ordering::Relaxed) {
                    upload(&store, number, &stop, &octets).await;
                    number += 1;
                }
                number
            }
        });
        Self { stop, octets, task }
    }

    /// MiB so far.
    fn mebibytes(&self) -> f64 {
        self.octets.load(Ordering::Relaxed) as f64 / f64::from(1 << 20)
    }

    /// The number of the next message.
    async fn end(self) -> u64 {
        self.stop.store(true, Ordering::Relaxed);
        self.task.await.expect("no panic")
    }
}

fn open(folder: &TempDir, commits: &Times) -> Arc<RocksStore> {
    let config = StoreConfig {
        data_dir: folder.path().join("data"),
        quota: Quota {
            octets: 2 * UPLOAD_OCTETS as u64,
            ..Quota::default()
        },
        ..StoreConfig::default()
    };
    let disk = Box::new(TimedDisk(Arc::clone(commits)));
    Arc::new(RocksStore::open_on(config, SystemClock, disk).expect("a new folder"))
}

#[tokio::test(flavor = "multi_thread", worker_threads = 1)]
async fn beside_upload() {
    let folder = TempDir::new().expect("there is place");
    let (times, commits) = (Times::default(), Times::default());
    let store = open(&folder, &commits);
    let mut number = deposits(&store, 0, &times).await;
    let mut large = 0;
    println!("| | deposits p50 ms | p99 ms | commits p50 ms | p99 ms | upload MiB/s |");
    println!("|---|---|---|---|---|---|");
    let mut ratios = Vec::new();
    for _ in 0..ROUNDS {
        let mut p99 = [0.0; 2];
        for (p99, with_upload) in p99.iter_mut().zip([false, true]) {
            (figures(&times), figures(&commits));
            let uploading = with_upload.then(|| Uploading::begin(&store, large));
            number = deposits(&store, number, &times).await;
            let (deposit, commit) = (figures(&times), figures(&commits));
            let mut rate = 0.0;
            if let Some(uploading) = uploading {
                rate = uploading.mebibytes() / TURN.as_secs_f64();
                large = uploading.end().await;
            }
            *p99 = deposit.1;
            let name = if with_upload {
                "beside an upload"
            } else {
                "alone"
            };
            let (deposit, commit) = (
                format!("{:.2} | {:.2}", deposit.0, deposit.1),
                format!("{:.2} | {:.2}", commit.0, commit.1),
            );
            println!("| {name} | {deposit} | {commit} | {rate:.0} |");
        }
        ratios.push(p99[1] / p99[0]);
    }
    ratios.sort_by(f64::total_cmp);
    println!("\nmedian ratio of p99 {:.2}", ratios[ROUNDS / 2]);
    store.close().await;
}
