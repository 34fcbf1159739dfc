//! Messages that are taken over from another store.

use std::time::Duration;

use super::bench::{Bench, EVERYTHING, Engine, START, address, deposit_to, numbers};
use crate::config::{MailboxFull, Quota, StoreConfig};
use crate::import::ImportStore;
use crate::model::{
    Ahead, Class, Deposit, DepositOutcome, EventKind, Import, ImportForecast, Importer,
    MessageNumber, Refusal, State, UnixMillis,
};
use crate::store::Store;

const DAY: Duration = Duration::from_secs(86_400);

/// A message that was accepted elsewhere so many days before the tests begin, and lives for a week.
fn aged(user: &str, source: &str, days: u32) -> Import {
    let received_at = UnixMillis(START.0 - 86_400_000 * u64::from(days));
    Import {
        deposit: deposit_to(user, source, &format!("from {source}")),
        received_at,
        expires_at: received_at.after(7 * DAY),
        ahead: Ahead::default(),
    }
}

async fn import<E: Engine>(bench: &Bench<E>, messages: Vec<Import>) -> Vec<DepositOutcome> {
    let by = Importer {
        actor: "operator anna".to_owned(),
        reason: "we move".to_owned(),
    };
    let outcomes = bench.store().import(messages, by).await;
    outcomes.expect("the store answers")
}

/// The numbers of messages of which each is stored.
async fn stored<E: Engine>(bench: &Bench<E>, messages: Vec<Import>) -> Vec<MessageNumber> {
    let outcomes = import(bench, messages).await.into_iter();
    let numbers = outcomes.map(|outcome| match outcome {
        DepositOutcome::Stored(receipt) => receipt.into_inner().id.number,
        other => panic!("not stored: {other:?}"),
    });
    numbers.collect()
}

async fn forecast<E: Engine>(bench: &Bench<E>, messages: Vec<Import>) -> Vec<ImportForecast> {
    let forecast = bench.store().rehearse_import(messages).await;
    forecast.expect("the store answers")
}

fn full_of(messages: u64, mailbox_full: MailboxFull) -> StoreConfig {
    StoreConfig {
        mailbox_full,
        quota: Quota {
            messages,
            ..Quota::default()
        },
        ..StoreConfig::default()
    }
}

pub(crate) async fn an_imported_message_keeps_its_times_and_says_who_imported_it<E: Engine>() {
    let bench = Bench::<E>::new();
    let number = stored(&bench, vec![aged("bob", "one", 3)]).await[0];
    let bench = bench.crash().await;
    let message = bench.message(number).await;
    assert_eq!(message.envelope.received_at.0, START.0 - 3 * 86_400_000);
    assert_eq!(message.envelope.expires_at, START.after(4 * DAY));
    assert_eq!(message.state, State::Stored);
    let timeline = bench.store().timeline(number).await.expect("it is there");
    let kinds: Vec<_> = timeline.iter().map(|event| event.kind).collect();
    assert_eq!(kinds, [EventKind::Deposited, EventKind::Imported]);
    assert_eq!(timeline[0].at, message.envelope.received_at);
    assert_eq!(timeline[1].at, START);
    let (actor, reason) = (&timeline[1].actor, &timeline[1].detail);
    assert_eq!((&**actor, &**reason), ("operator anna", "we move"));
}

pub(crate) async fn imported_messages_are_delivered_in_their_order<E: Engine>() {
    let bench = Bench::<E>::new();
    bench.mail("carol").await;
    let mut messages = Vec::new();
    for (index, user) in ["bob", "dave", "carol", "bob", "erin", "bob"]
        .into_iter()
        .enumerate()
    {
        messages.push(aged(user, &format!("row {index}"), 3));
    }
    let imported = stored(&bench, messages).await;
    assert!(imported.is_sorted());
    let claim = bench.claim("bob").await;
    let taken = numbers(&bench.take(claim, EVERYTHING).await);
    assert_eq!(taken, [imported[0], imported[3], imported[5]]);
    assert_eq!(bench.deliver_all("dave").await, [imported[1]]);
    assert_eq!(bench.deliver_all("carol").await[1..], [imported[2]]);
}

pub(crate) async fn what_is_imported_again_is_there_already<E: Engine>() {
    let bench = Bench::<E>::new();
    let all = || vec![aged("bob", "one", 1), aged("bob", "two", 1)];
    let first = stored(&bench, all()).await;
    assert_eq!(bench.deliver_all("bob").await, first);
    let bench = bench.reopen().await;
    // Beyond the window in which retries of senders are recognised, and before the messages expire.
    bench.clock.advance(5 * DAY);
    let again = import(&bench, all()).await.into_iter();
    let again = again.map(|outcome| match outcome {
        DepositOutcome::Duplicate(receipt) => receipt.into_inner().id.number,
        other => panic!("not recognised: {other:?}"),
    });
    assert_eq!(again.collect::<Vec<_>>(), first);
    // It is no retry of a sender, of which the timeline would tell.
    let told = bench.events(first[0]).await;
    assert!(!told.contains(&EventKind::DuplicateAbsorbed), "{told:?}");
}

pub(crate) async fn one_that_comes_twice_in_a_batch_is_stored_once<E: Engine>() {
    let bench = Bench::<E>::new();
    let twice = vec![aged("bob", "one", 1), aged("bob", "one", 1)];
    let outcomes = import(&bench, twice).await;
    assert!(matches!(outcomes[0], DepositOutcome::Stored(_)));
    assert!(matches!(outcomes[1], DepositOutcome::Duplicate(_)));
    assert_eq!(bench.deliver_all("bob").await.len(), 1);
}

pub(crate) async fn nothing_makes_way_for_an_import<E: Engine>() {
    for mailbox_full in [MailboxFull::RejectNew, MailboxFull::DropOldest] {
        let bench = Bench::<E>::with(full_of(2, mailbox_full));
        let here = bench.mail("bob").await;
        let batch = vec![
            aged("bob", "one", 1),
            aged("bob", "two", 1),
            aged("dave", "three", 1),
        ];
        let outcomes = import(&bench, batch).await;
        assert!(matches!(outcomes[0], DepositOutcome::Stored(_)));
        let refusal = Refusal::MailboxFull {
            retry_after: StoreConfig::default().full_retry_after,
        };
        match &outcomes[1] {
            DepositOutcome::Refused(refused) => assert_eq!(*refused, refusal),
            other => panic!("not refused: {other:?}"),
        }
        assert!(matches!(outcomes[2], DepositOutcome::Stored(_)));
        assert_eq!(bench.message(here).await.state, State::Stored);
    }
}

pub(crate) async fn a_rehearsal_of_an_import_changes_nothing<E: Engine>() {
    let bench = Bench::<E>::with(full_of(2, MailboxFull::RejectNew));
    stored(&bench, vec![aged("bob", "one", 1)]).await;
    let batch = || {
        vec![
            aged("bob", "one", 1),
            aged("bob", "two", 1),
            aged("bob", "three", 1),
            aged("dave", "four", 1),
            aged("erin", "five", 1),
            aged("dave", "six", 1),
        ]
    };
    let full = ImportForecast::Refused(Refusal::MailboxFull {
        retry_after: StoreConfig::default().full_retry_after,
    });
    let expected = [
        ImportForecast::Duplicate,
        ImportForecast::Stored,
        full.clone(),
        ImportForecast::Stored,
        ImportForecast::Stored,
        ImportForecast::Stored,
    ];
    for _ in 0..2 {
        assert_eq!(forecast(&bench, batch()).await, expected);
    }
    let unknown = bench.store().mailbox(address("dave")).await;
    assert_eq!(unknown.expect("the store answers"), None);
    let next = Import {
        ahead: Ahead {
            messages: 1,
            octets: 100,
        },
        ..aged("bob", "seven", 1)
    };
    assert_eq!(forecast(&bench, vec![next]).await, [full]);
    let outcomes = import(&bench, batch()).await;
    assert!(matches!(outcomes[1], DepositOutcome::Stored(_)));
}

pub(crate) async fn an_import_of_many_new_users_beside_old_ones_is_stored<E: Engine>() {
    let bench = Bench::<E>::new();
    let users: Vec<_> = (0..20).map(|number| format!("user-{number}")).collect();
    for user in &users[..10] {
        bench.mail(user).await;
    }
    let bench = bench.reopen().await;
    let mut batch = Vec::new();
    for round in 0..3 {
        for user in users.iter().rev() {
            batch.push(aged(user, &format!("{round} {user}"), 1));
        }
    }
    assert_eq!(
        forecast(&bench, batch.clone()).await,
        vec![ImportForecast::Stored; 60]
    );
    assert_eq!(stored(&bench, batch).await.len(), 60);
    assert_eq!(bench.deliver_all("user-3").await.len(), 4);
    assert_eq!(bench.deliver_all("user-17").await.len(), 3);
}

pub(crate) async fn an_imported_message_expires_as_its_store_has_said<E: Engine>() {
    let bench = Bench::<E>::new();
    let forever = Import {
        expires_at: UnixMillis(u64::MAX),
        ..aged("bob", "forever", 40)
    };
    let notification = Import {
        deposit: Deposit {
            class: Class::Imdn,
            ..deposit_to("bob", "notification", "delivered")
        },
        ..aged("bob", "notification", 6)
    };
    let numbers = stored(&bench, vec![forever, notification]).await;
    let expires_at = |message: crate::model::StoredMessage| message.envelope.expires_at;
    assert_eq!(
        expires_at(bench.message(numbers[0]).await),
        START.after(30 * DAY)
    );
    assert_eq!(
        expires_at(bench.message(numbers[1]).await),
        START.after(DAY)
    );
    bench.clock.advance(2 * DAY);
    assert_eq!(bench.sweep().await.expired, [numbers[1]]);
}
