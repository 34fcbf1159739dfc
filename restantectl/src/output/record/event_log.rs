//! What happened to messages, as the event log tells it.

use proto::v1::{EventKind, MessageClass, Priority, WatchEventsReply};
use serde::Serialize;

use super::{non_empty, state_name, word};
use crate::moment::rfc3339;
use crate::output::text::escape;

/// One event of `events watch`.
#[derive(Debug, Serialize)]
pub(crate) struct MessageEventRecord {
    pub(crate) position: String,
    pub(crate) lost: bool,
    pub(crate) id: String,
    pub(crate) at: Option<String>,
    pub(crate) event: String,
    pub(crate) message_id: String,
    pub(crate) served_user: String,
    pub(crate) sender: Option<String>,
    pub(crate) class: String,
    pub(crate) priority: String,
    pub(crate) octets: u64,
    pub(crate) state: String,
    pub(crate) expires_at: Option<String>,
    pub(crate) registered: bool,
    pub(crate) generation: Option<u64>,
    pub(crate) actor: Option<String>,
    pub(crate) detail: Option<String>,
}

impl MessageEventRecord {
    /// The event of a reply, if it has one.
    pub(crate) fn from_reply(reply: WatchEventsReply) -> Option<Self> {
        let event = reply.event?;
        Some(Self {
            position: reply.position,
            lost: reply.lost,
            id: event.id,
            at: rfc3339(event.at),
            event: word(event.kind, EventKind::as_str_name, "EVENT_KIND_"),
            message_id: event.message_id,
            served_user: event.served_user,
            sender: non_empty(event.sender),
            class: word(event.class, MessageClass::as_str_name, "MESSAGE_CLASS_"),
            priority: word(event.priority, Priority::as_str_name, "PRIORITY_"),
            octets: event.octets,
            state: state_name(event.state),
            expires_at: rfc3339(event.expires_at),
            registered: event.registered,
            generation: (event.generation != 0).then_some(event.generation),
            actor: non_empty(event.actor),
            detail: non_empty(event.detail),
        })
    }

    /// The same for people.
    pub(crate) fn text(&self) -> String {
        let lost = if self.lost {
            "(events are missing here)\n"
        } else {
            ""
        };
        let at = self.at.as_deref().unwrap_or_default();
        let (id, user) = (escape(&self.message_id), escape(&self.served_user));
        format!("{lost}{at} {:<14} {id} {user}\n", self.event)
    }
}
