//! Deposits as triggers (DLV-17): finds out which of them are for registered users.

use std::collections::HashSet;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use storage::model::Address;
use storage::{Store, StoreError};
use tokio::sync::mpsc;

use super::handle::Scheduler;
use super::start::is_reachable;

/// Deposits that may wait to be looked at.
const BUFFER: usize = 65_536;

/// Deposits looked at together, so that those of one user cost one look.
const AT_ONCE: usize = 4_096;

/// Where deposits are told; never waits. What finds no room is made good by looking through the
/// store.
#[derive(Clone, Debug)]
pub(crate) struct DepositWatch {
    deposits: mpsc::Sender<Address>,
    overflowed: Arc<AtomicBool>,
}

impl DepositWatch {
    /// Starts the look-out; it ends when the last handle is dropped.
    pub(crate) fn start<S: Store>(store: Arc<S>, scheduler: Scheduler) -> Self {
        let (deposits, receiver) = mpsc::channel(BUFFER);
        let overflowed = Arc::new(AtomicBool::new(false));
        tokio::spawn(watch(store, scheduler, receiver, Arc::clone(&overflowed)));
        Self {
            deposits,
            overflowed,
        }
    }

    /// A message for this served user was stored.
    pub(crate) fn deposited(&self, served_user: Address) {
        if self.deposits.try_send(served_user).is_err() {
            self.overflowed.store(true, Ordering::Release);
        }
    }
}

async fn watch<S: Store>(
    store: Arc<S>,
    scheduler: Scheduler,
    mut deposits: mpsc::Receiver<Address>,
    overflowed: Arc<AtomicBool>,
) {
    let mut batch = Vec::new();
    while deposits.recv_many(&mut batch, AT_ONCE).await > 0 {
        let users: HashSet<Address> = batch.drain(..).collect();
        for user in users {
            if let Err(error) = look(&*store, &scheduler, user).await {
                tracing::debug!(%error, "deposit not looked at");
                overflowed.store(true, Ordering::Release);
            }
        }
        if deposits.is_empty() && overflowed.swap(false, Ordering::AcqRel) {
            scheduler.rescan().await;
        }
    }
}

async fn look<S: Store>(store: &S, scheduler: &Scheduler, user: Address) -> Result<(), StoreError> {
    let Some(mailbox) = store.mailbox(user).await? else {
        return Ok(());
    };
    if is_reachable(&store.registration(mailbox).await?) {
        scheduler.deposited(mailbox).await;
    }
    Ok(())
}
