//! Telling which mailboxes have changed: a set, not a queue, so that a storm of changes of one
//! mailbox is one entry (P9). Nothing is told before it is on disk; what is told may have changed
//! again, hence consumers compare versions.

use std::collections::{BTreeSet, HashSet};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, Weak};

use tokio::sync::Notify;

use crate::model::MailboxId;

/// Follows the mailboxes it is interested in; ends when dropped.
#[derive(Debug)]
pub struct MailboxWatch(Arc<Watched>);

#[derive(Debug, Default)]
struct Watched {
    sets: Mutex<Sets>,
    dirty: Notify,
}

#[derive(Debug, Default)]
struct Sets {
    interest: HashSet<MailboxId>,
    dirty: BTreeSet<MailboxId>,
}

impl Watched {
    fn lock(&self) -> MutexGuard<'_, Sets> {
        self.sets.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl MailboxWatch {
    /// From now on changes of this mailbox are told.
    pub fn add(&self, mailbox: MailboxId) {
        self.0.lock().interest.insert(mailbox);
    }

    /// Changes of this mailbox are not told any more.
    pub fn remove(&self, mailbox: MailboxId) {
        let mut sets = self.0.lock();
        sets.interest.remove(&mailbox);
        sets.dirty.remove(&mailbox);
    }

    /// Waits for changes and takes up to `limit` of them. Loses nothing when dropped halfway.
    pub async fn next(&self, limit: usize) -> Vec<MailboxId> {
        loop {
            let dirty = self.0.dirty.notified();
            let taken = self.take(limit);
            if !taken.is_empty() {
                return taken;
            }
            dirty.await;
        }
    }

    fn take(&self, limit: usize) -> Vec<MailboxId> {
        let mut sets = self.0.lock();
        let taken: Vec<_> = sets.dirty.iter().copied().take(limit).collect();
        for mailbox in &taken {
            sets.dirty.remove(mailbox);
        }
        taken
    }
}

/// All who watch.
#[derive(Debug, Default)]
pub(crate) struct Watches(Mutex<Vec<Weak<Watched>>>);

impl Watches {
    pub(crate) fn watch(&self) -> MailboxWatch {
        let watched = Arc::new(Watched::default());
        let mut watches = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        watches.retain(|known| known.strong_count() > 0);
        watches.push(Arc::downgrade(&watched));
        MailboxWatch(watched)
    }

    /// These mailboxes have changed.
    pub(crate) fn changed(&self, mailboxes: impl Iterator<Item = MailboxId> + Clone) {
        let watches = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        for watched in watches.iter().filter_map(Weak::upgrade) {
            let mut sets = watched.lock();
            let mut is_news = false;
            for mailbox in mailboxes.clone() {
                is_news |= sets.interest.contains(&mailbox) && sets.dirty.insert(mailbox);
            }
            drop(sets);
            if is_news {
                watched.dirty.notify_one();
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn changes_of_one_mailbox_are_one_entry() {
        let watches = Watches::default();
        let watch = watches.watch();
        let (bob, carol) = (MailboxId(1), MailboxId(2));
        watch.add(bob);
        watches.changed([bob, carol, bob].into_iter());
        watches.changed([bob].into_iter());
        assert_eq!(watch.next(10).await, [bob]);
        watch.remove(bob);
        watch.add(carol);
        watches.changed([bob, carol].into_iter());
        assert_eq!(watch.next(10).await, [carol]);
    }
}
