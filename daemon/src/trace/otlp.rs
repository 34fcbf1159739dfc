//! The part of OTLP 1 that we send (`opentelemetry/proto/trace/v1/trace.proto` and what it imports): names and numbers are those
//! of the protocol.

use std::time::{Duration, SystemTime, UNIX_EPOCH};

use prost::Message;

use super::export::Finished;
use super::messaging::SYSTEM;
use super::{Attribute, Context, Side};
use crate::build_info::BUILD;

#[derive(Clone, PartialEq, Message)]
struct ExportTraceServiceRequest {
    #[prost(message, repeated, tag = "1")]
    resource_spans: Vec<ResourceSpans>,
}

#[derive(Clone, PartialEq, Message)]
struct ResourceSpans {
    #[prost(message, optional, tag = "1")]
    resource: Option<Resource>,
    #[prost(message, repeated, tag = "2")]
    scope_spans: Vec<ScopeSpans>,
}

#[derive(Clone, PartialEq, Message)]
struct Resource {
    #[prost(message, repeated, tag = "1")]
    attributes: Vec<KeyValue>,
}

#[derive(Clone, PartialEq, Message)]
struct ScopeSpans {
    #[prost(message, optional, tag = "1")]
    scope: Option<InstrumentationScope>,
    #[prost(message, repeated, tag = "2")]
    spans: Vec<Span>,
}

#[derive(Clone, PartialEq, Message)]
struct InstrumentationScope {
    #[prost(string, tag = "1")]
    name: String,
    #[prost(string, tag = "2")]
    version: String,
}

#[derive(Clone, PartialEq, Message)]
struct Span {
    #[prost(bytes = "vec", tag = "1")]
    trace_id: Vec<u8>,
    #[prost(bytes = "vec", tag = "2")]
    span_id: Vec<u8>,
    #[prost(bytes = "vec", tag = "4")]
    parent_span_id: Vec<u8>,
    #[prost(string, tag = "5")]
    name: String,
    #[prost(int32, tag = "6")]
    kind: i32,
    #[prost(fixed64, tag = "7")]
    start_time_unix_nano: u64,
    #[prost(fixed64, tag = "8")]
    end_time_unix_nano: u64,
    #[prost(message, repeated, tag = "9")]
    attributes: Vec<KeyValue>,
    #[prost(message, repeated, tag = "13")]
    links: Vec<Link>,
    #[prost(message, optional, tag = "15")]
    status: Option<Status>,
}

#[derive(Clone, PartialEq, Message)]
struct Link {
    #[prost(bytes = "vec", tag = "1")]
    trace_id: Vec<u8>,
    #[prost(bytes = "vec", tag = "2")]
    span_id: Vec<u8>,
}

#[derive(Clone, PartialEq, Message)]
struct Status {
    #[prost(string, tag = "2")]
    message: String,
    #[prost(int32, tag = "3")]
    code: i32,
}

/// `STATUS_CODE_ERROR`.
const ERROR: i32 = 2;

#[derive(Clone, PartialEq, Message)]
struct KeyValue {
    #[prost(string, tag = "1")]
    key: String,
    #[prost(message, optional, tag = "2")]
    value: Option<AnyValue>,
}

#[derive(Clone, PartialEq, Message)]
struct AnyValue {
    #[prost(oneof = "Value", tags = "1, 3")]
    value: Option<Value>,
}

#[derive(Clone, PartialEq, prost::Oneof)]
enum Value {
    #[prost(string, tag = "1")]
    String(String),
    #[prost(int64, tag = "3")]
    Int(i64),
}

/// The octets of one request with these spans.
pub(super) fn request(process: &str, spans: &[Finished]) -> Vec<u8> {
    let resource = Resource {
        attributes: vec![
            text("service.namespace", "restante"),
            text("service.name", process),
            text("service.version", BUILD.version),
        ],
    };
    let scope = InstrumentationScope {
        name: "restante".to_owned(),
        version: BUILD.version.to_owned(),
    };
    let request = ExportTraceServiceRequest {
        resource_spans: vec![ResourceSpans {
            resource: Some(resource),
            scope_spans: vec![ScopeSpans {
                scope: Some(scope),
                spans: spans.iter().map(span).collect(),
            }],
        }],
    };
    request.encode_to_vec()
}

fn span(finished: &Finished) -> Span {
    let Finished { open, took } = finished;
    let mut attributes = vec![
        text("messaging.system", SYSTEM),
        text("messaging.operation.name", open.operation.name),
        text("messaging.operation.type", open.operation.kind),
    ];
    attributes.extend(open.error.map(|error| text("error.type", error)));
    let own = open.attributes.iter();
    attributes.extend(own.map(|(key, value)| attribute(key, value)));
    let (trace_id, span_id) = ids(open.context);
    let parent = open.parent.map(ids);
    Span {
        trace_id,
        span_id,
        parent_span_id: parent.map(|(_, span)| span).unwrap_or_default(),
        name: open.operation.name.to_owned(),
        kind: match open.operation.side {
            Side::Internal => 1,
            Side::Server => 2,
            Side::Client => 3,
        },
        start_time_unix_nano: nanos(open.started_at),
        end_time_unix_nano: nanos(open.started_at).saturating_add(whole(*took)),
        attributes,
        links: open.links.iter().map(|link| self::link(*link)).collect(),
        status: open.error.map(|error| Status {
            message: error.to_owned(),
            code: ERROR,
        }),
    }
}

fn link(context: Context) -> Link {
    let (trace_id, span_id) = ids(context);
    Link { trace_id, span_id }
}

fn ids(context: Context) -> (Vec<u8>, Vec<u8>) {
    let trace = context.trace.get().to_be_bytes().to_vec();
    (trace, context.span.get().to_be_bytes().to_vec())
}

fn attribute(key: &str, value: &Attribute) -> KeyValue {
    let value = match value {
        Attribute::Text(text) => Value::String(text.clone()),
        Attribute::Number(number) => Value::Int(*number),
    };
    KeyValue {
        key: key.to_owned(),
        value: Some(AnyValue { value: Some(value) }),
    }
}

fn text(key: &str, value: &str) -> KeyValue {
    attribute(key, &value.into())
}

fn nanos(time: SystemTime) -> u64 {
    whole(time.duration_since(UNIX_EPOCH).unwrap_or_default())
}

fn whole(duration: Duration) -> u64 {
    u64::try_from(duration.as_nanos()).unwrap_or(u64::MAX)
}
