//! A collector of traces, played: what is posted to it, read by field numbers of OTLP 1.

use std::collections::BTreeMap;

use crate::webhook::{Posted, Webhook};

/// A span as a process told it.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Span {
    /// `service.name` of the process.
    pub process: String,
    /// Trace id, in hex.
    pub trace: String,
    /// Span id, in hex.
    pub id: String,
    /// Span id of its parent, empty for none.
    pub parent: String,
    /// Name.
    pub name: String,
    /// Nanoseconds since 1970 at its beginning and its end.
    pub times: (u64, u64),
    /// Attributes, numbers as text.
    pub attributes: BTreeMap<String, String>,
    /// Trace and span ids that it links to.
    pub links: Vec<(String, String)>,
    /// Whether it says that it failed.
    pub failed: bool,
}

/// The spans that a collector has taken.
///
/// # Panics
/// When what was posted is no OTLP.
pub fn spans(collector: &Webhook) -> Vec<Span> {
    collector.taken().iter().flat_map(posted).collect()
}

fn posted(posted: &Posted) -> Vec<Span> {
    assert_eq!(posted.request_line(), "POST /v1/traces HTTP/1.1");
    assert_eq!(posted.field("content-type"), "application/x-protobuf");
    let mut found = Vec::new();
    for resource_spans in Fields::of(&posted.octets).messages(1) {
        let resource = resource_spans.messages(1);
        let attributes: BTreeMap<_, _> = resource
            .iter()
            .flat_map(|resource| resource.messages(1))
            .map(|pair| attribute(&pair))
            .collect();
        for scope_spans in resource_spans.messages(2) {
            let spans = scope_spans.messages(2);
            found.extend(spans.iter().map(|span| Span {
                process: attributes["service.name"].clone(),
                ..read(span)
            }));
        }
    }
    found
}

fn read(span: &Fields) -> Span {
    let links = span.messages(13);
    Span {
        process: String::new(),
        trace: hex(span.octets(1)),
        id: hex(span.octets(2)),
        parent: hex(span.octets(4)),
        name: text(span.octets(5)),
        times: (span.number(7), span.number(8)),
        attributes: span.messages(9).iter().map(attribute).collect(),
        links: links
            .iter()
            .map(|link| (hex(link.octets(1)), hex(link.octets(2))))
            .collect(),
        failed: span.messages(15).iter().any(|status| status.number(3) == 2),
    }
}

fn attribute(pair: &Fields) -> (String, String) {
    let value = pair.messages(2).into_iter().next().unwrap_or_default();
    let value = match value.octets(1) {
        [] => value.number(3).to_string(),
        octets => text(octets),
    };
    (text(pair.octets(1)), value)
}

fn text(octets: &[u8]) -> String {
    String::from_utf8(octets.to_vec()).expect("UTF-8")
}

fn hex(octets: &[u8]) -> String {
    octets.iter().map(|octet| format!("{octet:02x}")).collect()
}

/// The fields of a message of protocol buffers, by their numbers.
#[derive(Debug, Default)]
struct Fields(Vec<(u64, Value)>);

#[derive(Debug)]
enum Value {
    Number(u64),
    Octets(Vec<u8>),
}

impl Fields {
    fn of(mut octets: &[u8]) -> Self {
        let mut fields = Vec::new();
        while !octets.is_empty() {
            let tag = varint(&mut octets);
            let value = match tag & 7 {
                0 => Value::Number(varint(&mut octets)),
                1 => {
                    let (number, rest) = octets.split_first_chunk::<8>().expect("64 bits");
                    octets = rest;
                    Value::Number(u64::from_le_bytes(*number))
                }
                2 => {
                    let length = usize::try_from(varint(&mut octets)).expect("a length");
                    let (value, rest) = octets.split_at(length);
                    octets = rest;
                    Value::Octets(value.to_vec())
                }
                other => panic!("wire type {other}"),
            };
            fields.push((tag >> 3, value));
        }
        Self(fields)
    }

    fn messages(&self, wanted: u64) -> Vec<Fields> {
        let named = self.0.iter().filter(|(number, _)| *number == wanted);
        let messages = named.filter_map(|(_, value)| match value {
            Value::Octets(octets) => Some(Fields::of(octets)),
            Value::Number(_) => None,
        });
        messages.collect()
    }

    fn octets(&self, wanted: u64) -> &[u8] {
        let mut named = self.0.iter().filter(|(number, _)| *number == wanted);
        match named.next() {
            Some((_, Value::Octets(octets))) => octets,
            _ => &[],
        }
    }

    fn number(&self, wanted: u64) -> u64 {
        let mut named = self.0.iter().filter(|(number, _)| *number == wanted);
        match named.next() {
            Some((_, Value::Number(number))) => *number,
            _ => 0,
        }
    }
}

fn varint(octets: &mut &[u8]) -> u64 {
    let mut number = 0;
    for shift in (0..64).step_by(7) {
        let (octet, rest) = octets.split_first().expect("an octet");
        *octets = rest;
        number |= u64::from(octet & 0x7f) << shift;
        if octet & 0x80 == 0 {
            break;
        }
    }
    number
}
