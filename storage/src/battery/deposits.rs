//! PFM-05, PFM-13, STO-08, requirements §3.2, §3.3, §3.4, §3.6.

use std::collections::{BTreeMap, BTreeSet};
use std::time::{Duration, Instant};

use bytes::Bytes;
use tokio::sync::mpsc::unbounded_channel;

use super::bench::{Bench, Engine, MINUTE, START, address, deposit_to, letter};
use crate::config::{Quota, StoreConfig};
use crate::model::{
    Class, Deposit, DepositOutcome, ImdnKey, Part, PartKind, Receipt, Refusal, UnixMillis, Verb,
};
use crate::store::Store;

fn quota(messages: u64, octets: u64, imdn: u64) -> StoreConfig {
    StoreConfig {
        quota: Quota {
            messages,
            octets,
            imdn,
        },
        ..StoreConfig::default()
    }
}

async fn duplicate_of<E: Engine>(bench: &Bench<E>, deposit: Deposit) -> Receipt {
    match bench.deposit(deposit).await {
        DepositOutcome::Duplicate(receipt) => receipt.into_inner(),
        other => panic!("not a duplicate: {other:?}"),
    }
}

pub(crate) async fn a_new_store_starts_at_the_time_of_its_making<E: Engine>() {
    let bench = Bench::<E>::new();
    let receipt = bench.accept(letter("bob")).await;
    assert_eq!(receipt.id.number.0, START.0 * 1_000);
    assert_eq!(receipt.id.hostname, "store.example.org");
    assert_eq!(receipt.received_at, START);
}

pub(crate) async fn ids_follow_each_other_without_gaps<E: Engine>() {
    let bench = Bench::<E>::new();
    let first = bench.mail("bob").await.0;
    assert_eq!(bench.mail("carol").await.0, first + 1);
    assert_eq!(bench.mail("bob").await.0, first + 2);
}

pub(crate) async fn ids_go_on_after_reopening<E: Engine>() {
    let bench = Bench::<E>::new();
    let first = bench.mail("bob").await.0;
    let bench = bench.reopen().await;
    assert_eq!(bench.mail("bob").await.0, first + 1);
}

pub(crate) async fn refusals_spend_no_id<E: Engine>() {
    let bench = Bench::<E>::with(quota(1, 1 << 20, 200));
    let first = bench.mail("bob").await.0;
    for _ in 0..3 {
        let refusal = bench.refuse(letter("bob")).await;
        assert!(matches!(refusal, Refusal::MailboxFull { .. }));
    }
    assert_eq!(bench.mail("carol").await.0, first + 1);
}

pub(crate) async fn many_at_once_are_stored_in_their_order<E: Engine>() {
    let bench = Bench::<E>::new();
    let (outcomes, mut told) = unbounded_channel();
    let mut deposits: Vec<_> = (0..9).map(|tag| (tag, letter("bob"))).collect();
    let large = vec![b'x'; 100_000];
    deposits.push((
        9,
        deposit_to("carol", "large", &String::from_utf8_lossy(&large)),
    ));
    bench.store().deposit_all(deposits, &outcomes);
    let mut numbers = BTreeMap::new();
    while numbers.len() < 10 {
        for (tag, outcome) in told.recv().await.expect("an answer for each") {
            match outcome {
                Ok(DepositOutcome::Stored(receipt)) => numbers.insert(tag, receipt.id.number.0),
                other => panic!("not stored: {other:?}"),
            };
        }
    }
    let first = numbers[&0];
    let of_bob: Vec<_> = (0..9).map(|tag| numbers[&tag]).collect();
    assert!(of_bob.is_sorted(), "{of_bob:?}");
    let all: BTreeSet<_> = numbers.into_values().collect();
    assert_eq!(all, (first..first + 10).collect());
}

pub(crate) async fn a_second_copy_among_many_gets_the_first_receipt<E: Engine>() {
    let bench = Bench::<E>::new();
    let (outcomes, mut told) = unbounded_channel();
    let copy = |tag| (tag, deposit_to("bob", "a", "hi"));
    bench.store().deposit_all(vec![copy(1), copy(2)], &outcomes);
    let mut receipts = BTreeMap::new();
    while receipts.len() < 2 {
        for (tag, outcome) in told.recv().await.expect("an answer for each") {
            match outcome {
                Ok(DepositOutcome::Stored(receipt)) => {
                    receipts.insert(tag, (false, receipt.into_inner()))
                }
                Ok(DepositOutcome::Duplicate(receipt)) => {
                    receipts.insert(tag, (true, receipt.into_inner()))
                }
                other => panic!("not accepted: {other:?}"),
            };
        }
    }
    let (is_duplicate, first) = receipts[&1].clone();
    assert!(!is_duplicate);
    assert_eq!(receipts[&2], (true, first));
}

pub(crate) async fn a_duplicate_gets_the_first_receipt<E: Engine>() {
    let bench = Bench::<E>::new();
    let first = bench.accept(deposit_to("bob", "a", "hi")).await;
    bench.clock.advance(MINUTE);
    let again = duplicate_of(&bench, deposit_to("bob", "a", "hi")).await;
    assert_eq!(again, first);
    let summary = bench.store().summary(bench.mailbox("bob").await).await;
    assert_eq!(summary.expect("it is there").text.new, 1);
}

pub(crate) async fn a_duplicate_is_recognised_after_reopening<E: Engine>() {
    let bench = Bench::<E>::new();
    let first = bench.accept(deposit_to("bob", "a", "hi")).await;
    let bench = bench.reopen().await;
    let again = duplicate_of(&bench, deposit_to("bob", "a", "hi")).await;
    assert_eq!(again, first);
}

/// A deposit of a message that its sender calls `name`, in CPIM whose headers say when it was written.
fn named(call_id: &str, name: &str, written: &str, part: &str) -> Deposit {
    let headers = format!("DateTime: {written}\r\n\r\n");
    Deposit {
        imdn_key: Some(ImdnKey {
            message_id: name.to_owned(),
            part_offset: headers.len() as u64,
        }),
        ..deposit_to("bob", call_id, &(headers + part))
    }
}

/// Requirements §3.3, CT-DUP-06 and CT-DUP-10.
pub(crate) async fn a_retry_in_another_request_is_recognised_by_its_name_and_content<E: Engine>() {
    let bench = Bench::<E>::new();
    let first = bench.accept(named("a", "1", "noon", "hi")).await;
    assert_eq!(
        duplicate_of(&bench, named("b", "1", "later", "hi")).await,
        first
    );
    let other = match bench.deposit(named("c", "1", "later", "ho")).await {
        DepositOutcome::IdReused(receipt) => receipt.into_inner(),
        outcome => panic!("not told to be reused: {outcome:?}"),
    };
    assert_ne!(other, first);
    let bench = bench.reopen().await;
    assert_eq!(
        duplicate_of(&bench, named("d", "1", "later", "ho")).await,
        other
    );
    assert_eq!(
        duplicate_of(&bench, named("e", "1", "later", "hi")).await,
        first
    );
    let summary = bench.store().summary(bench.mailbox("bob").await).await;
    assert_eq!(summary.expect("it is there").text.new, 2);
}

pub(crate) async fn names_are_those_of_one_sender_in_one_mailbox<E: Engine>() {
    let bench = Bench::<E>::new();
    let deposit = || named("a", "1", "noon", "hi");
    bench.accept(deposit()).await;
    let mut to_carol = deposit();
    to_carol.served_user = address("carol");
    bench.accept(to_carol).await;
    let mut of_dave = deposit();
    of_dave.sender = Some(address("dave"));
    bench.accept(of_dave).await;
    for call_id in ["b", "c"] {
        let mut of_nobody = named(call_id, "1", "noon", "hi");
        of_nobody.sender = None;
        bench.accept(of_nobody).await;
    }
}

/// They meet in one group of the committer, before the first copy is on disk.
pub(crate) async fn concurrent_duplicates_store_one_message<E: Engine>() {
    let bench = Bench::<E>::new();
    let copies = (0..64).map(|_| bench.deposit(deposit_to("bob", "a", "hi")));
    let outcomes = join_all(copies).await;
    let mut stored = Vec::new();
    let mut repeated = Vec::new();
    for outcome in outcomes {
        match outcome {
            DepositOutcome::Stored(receipt) => stored.push(receipt.into_inner()),
            DepositOutcome::Duplicate(receipt) => repeated.push(receipt.into_inner()),
            other => panic!("{other:?}"),
        }
    }
    assert_eq!(stored.len(), 1);
    assert!(repeated.iter().all(|receipt| *receipt == stored[0]));
}

pub(crate) async fn concurrent_deposits_are_all_stored_in_order<E: Engine>() {
    let bench = Bench::<E>::new();
    let users = ["bob", "carol", "dave", "erin", "frank"];
    let deposits = (0..500).map(|i| bench.accept(letter(users[i % users.len()])));
    let mut numbers: Vec<_> = join_all(deposits)
        .await
        .into_iter()
        .map(|r| r.id.number.0)
        .collect();
    numbers.sort_unstable();
    let first = START.0 * 1_000;
    assert_eq!(numbers, (first..first + 500).collect::<Vec<_>>());
    for user in users {
        let claim = bench.claim(user).await;
        let taken = bench.take_numbers(claim).await;
        assert_eq!(taken.len(), 100);
        assert!(taken.is_sorted());
    }
}

pub(crate) async fn another_body_or_sender_is_another_message<E: Engine>() {
    let bench = Bench::<E>::new();
    let first = bench.accept(deposit_to("bob", "a", "hi")).await;
    let other_body = bench.accept(deposit_to("bob", "a", "ho")).await;
    let other_sender = bench
        .accept(Deposit {
            sender: Some(address("mallory")),
            ..deposit_to("bob", "a", "hi")
        })
        .await;
    let other_user = bench.accept(deposit_to("carol", "a", "hi")).await;
    let numbers = [first, other_body, other_sender, other_user].map(|r| r.id.number.0);
    assert!(numbers.is_sorted_by(|a, b| a < b));
}

pub(crate) async fn a_duplicate_is_recognised_in_a_full_mailbox<E: Engine>() {
    let bench = Bench::<E>::with(quota(1, 1 << 20, 200));
    let first = bench.accept(deposit_to("bob", "a", "hi")).await;
    assert_eq!(
        duplicate_of(&bench, deposit_to("bob", "a", "hi")).await,
        first
    );
    bench.refuse(letter("bob")).await;
}

pub(crate) async fn a_duplicate_is_recognised_after_delivery<E: Engine>() {
    let bench = Bench::<E>::new();
    let first = bench.accept(deposit_to("bob", "a", "hi")).await;
    bench.deliver_all("bob").await;
    let deleted = bench.order(first.id.number, Verb::Delete).await;
    deleted.expect("its content is still there");
    assert_eq!(
        duplicate_of(&bench, deposit_to("bob", "a", "hi")).await,
        first
    );
}

pub(crate) async fn a_duplicate_is_forgotten_after_the_window<E: Engine>() {
    let bench = Bench::<E>::new();
    let first = bench.accept(deposit_to("bob", "a", "hi")).await;
    bench
        .clock
        .advance(Duration::from_secs(86_400) - Duration::from_millis(1));
    bench.sweep().await;
    duplicate_of(&bench, deposit_to("bob", "a", "hi")).await;
    bench.clock.advance(Duration::from_millis(1));
    let second = bench.accept(deposit_to("bob", "a", "hi")).await;
    assert_eq!(second.id.number.0, first.id.number.0 + 1);
    bench.sweep().await;
    assert_eq!(
        duplicate_of(&bench, deposit_to("bob", "a", "hi")).await,
        second
    );
}

pub(crate) async fn a_late_deposit_is_not_stored<E: Engine>() {
    let bench = Bench::<E>::new();
    bench.clock.advance(MINUTE);
    let late = Deposit {
        deadline: Instant::now() + MINUTE / 2,
        ..letter("bob")
    };
    assert_eq!(bench.refuse(late).await, Refusal::TooLate);
    let mailbox = bench.store().mailbox(address("bob")).await;
    assert_eq!(mailbox, Ok(None));
}

pub(crate) async fn the_last_slot_goes_to_one_of_many<E: Engine>() {
    let bench = Bench::<E>::with(quota(3, 1 << 20, 200));
    let outcomes = join_all((0..32).map(|_| bench.deposit(letter("bob")))).await;
    let is_stored = |outcome: &&DepositOutcome| matches!(outcome, DepositOutcome::Stored(_));
    assert_eq!(outcomes.iter().filter(is_stored).count(), 3);
}

pub(crate) async fn octets_fill_a_mailbox<E: Engine>() {
    let size = letter("bob").parts[0].octets.len() as u64 + 8;
    let bench = Bench::<E>::with(quota(100, 2 * size, 200));
    bench.mail("bob").await;
    bench.mail("bob").await;
    let refusal = bench.refuse(letter("bob")).await;
    let retry_after = Duration::from_secs(3_600);
    assert_eq!(refusal, Refusal::MailboxFull { retry_after });
    bench.deliver_all("bob").await;
    bench.mail("bob").await;
}

pub(crate) async fn notifications_have_a_quota_of_their_own<E: Engine>() {
    let notification = || Deposit {
        class: Class::Imdn,
        ..letter("bob")
    };
    let bench = Bench::<E>::with(quota(1, 1 << 20, 2));
    bench.mail("bob").await;
    bench.accept(notification()).await;
    bench.accept(notification()).await;
    bench.refuse(notification()).await;
}

pub(crate) async fn a_full_disk_refuses_new_messages_only<E: Engine>() {
    let bench = Bench::<E>::with(StoreConfig {
        disk_reserve_octets: u64::MAX,
        ..StoreConfig::default()
    });
    assert_eq!(bench.refuse(letter("bob")).await, Refusal::DiskFull);
    let made = bench.store().create_account(address("bob")).await;
    assert!(made.is_ok(), "other changes go on");
}

pub(crate) async fn lifetimes_are_capped<E: Engine>() {
    let bench = Bench::<E>::new();
    let expiry = async |asked| {
        let deposit = Deposit {
            lifetime: asked,
            ..letter("bob")
        };
        let number = bench.accept(deposit).await.id.number;
        bench.message(number).await.envelope.expires_at
    };
    let day = Duration::from_secs(86_400);
    assert_eq!(expiry(None).await, START.after(7 * day));
    assert_eq!(expiry(Some(MINUTE)).await, START.after(MINUTE));
    assert_eq!(expiry(Some(Duration::MAX)).await, START.after(30 * day));
}

pub(crate) async fn receipts_never_go_backwards<E: Engine>() {
    let bench = Bench::<E>::new();
    let first = bench.accept(letter("bob")).await;
    bench.clock.jump_to(UnixMillis(START.0 - 60_000));
    let second = bench.accept(letter("bob")).await;
    assert!(second.received_at >= first.received_at);
    let bench = bench.reopen().await;
    let third = bench.accept(letter("bob")).await;
    assert!(third.received_at >= second.received_at);
}

pub(crate) async fn content_is_kept_to_the_octet<E: Engine>() {
    let bench = Bench::<E>::new();
    let body: Vec<u8> = (0..700_001u32).map(|i| i.to_be_bytes()[3] ^ 0x5a).collect();
    let part = |kind, octets: &[u8]| Part {
        kind,
        octets: Bytes::copy_from_slice(octets),
    };
    let deposit = Deposit {
        class: Class::Large,
        parts: vec![
            part(PartKind::Invite, b"INVITE\0\xff"),
            part(PartKind::SendHead, b""),
            part(PartKind::SendBody, &body),
        ],
        ..letter("bob")
    };
    let parts = deposit.parts.clone();
    let number = bench.accept(deposit).await.id.number;
    let read = |kind, offset, length| bench.store().read_part(number, kind, offset, length);
    assert_eq!(
        read(PartKind::SendBody, 0, 1 << 20).await,
        Ok(Bytes::from(body.clone()))
    );
    let middle = read(PartKind::SendBody, 262_000, 300_000).await;
    assert_eq!(middle, Ok(Bytes::copy_from_slice(&body[262_000..562_000])));
    assert_eq!(
        read(PartKind::SendBody, 700_001, 10).await,
        Ok(Bytes::new())
    );
    assert_eq!(read(PartKind::SendHead, 0, 10).await, Ok(Bytes::new()));
    assert!(read(PartKind::Bye, 0, 10).await.is_err());
    let claim = bench.claim("bob").await;
    let taken = bench.take(claim, super::bench::EVERYTHING).await;
    let (body, others) = parts.split_last().expect("there are three");
    assert_eq!(
        taken[0].parts,
        others,
        "{} octets are read apart",
        body.octets.len()
    );
}

/// All at once, each polled until it is ready.
async fn join_all<T>(futures: impl Iterator<Item = impl Future<Output = T>>) -> Vec<T> {
    futures_util::future::join_all(futures).await
}
