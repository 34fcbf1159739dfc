//! Changing one message: every index and counter that hangs on it follows in one place.

use std::sync::Arc;

use super::counting::{is_deliverable, recount};
use super::measure::Ended;
use super::transaction::{Interrupt, Transaction};
use crate::column_family::Family;
use crate::config::Retention;
use crate::key::{self, Due, DueKind};
use crate::model::{
    Envelope, Event, EventKind, MailboxId, MessageNumber, MessageReport, PartKind, ReportState,
    ReportStatus, State, UnixMillis,
};
use crate::rule::{device, report, retention};
use crate::sealing::ContentKey;
use crate::store::StoreError;
use crate::value::{
    self, EnvelopeValue, EventValue, MailboxValue, Mark, PieceRow, StateValue, WaitingValue,
};

/// Octets of one row in `Contents`.
pub(super) const CHUNK_OCTETS: usize = 256 << 10;

/// A message as a transaction found it.
pub(super) struct Loaded {
    pub(super) mailbox: MailboxId,
    pub(super) number: MessageNumber,
    pub(super) envelope: Arc<EnvelopeValue>,
    pub(super) state: StateValue,
}

impl Loaded {
    fn due(&self, state: &StateValue) -> Due {
        Due {
            at: state.due_at,
            what: DueKind::Message(self.mailbox, self.number),
        }
    }

    pub(super) fn waiting(&self, state: &StateValue) -> WaitingValue {
        waiting(&self.envelope, state)
    }

    /// Keys of its content but for what is staged.
    fn chunks(&self) -> impl Iterator<Item = [u8; 13]> + '_ {
        let parts = self.envelope.parts.iter();
        let parts = parts.filter(|(part, _)| self.envelope.staged_as(*part).is_none());
        parts.flat_map(|(part, octets)| {
            (0..chunks_of(*octets)).map(|chunk| key::content(self.number, *part, chunk))
        })
    }
}

/// The row in `Waiting` of a message that has one.
pub(super) fn waiting(envelope: &EnvelopeValue, state: &StateValue) -> WaitingValue {
    WaitingValue {
        octets: envelope.inline_octets(),
        expires_at: envelope.envelope.expires_at,
        earliest_generation: state.earliest_generation,
        done: device::done(&state.devices).cloned().collect(),
    }
}

/// A row of a content that went through the log.
pub(super) fn contents_row(place: &[u8; 13]) -> PieceRow<'_> {
    PieceRow {
        family: Family::Contents,
        key: place,
    }
}

/// How many rows a part of that size has.
pub(super) fn chunks_of(octets: u64) -> u32 {
    u32::try_from(octets.div_ceil(CHUNK_OCTETS as u64)).unwrap_or(u32::MAX)
}

/// Ends a message: in which state, what stays, and until when (requirements §3.2).
pub(super) fn settle(
    loaded: &Loaded,
    state: State,
    at: UnixMillis,
    reason: &str,
    retention: &Retention,
) -> StateValue {
    let expires_at = loaded.envelope.envelope.expires_at;
    let until = retention::content_until(state, at, expires_at, retention)
        .filter(|_| loaded.state.content_retained);
    StateValue {
        state,
        settled_at: Some(at),
        reason: reason.to_owned(),
        content_retained: until.is_some(),
        due_at: until.unwrap_or_else(|| retention::timeline_until(at, retention)),
        ..loaded.state.clone()
    }
}

/// A settled message loses its content, its timeline stays.
pub(super) fn without_content(
    state: &StateValue,
    now: UnixMillis,
    retention: &Retention,
) -> StateValue {
    let settled_at = state.settled_at.unwrap_or(now);
    StateValue {
        content_retained: false,
        due_at: retention::timeline_until(settled_at, retention).max(now),
        ..state.clone()
    }
}

impl Transaction<'_> {
    /// A message by its mailbox.
    pub(super) fn load(
        &mut self,
        mailbox: MailboxId,
        number: MessageNumber,
    ) -> Result<Option<Loaded>, Interrupt> {
        let Some(envelope) = self.envelope(mailbox, number)? else {
            return Ok(None);
        };
        let state = self.state(mailbox, number)?;
        Ok(Some(Loaded {
            mailbox,
            number,
            state: state.unwrap_or_else(|| StateValue::fresh(&envelope.envelope)),
            envelope,
        }))
    }

    /// The row of a mailbox that must be there.
    pub(super) fn existing_mailbox(&mut self, id: MailboxId) -> Result<MailboxValue, Interrupt> {
        let corrupt = StoreError::Corrupt { what: "mailbox" };
        self.mailbox(id)?.ok_or(Interrupt::Failed(corrupt))
    }

    /// Makes the report that a message has reached this status, if its sender is to be told (IMD-02). The event is to be
    /// saved with the state.
    pub(super) fn make_report(
        &mut self,
        (envelope, number): (&Envelope, MessageNumber),
        state: &mut StateValue,
        status: ReportStatus,
    ) -> Option<Event> {
        let retention = &self.shared.bounds().retention;
        let now = (self.times, retention);
        let row = report::of_message(envelope, number, &state.reports, status, now)?;
        state.reports.push(MessageReport {
            status,
            state: ReportState::Waiting,
        });
        self.append_report(&row);
        Some(Event {
            at: self.times.wall,
            kind: EventKind::ReportMade,
            generation: None,
            actor: String::new(),
            detail: status.word().to_owned(),
        })
    }

    /// As [`Transaction::make_report`], for a message that ends.
    pub(super) fn report_end(
        &mut self,
        loaded: &Loaded,
        state: &mut StateValue,
        status: ReportStatus,
    ) -> Option<Event> {
        let message = (&loaded.envelope.envelope, loaded.number);
        self.make_report(message, state, status)
    }

    /// Writes the new state of a message with everything that follows from it.
    pub(super) fn save(
        &mut self,
        loaded: &Loaded,
        mut state: StateValue,
        events: Vec<Event>,
    ) -> Result<(), Interrupt> {
        let mut mailbox = self.existing_mailbox(loaded.mailbox)?;
        recount(&mut mailbox, &loaded.envelope, &loaded.state, &state);
        self.recount_sender(loaded, &state)?;
        for event in events {
            let envelope = &loaded.envelope.envelope;
            let place = (loaded.mailbox, envelope.id.clone(), envelope.expires_at);
            self.log_event(&loaded.envelope, place, state.state, &event);
            self.append_event(loaded.number, &mut state, &mut mailbox, event);
        }
        if state.state.is_settled() && !loaded.state.state.is_settled() {
            let envelope = &loaded.envelope.envelope;
            let stayed = self.times.wall.since(envelope.received_at);
            self.note_end(Ended::Message(envelope.class, state.state, stayed));
        }
        self.move_due(loaded, &state);
        self.index_waiting(loaded, &state);
        if loaded.state.content_retained && !state.content_retained {
            self.erase_content(loaded);
        }
        self.set_state(loaded.mailbox, loaded.number, Some(state));
        self.set_mailbox(loaded.mailbox, Some(mailbox));
        Ok(())
    }

    pub(super) fn append_event(
        &mut self,
        number: MessageNumber,
        state: &mut StateValue,
        mailbox: &mut MailboxValue,
        event: Event,
    ) {
        state.events += 1;
        mailbox.last_order += 1;
        let order = mailbox.last_order;
        self.append(Family::Events, key::event(number, state.events), || {
            value::encode(&EventValue { order, event })
        });
    }

    fn move_due(&mut self, loaded: &Loaded, state: &StateValue) {
        if loaded.state.due_at != state.due_at {
            self.erase(Family::Due, loaded.due(&loaded.state).key());
            self.append_due(loaded.due(state));
        }
    }

    /// Puts something on the list of what becomes due.
    pub(super) fn append_due(&mut self, due: Due) {
        self.append(Family::Due, due.key(), || value::encode(&Mark));
    }

    fn index_waiting(&mut self, loaded: &Loaded, state: &StateValue) {
        let place = key::waiting(loaded.mailbox, loaded.number);
        let was_there = is_deliverable(&loaded.state);
        if !is_deliverable(state) {
            if was_there {
                self.erase(Family::Waiting, place);
            }
            return;
        }
        if !was_there {
            self.note_return(loaded.mailbox, loaded.number);
        }
        if !was_there || loaded.state.devices != state.devices {
            let row = loaded.waiting(state);
            self.append(Family::Waiting, place, || value::encode(&row));
        }
    }

    fn erase_content(&mut self, loaded: &Loaded) {
        for chunk in loaded.chunks() {
            self.erase(Family::Contents, chunk);
        }
        if let Some(upload) = loaded.envelope.staged {
            self.erase_range(Family::Large, key::blocks(upload));
        }
    }

    /// Adds the octets of one part.
    pub(super) fn append_part(
        &mut self,
        (number, kind): (MessageNumber, PartKind),
        octets: &[u8],
        key: Option<&ContentKey>,
    ) {
        for (chunk, octets) in (0..).zip(octets.chunks(CHUNK_OCTETS)) {
            let place = key::content(number, kind, chunk);
            self.append(Family::Contents, place, || {
                value::encode_piece(octets, key, contents_row(&place))
            });
        }
    }

    /// Removes everything of a message that is settled and has no content any more.
    pub(super) fn remove(&mut self, loaded: &Loaded) {
        for ordinal in 1..=loaded.state.events {
            self.erase(Family::Events, key::event(loaded.number, ordinal));
        }
        self.erase(Family::Due, loaded.due(&loaded.state).key());
        self.set_location(loaded.number, None);
        self.set_envelope(loaded.mailbox, loaded.number, None);
        self.set_state(loaded.mailbox, loaded.number, None);
    }
}
