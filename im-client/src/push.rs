//! Reading what a push session delivers (requirements §2.4.3).

use bytes::Bytes;
use sip::{Message, Name, Request, multipart};

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
    /// The MIME type of part 2: `message/sip`, `message/sipfrag` or `message/msrp`.
    pub kind: String,
    /// Part 2, byte for byte.
    pub original: Bytes,
    /// The MIME type of the message inside part 2.
    pub content_type: String,
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
        let fields = fragment(&summary.body).ok_or(NotAPush::Parts)?;
        let field = |name: &str| {
            fields
                .headers()
                .first_named(name)
                .map_or_else(String::new, |field| field.value().into_owned())
        };
        let message_id = field("Message-ID");
        if message_id.is_empty() {
            return Err(NotAPush::NoMessageId);
        }
        let kind = part_type(original);
        let inner = inner_message(&kind, &original.body).ok_or(NotAPush::Original)?;
        let content_type = inner.headers().first(Name::ContentType);
        Ok(Self {
            message_id,
            received_at: field("Date"),
            from: field("From"),
            subject: field("Subject"),
            kind,
            original: original.body.clone(),
            content_type: content_type.map_or_else(String::new, |field| field.value().into_owned()),
            body: inner.body().clone(),
        })
    }
}

fn part_type(part: &multipart::Part) -> String {
    let declared = part.headers.first(Name::ContentType);
    let text = declared.map_or_else(String::new, |field| field.value().into_owned());
    text.split(';')
        .next()
        .unwrap_or_default()
        .trim()
        .to_ascii_lowercase()
}

/// Header lines without a start line, as a request so that they can be looked up: a sipfrag may be
/// any part of a message (RFC 3420 §2).
fn fragment(octets: &Bytes) -> Option<Request> {
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

fn inner_message(kind: &str, octets: &Bytes) -> Option<Request> {
    match kind {
        "message/sip" | "message/sipfrag" => request(octets),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const TYPE: &str = "multipart/mixed;boundary=\"Kf2Zt8Qw0LmXc5Vb1N\"";

    fn pushed(part_1: &str, part_2: &str) -> Bytes {
        Bytes::from(format!(
            "--Kf2Zt8Qw0LmXc5Vb1N\r\nContent-Type: message/sipfrag;version=2.0\r\n\r\n{part_1}\r\n\
             --Kf2Zt8Qw0LmXc5Vb1N\r\nContent-Type: message/sip\r\n\r\n{part_2}\r\n--Kf2Zt8Qw0LmXc5Vb1N--\r\n"
        ))
    }

    const ORIGINAL: &str = "MESSAGE sip:bob@example.org SIP/2.0\r\nFrom: <sip:alice@example.org>;tag=a\r\n\
        Content-Type: text/plain\r\nContent-Length: 8\r\n\r\n--binary";

    #[test]
    fn a_pushed_message_is_read_byte_for_byte() {
        let body = pushed(
            "From: <sip:alice@example.org>;tag=a\r\nDate: Fri, 20 Nov 2026 09:14:06 GMT\r\n\
             Message-ID: 13684434990@mailserver32.example.org\r\n",
            ORIGINAL,
        );
        let message = PushedMessage::read(TYPE, &body).expect("a push");
        assert_eq!(message.message_id, "13684434990@mailserver32.example.org");
        assert_eq!(message.received_at, "Fri, 20 Nov 2026 09:14:06 GMT");
        assert_eq!(message.kind, "message/sip");
        assert_eq!(message.original, ORIGINAL);
        assert_eq!(message.body.as_ref(), b"--binary");
    }

    #[test]
    fn what_is_no_push_is_refused_with_its_reason() {
        let body = pushed("From: <sip:alice@example.org>\r\n", ORIGINAL);
        assert!(matches!(
            PushedMessage::read(TYPE, &body),
            Err(NotAPush::NoMessageId)
        ));
        let plain = Bytes::from_static(b"hello");
        assert!(matches!(
            PushedMessage::read("text/plain", &plain),
            Err(NotAPush::Parts)
        ));
    }
}
