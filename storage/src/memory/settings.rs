//! Settings of the model (requirements §1.15).

use std::time::Duration;

use super::model::Model;
use crate::config::Provisioning;
use crate::model::{
    Address, MailboxId, Publish, PublishRefusal, Settings, SettingsChanged, SettingsOrder,
    UserSettings,
};
use crate::rule::settings::{Arrived, Sayings, granted};
use crate::store::StoreError;
use crate::timekeeper::Times;

impl Model {
    fn said(&self, mailbox: MailboxId) -> Sayings {
        let account = self.accounts.get(&mailbox);
        account
            .map(|account| account.said.clone())
            .unwrap_or_default()
    }

    /// What holds for an account.
    pub(super) fn held(&self, mailbox: MailboxId, times: Times) -> Settings {
        let said = self.said(mailbox);
        said.composed(self.config.settings, times.wall)
    }

    fn say(&mut self, mailbox: MailboxId, said: Sayings, times: Times) -> SettingsChanged {
        let before = self.held(mailbox, times);
        self.account_mut(mailbox).said = said;
        SettingsChanged {
            mailbox,
            lifetime: Duration::ZERO,
            before,
            after: self.held(mailbox, times),
        }
    }

    pub(super) fn publish(
        &mut self,
        publish: &Publish,
        times: Times,
    ) -> Result<SettingsChanged, PublishRefusal> {
        let known = self.mailbox(&publish.served_user);
        if known.is_none() && self.config.provisioning == Provisioning::Listed {
            return Err(PublishRefusal::UnknownUser);
        }
        let is_same = publish.publisher == publish.served_user;
        if !is_same && (known.is_none() || self.mailbox(&publish.publisher) != known) {
            return Err(PublishRefusal::NotOwner);
        }
        let said = known.map(|mailbox| self.said(mailbox)).unwrap_or_default();
        let account = known.and_then(|mailbox| self.accounts.get(&mailbox));
        let bindings = account.map_or(&[][..], |account| &account.bindings);
        let lifetime = granted(publish.lifetime, bindings, times.wall);
        let said = said.published(&Arrived {
            change: &publish.change,
            tag: publish.tag,
            now: times.wall,
            expires_at: times.wall.after(lifetime),
        })?;
        let mailbox = self.mailbox_or_new(&publish.served_user);
        Ok(SettingsChanged {
            lifetime,
            ..self.say(mailbox, said, times)
        })
    }

    pub(super) fn order_settings(
        &mut self,
        address: &Address,
        order: &SettingsOrder,
        times: Times,
    ) -> Result<SettingsChanged, StoreError> {
        let mailbox = self.known(address)?;
        let said = self.said(mailbox).ordered(order, times.wall);
        Ok(self.say(mailbox, said, times))
    }

    /// What holds, if that order were carried out.
    pub(super) fn settings_after(
        &self,
        mailbox: MailboxId,
        order: Option<&SettingsOrder>,
        times: Times,
    ) -> Result<UserSettings, StoreError> {
        let account = self.accounts.get(&mailbox).ok_or(StoreError::NotFound)?;
        let owner = account.member_of.unwrap_or(mailbox);
        let said = self.said(owner);
        let said = match order {
            Some(order) => said.ordered(order, times.wall),
            None => said,
        };
        Ok(said.seen(self.config.settings, times.wall))
    }
}
