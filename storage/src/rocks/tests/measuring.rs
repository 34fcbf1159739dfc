//! What the store tells of itself: how many messages wait, since when the oldest does, and in what order that may change.

use crate::battery::legs::job;
use crate::battery::{Bench, MINUTE};
use crate::model::{JobClass, Verb};
use crate::rocks::tests::OnDisk;
use crate::store::Store;

/// Messages that wait, mailboxes that have some, and the age of the oldest in minutes.
fn waiting(bench: &Bench<OnDisk>) -> (u64, u64, Option<u64>) {
    let shared = &bench.store().shared;
    let (messages, mailboxes) = shared.directory.waiting();
    let oldest = shared.oldest_received_at().expect("it can be read");
    let now = shared.times.read().wall;
    let age = oldest.map(|at| now.since(at).as_secs() / MINUTE.as_secs());
    (messages, mailboxes, age)
}

#[tokio::test]
async fn the_oldest_message_that_waits_is_found_whatever_leaves_and_comes_back() {
    let bench = Bench::<OnDisk>::new();
    assert_eq!(waiting(&bench), (0, 0, None));
    let first = bench.mail("bob").await;
    bench.clock.advance(MINUTE);
    let second = bench.mail("carol").await;
    bench.clock.advance(MINUTE);
    bench.mail("carol").await;
    assert_eq!(waiting(&bench), (3, 2, Some(2)));
    bench.order(first, Verb::Hold).await.expect("it waits");
    assert_eq!(waiting(&bench), (2, 1, Some(1)));
    bench.order(first, Verb::Unhold).await.expect("it is held");
    assert_eq!(waiting(&bench), (3, 2, Some(2)));
    bench.deliver_all("bob").await;
    bench.deliver_all("carol").await;
    assert_eq!(waiting(&bench), (0, 0, None));
    bench.clock.advance(MINUTE);
    bench
        .order(second, Verb::Redeliver)
        .await
        .expect("retained");
    assert_eq!(waiting(&bench), (1, 1, Some(2)));
    let bench = bench.reopen().await;
    assert_eq!(waiting(&bench), (1, 1, Some(2)));
    bench.store().measure().await;
}

#[tokio::test]
async fn jobs_that_nobody_claims_are_counted_after_a_restart_too() {
    let bench = Bench::<OnDisk>::new();
    let unclaimed = |bench: &Bench<OnDisk>| {
        let shared = &bench.store().shared;
        let counted = shared.jobs_with_unclaimed_legs(JobClass::Pager);
        counted.expect("they can be read")
    };
    assert_eq!(unclaimed(&bench), 0);
    for sender in ["alice", "alice", "bob"] {
        bench.accept_job(job(sender, &["carol", "dave"])).await;
    }
    assert_eq!(unclaimed(&bench), 3);
    let bench = bench.reopen().await;
    assert_eq!(unclaimed(&bench), 3);
}
