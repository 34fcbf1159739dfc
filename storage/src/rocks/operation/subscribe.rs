//! Subscriptions of a mailbox: one row, rewritten as a whole (MWI-10).

use std::sync::Arc;

use crate::config::Provisioning;
use crate::key::{Due, DueKind};
use crate::model::{
    MailboxId, Notified, Owner, Subscribe, Subscribed, Subscription, SubscriptionId,
    SubscriptionRefusal,
};
use crate::rocks::queue::Lane;
use crate::rocks::submit::Operation;
use crate::rocks::transaction::{Interrupt, Transaction};
use crate::rule::subscription;
use crate::value::SubscriptionsValue;

/// Adds or refreshes one.
pub(in crate::rocks) struct AddSubscription(pub(in crate::rocks) Subscribe);

impl Operation for AddSubscription {
    type Answer = Result<Subscribed, SubscriptionRefusal>;

    const LANE: Lane = Lane::Requests;

    fn run(&self, transaction: &mut Transaction<'_>) -> Result<Self::Answer, Interrupt> {
        let key = transaction.shared.address_key(&self.0.address);
        let known = transaction.mailbox_of(key)?;
        let mailbox = match known {
            Some(mailbox) => mailbox,
            None if transaction.shared.config.provisioning == Provisioning::Listed => {
                return Ok(Err(SubscriptionRefusal::UnknownUser));
            }
            None if self.0.refreshes => return Ok(Err(SubscriptionRefusal::NoSubscription)),
            None => transaction.create_account(key, &self.0.address)?,
        };
        let (mailbox, subscriptions) = transaction.subscribed(mailbox, &self.0)?;
        let now = transaction.times.wall;
        let mut new = subscriptions.clone();
        let subscription = match subscription::subscribe(&mut new, &self.0, now) {
            Ok(subscription) => subscription,
            Err(refusal) => return Ok(Err(refusal)),
        };
        transaction.replace_subscriptions(mailbox, &subscriptions, new);
        Ok(Ok(Subscribed {
            mailbox,
            remaining: subscription.expires_at.since(now),
            subscription,
        }))
    }
}

/// Makes somebody else the owner of one.
pub(in crate::rocks) struct AdoptSubscription {
    pub(in crate::rocks) id: SubscriptionId,
    pub(in crate::rocks) owner: Owner,
}

impl Operation for AdoptSubscription {
    type Answer = Option<Subscribed>;

    const LANE: Lane = Lane::Requests;

    fn run(&self, transaction: &mut Transaction<'_>) -> Result<Self::Answer, Interrupt> {
        let mailbox = self.id.mailbox;
        let old = transaction.subscriptions_of(mailbox)?;
        let mut new = old.clone();
        let adopted = subscription::adopt(&mut new, &self.id.local_tag, &self.owner);
        transaction.replace_subscriptions(mailbox, &old, new);
        let now = transaction.times.wall;
        Ok(adopted.map(|subscription| Subscribed {
            mailbox,
            remaining: subscription.expires_at.since(now),
            subscription,
        }))
    }
}

/// Ends one.
pub(in crate::rocks) struct RemoveSubscription {
    pub(in crate::rocks) id: SubscriptionId,
    pub(in crate::rocks) epoch: u32,
}

impl Operation for RemoveSubscription {
    type Answer = Option<Subscription>;

    const LANE: Lane = Lane::Requests;

    fn run(&self, transaction: &mut Transaction<'_>) -> Result<Self::Answer, Interrupt> {
        let old = transaction.subscriptions_of(self.id.mailbox)?;
        let mut new = old.clone();
        let removed = subscription::unsubscribe(&mut new, &self.id.local_tag, self.epoch);
        transaction.replace_subscriptions(self.id.mailbox, &old, new);
        Ok(removed)
    }
}

/// Remembers what some were told. Bulk: nobody waits for it.
pub(in crate::rocks) struct RememberNotified(
    pub(in crate::rocks) Vec<(SubscriptionId, u32, Notified)>,
);

impl Operation for RememberNotified {
    type Answer = ();

    const LANE: Lane = Lane::Bulk;

    fn octets(&self) -> usize {
        self.0.len() * 512
    }

    fn run(&self, transaction: &mut Transaction<'_>) -> Result<(), Interrupt> {
        for (id, epoch, told) in &self.0 {
            let old = transaction.subscriptions_of(id.mailbox)?;
            let mut new = old.clone();
            if subscription::notified(&mut new, &id.local_tag, *epoch, *told) {
                transaction.replace_subscriptions(id.mailbox, &old, new);
            }
        }
        Ok(())
    }
}

impl Transaction<'_> {
    /// Where a subscription is, or is to be: one that is refreshed may have been made before its mailbox joined
    /// the account (STO-12).
    fn subscribed(
        &mut self,
        account: MailboxId,
        ask: &Subscribe,
    ) -> Result<(MailboxId, Vec<Subscription>), Interrupt> {
        if ask.refreshes {
            for mailbox in self.mailboxes_of(account) {
                let found = self.subscriptions_of(mailbox)?;
                if found.iter().any(|known| known.local_tag == ask.local_tag) {
                    return Ok((mailbox, found));
                }
            }
        }
        Ok((account, self.subscriptions_of(account)?))
    }

    pub(in crate::rocks) fn subscriptions_of(
        &mut self,
        mailbox: MailboxId,
    ) -> Result<Vec<Subscription>, Interrupt> {
        let row = self.subscriptions(mailbox)?;
        Ok(row.map_or_else(Vec::new, |row| row.subscriptions.clone()))
    }

    /// Writes the row, and when something of it is due.
    pub(in crate::rocks) fn replace_subscriptions(
        &mut self,
        mailbox: MailboxId,
        old: &[Subscription],
        new: Vec<Subscription>,
    ) {
        if old == new {
            return;
        }
        let due = |subscriptions: &[Subscription]| {
            subscription::due_at(subscriptions).map(|at| Due {
                at,
                what: DueKind::Subscriptions(mailbox),
            })
        };
        let (before, after) = (due(old), due(&new));
        if before != after {
            if let Some(before) = before {
                self.erase(crate::column_family::Family::Due, before.key());
            }
            if let Some(after) = after {
                self.append_due(after);
            }
        }
        let row = SubscriptionsValue { subscriptions: new };
        let row = Some(row).filter(|row| !row.subscriptions.is_empty());
        self.set_subscriptions(mailbox, row.map(Arc::new));
    }
}
