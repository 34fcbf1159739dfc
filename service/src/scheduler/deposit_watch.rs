//! Deposits for registered users as triggers (DLV-17): finds out which of them can be reached.

use std::collections::HashSet;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use storage::model::Address;
use storage::{Store, StoreError};
use tokio::sync::mpsc;

use super::handle::Scheduler;
use super::unreachable::Unreachable;

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
    unreachable: Unreachable,
}

impl DepositWatch {
    /// Starts the look-out; it ends when the last handle is dropped.
    pub(crate) fn start<S: Store>(store: Arc<S>, scheduler: Scheduler) -> Self {
        let (deposits, receiver) = mpsc::channel(BUFFER);
        let watch = Self {
            deposits,
            overflowed: Arc::default(),
            unreachable: Unreachable::default(),
        };
        let look_out = LookOut {
            store,
            scheduler,
            overflowed: Arc::clone(&watch.overflowed),
            unreachable: watch.unreachable.clone(),
        };
        tokio::spawn(look_out.run(receiver));
        watch
    }

    /// Who has to be told of registrations.
    pub(crate) fn unreachable(&self) -> Unreachable {
        self.unreachable.clone()
    }

    /// A message for this served user, who is registered, was stored. A user who is not is
    /// planned for by his REGISTER.
    pub(crate) fn deposited(&self, served_user: Address) {
        if self.deposits.try_send(served_user).is_err() {
            self.overflowed.store(true, Ordering::Release);
        }
    }
}

/// The other end.
struct LookOut<S> {
    store: Arc<S>,
    scheduler: Scheduler,
    overflowed: Arc<AtomicBool>,
    unreachable: Unreachable,
}

impl<S: Store> LookOut<S> {
    async fn run(self, mut deposits: mpsc::Receiver<Address>) {
        let mut batch = Vec::new();
        while deposits.recv_many(&mut batch, AT_ONCE).await > 0 {
            let users: HashSet<Address> = batch.drain(..).collect();
            for user in users {
                if let Err(error) = self.look(user).await {
                    tracing::debug!(%error, "deposit not looked at");
                    self.overflowed.store(true, Ordering::Release);
                }
            }
            if deposits.is_empty() && self.overflowed.swap(false, Ordering::AcqRel) {
                self.scheduler.rescan().await;
            }
        }
    }

    async fn look(&self, user: Address) -> Result<(), StoreError> {
        let Some(mailbox) = self.store.mailbox(user).await? else {
            return Ok(());
        };
        if self.unreachable.contains(mailbox) {
            return Ok(());
        }
        let epoch = self.unreachable.epoch();
        let registered = self.store.registration(mailbox).await?;
        match self.scheduler.is_reachable(&registered) {
            true => self.scheduler.deposited(mailbox).await,
            false => self.unreachable.insert(mailbox, epoch),
        }
        Ok(())
    }
}
