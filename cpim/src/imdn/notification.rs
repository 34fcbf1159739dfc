//! The document of a notification (RFC 5438 §7.2, requirements §2.9).

use std::fmt::Write as _;
use std::time::SystemTime;

use bytes::Bytes;
use chrono::{DateTime, SecondsFormat, Utc};
use roxmltree::{Document, Node, ParsingOptions};

use super::{DOCUMENT_TYPE, NAMESPACE};
use crate::text::{clean, escaped};

/// The namespace of the document (RFC 5438 §11.1).
const XML_NAMESPACE: &str = "urn:ietf:params:xml:ns:imdn";
/// Octets of the longest document that is read: a server writes some 400.
const OCTETS_MAX: usize = 64 << 10;

/// What a notification says of a message.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Status {
    /// A store keeps it for its recipient.
    Stored,
    /// A server has passed it on.
    Processed,
    /// The recipient's client has it.
    Delivered,
    /// It was shown.
    Displayed,
    /// It will not be delivered.
    Failed,
    /// Somebody does not want it, or wants nothing to be told.
    Forbidden,
    /// Something went wrong.
    Error,
}

/// Which notification, and the word in it.
const WORDS: [(Status, &str, &str); 7] = [
    (Status::Stored, "processing-notification", "stored"),
    (Status::Processed, "processing-notification", "processed"),
    (Status::Delivered, "delivery-notification", "delivered"),
    (Status::Displayed, "display-notification", "displayed"),
    (Status::Failed, "delivery-notification", "failed"),
    (Status::Forbidden, "delivery-notification", "forbidden"),
    (Status::Error, "delivery-notification", "error"),
];

impl Status {
    /// Its word.
    #[must_use]
    pub fn word(self) -> &'static str {
        let found = WORDS.iter().find(|(status, ..)| *status == self);
        found.map_or("error", |(_, _, word)| *word)
    }

    fn kind(self) -> &'static str {
        let found = WORDS.iter().find(|(status, ..)| *status == self);
        found.map_or("delivery-notification", |(_, kind, _)| *kind)
    }
}

/// The text is no notification.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the document is no notification that says what became of which message")]
pub struct NotANotification;

/// What became of one message for one recipient.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Notification {
    /// `imdn.Message-ID` of the message, as its sender wrote it: never parsed, never changed (C-26).
    pub message_id: String,
    /// When that happened, as it is written.
    pub datetime: String,
    /// Whom it became of.
    pub recipient: String,
    /// Whom the sender had named.
    pub original_recipient: String,
    /// What became of it.
    pub status: Status,
}

/// An instant as notifications and CPIM messages write it (RFC 3339).
#[must_use]
pub fn datetime(at: SystemTime) -> String {
    DateTime::<Utc>::from(at).to_rfc3339_opts(SecondsFormat::Secs, true)
}

impl Notification {
    /// The document. Control characters are left out.
    #[must_use]
    pub fn document(&self) -> String {
        let mut xml = String::with_capacity(512);
        let (kind, word) = (self.status.kind(), self.status.word());
        xml.push_str("<?xml version=\"1.0\" encoding=\"UTF-8\"?>\r\n");
        let _ = write!(xml, "<imdn xmlns=\"{XML_NAMESPACE}\">\r\n");
        for (name, value) in [
            ("message-id", &self.message_id),
            ("datetime", &self.datetime),
            ("recipient-uri", &self.recipient),
            ("original-recipient-uri", &self.original_recipient),
        ] {
            let value = escaped(&clean(value));
            let _ = write!(xml, "  <{name}>{value}</{name}>\r\n");
        }
        let _ = write!(
            xml,
            "  <{kind}><status><{word}/></status></{kind}>\r\n</imdn>\r\n"
        );
        xml
    }

    /// The CPIM message that carries it from one to another, under an `imdn.Message-ID` of its own.
    #[must_use]
    pub fn message(&self, from: &str, to: &str, own_id: &str) -> Bytes {
        let document = self.document();
        let (from, to, own_id) = (clean(from), clean(to), clean(own_id));
        let text = format!(
            "From: {from}\r\nTo: {to}\r\nNS: imdn <{NAMESPACE}>\r\nimdn.Message-ID: {own_id}\r\n\r\n\
             Content-Type: {DOCUMENT_TYPE}\r\nContent-Disposition: notification\r\n\
             Content-Length: {}\r\n\r\n{document}",
            document.len()
        );
        text.into()
    }

    /// Reads a document, of whatever prefix and order.
    ///
    /// # Errors
    /// [`NotANotification`].
    pub fn read(document: &[u8]) -> Result<Self, NotANotification> {
        if document.len() > OCTETS_MAX {
            return Err(NotANotification);
        }
        let text = std::str::from_utf8(document).map_err(|_| NotANotification)?;
        let options = ParsingOptions {
            allow_dtd: false,
            nodes_limit: 1_000,
            ..ParsingOptions::default()
        };
        let document = Document::parse_with_options(text, options).map_err(|_| NotANotification)?;
        let root = document.root_element();
        if root.tag_name().name() != "imdn" {
            return Err(NotANotification);
        }
        let text_of = |name: &str| {
            let element = root
                .children()
                .find(|child| child.tag_name().name() == name);
            let text = element.and_then(|element| element.text());
            text.unwrap_or_default().trim().to_owned()
        };
        let status = root
            .children()
            .find_map(status_of)
            .ok_or(NotANotification)?;
        let message_id = text_of("message-id");
        if message_id.is_empty() {
            return Err(NotANotification);
        }
        Ok(Self {
            message_id,
            datetime: text_of("datetime"),
            recipient: text_of("recipient-uri"),
            original_recipient: text_of("original-recipient-uri"),
            status,
        })
    }
}

/// What a notification element says.
fn status_of(kind: Node<'_, '_>) -> Option<Status> {
    let status = kind
        .children()
        .find(|child| child.has_tag_name_of("status"))?;
    let word = status.children().find(Node::is_element)?.tag_name().name();
    // `forbidden` and `error` may stand in each kind.
    let kind = kind.tag_name().name();
    let exact = WORDS
        .iter()
        .find(|(_, known, its)| *known == kind && *its == word);
    let any = || WORDS.iter().find(|(_, _, its)| *its == word);
    exact.or_else(any).map(|(status, ..)| *status)
}

/// Names without regard to their namespace: some clients write none.
trait TagName {
    fn has_tag_name_of(&self, name: &str) -> bool;
}

impl TagName for Node<'_, '_> {
    fn has_tag_name_of(&self, name: &str) -> bool {
        self.tag_name().name() == name
    }
}

#[cfg(test)]
mod tests {
    use std::time::{Duration, UNIX_EPOCH};

    use proptest::prelude::*;

    use super::*;
    use crate::Message;

    fn stored() -> Notification {
        Notification {
            message_id: "Xk39s0QpLm2a".to_owned(),
            datetime: datetime(UNIX_EPOCH + Duration::from_millis(1_795_166_046_900)),
            recipient: "sip:bob@example.org".to_owned(),
            original_recipient: "sip:bob@example.org".to_owned(),
            status: Status::Stored,
        }
    }

    #[test]
    fn imd_02_a_notification_is_that_of_the_requirements() {
        let document = stored().document();
        let expected = "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\r\n\
            <imdn xmlns=\"urn:ietf:params:xml:ns:imdn\">\r\n  \
            <message-id>Xk39s0QpLm2a</message-id>\r\n  \
            <datetime>2026-11-20T09:14:06Z</datetime>\r\n  \
            <recipient-uri>sip:bob@example.org</recipient-uri>\r\n  \
            <original-recipient-uri>sip:bob@example.org</original-recipient-uri>\r\n  \
            <processing-notification><status><stored/></status></processing-notification>\r\n\
            </imdn>\r\n";
        assert_eq!(document, expected);
        assert_eq!(document.len(), 386, "as counted there");
        let message = stored().message(
            "Bob <sip:bob@example.org>",
            "Alice <sip:alice@example.org>",
            "st-13684434990",
        );
        let message = Message::parse(&message).expect("CPIM");
        assert!(super::super::is_notification(&message));
        assert_eq!(super::super::message_id(&message), Some("st-13684434990"));
        assert_eq!(message.content_header("Content-Length"), Some("386"));
        assert_eq!(message.content(), expected);
    }

    #[test]
    fn every_status_is_read_as_it_was_written() {
        for (status, ..) in WORDS {
            let written = Notification { status, ..stored() };
            let document = written.document();
            assert_eq!(Notification::read(document.as_bytes()), Ok(written));
        }
    }

    #[test]
    fn other_clients_write_prefixes_and_other_orders() {
        let text = "<i:imdn xmlns:i='urn:ietf:params:xml:ns:imdn'><i:display-notification><i:status>\
            <i:forbidden/></i:status></i:display-notification><i:message-id> 0A1 </i:message-id></i:imdn>";
        let read = Notification::read(text.as_bytes()).expect("a notification");
        assert_eq!(read.status, Status::Forbidden);
        assert_eq!(read.message_id, "0A1");
        assert_eq!(read.recipient, "");
    }

    #[test]
    fn what_says_nothing_of_a_message_is_no_notification() {
        let document = stored().document();
        for wrong in [
            String::new(),
            document.replace("<stored/>", ""),
            document.replace("<stored/>", "<eaten/>"),
            document.replace("Xk39s0QpLm2a", ""),
            document.replace("imdn", "note"),
            document.replacen("<imdn", "<!DOCTYPE imdn [<!ENTITY a 'b'>]><imdn", 1),
            "x".repeat(OCTETS_MAX + 1),
        ] {
            let read = Notification::read(wrong.as_bytes());
            assert_eq!(read, Err(NotANotification), "{wrong:.80}");
        }
    }

    #[test]
    fn prv_08_nothing_that_a_sender_wrote_ends_a_line_or_an_element() {
        let evil = "a\r\nNS: x\0<\u{85}b>&\"']]>";
        let notification = Notification {
            message_id: evil.to_owned(),
            recipient: evil.to_owned(),
            ..stored()
        };
        let message = notification.message(evil, evil, "st-1");
        let message = Message::parse(&message).expect("CPIM");
        assert_eq!(message.values("NS").count(), 1);
        assert_eq!(message.values("From").count(), 1);
        let read = Notification::read(&message.content()).expect("a notification");
        assert_eq!(read.message_id, "a NS: x < b>&\"']]>");
    }

    proptest! {
        #[test]
        fn any_words_are_read_back(id in "\\PC{1,40}", recipient in "\\PC{0,40}") {
            let written = Notification {
                message_id: id.trim().to_owned(),
                recipient: recipient.trim().to_owned(),
                ..stored()
            };
            prop_assume!(!written.message_id.is_empty());
            let read = Notification::read(written.document().as_bytes());
            prop_assert_eq!(read, Ok(written));
        }

        #[test]
        fn any_octets_are_read_or_refused(octets in proptest::collection::vec(any::<u8>(), 0..300)) {
            drop(Notification::read(&octets));
        }
    }
}
