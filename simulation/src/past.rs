//! What the store has said over all its lives, as far as it must hold for ever.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use storage::model::{ClaimToken, Generation, MailboxId, MessageNumber};

/// Cheap to clone.
#[derive(Clone, Debug, Default)]
pub struct Past(Arc<Mutex<Said>>);

#[derive(Debug, Default)]
struct Said {
    /// The last claim of each mailbox.
    granted: BTreeMap<MailboxId, Generation>,
    /// Messages whose delivery was confirmed.
    delivered: BTreeSet<MessageNumber>,
}

impl Past {
    fn lock(&self) -> MutexGuard<'_, Said> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// This claim was granted.
    pub fn granted(&self, claim: ClaimToken) {
        self.lock().granted.insert(claim.mailbox, claim.generation);
    }

    /// The claim of that mailbox that counts now.
    #[must_use]
    pub fn present(&self, claim: ClaimToken) -> ClaimToken {
        let generation = self.lock().granted.get(&claim.mailbox).copied();
        ClaimToken {
            generation: generation.unwrap_or(claim.generation),
            ..claim
        }
    }

    /// Whether a later claim was granted.
    #[must_use]
    pub fn is_superseded(&self, claim: ClaimToken) -> bool {
        self.present(claim).generation > claim.generation
    }

    /// An edge was told that the delivery of this message is on disk.
    pub fn delivered(&self, number: MessageNumber) {
        self.lock().delivered.insert(number);
    }

    /// All those messages.
    #[must_use]
    pub fn all_delivered(&self) -> BTreeSet<MessageNumber> {
        self.lock().delivered.clone()
    }
}
