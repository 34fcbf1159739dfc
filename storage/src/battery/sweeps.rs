//! Requirements §3.2, CT-STO-10, CT-STO-12.

use std::time::Duration;

use super::bench::{Bench, EVERYTHING, Engine, MINUTE, START, letter};
use crate::config::{Retention, StoreConfig};
use crate::model::{ClaimGrant, Deposit, PartKind, Settlement, State, UnixMillis, Verb};
use crate::store::{Store, StoreError};

const DAY: Duration = Duration::from_secs(86_400);

fn for_a_minute() -> Deposit {
    Deposit {
        lifetime: Some(MINUTE),
        ..letter("bob")
    }
}

pub(crate) async fn messages_expire_when_their_time_has_come<E: Engine>() {
    let bench = Bench::<E>::new();
    let short = bench.accept(for_a_minute()).await.id.number;
    bench.mail("bob").await;
    assert!(bench.sweep().await.expired.is_empty());
    bench.clock.advance(MINUTE);
    let swept = bench.sweep().await;
    assert_eq!((swept.expired, swept.more), (vec![short], false));
    let message = bench.message(short).await;
    assert_eq!(message.state, State::Expired);
    assert!(!message.content_retained);
    assert!(bench.sweep().await.expired.is_empty());
}

pub(crate) async fn a_sweep_keeps_its_limit<E: Engine>() {
    let bench = Bench::<E>::new();
    let mut due = Vec::new();
    for _ in 0..5 {
        due.push(bench.accept(for_a_minute()).await.id.number);
    }
    bench.clock.advance(MINUTE);
    let now = START.after(MINUTE);
    let first = bench
        .store()
        .sweep(now, 3)
        .await
        .expect("the store answers");
    assert_eq!((first.expired, first.more), (due[..3].to_vec(), true));
    let second = bench
        .store()
        .sweep(now, 3)
        .await
        .expect("the store answers");
    assert_eq!((second.expired, second.more), (due[3..].to_vec(), false));
}

pub(crate) async fn a_sweep_never_runs_ahead_of_the_clock<E: Engine>() {
    let bench = Bench::<E>::new();
    bench.accept(for_a_minute()).await;
    let swept = bench.store().sweep(UnixMillis(u64::MAX), 10).await;
    assert!(swept.expect("the store answers").expired.is_empty());
}

pub(crate) async fn a_clock_set_back_deletes_nothing<E: Engine>() {
    let bench = Bench::<E>::new();
    bench.clock.advance(MINUTE);
    bench.sweep().await;
    bench.clock.jump_to(UnixMillis(START.0 - 600_000));
    let short = Deposit {
        lifetime: Some(MINUTE),
        ..letter("bob")
    };
    let short = bench.accept(short).await.id.number;
    assert!(bench.sweep().await.expired.is_empty());
    let bench = bench.reopen().await;
    bench.clock.jump_to(START.after(2 * MINUTE));
    assert_eq!(bench.sweep().await.expired, [short]);
}

pub(crate) async fn delivered_content_goes_after_its_retention<E: Engine>() {
    let bench = Bench::<E>::new();
    let number = bench.mail("bob").await;
    bench.deliver_all("bob").await;
    bench.clock.advance(DAY - MINUTE);
    assert_eq!(bench.sweep().await.contents_removed, 0);
    let read = || bench.store().read_part(number, PartKind::Message, 0, 10);
    read().await.expect("it is retained");
    bench.clock.advance(MINUTE);
    assert_eq!(bench.sweep().await.contents_removed, 1);
    assert_eq!(read().await, Err(StoreError::NotFound));
    assert_eq!(bench.message(number).await.state, State::Delivered);
    let again = bench.order(number, Verb::Redeliver).await;
    assert!(matches!(again, Err(StoreError::Precondition { .. })));
}

pub(crate) async fn no_retention_removes_content_at_once<E: Engine>() {
    let bench = Bench::<E>::with(StoreConfig {
        retention: Retention {
            delivered: Duration::ZERO,
            ..Retention::default()
        },
        ..StoreConfig::default()
    });
    let number = bench.mail("bob").await;
    bench.deliver_all("bob").await;
    let message = bench.message(number).await;
    assert_eq!(message.state, State::Delivered);
    assert!(!message.content_retained);
}

pub(crate) async fn dead_letters_keep_their_content_until_they_expire<E: Engine>() {
    let bench = Bench::<E>::new();
    let number = bench.mail("bob").await;
    let claim = bench.claim("bob").await;
    bench.take(claim, EVERYTHING).await;
    let refused = Settlement::Refused {
        reason: "MESSAGE 603".to_owned(),
    };
    bench.settle(claim, number, refused).await;
    bench.clock.advance(7 * DAY - MINUTE);
    bench.sweep().await;
    assert!(bench.message(number).await.content_retained);
    bench.clock.advance(MINUTE);
    bench.sweep().await;
    let left = bench.store().message(number).await;
    assert!(left.is_ok_and(|message| !message.content_retained));
}

pub(crate) async fn timelines_go_after_their_retention<E: Engine>() {
    let bench = Bench::<E>::new();
    let number = bench.mail("bob").await;
    bench.deliver_all("bob").await;
    bench.clock.advance(DAY);
    bench.sweep().await;
    bench.clock.advance(6 * DAY - MINUTE);
    bench.sweep().await;
    assert!(!bench.events(number).await.is_empty());
    bench.clock.advance(MINUTE);
    bench.sweep().await;
    assert_eq!(
        bench.store().timeline(number).await,
        Err(StoreError::NotFound)
    );
    assert_eq!(bench.grant("bob").await, ClaimGrant::Empty);
}
