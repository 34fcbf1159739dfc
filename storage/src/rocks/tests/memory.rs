//! P9: a registration of a user with nothing stored costs no disk read.

use crate::battery::{Bench, START, registration};
use crate::column_family::Family;
use crate::config::StoreConfig;
use crate::rocks::tests::OnDisk;
use crate::store::Store;

fn write_out_memtables(bench: &Bench<OnDisk>) {
    let rocks = bench.store().shared.database.rocks();
    for family in Family::ALL {
        let family = rocks.cf_handle(family.name()).expect("it is made");
        rocks.flush_cf(family).expect("there is place");
    }
}

#[tokio::test]
async fn registrations_with_nothing_stored_read_no_disk() {
    let bench = Bench::<OnDisk>::new();
    let users: Vec<_> = (0..300).map(|user| format!("user{user}")).collect();
    for user in &users[..100] {
        bench
            .register(registration(user, "sip:a@1", 1))
            .await
            .expect("it is new");
    }
    for user in &users[100..200] {
        bench.mail(user).await;
        bench.deliver_all(user).await;
    }
    write_out_memtables(&bench);
    let bench = bench.reopen().await;
    for user in &users {
        let registered = bench.register(registration(user, "sip:a@1", 2)).await;
        assert!(!registered.expect("it is in order").has_waiting);
    }
    assert_eq!(bench.store().disk_reads(), 0);
}

/// The counter that the test above relies on does count.
#[tokio::test]
async fn a_deposit_into_a_cold_mailbox_reads_the_disk_on_a_blocking_thread() {
    let bench = Bench::<OnDisk>::with(StoreConfig {
        cache_octets: 0,
        ..StoreConfig::default()
    });
    bench.mail("bob").await;
    write_out_memtables(&bench);
    let bench = bench.reopen().await;
    bench.mail("bob").await;
    assert_eq!(bench.store().disk_reads(), 1);
    bench.mail("bob").await;
    assert_eq!(bench.store().disk_reads(), 1, "it is in memory now");
}

#[tokio::test]
async fn a_reopened_store_knows_what_waits() {
    let bench = Bench::<OnDisk>::new();
    bench
        .register(registration("bob", "sip:a@1", 1))
        .await
        .expect("it is new");
    bench.mail("bob").await;
    let bench = bench.reopen().await;
    let mailbox = bench.mailbox("bob").await;
    let found = bench.store().reachable_with_waiting(None, 10).await;
    assert_eq!(found, Ok(vec![mailbox]));
    bench.clock.jump_to(START);
    bench.deliver_all("bob").await;
    let found = bench.store().reachable_with_waiting(None, 10).await;
    assert_eq!(found, Ok(Vec::new()));
}

/// What is little and in memory is read without a blocking thread; many messages, and what is on disk
/// alone, with one.
#[tokio::test]
async fn a_take_finds_the_same_wherever_the_messages_are() {
    let bench = Bench::<OnDisk>::with(StoreConfig {
        cache_octets: 0,
        ..StoreConfig::default()
    });
    let mut sent = Vec::new();
    for count in [3, 20] {
        for _ in 0..count {
            sent.push(bench.mail("bob").await);
        }
        let claim = bench.claim("bob").await;
        assert_eq!(bench.take_numbers(claim).await, sent, "in memory");
        bench.release_with(claim, 0, "tried").await;
    }
    let claim = bench.claim("bob").await;
    write_out_memtables(&bench);
    let bench = bench.reopen().await;
    assert_eq!(bench.take_numbers(claim).await, sent, "on disk");
    let account = bench.store().account(claim.mailbox).await;
    assert_eq!(account, Ok(crate::battery::address("bob")));
}
