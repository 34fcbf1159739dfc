//! Entries of the event log.

use proto::v1;
use storage::model::{LogEntry, LogPosition};
use tonic::Status;

use super::message::{event_kind, proto_class, proto_priority, proto_state};
use super::{invalid, timestamp};

/// The position as callers have it.
pub(crate) fn position(position: LogPosition) -> String {
    format!("{:016x}", position.0)
}

/// The inverse of [`position`].
pub(crate) fn read_position(text: &str) -> Result<LogPosition, Status> {
    let is_ours = text.len() == 16 && text.bytes().all(|digit| digit.is_ascii_hexdigit());
    let number = u64::from_str_radix(text, 16).ok().filter(|_| is_ours);
    let number = number.ok_or_else(|| invalid("the position is not ours"))?;
    Ok(LogPosition(number))
}

/// A name that no other event of any store has.
pub(crate) fn event_id(entry: &LogEntry) -> String {
    format!("{}@{}", entry.position.0, entry.message.hostname)
}

/// An entry as the contract has it.
pub(crate) fn message_event(entry: LogEntry) -> v1::MessageEvent {
    v1::MessageEvent {
        id: event_id(&entry),
        at: Some(timestamp(entry.event.at)),
        kind: event_kind(entry.event.kind).into(),
        message_id: entry.message.to_string(),
        served_user: entry.served_user.as_str().to_owned(),
        sender: entry
            .sender
            .map(|sender| sender.as_str().to_owned())
            .unwrap_or_default(),
        class: proto_class(entry.class).into(),
        priority: proto_priority(entry.priority).into(),
        octets: entry.octets,
        state: proto_state(entry.state).into(),
        expires_at: Some(timestamp(entry.expires_at)),
        registered: entry.registered,
        generation: entry.event.generation.map_or(0, |claim| claim.0),
        actor: entry.event.actor,
        detail: entry.event.detail,
    }
}
