//! A store that encrypts: the battery, what is found on its disk, and its keys.

use std::fs;
use std::path::Path;
use std::sync::Arc;

use bytes::Bytes;
use rocksdb::WriteBatch;
use tempfile::TempDir;

use super::OnDisk;
use crate::battery::groups::group;
use crate::battery::large_jobs::large_job;
use crate::battery::legs::{answered, job};
use crate::battery::{Bench, Engine, START, address, binding, deposit_to, letter, registration};
use crate::column_family::Family;
use crate::config::{EventLogConfig, StoreConfig};
use crate::key;
use crate::model::{
    BindingChange, DepositOutcome, GroupChange, MailboxId, ManualClock, MessageNumber, PartKind,
    Verb,
};
use crate::rocks::{OpenError, RocksStore};
use crate::sealing::{KeyOwner, KeyStatus, MasterKeys};
use crate::store::{Store, StoreError, Synced};

const ONE: &str = "1:000102030405060708090a0b0c0d0e0f101112131415161718191a1b1c1d1e1f";
const TWO: &str = "2:ff0102030405060708090a0b0c0d0e0f101112131415161718191a1b1c1d1eff";
const LARGE: usize = 700_000;

pub(crate) fn master_keys(text: &str) -> Option<MasterKeys> {
    Some(MasterKeys::parse(text).expect("they are in order"))
}

/// As [`OnDisk`], encrypted.
pub(crate) struct Sealed(OnDisk);

impl Engine for Sealed {
    type Store = RocksStore;

    fn open(config: StoreConfig, clock: Arc<ManualClock>) -> Self {
        let config = StoreConfig {
            master_keys: master_keys(ONE),
            ..config
        };
        Self(OnDisk::open(config, clock))
    }

    fn store(&self) -> &RocksStore {
        self.0.store()
    }

    async fn reopen(self) -> Self {
        Self(self.0.reopen().await)
    }

    async fn crash(self) -> Self {
        Self(self.0.crash().await)
    }
}

mod battery {
    crate::battery::battery!(crate::rocks::tests::sealed::Sealed);
}

/// What a thief would look for.
const MARKS: [&str; 9] = [
    "mark-body",
    "mark-subject",
    "mark-user",
    "mark-large",
    "mark-many",
    "mark-contact",
    "as asked",
    "mark-group",
    "sip:alice@",
];

fn marked(length: usize, mark: &str) -> Bytes {
    mark.bytes().cycle().take(length).collect()
}

/// A store in which everything that names somebody or says something carries a mark.
async fn lived_in<E: Engine<Store = RocksStore>>() -> Bench<E> {
    let bench = Bench::<E>::with(StoreConfig {
        event_log: Some(EventLogConfig {
            retention: std::time::Duration::from_secs(86_400),
            entries: 1_000,
        }),
        ..StoreConfig::default()
    });
    let mut letter = deposit_to("mark-user", "call-1", "mark-body");
    letter.headers.subject = "mark-subject".to_owned();
    let number = bench.accept(letter).await.id.number;
    bench
        .uploaded("mark-user", "m-1", &marked(LARGE, "mark-large"))
        .await;
    bench
        .uploaded("mark-user", "m-2", &marked(5_000, "mark-large"))
        .await;
    bench.order(number, Verb::Hold).await.expect("it waits");
    bench.accept_job(job("alice", &["mark-user", "bob"])).await;
    for length in [LARGE, 5_000] {
        let large = large_job(&["mark-user"], &format!("m-{length}"), length);
        bench
            .uploaded_job(&marked(length, "mark-many"), large)
            .await;
    }
    let mut register = registration("mark-user", "sip:mark-contact@1", 1);
    register.changes = vec![BindingChange::Bind(binding(
        "mark-user",
        "sip:mark-contact@1",
        1,
    ))];
    bench.register(register).await.expect("it is new");
    let group = GroupChange::Put(group("friends", &["mark-group"]));
    bench.change(group).await.expect("it is new");
    let upload = bench.admit("mark-user", LARGE).await;
    let half = marked(LARGE / 2, "mark-large");
    bench.write(upload, 0, &half, half.len()).await;
    bench
}

/// Which marks a folder holds in any file.
fn found(folder: &Path) -> Vec<&'static str> {
    let mut found = Vec::new();
    for file in fs::read_dir(folder).expect("it is there") {
        let path = file.expect("readable").path();
        if path.is_dir() {
            found.extend(self::found(&path));
            continue;
        }
        let octets = fs::read(&path).unwrap_or_default();
        let marks = MARKS.into_iter();
        found.extend(marks.filter(|mark| holds(&octets, mark.as_bytes())));
    }
    found.sort_unstable();
    found.dedup();
    found
}

fn holds(octets: &[u8], mark: &[u8]) -> bool {
    octets.windows(mark.len()).any(|window| window == mark)
}

#[tokio::test]
async fn nothing_on_the_disk_says_anything() {
    let sealed = lived_in::<Sealed>().await;
    let clear = lived_in::<OnDisk>().await;
    let mut seen = found(&clear.store().shared.config.data_dir);
    assert!(seen.contains(&"mark-body"), "the test can see: {seen:?}");
    assert_eq!(found(&sealed.store().shared.config.data_dir), [""; 0]);
    for bench in [sealed.store(), clear.store()] {
        for family in Family::ALL {
            bench.shared.database.flush(family).expect("there is place");
        }
    }
    seen.extend(found(&clear.store().shared.config.data_dir));
    seen.sort_unstable();
    seen.dedup();
    assert_eq!(seen.len(), MARKS.len(), "in the clear: {seen:?}");
    assert_eq!(found(&sealed.store().shared.config.data_dir), [""; 0]);
    let sealed = sealed.reopen().await;
    assert_eq!(found(&sealed.store().shared.config.data_dir), [""; 0]);
    let report = sealed.store().check(false).await.expect("it reads");
    assert!(report.is_sound(), "{:?}", report.findings);
    assert_eq!(report.unfinished_uploads, 1);
    assert_eq!(report.messages, 3);
}

fn config(folder: &TempDir, keys: &str) -> StoreConfig {
    StoreConfig {
        data_dir: folder.path().join("data"),
        hostname: "store.example.org".to_owned(),
        master_keys: (!keys.is_empty()).then(|| master_keys(keys)).flatten(),
        ..StoreConfig::default()
    }
}

fn open(folder: &TempDir, keys: &str) -> Result<RocksStore, OpenError> {
    RocksStore::open(config(folder, keys), Arc::new(ManualClock::new(START)))
}

fn new_folder() -> TempDir {
    TempDir::new().expect("there is place for tests")
}

async fn mail(store: &RocksStore, user: &str) -> MessageNumber {
    let outcome = store.deposit(letter(user)).await;
    match outcome.expect("the store answers") {
        DepositOutcome::Stored(receipt) => receipt.id.number,
        other => panic!("not stored: {other:?}"),
    }
}

async fn closed(store: RocksStore) {
    store.close().await;
    drop(store);
}

async fn text(store: &RocksStore, number: MessageNumber) -> Result<Bytes, StoreError> {
    store.read_part(number, PartKind::Message, 0, 10_000).await
}

fn says_hello(text: &Result<Bytes, StoreError>) -> bool {
    text.as_ref()
        .is_ok_and(|text| text.ends_with(b"how are you?"))
}

#[tokio::test]
async fn a_store_opens_with_its_own_keys_only_and_nothing_is_lost() {
    let folder = new_folder();
    let store = open(&folder, ONE).expect("it is new");
    let number = mail(&store, "bob").await;
    closed(store).await;
    let refused = |keys: &str| match open(&folder, keys) {
        Ok(_) => panic!("it was opened with {keys}"),
        Err(error) => error,
    };
    let error = refused("");
    assert!(matches!(error, OpenError::NoMasterKey { .. }), "{error}");
    assert!(error.to_string().contains("storage.master_key_file"));
    let error = refused(TWO);
    assert!(matches!(error, OpenError::UnknownMasterKey { id: 1, .. }));
    assert!(error.to_string().contains("master key 1"), "{error}");
    let error = refused(&format!("1:{}", "ab".repeat(32)));
    assert!(matches!(error, OpenError::WrongMasterKey { id: 1, .. }));
    let store = open(&folder, ONE).expect("these are its keys");
    assert!(says_hello(&text(&store, number).await));
    assert_eq!(mail(&store, "bob").await.0, number.0 + 1, "no id was spent");
    let report = store.check(false).await.expect("it reads");
    assert!(report.is_sound(), "{:?}", report.findings);
}

/// A new store that nobody has written to knows its key already.
#[tokio::test]
async fn an_empty_store_refuses_a_wrong_key_too() {
    let folder = new_folder();
    closed(open(&folder, ONE).expect("it is new")).await;
    assert!(matches!(
        open(&folder, "").err(),
        Some(OpenError::NoMasterKey { .. })
    ));
}

#[tokio::test]
async fn a_store_that_was_in_the_clear_goes_on_encrypted() {
    let folder = new_folder();
    let store = open(&folder, "").expect("it is new");
    let before = mail(&store, "bob").await;
    closed(store).await;
    let store = open(&folder, ONE).expect("it has no keys yet");
    let after = mail(&store, "bob").await;
    for number in [before, after] {
        assert!(says_hello(&text(&store, number).await));
    }
    let keyed = |number| {
        store
            .shared
            .find(number)
            .map(|found| found.envelope.content_key.is_some())
    };
    assert_eq!((keyed(before), keyed(after)), (Ok(false), Ok(true)));
    let report = store.check(false).await.expect("it reads");
    assert!(report.is_sound(), "{:?}", report.findings);
}

fn status_of(current: u32, wrapped: &[(u32, u64)]) -> KeyStatus {
    KeyStatus {
        current,
        wrapped: wrapped.to_vec(),
    }
}

/// Deposits go on meanwhile, each to somebody new: keys are made before, while and after the others are wrapped.
#[tokio::test]
async fn master_keys_are_rotated_under_load() {
    let folder = new_folder();
    let store = Arc::new(open(&folder, ONE).expect("it is new"));
    let mut numbers = vec![mail(&store, "bob").await];
    assert_eq!(store.key_status().await, Ok(status_of(1, &[(1, 2)])));
    let only_two = master_keys(TWO).expect("it is one");
    let refused = store.rotate_keys(only_two.clone()).await;
    assert!(matches!(refused, Err(StoreError::Precondition { .. })));
    let depositing = tokio::spawn({
        let store = Arc::clone(&store);
        async move {
            let mut numbers = Vec::new();
            for user in 0..200 {
                numbers.push(mail(&store, &format!("user{user}")).await);
            }
            numbers
        }
    });
    let other_one = master_keys(&format!("1:{},{TWO}", "ab".repeat(32)));
    let refused = store.rotate_keys(other_one.expect("they are two")).await;
    assert!(matches!(refused, Err(StoreError::Precondition { .. })));
    let both = master_keys(&format!("{ONE},{TWO}")).expect("they are two");
    while store.key_status().await.expect("it reads").wrapped[0].1 < 20 {
        tokio::task::yield_now().await;
    }
    store.rotate_keys(both).await.expect("both are there");
    numbers.extend(depositing.await.expect("they are taken"));
    let rotated = store.key_status().await;
    assert_eq!(rotated, Ok(status_of(2, &[(1, 0), (2, 202)])));
    let left = store.rotate_keys(only_two).await;
    assert_eq!(left, Ok(status_of(2, &[(2, 202)])), "the old one may go");
    let store = Arc::into_inner(store).expect("nobody else has it");
    closed(store).await;
    assert!(matches!(
        open(&folder, ONE).err(),
        Some(OpenError::UnknownMasterKey { id: 2, .. })
    ));
    let store = open(&folder, TWO).expect("it needs no other");
    for number in numbers {
        assert!(says_hello(&text(&store, number).await));
    }
}

/// What the old master key has wrapped is in no file any more: who gets hold of it later can do nothing with it.
#[tokio::test]
async fn after_a_rotation_no_file_has_what_was_wrapped_before() {
    let folder = new_folder();
    let store = open(&folder, ONE).expect("it is new");
    mail(&store, "bob").await;
    let database = &store.shared.database;
    let mut scan = database.scan(Family::DataKeys, &[], None);
    let mut before = Vec::new();
    while let Some(row) = scan.step(|_, row| Ok(row.to_vec())).expect("it reads") {
        before.push(row);
    }
    drop(scan);
    let data_dir = config(&folder, "").data_dir;
    assert!(
        before.iter().all(|row| is_in(&data_dir, row)),
        "the test can see"
    );
    let both = master_keys(&format!("{ONE},{TWO}")).expect("they are two");
    store.rotate_keys(both).await.expect("both are there");
    assert!(!before.iter().any(|row| is_in(&data_dir, row)));
}

fn is_in(folder: &Path, octets: &[u8]) -> bool {
    let mut files = fs::read_dir(folder).expect("it is there");
    files.any(|file| {
        let path = file.expect("readable").path();
        match path.is_dir() {
            true => is_in(&path, octets),
            false => holds(&fs::read(&path).unwrap_or_default(), octets),
        }
    })
}

#[tokio::test]
async fn the_key_of_a_job_goes_with_it() {
    let bench = Bench::<Sealed>::new();
    bench.accept_job(job("alice", &["bob"])).await;
    let keys = |status: Result<KeyStatus, StoreError>| status.expect("it reads").wrapped[0].1;
    assert_eq!(keys(bench.store().key_status().await), 2);
    let legs = bench.legs().await;
    bench.outcome(legs[0].token, answered(200)).await;
    for _ in 0..40 {
        bench.clock.advance(std::time::Duration::from_secs(86_400));
        bench.sweep().await;
    }
    assert_eq!(
        keys(bench.store().key_status().await),
        1,
        "that of the store"
    );
}

#[tokio::test]
async fn contents_that_were_swapped_or_changed_are_found() {
    let bench = Bench::<Sealed>::new();
    let numbers = [bench.mail("bob").await, bench.mail("bob").await];
    let large = [
        bench.uploaded("bob", "m-1", &marked(LARGE, "one")).await,
        bench.uploaded("bob", "m-2", &marked(LARGE, "two")).await,
    ];
    let database = &bench.store().shared.database;
    let place = |number| key::content(number, PartKind::Message, 0);
    let staged = large.map(|receipt| {
        let found = bench.store().shared.find(receipt.id.number);
        let upload = found.expect("it is there").envelope.staged;
        upload.expect("it is staged")
    });
    for (family, one, two) in [
        (
            Family::Contents,
            place(numbers[0]).to_vec(),
            place(numbers[1]).to_vec(),
        ),
        (
            Family::Large,
            key::block(staged[0], 3).to_vec(),
            key::block(staged[1], 3).to_vec(),
        ),
        (
            Family::Large,
            key::block(staged[0], 4).to_vec(),
            key::block(staged[0], 5).to_vec(),
        ),
    ] {
        let rows = [&one, &two].map(|key| database.read(family, key).expect("it reads"));
        let [Some(first), Some(second)] = rows else {
            panic!("they are there");
        };
        for (rows, is_sound) in [([&second, &first], false), ([&first, &second], true)] {
            raw(&bench, family, &one, rows[0]);
            raw(&bench, family, &two, rows[1]);
            let report = bench.store().check(false).await.expect("it reads");
            assert_eq!(report.is_sound(), is_sound, "{}", family.name());
        }
        let mut changed = first.clone();
        *changed.last_mut().expect("it is not empty") ^= 1;
        raw(&bench, family, &one, &changed);
        let report = bench.store().check(false).await.expect("it reads");
        assert_eq!(report.total_findings, 1, "{}", family.name());
        raw(&bench, family, &one, &first);
    }
}

/// Puts a row past everything.
fn raw(bench: &Bench<Sealed>, family: Family, key: &[u8], row: &[u8]) {
    let rocks = bench.store().shared.database.rocks();
    let handle = rocks.cf_handle(family.name()).expect("all are there");
    let mut batch = WriteBatch::default();
    batch.put_cf(handle, key, row);
    rocks.write(batch).expect("there is place");
}

/// A thief who has kept everything that was on the disk before, and has the master key, reads nothing of an erased mailbox: its
/// key is in no file any more.
#[tokio::test]
async fn the_key_of_an_erased_mailbox_is_gone() {
    let bench = Bench::<Sealed>::new();
    let number = bench.mail("bob").await;
    bench.uploaded("bob", "m-1", &marked(LARGE, "one")).await;
    let claim = bench.claim("bob").await;
    bench.release_with(claim, 0, "480 not there").await;
    bench.mail("carol").await;
    let mailbox = bench.mailbox("bob").await;
    let shared = &bench.store().shared;
    let stored = |family: Family, key: &[u8]| {
        let rocks = shared.database.rocks();
        let handle = rocks.cf_handle(family.name()).expect("all are there");
        rocks.get_cf(handle, key).expect("it reads")
    };
    let place = key::data_key(KeyOwner::Mailbox(mailbox));
    let wrapped = stored(Family::DataKeys, &place).expect("it has one");
    let at = key::envelope(mailbox, number);
    let envelope = stored(Family::Messages, &at).expect("it is there");
    let open = || {
        let row = std::borrow::Cow::Borrowed(&envelope[..]);
        let opened = shared.database.keyring().open(Family::Messages, &at, row);
        opened.map(std::borrow::Cow::into_owned)
    };
    assert!(open().is_ok(), "the test can read it");
    assert!(is_in(&shared.config.data_dir, &wrapped), "and see its key");
    let erased = bench
        .store()
        .erase_account(address("bob"), "operator".to_owned(), "he asked".to_owned())
        .await;
    assert_eq!(erased.map(Synced::into_inner), Ok(2));
    assert_eq!(open(), Err(StoreError::NotFound));
    assert!(!is_in(&shared.config.data_dir, &wrapped));
    assert_eq!(stored(Family::DataKeys, &place), None);
    let status = bench.store().key_status().await;
    assert_eq!(
        status,
        Ok(status_of(1, &[(1, 2)])),
        "carol's and that of the store"
    );
    let report = bench.store().check(false).await.expect("it reads");
    assert!(report.is_sound(), "{:?}", report.findings);
    let bench = bench.reopen().await;
    let report = bench.store().check(false).await.expect("it reads");
    assert!(report.is_sound(), "{:?}", report.findings);
    assert_eq!(report.messages, 1);
}

/// Deposits go on meanwhile: what comes before the end goes too, what comes after it is somebody new's.
#[tokio::test]
async fn a_mailbox_is_erased_while_messages_come() {
    let bench = Bench::<Sealed>::new();
    let mut before = Vec::new();
    for _ in 0..40 {
        before.push(bench.mail("bob").await);
    }
    let erasing = bench
        .store()
        .erase_account(address("bob"), String::new(), String::new());
    let depositing = async {
        let mut numbers = Vec::new();
        for _ in 0..40 {
            numbers.push(bench.mail("bob").await);
        }
        numbers
    };
    let (erased, came) = tokio::join!(erasing, depositing);
    let erased = erased
        .map(Synced::into_inner)
        .expect("messages end sometime");
    for number in before {
        assert_eq!(
            bench.store().message(number).await,
            Err(StoreError::NotFound)
        );
    }
    let mut left = 0;
    for number in came {
        match text(bench.store(), number).await {
            Err(StoreError::NotFound) => {}
            found => {
                assert!(says_hello(&found));
                left += 1;
            }
        }
    }
    assert_eq!(erased + left, 80);
    let report = bench.store().check(false).await.expect("it reads");
    assert!(report.is_sound(), "{:?}", report.findings);
}

/// The process may die between the end of an account and the end of its key in the files.
#[tokio::test]
async fn a_key_that_was_deleted_goes_at_the_next_opening() {
    let folder = new_folder();
    let store = open(&folder, ONE).expect("it is new");
    let database = &store.shared.database;
    let handle = |family: Family| {
        let handle = database.rocks().cf_handle(family.name());
        handle.expect("all are there")
    };
    let place = key::data_key(KeyOwner::Mailbox(MailboxId(99)));
    let wrapped: [u8; 60] = rand::random();
    let mut batch = WriteBatch::default();
    batch.put_cf(handle(Family::DataKeys), place, wrapped);
    database.rocks().write(batch).expect("there is place");
    database.flush(Family::DataKeys).expect("there is place");
    let mut batch = WriteBatch::default();
    batch.delete_cf(handle(Family::DataKeys), place);
    batch.put_cf(handle(Family::Meta), key::OBSOLETE_KEYS, []);
    database.rocks().write(batch).expect("there is place");
    let data_dir = config(&folder, "").data_dir;
    closed(store).await;
    assert!(is_in(&data_dir, &wrapped), "the test can see it");
    let store = open(&folder, ONE).expect("it is its key");
    assert!(!is_in(&data_dir, &wrapped));
    let database = &store.shared.database;
    let left = database.contains(Family::Meta, &key::OBSOLETE_KEYS);
    assert_eq!(left, Ok(false), "and it is not done again");
}
