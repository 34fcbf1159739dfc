//! Entries of the event log, and how far it has got.

use super::message::{class, priority, state};
use super::timeline::kind;
use super::{Decoder, Encoder, Malformed, Value};
use crate::model::{
    Address, Event, Generation, LogEntry, LogPosition, MessageId, MessageNumber, UnixMillis,
};

/// An entry but for its position, which is its key.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct LogEntryValue(pub(crate) LogEntry);

impl Value for LogEntryValue {
    const WHAT: &'static str = "entry of the event log";

    fn write(&self, out: &mut Encoder) {
        let Self(entry) = self;
        out.u64(entry.event.at.0);
        out.u8(entry.event.kind as u8);
        out.option(entry.event.generation, |out, generation| {
            out.count(generation.0);
        });
        out.u64(entry.message.number.0);
        out.text(&entry.message.hostname);
        out.u8(entry.class as u8);
        out.u8(entry.priority as u8);
        out.count(entry.octets);
        out.u8(entry.state as u8);
        out.u64(entry.expires_at.0);
        out.flag(entry.registered);
        out.seal();
        out.text(entry.served_user.as_str());
        out.option(entry.sender.as_ref(), |out, sender| {
            out.text(sender.as_str());
        });
        out.text(&entry.event.actor);
        out.text(&entry.event.detail);
    }

    fn read(fields: &mut Decoder<'_>) -> Result<Self, Malformed> {
        let at = UnixMillis(fields.u64()?);
        let kind = kind(fields.u8()?)?;
        let generation = fields.option(Decoder::count)?.map(Generation);
        let message = MessageId {
            number: MessageNumber(fields.u64()?),
            hostname: fields.text()?,
        };
        let class = class(fields.u8()?)?;
        let priority = priority(fields.u8()?)?;
        let octets = fields.count()?;
        let state = state(fields.u8()?)?;
        let expires_at = UnixMillis(fields.u64()?);
        let registered = fields.flag()?;
        let served_user = Address::new(fields.text()?);
        let sender = fields.option(Decoder::text)?.map(Address::new);
        let event = Event {
            at,
            kind,
            generation,
            actor: fields.text()?,
            detail: fields.text()?,
        };
        Ok(Self(LogEntry {
            position: LogPosition::default(),
            event,
            message,
            served_user,
            sender,
            class,
            priority,
            octets,
            state,
            expires_at,
            registered,
        }))
    }
}

/// How far the event log has got. No row: there is none.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct LogValue {
    /// Entries up to this position are gone, or never were.
    pub(crate) begins_after: u64,
    /// Entries up to this position have been handed on.
    pub(crate) cursor: Option<u64>,
}

impl Value for LogValue {
    const WHAT: &'static str = "event log";

    fn write(&self, out: &mut Encoder) {
        out.u64(self.begins_after);
        out.option(self.cursor, Encoder::u64);
    }

    fn read(fields: &mut Decoder<'_>) -> Result<Self, Malformed> {
        Ok(Self {
            begins_after: fields.u64()?,
            cursor: fields.option(Decoder::u64)?,
        })
    }
}
