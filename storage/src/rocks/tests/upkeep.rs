//! Copies of a store that serves, checks of them, compaction.

use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use rocksdb::WriteBatch;
use tempfile::TempDir;
use tokio::task::JoinSet;

use super::OnDisk;
use super::sealed::{Sealed, master_keys};
use crate::battery::uploads::{octets, quota};
use crate::battery::{Bench, Engine, START, address, deposit_to, registration};
use crate::column_family::Family;
use crate::config::StoreConfig;
use crate::key;
use crate::model::{DepositOutcome, ManualClock, SUBSCRIPTION_EPOCHS, UploadId};
use crate::rocks::{OpenError, RocksStore};
use crate::store::{Store, StoreError};
use crate::upkeep::{CheckReport, Finding, Stage, UpkeepStore, Walk};

const LARGE: usize = 300_000;

/// A folder for copies, on the file system of the tests.
struct Copies(TempDir);

impl Copies {
    fn new() -> Self {
        Self(TempDir::new().expect("there is place for tests"))
    }

    fn at(&self, name: &str) -> PathBuf {
        self.0.path().join(name)
    }
}

async fn check<E: Engine<Store = RocksStore>>(bench: &Bench<E>, copy: PathBuf) -> CheckReport {
    let walk = Arc::new(Walk::default());
    let report = bench.store().check_copy(copy, Arc::clone(&walk)).await;
    let walked = walk.look();
    assert_eq!(walked.stage, Stage::Comparing);
    assert!(walked.done <= walked.total);
    report.expect("it can be read")
}

fn configured(copy: PathBuf) -> StoreConfig {
    StoreConfig {
        data_dir: copy,
        ..StoreConfig::default()
    }
}

fn open(config: &StoreConfig) -> Result<RocksStore, OpenError> {
    let later = ManualClock::new(START.after(Duration::from_secs(1)));
    RocksStore::open(config.clone(), Arc::new(later))
}

#[tokio::test]
async fn a_copy_has_what_was_there_and_is_sound_and_becomes_a_store_when_it_is_restored() {
    let bench = Bench::<OnDisk>::new();
    let small = bench.mail("bob").await;
    let body = octets(LARGE);
    let large = bench.uploaded("bob", "m-1", &body).await.id.number;
    let under_way = bench.admit("carol", LARGE).await;
    bench.write(under_way, 0, &body, 200_000).await;
    let copies = Copies::new();
    bench.store().copy_to(copies.at("a")).await.expect("made");
    let after = bench.mail("bob").await;

    let report = check(&bench, copies.at("a")).await;
    assert!(report.is_sound(), "{:?}", report.findings);
    assert_eq!((report.mailboxes, report.messages), (1, 2));
    assert_eq!(report.unfinished_uploads, 1);
    assert!(report.rows > 10);
    // Looking at it has changed nothing: it is a copy still.
    let config = configured(copies.at("a"));
    let refused = open(&config).err().expect("it is a copy");
    assert!(matches!(refused, OpenError::Copied { .. }), "{refused}");
    let restored = StoreConfig {
        accept_truncated_wal: true,
        ..config.clone()
    };
    drop(open(&restored).expect("it is restored"));
    let store = open(&config).expect("it is a store");
    for number in [small, large] {
        store.message(number).await.expect("it was there before");
    }
    assert_eq!(store.message(after).await, Err(StoreError::NotFound));
    let DepositOutcome::Stored(next) = store
        .deposit(deposit_to("bob", "after", "hi"))
        .await
        .expect("it serves")
    else {
        panic!("it is new");
    };
    assert!(next.id.number > after, "{next:?}");
}

#[tokio::test]
async fn an_encrypted_copy_needs_the_keys_of_the_present() {
    let bench = Bench::<Sealed>::new();
    bench.mail("bob").await;
    let rotated = master_keys(
        "1:000102030405060708090a0b0c0d0e0f101112131415161718191a1b1c1d1e1f,\
         2:ff0102030405060708090a0b0c0d0e0f101112131415161718191a1b1c1d1eff",
    );
    let rotated = rotated.expect("two keys");
    bench.store().rotate_keys(rotated).await.expect("rotated");
    let copies = Copies::new();
    bench.store().copy_to(copies.at("a")).await.expect("made");
    assert!(check(&bench, copies.at("a")).await.is_sound());
    let restored = StoreConfig {
        accept_truncated_wal: true,
        ..configured(copies.at("a"))
    };
    let refused = open(&restored).err().expect("it has no keys");
    assert!(
        matches!(refused, OpenError::NoMasterKey { .. }),
        "{refused}"
    );
}

/// The log is copied after the files: a content that is flushed in between has to wait.
#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn large_messages_that_come_meanwhile_are_whole_in_the_copy_or_not_there() {
    let bench = Arc::new(Bench::<OnDisk>::with(quota(1 << 30)));
    let mut senders: JoinSet<()> = (0..3)
        .map(|sender| {
            let bench = Arc::clone(&bench);
            async move {
                let body = octets(LARGE);
                for sent in 0..25 {
                    let id = format!("m-{sender}-{sent}");
                    bench.uploaded("bob", &id, &body).await;
                }
            }
        })
        .collect();
    let copies = Copies::new();
    let mut made = 0;
    while !senders.is_empty() {
        let copy = copies.at(&made.to_string());
        bench.store().copy_to(copy).await.expect("made");
        made += 1;
        while let Some(ended) = senders.try_join_next() {
            ended.expect("it sends");
        }
    }
    for copy in 0..made {
        let report = check(&bench, copies.at(&copy.to_string())).await;
        assert!(report.is_sound(), "copy {copy}: {:?}", report.findings);
    }
    assert!(made > 2, "{made} copies");
}

#[tokio::test]
async fn a_row_that_cannot_be_read_is_named_and_the_rest_is_compared() {
    let bench = Bench::<OnDisk>::new();
    bench.mail("bob").await;
    let number = bench.mail("carol").await;
    bench
        .register(registration("bob", "sip:a@1", 1))
        .await
        .expect("it is new");
    let mailbox = bench.mailbox("carol").await;
    let place = key::envelope(mailbox, number);
    let database = &bench.store().shared.database;
    let family = database.rocks().cf_handle("messages").expect("it is there");
    let mut batch = WriteBatch::default();
    batch.put_cf(family, place, b"nonsense");
    database.rocks().write(batch).expect("it is open");

    let copies = Copies::new();
    bench.store().copy_to(copies.at("a")).await.expect("made");
    let report = check(&bench, copies.at("a")).await;
    let row = Finding::Row {
        family: Family::Messages.name(),
        key: place.to_vec(),
        problem: "corrupt envelope".to_owned(),
    };
    assert_eq!(report.findings[0], row);
    assert!(report.findings.contains(&Finding::NotCompared("mailboxes")));
    let digits: String = place.iter().map(|octet| format!("{octet:02x}")).collect();
    assert!(row.to_string().contains(&digits), "{row}");
}

#[tokio::test]
async fn an_aborted_check_ends_and_leaves_the_copy_as_it_was() {
    let bench = Bench::<OnDisk>::new();
    bench.mail("bob").await;
    let copies = Copies::new();
    bench.store().copy_to(copies.at("a")).await.expect("made");
    let walk = Arc::new(Walk::default());
    walk.abort();
    let ended = bench.store().check_copy(copies.at("a"), walk).await;
    assert_eq!(ended, Err(StoreError::Aborted));
    assert!(check(&bench, copies.at("a")).await.is_sound());
}

#[tokio::test]
async fn nothing_is_copied_to_a_full_disk_or_over_something() {
    let bench = Bench::<OnDisk>::new();
    let copies = Copies::new();
    std::fs::create_dir(copies.at("a")).expect("a folder of ours");
    let error = bench.store().copy_to(copies.at("a")).await;
    assert!(matches!(error, Err(StoreError::Read { .. })), "{error:?}");
    bench.store().shared.free_space.pretend_full();
    let error = bench.store().copy_to(copies.at("b")).await;
    assert!(
        matches!(error, Err(StoreError::Precondition { .. })),
        "{error:?}"
    );
    assert!(!copies.at("b").exists());
}

#[tokio::test]
async fn nothing_is_left_of_a_copy_that_fails() {
    let bench = Bench::<OnDisk>::new();
    bench.mail("bob").await;
    let copies = Copies::new();
    let floor = bench
        .store()
        .shared
        .config
        .data_dir
        .join("message-id-floor");
    std::fs::write(floor, "nonsense").expect("written");
    let error = bench.store().copy_to(copies.at("a")).await;
    assert!(matches!(error, Err(StoreError::Read { .. })), "{error:?}");
    assert!(!copies.at("a").exists());
}

#[tokio::test]
async fn compaction_gives_space_back_and_keeps_everything_and_can_be_ended() {
    let bench = Bench::<OnDisk>::new();
    let kept = bench.mail("bob").await;
    let body = octets(LARGE);
    for turn in 0..10 {
        bench.uploaded("carol", &format!("m-{turn}"), &body).await;
    }
    let shared = &bench.store().shared;
    shared.database.flush_all().expect("written");
    let walk = Arc::new(Walk::default());
    walk.abort();
    let ended = bench.store().compact(walk).await;
    assert_eq!(ended, Err(StoreError::Aborted));
    let erased = bench
        .store()
        .erase_account(address("carol"), "anna".to_owned(), String::new());
    erased.await.expect("she has messages");
    bench.sweep().await;
    shared.database.flush_all().expect("written");
    let walk = Arc::new(Walk::default());
    let compacted = bench.store().compact(Arc::clone(&walk)).await;
    let compacted = compacted.expect("it goes through");
    assert!(compacted.octets_before > 10 * LARGE as u64, "{compacted:?}");
    assert!(compacted.octets_after < LARGE as u64, "{compacted:?}");
    assert_eq!(walk.look().stage, Stage::Compacting);
    bench.message(kept).await;
    assert!(
        bench
            .store()
            .check(false)
            .await
            .expect("it reads")
            .is_sound()
    );
    assert_eq!(shared.next_staged(UploadId(0)), Ok(None));
}

#[tokio::test]
async fn compaction_ends_where_there_is_no_room_for_what_it_writes() {
    let bench = Bench::<OnDisk>::new();
    bench.mail("bob").await;
    let shared = &bench.store().shared;
    shared.database.flush_all().expect("written");
    shared.free_space.pretend_full();
    let refused = bench.store().compact(Arc::new(Walk::default())).await;
    let Err(StoreError::Precondition { reason }) = refused else {
        panic!("there is no room: {refused:?}");
    };
    assert!(reason.contains("there is no room"), "{reason}");
}

#[tokio::test]
async fn a_compaction_that_fails_is_said_to_have_failed() {
    let bench = Bench::<OnDisk>::new();
    bench.mail("bob").await;
    let shared = &bench.store().shared;
    shared.database.flush_all().expect("written");
    let database = shared.config.data_dir.join("db");
    for file in std::fs::read_dir(database).expect("it is there") {
        let path = file.expect("readable").path();
        if path.extension().is_some_and(|it| it == "sst") {
            // In its place: RocksDB has it open.
            let file = std::fs::OpenOptions::new().write(true).open(path);
            std::io::Write::write_all(&mut file.expect("ours"), &[0xa5; 64]).expect("written");
        }
    }
    let failed = bench.store().compact(Arc::new(Walk::default())).await;
    let Err(StoreError::Read { cause }) = failed else {
        panic!("it cannot read its files: {failed:?}");
    };
    assert!(cause.contains("are as they were"), "{cause}");
}

#[tokio::test]
async fn subscriptions_of_a_restored_copy_skip_epochs() {
    let bench = Bench::<OnDisk>::new();
    let epoch = crate::battery::subscriptions::subscribed(&bench).await;
    let copies = Copies::new();
    bench.store().copy_to(copies.at("a")).await.expect("made");
    let restored = StoreConfig {
        accept_truncated_wal: true,
        ..configured(copies.at("a"))
    };
    for turn in 1..=2 {
        // The second opening is no going back.
        let store = open(&restored).expect("it is restored");
        let all = store.list_subscriptions(None, 10).await.expect("it reads");
        assert_eq!(all[0].1[0].epoch, epoch + 16, "opening {turn}");
    }
    assert!(epoch + 16 < SUBSCRIPTION_EPOCHS);
}

#[tokio::test]
async fn mailboxes_made_after_the_backup_are_nobody_elses_when_it_is_restored() {
    let bench = Bench::<OnDisk>::new();
    bench.mail("bob").await;
    let copies = Copies::new();
    bench.store().copy_to(copies.at("a")).await.expect("made");
    bench.mail("carol").await;
    let carols = bench.store().mailbox(address("carol")).await;
    let carols = carols.expect("the store answers").expect("she has one");
    let restored = StoreConfig {
        accept_truncated_wal: true,
        ..configured(copies.at("a"))
    };
    let restored = open(&restored).expect("it is taken for the store");
    restored.create_account(address("dave")).await.expect("new");
    let daves = restored.mailbox(address("dave")).await;
    let daves = daves.expect("the store answers").expect("he has one");
    assert!(daves > carols, "{daves:?} {carols:?}");
}
