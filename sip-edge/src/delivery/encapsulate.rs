//! A deferred message as it is pushed (requirements §2.4.3, §3.7): part 1 states what the server
//! knows, part 2 is the message as a user agent would have received it: a MESSAGE, or the SEND that a
//! large message came in.
//!
//! The body is never touched (P7). What is left out of part 2 is left out of this copy only.

use std::borrow::Cow;

use bytes::Bytes;
use msrp::encapsulate::{
    BOUNDARY_CHECK_OCTETS, Boundary, Encapsulation, MESSAGE_MSRP, SendHead, WholeSend,
};
use rand::CryptoRng;
use sip::{Field, Message as SipMessage, Name, Request, multipart};
use storage_client::delivery::TakenMessage;
use storage_client::message::{FileAttributes, Message, PartKind};

use super::content::Content;
use edge::response::sip_date;

/// Where the name of a file stands in a SEND.
const CONTENT_DISPOSITION: &str = "Content-Disposition";

/// Fields meant for core and application servers only, by name.
const CORE_ONLY: [&str; 8] = [
    "Authorization",
    "P-Access-Network-Info",
    "P-Asserted-Service",
    "P-Charging-Function-Addresses",
    "P-Served-User",
    "P-Visited-Network-ID",
    "Proxy-Authorization",
    "Route",
];

/// All charging headers are core business, also those not known by name.
const CHARGING_PREFIX: &str = "P-Charging-";

/// With any privacy but `none`, nothing else goes out than these (requirements §3.7).
const PRIVATE_ALLOWED: [&str; 12] = [
    "From",
    "To",
    "Call-ID",
    "CSeq",
    "Date",
    "Expires",
    "Subject",
    "Priority",
    "Privacy",
    "In-Reply-To",
    "Conversation-ID",
    "Contribution-ID",
];

/// The stored octets are neither a MESSAGE request nor a SEND: nothing can be delivered of them.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("stored octets are no message")]
pub(crate) struct NotAMessage;

/// A message ready for its SEND.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Encapsulated {
    /// Content-Type of the SEND.
    pub(crate) content_type: String,
    /// Its body.
    pub(crate) content: Content,
    /// Type of part 2, for the check against the client's types (PSH-10).
    pub(crate) wrapped_type: &'static str,
}

/// Wraps a taken message; boundary and all come from `rng`, new for each attempt.
///
/// # Errors
/// [`NotAMessage`], which a stored message never is.
pub(crate) fn encapsulate(
    taken: &TakenMessage,
    rng: &mut impl CryptoRng,
) -> Result<Encapsulated, NotAMessage> {
    match came_by_send(taken) {
        true => encapsulate_send(taken, rng),
        false => encapsulate_request(taken, rng),
    }
}

fn encapsulate_request(
    taken: &TakenMessage,
    rng: &mut impl CryptoRng,
) -> Result<Encapsulated, NotAMessage> {
    let request = stored_request(taken)?;
    let is_private = is_private(&taken.message.headers.privacy);
    let (wrapped, wrapped_type) = if is_private {
        (without_identity(&request), "message/sipfrag")
    } else {
        (without_core_fields(&request), "message/sip")
    };
    let stated = stated(&taken.message, &taken.message.headers.to, is_private);
    let framed = Encapsulation::of_message(rng, &stated, wrapped_type, wrapped.as_bytes());
    Ok(Encapsulated {
        content_type: framed.content_type().to_owned(),
        content: Content::whole(framed.body(wrapped.as_bytes())),
        wrapped_type,
    })
}

/// The SEND around a body that need not be in memory. Of a private one the paths name no host.
fn encapsulate_send(
    taken: &TakenMessage,
    rng: &mut impl CryptoRng,
) -> Result<Encapsulated, NotAMessage> {
    let message = &taken.message;
    let is_private = is_private(&message.headers.privacy);
    let mut head = send_head(taken)?;
    if is_private {
        head = head.anonymised().map_err(|_| NotAMessage)?;
    }
    let known = part(taken, PartKind::SendBody).map_or(&b""[..], |octets| octets);
    let send = WholeSend::new(rng, &head, message.body_octets, known);
    let stated = stated(message, &answered_to(taken), is_private);
    let known = if message.body_octets <= BOUNDARY_CHECK_OCTETS {
        known
    } else {
        b""
    };
    let boundary = Boundary::absent_from(rng, &[stated.as_bytes(), send.head(), known]);
    let framed = Encapsulation::new(&boundary, &stated, MESSAGE_MSRP, send.octets());
    Ok(Encapsulated {
        content_type: framed.content_type().to_owned(),
        content: send_body(taken)?.between(
            &[framed.prologue(), send.head()],
            &[send.end(), framed.epilogue()],
        ),
        wrapped_type: MESSAGE_MSRP,
    })
}

/// Whether the message came over MSRP. Its class does not tell: notifications come either way.
pub(super) fn came_by_send(taken: &TakenMessage) -> bool {
    part(taken, PartKind::SendHead).is_some()
}

/// Headers of the SEND that was stored.
///
/// # Errors
/// [`NotAMessage`], which a stored SEND never is.
pub(super) fn send_head(taken: &TakenMessage) -> Result<SendHead, NotAMessage> {
    let head = part(taken, PartKind::SendHead).ok_or(NotAMessage)?;
    let head = SendHead::parse(head).map_err(|_| NotAMessage)?;
    let file = taken.message.file.as_ref();
    Ok(match file.filter(|file| !file.name.is_empty()) {
        Some(file) if head.value(CONTENT_DISPOSITION).is_none() => {
            head.with(CONTENT_DISPOSITION, &disposition(file))
        }
        _ => head,
    })
}

/// What an offer said of a file, as Content-Disposition of its octets (FT-05).
fn disposition(file: &FileAttributes) -> String {
    let kind = match file.disposition.as_str() {
        "render" => "inline",
        _ => "attachment",
    };
    let name = file.name.replace('\\', "\\\\").replace('"', "\\\"");
    format!("{kind}; filename=\"{name}\"")
}

/// Its body: inline, or to be read from the store.
///
/// # Errors
/// [`NotAMessage`] for an inline body that is not all of it.
pub(super) fn send_body(taken: &TakenMessage) -> Result<Content, NotAMessage> {
    let octets = taken.message.body_octets;
    match part(taken, PartKind::SendBody) {
        Some(inline) if inline.len() as u64 == octets => Ok(Content::whole(inline.clone())),
        Some(_) => Err(NotAMessage),
        None => Ok(Content::stored(
            &taken.message.message_id,
            PartKind::SendBody,
            octets,
        )),
    }
}

/// `To` with the tag that our answer to the INVITE gave it.
fn answered_to(taken: &TakenMessage) -> Cow<'_, str> {
    let answer = part(taken, PartKind::InviteResponse).map(multipart::parse_embedded);
    let to = match &answer {
        Some(Ok(SipMessage::Response(answer))) => answer.headers().first(Name::To),
        _ => None,
    };
    match to {
        Some(to) => Cow::Owned(to.value().into_owned()),
        None => Cow::Borrowed(&taken.message.headers.to),
    }
}

fn part(taken: &TakenMessage, kind: PartKind) -> Option<&Bytes> {
    let mut parts = taken.parts.iter();
    parts
        .find(|part| part.kind == kind)
        .map(|part| &part.octets)
}

/// The MESSAGE that was stored, or the INVITE of a large message.
///
/// # Errors
/// [`NotAMessage`], which a stored MESSAGE never is.
pub(super) fn stored_request(taken: &TakenMessage) -> Result<Request, NotAMessage> {
    let kind = match came_by_send(taken) {
        true => PartKind::Invite,
        false => PartKind::Message,
    };
    let stored = part(taken, kind).ok_or(NotAMessage)?;
    match multipart::parse_embedded(stored) {
        Ok(SipMessage::Request(request)) => Ok(request),
        _ => Err(NotAMessage),
    }
}

/// Whether the sender asked for any privacy (requirements §3.7).
pub(crate) fn is_private(privacy: &str) -> bool {
    let mut services = privacy
        .split([';', ','])
        .map(str::trim)
        .filter(|service| !service.is_empty());
    services.any(|service| !service.eq_ignore_ascii_case("none"))
}

fn without_core_fields(request: &Request) -> Request {
    request.edit().retain(|field| !is_core_only(&field)).build()
}

fn without_identity(request: &Request) -> Request {
    request
        .edit()
        .retain(|field| is_allowed_in_private(&field))
        .build()
}

/// Whether a field is of no use to, or not meant for, a client.
pub(crate) fn is_core_only(field: &Field<'_>) -> bool {
    CORE_ONLY
        .iter()
        .any(|core| core.eq_ignore_ascii_case(field.name()))
        || begins_with(field.name(), CHARGING_PREFIX)
}

fn is_allowed_in_private(field: &Field<'_>) -> bool {
    let name = field.known().map_or(field.name(), |name| name.as_str());
    begins_with(name, "Content-")
        || PRIVATE_ALLOWED
            .iter()
            .any(|allowed| allowed.eq_ignore_ascii_case(name))
}

/// Letter case apart, as header names are compared.
pub(super) fn begins_with(name: &str, prefix: &str) -> bool {
    name.get(..prefix.len())
        .is_some_and(|start| start.eq_ignore_ascii_case(prefix))
}

/// The content of part 1. Date is the moment of receipt (PSH-03); an absent Priority is `normal`.
fn stated(message: &Message, to: &str, is_private: bool) -> String {
    let headers = &message.headers;
    let priority = if headers.priority.is_empty() {
        "normal"
    } else {
        &headers.priority
    };
    let asserted = if is_private {
        ""
    } else {
        headers.asserted_identity.as_str()
    };
    let received = sip_date(message.received_at).to_string();
    let lines = [
        ("From", headers.from.as_str()),
        ("To", to),
        ("Call-ID", &headers.call_id),
        ("Date", &received),
        ("Subject", &headers.subject),
        ("Priority", priority),
        ("P-Asserted-Identity", asserted),
        ("Message-ID", &message.message_id),
    ];
    let present = lines.iter().filter(|(_, value)| !value.is_empty());
    present
        .map(|(name, value)| format!("{name}: {}\r\n", on_one_line(value)))
        .collect()
}

/// Nothing that was stored may begin a line of its own: control characters become a space (2.4.3).
pub(super) fn on_one_line(value: &str) -> String {
    value
        .chars()
        .map(|character| {
            if character.is_control() {
                ' '
            } else {
                character
            }
        })
        .collect()
}

#[cfg(test)]
mod tests;
