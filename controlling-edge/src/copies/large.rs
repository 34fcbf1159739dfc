//! What all copies of a large message have in common, as the store keeps it (CFL-08..10): header lines of the INVITE of a
//! leg, attributes of its media line, header lines of its SEND.

use std::fmt::Display;

use bytes::{Bytes, BytesMut};
use edge::reception::file;
use edge::reception::offer::Offer;
use edge::sending::invite::{ICON_ATTRIBUTES, Inviter};
use msrp::{AcceptTypes, MessageId, OutboundMessage, RequestHead};
use sip::{Limits, Message, Name, Request, parse_datagram};
use storage_client::fan_out::LegTemplate;

use super::NotATemplate;
use super::template::ACCEPT_CONTACT;

/// The attribute that announces the size of a message.
const FILELENGTH: &str = "filelength";
/// The attribute with the types of a session.
const ACCEPT_TYPES: &str = "accept-types";

/// Type of content that has none.
const UNTYPED: &str = "application/octet-stream";

/// Attributes of an offer that our answer repeats and that go along with the copies (CFL-04, CFL-09): the size of the
/// message, and what is said of a file. Not its preview: our answer would point to nothing.
pub(crate) fn attributes(offer: &Offer) -> Vec<(String, Option<String>)> {
    let held = offer.media.attributes.iter();
    let is_repeated = |name: &str| name == FILELENGTH || file::ATTRIBUTES.contains(&name);
    held.filter(|(name, _)| is_repeated(name))
        .cloned()
        .collect()
}

/// The media attributes of the copies of what was offered, a line each; then, if the file has a preview, an empty line and
/// the part of the body that it is (FT-04).
pub(crate) fn media(offer: &Offer, preview: Option<&Bytes>) -> Bytes {
    let mut lines = Lines::default();
    lines.put(ACCEPT_TYPES, &offer.media.accept_types);
    for (name, value) in attributes(offer) {
        match value {
            Some(value) => lines.put(&name, &value),
            None => lines.0.extend_from_slice(format!("{name}\r\n").as_bytes()),
        }
    }
    if let Some(preview) = preview {
        for name in ICON_ATTRIBUTES {
            if let Some(url) = offer.media.attribute(name) {
                lines.put(name, &url);
            }
        }
        lines.0.extend_from_slice(b"\r\n");
        lines.0.extend_from_slice(preview);
    }
    lines.0.freeze()
}

/// The lines, and the preview behind them.
fn with_preview(media: &Bytes) -> (Bytes, Option<Bytes>) {
    const EMPTY_LINE: &[u8] = b"\r\n\r\n";
    let end = media
        .windows(EMPTY_LINE.len())
        .position(|octets| octets == EMPTY_LINE);
    match end {
        Some(end) => {
            let preview = media.slice(end + EMPTY_LINE.len()..);
            (media.slice(..end), Some(preview))
        }
        None => (media.clone(), None),
    }
}

/// What the SEND of each copy says: its Message-ID, which reports are wanted, what it holds (CFL-10).
pub(crate) fn send_head(head: &RequestHead) -> Bytes {
    let mut lines = Lines::default();
    if let Some(message_id) = &head.message_id {
        lines.put("Message-ID", message_id);
    }
    if head.success_report == Some(true) {
        lines.put("Success-Report", &"yes");
    }
    if let Some(wanted) = head.failure_report {
        lines.put("Failure-Report", &wanted.as_str());
    }
    let is_content = |name: &str| {
        let start = name.get(..8);
        start.is_some_and(|start| start.eq_ignore_ascii_case("Content-"))
    };
    for (name, value) in head.headers.iter().filter(|(name, _)| is_content(name)) {
        lines.put(name, value);
    }
    if let Some(content_type) = &head.content_type {
        lines.put("Content-Type", content_type);
    }
    lines.0.freeze()
}

/// Lines of a name and a value.
#[derive(Default)]
struct Lines(BytesMut);

impl Lines {
    fn put(&mut self, name: &str, value: &dyn Display) {
        self.0
            .extend_from_slice(format!("{name}: {value}\r\n").as_bytes());
    }
}

/// The names and values of such lines.
fn entries(lines: &Bytes) -> Result<impl Iterator<Item = (&str, Option<&str>)>, NotATemplate> {
    let text = std::str::from_utf8(lines).map_err(|_| NotATemplate)?;
    Ok(text.lines().map(|line| match line.split_once(": ") {
        Some((name, value)) => (name, Some(value)),
        None => (line, None),
    }))
}

/// In whose name the leg with this Call-ID invites, and to what.
///
/// # Errors
/// [`NotATemplate`].
pub(crate) fn inviter(template: &LegTemplate, call_id: String) -> Result<Inviter, NotATemplate> {
    let request = request(&template.head)?;
    let mut inviter = Inviter {
        call_id_prefix: call_id,
        from: String::new(),
        asserted_identity: None,
        max_forwards: 0,
        accept_contact: ACCEPT_CONTACT.into(),
        date: None,
        headers: Vec::new(),
        attributes: Vec::new(),
        accept_types: AcceptTypes::any(),
        content_type: UNTYPED.to_owned(),
        icon: None,
    };
    for field in request.headers().iter() {
        let value = field.value().into_owned();
        match field.known() {
            Some(Name::From) => inviter.from = value,
            Some(Name::PAssertedIdentity) => inviter.asserted_identity = Some(value),
            Some(Name::MaxForwards) => {
                inviter.max_forwards = value.parse().map_err(|_| NotATemplate)?;
            }
            Some(Name::Date) => inviter.date = Some(value),
            Some(Name::ContentLength) => {}
            known => {
                let name = known.map_or(field.name(), |name| name.as_str());
                inviter.headers.push((name.to_owned(), value));
            }
        }
    }
    let (media, preview) = with_preview(&template.body);
    inviter.icon = preview;
    for (name, value) in entries(&media)? {
        match (name, value) {
            (ACCEPT_TYPES, Some(value)) => {
                inviter.accept_types = AcceptTypes::of(value.split_ascii_whitespace());
            }
            (name, value) => {
                let value = value.map(str::to_owned);
                inviter.attributes.push((name.to_owned(), value));
            }
        }
    }
    if let Some((_, Some(value))) = entries(&template.send_head)?.find(is_content_type) {
        value.clone_into(&mut inviter.content_type);
    }
    match inviter.from.is_empty() {
        true => Err(NotATemplate),
        false => Ok(inviter),
    }
}

fn is_content_type((name, _): &(&str, Option<&str>)) -> bool {
    name.eq_ignore_ascii_case("Content-Type")
}

/// The message of so many octets as each leg sends it: with the Message-ID of the sender, and the reports that he
/// wants (CFL-10).
///
/// # Errors
/// [`NotATemplate`].
pub(crate) fn outbound(
    template: &LegTemplate,
    octets: u64,
) -> Result<OutboundMessage, NotATemplate> {
    let lines = || entries(&template.send_head);
    let value = |wanted: &str| -> Result<Option<&str>, NotATemplate> {
        let found = lines()?.find(|(name, _)| name.eq_ignore_ascii_case(wanted));
        Ok(found.and_then(|(_, value)| value))
    };
    let message_id = value("Message-ID")?.ok_or(NotATemplate)?;
    let message_id: MessageId = message_id.parse().map_err(|_| NotATemplate)?;
    let content_type = value("Content-Type")?.unwrap_or(UNTYPED);
    let mut outbound = OutboundMessage::new(message_id, content_type, octets);
    outbound.success_report = value("Success-Report")? == Some("yes");
    if let Some(wanted) = value("Failure-Report")? {
        outbound.failure_report = wanted.parse().map_err(|()| NotATemplate)?;
    }
    let own = [
        "Message-ID",
        "Success-Report",
        "Failure-Report",
        "Content-Type",
    ];
    outbound.headers = lines()?
        .filter(|(name, _)| !own.iter().any(|own| own.eq_ignore_ascii_case(name)))
        .filter_map(|(name, value)| Some((name.to_owned(), value?.to_owned())))
        .collect();
    Ok(outbound)
}

/// Header lines as a request that can be read.
fn request(head: &Bytes) -> Result<Request, NotATemplate> {
    let mut octets = BytesMut::from(&b"INVITE sip:leg.invalid SIP/2.0\r\n"[..]);
    octets.extend_from_slice(head);
    octets.extend_from_slice(b"Content-Length: 0\r\n\r\n");
    match parse_datagram(octets.freeze(), &Limits::default()) {
        Ok(Message::Request(request)) => Ok(request),
        _ => Err(NotATemplate),
    }
}

#[cfg(test)]
mod tests {
    use msrp::{Decoder, Event, FailureReport};

    use super::*;

    const OFFER: &str = "v=0\r\no=alice 3990 1 IN IP4 198.51.100.7\r\ns=-\r\nc=IN IP4 198.51.100.7\r\nt=0 0\r\n\
        m=message 7394 TCP/MSRP *\r\na=path:msrp://198.51.100.7:7394/g77grp;tcp\r\n\
        a=accept-types:message/cpim text/plain\r\na=sendonly\r\na=filelength:20480\r\n\
        a=file-selector:name:\"plan.pdf\" size:20480\r\na=file-icon:cid:icon1@h\r\na=x-other:y\r\n";

    fn template() -> LegTemplate {
        let offer = Offer::read(OFFER.as_bytes()).expect("an offer");
        LegTemplate {
            head: Bytes::from_static(
                b"Max-Forwards: 67\r\nFrom: \"Alice\" <sip:alice@example.org>\r\n\
                P-Asserted-Identity: <sip:alice@example.org>\r\nSubject: Plan\r\n",
            ),
            body: media(&offer, None),
            body_without_history: None,
            send_head: send_head(&head()),
        }
    }

    fn head() -> RequestHead {
        let mut decoder = Decoder::new();
        decoder.push(
            b"MSRP d93kswow SEND\r\nTo-Path: msrp://192.0.2.20:2865/8rVq3LxT0mZc7YwKp5NbGd;tcp\r\n\
            From-Path: msrp://198.51.100.7:7394/g77grp;tcp\r\nMessage-ID: 12339sdqwer\r\n\
            Byte-Range: 1-2048/20480\r\nSuccess-Report: yes\r\nFailure-Report: partial\r\n\
            Content-Disposition: attachment; filename=\"plan.pdf\"\r\nContent-Type: application/pdf\r\n\r\n",
        );
        match decoder.next_event() {
            Ok(Some(Event::RequestHead { head, .. })) => *head,
            other => panic!("{other:?}"),
        }
    }

    #[test]
    fn cfl_09_what_is_offered_to_us_is_offered_to_each() {
        let inviter = inviter(&template(), "cf-7-2".to_owned()).expect("a template");
        assert_eq!(inviter.from, "\"Alice\" <sip:alice@example.org>");
        assert_eq!(inviter.max_forwards, 67);
        let asserted = inviter.asserted_identity.as_deref();
        assert_eq!(asserted, Some("<sip:alice@example.org>"));
        let subject = ("Subject".to_owned(), "Plan".to_owned());
        assert_eq!(inviter.headers, [subject]);
        assert_eq!(inviter.accept_types.to_string(), "message/cpim text/plain");
        assert_eq!(inviter.content_type, "application/pdf");
        let pair = |name: &str, value: &str| (name.to_owned(), Some(value.to_owned()));
        let expected = [
            pair("filelength", "20480"),
            pair("file-selector", "name:\"plan.pdf\" size:20480"),
        ];
        assert_eq!(inviter.attributes, expected);
    }

    #[test]
    fn ft_04_the_preview_goes_along_with_its_attribute() {
        let offer = Offer::read(OFFER.as_bytes()).expect("an offer");
        let preview = Bytes::from_static(b"Content-ID: <icon1@h>\r\n\r\n\x89PNG\r\n\r\n\xff");
        let template = LegTemplate {
            body: media(&offer, Some(&preview)),
            ..template()
        };
        let inviter = inviter(&template, String::new()).expect("a template");
        assert_eq!(inviter.icon, Some(preview));
        let named = ("file-icon".to_owned(), Some("cid:icon1@h".to_owned()));
        assert_eq!(inviter.attributes.last(), Some(&named));
        assert_eq!(inviter.attributes.len(), 3);
    }

    #[test]
    fn cfl_10_the_send_of_a_leg_is_that_of_the_sender() {
        let outbound = outbound(&template(), 20_480).expect("a template");
        assert_eq!(outbound.message_id.to_string(), "12339sdqwer");
        assert_eq!(outbound.content_type.as_deref(), Some("application/pdf"));
        assert_eq!(outbound.body_octets, 20_480);
        assert!(outbound.success_report);
        assert_eq!(outbound.failure_report, FailureReport::Partial);
        let disposition = "attachment; filename=\"plan.pdf\"";
        let expected = ("Content-Disposition".to_owned(), disposition.to_owned());
        assert_eq!(outbound.headers, [expected]);
    }

    #[test]
    fn what_we_have_not_written_makes_no_copy() {
        let rubbish = LegTemplate {
            head: Bytes::from_static(b"\xff"),
            ..template()
        };
        assert!(inviter(&rubbish, String::new()).is_err());
        assert!(outbound(&LegTemplate::default(), 1).is_err());
    }
}
