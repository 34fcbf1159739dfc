//! A full mailbox that drops its oldest messages, while many write to it (requirements §3.6).

use std::sync::Arc;

use futures_util::future::join_all;

use super::committing::{config, gated, new_folder};
use crate::battery::{START, address, letter};
use crate::column_family::Family;
use crate::config::{MailboxFull, Quota, StoreConfig};
use crate::key;
use crate::model::{Deposit, DepositOutcome, ManualClock, MessageNumber, Refusal};
use crate::rocks::RocksStore;
use crate::rocks::database::Reach;
use crate::rocks::disk::{Disk, SyncedDisk};
use crate::rocks::operation::deposit::{Decided, DepositMessage};
use crate::rocks::rehearsal::{rehearse, rehearse_in_memory};
use crate::rocks::submit::Operation;
use crate::store::{Store, StoreError};

fn open(folder: &tempfile::TempDir, messages: u64, disk: impl Disk) -> RocksStore {
    let config = StoreConfig {
        mailbox_full: MailboxFull::DropOldest,
        quota: Quota {
            messages,
            ..Quota::default()
        },
        ..config(folder)
    };
    let clock = Arc::new(ManualClock::new(START));
    RocksStore::open_on(config, clock, Box::new(disk)).expect("the folder is free")
}

/// Of a sender of its own.
fn of_sender(number: usize) -> Deposit {
    Deposit {
        sender: Some(address(&format!("sender-{number}"))),
        ..letter("bob")
    }
}

/// What one drops, others drop too, but the row of its sender is in nobody's memory: it was stored long ago.
#[tokio::test]
async fn old_messages_of_many_senders_make_way_for_a_crowd() {
    let folder = new_folder();
    let (disk, mut gate) = gated();
    let store = open(&folder, 140, disk);
    for number in 0..140 {
        gate.let_go.send(()).expect("the disk waits");
        let stored = store.deposit(of_sender(number)).await;
        assert!(matches!(stored, Ok(DepositOutcome::Stored(_))));
        gate.begun.recv().await.expect("there was a sync");
    }
    // While one group is synced all others decide.
    let crowd = join_all((200..260).map(|number| store.deposit(of_sender(number))));
    let syncs = async {
        while gate.begun.recv().await.is_some() {
            tokio::task::yield_now().await;
            let _ = gate.let_go.send(());
        }
    };
    let outcomes = tokio::select! {
        outcomes = crowd => outcomes,
        () = syncs => panic!("the store is closed"),
    };
    for outcome in outcomes {
        assert!(
            matches!(outcome, Ok(DepositOutcome::Stored(_))),
            "{outcome:?}"
        );
    }
    drop(gate);
}

/// P9: 503 is for the node as a whole.
#[tokio::test]
async fn a_deposit_that_is_overtaken_in_a_full_mailbox_is_told_that_it_is_full() {
    let folder = new_folder();
    let store = open(&folder, 1, SyncedDisk);
    let overtaken = async |user: &str| {
        let deposit = Arc::new(DepositMessage::new(letter(user), None, &store.shared));
        let running = Arc::clone(&deposit);
        let rehearsed = rehearse(&store.shared, move |transaction: &mut _| {
            running.run(transaction).map(drop)
        });
        rehearsed.await.expect("it reads");
        deposit.overtaken()
    };
    let answer = overtaken("bob").await;
    assert!(matches!(answer, Err(StoreError::Overloaded)));
    store.deposit(letter("bob")).await.expect("it is stored");
    let answer = overtaken("bob").await;
    let Ok(Decided::Refused(Refusal::MailboxFull { retry_after })) = answer else {
        panic!("not refused as full");
    };
    assert!(retry_after < store.shared.bounds().full_retry_after);
}

/// C-28: the front of a mailbox that is always full moves over what was dropped, which is walked over once.
#[tokio::test]
async fn what_was_dropped_long_ago_is_not_walked_over_by_each_deposit() {
    let folder = new_folder();
    let store = open(&folder, 1, SyncedDisk);
    store.deposit(letter("bob")).await.expect("it is stored");
    let mailbox = store.mailbox(address("bob")).await.expect("it answers");
    let mailbox = mailbox.expect("bob has one");
    let rocks = store.shared.database.rocks();
    let waiting = rocks.cf_handle(Family::Waiting.name());
    let waiting = waiting.expect("all families are there");
    let head = store.shared.mailbox_row(mailbox, Reach::Disk);
    let head = head.expect("it reads").expect("it is there").head;
    assert_eq!(head, MessageNumber::default());
    for number in 1..2_000 {
        let place = key::waiting(mailbox, MessageNumber(number));
        rocks.put_cf(waiting, place, []).expect("it writes");
        rocks.delete_cf(waiting, place).expect("it writes");
    }
    let is_in_memory = || {
        let deposit = DepositMessage::new(letter("bob"), None, &store.shared);
        let rehearsed = rehearse_in_memory(&store.shared, |transaction| {
            deposit.run(transaction).map(drop)
        });
        rehearsed.expect("it reads").is_some()
    };
    assert!(!is_in_memory());
    store.deposit(letter("bob")).await.expect("it is stored");
    assert!(is_in_memory());
}
