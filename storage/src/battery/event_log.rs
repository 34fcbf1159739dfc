//! The event log (requirements §4.10, §4.11).

use std::time::Duration;

use super::bench::{Bench, Engine, MINUTE, START, address, deposit_to, letter, registration};
use crate::config::{EventLogConfig, StoreConfig};
use crate::event_log::EventLogStore;
use crate::import::ImportStore;
use crate::model::{
    Ahead, Deposit, EventKind, Headers, Import, Importer, LogEntry, LogPage, LogPosition,
    MessageNumber, State, UnixMillis, Verb,
};
use crate::store::{Store, StoreError};

fn logged() -> StoreConfig {
    keeping(1_000_000)
}

fn keeping(entries: u64) -> StoreConfig {
    StoreConfig {
        event_log: Some(EventLogConfig {
            retention: 60 * MINUTE,
            entries,
        }),
        ..StoreConfig::default()
    }
}

impl<E: Engine> Bench<E> {
    async fn page(&self, after: LogPosition, limit: usize) -> LogPage {
        let page = self.store().read_events(after, limit).await;
        page.expect("there is a log")
    }

    /// The whole log.
    async fn log(&self) -> Vec<LogEntry> {
        self.page(LogPosition::default(), usize::MAX).await.entries
    }

    async fn trim(&self) -> usize {
        let mut trimmed = 0;
        loop {
            let (removed, more) = self.store().trim_events().await.expect("the store answers");
            trimmed += removed;
            if !more {
                return trimmed;
            }
        }
    }
}

fn told(entries: &[LogEntry]) -> Vec<(EventKind, MessageNumber)> {
    let told = entries.iter();
    told.map(|entry| (entry.event.kind, entry.message.number))
        .collect()
}

pub(crate) async fn nothing_is_told_unless_it_is_wanted<E: Engine>() {
    let bench = Bench::<E>::new();
    bench.mail("bob").await;
    assert!(bench.store().follow_events().is_none());
    let page = bench.store().read_events(LogPosition::default(), 1).await;
    assert!(matches!(page, Err(StoreError::Precondition { .. })));
    assert_eq!(bench.trim().await, 0);
}

pub(crate) async fn what_happens_to_messages_is_told_in_order<E: Engine>() {
    let bench = Bench::<E>::with(logged());
    let first = bench.mail("bob").await;
    bench
        .register(registration("bob", "sip:a@1", 1))
        .await
        .expect("it is new");
    let second = bench.mail("bob").await;
    bench.deliver_all("bob").await;
    bench
        .order(first, Verb::Redeliver)
        .await
        .expect("delivered");
    bench.order(first, Verb::Delete).await.expect("it waits");
    let third = bench.mail("carol").await;
    bench.order(third, Verb::Hold).await.expect("it waits");
    bench.order(third, Verb::Unhold).await.expect("it is held");
    bench.clock.advance(8 * 24 * 60 * MINUTE);
    bench.sweep().await;
    let log = bench.log().await;
    assert_eq!(
        told(&log),
        [
            (EventKind::Deposited, first),
            (EventKind::Deposited, second),
            (EventKind::Delivered, first),
            (EventKind::Delivered, second),
            (EventKind::Redelivered, first),
            (EventKind::Deleted, first),
            (EventKind::Deposited, third),
            (EventKind::Held, third),
            (EventKind::Unheld, third),
            (EventKind::Expired, third),
        ]
    );
    assert!(log.is_sorted_by(|one, next| one.position < next.position));
    let registered: Vec<_> = log.iter().map(|entry| entry.registered).collect();
    assert_eq!(registered[..3], [false, true, true]);
    assert!(!registered[6]);
    let deposited = &log[0];
    assert_eq!(deposited.event.at, START);
    assert_eq!(deposited.message.hostname, "store.example.org");
    assert_eq!(deposited.served_user, address("bob"));
    assert_eq!(deposited.sender, Some(address("alice")));
    assert_eq!(deposited.octets, letter("bob").parts[0].octets.len() as u64);
    assert_eq!(deposited.state, State::Stored);
    assert_eq!(log[2].event.actor, "edge-1");
    assert_eq!(log[2].event.detail, "MSRP 200");
    let states: Vec<_> = log[2..6].iter().map(|entry| entry.state).collect();
    assert_eq!(
        states,
        [
            State::Delivered,
            State::Delivered,
            State::Stored,
            State::Deleted
        ]
    );
}

pub(crate) async fn a_sender_who_wants_privacy_is_not_named<E: Engine>() {
    let bench = Bench::<E>::with(logged());
    let with = |privacy: &str| {
        let letter = letter("bob");
        Deposit {
            headers: Headers {
                privacy: privacy.to_owned(),
                ..letter.headers.clone()
            },
            ..letter
        }
    };
    bench.accept(with("id")).await;
    bench.accept(with("none")).await;
    let log = bench.log().await;
    assert_eq!(log[0].sender, None);
    assert_eq!(log[1].sender, Some(address("alice")));
}

pub(crate) async fn pages_of_the_log_join<E: Engine>() {
    let bench = Bench::<E>::with(logged());
    for _ in 0..7 {
        bench.mail("bob").await;
    }
    let (mut found, mut after) = (Vec::new(), LogPosition::default());
    loop {
        let page = bench.page(after, 3).await;
        let Some(last) = page.entries.last() else {
            break;
        };
        after = last.position;
        found.extend(page.entries);
    }
    assert_eq!(found, bench.log().await);
    assert_eq!(found.len(), 7);
}

pub(crate) async fn the_log_and_its_cursor_survive_a_crash<E: Engine>() {
    let bench = Bench::<E>::with(logged());
    let first = bench.mail("bob").await;
    let position = bench.log().await[0].position;
    let cursor = bench.store().event_cursor().await;
    assert_eq!(cursor, Ok(None));
    let set = bench.store().set_event_cursor(position).await;
    set.expect("the store answers");
    let bench = bench.crash().await;
    assert_eq!(bench.store().event_cursor().await, Ok(Some(position)));
    let second = bench.mail("bob").await;
    let log = bench.log().await;
    let expected = [
        (EventKind::Deposited, first),
        (EventKind::Deposited, second),
    ];
    assert_eq!(told(&log), expected);
    assert_eq!(bench.page(position, 10).await.entries, log[1..]);
}

pub(crate) async fn old_entries_go_and_whoever_misses_them_is_told<E: Engine>() {
    let bench = Bench::<E>::with(logged());
    bench.mail("bob").await;
    let first = bench.log().await[0].position;
    bench.clock.advance(30 * MINUTE);
    bench.mail("bob").await;
    assert_eq!(bench.trim().await, 0);
    bench.clock.advance(30 * MINUTE);
    assert_eq!(bench.trim().await, 1);
    assert_eq!(bench.log().await.len(), 1);
    assert!(!bench.page(first, 10).await.lost);
    assert!(bench.page(LogPosition(first.0 - 1), 10).await.lost);
    bench.clock.advance(Duration::from_secs(40 * 60));
    assert_eq!(bench.trim().await, 1);
    assert!(bench.page(first, 10).await.lost);
}

pub(crate) async fn the_log_has_only_so_many_entries<E: Engine>() {
    let bench = Bench::<E>::with(keeping(3));
    let mut last = Vec::new();
    for _ in 0..5 {
        last.push(bench.mail("bob").await);
    }
    assert_eq!(bench.trim().await, 2);
    last.push(bench.mail("bob").await);
    assert_eq!(bench.trim().await, 1);
    let left: Vec<_> = told(&bench.log().await);
    let left: Vec<_> = left.into_iter().map(|(_, number)| number).collect();
    assert_eq!(left, last[3..]);
}

pub(crate) async fn the_log_says_when_it_has_grown<E: Engine>() {
    let bench = Bench::<E>::with(logged());
    let mut follow = bench.store().follow_events().expect("there is a log");
    let before = *follow.borrow_and_update();
    assert_eq!(bench.page(before, 10).await, LogPage::default());
    bench.mail("bob").await;
    follow.changed().await.expect("the store lives");
    let page = bench.page(before, 10).await;
    assert_eq!(page.entries.len(), 1);
    assert_eq!(page.entries[0].position, *follow.borrow());
    let _ = bench.store().summary(bench.mailbox("bob").await).await;
}

pub(crate) async fn an_imported_message_is_told_of_when_it_is_imported<E: Engine>() {
    let bench = Bench::<E>::with(logged());
    let first = bench.mail("bob").await;
    let old = Import {
        deposit: deposit_to("bob", "old", "from another store"),
        received_at: UnixMillis(START.0 - 86_400_000),
        expires_at: START.after(60 * MINUTE),
        ahead: Ahead::default(),
    };
    let imported = bench.store().import(vec![old], Importer::default()).await;
    assert_eq!(imported.expect("the store answers").len(), 1);
    let log = bench.log().await;
    assert_eq!(log[0].message.number, first);
    let times: Vec<_> = log.iter().map(|entry| entry.event.at).collect();
    assert!(times.is_sorted() && times.len() == 2, "{times:?}");
    // By its own time it would be too old for the log.
    assert_eq!(bench.trim().await, 0);
}
