//! What waits to be told to one edge: sets, so that it is bounded by what the edge owns.

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::sync::{Mutex, MutexGuard, PoisonError};

use storage::model::{MailboxId, SubscriptionId};
use tokio::sync::Notify;

use super::roster::Task;

/// Everything for one edge.
#[derive(Debug, Default)]
pub(super) struct EdgeQueue {
    state: Mutex<State>,
    filled: Notify,
}

#[derive(Debug, Default)]
struct State {
    adopt: VecDeque<SubscriptionId>,
    forget: BTreeSet<SubscriptionId>,
    /// Mailboxes that have changed, and whether to remind their subscribers.
    look: BTreeMap<MailboxId, bool>,
}

/// Some of it.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Batch {
    Adopt(SubscriptionId),
    Forget(SubscriptionId),
    Look(Vec<(MailboxId, bool)>),
}

impl EdgeQueue {
    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(super) fn push(&self, task: Task) {
        let mut state = self.lock();
        match task {
            Task::Adopt(id) => state.adopt.push_back(id),
            Task::Forget(id) => drop(state.forget.insert(id)),
            Task::Look(mailbox) => {
                state.look.entry(mailbox).or_insert(false);
            }
        }
        drop(state);
        self.filled.notify_one();
    }

    /// A mailbox whose subscribers are told even if nothing is new to them.
    pub(super) fn remind(&self, mailbox: MailboxId) {
        self.lock().look.insert(mailbox, true);
        self.filled.notify_one();
    }

    /// Waits for something and takes some of it, at most `limit` mailboxes.
    pub(super) async fn next(&self, limit: usize) -> Batch {
        loop {
            let filled = self.filled.notified();
            if let Some(batch) = self.lock().take(limit) {
                return batch;
            }
            filled.await;
        }
    }
}

impl State {
    fn take(&mut self, limit: usize) -> Option<Batch> {
        if let Some(id) = self.forget.pop_first() {
            return Some(Batch::Forget(id));
        }
        if let Some(id) = self.adopt.pop_front() {
            return Some(Batch::Adopt(id));
        }
        let mut looks = Vec::new();
        while looks.len() < limit {
            let Some(look) = self.look.pop_first() else {
                break;
            };
            looks.push(look);
        }
        Some(looks)
            .filter(|looks| !looks.is_empty())
            .map(Batch::Look)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_storm_of_changes_is_one_entry_and_a_reminder_is_not_lost() {
        let queue = EdgeQueue::default();
        let bob = MailboxId(1);
        queue.push(Task::Look(bob));
        queue.remind(bob);
        queue.push(Task::Look(bob));
        queue.push(Task::Look(MailboxId(2)));
        assert_eq!(queue.next(1).await, Batch::Look(vec![(bob, true)]));
        let other = vec![(MailboxId(2), false)];
        assert_eq!(queue.next(9).await, Batch::Look(other));
    }
}
