//! The state of the model, and what all its parts use.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::sync::Arc;

use tokio::sync::SetOnce;

use super::event_log::EventLog;
use super::fan_out::FanOut;
use super::reports::Reports;
use super::uploads::UploadRecord;
use crate::config::StoreConfig;
use crate::model::{
    Address, Binding, Class, DeviceDelivery, Envelope, Event, EventKind, Generation, KnownDevice,
    MailboxId, MailboxSummary, MessageCount, MessageNumber, MessageReport, Part, Priority, Receipt,
    Sequence, State, Subscription, Suspension, UnixMillis, UploadId,
};
use crate::rule::duplicate::Fingerprint;
use crate::rule::reservation::Reservations;
use crate::rule::retention;
use crate::rule::settings::Sayings;
use crate::store::StoreError;
use crate::value::{SenderValue, is_inline};

/// Everything a store knows.
#[derive(Clone)]
pub(super) struct Model {
    pub(super) config: StoreConfig,
    pub(super) secret: [u8; 32],
    pub(super) accounts: BTreeMap<MailboxId, AccountRecord>,
    /// Addresses and aliases.
    pub(super) addresses: HashMap<Address, MailboxId>,
    pub(super) messages: BTreeMap<MessageNumber, MessageRecord>,
    pub(super) duplicates: HashMap<(MailboxId, Fingerprint), FirstCopy>,
    pub(super) uploads: HashMap<UploadId, UploadRecord>,
    /// By the address that the upload was admitted for.
    pub(super) reservations: Reservations<Address>,
    pub(super) next_number: u64,
    /// Of jobs, and of versions of groups.
    pub(super) next_serial: u64,
    pub(super) next_mailbox: u64,
    pub(super) next_upload: u64,
    pub(super) fan_out: FanOut,
    pub(super) reports: Reports,
    pub(super) log: EventLog,
    pub(super) suspensions: Vec<Suspension>,
    pub(super) latched: Arc<SetOnce<String>>,
    closed: bool,
}

/// The receipt of an accepted message, as long as retries of it are recognised.
#[derive(Clone)]
pub(super) struct FirstCopy {
    pub(super) receipt: Receipt,
    pub(super) until: UnixMillis,
}

#[derive(Clone, Default)]
pub(super) struct AccountRecord {
    pub(super) address: Option<Address>,
    pub(super) aliases: Vec<Address>,
    pub(super) provisioned: bool,
    pub(super) deleted: bool,
    pub(super) said: Sayings,
    /// Mailboxes that belong to this account (STO-12).
    pub(super) members: Vec<MailboxId>,
    pub(super) member_of: Option<MailboxId>,
    pub(super) bindings: Vec<Binding>,
    pub(super) devices: Vec<KnownDevice>,
    pub(super) subscriptions: Vec<Subscription>,
    /// REGISTERs that bound something; zero for an account nobody has registered.
    pub(super) registrations: u64,
    pub(super) generation: Generation,
    pub(super) claim: Option<ClaimRecord>,
    pub(super) version: u64,
    pub(super) last_sequence: Sequence,
}

#[derive(Clone)]
pub(super) struct ClaimRecord {
    pub(super) edge: String,
    pub(super) claimed_at: UnixMillis,
    /// On the steady clock.
    pub(super) lease_until: UnixMillis,
    pub(super) released: bool,
    pub(super) taken: BTreeSet<MessageNumber>,
    /// What was there when a take for a device last found nothing.
    pub(super) looked_until: Sequence,
}

#[derive(Clone)]
pub(super) struct MessageRecord {
    pub(super) envelope: Envelope,
    /// Never `Claimed`.
    pub(super) state: State,
    /// `None` once removed.
    pub(super) parts: Option<Vec<Part>>,
    pub(super) octets: u64,
    pub(super) sender_exempt: bool,
    pub(super) attempts: u32,
    pub(super) redeliveries: u32,
    pub(super) refusals: u32,
    /// `registrations` of the account at the last refusal.
    pub(super) refused_on: Option<u64>,
    pub(super) settled_at: Option<UnixMillis>,
    pub(super) reason: String,
    pub(super) reports: Vec<MessageReport>,
    pub(super) devices: Vec<DeviceDelivery>,
    /// Claims before this one have nothing to say about the message any more.
    pub(super) earliest_generation: Generation,
    /// When the sweep looks at it next.
    pub(super) due_at: UnixMillis,
    pub(super) events: Vec<Event>,
}

impl MessageRecord {
    /// Octets of the parts that are taken with the message.
    pub(super) fn inline_octets(&self) -> u64 {
        let parts = self.parts.iter().flatten();
        let octets = parts.map(|part| (part.kind, part.octets.len() as u64));
        let inline = octets.filter(|part| is_inline(*part));
        inline.map(|(_, octets)| octets).sum()
    }

    /// Whether it is among those that are taken: it waits, or others than who has it may have to get it.
    pub(super) fn is_deliverable(&self) -> bool {
        let is_for_others = || self.parts.is_some() && !self.devices.is_empty();
        self.state == State::Stored || (self.state == State::Delivered && is_for_others())
    }

    pub(super) fn waits(&self) -> bool {
        !self.state.is_settled()
    }

    pub(super) fn record(
        &mut self,
        at: UnixMillis,
        kind: EventKind,
        generation: Option<Generation>,
        actor: &str,
        detail: &str,
    ) {
        self.events.push(Event {
            at,
            kind,
            generation,
            actor: actor.to_owned(),
            detail: detail.to_owned(),
        });
    }
}

impl Model {
    pub(super) fn new(config: StoreConfig, secret: [u8; 32], now: UnixMillis) -> Self {
        Self {
            reservations: Reservations::new(config.uploads.lease, config.uploads.concurrent),
            uploads: HashMap::new(),
            next_upload: 1,
            fan_out: FanOut::default(),
            reports: Reports::default(),
            log: EventLog::new(now.0.saturating_mul(1_000)),
            suspensions: Vec::new(),
            config,
            secret,
            accounts: BTreeMap::new(),
            addresses: HashMap::new(),
            messages: BTreeMap::new(),
            duplicates: HashMap::new(),
            next_number: now.0.saturating_mul(1_000),
            next_serial: now.0.saturating_mul(1_000),
            next_mailbox: 1,
            latched: Arc::default(),
            closed: false,
        }
    }

    pub(super) fn check_open(&self) -> Result<(), StoreError> {
        if self.closed {
            return Err(StoreError::Closed);
        }
        Ok(())
    }

    pub(super) fn check_writable(&self) -> Result<(), StoreError> {
        self.check_open()?;
        match self.latched.get() {
            Some(cause) => Err(StoreError::Latched {
                cause: cause.clone(),
            }),
            None => Ok(()),
        }
    }

    pub(super) fn latch(&mut self, cause: String) -> StoreError {
        // The first cause stays.
        let _ = self.latched.set(cause.clone());
        StoreError::Latched { cause }
    }

    /// The latest time that is written anywhere.
    pub(super) fn latest_time(&self) -> UnixMillis {
        let events = self.messages.values().flat_map(|message| &message.events);
        events.map(|event| event.at).max().unwrap_or_default()
    }

    /// What a process finds that opens this store after another one died.
    pub(super) fn reopened(&self) -> Self {
        let mut model = self.clone();
        model.latched = Arc::default();
        model.closed = false;
        model.forget_taken();
        model
    }

    /// The claims that have taken something, and what.
    pub(super) fn all_taken(&self) -> Vec<(MailboxId, Generation, BTreeSet<MessageNumber>)> {
        let accounts = self.accounts.iter();
        let claimed = accounts.filter_map(|(mailbox, account)| {
            let claim = account.claim.as_ref()?;
            Some((*mailbox, account.generation, claim.taken.clone()))
        });
        claimed.collect()
    }

    /// Adds what such claims have taken, where they still stand.
    pub(super) fn take_again(
        &mut self,
        taken: &[(MailboxId, Generation, BTreeSet<MessageNumber>)],
    ) {
        for (mailbox, generation, numbers) in taken {
            let account = self.accounts.get_mut(mailbox);
            let account = account.filter(|account| account.generation == *generation);
            let Some(claim) = account.and_then(|account| account.claim.as_mut()) else {
                continue;
            };
            let waits = |number: &&MessageNumber| {
                let message = self.messages.get(*number);
                message.is_some_and(MessageRecord::waits)
            };
            claim.taken.extend(numbers.iter().filter(waits));
        }
    }

    pub(super) fn close(&mut self) {
        self.closed = true;
    }

    /// What a restart of the process forgets: uploads under way, and which messages are taken.
    pub(super) fn forget_taken(&mut self) {
        for upload in std::mem::take(&mut self.uploads).into_keys() {
            self.reservations.end(upload);
        }
        for account in self.accounts.values_mut() {
            if let Some(claim) = &mut account.claim {
                claim.taken.clear();
                claim.looked_until = Sequence::default();
            }
        }
    }

    /// A mailbox and its members.
    pub(super) fn mailboxes_of(&self, mailbox: MailboxId) -> Vec<MailboxId> {
        let members = self.accounts.get(&mailbox).map(|account| &account.members);
        let members = members.into_iter().flatten().copied();
        std::iter::once(mailbox).chain(members).collect()
    }

    /// The messages of a mailbox and its members, in order.
    pub(super) fn messages_of(
        &self,
        mailbox: MailboxId,
    ) -> impl Iterator<Item = (&MessageNumber, &MessageRecord)> {
        let mailboxes = self.mailboxes_of(mailbox);
        self.messages
            .iter()
            .filter(move |(_, message)| mailboxes.contains(&message.envelope.mailbox))
    }

    pub(super) fn has_deliverable(&self, mailbox: MailboxId) -> bool {
        self.messages_of(mailbox)
            .any(|(_, message)| message.is_deliverable())
    }

    pub(super) fn summary(&self, mailbox: MailboxId) -> Result<MailboxSummary, StoreError> {
        if !self.accounts.contains_key(&mailbox) {
            return Err(StoreError::NotFound);
        }
        let mut summary = self.counted(mailbox);
        for member in self.mailboxes_of(mailbox) {
            let account = &self.accounts[&member];
            summary.version += account.version;
            summary.last_sequence = summary.last_sequence.max(account.last_sequence);
        }
        Ok(summary)
    }

    /// Counts afresh (MWI-09).
    pub(super) fn counted(&self, mailbox: MailboxId) -> MailboxSummary {
        let mut summary = MailboxSummary {
            mailbox,
            text: MessageCount::default(),
            multimedia: MessageCount::default(),
            imdn: 0,
            octets: 0,
            version: 0,
            last_sequence: Sequence::default(),
        };
        for (_, message) in self.messages_of(mailbox) {
            count(&mut summary, message);
        }
        summary
    }

    /// What a sender has stored and undelivered, counted afresh; `None` for one who is not bounded.
    pub(super) fn stored_by(&self, sender: Option<&Address>, exempt: bool) -> Option<SenderValue> {
        let sender = sender.filter(|_| !exempt);
        let is_theirs = |message: &&MessageRecord| {
            message.waits() && !message.sender_exempt && message.envelope.sender.as_ref() == sender
        };
        let theirs = self.messages.values().filter(is_theirs);
        sender.map(|_| {
            theirs.fold(SenderValue::default(), |sum, message| {
                sum.plus(message.octets)
            })
        })
    }

    /// Changes one message, and the version of its mailbox if that changed a counter.
    pub(super) fn change(
        &mut self,
        number: MessageNumber,
        change: impl FnOnce(&mut MessageRecord, &StoreConfig),
    ) {
        let Some(mailbox) = self.messages.get(&number).map(|m| m.envelope.mailbox) else {
            return;
        };
        let before = self.counted(mailbox);
        let mut events = Vec::new();
        if let Some(message) = self.messages.get_mut(&number) {
            let known = message.events.len();
            change(message, &self.config);
            events.extend_from_slice(&message.events[known..]);
        }
        for event in events {
            self.log_event(number, &event);
        }
        if self.counted(mailbox) != before {
            self.account_mut(mailbox).version += 1;
        }
    }

    pub(super) fn account_mut(&mut self, mailbox: MailboxId) -> &mut AccountRecord {
        self.accounts.entry(mailbox).or_default()
    }
}

/// Ends a message: requirements §3.2.
pub(super) fn settle(
    message: &mut MessageRecord,
    config: &StoreConfig,
    state: State,
    at: UnixMillis,
    reason: &str,
) {
    let until = retention::content_until(state, at, message.envelope.expires_at, &config.retention);
    message.state = state;
    message.settled_at = Some(at);
    message.reason = reason.to_owned();
    if until.is_none() || message.parts.is_none() {
        message.parts = None;
        message.due_at = retention::timeline_until(at, &config.retention);
    } else {
        message.due_at = until.unwrap_or(at);
    }
}

fn count(summary: &mut MailboxSummary, message: &MessageRecord) {
    let envelope = &message.envelope;
    if message.waits() {
        summary.octets += message.octets;
    }
    if envelope.class == Class::Imdn {
        summary.imdn += u64::from(message.waits());
        return;
    }
    let kind = match envelope.is_text {
        true => &mut summary.text,
        false => &mut summary.multimedia,
    };
    let urgent = u64::from(matches!(
        envelope.priority,
        Priority::Urgent | Priority::Emergency
    ));
    if message.waits() {
        kind.new += 1;
        kind.new_urgent += urgent;
    } else if message.state == State::Delivered && message.parts.is_some() {
        kind.old += 1;
        kind.old_urgent += urgent;
    }
}
