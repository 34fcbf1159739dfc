//! What happened: to one message, and to all that a failed delivery left behind.

use super::{Decoder, Encoder, Malformed, Value};
use crate::model::{Event, EventKind, Generation, UnixMillis};

/// An event of one message.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct EventValue {
    /// Its place among the events of the mailbox.
    pub(crate) order: u64,
    pub(crate) event: Event,
}

impl Value for EventValue {
    const WHAT: &'static str = "event";

    fn write(&self, out: &mut Encoder) {
        out.count(self.order);
        out.u64(self.event.at.0);
        out.u8(self.event.kind as u8);
        out.option(self.event.generation, |out, generation| {
            out.count(generation.0);
        });
        out.seal();
        out.text(&self.event.actor);
        out.text(&self.event.detail);
    }

    fn read(fields: &mut Decoder<'_>) -> Result<Self, Malformed> {
        let order = fields.count()?;
        let at = UnixMillis(fields.u64()?);
        let kind = kind(fields.u8()?)?;
        let generation = fields.option(Decoder::count)?.map(Generation);
        let event = Event {
            at,
            kind,
            generation,
            actor: fields.text()?,
            detail: fields.text()?,
        };
        Ok(Self { order, event })
    }
}

/// A delivery of a mailbox that failed as a whole: an event of every message that waited then.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct AttemptValue {
    pub(crate) at: UnixMillis,
    pub(crate) generation: Generation,
    pub(crate) edge: String,
    pub(crate) reason: String,
}

impl Value for AttemptValue {
    const WHAT: &'static str = "attempt";

    fn write(&self, out: &mut Encoder) {
        out.u64(self.at.0);
        out.count(self.generation.0);
        out.seal();
        out.text(&self.edge);
        out.text(&self.reason);
    }

    fn read(fields: &mut Decoder<'_>) -> Result<Self, Malformed> {
        let at = UnixMillis(fields.u64()?);
        let generation = Generation(fields.count()?);
        Ok(Self {
            at,
            generation,
            edge: fields.text()?,
            reason: fields.text()?,
        })
    }
}

pub(super) fn kind(number: u8) -> Result<EventKind, Malformed> {
    [
        EventKind::Deposited,
        EventKind::DuplicateAbsorbed,
        EventKind::Claimed,
        EventKind::AttemptFailed,
        EventKind::Delivered,
        EventKind::Refused,
        EventKind::Expired,
        EventKind::Held,
        EventKind::Unheld,
        EventKind::Redelivered,
        EventKind::Recalled,
        EventKind::Deleted,
        EventKind::ContentRemoved,
        EventKind::ExpiryShortened,
        EventKind::ReportMade,
        EventKind::ReportSent,
        EventKind::ReportDropped,
        EventKind::Dropped,
        EventKind::Imported,
    ]
    .into_iter()
    .find(|kind| *kind as u8 == number)
    .ok_or(Malformed)
}
