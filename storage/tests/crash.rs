//! Kill -9 at random moments (P1, P2, CT-STO-05): every receipt that was printed is there
//! afterwards, exactly once, in order; no Message-ID is used twice; everything agrees. Also where the store encrypts, and each
//! message is the first for somebody and makes his key.

use std::collections::{BTreeMap, HashMap};
use std::env;
use std::io::{BufRead, BufReader, Write};
use std::path::Path;
use std::process::{Command, Stdio};
use std::sync::Arc;
use std::time::{Duration, Instant};

use bytes::Bytes;
use rand::Rng;
use restante_storage::model::{
    Address, Class, Deposit, DepositOutcome, DuplicateKey, Headers, ListQuery, Part, PartKind,
    Priority, SystemClock,
};
use restante_storage::{MasterKeys, RocksStore, Store, StoreConfig};

const FOLDER: &str = "RESTANTE_CRASH_FOLDER";
const ROUND: &str = "RESTANTE_CRASH_ROUND";
const ROUNDS: u32 = 8;
const SENDERS: u32 = 16;

/// Which store is killed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Kind {
    Clear,
    Sealed,
}

impl Kind {
    fn test(self) -> &'static str {
        match self {
            Self::Clear => "every_receipt_survives_kill_9",
            Self::Sealed => "an_accepted_message_has_its_key_whatever_happens",
        }
    }

    fn keys(self) -> Option<MasterKeys> {
        let text = format!("1:{}", "5a".repeat(32));
        let keys = MasterKeys::parse(&text).expect("it is one");
        (self == Self::Sealed).then_some(keys)
    }
}

/// What was deposited: by which sender, in which round, as which of his.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
struct Letter {
    sender: u32,
    round: u32,
    place: u32,
}

impl Letter {
    fn call_id(self) -> String {
        format!("{}-{}-{}", self.sender, self.round, self.place)
    }

    fn parse(call_id: &str) -> Self {
        let numbers: Vec<u32> = call_id.split('-').flat_map(str::parse).collect();
        let [sender, round, place] = numbers[..] else {
            panic!("not one of ours: {call_id}");
        };
        Self {
            sender,
            round,
            place,
        }
    }

    fn deposit(self, kind: Kind) -> Deposit {
        let call_id = self.call_id();
        let user = match kind {
            Kind::Clear => (self.sender % 4).to_string(),
            Kind::Sealed => call_id.clone(),
        };
        Deposit {
            served_user: Address::new(format!("sip:user{user}@example.org")),
            sender: Some(Address::new(format!(
                "sip:sender{}@example.org",
                self.sender
            ))),
            sender_exempt: self.sender.is_multiple_of(3),
            class: Class::Pager,
            priority: Priority::Normal,
            is_text: true,
            headers: Headers {
                call_id: call_id.clone(),
                ..Headers::default()
            },
            duplicate_key: DuplicateKey {
                method: "MESSAGE".to_owned(),
                from_tag: "1".to_owned(),
                call_id: call_id.clone(),
                cseq: 1,
            },
            imdn_key: None,
            body_octets: 0,
            body_offset: 0,
            parts: vec![Part {
                kind: PartKind::Message,
                octets: Bytes::from(call_id),
            }],
            lifetime: None,
            received_from: String::new(),
            sha256: None,
            file: None,
            report_request: None,
            traceparent: None,
            leg: None,
            deadline: Instant::now() + Duration::from_secs(600),
        }
    }
}

fn open(folder: &Path, kind: Kind) -> RocksStore {
    let mut config = StoreConfig {
        data_dir: folder.to_owned(),
        master_keys: kind.keys(),
        ..StoreConfig::default()
    };
    config.quota.messages = u64::MAX;
    config.quota.octets = u64::MAX;
    RocksStore::open(config, SystemClock).expect("the one who had it is dead")
}

/// The child: deposits from many tasks and prints each receipt, until it is killed.
fn deposit_until_killed(folder: &Path, round: u32, kind: Kind) {
    let runtime = tokio::runtime::Runtime::new().expect("there are threads");
    runtime.block_on(async {
        let store = Arc::new(open(folder, kind));
        let senders = (0..SENDERS).map(|sender| {
            let store = Arc::clone(&store);
            tokio::spawn(async move {
                for place in 0.. {
                    send(
                        &store,
                        Letter {
                            sender,
                            round,
                            place,
                        },
                        kind,
                    )
                    .await;
                }
            })
        });
        for sender in senders.collect::<Vec<_>>() {
            sender.await.expect("it goes on until the end");
        }
    });
}

async fn send(store: &RocksStore, letter: Letter, kind: Kind) {
    let outcome = store.deposit(letter.deposit(kind)).await;
    let Ok(DepositOutcome::Stored(receipt)) = outcome else {
        panic!("not stored: {outcome:?}");
    };
    let line = format!("receipt {} {}\n", receipt.id.number.0, letter.call_id());
    let mut out = std::io::stdout().lock();
    out.write_all(line.as_bytes()).expect("the parent reads");
    out.flush().expect("the parent reads");
}

/// Runs the child, kills it after some receipts, and returns all that it has printed.
fn receipts_until_kill(
    (folder, kind): (&Path, Kind),
    round: u32,
    after: usize,
) -> BTreeMap<u64, Letter> {
    let this_test = env::current_exe().expect("tests are files");
    let mut child = Command::new(this_test)
        .args(["--exact", kind.test(), "--nocapture"])
        .env(FOLDER, folder)
        .env(ROUND, round.to_string())
        .stdout(Stdio::piped())
        .spawn()
        .expect("it runs here, so it runs there");
    let mut output = BufReader::new(child.stdout.take().expect("it is piped"));
    let mut receipts = BTreeMap::new();
    let mut line = String::new();
    while output.read_line(&mut line).expect("it is a pipe") > 0 {
        if let Some((number, letter)) = receipt(&line) {
            assert_eq!(
                receipts.insert(number, letter),
                None,
                "an id was used twice"
            );
        }
        if receipts.len() == after {
            child.kill().expect("it is ours");
        }
        line.clear();
    }
    child.wait().expect("it is ours");
    receipts
}

/// A line that the kill has cut short is no receipt.
fn receipt(line: &str) -> Option<(u64, Letter)> {
    let line = line.strip_suffix('\n')?.split_once("receipt ")?.1;
    let (number, call_id) = line.split_once(' ')?;
    Some((number.parse().ok()?, Letter::parse(call_id)))
}

/// Everything in the store, by Message-ID.
async fn everything(store: &RocksStore) -> Vec<(u64, Letter)> {
    let mut all = Vec::new();
    let mut page_token = None;
    loop {
        let query = ListQuery {
            page_size: 1_000,
            page_token,
            ..ListQuery::default()
        };
        let page = store.list(query).await.expect("it can be read");
        for message in page.messages {
            let envelope = message.envelope;
            let letter = Letter::parse(&envelope.headers.call_id);
            let number = envelope.id.number;
            let content = store.read_part(number, PartKind::Message, 0, 100).await;
            assert_eq!(
                content,
                Ok(Bytes::from(letter.call_id())),
                "none is partial"
            );
            all.push((number.0, letter));
        }
        page_token = page.next;
        if page_token.is_none() {
            return all;
        }
    }
}

async fn verify(store: &RocksStore, receipts: &BTreeMap<u64, Letter>) {
    let all = everything(store).await;
    let by_letter: HashMap<_, _> = all
        .iter()
        .map(|(number, letter)| (*letter, *number))
        .collect();
    assert_eq!(by_letter.len(), all.len(), "one was stored twice");
    for (number, letter) in receipts {
        assert_eq!(by_letter.get(letter), Some(number), "{letter:?} was lost");
    }
    let mut latest = HashMap::new();
    for (_, letter) in &all {
        let earlier = latest.insert(letter.sender, *letter);
        assert!(
            earlier < Some(*letter),
            "{letter:?} came before {earlier:?}"
        );
    }
    let report = store.check(false).await.expect("it can be read");
    assert!(report.is_sound(), "{:?}", report.findings);
}

#[tokio::test]
async fn every_receipt_survives_kill_9() {
    survives(Kind::Clear).await;
}

#[tokio::test]
async fn an_accepted_message_has_its_key_whatever_happens() {
    survives(Kind::Sealed).await;
}

async fn survives(kind: Kind) {
    if let (Some(folder), Ok(round)) = (env::var_os(FOLDER), env::var(ROUND)) {
        let round = round.parse().expect("the parent writes a number");
        let child =
            std::thread::spawn(move || deposit_until_killed(Path::new(&folder), round, kind));
        return child.join().expect("it goes on until the end");
    }
    let folder = tempfile::tempdir().expect("there is place for tests");
    let folder = folder.path().join("data");
    let mut receipts = BTreeMap::new();
    for round in 0..ROUNDS {
        let after = rand::rng().random_range(1..600);
        let printed = receipts_until_kill((&folder, kind), round, after);
        assert!(printed.len() >= after, "it lived until it was killed");
        let newest = receipts.last_key_value().map(|(number, _)| *number);
        assert!(newest < printed.first_key_value().map(|(number, _)| *number));
        receipts.extend(printed);
        let store = open(&folder, kind);
        verify(&store, &receipts).await;
        let (number, letter) = receipts.last_key_value().expect("there is one");
        let again = store.deposit(letter.deposit(kind)).await;
        assert!(
            matches!(again, Ok(DepositOutcome::Duplicate(first)) if first.id.number.0 == *number)
        );
        store.close().await;
    }
}
