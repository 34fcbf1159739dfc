//! Entries of the event log as CloudEvents 1.0 in JSON (batched mode of its HTTP binding).

use std::time::{Duration, UNIX_EPOCH};

use chrono::{DateTime, SecondsFormat, Utc};
use serde::Serialize;
use storage::model::{LogEntry, UnixMillis};

use crate::convert;

/// Media type of a batch.
pub(super) const MEDIA_TYPE: &str = "application/cloudevents-batch+json";

#[derive(Serialize)]
struct CloudEvent<'a> {
    specversion: &'static str,
    id: String,
    source: String,
    #[serde(rename = "type")]
    kind: String,
    subject: String,
    time: String,
    datacontenttype: &'static str,
    data: Data<'a>,
}

#[derive(Serialize)]
struct Data<'a> {
    event: String,
    message_id: String,
    served_user: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    sender: Option<&'a str>,
    class: String,
    priority: String,
    octets: u64,
    state: String,
    expires_at: String,
    registered: bool,
    #[serde(skip_serializing_if = "Option::is_none")]
    generation: Option<u64>,
    #[serde(skip_serializing_if = "str::is_empty")]
    actor: &'a str,
    #[serde(skip_serializing_if = "str::is_empty")]
    detail: &'a str,
}

/// The body of a request that tells these entries.
pub(super) fn batch(entries: &[LogEntry]) -> Vec<u8> {
    let events: Vec<_> = entries.iter().map(cloud_event).collect();
    serde_json::to_vec(&events).expect("texts and numbers are JSON")
}

fn cloud_event(entry: &LogEntry) -> CloudEvent<'_> {
    let told = convert::message_event(entry.clone());
    let event = word(told.kind().as_str_name(), "EVENT_KIND_");
    CloudEvent {
        specversion: "1.0",
        id: told.id.clone(),
        source: format!("//{}", entry.message.hostname),
        kind: format!("restante.message.{event}"),
        subject: told.message_id.clone(),
        time: rfc3339(entry.event.at),
        datacontenttype: "application/json",
        data: Data {
            event,
            message_id: told.message_id.clone(),
            served_user: entry.served_user.as_str(),
            sender: entry.sender.as_ref().map(|sender| sender.as_str()),
            class: word(told.class().as_str_name(), "MESSAGE_CLASS_"),
            priority: word(told.priority().as_str_name(), "PRIORITY_"),
            octets: entry.octets,
            state: word(told.state().as_str_name(), "MESSAGE_STATE_"),
            expires_at: rfc3339(entry.expires_at),
            registered: entry.registered,
            generation: entry.event.generation.map(|claim| claim.0),
            actor: &entry.event.actor,
            detail: &entry.event.detail,
        },
    }
}

/// A name of the contract as `restantectl` writes it.
fn word(name: &str, prefix: &str) -> String {
    let bare = name.strip_prefix(prefix).unwrap_or(name);
    bare.to_ascii_lowercase()
}

fn rfc3339(time: UnixMillis) -> String {
    let time: DateTime<Utc> = (UNIX_EPOCH + Duration::from_millis(time.0)).into();
    time.to_rfc3339_opts(SecondsFormat::Millis, true)
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};
    use storage::model::{
        Address, Class, Event, EventKind, Generation, LogPosition, MessageId, MessageNumber,
        Priority, State,
    };

    use super::*;

    #[test]
    fn an_entry_is_told_without_what_it_does_not_have() {
        let entry = LogEntry {
            position: LogPosition(77),
            event: Event {
                at: UnixMillis(1_700_000_000_123),
                kind: EventKind::Delivered,
                generation: Some(Generation(3)),
                actor: "edge-1".to_owned(),
                detail: "MSRP 200".to_owned(),
            },
            message: MessageId {
                number: MessageNumber(5),
                hostname: "store.example.org".to_owned(),
            },
            served_user: Address::new("sip:bob@example.org"),
            sender: None,
            class: Class::Pager,
            priority: Priority::Urgent,
            octets: 12,
            state: State::Delivered,
            expires_at: UnixMillis(1_700_000_060_000),
            registered: true,
        };
        let told: Value = serde_json::from_slice(&batch(&[entry])).expect("JSON");
        assert_eq!(
            told,
            json!([{
                "specversion": "1.0",
                "id": "77@store.example.org",
                "source": "//store.example.org",
                "type": "restante.message.delivered",
                "subject": "5@store.example.org",
                "time": "2023-11-14T22:13:20.123Z",
                "datacontenttype": "application/json",
                "data": {
                    "event": "delivered",
                    "message_id": "5@store.example.org",
                    "served_user": "sip:bob@example.org",
                    "class": "pager",
                    "priority": "urgent",
                    "octets": 12,
                    "state": "delivered",
                    "expires_at": "2023-11-14T22:14:20.000Z",
                    "registered": true,
                    "generation": 3,
                    "actor": "edge-1",
                    "detail": "MSRP 200",
                },
            }])
        );
    }
}
