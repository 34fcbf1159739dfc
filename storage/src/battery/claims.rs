//! Requirements §3.13, DLV-13, P4, P5.

use std::time::Duration;

use bytes::Bytes;

use super::bench::{
    Bench, EVERYTHING, Engine, MINUTE, START, address, by_msrp, failed, letter, numbers,
    registration,
};
use crate::model::{
    ClaimGrant, ClaimRequest, ClaimToken, Deposit, Generation, MailboxId, MessageNumber, Sequence,
    Settled, Settlement, State, TakeLimit, Verb,
};
use crate::store::{Store, StoreError};

pub(crate) async fn a_claim_excludes_others_until_its_lease_ends<E: Engine>() {
    let bench = Bench::<E>::new();
    bench.mail("bob").await;
    bench.claim("bob").await;
    assert_eq!(bench.grant("bob").await, ClaimGrant::Busy);
    bench.clock.advance(MINUTE - Duration::from_millis(1));
    assert_eq!(bench.grant("bob").await, ClaimGrant::Busy);
    bench.clock.advance(Duration::from_millis(1));
    bench.claim("bob").await;
}

pub(crate) async fn a_mailbox_with_nothing_to_deliver_is_not_claimed<E: Engine>() {
    let bench = Bench::<E>::new();
    bench.mail("bob").await;
    bench.deliver_all("bob").await;
    assert_eq!(bench.grant("bob").await, ClaimGrant::Empty);
    let unknown = ClaimRequest {
        mailbox: MailboxId(999),
        edge: String::new(),
        lease: MINUTE,
    };
    assert_eq!(
        bench.store().claim(unknown).await,
        Err(StoreError::NotFound)
    );
}

pub(crate) async fn generations_grow_by_one<E: Engine>() {
    let bench = Bench::<E>::new();
    bench.mail("bob").await;
    assert_eq!(bench.claim("bob").await.generation, Generation(1));
    bench.clock.advance(MINUTE);
    let bench = bench.reopen().await;
    assert_eq!(bench.claim("bob").await.generation, Generation(2));
}

pub(crate) async fn a_renewed_lease_lives_on<E: Engine>() {
    let bench = Bench::<E>::new();
    bench.mail("bob").await;
    let claim = bench.claim("bob").await;
    bench.clock.advance(MINUTE / 2);
    assert_eq!(bench.store().renew(claim, MINUTE).await, Ok(true));
    bench.clock.advance(MINUTE - Duration::from_millis(1));
    assert_eq!(bench.grant("bob").await, ClaimGrant::Busy);
}

pub(crate) async fn a_superseded_claim_cannot_renew<E: Engine>() {
    let bench = Bench::<E>::new();
    bench.mail("bob").await;
    let old = bench.claim("bob").await;
    bench.clock.advance(MINUTE);
    let new = bench.claim("bob").await;
    assert_eq!(bench.store().renew(old, MINUTE).await, Ok(false));
    assert_eq!(bench.store().renew(new, MINUTE).await, Ok(true));
    bench.release(new, u64::MAX).await;
    assert_eq!(bench.store().renew(new, MINUTE).await, Ok(false));
}

pub(crate) async fn taken_messages_come_in_order_with_their_content<E: Engine>() {
    let bench = Bench::<E>::new();
    let first = letter("bob");
    let content = first.parts.clone();
    let first = bench.accept(first).await.id.number;
    bench.mail("carol").await;
    let second = bench.mail("bob").await;
    let claim = bench.claim("bob").await;
    let taken = bench.take(claim, EVERYTHING).await;
    assert_eq!(numbers(&taken), [first, second]);
    assert_eq!(taken[0].parts, content);
    assert_eq!(taken[0].message.state, State::Claimed);
    let sequence = taken[0].message.envelope.sequence;
    let rest = bench.take_after(claim, sequence, EVERYTHING).await;
    assert_eq!(numbers(&rest), [second]);
}

pub(crate) async fn takes_keep_their_bounds<E: Engine>() {
    let bench = Bench::<E>::new();
    let size = letter("bob").parts[0].octets.len() as u64 + 8;
    for _ in 0..5 {
        bench.mail("bob").await;
    }
    let claim = bench.claim("bob").await;
    let count = async |messages, octets| {
        let limit = TakeLimit { messages, octets };
        bench.take(claim, limit).await.len()
    };
    assert_eq!(count(3, u64::MAX).await, 3);
    assert_eq!(count(0, u64::MAX).await, 1);
    assert_eq!(count(10, 2 * size).await, 2);
    assert_eq!(count(10, u64::MAX).await, 5);
}

pub(crate) async fn a_message_larger_than_the_bound_is_taken_alone<E: Engine>() {
    let bench = Bench::<E>::new();
    let mut large = letter("bob");
    large.parts[0].octets = Bytes::from(vec![b'x'; 100_000]);
    let large = bench.accept(large).await.id.number;
    bench.mail("bob").await;
    let claim = bench.claim("bob").await;
    let limit = TakeLimit {
        messages: 10,
        octets: 1_000,
    };
    assert_eq!(numbers(&bench.take(claim, limit).await), [large]);
}

pub(crate) async fn expired_messages_are_not_taken<E: Engine>() {
    let bench = Bench::<E>::new();
    let short = Deposit {
        lifetime: Some(MINUTE / 2),
        ..letter("bob")
    };
    bench.accept(short).await;
    let long = bench.mail("bob").await;
    let claim = bench.claim("bob").await;
    bench.clock.advance(MINUTE / 2);
    assert_eq!(bench.take_numbers(claim).await, [long]);
}

pub(crate) async fn a_mailbox_with_only_expired_messages_is_not_claimed<E: Engine>() {
    let bench = Bench::<E>::new();
    let short = Deposit {
        lifetime: Some(MINUTE / 2),
        ..letter("bob")
    };
    bench.accept(short).await;
    bench.clock.advance(MINUTE / 2);
    assert_eq!(bench.grant("bob").await, ClaimGrant::Empty);
    let long = bench.mail("bob").await;
    assert_eq!(bench.deliver_all("bob").await, [long]);
}

pub(crate) async fn taken_messages_are_claimed_while_the_lease_lives<E: Engine>() {
    let bench = Bench::<E>::new();
    let first = bench.mail("bob").await;
    let second = bench.mail("bob").await;
    let claim = bench.claim("bob").await;
    let one = TakeLimit {
        messages: 1,
        octets: u64::MAX,
    };
    bench.take(claim, one).await;
    assert_eq!(bench.message(first).await.state, State::Claimed);
    assert_eq!(bench.message(second).await.state, State::Stored);
    bench.clock.advance(MINUTE);
    assert_eq!(bench.message(first).await.state, State::Stored);
}

pub(crate) async fn a_superseded_claim_takes_nothing<E: Engine>() {
    let bench = Bench::<E>::new();
    bench.mail("bob").await;
    let old = bench.claim("bob").await;
    bench.clock.advance(MINUTE);
    assert_eq!(bench.take(old, EVERYTHING).await.len(), 1, "only late");
    bench.claim("bob").await;
    assert!(bench.take(old, EVERYTHING).await.is_empty());
}

pub(crate) async fn delivered_messages_leave<E: Engine>() {
    let bench = Bench::<E>::new();
    let number = bench.mail("bob").await;
    let claim = bench.claim("bob").await;
    bench.take(claim, EVERYTHING).await;
    assert_eq!(bench.delivered(claim, number).await, Settled::Settled);
    let message = bench.message(number).await;
    assert_eq!(message.state, State::Delivered);
    assert_eq!(message.attempts, 1);
    assert_eq!(message.settled_at, Some(START));
    assert!(message.content_retained);
    assert!(bench.take(claim, EVERYTHING).await.is_empty());
}

pub(crate) async fn a_second_acknowledgement_changes_nothing<E: Engine>() {
    let bench = Bench::<E>::new();
    let number = bench.mail("bob").await;
    let claim = bench.claim("bob").await;
    bench.take(claim, EVERYTHING).await;
    bench.delivered(claim, number).await;
    let before = bench.message(number).await;
    for settlement in [by_msrp(), failed(true)] {
        let settled = bench.settle(claim, number, settlement).await;
        assert_eq!(settled, Settled::AlreadySettled);
    }
    assert_eq!(bench.message(number).await, before);
}

pub(crate) async fn a_superseded_acknowledgement_settles_nothing<E: Engine>() {
    let bench = Bench::<E>::new();
    let number = bench.mail("bob").await;
    let old = bench.claim("bob").await;
    bench.take(old, EVERYTHING).await;
    bench.clock.advance(MINUTE);
    let new = bench.claim("bob").await;
    assert_eq!(bench.delivered(old, number).await, Settled::Superseded);
    assert_eq!(bench.message(number).await.state, State::Stored);
    assert_eq!(bench.delivered(new, number).await, Settled::Settled);
}

pub(crate) async fn a_late_acknowledgement_settles<E: Engine>() {
    let bench = Bench::<E>::new();
    let number = bench.mail("bob").await;
    let claim = bench.claim("bob").await;
    bench.take(claim, EVERYTHING).await;
    bench.clock.advance(2 * MINUTE);
    let bench = bench.reopen().await;
    assert_eq!(bench.delivered(claim, number).await, Settled::Settled);
}

pub(crate) async fn an_acknowledgement_after_release_settles<E: Engine>() {
    let bench = Bench::<E>::new();
    let number = bench.mail("bob").await;
    let claim = bench.claim("bob").await;
    bench.take(claim, EVERYTHING).await;
    bench.release_with(claim, number.0, "connection lost").await;
    assert_eq!(bench.message(number).await.state, State::Stored);
    assert_eq!(bench.delivered(claim, number).await, Settled::Settled);
}

pub(crate) async fn a_message_elsewhere_is_unknown<E: Engine>() {
    let bench = Bench::<E>::new();
    bench.mail("bob").await;
    let elsewhere = bench.mail("carol").await;
    let claim = bench.claim("bob").await;
    let unknown = Settled::Unknown(elsewhere);
    assert_eq!(bench.delivered(claim, elsewhere).await, unknown);
    let nowhere = MessageNumber(7);
    assert_eq!(
        bench.delivered(claim, nowhere).await,
        Settled::Unknown(nowhere)
    );
}

pub(crate) async fn a_failed_attempt_leaves_the_message<E: Engine>() {
    let bench = Bench::<E>::new();
    let number = bench.mail("bob").await;
    let claim = bench.claim("bob").await;
    bench.take(claim, EVERYTHING).await;
    assert_eq!(
        bench.settle(claim, number, failed(false)).await,
        Settled::Settled
    );
    let message = bench.message(number).await;
    assert_eq!(message.state, State::Stored);
    assert_eq!(message.attempts, 1);
    assert_eq!(message.reason, "MSRP 413");
}

async fn refused_once_more<E: Engine>(bench: &Bench<E>, number: MessageNumber) -> State {
    let claim = bench.claim("bob").await;
    bench.take(claim, EVERYTHING).await;
    bench.settle(claim, number, failed(true)).await;
    bench.release(claim, number.0).await;
    bench.message(number).await.state
}

pub(crate) async fn refusals_of_one_registration_count_once<E: Engine>() {
    let bench = Bench::<E>::new();
    let number = bench.mail("bob").await;
    for _ in 0..5 {
        assert_eq!(refused_once_more(&bench, number).await, State::Stored);
    }
    assert_eq!(bench.message(number).await.attempts, 5);
}

pub(crate) async fn the_last_refusal_makes_a_dead_letter<E: Engine>() {
    let bench = Bench::<E>::new();
    let number = bench.mail("bob").await;
    for (cseq, expected) in [(1, State::Stored), (2, State::Stored), (3, State::Refused)] {
        let registered = bench.register(registration("bob", "sip:a@1", cseq)).await;
        registered.expect("it is in order");
        assert_eq!(refused_once_more(&bench, number).await, expected);
    }
    let dead = bench.message(number).await;
    assert!(dead.content_retained);
    assert_eq!(dead.reason, "MSRP 413");
    let mailbox = bench.store().mailbox(address("bob")).await;
    let mailbox = mailbox.expect("the store answers").expect("it has one");
    let token = ClaimToken {
        mailbox,
        generation: Generation(3),
    };
    let late = Settlement::Refused {
        reason: "MSRP 415".to_owned(),
    };
    assert_eq!(
        bench.settle(token, number, late).await,
        Settled::AlreadySettled
    );
}

/// The message had gone out already when the operator deleted it.
pub(crate) async fn an_outcome_wins_over_an_order_given_meanwhile<E: Engine>() {
    let bench = Bench::<E>::new();
    let number = bench.mail("bob").await;
    let claim = bench.claim("bob").await;
    bench.take(claim, EVERYTHING).await;
    bench.order(number, Verb::Delete).await.expect("it waits");
    assert_eq!(bench.delivered(claim, number).await, Settled::Settled);
    let message = bench.message(number).await;
    assert_eq!(message.state, State::Delivered);
    assert!(!message.content_retained);
    assert_eq!(
        bench.delivered(claim, number).await,
        Settled::AlreadySettled
    );
    let after = bench
        .take_after(claim, Sequence::default(), EVERYTHING)
        .await;
    assert!(after.is_empty());
}
