//! Requirements §3.14.

use super::bench::{Bench, EVERYTHING, Engine, MINUTE, START, address};
use crate::model::{
    ClaimGrant, ClaimToken, EventKind, MessageNumber, PartKind, Recall, RecallOutcome, State,
    StoredMessage, UnixMillis, Verb,
};
use crate::store::{Store, StoreError};

fn recall(number: MessageNumber) -> Recall {
    Recall {
        number,
        sender: address("alice"),
        expires_at: None,
        actor: "sender".to_owned(),
        reason: "sent too early".to_owned(),
        withdrawn: None,
    }
}

async fn ask<E: Engine>(bench: &Bench<E>, recall: Recall) -> Result<RecallOutcome, StoreError> {
    bench.store().recall(recall).await
}

async fn done<E: Engine>(bench: &Bench<E>, recall: Recall) -> StoredMessage {
    match ask(bench, recall).await {
        Ok(RecallOutcome::Done(message)) => message.into_inner(),
        other => panic!("not done: {other:?}"),
    }
}

async fn claimed_by<E: Engine>(bench: &Bench<E>, recall: Recall) -> ClaimToken {
    match ask(bench, recall).await {
        Ok(RecallOutcome::Claimed(claimant)) => claimant.claim,
        other => panic!("not claimed: {other:?}"),
    }
}

fn refused(answer: &Result<RecallOutcome, StoreError>) -> bool {
    matches!(answer, Err(StoreError::Precondition { .. }))
}

pub(crate) async fn a_sender_takes_back_what_has_not_gone_out<E: Engine>() {
    let bench = Bench::<E>::new();
    let (number, held) = (bench.mail("bob").await, bench.mail("bob").await);
    bench.order(held, Verb::Hold).await.expect("it waits");
    let bob = bench.mailbox("bob").await;
    let before = bench.store().summary(bob).await.expect("a mailbox");
    let message = done(&bench, recall(number)).await;
    assert_eq!(message.state, State::Recalled);
    assert_eq!(message.reason, "sent too early");
    assert!(!message.content_retained);
    assert_eq!(done(&bench, recall(held)).await.state, State::Recalled);
    let bench = bench.reopen().await;
    let kinds = [EventKind::Deposited, EventKind::Recalled];
    assert_eq!(bench.events(number).await, kinds);
    let content = bench
        .store()
        .read_part(number, PartKind::Message, 0, 9)
        .await;
    assert_eq!(content, Err(StoreError::NotFound));
    let after = bench.store().summary(bob).await.expect("a mailbox");
    assert_eq!((after.text.new, after.octets), (0, 0));
    assert!(after.version > before.version);
    assert_eq!(bench.grant("bob").await, ClaimGrant::Empty);
}

pub(crate) async fn nobody_else_recalls_a_message<E: Engine>() {
    let bench = Bench::<E>::new();
    let number = bench.mail("bob").await;
    let others = Recall {
        sender: address("carol"),
        ..recall(number)
    };
    let unknown = recall(MessageNumber(1));
    for wish in [others, unknown] {
        let shorter = Recall {
            expires_at: Some(START.after(MINUTE)),
            ..wish.clone()
        };
        assert_eq!(ask(&bench, wish).await, Err(StoreError::NotFound));
        assert_eq!(ask(&bench, shorter).await, Err(StoreError::NotFound));
    }
    assert_eq!(bench.message(number).await.state, State::Stored);
}

pub(crate) async fn what_is_settled_is_not_recalled<E: Engine>() {
    let bench = Bench::<E>::new();
    let (delivered, recalled) = (bench.mail("bob").await, bench.mail("carol").await);
    bench.deliver_all("bob").await;
    done(&bench, recall(recalled)).await;
    for number in [delivered, recalled] {
        let events = bench.events(number).await;
        assert!(refused(&ask(&bench, recall(number)).await));
        assert_eq!(bench.events(number).await, events);
    }
}

pub(crate) async fn a_claimed_message_is_recalled_once_its_edge_has_promised<E: Engine>() {
    let bench = Bench::<E>::new();
    let (number, next) = (bench.mail("bob").await, bench.mail("bob").await);
    let claim = bench.claim("bob").await;
    assert_eq!(claimed_by(&bench, recall(number)).await, claim);
    assert_eq!(bench.message(number).await.state, State::Stored);
    let promised = Recall {
        withdrawn: Some(claim),
        ..recall(number)
    };
    assert_eq!(done(&bench, promised).await.state, State::Recalled);
    assert_eq!(bench.take_numbers(claim).await, [next]);
    bench.clock.advance(2 * MINUTE);
    assert_eq!(done(&bench, recall(next)).await.state, State::Recalled);
}

pub(crate) async fn a_promise_under_an_older_claim_counts_for_nothing<E: Engine>() {
    let bench = Bench::<E>::new();
    let number = bench.mail("bob").await;
    let old = bench.claim("bob").await;
    bench.clock.advance(2 * MINUTE);
    let new = bench.claim("bob").await;
    let promised = Recall {
        withdrawn: Some(old),
        ..recall(number)
    };
    assert_eq!(claimed_by(&bench, promised).await, new);
    assert_eq!(bench.take(new, EVERYTHING).await.len(), 1);
}

pub(crate) async fn a_lifetime_is_shortened_only<E: Engine>() {
    let bench = Bench::<E>::new();
    let number = bench.mail("bob").await;
    let end = bench.message(number).await.envelope.expires_at;
    let until = |expires_at| Recall {
        expires_at: Some(expires_at),
        ..recall(number)
    };
    for expires_at in [START, end, UnixMillis(end.0 + 1)] {
        assert!(refused(&ask(&bench, until(expires_at)).await));
    }
    assert_eq!(bench.message(number).await.envelope.expires_at, end);
}

pub(crate) async fn a_shortened_lifetime_ends_then<E: Engine>() {
    let bench = Bench::<E>::new();
    let (number, later) = (bench.mail("bob").await, bench.mail("bob").await);
    let bob = bench.mailbox("bob").await;
    let before = bench.store().summary(bob).await.expect("a mailbox");
    let end = START.after(MINUTE);
    let shorter = Recall {
        expires_at: Some(end),
        ..recall(number)
    };
    let message = done(&bench, shorter).await;
    assert_eq!(
        (message.state, message.envelope.expires_at),
        (State::Stored, end)
    );
    let after = bench.store().summary(bob).await.expect("a mailbox");
    assert!(after.version > before.version);
    let bench = bench.reopen().await;
    assert_eq!(bench.message(number).await.envelope.expires_at, end);
    bench.clock.advance(2 * MINUTE);
    let claim = bench.claim("bob").await;
    assert_eq!(bench.take_numbers(claim).await, [later]);
    assert_eq!(bench.sweep().await.expired, [number]);
    assert_eq!(bench.message(number).await.state, State::Expired);
    let kinds = [
        EventKind::Deposited,
        EventKind::ExpiryShortened,
        EventKind::Expired,
    ];
    assert_eq!(bench.events(number).await, kinds);
}

pub(crate) async fn a_claimant_is_named_while_its_lease_lives<E: Engine>() {
    let bench = Bench::<E>::new();
    bench.mail("bob").await;
    let bob = bench.mailbox("bob").await;
    assert_eq!(bench.store().claimant(bob).await, Ok(None));
    let claim = bench.claim("bob").await;
    let claimant = bench
        .store()
        .claimant(bob)
        .await
        .expect("the store answers");
    assert_eq!(claimant.map(|claimant| claimant.claim), Some(claim));
    bench.clock.advance(2 * MINUTE);
    assert_eq!(bench.store().claimant(bob).await, Ok(None));
}
