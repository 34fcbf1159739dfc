//! Subscriptions in the model (MWI-10), and what their notifiers tell.

use super::model::Model;
use crate::config::Provisioning;
use crate::model::{
    Class, MailboxId, Notified, Owner, Sequence, StoredMessage, Subscribe, Subscribed,
    Subscription, SubscriptionId, SubscriptionRefusal, Waiting, WaitingQuestion,
};
use crate::rule::subscription;
use crate::store::StoreError;
use crate::timekeeper::Times;

impl Model {
    pub(super) fn subscribe(
        &mut self,
        ask: &Subscribe,
        times: Times,
    ) -> Result<Subscribed, SubscriptionRefusal> {
        let mailbox = match self.mailbox(&ask.address) {
            Some(mailbox) => mailbox,
            None if self.config.provisioning == Provisioning::Listed => {
                return Err(SubscriptionRefusal::UnknownUser);
            }
            None if ask.refreshes => return Err(SubscriptionRefusal::NoSubscription),
            None => self.mailbox_or_new(&ask.address),
        };
        let mailbox = self.subscribed(mailbox, ask);
        let subscriptions = &mut self.account_mut(mailbox).subscriptions;
        let subscription = subscription::subscribe(subscriptions, ask, times.wall)?;
        Ok(subscribed(mailbox, subscription, times))
    }

    /// Where a subscription is, or is to be.
    fn subscribed(&self, account: MailboxId, ask: &Subscribe) -> MailboxId {
        let is_known = |mailbox: &MailboxId| {
            let account = self.accounts.get(mailbox);
            let mut known = account.into_iter().flat_map(|found| &found.subscriptions);
            ask.refreshes && known.any(|known| known.local_tag == ask.local_tag)
        };
        let found = self.mailboxes_of(account).into_iter().find(is_known);
        found.unwrap_or(account)
    }

    pub(super) fn adopt_subscription(
        &mut self,
        id: &SubscriptionId,
        owner: &Owner,
        times: Times,
    ) -> Option<Subscribed> {
        let account = self.accounts.get_mut(&id.mailbox)?;
        let adopted = subscription::adopt(&mut account.subscriptions, &id.local_tag, owner)?;
        Some(subscribed(id.mailbox, adopted, times))
    }

    pub(super) fn unsubscribe(&mut self, id: &SubscriptionId, epoch: u32) -> Option<Subscription> {
        let account = self.accounts.get_mut(&id.mailbox)?;
        subscription::unsubscribe(&mut account.subscriptions, &id.local_tag, epoch)
    }

    pub(super) fn remember_notified(&mut self, notified: &[(SubscriptionId, u32, Notified)]) {
        for (id, epoch, told) in notified {
            if let Some(account) = self.accounts.get_mut(&id.mailbox) {
                let subscriptions = &mut account.subscriptions;
                subscription::notified(subscriptions, &id.local_tag, *epoch, *told);
            }
        }
    }

    pub(super) fn list_subscriptions(
        &self,
        after: Option<MailboxId>,
        limit: usize,
    ) -> Vec<(MailboxId, Vec<Subscription>)> {
        let start = MailboxId(after.map_or(0, |after| after.0.saturating_add(1)));
        let accounts = self.accounts.range(start..);
        let subscribed = accounts.filter(|(_, account)| !account.subscriptions.is_empty());
        subscribed
            .take(limit)
            .map(|(mailbox, account)| (*mailbox, account.subscriptions.clone()))
            .collect()
    }

    pub(super) fn waiting(
        &self,
        questions: &[WaitingQuestion],
        times: Times,
    ) -> Result<Vec<Option<Waiting>>, StoreError> {
        let answers = questions.iter().map(|question| {
            let account = self.owner(question.mailbox);
            let Ok(mut summary) = self.summary(account) else {
                return Ok(None);
            };
            summary.mailbox = question.mailbox;
            let newest = self.newest(account, question.after, question.messages, times)?;
            Ok(Some(Waiting { summary, newest }))
        });
        answers.collect()
    }

    fn newest(
        &self,
        mailbox: MailboxId,
        after: Sequence,
        limit: usize,
        times: Times,
    ) -> Result<Vec<StoredMessage>, StoreError> {
        let news = self.messages_of(mailbox).filter(|(_, message)| {
            message.waits()
                && message.envelope.class != Class::Imdn
                && message.envelope.sequence > after
        });
        let mut numbers: Vec<_> = news.map(|(number, _)| *number).collect();
        numbers.reverse();
        numbers.truncate(limit);
        let numbers = numbers.into_iter();
        numbers.map(|number| self.message(number, times)).collect()
    }
}

fn subscribed(mailbox: MailboxId, subscription: Subscription, times: Times) -> Subscribed {
    Subscribed {
        mailbox,
        remaining: subscription.expires_at.since(times.wall),
        subscription,
    }
}
