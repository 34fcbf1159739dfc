//! What users and operators say about the settings of an account (requirements §1.15).

use std::sync::Arc;
use std::time::Duration;

use crate::column_family::Family;
use crate::config::Provisioning;
use crate::key::{Due, DueKind};
use crate::model::{
    Address, Barring, MailboxId, Publish, PublishRefusal, SettingsChanged, SettingsOrder,
    UnixMillis,
};
use crate::rocks::queue::Lane;
use crate::rocks::submit::Operation;
use crate::rocks::transaction::{Interrupt, Transaction};
use crate::rule::settings::{Arrived, Sayings, granted};
use crate::store::StoreError;
use crate::value::MailboxValue;

impl Operation for Publish {
    type Answer = Result<SettingsChanged, PublishRefusal>;

    const LANE: Lane = Lane::Requests;

    fn run(&self, transaction: &mut Transaction<'_>) -> Result<Self::Answer, Interrupt> {
        let key = transaction.shared.address_key(&self.served_user);
        let publisher = transaction.shared.address_key(&self.publisher);
        let known = transaction.mailbox_of(key)?;
        let listed = transaction.shared.config.provisioning == Provisioning::Listed;
        if known.is_none() && listed {
            return Ok(Err(PublishRefusal::UnknownUser));
        }
        if publisher != key && (known.is_none() || transaction.mailbox_of(publisher)? != known) {
            return Ok(Err(PublishRefusal::NotOwner));
        }
        let said = match known {
            Some(mailbox) => transaction.settings(mailbox)?.unwrap_or_default(),
            None => Sayings::default(),
        };
        let now = transaction.times.wall;
        let bindings = match known {
            Some(mailbox) => transaction.bindings(mailbox)?.unwrap_or_default(),
            None => Arc::default(),
        };
        let lifetime = granted(self.lifetime, &bindings.bindings, now);
        let published = said.published(&Arrived {
            change: &self.change,
            tag: self.tag,
            now,
            expires_at: now.after(lifetime),
        });
        let published = match published {
            Ok(published) => published,
            Err(refusal) => return Ok(Err(refusal)),
        };
        let mailbox = match known {
            Some(mailbox) => mailbox,
            None => transaction.create_account(key, &self.served_user)?,
        };
        let changed = transaction.say(mailbox, &said, published)?;
        Ok(Ok(SettingsChanged {
            lifetime,
            ..changed
        }))
    }
}

/// An order about the settings of the account of an address.
pub(in crate::rocks) struct OrderSettings {
    pub(in crate::rocks) address: Address,
    pub(in crate::rocks) order: SettingsOrder,
}

impl Operation for OrderSettings {
    type Answer = SettingsChanged;

    const LANE: Lane = Lane::Requests;

    fn run(&self, transaction: &mut Transaction<'_>) -> Result<SettingsChanged, Interrupt> {
        let key = transaction.shared.address_key(&self.address);
        let mailbox = transaction.mailbox_of(key)?;
        let mailbox = mailbox.ok_or(Interrupt::Failed(StoreError::UnknownAccount))?;
        let said = transaction.settings(mailbox)?.unwrap_or_default();
        let ordered = said.ordered(&self.order, transaction.times.wall);
        transaction.say(mailbox, &said, ordered)
    }
}

impl Transaction<'_> {
    /// What of the settings refuses messages now. Reads no further row until something that is said
    /// has ended.
    pub(in crate::rocks) fn barring_now(
        &mut self,
        mailbox: MailboxId,
        row: &MailboxValue,
    ) -> Result<Barring, Interrupt> {
        let now = self.times.wall;
        if row.settings_until.is_none_or(|until| until > now) {
            return Ok(row.barring);
        }
        let said = self.settings(mailbox)?.unwrap_or_default();
        let defaults = self.shared.config.settings;
        Ok(said.composed(defaults, now).barring())
    }

    /// Writes what is said about the settings of a mailbox, with what follows from it.
    fn say(
        &mut self,
        mailbox: MailboxId,
        before: &Sayings,
        after: Sayings,
    ) -> Result<SettingsChanged, Interrupt> {
        let (defaults, now) = (self.shared.config.settings, self.times.wall);
        let changed = SettingsChanged {
            mailbox,
            lifetime: Duration::ZERO,
            before: before.composed(defaults, now),
            after: after.composed(defaults, now),
        };
        let row = self.existing_mailbox(mailbox)?;
        let until = after.next_end();
        self.move_settings_due(mailbox, row.settings_until, until);
        let row = MailboxValue {
            barring: changed.after.barring(),
            settings_until: until,
            ..row
        };
        self.set_mailbox(mailbox, Some(row));
        self.set_settings(mailbox, Some(after).filter(|said| !said.is_empty()));
        Ok(changed)
    }

    /// Forgets all that is said about the settings of a mailbox.
    pub(in crate::rocks) fn forget_settings(
        &mut self,
        mailbox: MailboxId,
    ) -> Result<(), Interrupt> {
        let said = self.settings(mailbox)?.unwrap_or_default();
        self.say(mailbox, &said, Sayings::default()).map(drop)
    }

    fn move_settings_due(
        &mut self,
        mailbox: MailboxId,
        before: Option<UnixMillis>,
        after: Option<UnixMillis>,
    ) {
        if before == after {
            return;
        }
        let due = |at| Due {
            at,
            what: DueKind::Settings(mailbox),
        };
        if let Some(before) = before {
            self.erase(Family::Due, due(before).key());
        }
        if let Some(after) = after {
            self.append_due(due(after));
        }
    }

    /// Forgets what has ended (SET-14).
    pub(in crate::rocks) fn sweep_settings(
        &mut self,
        due: Due,
        mailbox: MailboxId,
    ) -> Result<(), Interrupt> {
        let row = self.mailbox(mailbox)?;
        if row.is_none_or(|row| row.settings_until != Some(due.at)) {
            self.erase(Family::Due, due.key());
            return Ok(());
        }
        let said = self.settings(mailbox)?.unwrap_or_default();
        let live = said.live(self.times.wall);
        self.say(mailbox, &said, live).map(drop)
    }
}
