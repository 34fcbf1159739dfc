//! What a CPIM message says about disposition notifications (RFC 5438 §6).

mod notification;
mod request;

use bytes::Bytes;

pub use notification::{NotANotification, Notification, Status, datetime};
pub use request::{Request, asking, request, without};

use crate::Message;

/// The namespace of the IMDN headers (RFC 5438 §6).
pub const NAMESPACE: &str = "urn:ietf:params:imdn";
/// The type of a notification document (RFC 5438 §7.2).
pub const DOCUMENT_TYPE: &str = "message/imdn+xml";

/// A notification that a sender can ask for (RFC 5438 §6.2).
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Disposition {
    /// Tell me when it was delivered.
    PositiveDelivery,
    /// Tell me when it could not be delivered.
    NegativeDelivery,
    /// Tell me what happens on the way.
    Processing,
    /// Tell me when it was displayed.
    Display,
}

/// `imdn.Message-ID`: the sender's own name for the message, kept as he wrote it (RFC 5438 §6.3).
#[must_use]
pub fn message_id(message: &Message) -> Option<&str> {
    message
        .namespaced(NAMESPACE, "Message-ID")
        .filter(|id| !id.is_empty())
}

/// The notifications asked for; unknown ones are left out. A notification asks for none (IMD-03).
#[must_use]
pub fn requested(message: &Message) -> Vec<Disposition> {
    if is_notification(message) {
        return Vec::new();
    }
    let value = message
        .namespaced(NAMESPACE, "Disposition-Notification")
        .unwrap_or_default();
    value
        .split(',')
        .filter_map(|token| disposition(token.trim()))
        .collect()
}

/// The message for one of many recipients, if its sender wants to be told of each (RFC 5438 §8.1, CFP-19): addressed to
/// him, so that a notification names him, with `imdn.Original-To` for whom the sender had written. `None` where nothing
/// is to be told: then the message goes along as it is.
#[must_use]
pub fn addressed_to(message: &Message, recipient: &str) -> Option<Bytes> {
    let is_readdressed = message.namespaced(NAMESPACE, "Original-To").is_some();
    if is_readdressed || requested(message).is_empty() {
        return None;
    }
    let original = message.values("To").next()?;
    message.readdressed(recipient, NAMESPACE, ("Original-To", original))
}

/// Whether the message is itself a notification (PFM-10).
#[must_use]
pub fn is_notification(message: &Message) -> bool {
    message.content_type() == DOCUMENT_TYPE
}

impl Disposition {
    /// All of them.
    pub const ALL: [Self; 4] = [
        Self::PositiveDelivery,
        Self::NegativeDelivery,
        Self::Processing,
        Self::Display,
    ];

    /// How it is written.
    #[must_use]
    pub fn token(self) -> &'static str {
        match self {
            Self::PositiveDelivery => "positive-delivery",
            Self::NegativeDelivery => "negative-delivery",
            Self::Processing => "processing",
            Self::Display => "display",
        }
    }
}

fn disposition(token: &str) -> Option<Disposition> {
    // A value may carry parameters, such as a display mode (RFC 5438 §6.2).
    let name = token.split(';').next().unwrap_or_default().trim();
    Disposition::ALL
        .into_iter()
        .find(|disposition| disposition.token() == name)
}

#[cfg(test)]
mod tests {
    use bytes::Bytes;

    use super::*;

    fn message(headers: &str, content_type: &str) -> Message {
        let text = format!(
            "NS: imdn <urn:ietf:params:imdn>\r\n{headers}\r\n\r\nContent-Type: {content_type}\r\n\r\n"
        );
        Message::parse(&Bytes::from(text)).expect("CPIM")
    }

    #[test]
    fn imd_01_what_the_sender_asks_for_is_read() {
        let asked = message(
            "imdn.Message-ID: Xk39\r\nimdn.Disposition-Notification: positive-delivery, processing;x=y, other",
            "text/plain",
        );
        assert_eq!(message_id(&asked), Some("Xk39"));
        assert_eq!(
            requested(&asked),
            [Disposition::PositiveDelivery, Disposition::Processing]
        );
    }

    #[test]
    fn imd_03_a_notification_asks_for_none() {
        let notification = message(
            "imdn.Disposition-Notification: processing",
            "Message/IMDN+xml",
        );
        assert!(is_notification(&notification));
        assert_eq!(requested(&notification), []);
    }

    const TO_A_GROUP: &str = "From: <sip:alice@example.org>\r\nTo: Team <sip:team@example.org>\r\n\
        NS: imdn <urn:ietf:params:imdn>\r\nimdn.Message-ID: Xk39\r\n\
        imdn.Disposition-Notification: positive-delivery\r\n\r\nContent-Type: text/plain\r\n\r\nhi";

    fn readdressed(text: &str) -> Option<String> {
        let message = Message::parse(&Bytes::copy_from_slice(text.as_bytes())).expect("CPIM");
        let octets = addressed_to(&message, "sip:bob@example.org")?;
        Some(String::from_utf8(octets.to_vec()).expect("text"))
    }

    #[test]
    fn cfp_19_a_copy_names_its_recipient_and_whom_the_sender_had_named() {
        let expected = TO_A_GROUP
            .replace(
                "To: Team <sip:team@example.org>",
                "To: <sip:bob@example.org>",
            )
            .replace(
                "positive-delivery\r\n",
                "positive-delivery\r\nimdn.Original-To: Team <sip:team@example.org>\r\n",
            );
        assert_eq!(readdressed(TO_A_GROUP), Some(expected.clone()));
        assert_eq!(readdressed(&expected), None, "once is enough");
        let bare = TO_A_GROUP.replace("\r\n", "\n");
        assert_eq!(readdressed(&bare), Some(expected.replace("\r\n", "\n")));
    }

    #[test]
    fn a_message_of_which_nothing_is_to_be_told_stays_as_it_is() {
        for line in [
            "imdn.Disposition-Notification: positive-delivery\r\n",
            "To: Team <sip:team@example.org>\r\n",
        ] {
            assert_eq!(readdressed(&TO_A_GROUP.replace(line, "")), None, "{line}");
        }
    }
}
