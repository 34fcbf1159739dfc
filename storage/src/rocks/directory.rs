//! What is always in memory, so that a REGISTER of a user with nothing stored reads no disk (P9):
//! where addresses lead, which mailboxes have something to deliver, and the bindings.
//!
//! Filled at opening, then changed by the committer alone, after each sync: readers see what is on
//! disk. Sizes: some 32 octets per address, 24 per mailbox with something to deliver, and the
//! encoded bindings (some 300 octets each) of every account that has ever registered.

use std::collections::BTreeMap;
use std::sync::{Arc, PoisonError, RwLock};

use rustc_hash::FxHashMap;

use super::row::{Row, RowKey};
use crate::key::AddressKey;
use crate::model::{MailboxId, UnixMillis};
use crate::store::StoreError;
use crate::value::{self, BindingsValue, MailboxValue};

#[derive(Default)]
pub(super) struct Directory(RwLock<Entries>);

#[derive(Default)]
struct Entries {
    addresses: FxHashMap<AddressKey, MailboxId>,
    /// Messages in state `Stored`; no entry for none.
    deliverable: BTreeMap<MailboxId, u64>,
    /// Their sum.
    waiting: u64,
    bindings: FxHashMap<MailboxId, Bound>,
    /// Members of accounts that have some (STO-12), and the way back.
    members: FxHashMap<MailboxId, Arc<[MailboxId]>>,
    owners: FxHashMap<MailboxId, MailboxId>,
}

struct Bound {
    live_until: UnixMillis,
    encoded: Arc<[u8]>,
}

impl Directory {
    fn read<T>(&self, read: impl FnOnce(&Entries) -> T) -> T {
        read(&self.0.read().unwrap_or_else(PoisonError::into_inner))
    }

    /// Where an address leads.
    pub(super) fn address(&self, key: &AddressKey) -> Option<MailboxId> {
        self.read(|entries| entries.addresses.get(key).copied())
    }

    /// The bindings of an account that has ever registered.
    pub(super) fn bindings(&self, mailbox: MailboxId) -> Result<Option<BindingsValue>, StoreError> {
        let encoded = self.read(|entries| {
            let bound = entries.bindings.get(&mailbox);
            bound.map(|bound| Arc::clone(&bound.encoded))
        });
        encoded.map(|encoded| value::decode(&encoded)).transpose()
    }

    /// Whether an account has a binding that lives at `now`.
    pub(super) fn is_bound(&self, mailbox: MailboxId, now: UnixMillis) -> bool {
        self.read(|entries| {
            let bound = entries.bindings.get(&mailbox);
            bound.is_some_and(|bound| bound.live_until > now)
        })
    }

    /// Messages in state `Stored`, members not counted.
    pub(super) fn deliverable(&self, mailbox: MailboxId) -> u64 {
        self.read(|entries| entries.deliverable.get(&mailbox).copied())
            .unwrap_or_default()
    }

    /// Messages in state `Stored` of all mailboxes, and mailboxes that have some.
    pub(super) fn waiting(&self) -> (u64, u64) {
        self.read(|entries| (entries.waiting, entries.deliverable.len() as u64))
    }

    /// The members of a mailbox.
    pub(super) fn members(&self, mailbox: MailboxId) -> Vec<MailboxId> {
        self.read(|entries| {
            entries
                .members
                .get(&mailbox)
                .map(|members| members.to_vec())
        })
        .unwrap_or_default()
    }

    /// The mailbox and its members.
    pub(super) fn mailboxes_of(&self, mailbox: MailboxId) -> Vec<MailboxId> {
        let mut mailboxes = vec![mailbox];
        mailboxes.extend(self.members(mailbox));
        mailboxes
    }

    /// The account a mailbox belongs to: itself, or the one it is a member of.
    pub(super) fn owner(&self, mailbox: MailboxId) -> MailboxId {
        self.read(|entries| entries.owners.get(&mailbox).copied())
            .unwrap_or(mailbox)
    }

    /// Accounts after `after` that live bindings and something to deliver meet in.
    pub(super) fn reachable(
        &self,
        after: Option<MailboxId>,
        limit: usize,
        now: UnixMillis,
    ) -> Vec<MailboxId> {
        let start = MailboxId(after.map_or(0, |after| after.0.saturating_add(1)));
        self.read(|entries| {
            let is_live = |mailbox: &MailboxId| {
                let bound = entries.bindings.get(mailbox);
                bound.is_some_and(|bound| bound.live_until > now)
            };
            let waits = |mailbox: &MailboxId| entries.deliverable.contains_key(mailbox);
            let with_own = entries
                .deliverable
                .range(start..)
                .map(|(mailbox, _)| *mailbox);
            let with_members = entries
                .members
                .iter()
                .filter(|(mailbox, members)| **mailbox >= start && members.iter().any(waits))
                .map(|(mailbox, _)| *mailbox)
                .filter(|mailbox| !waits(mailbox));
            let mut found: Vec<_> = with_own.filter(is_live).take(limit).collect();
            found.extend(with_members.filter(is_live));
            found.sort_unstable();
            found.truncate(limit);
            found
        })
    }

    /// Accounts whose last binding has ended and that still hold some, at most `limit`.
    pub(super) fn ended(&self, now: UnixMillis, limit: usize) -> Vec<MailboxId> {
        self.read(|entries| {
            let bindings = entries.bindings.iter();
            bindings
                .filter(|(_, bound)| bound.live_until.0 != 0 && bound.live_until <= now)
                .map(|(mailbox, _)| *mailbox)
                .take(limit)
                .collect()
        })
    }

    /// Takes over rows that are on disk now.
    pub(super) fn observe<'a>(&self, rows: impl Iterator<Item = (&'a RowKey, &'a Option<Row>)>) {
        let mut entries = self.0.write().unwrap_or_else(PoisonError::into_inner);
        for (key, row) in rows {
            entries.observe(key, row.as_ref());
        }
    }
}

impl Entries {
    fn observe(&mut self, key: &RowKey, row: Option<&Row>) {
        match (key, row) {
            (RowKey::Address(address), Some(Row::Address(row))) => {
                self.addresses.insert(*address, row.mailbox);
            }
            (RowKey::Address(address), None) => {
                self.addresses.remove(address);
            }
            (RowKey::Mailbox(mailbox), Some(Row::Mailbox(row))) => self.count(*mailbox, row),
            (RowKey::Bindings(mailbox), Some(Row::Bindings(row))) => {
                let bound = Bound {
                    live_until: row.live_until(),
                    encoded: value::encode(&**row)[..].into(),
                };
                self.bindings.insert(*mailbox, bound);
            }
            _ => {}
        }
    }

    fn count(&mut self, mailbox: MailboxId, row: &MailboxValue) {
        let before = match row.deliverable {
            0 => self.deliverable.remove(&mailbox),
            deliverable => self.deliverable.insert(mailbox, deliverable),
        };
        self.waiting = (self.waiting + row.deliverable).saturating_sub(before.unwrap_or(0));
        if !row.members.is_empty() {
            self.members.insert(mailbox, row.members.clone().into());
            for member in &row.members {
                self.owners.insert(*member, mailbox);
            }
        }
    }
}
