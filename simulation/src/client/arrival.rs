//! What comes to a client: a MESSAGE, or a SEND of a push session, as far as it says which message it is.

use bytes::Bytes;
use sip::{Message, Name, Request, multipart};

/// One message.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Arrival {
    /// Its Message-ID.
    pub(super) id: String,
    /// What its sender wrote.
    pub(super) body: String,
}

impl Arrival {
    /// By MESSAGE (DLM-02).
    pub(super) fn of_message(request: &Request) -> Self {
        Self {
            id: message_id(request),
            body: written(request),
        }
    }

    /// By SEND (PSH-02): part 1 states the Message-ID, part 2 is the message. None if it is anything else.
    pub(super) fn of_send(content_type: &str, body: &Bytes) -> Option<Self> {
        let parts = multipart::parse(content_type, body).ok()?;
        let [stated, wrapped] = parts.as_slice() else {
            return None;
        };
        let wrapped_type = wrapped.headers.first(Name::ContentType)?;
        let original = match &*wrapped_type.value() {
            "message/sip" => request(&wrapped.body)?,
            _ => return None,
        };
        Some(Self {
            id: message_id(&fragment(&stated.body)?),
            body: written(&original),
        })
    }
}

fn message_id(request: &Request) -> String {
    let field = request.headers().first_named("Message-ID");
    field.map_or_else(String::new, |field| field.value().into_owned())
}

/// What the sender wrote: the body, or the first part of one that also says who else has the message (CFP-15).
fn written(request: &Request) -> String {
    let content_type = request.headers().first(Name::ContentType);
    let content_type = content_type.map(|field| field.value().into_owned());
    let parts = multipart::parse(&content_type.unwrap_or_default(), request.body()).ok();
    let first = parts.and_then(|parts| parts.into_iter().next());
    let octets = first.map_or_else(|| request.body().clone(), |part| part.body);
    String::from_utf8_lossy(&octets).into_owned()
}

/// Header lines without a start line (RFC 3420 §2), as a request so that they can be looked up.
fn fragment(octets: &[u8]) -> Option<Request> {
    let start = b"MESSAGE sip:fragment.invalid SIP/2.0\r\n";
    request(&Bytes::from([start, octets].concat()))
}

fn request(octets: &Bytes) -> Option<Request> {
    match multipart::parse_embedded(octets).ok()? {
        Message::Request(request) => Some(request),
        Message::Response(_) => None,
    }
}
