//! What opening refuses, with sentences that say what to do, and where Message-IDs jump (STO-08).

use std::fs;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use tempfile::TempDir;

use crate::battery::legs::job;
use crate::battery::{START, letter};
use crate::config::StoreConfig;
use crate::fan_out::FanOutStore;
use crate::model::{DepositOutcome, JobOutcome, ManualClock};
use crate::rocks::{FolderLock, OpenError, RocksStore};
use crate::store::Store;

fn config(folder: &TempDir) -> StoreConfig {
    StoreConfig {
        data_dir: folder.path().join("data"),
        hostname: "a.example.org".to_owned(),
        ..StoreConfig::default()
    }
}

fn open(config: &StoreConfig) -> Result<RocksStore, OpenError> {
    RocksStore::open(config.clone(), Arc::new(ManualClock::new(START)))
}

fn refusal(config: &StoreConfig) -> OpenError {
    match open(config) {
        Ok(_) => panic!("it was opened"),
        Err(error) => error,
    }
}

/// Opens the store, deposits one message and closes it.
async fn next_id(config: &StoreConfig) -> u64 {
    let store = open(config).expect("it can be opened");
    let outcome = store.deposit(letter("bob")).await;
    match outcome.expect("the store answers") {
        DepositOutcome::Stored(receipt) => receipt.id.number.0,
        other => panic!("not stored: {other:?}"),
    }
}

fn floor(config: &StoreConfig) -> u64 {
    let text = fs::read_to_string(config.data_dir.join("message-id-floor"));
    let text = text.expect("it is recorded");
    let floor = text.split_whitespace().next().expect("it is not empty");
    floor.parse().expect("it is a number")
}

fn new_folder() -> TempDir {
    TempDir::new().expect("there is place for tests")
}

#[tokio::test]
async fn a_store_in_use_is_not_opened_again() {
    let folder = new_folder();
    let config = config(&folder);
    let store = open(&config).expect("it is new");
    let error = refusal(&config);
    assert!(matches!(error, OpenError::Locked { .. }), "{error}");
    assert!(error.to_string().contains("stop that process"));
    store.close().await;
    drop(store);
    open(&config).expect("it is free again");
}

fn refusal_of_existing(config: &StoreConfig) -> OpenError {
    let clock = Arc::new(ManualClock::new(START));
    match RocksStore::open_existing(config.clone(), clock) {
        Ok(_) => panic!("it was opened"),
        Err(error) => error,
    }
}

#[tokio::test]
async fn where_a_store_must_be_none_is_made() {
    let folder = new_folder();
    let config = config(&folder);
    let error = refusal_of_existing(&config);
    assert!(
        error.to_string().contains("it does not exist") && error.to_string().contains("--config"),
        "{error}"
    );
    assert!(!config.data_dir.exists());
    fs::create_dir(&config.data_dir).expect("a folder of ours");
    let error = refusal_of_existing(&config);
    assert!(matches!(error, OpenError::NoStore { .. }), "{error}");
    let left = fs::read_dir(&config.data_dir).expect("a folder").count();
    assert_eq!(left, 0, "nothing was made");

    next_id(&config).await;
    let clock = Arc::new(ManualClock::new(START));
    drop(RocksStore::open_existing(config.clone(), clock).expect("it is there"));
    let database = config.data_dir.join("db");
    fs::remove_dir_all(&database).expect("a folder of ours");
    fs::create_dir(&database).expect("a folder of ours");
    let error = refusal_of_existing(&config);
    assert!(matches!(error, OpenError::Damaged { .. }), "{error}");
}

#[tokio::test]
async fn a_restore_that_was_cut_off_is_no_store_and_no_place_for_one() {
    let folder = new_folder();
    let config = config(&folder);
    let restoring = config.data_dir.join(FolderLock::RESTORING);
    fs::create_dir_all(&restoring).expect("a folder of ours");
    for error in [refusal(&config), refusal_of_existing(&config)] {
        assert!(matches!(error, OpenError::Unfinished { .. }), "{error}");
    }
    assert!(!config.data_dir.join("db").exists());
    fs::remove_dir(&restoring).expect("a folder of ours");
    next_id(&config).await;
    // All of it is there: it was cut off at the very end.
    fs::create_dir(&restoring).expect("a folder of ours");
    next_id(&config).await;
    assert!(!restoring.exists());
}

#[test]
fn a_folder_is_locked_as_by_a_store() {
    let folder = new_folder();
    let config = config(&folder);
    let lock = FolderLock::take(&config.data_dir).expect("it is free");
    let error = refusal(&config);
    assert!(matches!(error, OpenError::Locked { .. }), "{error}");
    drop(lock);
    let store = open(&config).expect("it is free again");
    let error = FolderLock::take(&config.data_dir).expect_err("it is in use");
    assert!(matches!(error, OpenError::Locked { .. }), "{error}");
    drop(store);
}

#[tokio::test]
async fn a_later_format_is_left_alone() {
    let folder = new_folder();
    let config = config(&folder);
    next_id(&config).await;
    fs::write(config.data_dir.join("format"), "2\n").expect("it can be written");
    let error = refusal(&config);
    assert!(matches!(
        error,
        OpenError::Newer {
            found: 2,
            known: 1,
            ..
        }
    ));
    assert!(
        error
            .to_string()
            .contains("start the version that wrote it")
    );
}

#[tokio::test]
async fn a_database_without_its_format_is_damaged() {
    let folder = new_folder();
    let config = config(&folder);
    next_id(&config).await;
    fs::remove_file(config.data_dir.join("format")).expect("it was written");
    let error = refusal(&config);
    assert!(matches!(error, OpenError::Damaged { .. }));
    assert!(error.to_string().contains("restore a backup"));
}

#[test]
fn a_folder_that_cannot_be_written_to_is_named() {
    let folder = new_folder();
    let file = folder.path().join("file");
    fs::write(&file, "").expect("it can be written");
    for place in [file.join("data"), Path::new("/proc/restante").to_owned()] {
        let error = refusal(&StoreConfig {
            data_dir: place,
            ..StoreConfig::default()
        });
        assert!(matches!(error, OpenError::Unwritable { .. }), "{error}");
        assert!(error.to_string().contains("make it writable"));
    }
}

#[tokio::test]
async fn an_older_copy_is_not_opened() {
    let folder = new_folder();
    let config = config(&folder);
    let id = next_id(&config).await;
    let floor = (id + 70_000).to_string();
    fs::write(config.data_dir.join("message-id-floor"), floor).expect("it can be written");
    let error = refusal(&config);
    assert!(matches!(error, OpenError::Behind { .. }), "{error}");
    assert!(error.to_string().contains("put the latest copy there"));
}

#[tokio::test]
async fn a_lost_end_of_the_log_makes_the_ids_jump() {
    let folder = new_folder();
    let config = config(&folder);
    let id = next_id(&config).await;
    let floor = id + 70_000;
    fs::write(config.data_dir.join("message-id-floor"), floor.to_string()).expect("it is open");
    let accepted = StoreConfig {
        accept_truncated_wal: true,
        ..config
    };
    assert_eq!(next_id(&accepted).await, floor);
}

#[tokio::test]
async fn another_hostname_makes_the_ids_jump() {
    let folder = new_folder();
    let config = config(&folder);
    let id = next_id(&config).await;
    let renamed = StoreConfig {
        hostname: "b.example.org".to_owned(),
        ..config.clone()
    };
    let clock = Arc::new(ManualClock::new(START.after(Duration::from_secs(1))));
    let store = RocksStore::open(renamed.clone(), clock).expect("it is free");
    assert_eq!(store.hostname(), "b.example.org");
    drop(store);
    assert_eq!(next_id(&renamed).await, (START.0 + 1_000) * 1_000);
    assert!(id < START.0 * 1_000 + 1_000);
}

/// What a store that went back to a backup has lost was numbered before now.
#[tokio::test]
async fn numbers_of_jobs_are_raised_past_the_time_of_the_opening() {
    let folder = new_folder();
    let config = config(&folder);
    let job_at = async |after| {
        let clock = Arc::new(ManualClock::new(START.after(after)));
        let store = RocksStore::open(config.clone(), clock).expect("it is free");
        match store.accept_job(job("alice", &["bob"])).await {
            Ok(JobOutcome::Accepted(receipt)) => receipt.job.0,
            other => panic!("not accepted: {other:?}"),
        }
    };
    let second = Duration::from_secs(1);
    assert_eq!(job_at(second).await, (START.0 + 1_000) * 1_000);
    // A clock that was set back does not set the numbers back.
    assert_eq!(job_at(Duration::ZERO).await, (START.0 + 1_000) * 1_000 + 1);
    assert_eq!(job_at(3 * second).await, (START.0 + 3_000) * 1_000);
}

#[tokio::test]
async fn the_ids_in_use_are_on_record() {
    let folder = new_folder();
    let config = config(&folder);
    let id = next_id(&config).await;
    assert_eq!(floor(&config), id);
    let second = next_id(&config).await;
    assert_eq!(second, id + 1);
    assert_eq!(floor(&config), second);
}

#[tokio::test]
async fn a_secret_outlives_reopening_and_no_two_stores_share_one() {
    let folder = new_folder();
    let config = config(&folder);
    let secret = open(&config).expect("it is new").secret();
    assert_eq!(open(&config).expect("it is free").secret(), secret);
    let other = new_folder();
    let other = StoreConfig {
        data_dir: other.path().join("data"),
        ..config
    };
    assert_ne!(open(&other).expect("it is new").secret(), secret);
}
