//! B3: the store against RocksDB alone, writing the very same batches (docs/benchmarks.md).
//!
//! A benchmark, no test, so it has a feature of its own; `make bench BENCH=store` runs it.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use rocksdb::WriteBatch;
use tempfile::TempDir;
use tokio::sync::mpsc::unbounded_channel;

use crate::battery::deposit_to;
use crate::config::StoreConfig;
use crate::model::{Deposit, DepositOutcome, SystemClock};
use crate::rocks::RocksStore;
use crate::rocks::database::Database;
use crate::rocks::disk::{Disk, SyncedDisk};
use crate::rocks::folder::Folder;
use crate::rocks::open::open_database;
use crate::rocks::options::Horizon;
use crate::store::Store;

const ROUNDS: usize = 5;
const DEPOSITS: u64 = 60_000;
const MAILBOXES: u64 = 20_000;
/// Deposits that arrive together, and those that may be under way.
const TOGETHER: usize = 64;
const UNDER_WAY: usize = 512;

type Batches = Arc<Mutex<Vec<Vec<u8>>>>;

/// Keeps what it writes.
struct RecordingDisk(Batches);

impl Disk for RecordingDisk {
    fn commit(&mut self, database: &Database, batch: WriteBatch) -> Result<(), String> {
        let mut batches = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        batches.push(batch.data().to_vec());
        drop(batches);
        SyncedDisk.commit(database, batch)
    }
}

fn config(folder: &TempDir) -> StoreConfig {
    StoreConfig {
        data_dir: folder.path().join("data"),
        ..StoreConfig::default()
    }
}

fn deposits(round: u64) -> Vec<(u64, Deposit)> {
    let deposits = (0..DEPOSITS).map(|number| {
        let user = format!("user{}", number.wrapping_mul(7_919) % MAILBOXES);
        let call_id = format!("{round}-{number}");
        (
            number,
            deposit_to(&user, &call_id, &format!("{number:0>300}")),
        )
    });
    deposits.collect()
}

/// The time the store takes, and the batches it wrote.
async fn through_the_store(round: u64) -> (Duration, Vec<Vec<u8>>) {
    let folder = TempDir::new().expect("there is place");
    let batches = Batches::default();
    let disk = Box::new(RecordingDisk(Arc::clone(&batches)));
    let store = RocksStore::open_on(config(&folder), SystemClock, disk).expect("a new folder");
    let mut deposits = deposits(round).into_iter();
    let (outcomes, mut told) = unbounded_channel();
    let (mut under_way, begun) = (0, Instant::now());
    loop {
        while under_way + TOGETHER <= UNDER_WAY && deposits.len() > 0 {
            let together: Vec<_> = deposits.by_ref().take(TOGETHER).collect();
            under_way += together.len();
            store.deposit_all(together, &outcomes);
        }
        if under_way == 0 {
            break;
        }
        for (_, outcome) in told.recv().await.expect("an answer for each") {
            assert!(
                matches!(outcome, Ok(DepositOutcome::Stored(_))),
                "{outcome:?}"
            );
            under_way -= 1;
        }
    }
    let took = begun.elapsed();
    store.close().await;
    drop(store);
    let batches = std::mem::take(&mut *batches.lock().unwrap_or_else(PoisonError::into_inner));
    (took, batches)
}

/// The time RocksDB alone takes for the same batches, under the same options.
fn alone(batches: &[Vec<u8>]) -> Duration {
    let folder = TempDir::new().expect("there is place");
    let config = config(&folder);
    let data = Folder::open(&config.data_dir).expect("a new folder");
    let database = open_database(&config, &data, &Horizon::default()).expect("a new database");
    let begun = Instant::now();
    for data in batches {
        let written = SyncedDisk.commit(&database, WriteBatch::from_data(data));
        written.expect("the disk is sound");
    }
    begun.elapsed()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 1)]
async fn raw_rate() {
    println!("| store /s | RocksDB alone /s | ratio | deposits per group |");
    println!("|---|---|---|---|");
    let mut ratios = Vec::new();
    for round in 0..ROUNDS as u64 {
        let (store, batches) = through_the_store(round).await;
        let groups = batches.len();
        let alone = tokio::task::spawn_blocking(move || alone(&batches));
        let alone = alone.await.expect("no panic");
        let rate = |took: Duration| DEPOSITS as f64 / took.as_secs_f64();
        let ratio = rate(store) / rate(alone);
        let per_group = DEPOSITS as f64 / groups as f64;
        println!(
            "| {:.0} | {:.0} | {ratio:.2} | {per_group:.0} |",
            rate(store),
            rate(alone)
        );
        ratios.push(ratio);
    }
    ratios.sort_by(f64::total_cmp);
    println!("\nmedian ratio {:.2}", ratios[ROUNDS / 2]);
}
