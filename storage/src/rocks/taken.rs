//! Which messages are taken under live claims: state `Claimed` follows from it. In memory only; a
//! restart makes them `Stored` again until they are taken anew (requirements §3.13).

use std::collections::{BTreeSet, HashMap};
use std::sync::{Mutex, MutexGuard, PoisonError};

use crate::model::{ClaimToken, MailboxId, MessageNumber, UnixMillis};

/// By mailbox of the claim.
#[derive(Default)]
pub(super) struct TakenMessages(Mutex<HashMap<MailboxId, Entry>>);

struct Entry {
    claim: ClaimToken,
    /// On the steady clock.
    lease_until: UnixMillis,
    numbers: BTreeSet<MessageNumber>,
}

impl TakenMessages {
    fn lock(&self) -> MutexGuard<'_, HashMap<MailboxId, Entry>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// A claim begins: nothing is taken under it yet.
    pub(super) fn begin(&self, claim: ClaimToken, lease_until: UnixMillis) {
        let entry = Entry {
            claim,
            lease_until,
            numbers: BTreeSet::new(),
        };
        self.lock().insert(claim.mailbox, entry);
    }

    /// A claim is renewed.
    pub(super) fn renew(&self, claim: ClaimToken, lease_until: UnixMillis) {
        if let Some(entry) = self.lock().get_mut(&claim.mailbox)
            && entry.claim == claim
        {
            entry.lease_until = lease_until;
        }
    }

    /// A claim ends.
    pub(super) fn end(&self, claim: ClaimToken) {
        let mut entries = self.lock();
        if entries
            .get(&claim.mailbox)
            .is_some_and(|e| e.claim == claim)
        {
            entries.remove(&claim.mailbox);
        }
    }

    /// Messages go out under a claim. One that is from before the opening of the store has no
    /// entry yet.
    pub(super) fn add(
        &self,
        claim: ClaimToken,
        lease_until: UnixMillis,
        numbers: &[MessageNumber],
    ) {
        let mut entries = self.lock();
        let entry = entries.entry(claim.mailbox).or_insert_with(|| Entry {
            claim,
            lease_until,
            numbers: BTreeSet::new(),
        });
        if entry.claim == claim {
            entry.numbers.extend(numbers);
        }
    }

    /// Whether a message is out under this claim.
    pub(super) fn contains(&self, claim: ClaimToken, number: MessageNumber) -> bool {
        let entries = self.lock();
        let entry = entries.get(&claim.mailbox).filter(|e| e.claim == claim);
        entry.is_some_and(|entry| entry.numbers.contains(&number))
    }

    /// A message is not out any more.
    pub(super) fn remove(&self, claim: ClaimToken, number: MessageNumber) {
        if let Some(entry) = self.lock().get_mut(&claim.mailbox)
            && entry.claim == claim
        {
            entry.numbers.remove(&number);
        }
    }

    /// Whether a message is out under a claim of `owner` whose lease lives.
    pub(super) fn is_claimed(
        &self,
        owner: MailboxId,
        number: MessageNumber,
        steady: UnixMillis,
    ) -> bool {
        let entries = self.lock();
        let entry = entries.get(&owner).filter(|e| e.lease_until > steady);
        entry.is_some_and(|entry| entry.numbers.contains(&number))
    }
}
