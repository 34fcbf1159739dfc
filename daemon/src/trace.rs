//! Traces of single messages, for an OpenTelemetry collector (OTLP over HTTP).
//!
//! Off unless `[tracing]` names a collector. Then a [`Span`] holds nothing: to begin and to end one is a look at an atomic, without a
//! clock, a lock or an allocation. Where it is on, the span of a request that is not sampled holds nothing either.
//!
//! A message may stay for weeks, so it is no trace: its acceptance is one, every attempt to deliver it another, which links to the
//! acceptance. What names a message stands in spans, what names a person or is in a body does not.

mod context;
mod export;
pub mod messaging;
mod otlp;

use std::fmt;
use std::num::NonZeroU32;
use std::path::PathBuf;
use std::str::FromStr;
use std::sync::OnceLock;
use std::time::{Instant, SystemTime};

use crate::config::TextValue;
use crate::exit::{Code, Fatal};
use crate::http_client::{HttpClient, Root};
pub use context::{Context, NoContext};
pub use export::Exporter;
use export::{Finished, Queue};

crate::section! {
    /// Traces: for some messages, what became of them when and where, for an OpenTelemetry collector. Off without one.
    pub struct Tracing in "tracing" {
        /// The collector, which takes OTLP over HTTP, such as `http://127.0.0.1:4318`; spans are posted to `/v1/traces` below it.
        endpoint: Option<Endpoint> = "off",
        /// Of so many messages, and of so many attempts to deliver, one is traced.
        one_in: NonZeroU32 = 1,
        /// PEM file of the authorities that the certificate of the collector must lead to.
        ca: PathBuf = "/etc/ssl/certs/ca-certificates.crt",
    }
}

/// Where a collector is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Endpoint {
    text: String,
    root: Root,
}

impl FromStr for Endpoint {
    type Err = &'static str;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let root = text
            .parse()
            .map_err(|_| "not an http:// or https:// address")?;
        Ok(Self {
            text: text.to_owned(),
            root,
        })
    }
}

impl fmt::Display for Endpoint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.text)
    }
}

impl TextValue for Endpoint {
    const EXPECTED: &'static str = "the address of a collector such as `http://127.0.0.1:4318`";
}

/// What tracing needs while it is on.
struct On {
    queue: Queue,
    one_in: u32,
}

static ON: OnceLock<On> = OnceLock::new();

/// Turns tracing on, if the configuration does. To be called once, within a runtime; the exporter is to be stopped in the end.
///
/// # Errors
/// [`Code::Config`] if the authorities of the collector cannot be read, [`Code::Bug`] if it is on already.
pub fn init(tracing: &Tracing, process: &str) -> Result<Option<Exporter>, Fatal> {
    let Some(endpoint) = &tracing.endpoint else {
        return Ok(None);
    };
    let client = HttpClient::new(endpoint.root.clone(), &tracing.ca);
    let client =
        client.map_err(|error| Fatal::new(Code::Config, format!("tracing.ca: {error}")))?;
    let (queue, exporter) = export::start(client, process);
    let on = On {
        queue,
        one_in: tracing.one_in.get(),
    };
    let is_first = ON.set(on).is_ok();
    let twice = || Fatal::new(Code::Bug, "tracing was started twice");
    is_first.then_some(Some(exporter)).ok_or_else(twice)
}

/// What a span is about: its name, and its part in the conversation.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Operation {
    /// The name of the span, and `messaging.operation.name`.
    pub name: &'static str,
    /// `messaging.operation.type`.
    pub kind: &'static str,
    /// Whether a peer asked for it, we ask a peer, or nobody does.
    pub side: Side,
}

/// On which side of a conversation a span is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Side {
    /// Within a process.
    Internal,
    /// A peer asked for it.
    Server,
    /// A peer is asked.
    Client,
}

/// The value of an attribute.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Attribute {
    /// A text.
    Text(String),
    /// A whole number.
    Number(i64),
}

impl From<&str> for Attribute {
    fn from(text: &str) -> Self {
        Self::Text(text.to_owned())
    }
}

impl From<u64> for Attribute {
    fn from(number: u64) -> Self {
        Self::Number(i64::try_from(number).unwrap_or(i64::MAX))
    }
}

/// Something that takes a while, until it is dropped; or nothing, where it is not traced.
#[derive(Debug, Default)]
#[must_use = "a span lasts until it is dropped"]
pub struct Span(Option<Box<Open>>);

#[derive(Debug)]
struct Open {
    operation: Operation,
    context: Context,
    parent: Option<Context>,
    started_at: SystemTime,
    begun: Instant,
    attributes: Vec<(&'static str, Attribute)>,
    links: Vec<Context>,
    error: Option<&'static str>,
}

impl Span {
    /// One that is not traced.
    pub const fn none() -> Self {
        Self(None)
    }

    /// Begins a trace, if tracing is on and this one is sampled.
    pub fn begin(operation: Operation) -> Self {
        match ON.get() {
            Some(on) if rand::random_range(0..on.one_in) == 0 => {
                Self::open(operation, Context::random(), None)
            }
            _ => Self::none(),
        }
    }

    /// Goes on with the trace of `parent`: nothing without one.
    pub fn within(operation: Operation, parent: Option<Context>) -> Self {
        match (ON.get(), parent) {
            (Some(_), Some(parent)) => Self::open(operation, parent.child(), Some(parent)),
            _ => Self::none(),
        }
    }

    /// As [`Span::within`], of what came with a `traceparent`; one that is none is not looked at further.
    pub fn within_text(operation: Operation, parent: &str) -> Self {
        match ON.get() {
            Some(_) => Self::within(operation, parent.parse().ok()),
            None => Self::none(),
        }
    }

    fn open(operation: Operation, context: Context, parent: Option<Context>) -> Self {
        Self(Some(Box::new(Open {
            operation,
            context,
            parent,
            started_at: SystemTime::now(),
            begun: Instant::now(),
            attributes: Vec::new(),
            links: Vec::new(),
            error: None,
        })))
    }

    /// Whether it is traced: what costs something to say is said only then.
    pub fn is_traced(&self) -> bool {
        self.0.is_some()
    }

    /// What others need to go on with its trace.
    pub fn context(&self) -> Option<Context> {
        self.0.as_ref().map(|open| open.context)
    }

    /// As [`Span::context`], as a `traceparent` (W3C Trace Context).
    pub fn traceparent(&self) -> Option<String> {
        self.context().map(|context| context.to_string())
    }

    /// Says something of it.
    pub fn set(&mut self, key: &'static str, value: impl Into<Attribute>) {
        if let Some(open) = &mut self.0 {
            open.attributes.push((key, value.into()));
        }
    }

    /// It has to do with something in another trace.
    pub fn link(&mut self, traceparent: &str) {
        if let Some(open) = &mut self.0 {
            open.links.extend(traceparent.parse::<Context>());
        }
    }

    /// It turned out to be about no message: nobody is told of it.
    pub fn discard(mut self) {
        self.0 = None;
    }

    /// It failed, for one of few reasons (`error.type`).
    pub fn fail(&mut self, error: &'static str) {
        if let Some(open) = &mut self.0 {
            open.error = Some(error);
        }
    }
}

impl Drop for Span {
    fn drop(&mut self) {
        if let (Some(open), Some(on)) = (self.0.take(), ON.get()) {
            let took = open.begun.elapsed();
            on.queue.push(Finished { open, took });
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn while_it_is_off_a_span_holds_nothing() {
        let mut span = Span::begin(messaging::ACCEPT);
        span.set(messaging::BODY_SIZE, 17);
        span.link("00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01");
        span.fail("store_error");
        assert!(!span.is_traced());
        assert_eq!((span.context(), span.traceparent()), (None, None));
        let parent = Context::random();
        assert!(!Span::within(messaging::COMMIT, Some(parent)).is_traced());
        assert_eq!(size_of::<Span>(), size_of::<usize>());
    }

    #[test]
    fn a_collector_is_an_http_address() {
        let endpoint: Endpoint = "http://127.0.0.1:4318".parse().expect("one");
        assert_eq!(endpoint.to_string(), "http://127.0.0.1:4318");
        assert!("127.0.0.1:4318".parse::<Endpoint>().is_err());
        assert!("grpc://collector".parse::<Endpoint>().is_err());
    }
}
