//! Forgetting an account for good, with everything that it has.

use std::sync::Arc;

use super::account::refused;
use crate::column_family::Family;
use crate::key;
use crate::model::{
    Address, Event, EventKind, MailboxId, MessageNumber, State, Suspended, Suspension,
};
use crate::rocks::RocksStore;
use crate::rocks::change::Loaded;
use crate::rocks::database::Reach;
use crate::rocks::queue::Lane;
use crate::rocks::shared::Shared;
use crate::rocks::submit::Operation;
use crate::rocks::transaction::{Interrupt, Transaction};
use crate::sealing::KeyOwner;
use crate::store::StoreError;
use crate::value::{AccountValue, StateValue, SuspensionsValue};

/// Messages that are erased in one operation.
const ERASED_AT_ONCE: usize = 32;
/// How often new messages may come in between before it is given up.
const ROUNDS: usize = 16;

/// Who erases, and why: told in the event log.
#[derive(Clone)]
pub(in crate::rocks) struct Erasure {
    pub(in crate::rocks) actor: String,
    pub(in crate::rocks) reason: String,
}

/// What an account has: the last message that each of its mailboxes has had, then some that are there.
#[derive(Debug, PartialEq, Eq)]
struct Held {
    last: Vec<(MailboxId, MessageNumber)>,
    messages: Vec<(MailboxId, MessageNumber)>,
}

impl RocksStore {
    /// Removes the messages, then the account if no other has come, and the key of its mailboxes with it.
    pub(in crate::rocks) async fn erase(
        &self,
        address: Address,
        erasure: Erasure,
    ) -> Result<u64, StoreError> {
        let (mut erased, mut rounds) = (0, ROUNDS);
        while rounds > 0 {
            let held = {
                let address = address.clone();
                self.read(move |shared| shared.held_by(&address)).await
            };
            if held == Err(StoreError::UnknownAccount) {
                // It may be gone already, and its key not yet: whoever asked was not answered.
                self.wipe_obsolete_keys().await?;
            }
            let held = held?;
            let before = erased;
            for messages in held.messages.chunks(ERASED_AT_ONCE) {
                let (messages, erasure) = (messages.to_vec(), erasure.clone());
                erased += self.submit(EraseMessages { messages, erasure }).await?;
            }
            if !held.messages.is_empty() {
                rounds -= usize::from(erased == before);
                continue;
            }
            let account = EraseAccount {
                address: address.clone(),
                last: held.last,
            };
            if self.submit(account).await? {
                self.wipe_obsolete_keys().await?;
                return Ok(erased);
            }
            rounds -= 1;
        }
        Err(StoreError::Overloaded)
    }
}

impl Shared {
    fn held_by(&self, address: &Address) -> Result<Held, StoreError> {
        let mailbox = self.directory.address(&self.address_key(address));
        let mailbox = mailbox.ok_or(StoreError::UnknownAccount)?;
        let place = key::mailbox(mailbox);
        let account = self.database.read(Family::Accounts, &place)?;
        let account = account.ok_or(StoreError::UnknownAccount)?;
        let account: AccountValue = crate::value::decode(&account)?;
        if account.address != *address {
            return Err(StoreError::Precondition {
                reason: ALIAS.to_owned(),
            });
        }
        let mut held = Held {
            last: Vec::new(),
            messages: Vec::new(),
        };
        for mailbox in self.directory.mailboxes_of(mailbox) {
            // Before the scan: it sees everything until there.
            let row = self.mailbox_row(mailbox, Reach::Disk)?.unwrap_or_default();
            held.last.push((mailbox, row.last_number));
            let upper = key::mailbox(MailboxId(mailbox.0.saturating_add(1)));
            let lower = key::mailbox(mailbox);
            let mut scan = self.database.scan(Family::Messages, &lower, Some(&upper));
            while held.messages.len() < ERASED_AT_ONCE * 8 {
                let next = scan.step(|key, _| key::decode_message(key))?;
                let Some((mailbox, number, _)) = next else {
                    break;
                };
                if held.messages.last() != Some(&(mailbox, number)) {
                    held.messages.push((mailbox, number));
                }
            }
        }
        Ok(held)
    }
}

const ALIAS: &str = "the address is an alias";

/// Removes messages in whatever state they are, with their content and their timeline.
struct EraseMessages {
    messages: Vec<(MailboxId, MessageNumber)>,
    erasure: Erasure,
}

impl Operation for EraseMessages {
    /// How many were there.
    type Answer = u64;

    const LANE: Lane = Lane::Bulk;

    fn octets(&self) -> usize {
        self.messages.len() * 512
    }

    fn run(&self, transaction: &mut Transaction<'_>) -> Result<u64, Interrupt> {
        let mut erased = 0;
        for (mailbox, number) in &self.messages {
            if let Some(loaded) = transaction.load(*mailbox, *number)? {
                transaction.erase_message(loaded, &self.erasure)?;
                erased += 1;
            }
        }
        Ok(erased)
    }
}

/// Forgets an account whose messages are gone. False: there are new ones.
struct EraseAccount {
    address: Address,
    last: Vec<(MailboxId, MessageNumber)>,
}

impl Operation for EraseAccount {
    type Answer = bool;

    const LANE: Lane = Lane::Bulk;

    fn run(&self, transaction: &mut Transaction<'_>) -> Result<bool, Interrupt> {
        let mailbox = transaction.known(&self.address)?;
        let mailboxes = transaction.mailboxes_of(mailbox);
        for id in &mailboxes {
            let row = transaction.existing_mailbox(*id)?;
            if !self.last.contains(&(*id, row.last_number)) {
                return Ok(false);
            }
        }
        if transaction.existing_account(mailbox)?.address != self.address {
            return Err(refused(ALIAS));
        }
        transaction.end_suspensions(mailbox)?;
        transaction.delete_account(&self.address)?;
        transaction.note_obsolete_keys();
        for id in mailboxes {
            transaction.erase_range(Family::Attempts, key::attempts_of(id));
            transaction.set_account(id, Some(AccountValue::erased()));
            if transaction.claim(id)?.is_some() {
                transaction.set_claim(id, None);
            }
            transaction.erase_data_key(KeyOwner::Mailbox(id));
        }
        Ok(true)
    }
}

impl Transaction<'_> {
    /// Nobody shall know that deliveries to this account were suspended.
    fn end_suspensions(&mut self, mailbox: MailboxId) -> Result<(), Interrupt> {
        let account = self.existing_account(mailbox)?;
        let Some(all) = self.suspensions()? else {
            return Ok(());
        };
        let names: Vec<_> = account.aliases.iter().chain([&account.address]).collect();
        let is_of_him = |suspension: &Suspension| match &suspension.target {
            Suspended::User(address) => names.contains(&address),
            Suspended::Domain(_) => false,
        };
        let left: Vec<_> = all
            .0
            .iter()
            .filter(|one| !is_of_him(one))
            .cloned()
            .collect();
        if left.len() < all.0.len() {
            let row = (!left.is_empty()).then(|| Arc::new(SuspensionsValue(left)));
            self.set_suspensions(row);
        }
        Ok(())
    }

    fn erase_message(&mut self, loaded: Loaded, erasure: &Erasure) -> Result<(), Interrupt> {
        let now = self.times.wall;
        let mut state = StateValue {
            content_retained: false,
            ..loaded.state.clone()
        };
        let mut events = Vec::new();
        if !state.state.is_settled() {
            state.state = State::Deleted;
            state.settled_at = Some(now);
            events.push(Event {
                at: now,
                kind: EventKind::Deleted,
                generation: None,
                actor: erasure.actor.clone(),
                detail: erasure.reason.clone(),
            });
        }
        let mut left = state.clone();
        left.events += u32::from(!events.is_empty());
        self.save(&loaded, state, events)?;
        self.remove(&Loaded {
            envelope: Arc::clone(&loaded.envelope),
            state: left,
            ..loaded
        });
        Ok(())
    }
}
