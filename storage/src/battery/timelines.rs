//! P8, CT-STO-13.

use super::bench::{Bench, EVERYTHING, Engine, MINUTE, deposit_to};
use crate::model::EventKind::{
    AttemptFailed, Claimed, Delivered, Deposited, DuplicateAbsorbed, Held, Redelivered, Unheld,
};
use crate::model::{Generation, Verb};
use crate::store::Store;

pub(crate) async fn a_delivery_is_told_in_order<E: Engine>() {
    let bench = Bench::<E>::new();
    let number = bench.mail("bob").await;
    bench.deliver_all("bob").await;
    let bench = bench.reopen().await;
    let timeline = bench.store().timeline(number).await.expect("it is there");
    let kinds: Vec<_> = timeline.iter().map(|event| event.kind).collect();
    assert_eq!(kinds, [Deposited, Claimed, Delivered]);
    assert_eq!(timeline[0].detail, "udp 192.0.2.1:5060");
    let told = &timeline[2];
    assert_eq!(told.generation, Some(Generation(1)));
    assert_eq!(
        (told.actor.as_str(), told.detail.as_str()),
        ("edge-1", "MSRP 200")
    );
}

pub(crate) async fn a_failed_delivery_is_told_by_what_waited<E: Engine>() {
    let bench = Bench::<E>::new();
    let delivered = bench.mail("bob").await;
    bench.deliver_all("bob").await;
    let waited = bench.mail("bob").await;
    let held = bench.mail("bob").await;
    bench.order(held, Verb::Hold).await.expect("it waits");
    let claim = bench.claim("bob").await;
    bench.release_with(claim, 0, "INVITE 480").await;
    let later = bench.mail("bob").await;
    bench.order(held, Verb::Unhold).await.expect("it is held");
    let again = bench.order(delivered, Verb::Redeliver).await;
    again.expect("its content is retained");
    let told = [Deposited, Claimed, Delivered, Redelivered];
    assert_eq!(bench.events(delivered).await, told);
    assert_eq!(bench.events(waited).await, [Deposited, AttemptFailed]);
    assert_eq!(bench.events(held).await, [Deposited, Held, Unheld]);
    assert_eq!(bench.events(later).await, [Deposited]);
    let timeline = bench.store().timeline(waited).await.expect("it is there");
    assert_eq!(timeline[1].detail, "INVITE 480");
    assert_eq!(timeline[1].generation, Some(claim.generation));
}

pub(crate) async fn a_lapsed_lease_is_told<E: Engine>() {
    let bench = Bench::<E>::new();
    let number = bench.mail("bob").await;
    let claim = bench.claim("bob").await;
    bench.take(claim, EVERYTHING).await;
    bench.clock.advance(MINUTE);
    bench.claim("bob").await;
    let timeline = bench.store().timeline(number).await.expect("it is there");
    assert_eq!(timeline[1].kind, AttemptFailed);
    assert_eq!(timeline[1].detail, "the lease ran out");
}

pub(crate) async fn duplicates_and_orders_are_told<E: Engine>() {
    let bench = Bench::<E>::new();
    let number = bench.accept(deposit_to("bob", "a", "hi")).await.id.number;
    bench.deposit(deposit_to("bob", "a", "hi")).await;
    bench.order(number, Verb::Hold).await.expect("it waits");
    assert_eq!(
        bench.events(number).await,
        [Deposited, DuplicateAbsorbed, Held]
    );
    let timeline = bench.store().timeline(number).await.expect("it is there");
    assert_eq!(
        (timeline[2].actor.as_str(), timeline[2].detail.as_str()),
        ("operator", "as asked")
    );
}
