//! Reading what a push session delivers (requirements §2.4.3).

use bytes::Bytes;
use msrp::{Decoder, Event as MsrpEvent, RequestHead};
use sha2::{Digest as _, Sha256};
use sip::{Message, Name, Request, multipart};

mod frame;
mod large;

pub(crate) use frame::LargeFrame;
pub use large::LargePush;

/// Kind of a message that came by itself, in the session of its sender or of a server that speaks for him.
pub const DIRECT: &str = "direct";

/// Type of a part that is a whole large message.
const MESSAGE_MSRP: &str = "message/msrp";

/// One deferred message as it arrived.
#[derive(Clone, Debug)]
pub struct PushedMessage {
    /// Its Message-ID in the store; the same again if the message is repeated (P4).
    pub message_id: String,
    /// When the store accepted it: `Date` of part 1.
    pub received_at: String,
    /// `From` of part 1.
    pub from: String,
    /// `Subject` of part 1, empty if it had none.
    pub subject: String,
    /// The MIME type of part 2: `message/sip`, `message/sipfrag` or `message/msrp`; [`DIRECT`] where the
    /// message came without a wrapping.
    pub kind: String,
    /// Part 2, byte for byte.
    pub original: Bytes,
    /// The MIME type of the message inside part 2.
    pub content_type: String,
    /// The name of the file it is, if it is one.
    pub file_name: Option<String>,
    /// The body of the message inside part 2, byte for byte.
    pub body: Bytes,
}

/// Why the body of a SEND is no deferred message.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum NotAPush {
    /// It is no multipart with two parts.
    #[error("the message is no multipart of two parts")]
    Parts,
    /// Part 1 carries no Message-ID.
    #[error("part 1 carries no Message-ID")]
    NoMessageId,
    /// Part 2 is of an unknown type or not what its type says.
    #[error("part 2 cannot be read")]
    Original,
}

impl PushedMessage {
    /// Reads the body of one SEND of a push session.
    ///
    /// # Errors
    /// [`NotAPush`] says what is wrong with it.
    pub fn read(content_type: &str, body: &Bytes) -> Result<Self, NotAPush> {
        let parts = multipart::parse(content_type, body).map_err(|_| NotAPush::Parts)?;
        let [summary, original] = parts.as_slice() else {
            return Err(NotAPush::Parts);
        };
        let summary = Summary::read(&summary.body)?;
        let kind = part_type(original);
        let inner = Inner::read(&kind, &original.body).ok_or(NotAPush::Original)?;
        Ok(Self {
            message_id: summary.message_id,
            received_at: summary.received_at,
            from: summary.from,
            subject: summary.subject,
            kind,
            original: original.body.clone(),
            content_type: inner.content_type,
            file_name: inner.file_name,
            body: inner.body,
        })
    }

    /// A message that came without a wrapping: its head, its octets, and what its session says of it.
    pub(crate) fn direct(summary: Summary, head: &RequestHead, body: Bytes) -> Self {
        Self {
            message_id: summary.message_id,
            received_at: summary.received_at,
            from: summary.from,
            subject: summary.subject,
            kind: DIRECT.to_owned(),
            original: body.clone(),
            content_type: head.content_type.clone().unwrap_or_default(),
            file_name: file_name(head.header("Content-Disposition")),
            body,
        }
    }

    /// SHA-256 of the body.
    #[must_use]
    pub fn sha256(&self) -> [u8; 32] {
        Sha256::digest(&self.body).into()
    }
}

/// What part 1 states of a message, or an INVITE of the one its session is for.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Summary {
    pub(crate) message_id: String,
    pub(crate) received_at: String,
    pub(crate) from: String,
    pub(crate) subject: String,
}

impl Summary {
    fn read(octets: &Bytes) -> Result<Self, NotAPush> {
        let summary = Self::of(&fragment(octets).ok_or(NotAPush::Parts)?);
        match summary.message_id.is_empty() {
            true => Err(NotAPush::NoMessageId),
            false => Ok(summary),
        }
    }

    /// What the header fields of a request say.
    pub(crate) fn of(request: &Request) -> Self {
        let field = |name: &str| {
            request
                .headers()
                .first_named(name)
                .map_or_else(String::new, |field| field.value().into_owned())
        };
        Self {
            message_id: field("Message-ID"),
            received_at: field("Date"),
            from: field("From"),
            subject: field("Subject"),
        }
    }
}

/// The message inside part 2.
struct Inner {
    content_type: String,
    file_name: Option<String>,
    body: Bytes,
}

impl Inner {
    fn read(kind: &str, octets: &Bytes) -> Option<Self> {
        match kind {
            "message/sip" | "message/sipfrag" => {
                let request = request(octets)?;
                let field = |name: Name| {
                    let field = request.headers().first(name);
                    field.map(|field| field.value().into_owned())
                };
                Some(Self {
                    content_type: field(Name::ContentType).unwrap_or_default(),
                    file_name: file_name(field(Name::ContentDisposition).as_deref()),
                    body: request.body().clone(),
                })
            }
            MESSAGE_MSRP => Self::of_send(octets),
            _ => None,
        }
    }

    /// One complete SEND (PSH-06).
    fn of_send(octets: &Bytes) -> Option<Self> {
        let (head, begin) = send_head(octets)?;
        let end = begin.checked_add(usize::try_from(whole_length(&head)?).ok()?)?;
        let rest = octets.get(end..)?;
        (rest == end_line(&head).as_bytes()).then(|| Self {
            content_type: head.content_type.clone().unwrap_or_default(),
            file_name: file_name(head.header("Content-Disposition")),
            body: octets.slice(begin..end),
        })
    }
}

/// The head of a SEND with a body, and where the body begins.
fn send_head(octets: &[u8]) -> Option<(Box<RequestHead>, usize)> {
    let begin = memchr::memmem::find(octets, b"\r\n\r\n")? + 4;
    let mut decoder = Decoder::new();
    decoder.push(octets.get(..begin)?);
    match decoder.next_event() {
        Ok(Some(MsrpEvent::RequestHead { head, .. })) if head.method == msrp::Method::Send => {
            Some((head, begin))
        }
        _ => None,
    }
}

/// The length of a message that is whole in one chunk.
fn whole_length(head: &RequestHead) -> Option<u64> {
    let range = head.byte_range?;
    let total = range.total?;
    (range.start == 1 && range.end == Some(total)).then_some(total)
}

/// What follows the body of a SEND.
fn end_line(head: &RequestHead) -> String {
    format!("\r\n-------{}$\r\n", head.transaction_id)
}

/// `filename` of a Content-Disposition (RFC 2183 §2.3).
pub(crate) fn file_name(disposition: Option<&str>) -> Option<String> {
    let params = disposition?.split(';').skip(1);
    let named = params.map(str::trim).find_map(|param| {
        let (name, value) = param.split_once('=')?;
        let is_name = name.trim().eq_ignore_ascii_case("filename");
        is_name.then(|| value.trim().trim_matches('"').to_owned())
    });
    named.filter(|name| !name.is_empty())
}

fn part_type(part: &multipart::Part) -> String {
    let declared = part.headers.first(Name::ContentType);
    let text = declared.map_or_else(String::new, |field| field.value().into_owned());
    essence(&text)
}

/// A media type without its parameters.
fn essence(media_type: &str) -> String {
    media_type
        .split(';')
        .next()
        .unwrap_or_default()
        .trim()
        .to_ascii_lowercase()
}

/// Header lines without a start line, as a request so that they can be looked up: a sipfrag may be
/// any part of a message (RFC 3420 §2).
fn fragment(octets: &[u8]) -> Option<Request> {
    let mut whole = b"MESSAGE sip:fragment.invalid SIP/2.0\r\n".to_vec();
    whole.extend_from_slice(octets);
    request(&Bytes::from(whole))
}

fn request(octets: &Bytes) -> Option<Request> {
    match multipart::parse_embedded(octets).ok()? {
        Message::Request(request) => Some(request),
        Message::Response(_) => None,
    }
}

#[cfg(test)]
mod tests;
