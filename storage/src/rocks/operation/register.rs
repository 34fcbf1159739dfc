//! Applying a REGISTER (RFC 3261 §10.3, REG-03..05). Reads memory only, unless an alias is learned
//! whose address has had mail (P9).

use std::sync::Arc;

use crate::config::Provisioning;
use crate::model::{Address, MailboxId, Registered, Registration, RegistrationRefusal};
use crate::rocks::queue::Lane;
use crate::rocks::submit::Operation;
use crate::rocks::transaction::{Interrupt, Transaction};
use crate::rule::device;
use crate::rule::registration::{self, binds, is_query};
use crate::value::BindingsValue;

pub(in crate::rocks) struct Register(pub(in crate::rocks) Registration);

type Outcome = Result<Registered, RegistrationRefusal>;

impl Operation for Register {
    type Answer = Outcome;

    const LANE: Lane = Lane::Requests;

    fn run(&self, transaction: &mut Transaction<'_>) -> Result<Outcome, Interrupt> {
        let key = transaction.shared.address_key(&self.0.address);
        let known = transaction.mailbox_of(key)?;
        let listed = transaction.shared.config.provisioning == Provisioning::Listed;
        if known.is_none() && listed {
            return Ok(Err(RegistrationRefusal::UnknownUser));
        }
        let old = match known {
            Some(mailbox) => transaction.bindings(mailbox)?.unwrap_or_default(),
            None => Arc::default(),
        };
        let now = transaction.times.wall;
        let bindings = match registration::apply(&old.bindings, &self.0, now) {
            Ok(bindings) => bindings,
            Err(refusal) => return Ok(Err(refusal)),
        };
        let mailbox = match known {
            Some(mailbox) => mailbox,
            None if binds(&self.0) => transaction.create_account(key, &self.0.address)?,
            None => return Ok(Ok(Registered::nobody())),
        };
        let scope = transaction.shared.config.scope;
        let new = BindingsValue {
            registrations: old.registrations + u64::from(binds(&self.0)),
            devices: device::seen(&old.devices, &bindings, scope, now),
            bindings,
        };
        self.write(mailbox, &old, new, transaction).map(Ok)
    }
}

impl Register {
    fn write(
        &self,
        mailbox: MailboxId,
        old: &BindingsValue,
        new: BindingsValue,
        transaction: &mut Transaction<'_>,
    ) -> Result<Registered, Interrupt> {
        let refused_aliases = match binds(&self.0) {
            true => self.learn_aliases(mailbox, transaction)?,
            false => Vec::new(),
        };
        let bindings = new.bindings.clone();
        if !is_query(&self.0) && *old != new {
            transaction.set_bindings(mailbox, Some(Arc::new(new)));
        }
        Ok(Registered {
            mailbox: Some(mailbox),
            bindings,
            has_waiting: transaction.has_deliverable(mailbox),
            refused_aliases,
        })
    }

    fn learn_aliases(
        &self,
        mailbox: MailboxId,
        transaction: &mut Transaction<'_>,
    ) -> Result<Vec<Address>, Interrupt> {
        let mut refused = Vec::new();
        for alias in &self.0.aliases {
            if !transaction.learn_alias(mailbox, alias)? {
                refused.push(alias.clone());
            }
        }
        Ok(refused)
    }
}
