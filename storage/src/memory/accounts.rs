//! Accounts, aliases and registrations of the model.

use super::model::{AccountRecord, Model, settle};
use crate::config::Provisioning;
use crate::model::{
    Account, Address, Barring, EventKind, MailboxId, Registered, Registration, RegistrationRefusal,
    State, Suspended,
};
use crate::rule::settings::Sayings;
use crate::rule::{device, registration};
use crate::store::StoreError;
use crate::timekeeper::Times;

impl Model {
    pub(super) fn mailbox(&self, address: &Address) -> Option<MailboxId> {
        self.addresses.get(address).copied()
    }

    pub(super) fn mailbox_or_new(&mut self, address: &Address) -> MailboxId {
        if let Some(mailbox) = self.mailbox(address) {
            return mailbox;
        }
        let mailbox = MailboxId(self.next_mailbox);
        self.next_mailbox += 1;
        self.addresses.insert(address.clone(), mailbox);
        self.account_mut(mailbox).address = Some(address.clone());
        mailbox
    }

    pub(super) fn known(&self, address: &Address) -> Result<MailboxId, StoreError> {
        self.mailbox(address).ok_or(StoreError::UnknownAccount)
    }

    pub(super) fn account_address(&self, mailbox: MailboxId) -> Result<Address, StoreError> {
        let account = self.accounts.get(&mailbox);
        account
            .and_then(|account| account.address.clone())
            .ok_or(StoreError::NotFound)
    }

    pub(super) fn create_account(&mut self, address: Address) -> Result<MailboxId, StoreError> {
        let mailbox = self.mailbox_or_new(&address);
        let account = self.account_mut(mailbox);
        if account.address.as_ref() != Some(&address) {
            return Err(StoreError::AddressTaken);
        }
        account.provisioned = true;
        Ok(mailbox)
    }

    pub(super) fn delete_account(&mut self, address: &Address) -> Result<(), StoreError> {
        let mailbox = self.known(address)?;
        if self.account_mut(mailbox).address.as_ref() != Some(address) {
            return Err(StoreError::Precondition {
                reason: "the address is an alias".to_owned(),
            });
        }
        if self
            .messages_of(mailbox)
            .any(|(_, message)| message.waits())
        {
            return Err(StoreError::Precondition {
                reason: "the account has undelivered messages".to_owned(),
            });
        }
        self.addresses.retain(|_, owner| *owner != mailbox);
        let account = self.account_mut(mailbox);
        account.aliases.clear();
        account.bindings.clear();
        account.devices.clear();
        account.deleted = true;
        for mailbox in self.mailboxes_of(mailbox) {
            let account = self.account_mut(mailbox);
            account.said = Sayings::default();
            account.subscriptions.clear();
        }
        Ok(())
    }

    pub(super) fn erase_account(
        &mut self,
        address: &Address,
        (actor, reason): (&str, &str),
        times: Times,
    ) -> Result<u64, StoreError> {
        let mailbox = self.known(address)?;
        if self.account_mut(mailbox).address.as_ref() != Some(address) {
            return Err(StoreError::Precondition {
                reason: "the address is an alias".to_owned(),
            });
        }
        let numbers: Vec<_> = self
            .messages_of(mailbox)
            .map(|(number, _)| *number)
            .collect();
        for number in &numbers {
            self.change(*number, |message, config| {
                if message.waits() {
                    settle(message, config, State::Deleted, times.wall, reason);
                    message.record(times.wall, EventKind::Deleted, None, actor, reason);
                }
            });
            self.messages.remove(number);
        }
        let names: Vec<_> = self.account_mut(mailbox).aliases.clone();
        self.suspensions.retain(|suspension| {
            let Suspended::User(user) = &suspension.target else {
                return true;
            };
            user != address && !names.contains(user)
        });
        self.delete_account(address)?;
        self.account_mut(mailbox).claim = None;
        Ok(numbers.len() as u64)
    }

    pub(super) fn list_accounts(
        &self,
        after: Option<MailboxId>,
        limit: usize,
        times: Times,
    ) -> Vec<Account> {
        let start = after.map_or(0, |after| after.0.saturating_add(1));
        self.accounts
            .range(MailboxId(start)..)
            .filter(|(_, account)| !account.deleted && account.member_of.is_none())
            .filter_map(|(mailbox, account)| {
                let barring = self.held(*mailbox, times).barring();
                account_of(*mailbox, account, barring)
            })
            .take(limit)
            .collect()
    }

    pub(super) fn add_alias(
        &mut self,
        address: &Address,
        alias: &Address,
    ) -> Result<(), StoreError> {
        let mailbox = self.known(address)?;
        match self.learn_alias(mailbox, alias) {
            true => Ok(()),
            false => Err(StoreError::AddressTaken),
        }
    }

    /// Makes an address one of the account, if it is free to be (REG-04, STO-12).
    fn learn_alias(&mut self, mailbox: MailboxId, alias: &Address) -> bool {
        match self.mailbox(alias) {
            Some(owner) if owner == mailbox => return true,
            Some(other) if !self.is_joinable(other) => return false,
            Some(other) => {
                self.account_mut(other).member_of = Some(mailbox);
                self.account_mut(mailbox).members.push(other);
            }
            None => {}
        }
        self.addresses.insert(alias.clone(), mailbox);
        self.account_mut(mailbox).aliases.push(alias.clone());
        true
    }

    /// Only mail has made it: nobody owns it yet.
    fn is_joinable(&self, mailbox: MailboxId) -> bool {
        self.accounts.get(&mailbox).is_some_and(|account| {
            !account.provisioned
                && account.registrations == 0
                && account.aliases.is_empty()
                && account.members.is_empty()
                && account.claim.is_none()
        })
    }

    pub(super) fn remove_alias(&mut self, alias: &Address) -> Result<(), StoreError> {
        let mailbox = self.known(alias)?;
        let account = self.account_mut(mailbox);
        if account.address.as_ref() == Some(alias) {
            return Err(StoreError::Precondition {
                reason: "the address is the account's own".to_owned(),
            });
        }
        account.aliases.retain(|known| known != alias);
        self.addresses.remove(alias);
        Ok(())
    }

    pub(super) fn register(
        &mut self,
        registration: &Registration,
        times: Times,
    ) -> Result<Registered, RegistrationRefusal> {
        let known = self.mailbox(&registration.address);
        if known.is_none() && self.config.provisioning == Provisioning::Listed {
            return Err(RegistrationRefusal::UnknownUser);
        }
        let old = known.and_then(|mailbox| self.accounts.get(&mailbox));
        let old = old.map_or(&[][..], |account| &account.bindings);
        let new = registration::apply(old, registration, times.wall)?;
        let binds = registration::binds(registration);
        let mailbox = match known {
            None if binds => self.mailbox_or_new(&registration.address),
            None => return Ok(Registered::nobody()),
            Some(mailbox) => mailbox,
        };
        let mut refused_aliases = Vec::new();
        if binds {
            for alias in &registration.aliases {
                if !self.learn_alias(mailbox, alias) {
                    refused_aliases.push(alias.clone());
                }
            }
        }
        let scope = self.config.scope;
        let account = self.account_mut(mailbox);
        account.registrations += u64::from(binds);
        if !registration::is_query(registration) {
            account.devices = device::seen(&account.devices, &new, scope, times.wall);
        }
        account.bindings = new;
        Ok(Registered {
            refused_aliases,
            ..self.registered(mailbox, times)
        })
    }

    fn registered(&self, mailbox: MailboxId, times: Times) -> Registered {
        let account = self.accounts.get(&mailbox);
        let bindings = account.map_or(&[][..], |account| &account.bindings);
        Registered {
            mailbox: Some(mailbox),
            bindings: registration::live(bindings, times.wall),
            has_waiting: self.has_deliverable(mailbox),
            refused_aliases: Vec::new(),
        }
    }

    pub(super) fn registration(
        &self,
        mailbox: MailboxId,
        times: Times,
    ) -> Result<Registered, StoreError> {
        match self.accounts.contains_key(&mailbox) {
            true => Ok(self.registered(mailbox, times)),
            false => Err(StoreError::NotFound),
        }
    }

    pub(super) fn reachable_with_waiting(
        &self,
        after: Option<MailboxId>,
        limit: usize,
        times: Times,
    ) -> Vec<MailboxId> {
        let start = after.map_or(0, |after| after.0.saturating_add(1));
        self.accounts
            .range(MailboxId(start)..)
            .filter(|(mailbox, account)| {
                !registration::live(&account.bindings, times.wall).is_empty()
                    && self.has_deliverable(**mailbox)
            })
            .map(|(mailbox, _)| *mailbox)
            .take(limit)
            .collect()
    }
}

fn account_of(mailbox: MailboxId, account: &AccountRecord, barring: Barring) -> Option<Account> {
    Some(Account {
        mailbox,
        address: account.address.clone()?,
        aliases: account.aliases.clone(),
        provisioned: account.provisioned,
        barring,
    })
}
