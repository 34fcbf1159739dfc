//! Suspended deliveries.

use super::bench::{Bench, Engine, MINUTE, START, address};
use crate::model::{SUSPENSIONS_MAX, Suspended, Suspension};
use crate::store::StoreError;
use crate::suspension::SuspensionStore;

fn suspension(target: Suspended, minutes: u32) -> Suspension {
    Suspension {
        target,
        since: START,
        until: START.after(minutes * MINUTE),
        actor: "operator".to_owned(),
        reason: "loops".to_owned(),
    }
}

fn domain(name: &str) -> Suspended {
    Suspended::Domain(name.to_owned())
}

impl<E: Engine> Bench<E> {
    async fn suspend(&self, suspension: &Suspension) {
        let suspended = self.store().suspend(suspension.clone()).await;
        suspended.expect("there is room");
    }

    async fn suspended(&self) -> Vec<Suspension> {
        self.store().suspensions().await.expect("the store answers")
    }
}

pub(crate) async fn a_suspension_survives_and_ends_by_itself<E: Engine>() {
    let bench = Bench::<E>::new();
    let bob = suspension(Suspended::User(address("bob")), 5);
    let net = suspension(domain("example.net"), 10);
    bench.suspend(&net).await;
    bench.suspend(&bob).await;
    let bench = bench.reopen().await;
    assert_eq!(bench.suspended().await, [bob, net.clone()]);
    bench.clock.advance(5 * MINUTE);
    assert_eq!(bench.suspended().await, [net]);
    bench.clock.advance(5 * MINUTE);
    assert_eq!(bench.suspended().await, []);
}

pub(crate) async fn a_later_suspension_replaces_that_of_its_target<E: Engine>() {
    let bench = Bench::<E>::new();
    let target = Suspended::User(address("bob"));
    bench.suspend(&suspension(target.clone(), 5)).await;
    let longer = suspension(target, 60);
    bench.suspend(&longer).await;
    assert_eq!(bench.suspended().await, [longer]);
}

pub(crate) async fn a_cancelled_suspension_is_over<E: Engine>() {
    let bench = Bench::<E>::new();
    let target = domain("example.net");
    let net = suspension(target.clone(), 5);
    bench.suspend(&net).await;
    let cancel = || bench.store().cancel_suspension(target.clone());
    let cancelled = cancel().await.expect("the store answers");
    assert_eq!(cancelled.map(|ended| ended.into_inner()), Some(net));
    assert_eq!(cancel().await.expect("the store answers"), None);
    let bench = bench.reopen().await;
    assert_eq!(bench.suspended().await, []);
}

pub(crate) async fn there_are_only_so_many_suspensions<E: Engine>() {
    let bench = Bench::<E>::new();
    for number in 0..SUSPENSIONS_MAX {
        bench
            .suspend(&suspension(domain(&format!("{number}.example")), 5))
            .await;
    }
    let one_more = suspension(domain("more.example"), 5);
    let refused = bench.store().suspend(one_more.clone()).await;
    assert!(matches!(refused, Err(StoreError::Precondition { .. })));
    bench.clock.advance(5 * MINUTE);
    let later = Suspension {
        until: START.after(20 * MINUTE),
        ..one_more
    };
    bench.suspend(&later).await;
    assert_eq!(bench.suspended().await, [later]);
}
