//! What one sender may have stored and undelivered over all mailboxes (requirements §3.6).

use super::bench::{Bench, Engine, MINUTE, address, deposit_to, letter};
use crate::config::{SenderLimits, StoreConfig};
use crate::model::{Admission, AdmissionOutcome, Deposit, DepositOutcome, Refusal, Verb};
use crate::store::Store;

fn limited(messages: Option<u64>, octets: Option<u64>) -> StoreConfig {
    StoreConfig {
        sender: SenderLimits { messages, octets },
        ..StoreConfig::default()
    }
}

fn from(sender: &str, user: &str) -> Deposit {
    Deposit {
        sender: Some(address(sender)),
        ..letter(user)
    }
}

async fn is_full<E: Engine>(bench: &Bench<E>, user: &str) -> bool {
    match bench.deposit(letter(user)).await {
        DepositOutcome::Refused(Refusal::SenderLimit { retry_after }) => {
            assert_eq!(retry_after, StoreConfig::default().full_retry_after);
            true
        }
        DepositOutcome::Stored(_) => false,
        other => panic!("{other:?}"),
    }
}

pub(crate) async fn a_sender_has_only_so_many_messages_stored<E: Engine>() {
    let bench = Bench::<E>::with(limited(Some(3), None));
    for user in ["bob", "carol", "dave"] {
        assert!(!is_full(&bench, user).await);
    }
    assert!(is_full(&bench, "erin").await);
    bench.accept(from("mallory", "erin")).await;
}

pub(crate) async fn a_retry_is_answered_whatever_its_sender_has_stored<E: Engine>() {
    let bench = Bench::<E>::with(limited(Some(1), None));
    let first = bench.accept(deposit_to("bob", "a", "hi")).await;
    match bench.deposit(deposit_to("bob", "a", "hi")).await {
        DepositOutcome::Duplicate(receipt) => assert_eq!(*receipt, first),
        other => panic!("not a duplicate: {other:?}"),
    }
}

pub(crate) async fn a_sender_has_only_so_many_octets_stored<E: Engine>() {
    let octets = letter("bob").parts[0].octets.len() as u64;
    let bench = Bench::<E>::with(limited(None, Some(3 * octets)));
    let long = deposit_to("bob", "long", &"x".repeat(10_000));
    let refusal = bench.refuse(long).await;
    assert!(matches!(refusal, Refusal::SenderLimit { .. }));
    assert!(!is_full(&bench, "bob").await);
    assert!(!is_full(&bench, "carol").await);
}

pub(crate) async fn what_is_delivered_or_ends_makes_room<E: Engine>() {
    let bench = Bench::<E>::with(limited(Some(2), None));
    bench.mail("bob").await;
    let deleted = bench.mail("carol").await;
    assert!(is_full(&bench, "bob").await);
    bench.deliver_all("bob").await;
    assert!(!is_full(&bench, "bob").await);
    assert!(is_full(&bench, "bob").await);
    bench.order(deleted, Verb::Delete).await.expect("it waits");
    assert!(!is_full(&bench, "dave").await);
    bench.clock.advance(8 * 24 * 60 * MINUTE);
    bench.sweep().await;
    assert!(!is_full(&bench, "bob").await);
    assert!(!is_full(&bench, "bob").await);
    assert!(is_full(&bench, "bob").await);
}

pub(crate) async fn a_redelivered_message_counts_again<E: Engine>() {
    let bench = Bench::<E>::with(limited(Some(1), None));
    let number = bench.mail("bob").await;
    bench.deliver_all("bob").await;
    bench
        .order(number, Verb::Redeliver)
        .await
        .expect("it was delivered");
    assert!(is_full(&bench, "carol").await);
}

pub(crate) async fn a_held_message_counts<E: Engine>() {
    let bench = Bench::<E>::with(limited(Some(1), None));
    let number = bench.mail("bob").await;
    bench.order(number, Verb::Hold).await.expect("it waits");
    assert!(is_full(&bench, "carol").await);
    bench.order(number, Verb::Unhold).await.expect("it is held");
    assert!(is_full(&bench, "carol").await);
}

pub(crate) async fn exempt_messages_neither_count_nor_are_refused<E: Engine>() {
    let bench = Bench::<E>::with(limited(Some(1), None));
    let exempt = |user| Deposit {
        sender_exempt: true,
        ..letter(user)
    };
    bench.accept(exempt("bob")).await;
    bench.accept(exempt("bob")).await;
    assert!(!is_full(&bench, "bob").await);
    bench.accept(exempt("carol")).await;
    bench.deliver_all("carol").await;
    assert!(is_full(&bench, "carol").await);
    let nobody = Deposit {
        sender: None,
        ..letter("bob")
    };
    bench.accept(nobody).await;
}

pub(crate) async fn counters_of_senders_survive_a_crash<E: Engine>() {
    let bench = Bench::<E>::with(limited(Some(2), None));
    bench.mail("bob").await;
    bench.mail("carol").await;
    let bench = bench.crash().await;
    assert!(is_full(&bench, "bob").await);
    bench.deliver_all("bob").await;
    let bench = bench.crash().await;
    assert!(!is_full(&bench, "bob").await);
    assert!(is_full(&bench, "bob").await);
}

pub(crate) async fn a_sender_who_has_too_much_stored_is_not_admitted<E: Engine>() {
    let bench = Bench::<E>::with(limited(Some(1), Some(10_000)));
    let admit = async |sender_exempt, announced_octets| {
        let admission = Admission {
            served_user: address("bob"),
            sender: Some(address("alice")),
            sender_exempt,
            announced_octets: Some(announced_octets),
            file_transfer: false,
        };
        let outcome = bench.store().admit(admission).await;
        matches!(
            outcome.expect("the store answers"),
            AdmissionOutcome::Admitted { .. }
        )
    };
    assert!(admit(false, 9_000).await);
    assert!(!admit(false, 11_000).await);
    bench.mail("carol").await;
    assert!(!admit(false, 1_000).await);
    assert!(admit(true, 1_000).await);
}
