//! STO-11, requirements §3.13.

use bytes::Bytes;

use super::bench::{Bench, EVERYTHING, Engine, MINUTE, START, address};
use crate::model::{
    ClaimGrant, EventKind, MessageNumber, PartKind, Released, Settled, State, StoredMessage, Verb,
};
use crate::store::{Store, StoreError};

async fn content<E: Engine>(bench: &Bench<E>, number: MessageNumber) -> Result<Bytes, StoreError> {
    bench
        .store()
        .read_part(number, PartKind::Message, 0, 1_000)
        .await
}

fn refused(answer: &Result<StoredMessage, StoreError>) -> bool {
    matches!(answer, Err(StoreError::Precondition { .. }))
}

pub(crate) async fn a_held_message_counts_but_is_not_delivered<E: Engine>() {
    let bench = Bench::<E>::new();
    let held = bench.mail("bob").await;
    let message = bench.order(held, Verb::Hold).await.expect("it waits");
    assert_eq!(message.state, State::Held);
    let summary = bench.store().summary(bench.mailbox("bob").await).await;
    assert_eq!(summary.expect("it is there").text.new, 1);
    assert_eq!(bench.grant("bob").await, ClaimGrant::Empty);
    let other = bench.mail("bob").await;
    assert_eq!(bench.deliver_all("bob").await, [other]);
    bench.order(held, Verb::Unhold).await.expect("it is held");
    assert_eq!(bench.deliver_all("bob").await, [held]);
}

pub(crate) async fn a_redelivered_message_belongs_to_the_next_claim<E: Engine>() {
    let bench = Bench::<E>::new();
    let first = bench.mail("bob").await;
    let second = bench.mail("bob").await;
    let running = bench.claim("bob").await;
    bench.take(running, EVERYTHING).await;
    bench.delivered(running, first).await;
    let again = bench.order(first, Verb::Redeliver).await;
    let again = again.expect("its content is retained");
    assert_eq!((again.state, again.redeliveries), (State::Stored, 1));
    assert_eq!(again.settled_at, None);
    assert_eq!(bench.take_numbers(running).await, [second]);
    bench.delivered(running, second).await;
    assert_eq!(bench.release(running, second.0).await, Released::Released);
    let bench = bench.reopen().await;
    assert_eq!(bench.deliver_all("bob").await, [first]);
}

pub(crate) async fn an_old_acknowledgement_does_not_settle_a_redelivered_message<E: Engine>() {
    let bench = Bench::<E>::new();
    let number = bench.mail("bob").await;
    let claim = bench.claim("bob").await;
    bench.take(claim, EVERYTHING).await;
    bench.delivered(claim, number).await;
    let again = bench.order(number, Verb::Redeliver).await;
    again.expect("its content is retained");
    assert_eq!(bench.delivered(claim, number).await, Settled::Superseded);
    assert_eq!(bench.message(number).await.state, State::Stored);
}

pub(crate) async fn deleted_and_expired_messages_lose_their_content<E: Engine>() {
    let bench = Bench::<E>::new();
    for (verb, state) in [
        (Verb::Delete, State::Deleted),
        (Verb::Expire, State::Expired),
    ] {
        let number = bench.mail("bob").await;
        content(&bench, number).await.expect("it is there");
        let message = bench.order(number, verb).await.expect("it waits");
        assert_eq!(message.state, state);
        assert_eq!(message.reason, "as asked");
        assert_eq!(content(&bench, number).await, Err(StoreError::NotFound));
    }
    assert_eq!(bench.grant("bob").await, ClaimGrant::Empty);
}

pub(crate) async fn deleting_a_settled_message_removes_its_content<E: Engine>() {
    let bench = Bench::<E>::new();
    let number = bench.mail("bob").await;
    bench.deliver_all("bob").await;
    let message = bench.order(number, Verb::Delete).await;
    let message = message.expect("its content is retained");
    assert_eq!(message.state, State::Delivered);
    assert!(!message.content_retained);
    assert_eq!(content(&bench, number).await, Err(StoreError::NotFound));
    assert!(refused(&bench.order(number, Verb::Delete).await));
    assert!(refused(&bench.order(number, Verb::Redeliver).await));
}

pub(crate) async fn impossible_orders_are_refused<E: Engine>() {
    let bench = Bench::<E>::new();
    let number = bench.mail("bob").await;
    for verb in [Verb::Redeliver, Verb::Unhold] {
        assert!(refused(&bench.order(number, verb).await));
    }
    let missing = bench.order(MessageNumber(1), Verb::Hold).await;
    assert_eq!(missing, Err(StoreError::NotFound));
    assert_eq!(bench.events(number).await.len(), 1);
}

pub(crate) async fn an_owner_deletes_his_own_messages_only<E: Engine>() {
    let bench = Bench::<E>::new();
    let (first, second) = (bench.mail("bob").await, bench.mail("bob").await);
    bench.mail("carol").await;
    let store = bench.store();
    let bob = bench.mailbox("bob").await;
    let version = store.summary(bob).await.expect("a mailbox").version;
    let delete = |user: &str, number, version| store.delete_own(address(user), number, version);
    for stranger in ["carol", "nobody"] {
        let answer = delete(stranger, first, None).await;
        assert_eq!(answer, Err(StoreError::NotFound), "{stranger}");
    }
    let unknown = delete("bob", MessageNumber(1), None).await;
    assert_eq!(unknown, Err(StoreError::NotFound));
    let stale = delete("bob", first, Some(version - 1)).await;
    assert!(matches!(stale, Err(StoreError::Precondition { .. })));
    let deleted = delete("bob", first, Some(version)).await;
    let deleted = deleted.expect("it is his").into_inner();
    assert_eq!(deleted.state, State::Deleted);
    let timeline = store.timeline(first).await.expect("it is kept");
    let actor = timeline.last().map(|event| event.actor.as_str());
    assert_eq!(actor, Some("served user"));
    assert_eq!(delete("bob", first, None).await, Err(StoreError::NotFound));
    let after = store.summary(bob).await.expect("a mailbox");
    assert_eq!((after.text.new, after.version > version), (1, true));
    assert!(delete("bob", second, None).await.is_ok());
}

pub(crate) async fn a_message_is_kept_back_until_its_time<E: Engine>() {
    let bench = Bench::<E>::new();
    let first = bench.mail("bob").await;
    let second = bench.mail("bob").await;
    let time = START.after(10 * MINUTE);
    let held = bench.order(first, Verb::DeliverAfter(time)).await;
    let held = held.expect("it waits");
    assert_eq!((held.state, held.deliver_after), (State::Held, Some(time)));
    assert_eq!(bench.deliver_all("bob").await, [second]);
    bench.clock.advance(9 * MINUTE);
    assert_eq!(bench.sweep().await.unheld, []);
    assert_eq!(bench.grant("bob").await, ClaimGrant::Empty);
    bench.clock.advance(MINUTE);
    let bench = bench.crash().await;
    assert_eq!(bench.sweep().await.unheld, [first]);
    let offered = bench.message(first).await;
    assert_eq!(
        (offered.state, offered.deliver_after),
        (State::Stored, None)
    );
    assert_eq!(bench.deliver_all("bob").await, [first]);
    let told = bench.events(first).await;
    let held = [EventKind::Deposited, EventKind::Held, EventKind::Unheld];
    assert_eq!(told[..3], held);
}

pub(crate) async fn a_message_that_is_kept_back_expires_all_the_same<E: Engine>() {
    let bench = Bench::<E>::new();
    let number = bench.mail("bob").await;
    let time = START.after(10 * MINUTE);
    let again = START.after(20 * MINUTE);
    for time in [time, again] {
        let order = Verb::DeliverAfter(time);
        bench.order(number, order).await.expect("it waits");
    }
    bench.clock.advance(10 * MINUTE);
    assert_eq!(bench.sweep().await.unheld, []);
    bench.order(number, Verb::Unhold).await.expect("it is held");
    bench.clock.advance(10 * MINUTE);
    assert_eq!(bench.sweep().await.unheld, []);
    bench.order(number, Verb::Hold).await.expect("it waits");
    bench.clock.advance(8 * 24 * 60 * MINUTE);
    assert_eq!(bench.sweep().await.expired, [number]);
}
