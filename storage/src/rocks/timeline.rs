//! The timeline of a message: its own events, and those of deliveries that failed as a whole while
//! it waited (P8).

use super::shared::Shared;
use crate::column_family::Family;
use crate::key;
use crate::model::{Event, EventKind, MailboxId, MessageNumber};
use crate::store::StoreError;
use crate::value::{self, AttemptValue, EnvelopeValue, EventValue};

impl Shared {
    pub(super) fn timeline(&self, number: MessageNumber) -> Result<Vec<Event>, StoreError> {
        let found = self.find(number)?;
        let mut events = vec![deposited(&found.envelope)];
        events.extend(self.events(number)?);
        let attempts = self.attempts(found.envelope.envelope.mailbox, found.envelope.order)?;
        Ok(merged(events, attempts))
    }

    fn events(&self, number: MessageNumber) -> Result<Vec<EventValue>, StoreError> {
        let lower = key::location(number);
        let upper = key::location(MessageNumber(number.0.saturating_add(1)));
        let mut scan = self.database.scan(Family::Events, &lower, Some(&upper));
        let mut events = Vec::new();
        while let Some(event) = scan.step(|_, octets| value::decode(octets))? {
            events.push(event);
        }
        Ok(events)
    }

    /// Failed deliveries of a mailbox after a place in its order.
    fn attempts(
        &self,
        mailbox: MailboxId,
        after: u64,
    ) -> Result<Vec<(u64, AttemptValue)>, StoreError> {
        let lower = key::attempt(mailbox, after.saturating_add(1));
        let upper = key::mailbox(MailboxId(mailbox.0.saturating_add(1)));
        let mut scan = self.database.scan(Family::Attempts, &lower, Some(&upper));
        let mut attempts = Vec::new();
        while let Some(attempt) = scan.step(|key, octets| {
            let (_, order) = key::decode_attempt(key)?;
            Ok((order, value::decode(octets)?))
        })? {
            attempts.push(attempt);
        }
        Ok(attempts)
    }
}

/// The first event is in the envelope.
fn deposited(value: &EnvelopeValue) -> EventValue {
    EventValue {
        order: value.order,
        event: Event {
            at: value.envelope.received_at,
            kind: EventKind::Deposited,
            generation: None,
            actor: String::new(),
            detail: value.envelope.received_from.clone(),
        },
    }
}

/// Puts both in the order of the mailbox; leaves out attempts at times when the message was not
/// waiting. Both come in order.
fn merged(events: Vec<EventValue>, attempts: Vec<(u64, AttemptValue)>) -> Vec<Event> {
    let mut timeline = Vec::with_capacity(events.len());
    let mut attempts = attempts.into_iter().peekable();
    let mut events = events.into_iter().peekable();
    let mut waits = false;
    while let Some(event) = events.next() {
        waits = waits_after(event.event.kind).unwrap_or(waits);
        timeline.push(event.event);
        let until = events.peek().map_or(u64::MAX, |next| next.order);
        while let Some((_, attempt)) = attempts.next_if(|(order, _)| *order < until) {
            timeline.extend(waits.then(|| failed(attempt)));
        }
    }
    timeline
}

/// Whether the message waits after such an event; `None` if that does not change.
fn waits_after(kind: EventKind) -> Option<bool> {
    match kind {
        EventKind::Deposited | EventKind::Unheld | EventKind::Redelivered => Some(true),
        EventKind::Delivered
        | EventKind::Refused
        | EventKind::Expired
        | EventKind::Held
        | EventKind::Recalled
        | EventKind::Deleted
        | EventKind::Dropped => Some(false),
        EventKind::DuplicateAbsorbed
        | EventKind::Claimed
        | EventKind::AttemptFailed
        | EventKind::ContentRemoved
        | EventKind::ExpiryShortened
        | EventKind::Imported
        | EventKind::ReportMade
        | EventKind::ReportSent
        | EventKind::ReportDropped => None,
    }
}

fn failed(attempt: AttemptValue) -> Event {
    Event {
        at: attempt.at,
        kind: EventKind::AttemptFailed,
        generation: Some(attempt.generation),
        actor: attempt.edge,
        detail: attempt.reason,
    }
}
