//! Mailboxes known to have no live registration, so that a deposit for an offline user costs no
//! look at his bindings. Only a REGISTER makes a user reachable, and every REGISTER comes through
//! here: [`Unreachable::begin`] before its commit, the end of the [`Registering`] after it.

use std::collections::{HashMap, HashSet};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use storage::model::MailboxId;

/// Mailboxes remembered; others are looked at each time.
const REMEMBERED: usize = 1_000_000;

#[derive(Clone, Debug, Default)]
pub(crate) struct Unreachable {
    known: Arc<Mutex<Known>>,
}

#[derive(Debug, Default)]
struct Known {
    unreachable: HashSet<MailboxId>,
    /// Mailboxes whose registration is under way, how often.
    registering: HashMap<MailboxId, usize>,
    /// Grows with each registration that ends.
    epoch: u64,
}

impl Unreachable {
    pub(super) fn contains(&self, mailbox: MailboxId) -> bool {
        self.lock().unreachable.contains(&mailbox)
    }

    /// To be taken before a look at the bindings, for [`Unreachable::insert`] after it.
    pub(super) fn epoch(&self) -> u64 {
        self.lock().epoch
    }

    /// Remembers what a look since `epoch` found, unless a registration came between.
    pub(super) fn insert(&self, mailbox: MailboxId, epoch: u64) {
        let mut known = self.lock();
        let is_certain = known.epoch == epoch && !known.registering.contains_key(&mailbox);
        if is_certain && known.unreachable.len() < REMEMBERED {
            known.unreachable.insert(mailbox);
        }
    }

    /// A REGISTER that concerns these mailboxes is about to be committed.
    pub(crate) fn begin(&self, mailboxes: Vec<MailboxId>) -> Registering {
        let mut known = self.lock();
        for mailbox in &mailboxes {
            known.unreachable.remove(mailbox);
            *known.registering.entry(*mailbox).or_default() += 1;
        }
        drop(known);
        Registering {
            unreachable: self.clone(),
            mailboxes,
        }
    }

    fn lock(&self) -> MutexGuard<'_, Known> {
        self.known.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// A REGISTER under way; dropped once it is committed or has failed.
#[must_use = "to be kept until the registration is committed"]
pub(crate) struct Registering {
    unreachable: Unreachable,
    mailboxes: Vec<MailboxId>,
}

impl Drop for Registering {
    fn drop(&mut self) {
        let mut known = self.unreachable.lock();
        known.epoch += 1;
        for mailbox in &self.mailboxes {
            if let Some(count) = known.registering.get_mut(mailbox) {
                *count -= 1;
                if *count == 0 {
                    known.registering.remove(mailbox);
                }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const BOB: MailboxId = MailboxId(1);

    #[test]
    fn a_registration_makes_a_mailbox_reachable_from_before_its_commit() {
        let unreachable = Unreachable::default();
        unreachable.insert(BOB, unreachable.epoch());
        assert!(unreachable.contains(BOB));
        let registering = unreachable.begin(vec![BOB]);
        assert!(!unreachable.contains(BOB));
        unreachable.insert(BOB, unreachable.epoch());
        assert!(
            !unreachable.contains(BOB),
            "while the registration is under way"
        );
        drop(registering);
        unreachable.insert(BOB, unreachable.epoch());
        assert!(
            unreachable.contains(BOB),
            "it was a de-registration, after all"
        );
    }

    #[test]
    fn what_was_seen_before_a_registration_is_not_believed_after_it() {
        let unreachable = Unreachable::default();
        let epoch = unreachable.epoch();
        drop(unreachable.begin(vec![BOB]));
        unreachable.insert(BOB, epoch);
        assert!(!unreachable.contains(BOB));
    }
}
