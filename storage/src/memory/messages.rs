//! Reading and ordering about messages of the model.

use bytes::Bytes;

use super::model::{MessageRecord, Model, settle};
use crate::model::{
    Address, Claimant, Event, Generation, ListPage, ListQuery, MessageNumber, Order, PageToken,
    PartKind, Recall, ReportStatus, State, StoredMessage, Verb,
};
use crate::rule::order::{Effect, OWNER, Subject, effect, held_until, stale};
use crate::rule::recall;
use crate::store::StoreError;
use crate::timekeeper::Times;

/// Most messages looked at for one page.
const LOOKED_AT: usize = 50_000;

impl Model {
    fn record(&self, number: MessageNumber) -> Result<&MessageRecord, StoreError> {
        self.messages.get(&number).ok_or(StoreError::NotFound)
    }

    pub(super) fn message(
        &self,
        number: MessageNumber,
        times: Times,
    ) -> Result<StoredMessage, StoreError> {
        let record = self.record(number)?;
        let expires_at = record.envelope.expires_at;
        Ok(StoredMessage {
            deliver_after: held_until(record.state, record.due_at, expires_at),
            envelope: record.envelope.clone(),
            state: match self.is_claimed(number, record, times) {
                true => State::Claimed,
                false => record.state,
            },
            attempts: record.attempts,
            redeliveries: record.redeliveries,
            settled_at: record.settled_at,
            reason: record.reason.clone(),
            content_retained: record.parts.is_some(),
            reports: record.reports.clone(),
            devices: record.devices.clone(),
        })
    }

    /// Taken under a claim whose lease lives, and not acknowledged.
    pub(super) fn is_claimed(
        &self,
        number: MessageNumber,
        record: &MessageRecord,
        times: Times,
    ) -> bool {
        let mailbox = self.owner(record.envelope.mailbox);
        let claim = self.accounts.get(&mailbox).and_then(|a| a.claim.as_ref());
        let is_taken = claim.is_some_and(|claim| {
            !claim.released && claim.lease_until > times.steady && claim.taken.contains(&number)
        });
        is_taken && record.state == State::Stored
    }

    pub(super) fn timeline(&self, number: MessageNumber) -> Result<Vec<Event>, StoreError> {
        Ok(self.record(number)?.events.clone())
    }

    pub(super) fn read_part(
        &self,
        number: MessageNumber,
        kind: PartKind,
        offset: u64,
        length: usize,
    ) -> Result<Bytes, StoreError> {
        let parts = self.record(number)?.parts.iter().flatten();
        let part = parts.into_iter().find(|part| part.kind == kind);
        let octets = &part.ok_or(StoreError::NotFound)?.octets;
        let start = usize::try_from(offset)
            .unwrap_or(usize::MAX)
            .min(octets.len());
        let end = start.saturating_add(length).min(octets.len());
        Ok(octets.slice(start..end))
    }

    pub(super) fn list(&self, query: &ListQuery, times: Times) -> ListPage {
        let mailboxes = match &query.served_user {
            Some(address) => match self.mailbox(address) {
                Some(mailbox) => Some(self.mailboxes_of(mailbox)),
                None => return ListPage::default(),
            },
            None => None,
        };
        let start = query
            .page_token
            .map_or(0, |token| token.0.saturating_add(1));
        let mut page = ListPage::default();
        let mut rows = self
            .messages
            .range(MessageNumber(start)..)
            .filter(|(_, record)| match &mailboxes {
                Some(mailboxes) => mailboxes.contains(&record.envelope.mailbox),
                None => true,
            })
            .peekable();
        let mut looked_at = 0;
        while let Some((number, _)) = rows.next() {
            looked_at += 1;
            page.messages.extend(
                self.message(*number, times)
                    .ok()
                    .filter(|m| query.matches(m)),
            );
            let is_full =
                page.messages.len() >= query.page_size.clamp(1, 1_000) || looked_at >= LOOKED_AT;
            if is_full {
                page.next = rows.peek().map(|_| PageToken(number.0));
                break;
            }
        }
        page
    }

    pub(super) fn delete_own(
        &mut self,
        owner: &Address,
        number: MessageNumber,
        version: Option<u64>,
        times: Times,
    ) -> Result<StoredMessage, StoreError> {
        let owner = self.mailbox(owner).ok_or(StoreError::NotFound)?;
        let record = self.record(number)?;
        let is_own = self.mailboxes_of(owner).contains(&record.envelope.mailbox);
        if !is_own || !record.waits() {
            return Err(StoreError::NotFound);
        }
        let current = self.summary(owner)?.version;
        if version.is_some_and(|seen| seen != current) {
            return Err(stale());
        }
        let order = Order {
            verb: Verb::Delete,
            actor: OWNER.to_owned(),
            reason: String::new(),
        };
        self.carry_out(number, order, times)
    }

    /// The message as it is then, or who could have it sent at any moment.
    pub(super) fn recall(
        &mut self,
        recall: &Recall,
        times: Times,
    ) -> Result<Result<StoredMessage, Claimant>, StoreError> {
        let number = recall.number;
        let record = self.record(number)?;
        let mailbox = record.envelope.mailbox;
        let effect = recall::effect(recall, &record.envelope, record.state, times.wall)?;
        let claimant = self.claimant(mailbox, times);
        let claimant = claimant.filter(|claimant| recall.withdrawn != Some(claimant.claim));
        if let (recall::Effect::TakeBack, Some(claimant)) = (effect, claimant) {
            return Ok(Err(claimant));
        }
        self.change(number, |message, config| {
            match effect {
                recall::Effect::TakeBack => {
                    let end = State::Recalled;
                    settle(message, config, end, times.wall, &recall.reason);
                }
                recall::Effect::Shorten(at) => {
                    let old_end = message.envelope.expires_at;
                    let held_until = held_until(message.state, message.due_at, old_end);
                    message.envelope.expires_at = at;
                    message.due_at = held_until.map_or(at, |time| time.min(at));
                }
            }
            let kind = effect.event();
            message.record(times.wall, kind, None, &recall.actor, &recall.reason);
        });
        if let recall::Effect::Shorten(_) = effect {
            self.account_mut(mailbox).version += 1;
        }
        Ok(Ok(self.message(number, times)?))
    }

    pub(super) fn carry_out(
        &mut self,
        number: MessageNumber,
        order: Order,
        times: Times,
    ) -> Result<StoredMessage, StoreError> {
        let record = self.record(number)?;
        let subject = Subject {
            state: record.state,
            content_retained: record.parts.is_some(),
            expires_at: record.envelope.expires_at,
        };
        let effect = effect(order.verb, subject, times.wall)?;
        let owner = self.owner(record.envelope.mailbox);
        let next = Generation(self.account_mut(owner).generation.0 + 1);
        self.change(number, |message, config| {
            match effect {
                Effect::Settle(state) => {
                    settle(message, config, state, times.wall, &order.reason);
                }
                _ => apply(message, effect, next),
            }
            if effect == Effect::RemoveContent {
                message.due_at = super::sweep::timeline_due(message, config, times);
            }
            message.record(
                times.wall,
                effect.event(),
                None,
                &order.actor,
                &order.reason,
            );
        });
        if effect == Effect::Settle(State::Expired) {
            self.report(number, ReportStatus::Failed, times);
        }
        self.message(number, times)
    }
}

fn apply(message: &mut MessageRecord, effect: Effect, next: Generation) {
    match effect {
        Effect::Redeliver => {
            message.state = State::Stored;
            message.settled_at = None;
            message.reason = String::new();
            message.redeliveries += 1;
            message.refusals = 0;
            message.refused_on = None;
            message.earliest_generation = next;
            message.due_at = message.envelope.expires_at;
            message.devices = Vec::new();
        }
        Effect::Hold => message.state = State::Held,
        Effect::HoldUntil(time) => {
            message.state = State::Held;
            message.due_at = time;
        }
        Effect::Unhold => {
            message.state = State::Stored;
            message.due_at = message.envelope.expires_at;
        }
        Effect::RemoveContent => message.parts = None,
        Effect::Settle(_) => {}
    }
}
