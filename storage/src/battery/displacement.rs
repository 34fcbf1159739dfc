//! A full mailbox that drops its oldest messages (requirements §3.6).

use super::bench::{Bench, EVERYTHING, Engine, MINUTE, address, letter, numbers};
use crate::config::{MailboxFull, Quota, StoreConfig};
use crate::model::{
    Admission, AdmissionOutcome, Class, Deposit, DepositOutcome, EventKind, MessageNumber,
    Priority, Refusal, Sequence, Settled, State, TakeLimit, Verb,
};
use crate::store::Store;

fn dropping(messages: u64, octets: u64, imdn: u64) -> StoreConfig {
    StoreConfig {
        mailbox_full: MailboxFull::DropOldest,
        quota: Quota {
            messages,
            octets,
            imdn,
        },
        ..StoreConfig::default()
    }
}

fn urgent(user: &str) -> Deposit {
    Deposit {
        priority: Priority::Urgent,
        ..letter(user)
    }
}

async fn state<E: Engine>(bench: &Bench<E>, number: MessageNumber) -> State {
    bench.message(number).await.state
}

pub(crate) async fn the_oldest_makes_way_in_a_full_mailbox<E: Engine>() {
    let bench = Bench::<E>::with(dropping(2, 1 << 20, 200));
    let first = bench.mail("bob").await;
    let second = bench.mail("bob").await;
    let third = bench.mail("bob").await;
    let gone = bench.message(first).await;
    assert_eq!(gone.state, State::Deleted);
    assert!(gone.reason.starts_with("mailbox full"), "{}", gone.reason);
    assert!(!gone.content_retained);
    let told = [EventKind::Deposited, EventKind::Dropped];
    assert_eq!(bench.events(first).await, told);
    let summary = bench.store().summary(bench.mailbox("bob").await).await;
    assert_eq!(summary.expect("it is there").text.new, 2);
    assert_eq!(bench.deliver_all("bob").await, [second, third]);
}

pub(crate) async fn urgent_messages_make_way_after_all_others<E: Engine>() {
    let bench = Bench::<E>::with(dropping(2, 1 << 20, 200));
    let first = bench.accept(urgent("bob")).await.id.number;
    let second = bench.mail("bob").await;
    let third = bench.accept(urgent("bob")).await.id.number;
    assert_eq!(state(&bench, second).await, State::Deleted);
    assert_eq!(state(&bench, first).await, State::Stored);
    // Nothing but urgent messages: another one drops the oldest, an ordinary one none.
    let refusal = bench.refuse(letter("bob")).await;
    assert!(matches!(refusal, Refusal::MailboxFull { .. }));
    bench.accept(urgent("bob")).await;
    assert_eq!(state(&bench, first).await, State::Deleted);
    assert_eq!(state(&bench, third).await, State::Stored);
}

pub(crate) async fn kinds_make_way_for_their_own<E: Engine>() {
    let bench = Bench::<E>::with(dropping(1, 1 << 20, 1));
    let notification = || Deposit {
        class: Class::Imdn,
        ..letter("bob")
    };
    let message = bench.mail("bob").await;
    let first = bench.accept(notification()).await.id.number;
    let second = bench.accept(notification()).await.id.number;
    assert_eq!(state(&bench, message).await, State::Stored);
    assert_eq!(state(&bench, first).await, State::Deleted);
    bench.mail("bob").await;
    assert_eq!(state(&bench, message).await, State::Deleted);
    assert_eq!(state(&bench, second).await, State::Stored);
}

pub(crate) async fn so_many_make_way_as_octets_are_missing<E: Engine>() {
    let one = letter("bob").parts[0].octets.len() as u64;
    let bench = Bench::<E>::with(dropping(1_000, 4 * one, 200));
    let mut all = Vec::new();
    for _ in 0..4 {
        all.push(bench.mail("bob").await);
    }
    let long = super::deposit_to("bob", "long", &"x".repeat(100));
    bench.accept(long).await;
    let mut states = Vec::new();
    for number in all {
        states.push(state(&bench, number).await);
    }
    let dropped = states.iter().filter(|state| **state == State::Deleted);
    let dropped = dropped.count();
    assert!((1..4).contains(&dropped), "{states:?}");
    assert!(
        states[..dropped]
            .iter()
            .all(|state| *state == State::Deleted)
    );
    let never = super::deposit_to("bob", "too long", &"x".repeat(10_000));
    let refusal = bench.refuse(never).await;
    assert!(matches!(refusal, Refusal::MailboxFull { .. }));
}

pub(crate) async fn held_messages_do_not_make_way<E: Engine>() {
    let bench = Bench::<E>::with(dropping(2, 1 << 20, 200));
    let held = bench.mail("bob").await;
    bench.order(held, Verb::Hold).await.expect("it waits");
    let second = bench.mail("bob").await;
    bench.mail("bob").await;
    assert_eq!(state(&bench, held).await, State::Held);
    assert_eq!(state(&bench, second).await, State::Deleted);
}

pub(crate) async fn a_message_on_its_way_does_not_make_way<E: Engine>() {
    let bench = Bench::<E>::with(dropping(2, 1 << 20, 200));
    let first = bench.mail("bob").await;
    let second = bench.mail("bob").await;
    let claim = bench.claim("bob").await;
    let one = TakeLimit {
        messages: 1,
        ..EVERYTHING
    };
    assert_eq!(numbers(&bench.take(claim, one).await), [first]);
    let third = bench.mail("bob").await;
    assert_eq!(state(&bench, second).await, State::Deleted);
    let taken = bench.take_after(claim, Sequence(first.0), EVERYTHING).await;
    assert_eq!(numbers(&taken), [third]);
    let refusal = bench.refuse(letter("bob")).await;
    assert!(matches!(refusal, Refusal::MailboxFull { .. }));
    // Nobody renews the lease: what became of its messages may never be known.
    bench.clock.advance(MINUTE);
    bench.mail("bob").await;
    assert_eq!(state(&bench, first).await, State::Deleted);
    assert_eq!(bench.delivered(claim, first).await, Settled::Settled);
    assert_eq!(state(&bench, first).await, State::Delivered);
}

pub(crate) async fn other_kinds_do_not_hide_what_makes_way<E: Engine>() {
    let bench = Bench::<E>::with(dropping(2, 1 << 20, 200));
    for _ in 0..70 {
        let notification = Deposit {
            class: Class::Imdn,
            ..letter("bob")
        };
        bench.accept(notification).await;
    }
    let first = bench.mail("bob").await;
    let second = bench.accept(urgent("bob")).await.id.number;
    let third = bench.accept(urgent("bob")).await.id.number;
    assert_eq!(state(&bench, first).await, State::Deleted);
    bench.accept(urgent("bob")).await;
    assert_eq!(state(&bench, second).await, State::Deleted);
    assert_eq!(state(&bench, third).await, State::Stored);
    let summary = bench.store().summary(bench.mailbox("bob").await).await;
    assert_eq!(summary.expect("it is there").imdn, 70);
}

/// It may never become a message, and makes its place when it does.
pub(crate) async fn an_upload_under_way_displaces_nothing<E: Engine>() {
    let bench = Bench::<E>::with(dropping(2, 1 << 20, 200));
    let first = bench.mail("bob").await;
    let admission = Admission {
        served_user: address("bob"),
        sender: Some(address("alice")),
        sender_exempt: false,
        announced_octets: Some(1 << 20),
        file_transfer: false,
    };
    let admitted = bench.store().admit(admission).await;
    assert!(matches!(admitted, Ok(AdmissionOutcome::Admitted { .. })));
    bench.mail("bob").await;
    assert_eq!(state(&bench, first).await, State::Stored);
    bench.mail("bob").await;
    assert_eq!(state(&bench, first).await, State::Deleted);
}

pub(crate) async fn a_crowd_in_a_full_mailbox_leaves_it_full<E: Engine>() {
    let bench = Bench::<E>::with(dropping(3, 1 << 20, 200));
    let crowd = (0..40).map(|_| bench.deposit(letter("bob")));
    for outcome in futures_util::future::join_all(crowd).await {
        assert!(matches!(outcome, DepositOutcome::Stored(_)), "{outcome:?}");
    }
    assert_eq!(bench.deliver_all("bob").await.len(), 3);
}

pub(crate) async fn a_redelivered_message_makes_way_by_its_age<E: Engine>() {
    let bench = Bench::<E>::with(dropping(2, 1 << 20, 200));
    let first = bench.mail("bob").await;
    assert_eq!(bench.deliver_all("bob").await, [first]);
    let mut later = Vec::new();
    for _ in 0..4 {
        later.push(bench.mail("bob").await);
    }
    let again = bench.order(first, Verb::Redeliver).await;
    again.expect("it is retained");
    let last = bench.mail("bob").await;
    assert_eq!(state(&bench, first).await, State::Deleted);
    assert_eq!(state(&bench, later[2]).await, State::Deleted);
    assert_eq!(bench.deliver_all("bob").await, [later[3], last]);
}
