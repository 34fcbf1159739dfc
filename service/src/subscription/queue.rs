//! What waits to be told to one edge: sets, so that it is bounded by what the edge owns.

use std::collections::hash_map::Entry;
use std::collections::{BTreeMap, HashMap, VecDeque};
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
    /// By which epoch at most.
    forget: BTreeMap<SubscriptionId, u32>,
    /// Mailboxes that have changed, and whether to remind their subscribers.
    look: HashMap<MailboxId, bool>,
    /// The same in the order of their coming: each gets its turn, however often others change.
    order: VecDeque<MailboxId>,
    /// Adoptions were taken last: both get their turn.
    has_adopted: bool,
}

/// Some of it.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Batch {
    Adopt(Vec<SubscriptionId>),
    Forget(SubscriptionId, u32),
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
            Task::Forget(id, epoch) => {
                let by = state.forget.entry(id).or_default();
                *by = epoch.max(*by);
            }
            Task::Look(mailbox) => state.look(mailbox, false),
        }
        drop(state);
        self.filled.notify_one();
    }

    /// A mailbox whose subscribers are told even if nothing is new to them.
    pub(super) fn remind(&self, mailbox: MailboxId) {
        self.lock().look(mailbox, true);
        self.filled.notify_one();
    }

    /// Waits for something and takes some of it, at most so many mailboxes or adoptions.
    pub(super) async fn next(&self, looks: usize, adoptions: usize) -> Batch {
        loop {
            let filled = self.filled.notified();
            if let Some(batch) = self.lock().take(looks, adoptions) {
                return batch;
            }
            filled.await;
        }
    }
}

impl State {
    fn look(&mut self, mailbox: MailboxId, remind: bool) {
        match self.look.entry(mailbox) {
            Entry::Occupied(mut known) => *known.get_mut() |= remind,
            Entry::Vacant(place) => {
                place.insert(remind);
                self.order.push_back(mailbox);
            }
        }
    }

    fn take(&mut self, looks: usize, adoptions: usize) -> Option<Batch> {
        if let Some((id, epoch)) = self.forget.pop_first() {
            return Some(Batch::Forget(id, epoch));
        }
        let is_turn = !self.has_adopted || self.order.is_empty();
        self.has_adopted = is_turn && !self.adopt.is_empty();
        if self.has_adopted {
            let count = adoptions.min(self.adopt.len());
            return Some(Batch::Adopt(self.adopt.drain(..count).collect()));
        }
        let count = looks.min(self.order.len());
        let taken: Vec<_> = self
            .order
            .drain(..count)
            .filter_map(|mailbox| self.look.remove_entry(&mailbox))
            .collect();
        Some(taken)
            .filter(|taken| !taken.is_empty())
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
        assert_eq!(queue.next(1, 64).await, Batch::Look(vec![(bob, true)]));
        let other = vec![(MailboxId(2), false)];
        assert_eq!(queue.next(9, 64).await, Batch::Look(other));
    }
}
