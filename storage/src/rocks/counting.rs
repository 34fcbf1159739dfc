//! What a message adds to the counters of its mailbox (MWI-09), and of its sender (requirements §3.6).

use super::change::Loaded;
use super::transaction::{Interrupt, Transaction};
use crate::key::AddressKey;
use crate::model::{Class, MessageCount, MessageNumber, Priority, State};
use crate::value::{EnvelopeValue, MailboxValue, SenderValue, StateValue};

/// The part of one message in the counters.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Share {
    text: MessageCount,
    multimedia: MessageCount,
    imdn: u64,
    octets: u64,
}

impl Share {
    pub(super) fn of(envelope: &EnvelopeValue, state: &StateValue) -> Self {
        let waits = !state.state.is_settled();
        let mut share = Self {
            octets: if waits { envelope.octets() } else { 0 },
            ..Self::default()
        };
        if envelope.envelope.class == Class::Imdn {
            share.imdn = u64::from(waits);
            return share;
        }
        let is_old = state.state == State::Delivered && state.content_retained;
        let count = count(waits, is_old, envelope.envelope.priority);
        match envelope.envelope.is_text {
            true => share.text = count,
            false => share.multimedia = count,
        }
        share
    }

    /// Adds it to the counters.
    pub(super) fn add_to(self, mailbox: &mut MailboxValue) {
        add(&mut mailbox.text, self.text);
        add(&mut mailbox.multimedia, self.multimedia);
        mailbox.imdn += self.imdn;
        mailbox.octets += self.octets;
    }

    /// Takes it out of the counters.
    pub(super) fn take_from(self, mailbox: &mut MailboxValue) {
        subtract(&mut mailbox.text, self.text);
        subtract(&mut mailbox.multimedia, self.multimedia);
        mailbox.imdn = mailbox.imdn.saturating_sub(self.imdn);
        mailbox.octets = mailbox.octets.saturating_sub(self.octets);
    }
}

/// Brings the counters from one state of a message to another.
pub(super) fn recount(
    mailbox: &mut MailboxValue,
    envelope: &EnvelopeValue,
    before: &StateValue,
    after: &StateValue,
) {
    let (old, new) = (Share::of(envelope, before), Share::of(envelope, after));
    if old != new {
        old.take_from(mailbox);
        new.add_to(mailbox);
        mailbox.version += 1;
    }
    let number = envelope.envelope.id.number;
    match (is_deliverable(before), is_deliverable(after)) {
        (true, false) => leave_waiting(mailbox, number),
        (false, true) => enter_waiting(mailbox, number),
        _ => {}
    }
}

/// Whether the message has a row in `Waiting`: it waits, or it has got to a device and may have to get to others.
pub(super) fn is_deliverable(state: &StateValue) -> bool {
    let is_for_others = || state.content_retained && !state.devices.is_empty();
    state.state == State::Stored || (state.state == State::Delivered && is_for_others())
}

fn leave_waiting(mailbox: &mut MailboxValue, number: MessageNumber) {
    mailbox.deliverable = mailbox.deliverable.saturating_sub(1);
    if mailbox.deliverable == 0 {
        mailbox.head = MessageNumber(mailbox.last_number.0 + 1);
    } else if mailbox.head >= number {
        mailbox.head = MessageNumber(number.0 + 1);
    }
}

fn enter_waiting(mailbox: &mut MailboxValue, number: MessageNumber) {
    mailbox.deliverable += 1;
    mailbox.head = mailbox.head.min(number);
}

fn count(waits: bool, is_old: bool, priority: Priority) -> MessageCount {
    let is_urgent = matches!(priority, Priority::Urgent | Priority::Emergency);
    MessageCount {
        new: u64::from(waits),
        old: u64::from(is_old),
        new_urgent: u64::from(waits && is_urgent),
        old_urgent: u64::from(is_old && is_urgent),
    }
}

fn add(sum: &mut MessageCount, count: MessageCount) {
    sum.new += count.new;
    sum.old += count.old;
    sum.new_urgent += count.new_urgent;
    sum.old_urgent += count.old_urgent;
}

fn subtract(sum: &mut MessageCount, count: MessageCount) {
    sum.new = sum.new.saturating_sub(count.new);
    sum.old = sum.old.saturating_sub(count.old);
    sum.new_urgent = sum.new_urgent.saturating_sub(count.new_urgent);
    sum.old_urgent = sum.old_urgent.saturating_sub(count.old_urgent);
}

impl Transaction<'_> {
    /// What a sender has stored and undelivered; `None` for one who is not bounded.
    pub(super) fn stored_by(
        &mut self,
        sender: Option<AddressKey>,
    ) -> Result<Option<SenderValue>, Interrupt> {
        sender
            .map(|sender| Ok(self.sender(sender)?.unwrap_or_default()))
            .transpose()
    }

    /// A message of so many octets has been stored.
    pub(super) fn add_to_sender(
        &mut self,
        sender: AddressKey,
        octets: u64,
    ) -> Result<(), Interrupt> {
        let row = self.sender(sender)?.unwrap_or_default();
        self.set_sender(sender, Some(row.plus(octets)));
        Ok(())
    }

    /// Brings the counters of the sender from one state of a message to another.
    pub(super) fn recount_sender(
        &mut self,
        loaded: &Loaded,
        after: &StateValue,
    ) -> Result<(), Interrupt> {
        let waits = |state: &StateValue| !state.state.is_settled();
        let (waited, waits) = (waits(&loaded.state), waits(after));
        let sender = match loaded.envelope.bounded_sender() {
            Some(sender) if waited != waits => self.shared.address_key(sender),
            _ => return Ok(()),
        };
        let octets = loaded.envelope.octets();
        if waits {
            return self.add_to_sender(sender, octets);
        }
        let row = self.sender(sender)?;
        self.set_sender(sender, row.and_then(|row| row.minus(octets)));
        Ok(())
    }
}
