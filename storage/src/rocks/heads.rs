//! Where the waiting messages of a full mailbox begin that drops its oldest, in memory: it is never empty, so that its
//! row does not say how far its front has moved, and each deposit would walk over all that were dropped (C-28).

use std::sync::{Mutex, MutexGuard, PoisonError};

use rustc_hash::FxHashMap;

use crate::model::{MailboxId, MessageNumber};

/// Mailboxes that are remembered: of more all are forgotten.
const KEPT: usize = 10_000;

/// Numbers that nothing that waits in a mailbox is below.
#[derive(Default)]
pub(super) struct Heads(Mutex<Known>);

#[derive(Default)]
struct Known {
    heads: FxHashMap<MailboxId, MessageNumber>,
    /// How often messages have come back.
    returns: u64,
}

/// A search that has begun.
#[derive(Clone, Copy, Debug)]
pub(super) struct Begun {
    /// Where it begins.
    pub(super) head: MessageNumber,
    returns: u64,
}

impl Heads {
    fn lock(&self) -> MutexGuard<'_, Known> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// A search begins.
    pub(super) fn begin(&self, mailbox: MailboxId) -> Begun {
        let known = self.lock();
        Begun {
            head: known.heads.get(&mailbox).copied().unwrap_or_default(),
            returns: known.returns,
        }
    }

    /// The search has found this one first. What has come back meanwhile it may not have seen.
    pub(super) fn end(&self, mailbox: MailboxId, begun: Begun, first: MessageNumber) {
        let mut known = self.lock();
        if known.returns != begun.returns {
            return;
        }
        if known.heads.len() >= KEPT {
            known.heads.clear();
        }
        known.heads.insert(mailbox, first);
    }

    /// Messages that had left their mailboxes wait again, and are on disk.
    pub(super) fn returned(&self, messages: &[(MailboxId, MessageNumber)]) {
        if messages.is_empty() {
            return;
        }
        let mut known = self.lock();
        known.returns += 1;
        for (mailbox, _) in messages {
            known.heads.remove(mailbox);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const BOB: MailboxId = MailboxId(1);
    const CAROL: MailboxId = MailboxId(2);

    #[test]
    fn a_search_begins_where_the_last_one_found_something() {
        let heads = Heads::default();
        let begun = heads.begin(BOB);
        assert_eq!(begun.head, MessageNumber(0));
        heads.end(BOB, begun, MessageNumber(7));
        assert_eq!(heads.begin(BOB).head, MessageNumber(7));
        assert_eq!(heads.begin(CAROL).head, MessageNumber(0));
    }

    #[test]
    fn what_comes_back_is_found_again() {
        let heads = Heads::default();
        let first = heads.begin(BOB);
        heads.end(BOB, first, MessageNumber(7));
        let before = heads.begin(BOB);
        heads.returned(&[(BOB, MessageNumber(3))]);
        heads.end(BOB, before, MessageNumber(8));
        assert_eq!(heads.begin(BOB).head, MessageNumber(0));
    }
}
