//! One line of the audit log.

use std::sync::LazyLock;
use std::time::{Duration, UNIX_EPOCH};

use chrono::{DateTime, SecondsFormat, Utc};
use prost_reflect::{
    DescriptorPool, DynamicMessage, MessageDescriptor, MethodDescriptor, ReflectMessage, Value,
};
use serde::Serialize;
use serde_json::{Map, Value as Json, json};
use storage::model::UnixMillis;

use super::Change;

/// Elements of a list that are told; of more it is told how many there are.
const ELEMENTS: usize = 100;

/// Octets of a text that are told.
const TEXT_OCTETS: usize = 1024;

/// The contract, by which any request can be read.
static CONTRACT: LazyLock<Option<DescriptorPool>> =
    LazyLock::new(|| DescriptorPool::decode(proto::DESCRIPTOR_SET).ok());

/// What a line is about.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub(crate) enum Stage {
    /// A call that will be carried out next.
    Asked,
    /// The same call, carried out or not.
    Answered,
    /// A call that the caller has no role for.
    Refused,
    /// Work of a call whose answer had begun before it was done.
    Ended,
}

/// A line. The fields only grow.
#[derive(Clone, Debug, Serialize)]
pub(crate) struct Line<'a> {
    at: String,
    stage: Stage,
    /// The same in both lines of a call.
    call: &'a str,
    who: &'a str,
    /// The role that the call needs.
    role: &'static str,
    verb: &'a str,
    #[serde(skip_serializing_if = "str::is_empty")]
    reason: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    request: Option<&'a Json>,
    #[serde(skip_serializing_if = "Option::is_none")]
    outcome: Option<&'static str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    error: Option<&'a str>,
    /// Refused calls before it that have no line.
    #[serde(skip_serializing_if = "Option::is_none")]
    untold: Option<u64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    messages: Option<u64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    before: Option<Json>,
    #[serde(skip_serializing_if = "Option::is_none")]
    after: Option<Json>,
}

/// What both lines of a call say.
#[derive(Clone, Debug)]
pub(crate) struct Question {
    pub(crate) call: String,
    pub(crate) who: String,
    pub(crate) role: &'static str,
    pub(crate) verb: String,
    pub(crate) reason: String,
    pub(crate) request: Option<Json>,
}

impl Question {
    /// A line of this call.
    pub(crate) fn line(&self, stage: Stage) -> Line<'_> {
        Line {
            at: String::new(),
            stage,
            call: &self.call,
            who: &self.who,
            role: self.role,
            verb: &self.verb,
            reason: &self.reason,
            request: self.request.as_ref(),
            outcome: None,
            error: None,
            untold: None,
            messages: None,
            before: None,
            after: None,
        }
    }
}

impl<'a> Line<'a> {
    /// What came of it, and in the words of the answer why not.
    pub(crate) fn with_outcome(self, outcome: &'static str, error: &'a str) -> Self {
        Self {
            outcome: Some(outcome),
            error: Some(error).filter(|error| !error.is_empty()),
            ..self
        }
    }

    /// What the method says of it.
    pub(crate) fn with_change(self, change: Change) -> Self {
        Self {
            messages: Some(change.messages).filter(|messages| *messages > 0),
            before: change.before,
            after: change.after,
            ..self
        }
    }

    /// How many refused calls before it have no line.
    pub(crate) fn with_untold(self, untold: u64) -> Self {
        Self {
            untold: Some(untold).filter(|untold| *untold > 0),
            ..self
        }
    }

    /// As it is written, with its end.
    pub(super) fn octets(mut self, now: UnixMillis) -> Vec<u8> {
        let now: DateTime<Utc> = (UNIX_EPOCH + Duration::from_millis(now.0)).into();
        self.at = now.to_rfc3339_opts(SecondsFormat::Millis, true);
        let mut octets = serde_json::to_vec(&self).unwrap_or_else(|error| error.to_string().into());
        octets.push(b'\n');
        octets
    }
}

/// The method at `path`.
fn method(path: &str) -> Option<MethodDescriptor> {
    let (service, method) = path.strip_prefix('/')?.split_once('/')?;
    let service = CONTRACT.as_ref()?.get_service_by_name(service)?;
    service.methods().find(|known| known.name() == method)
}

/// Whether a request of the method at `path` is a stream of messages, of which nothing is told.
pub(crate) fn is_streamed(path: &str) -> bool {
    method(path).is_some_and(|method| method.is_client_streaming())
}

/// The request of the method at `path` as JSON, and its field `reason`, however long it is. None if it cannot be read.
pub(crate) fn read(path: &str, message: &[u8]) -> Option<(Json, String)> {
    let method = method(path)?;
    let request = DynamicMessage::decode(method.input(), message).ok()?;
    let Json::Object(mut fields) = object(&method.input(), &request) else {
        return None;
    };
    fields.remove("reason");
    let reason = request.get_field_by_name("reason");
    let reason = reason.as_deref().and_then(Value::as_str);
    Some((Json::Object(fields), reason.unwrap_or_default().to_owned()))
}

/// The fields that are set, by their names in the contract.
fn object(descriptor: &MessageDescriptor, message: &DynamicMessage) -> Json {
    let number = |name| {
        message
            .get_field_by_name(name)
            .and_then(|value| value.as_i64())
    };
    match descriptor.full_name() {
        "google.protobuf.Timestamp" => {
            let time = DateTime::<Utc>::from_timestamp(number("seconds").unwrap_or_default(), 0);
            return time.map_or(Json::Null, |time| {
                json!(time.to_rfc3339_opts(SecondsFormat::Secs, true))
            });
        }
        "google.protobuf.Duration" => {
            let seconds = number("seconds").unwrap_or_default();
            let nanos = message.get_field_by_name("nanos");
            let nanos = nanos.and_then(|nanos| nanos.as_i32()).unwrap_or_default();
            return match nanos {
                0 => json!(format!("{seconds}s")),
                nanos => {
                    let millis = seconds.saturating_mul(1_000);
                    json!(format!(
                        "{}ms",
                        millis.saturating_add((nanos / 1_000_000).into())
                    ))
                }
            };
        }
        // Which ones: a batch of an import has many, and what is in them is found in the store.
        "restante.v1.ImportedMessage" => {
            let source = message.get_field_by_name("source_id");
            let source = source.as_deref().and_then(Value::as_str).map(cut);
            return json!(source.unwrap_or_default());
        }
        _ => {}
    }
    let fields = message.fields().map(|(field, value)| {
        let kind = field.kind();
        let value = match (value, kind.as_enum()) {
            (Value::EnumNumber(number), Some(kind)) => enumerated(*number, kind),
            (Value::List(list), Some(kind)) => {
                let name =
                    |value: &Value| enumerated(value.as_enum_number().unwrap_or_default(), kind);
                Json::Array(list.iter().take(ELEMENTS).map(name).collect())
            }
            (value, _) => plain(value),
        };
        (field.name().to_owned(), value)
    });
    Json::Object(fields.collect::<Map<_, _>>())
}

fn enumerated(number: i32, kind: &prost_reflect::EnumDescriptor) -> Json {
    let value = kind.get_value(number);
    value.map_or(json!(number), |value| json!(value.name()))
}

fn plain(value: &Value) -> Json {
    match value {
        Value::Bool(is) => json!(is),
        Value::I32(number) => json!(number),
        Value::I64(number) => json!(number),
        Value::U32(number) => json!(number),
        Value::U64(number) => json!(number),
        Value::F32(number) => json!(number),
        Value::F64(number) => json!(number),
        Value::EnumNumber(number) => json!(number),
        Value::String(text) => json!(cut(text)),
        Value::Bytes(octets) => json!(format!("{} octets", octets.len())),
        Value::Message(message) => object(&message.descriptor(), message),
        Value::List(list) => {
            let mut told: Vec<_> = list.iter().take(ELEMENTS).map(plain).collect();
            if let Some(rest) = list.len().checked_sub(ELEMENTS).filter(|rest| *rest > 0) {
                told.push(json!(format!("and {rest} more")));
            }
            Json::Array(told)
        }
        Value::Map(map) => json!(format!("{} entries", map.len())),
    }
}

/// The beginning of a text.
pub(crate) fn cut(text: &str) -> &str {
    let end = (0..=TEXT_OCTETS.min(text.len()))
        .rev()
        .find(|end| text.is_char_boundary(*end));
    &text[..end.unwrap_or_default()]
}

#[cfg(test)]
mod tests {
    use prost::Message;
    use proto::v1;

    use super::*;

    #[test]
    fn every_request_of_operators_can_be_told() {
        let order = v1::MessageOrder {
            message_id: "17@store.example".to_owned(),
            reason: "ticket 4711".to_owned(),
            deliver_after: Some(prost_types::Timestamp {
                seconds: 1_791_995_200,
                nanos: 0,
            }),
        };
        let path = "/restante.v1.OperatorService/HoldMessage";
        let (request, reason) = read(path, &order.encode_to_vec()).expect("a request");
        assert_eq!(reason, "ticket 4711");
        let expected =
            json!({"message_id": "17@store.example", "deliver_after": "2026-10-14T16:26:40Z"});
        assert_eq!(request, expected);
    }

    #[test]
    fn long_lists_and_texts_are_cut() {
        let request = v1::RemoveMembersRequest {
            uri: "é".repeat(1_000),
            members: vec!["sip:bob@example.org".to_owned(); 130],
        };
        let path = "/restante.v1.GroupService/RemoveMembers";
        let (told, _) = read(path, &request.encode_to_vec()).expect("a request");
        assert_eq!(told["uri"].as_str().map(str::len), Some(1_024));
        let members = told["members"].as_array().expect("a list");
        assert_eq!((members.len(), &members[100]), (101, &json!("and 30 more")));
    }

    #[test]
    fn a_long_reason_is_read_whole() {
        let order = v1::MessageOrder {
            reason: "a".repeat(5_000),
            ..v1::MessageOrder::default()
        };
        let path = "/restante.v1.OperatorService/HoldMessage";
        let read = read(path, &order.encode_to_vec());
        assert_eq!(read, Some((json!({}), order.reason)));
    }

    #[test]
    fn durations_are_told_to_the_millisecond() {
        let path = "/restante.v1.OperatorService/SuspendDeliveries";
        for (seconds, nanos, told) in [
            (300, 0, "300s"),
            (0, 250_000_000, "250ms"),
            (1, 500_000_000, "1500ms"),
        ] {
            let request = v1::SuspendDeliveriesRequest {
                duration: Some(prost_types::Duration { seconds, nanos }),
                ..v1::SuspendDeliveriesRequest::default()
            };
            let read = read(path, &request.encode_to_vec());
            assert_eq!(read, Some((json!({ "duration": told }), String::new())));
        }
    }

    #[test]
    fn streams_are_told_from_single_requests() {
        assert!(is_streamed("/restante.v1.LargeMessageService/Upload"));
        assert!(!is_streamed("/restante.v1.MailboxService/ReadContent"));
        assert!(!is_streamed("/restante.v1.OperatorService/HoldMessage"));
    }

    #[test]
    fn of_imported_messages_their_names_alone_are_told() {
        let message = v1::ImportedMessage {
            source_id: "msilo 17".to_owned(),
            served_user: "sip:bob@example.org".to_owned(),
            message: "MESSAGE".into(),
            ..v1::ImportedMessage::default()
        };
        let request = v1::ImportMessagesRequest {
            messages: vec![message],
            dry_run: true,
            reason: "we move".to_owned(),
        };
        let path = "/restante.v1.ImportService/ImportMessages";
        let told = read(path, &request.encode_to_vec());
        let expected = json!({"messages": ["msilo 17"], "dry_run": true});
        assert_eq!(told, Some((expected, "we move".to_owned())));
    }

    #[test]
    fn octets_that_are_no_request_are_not_told() {
        assert_eq!(
            read("/restante.v1.OperatorService/HoldMessage", b"\xff"),
            None
        );
        assert_eq!(read("/restante.v1.OperatorService/New", b""), None);
    }
}
