//! The battery on the model, and its simulated disk.

use std::sync::Arc;
use std::task::{Context, Poll, Waker};

use super::{MemoryStore, Survivors};
use crate::battery::{Engine, letter};
use crate::config::StoreConfig;
use crate::model::{DepositOutcome, ListQuery, ManualClock, SystemClock};
use crate::store::{Store, StoreError};

pub(crate) struct InMemory(MemoryStore);

impl Engine for InMemory {
    type Store = MemoryStore;

    fn open(config: StoreConfig, clock: Arc<ManualClock>) -> Self {
        Self(MemoryStore::new(config, clock))
    }

    fn store(&self) -> &MemoryStore {
        &self.0
    }

    async fn reopen(self) -> Self {
        self.0.restart();
        self
    }

    async fn crash(self) -> Self {
        self.reopen().await
    }
}

crate::battery::battery!(crate::memory::tests::InMemory);

#[tokio::test]
async fn a_held_sync_answers_no_deposit_until_it_is_released() {
    let store = MemoryStore::new(StoreConfig::default(), SystemClock);
    store.hold_syncs();
    let mut deposit = Box::pin(store.deposit(letter("bob")));
    let mut context = Context::from_waker(Waker::noop());
    assert!(deposit.as_mut().poll(&mut context).is_pending());
    store.release_syncs();
    let answered = deposit.as_mut().poll(&mut context);
    assert!(matches!(
        answered,
        Poll::Ready(Ok(DepositOutcome::Stored(_)))
    ));
}

#[tokio::test]
async fn a_failed_sync_latches_the_store() {
    let store = MemoryStore::new(StoreConfig::default(), SystemClock);
    store.fail_syncs();
    for _ in 0..2 {
        let answer = store.deposit(letter("bob")).await;
        assert!(matches!(answer, Err(StoreError::Latched { .. })));
        store.release_syncs();
    }
    assert!(store.unready().is_some());
    assert!(matches!(store.latched().await, StoreError::Latched { .. }));
}

#[tokio::test]
async fn a_closed_store_says_so() {
    let store = MemoryStore::new(StoreConfig::default(), SystemClock);
    store.close().await;
    let answer = store.deposit(letter("bob")).await;
    assert!(matches!(answer, Err(StoreError::Closed)));
}

async fn listed(store: &MemoryStore) -> usize {
    let query = ListQuery {
        page_size: 10,
        ..ListQuery::default()
    };
    store.list(query).await.expect("open").messages.len()
}

#[tokio::test]
async fn a_store_on_a_disk_shows_and_keeps_what_is_synced() {
    let store = MemoryStore::on_disk(StoreConfig::default(), SystemClock, [7; 32]);
    let mut context = Context::from_waker(Waker::noop());
    let mut first = Box::pin(store.deposit(letter("bob")));
    assert!(first.as_mut().poll(&mut context).is_pending());
    store.unsynced().await;
    assert_eq!(listed(&store).await, 0);
    store.begin_sync();
    let mut second = Box::pin(store.deposit(letter("carol")));
    assert!(second.as_mut().poll(&mut context).is_pending());
    store.end_sync();
    assert!(first.as_mut().poll(&mut context).is_ready());
    assert!(second.as_mut().poll(&mut context).is_pending());
    assert_eq!(listed(&store).await, 1);
    let left = |survivors| MemoryStore::open_on_disk(store.die(survivors), SystemClock);
    assert_eq!(listed(&left(Survivors::Synced)).await, 1);
    assert_eq!(listed(&left(Survivors::Written)).await, 2);
    assert!(matches!(
        store.deposit(letter("bob")).await,
        Err(StoreError::Closed)
    ));
}
