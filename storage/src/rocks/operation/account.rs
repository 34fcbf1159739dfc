//! Accounts and their aliases (PFM-09, REG-04, STO-12).

use std::sync::Arc;

use crate::key::AddressKey;
use crate::model::{Address, MailboxId};
use crate::rocks::queue::Lane;
use crate::rocks::submit::Operation;
use crate::rocks::transaction::{Interrupt, Transaction};
use crate::store::StoreError;
use crate::value::{AccountValue, AddressValue, BindingsValue, MailboxValue};

/// What an operator does to accounts.
pub(in crate::rocks) enum AccountChange {
    Create(Address),
    Delete(Address),
    AddAlias { address: Address, alias: Address },
    RemoveAlias(Address),
}

impl Operation for AccountChange {
    /// The mailbox of the account.
    type Answer = MailboxId;

    const LANE: Lane = Lane::Requests;

    fn run(&self, transaction: &mut Transaction<'_>) -> Result<MailboxId, Interrupt> {
        match self {
            Self::Create(address) => transaction.provision(address),
            Self::Delete(address) => transaction.delete_account(address),
            Self::AddAlias { address, alias } => {
                let mailbox = transaction.known(address)?;
                match transaction.learn_alias(mailbox, alias)? {
                    true => Ok(mailbox),
                    false => Err(StoreError::AddressTaken.into()),
                }
            }
            Self::RemoveAlias(alias) => transaction.remove_alias(alias),
        }
    }
}

impl Transaction<'_> {
    fn key_of(&self, address: &Address) -> AddressKey {
        self.shared.address_key(address)
    }

    pub(in crate::rocks) fn known(&mut self, address: &Address) -> Result<MailboxId, Interrupt> {
        let mailbox = self.mailbox_of(self.key_of(address))?;
        mailbox.ok_or(Interrupt::Failed(StoreError::UnknownAccount))
    }

    pub(in crate::rocks) fn existing_account(
        &mut self,
        mailbox: MailboxId,
    ) -> Result<AccountValue, Interrupt> {
        let corrupt = StoreError::Corrupt { what: "account" };
        self.account(mailbox)?.ok_or(Interrupt::Failed(corrupt))
    }

    /// A new account with an empty mailbox.
    pub(in crate::rocks) fn create_account(
        &mut self,
        key: AddressKey,
        address: &Address,
    ) -> Result<MailboxId, Interrupt> {
        let mailbox = MailboxId(self.counters.next_mailbox);
        self.counters.next_mailbox += 1;
        self.point(key, address, mailbox);
        let account = AccountValue {
            address: address.clone(),
            aliases: Vec::new(),
            deleted: false,
        };
        self.set_account(mailbox, Some(account));
        self.set_mailbox(mailbox, Some(MailboxValue::default()));
        Ok(mailbox)
    }

    fn point(&mut self, key: AddressKey, address: &Address, mailbox: MailboxId) {
        let row = AddressValue {
            mailbox,
            address: address.clone(),
        };
        self.set_address(key, Some(row));
    }

    fn provision(&mut self, address: &Address) -> Result<MailboxId, Interrupt> {
        let key = self.key_of(address);
        let mailbox = match self.mailbox_of(key)? {
            Some(mailbox) => mailbox,
            None => self.create_account(key, address)?,
        };
        if self.existing_account(mailbox)?.address != *address {
            return Err(StoreError::AddressTaken.into());
        }
        let row = self.existing_mailbox(mailbox)?;
        let row = MailboxValue {
            provisioned: true,
            ..row
        };
        self.set_mailbox(mailbox, Some(row));
        Ok(mailbox)
    }

    pub(in crate::rocks) fn delete_account(
        &mut self,
        address: &Address,
    ) -> Result<MailboxId, Interrupt> {
        let mailbox = self.known(address)?;
        let account = self.existing_account(mailbox)?;
        if account.address != *address {
            return Err(refused("the address is an alias"));
        }
        for id in self.mailboxes_of(mailbox) {
            let row = self.existing_mailbox(id)?;
            if row.undelivered() + row.imdn > 0 {
                return Err(refused("the account has undelivered messages"));
            }
        }
        for name in account.aliases.iter().chain([address]) {
            let key = self.key_of(name);
            self.set_address(key, None);
        }
        if let Some(bindings) = self.bindings(mailbox)? {
            let none = BindingsValue {
                registrations: bindings.registrations,
                bindings: Vec::new(),
                devices: Vec::new(),
            };
            self.set_bindings(mailbox, Some(Arc::new(none)));
        }
        for mailbox in self.mailboxes_of(mailbox) {
            // A member may have said something before it was one.
            self.forget_settings(mailbox)?;
            let subscriptions = self.subscriptions_of(mailbox)?;
            self.replace_subscriptions(mailbox, &subscriptions, Vec::new());
        }
        let forgotten = AccountValue {
            aliases: Vec::new(),
            deleted: true,
            ..account
        };
        self.set_account(mailbox, Some(forgotten));
        Ok(mailbox)
    }

    fn remove_alias(&mut self, alias: &Address) -> Result<MailboxId, Interrupt> {
        let mailbox = self.known(alias)?;
        let mut account = self.existing_account(mailbox)?;
        if account.address == *alias {
            return Err(refused("the address is the account's own"));
        }
        account.aliases.retain(|known| known != alias);
        self.set_account(mailbox, Some(account));
        let key = self.key_of(alias);
        self.set_address(key, None);
        Ok(mailbox)
    }

    /// Makes an address one of the account. False if it belongs to another one (REG-04).
    pub(in crate::rocks) fn learn_alias(
        &mut self,
        mailbox: MailboxId,
        alias: &Address,
    ) -> Result<bool, Interrupt> {
        let key = self.key_of(alias);
        match self.mailbox_of(key)? {
            Some(owner) if owner == mailbox => return Ok(true),
            Some(other) if !self.is_joinable(other)? => return Ok(false),
            Some(other) => self.join(mailbox, other)?,
            None => {}
        }
        self.point(key, alias, mailbox);
        let mut account = self.existing_account(mailbox)?;
        account.aliases.push(alias.clone());
        self.set_account(mailbox, Some(account));
        Ok(true)
    }

    /// Whether only mail has made this mailbox: nobody owns it yet.
    fn is_joinable(&mut self, mailbox: MailboxId) -> Result<bool, Interrupt> {
        let row = self.existing_mailbox(mailbox)?;
        Ok(!row.provisioned
            && row.members.is_empty()
            && self.bindings(mailbox)?.is_none()
            && self.claim(mailbox)?.is_none()
            && self.existing_account(mailbox)?.aliases.is_empty())
    }

    /// Nothing is re-keyed: the mailbox becomes a member (STO-12).
    fn join(&mut self, mailbox: MailboxId, member: MailboxId) -> Result<(), Interrupt> {
        let mut row = self.existing_mailbox(mailbox)?;
        row.members.push(member);
        self.set_mailbox(mailbox, Some(row));
        Ok(())
    }
}

pub(super) fn refused(reason: &str) -> Interrupt {
    Interrupt::Failed(StoreError::Precondition {
        reason: reason.to_owned(),
    })
}
