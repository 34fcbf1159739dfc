//! Which messages are taken under live claims: state `Claimed` follows from it. In memory only; a
//! restart makes them `Stored` again until they are taken anew (requirements §3.13).

use std::collections::{BTreeSet, HashMap};
use std::sync::{Mutex, MutexGuard, PoisonError};

use super::shared::Shared;
use crate::model::{ClaimToken, MailboxId, MessageNumber, Sequence, UnixMillis};

/// By mailbox of the claim.
#[derive(Default)]
pub(super) struct TakenMessages(Mutex<HashMap<MailboxId, Entry>>);

struct Entry {
    claim: ClaimToken,
    /// On the steady clock.
    lease_until: UnixMillis,
    numbers: BTreeSet<MessageNumber>,
    /// How far a device has everything that was there when it asked last.
    looked_until: Sequence,
}

impl Entry {
    fn new(claim: ClaimToken, lease_until: UnixMillis) -> Self {
        Self {
            claim,
            lease_until,
            numbers: BTreeSet::new(),
            looked_until: Sequence::default(),
        }
    }
}

impl TakenMessages {
    fn lock(&self) -> MutexGuard<'_, HashMap<MailboxId, Entry>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// A claim begins: nothing is taken under it yet.
    pub(super) fn begin(&self, claim: ClaimToken, lease_until: UnixMillis) {
        let entry = Entry::new(claim, lease_until);
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
        self.change(claim, lease_until, |entry| entry.numbers.extend(numbers));
    }

    /// There is nothing for a device until this place that it has not been offered under the claim.
    pub(super) fn looked(&self, claim: ClaimToken, lease_until: UnixMillis, until: Sequence) {
        self.change(claim, lease_until, |entry| {
            entry.looked_until = entry.looked_until.max(until);
        });
    }

    /// The last such place; the beginning if nobody has asked since the opening.
    pub(super) fn looked_until(&self, claim: ClaimToken) -> Sequence {
        let entries = self.lock();
        let entry = entries.get(&claim.mailbox).filter(|e| e.claim == claim);
        entry.map_or(Sequence::default(), |entry| entry.looked_until)
    }

    fn change(&self, claim: ClaimToken, lease_until: UnixMillis, change: impl FnOnce(&mut Entry)) {
        let mut entries = self.lock();
        let entry = entries.entry(claim.mailbox);
        let entry = entry.or_insert_with(|| Entry::new(claim, lease_until));
        if entry.claim == claim {
            change(entry);
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

impl Shared {
    /// Whether a message of this mailbox is out under a claim whose lease lives.
    pub(super) fn is_on_its_way(
        &self,
        mailbox: MailboxId,
        number: MessageNumber,
        steady: UnixMillis,
    ) -> bool {
        let owner = self.directory.owner(mailbox);
        self.taken.is_claimed(owner, number, steady)
    }
}
