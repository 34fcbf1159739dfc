//! Each device gets each message (`delivery.scope = all`, requirements §3.13).

use std::time::Duration;

use super::bench::{
    Bench, EVERYTHING, Engine, MINUTE, START, binding, by_msrp, failed, numbers, registration,
};
use crate::config::{DeliveryScope, Retention, StoreConfig};
use crate::model::{
    Binding, BindingChange, ClaimGrant, ClaimToken, Device, DeviceState, EventKind, MessageNumber,
    PartKind, Registration, Released, Sequence, Settled, Settlement, State, TakeLimit, Verb,
};
use crate::store::{Store, StoreError, Synced};

const DAY: Duration = Duration::from_secs(86_400);

const A: &str = "<urn:uuid:a>";
const B: &str = "<urn:uuid:b>";

fn everywhere<E: Engine>() -> Bench<E> {
    Bench::with(StoreConfig {
        scope: DeliveryScope::All {
            forget_after: 3 * DAY,
        },
        retention: Retention {
            delivered: Duration::ZERO,
            ..Retention::default()
        },
        ..StoreConfig::default()
    })
}

/// A REGISTER of this device of Bob, until then.
fn device(instance: &str, cseq: u32, lifetime: Duration) -> Registration {
    Registration {
        changes: vec![BindingChange::Bind(Binding {
            instance: instance.to_owned(),
            expires_at: START.after(lifetime),
            gruu: format!("sip:bob@example.org;gr={cseq}"),
            ..binding("bob", instance, cseq)
        })],
        ..registration("bob", instance, cseq)
    }
}

async fn register<E: Engine>(bench: &Bench<E>, instance: &str, cseq: u32, lifetime: Duration) {
    let registered = bench.register(device(instance, cseq, lifetime)).await;
    registered.expect("it is in order");
}

async fn take<E: Engine>(
    bench: &Bench<E>,
    claim: ClaimToken,
    instance: &str,
) -> Vec<MessageNumber> {
    let device = Some(Device::new(instance));
    let taken = bench
        .store()
        .take_for(claim, device, Sequence(0), EVERYTHING);
    numbers(&taken.await.expect("the store answers"))
}

async fn settle<E: Engine>(
    bench: &Bench<E>,
    claim: ClaimToken,
    (number, instance): (MessageNumber, &str),
    settlement: Settlement,
) -> Settled {
    let device = Some(Device::new(instance));
    let settled = bench
        .store()
        .acknowledge_for(claim, device, number, settlement);
    settled
        .await
        .map(Synced::into_inner)
        .expect("the store answers")
}

async fn states<E: Engine>(bench: &Bench<E>, number: MessageNumber) -> Vec<(String, DeviceState)> {
    let devices = bench.message(number).await.devices;
    let of = |delivery: &crate::model::DeviceDelivery| {
        (delivery.device.as_str().to_owned(), delivery.state)
    };
    devices.iter().map(of).collect()
}

/// Delivers to one device what it has still to get.
async fn deliver<E: Engine>(bench: &Bench<E>, instance: &str) -> Vec<MessageNumber> {
    let claim = bench.claim("bob").await;
    let numbers = take(bench, claim, instance).await;
    for number in &numbers {
        let settled = settle(bench, claim, (*number, instance), by_msrp()).await;
        assert_eq!(settled, Settled::Settled);
    }
    let last = numbers.last().map_or(0, |number| number.0);
    assert_eq!(bench.release(claim, last).await, Released::Released);
    numbers
}

pub(crate) async fn each_device_gets_each_message_once<E: Engine>() {
    let bench = everywhere::<E>();
    register(&bench, A, 1, DAY).await;
    register(&bench, B, 2, DAY).await;
    let sent = [bench.mail("bob").await, bench.mail("bob").await];
    assert_eq!(deliver(&bench, A).await, sent);
    let bob = bench.mailbox("bob").await;
    let summary = bench.store().summary(bob).await.expect("a mailbox");
    assert_eq!((summary.text.new, summary.octets), (0, 0), "delivered");
    let version = summary.version;
    let bench = bench.reopen().await;
    assert_eq!(bench.message(sent[0]).await.state, State::Delivered);
    assert_eq!(deliver(&bench, B).await, sent);
    let summary = bench.store().summary(bob).await.expect("a mailbox");
    assert_eq!(summary.text, Default::default());
    assert!(summary.version >= version);
    assert_eq!(bench.grant("bob").await, ClaimGrant::Empty);
    for number in sent {
        let done = |device: &str| (device.to_owned(), DeviceState::Delivered);
        assert_eq!(states(&bench, number).await, [done(A), done(B)]);
        let part = bench.store().read_part(number, PartKind::Message, 0, 9);
        assert_eq!(part.await, Err(StoreError::NotFound), "nobody is missing");
    }
}

pub(crate) async fn what_a_device_has_is_not_offered_to_it<E: Engine>() {
    let bench = everywhere::<E>();
    register(&bench, A, 1, DAY).await;
    register(&bench, B, 2, Duration::from_secs(60)).await;
    let number = bench.mail("bob").await;
    bench.clock.advance(2 * MINUTE);
    assert_eq!(deliver(&bench, A).await, [number]);
    assert_eq!(bench.grant("bob").await, ClaimGrant::Empty, "B is away");
    let next = bench.mail("bob").await;
    let claim = bench.claim("bob").await;
    assert_eq!(take(&bench, claim, A).await, [next]);
    assert_eq!(
        settle(&bench, claim, (next, A), by_msrp()).await,
        Settled::Settled
    );
    let again = settle(&bench, claim, (next, A), by_msrp()).await;
    assert_eq!(again, Settled::AlreadySettled);
    assert_eq!(bench.release(claim, next.0).await, Released::Released);
    register(&bench, B, 3, DAY).await;
    assert_eq!(deliver(&bench, B).await, [number, next]);
}

pub(crate) async fn content_stays_for_those_that_are_missing_until_it_expires<E: Engine>() {
    let bench = everywhere::<E>();
    register(&bench, A, 1, 30 * DAY).await;
    register(&bench, B, 2, Duration::from_secs(60)).await;
    let number = bench.mail("bob").await;
    deliver(&bench, A).await;
    bench.clock.advance(2 * DAY);
    bench.sweep().await;
    assert!(bench.message(number).await.content_retained);
    bench.clock.advance(6 * DAY);
    assert_eq!(bench.grant("bob").await, ClaimGrant::Empty);
    bench.sweep().await;
    let message = bench.message(number).await;
    assert!(!message.content_retained);
    assert_eq!(message.state, State::Delivered);
    register(&bench, B, 3, 30 * DAY).await;
    assert_eq!(bench.grant("bob").await, ClaimGrant::Empty);
}

pub(crate) async fn a_device_unseen_for_long_is_not_waited_for<E: Engine>() {
    let bench = everywhere::<E>();
    register(&bench, A, 1, 30 * DAY).await;
    register(&bench, B, 2, Duration::from_secs(60)).await;
    bench.clock.advance(4 * DAY);
    register(&bench, A, 3, 30 * DAY).await;
    let number = bench.mail("bob").await;
    deliver(&bench, A).await;
    assert!(!bench.message(number).await.content_retained);
}

pub(crate) async fn a_new_device_gets_what_is_still_there<E: Engine>() {
    let config = StoreConfig {
        scope: DeliveryScope::All { forget_after: DAY },
        ..StoreConfig::default()
    };
    let bench = Bench::<E>::with(config);
    register(&bench, A, 1, DAY).await;
    let number = bench.mail("bob").await;
    assert_eq!(deliver(&bench, A).await, [number]);
    assert_eq!(bench.grant("bob").await, ClaimGrant::Empty);
    register(&bench, B, 2, DAY).await;
    assert_eq!(deliver(&bench, B).await, [number]);
    assert_eq!(bench.grant("bob").await, ClaimGrant::Empty);
}

pub(crate) async fn what_one_device_refuses_another_may_take<E: Engine>() {
    let bench = everywhere::<E>();
    register(&bench, A, 1, DAY).await;
    register(&bench, B, 2, DAY).await;
    let number = bench.mail("bob").await;
    let claim = bench.claim("bob").await;
    assert_eq!(take(&bench, claim, A).await, [number]);
    let refused = Settlement::Refused {
        reason: "MESSAGE 603".to_owned(),
    };
    assert_eq!(
        settle(&bench, claim, (number, A), refused).await,
        Settled::Settled
    );
    assert_eq!(bench.message(number).await.state, State::Stored);
    assert!(take(&bench, claim, A).await.is_empty());
    assert_eq!(take(&bench, claim, B).await, [number]);
    assert_eq!(
        settle(&bench, claim, (number, B), by_msrp()).await,
        Settled::Settled
    );
    let message = bench.message(number).await;
    assert_eq!(message.state, State::Delivered);
    let expected = [
        (A.to_owned(), DeviceState::Refused),
        (B.to_owned(), DeviceState::Delivered),
    ];
    assert_eq!(states(&bench, number).await, expected);
    assert_eq!(message.devices[0].reason, "MESSAGE 603");
    let last = bench.events(number).await.pop();
    assert_eq!(last, Some(EventKind::Delivered));
}

pub(crate) async fn a_message_that_all_devices_refuse_is_refused<E: Engine>() {
    let bench = everywhere::<E>();
    register(&bench, A, 1, DAY).await;
    register(&bench, B, 2, DAY).await;
    let number = bench.mail("bob").await;
    for (cseq, round) in (3..).zip(0..3) {
        let claim = bench.claim("bob").await;
        for instance in [A, B] {
            assert_eq!(take(&bench, claim, instance).await, [number]);
            assert_eq!(
                bench.message(number).await.state,
                State::Claimed,
                "round {round}"
            );
            settle(&bench, claim, (number, instance), failed(true)).await;
        }
        bench.release(claim, number.0).await;
        register(&bench, A, cseq, DAY).await;
    }
    let message = bench.message(number).await;
    assert_eq!((message.state, message.attempts), (State::Refused, 6));
    assert_eq!(bench.events(number).await.pop(), Some(EventKind::Refused));
    assert_eq!(bench.grant("bob").await, ClaimGrant::Empty);
}

pub(crate) async fn something_newer_for_any_device_asks_to_look_again<E: Engine>() {
    let bench = everywhere::<E>();
    register(&bench, A, 1, DAY).await;
    register(&bench, B, 2, DAY).await;
    let first = bench.mail("bob").await;
    let claim = bench.claim("bob").await;
    for instance in [A, B] {
        settle(&bench, claim, (first, instance), by_msrp()).await;
    }
    let next = bench.mail("bob").await;
    assert_eq!(bench.release(claim, first.0).await, Released::LookAgain);
    assert_eq!(take(&bench, claim, A).await, [next]);
    assert_eq!(bench.release(claim, next.0).await, Released::Released);
}

/// What waits for a device that does not answer is no reason to look again for the others.
pub(crate) async fn a_device_that_fails_does_not_keep_the_mailbox_from_its_release<E: Engine>() {
    let bench = everywhere::<E>();
    register(&bench, A, 1, DAY).await;
    register(&bench, B, 2, DAY).await;
    let first = bench.mail("bob").await;
    assert_eq!(deliver(&bench, B).await, [first]);
    let claim = bench.claim("bob").await;
    assert_eq!(take(&bench, claim, A).await, [first]);
    settle(&bench, claim, (first, A), failed(false)).await;
    assert_eq!(take(&bench, claim, B).await, []);
    let next = bench.mail("bob").await;
    assert_eq!(bench.release(claim, 0).await, Released::LookAgain);
    assert_eq!(take(&bench, claim, B).await, [next]);
    settle(&bench, claim, (next, B), by_msrp()).await;
    assert_eq!(bench.release(claim, next.0).await, Released::Released);
    let claim = bench.claim("bob").await;
    assert_eq!(take(&bench, claim, A).await, [first, next]);
    assert_eq!(take(&bench, claim, B).await, []);
    assert_eq!(bench.release(claim, 0).await, Released::Released);
}

/// As after `delivery.scope` was `all`: rows of delivered messages whose content is retained.
pub(crate) async fn what_is_delivered_is_nobodys_where_the_first_device_gets_all<E: Engine>() {
    let bench = Bench::<E>::new();
    register(&bench, A, 1, DAY).await;
    register(&bench, B, 2, DAY).await;
    for _ in 0..3 {
        bench.mail("bob").await;
    }
    deliver(&bench, A).await;
    assert_eq!(bench.grant("bob").await, ClaimGrant::Empty);
    let next = bench.mail("bob").await;
    let claim = bench.claim("bob").await;
    let two = TakeLimit {
        messages: 2,
        ..EVERYTHING
    };
    assert_eq!(numbers(&bench.take(claim, two).await), [next]);
    assert_eq!(bench.delivered(claim, next).await, Settled::Settled);
    assert_eq!(bench.release(claim, 0).await, Released::Released);
}

/// As after `delivery.scope` was `first`: nobody is remembered from before.
pub(crate) async fn a_device_that_is_bound_is_missing_though_it_was_not_seen_for_long<E: Engine>() {
    let bench = Bench::<E>::with(StoreConfig {
        scope: DeliveryScope::All {
            forget_after: MINUTE,
        },
        ..StoreConfig::default()
    });
    register(&bench, A, 1, DAY).await;
    register(&bench, B, 2, DAY).await;
    bench.clock.advance(2 * MINUTE);
    let number = bench.mail("bob").await;
    let claim = bench.claim("bob").await;
    assert_eq!(take(&bench, claim, A).await, [number]);
    let refused = Settlement::Refused {
        reason: "MESSAGE 603".to_owned(),
    };
    settle(&bench, claim, (number, A), refused).await;
    assert_eq!(bench.message(number).await.state, State::Stored);
    assert_eq!(take(&bench, claim, B).await, [number]);
}

pub(crate) async fn a_redelivered_message_goes_to_each_device_again<E: Engine>() {
    let config = StoreConfig {
        scope: DeliveryScope::All { forget_after: DAY },
        ..StoreConfig::default()
    };
    let bench = Bench::<E>::with(config);
    register(&bench, A, 1, DAY).await;
    register(&bench, B, 2, DAY).await;
    let number = bench.mail("bob").await;
    deliver(&bench, A).await;
    let again = bench.order(number, Verb::Redeliver).await;
    assert_eq!(again.expect("it is retained").devices, []);
    assert_eq!(deliver(&bench, B).await, [number]);
    assert_eq!(deliver(&bench, A).await, [number]);
}

pub(crate) async fn devices_survive_a_crash<E: Engine>() {
    let bench = everywhere::<E>();
    register(&bench, A, 1, DAY).await;
    register(&bench, B, 2, DAY).await;
    let number = bench.mail("bob").await;
    let claim = bench.claim("bob").await;
    take(&bench, claim, A).await;
    settle(&bench, claim, (number, A), by_msrp()).await;
    let bench = bench.crash().await;
    let bob = bench.mailbox("bob").await;
    let registered = bench.store().registration(bob).await.expect("an account");
    let gruus: Vec<_> = registered
        .bindings
        .iter()
        .map(|b| b.gruu.as_str())
        .collect();
    assert_eq!(
        gruus,
        ["sip:bob@example.org;gr=1", "sip:bob@example.org;gr=2"]
    );
    assert!(take(&bench, claim, A).await.is_empty());
    assert_eq!(take(&bench, claim, B).await, [number]);
    assert_eq!(
        settle(&bench, claim, (number, B), by_msrp()).await,
        Settled::Settled
    );
}
