//! DLV-18.

use super::bench::{Bench, EVERYTHING, Engine, MINUTE, letter};
use crate::model::{ClaimGrant, Deposit, Released, Verb};

pub(crate) async fn a_released_mailbox_can_be_claimed<E: Engine>() {
    let bench = Bench::<E>::new();
    let number = bench.mail("bob").await;
    let claim = bench.claim("bob").await;
    assert_eq!(bench.release(claim, number.0).await, Released::Released);
    let next = bench.claim("bob").await;
    assert_eq!(next.generation.0, claim.generation.0 + 1);
}

pub(crate) async fn something_newer_asks_to_look_again<E: Engine>() {
    let bench = Bench::<E>::new();
    let seen = bench.mail("bob").await;
    let claim = bench.claim("bob").await;
    bench.take(claim, EVERYTHING).await;
    let newer = bench.mail("bob").await;
    assert_eq!(bench.release(claim, seen.0).await, Released::LookAgain);
    assert_eq!(
        bench.grant("bob").await,
        ClaimGrant::Busy,
        "the claim goes on"
    );
    assert_eq!(bench.take_numbers(claim).await, [seen, newer]);
    assert_eq!(bench.release(claim, newer.0).await, Released::Released);
}

pub(crate) async fn settled_held_and_expired_messages_do_not<E: Engine>() {
    let bench = Bench::<E>::new();
    let seen = bench.mail("bob").await;
    let claim = bench.claim("bob").await;
    let deleted = bench.mail("bob").await;
    bench.order(deleted, Verb::Delete).await.expect("it waits");
    let held = bench.mail("bob").await;
    bench.order(held, Verb::Hold).await.expect("it waits");
    let short = Deposit {
        lifetime: Some(MINUTE / 4),
        ..letter("bob")
    };
    bench.accept(short).await;
    bench.clock.advance(MINUTE / 2);
    assert_eq!(bench.release(claim, seen.0).await, Released::Released);
}

pub(crate) async fn a_failed_delivery_releases_in_any_case<E: Engine>() {
    let bench = Bench::<E>::new();
    bench.mail("bob").await;
    let claim = bench.claim("bob").await;
    let released = bench.release_with(claim, 0, "INVITE 480").await;
    assert_eq!(released, Released::Released);
    bench.claim("bob").await;
}

pub(crate) async fn a_superseded_release_changes_nothing<E: Engine>() {
    let bench = Bench::<E>::new();
    let number = bench.mail("bob").await;
    let old = bench.claim("bob").await;
    bench.clock.advance(MINUTE);
    bench.claim("bob").await;
    assert_eq!(bench.release(old, number.0).await, Released::Superseded);
    assert_eq!(bench.grant("bob").await, ClaimGrant::Busy);
}
