//! What a copy carries: the parts of the message that are not the list of its recipients, and their history.

use bytes::{Bytes, BytesMut};
use cpim::imdn::{self, Disposition};
use edge::report::report_request;
use msrp::encapsulate::Boundary;
use rand::CryptoRng;
use sip::{Headers, MediaType, Name, Request, multipart};
use storage_client::message::ReportRequest;

use crate::recipients::Recipient;
use xcap::resource_lists::{self, CopyControl, Entry};

/// A part without a type is one of these (RFC 2046 §5.1).
const DEFAULT_TYPE: &str = "text/plain;charset=us-ascii";

/// One part: its `Content-*` fields, each a name and a value, and its octets.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Part {
    fields: Vec<(String, String)>,
    body: Bytes,
}

impl Part {
    fn is_cpim(&self) -> bool {
        let is_type = |name: &str| name.eq_ignore_ascii_case("Content-Type");
        let stated = self.fields.iter().find(|(name, _)| is_type(name));
        let stated = stated.and_then(|(_, value)| value.parse::<MediaType>().ok());
        stated.is_some_and(|stated| stated.is("message/cpim"))
    }
}

/// The message without the list of its recipients.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Content(Vec<Part>);

/// A body with the fields that describe it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Body {
    fields: Vec<(String, String)>,
    octets: Bytes,
}

impl Body {
    /// Octets without the fields.
    pub(crate) fn octets(&self) -> usize {
        self.octets.len()
    }

    /// The fields as lines, an empty line, and the octets.
    pub(crate) fn entity(&self) -> Bytes {
        let mut entity = BytesMut::with_capacity(self.octets.len() + 256);
        put_part(&mut entity, &self.fields, &self.octets);
        entity.freeze()
    }
}

impl Content {
    /// All of a message to a group.
    pub(crate) fn whole(request: &Request) -> Self {
        Self(vec![Part {
            fields: content_fields(request.headers()),
            body: request.body().clone(),
        }])
    }

    /// The parts of a message to a list, without the list.
    pub(crate) fn of_parts(parts: &[multipart::Part]) -> Self {
        let part = |part: &multipart::Part| Part {
            fields: typed(content_fields(&part.headers)),
            body: part.body.clone(),
        };
        Self(parts.iter().map(part).collect())
    }

    /// What its sender asks to be told, if it is one message in CPIM.
    pub(crate) fn report_request(&self) -> Option<ReportRequest> {
        let cpim = self
            .cpim()
            .and_then(|part| cpim::Message::parse(&part.body).ok());
        cpim.as_ref().and_then(report_request)
    }

    /// The same without the request for these notifications.
    pub(crate) fn without(mut self, unwanted: &[Disposition]) -> Self {
        if let [part] = self.0.as_mut_slice()
            && part.is_cpim()
            && let Ok(Some(body)) = imdn::without(&part.body, unwanted)
        {
            part.body = body;
        }
        self
    }

    fn cpim(&self) -> Option<&Part> {
        match self.0.as_slice() {
            [part] if part.is_cpim() => Some(part),
            _ => None,
        }
    }

    /// Octets of the parts.
    pub(crate) fn octets(&self) -> usize {
        self.0.iter().map(|part| part.body.len()).sum()
    }

    /// The body of a copy: a single part as it is, several in a multipart body of ours, because that of the sender ended
    /// with the list.
    pub(crate) fn body(&self, rng: &mut impl CryptoRng) -> Body {
        match self.0.as_slice() {
            [one] => Body {
                fields: one.fields.clone(),
                octets: one.body.clone(),
            },
            parts => multipart(parts, rng),
        }
    }

    /// The same with the history of its recipients (CFP-15); `None` if there is nobody whom all may see.
    pub(crate) fn body_with_history(
        &self,
        recipients: &[Recipient],
        rng: &mut impl CryptoRng,
    ) -> Option<Body> {
        let seen = recipients
            .iter()
            .filter(|recipient| recipient.copy_control != CopyControl::Bcc);
        let entries: Vec<_> = seen
            .map(|recipient| Entry {
                uri: recipient.uri.clone(),
                copy_control: recipient.copy_control,
                anonymize: recipient.anonymize,
            })
            .collect();
        if entries.is_empty() {
            return None;
        }
        let history = Part {
            fields: vec![
                field("Content-Type", resource_lists::MEDIA_TYPE),
                field(
                    "Content-Disposition",
                    "recipient-list-history; handling=optional",
                ),
            ],
            body: resource_lists::write(&entries).into(),
        };
        let mut parts = self.0.clone();
        if let [one] = parts.as_mut_slice() {
            one.fields = typed(std::mem::take(&mut one.fields));
        }
        parts.push(history);
        Some(multipart(&parts, rng))
    }
}

/// `Content-*` but for the length, which follows from the octets.
fn content_fields(headers: &Headers) -> Vec<(String, String)> {
    let is_content = |name: &str| {
        name.get(..8)
            .is_some_and(|start| start.eq_ignore_ascii_case("Content-"))
    };
    let named = headers.iter().map(|field| {
        let name = field.known().map_or(field.name(), |name| name.as_str());
        (name.to_owned(), field.value().into_owned())
    });
    named
        .filter(|(name, _)| is_content(name) && !name.eq_ignore_ascii_case("Content-Length"))
        .collect()
}

/// With a type, which a message of its own must have where a part needs none.
fn typed(mut fields: Vec<(String, String)>) -> Vec<(String, String)> {
    let is_typed = fields
        .iter()
        .any(|(name, _)| name.eq_ignore_ascii_case("Content-Type"));
    if !is_typed {
        fields.insert(0, field("Content-Type", DEFAULT_TYPE));
    }
    fields
}

fn field(name: &str, value: &str) -> (String, String) {
    (name.to_owned(), value.to_owned())
}

fn multipart(parts: &[Part], rng: &mut impl CryptoRng) -> Body {
    let bodies: Vec<&[u8]> = parts.iter().map(|part| part.body.as_ref()).collect();
    let boundary = Boundary::absent_from(rng, &bodies);
    let mut octets = BytesMut::new();
    for part in parts {
        octets.extend_from_slice(format!("--{boundary}\r\n").as_bytes());
        put_part(&mut octets, &part.fields, &part.body);
        octets.extend_from_slice(b"\r\n");
    }
    octets.extend_from_slice(format!("--{boundary}--\r\n").as_bytes());
    Body {
        fields: vec![field(
            "Content-Type",
            &format!("multipart/mixed;boundary=\"{boundary}\""),
        )],
        octets: octets.freeze(),
    }
}

fn put_part(out: &mut BytesMut, fields: &[(String, String)], octets: &[u8]) {
    for (name, value) in fields {
        out.extend_from_slice(format!("{name}: {value}\r\n").as_bytes());
    }
    out.extend_from_slice(b"\r\n");
    out.extend_from_slice(octets);
}

/// Whether a part is the list of recipients (RFC 5363 §4.1).
pub(crate) fn is_recipient_list(part: &multipart::Part) -> bool {
    let is_list = part
        .headers
        .content_type()
        .ok()
        .flatten()
        .is_some_and(|held: MediaType| held.is(resource_lists::MEDIA_TYPE));
    let disposition = part.headers.first(Name::ContentDisposition);
    let disposition = disposition.map(|field| field.value().into_owned());
    let kind = disposition.as_deref().map(|value| {
        let kind = value.split(';').next();
        kind.unwrap_or_default().trim().to_ascii_lowercase()
    });
    is_list && kind.is_none_or(|kind| kind == "recipient-list")
}

#[cfg(test)]
mod tests {
    use super::*;

    const TYPE: &str = "multipart/mixed;boundary=\"gm1\"";

    fn parts(text: &str) -> Vec<multipart::Part> {
        let body = Bytes::from(text.replace('\n', "\r\n"));
        multipart::parse(TYPE, &body).expect("multipart")
    }

    fn recipient(uri: &str, copy_control: CopyControl) -> Recipient {
        Recipient {
            uri: uri.to_owned(),
            address: uri.parse().expect("an address"),
            copy_control,
            anonymize: false,
        }
    }

    #[test]
    fn a_single_part_is_the_body() {
        let typed = parts(
            "--gm1\nContent-Type: text/plain;charset=utf-8\nContent-Language: de\n\nhi\n\n--gm1--",
        );
        let body = Content::of_parts(&typed).body(&mut rand::rng());
        assert_eq!(body.octets, "hi\r\n");
        assert_eq!(
            body.fields,
            [
                field("Content-Type", "text/plain;charset=utf-8"),
                field("Content-Language", "de"),
            ]
        );
        let untyped = parts("--gm1\n\nhi\n--gm1--");
        let body = Content::of_parts(&untyped).body(&mut rand::rng());
        assert_eq!(body.fields, [field("Content-Type", DEFAULT_TYPE)]);
    }

    #[test]
    fn cfp_15_the_history_names_those_whom_all_may_see() {
        let parts = parts("--gm1\nContent-Type: text/plain\n\nhi\n--gm1--");
        let content = Content::of_parts(&parts);
        let recipients = [
            recipient("sip:bob@example.org", CopyControl::To),
            recipient("sip:carol@example.org", CopyControl::Cc),
            recipient("sip:dave@example.org", CopyControl::Bcc),
        ];
        let body = content.body_with_history(&recipients, &mut rand::rng());
        let body = body.expect("a history");
        let (_, content_type) = &body.fields[0];
        let made = multipart::parse(content_type, &body.octets).expect("well-formed");
        assert_eq!(made.len(), 2);
        assert_eq!(made[0].body, "hi");
        let history = std::str::from_utf8(&made[1].body).expect("text");
        assert!(history.contains("bob") && history.contains("carol") && !history.contains("dave"));
        assert!(!is_recipient_list(&made[1]));
        let hidden = [recipient("sip:dave@example.org", CopyControl::Bcc)];
        assert_eq!(content.body_with_history(&hidden, &mut rand::rng()), None);
    }

    #[test]
    fn the_list_is_known_by_type_and_disposition() {
        let table = [
            ("Content-Type: application/resource-lists+xml\n", true),
            (
                "Content-Type: application/resource-lists+xml\nContent-Disposition: Recipient-List\n",
                true,
            ),
            (
                "Content-Type: application/resource-lists+xml\nContent-Disposition: attachment\n",
                false,
            ),
            (
                "Content-Type: text/xml\nContent-Disposition: recipient-list\n",
                false,
            ),
            ("", false),
        ];
        for (fields, expected) in table {
            let parts = parts(&format!("--gm1\n{fields}\nx\n--gm1--"));
            assert_eq!(is_recipient_list(&parts[0]), expected, "{fields}");
        }
    }
}
