//! What a sender asks to be told (RFC 5438 §6), and his message without some of it.

use bytes::Bytes;

use super::{Disposition, NAMESPACE, disposition, message_id, requested};
use crate::text::{clean, uri_of};
use crate::{Message, NotCpim};

/// What a sender asks to be told, and what is repeated to him. Values as he wrote them, but for control characters.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Request {
    /// The notifications asked for, at least one.
    pub asked: Vec<Disposition>,
    /// `imdn.Message-ID`.
    pub message_id: String,
    /// `From`.
    pub from: String,
    /// `To`.
    pub to: String,
    /// URI in `imdn.Original-To`, else in `To`.
    pub original_recipient: String,
}

/// What the sender of a message asks to be told; `None` if nothing, or if he has no name for the message by which he
/// would know it again (RFC 5438 §7.1.1.1).
#[must_use]
pub fn request(message: &Message) -> Option<Request> {
    let mut asked = requested(message);
    asked.sort_unstable();
    asked.dedup();
    let message_id = clean(message_id(message)?);
    if asked.is_empty() || message_id.is_empty() {
        return None;
    }
    let first = |name: &str| clean(message.values(name).next().unwrap_or_default());
    let to = first("To");
    let original = message.namespaced(NAMESPACE, "Original-To");
    let original = original.map_or_else(|| to.clone(), clean);
    Some(Request {
        asked,
        message_id,
        from: first("From"),
        original_recipient: uri_of(&original).to_owned(),
        to,
    })
}

/// A message that asks for these notifications, wrapped around content of this type.
#[must_use]
pub fn asking(request: &Request, datetime: &str, content_type: &str, content: &[u8]) -> Bytes {
    let asked: Vec<_> = request.asked.iter().map(|asked| asked.token()).collect();
    let head = format!(
        "From: {}\r\nTo: {}\r\nDateTime: {datetime}\r\nNS: imdn <{NAMESPACE}>\r\nimdn.Message-ID: {}\r\n\
         imdn.Disposition-Notification: {}\r\n\r\nContent-Type: {}\r\nContent-Length: {}\r\n\r\n",
        clean(&request.from),
        clean(&request.to),
        clean(&request.message_id),
        asked.join(", "),
        clean(content_type),
        content.len()
    );
    [head.as_bytes(), content].concat().into()
}

/// The same message without the request for these notifications, for a server that answers it (IMD-08), or that lets nobody
/// else do so (CFP-19); every other octet is as it was. `None` if there is no such request.
///
/// # Errors
/// [`NotCpim`].
pub fn without(octets: &Bytes, unwanted: &[Disposition]) -> Result<Option<Bytes>, NotCpim> {
    let mut without = None;
    // Where the header stands twice, the second counts once the first is gone.
    while let Some(fewer) = without_first(without.as_ref().unwrap_or(octets), unwanted)? {
        without = Some(fewer);
    }
    Ok(without)
}

/// Without those of the header that counts.
fn without_first(octets: &Bytes, unwanted: &[Disposition]) -> Result<Option<Bytes>, NotCpim> {
    let message = Message::parse(octets)?;
    let asked = requested(&message);
    if !asked.iter().any(|asked| unwanted.contains(asked)) {
        return Ok(None);
    }
    let value = message.namespaced(NAMESPACE, "Disposition-Notification");
    let tokens = value.unwrap_or_default().split(',').map(str::trim);
    let is_other = |token: &&str| disposition(token).is_none_or(|asked| !unwanted.contains(&asked));
    let others: Vec<_> = tokens.filter(is_other).collect();
    let others = Some(others.join(", ")).filter(|others| !others.is_empty());
    Ok(message.with_value(NAMESPACE, "Disposition-Notification", others.as_deref()))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const HEAD: &str = "From: Alice <sip:alice@example.org>\r\nTo: \"Bob\" <sip:bob@example.org>\r\n\
        NS: imdn <urn:ietf:params:imdn>\r\nimdn.Message-ID: Xk39\r\n\
        imdn.Disposition-Notification: negative-delivery, processing\r\n\
        Subject: x\r\n\r\nContent-Type: text/plain\r\n\r\nhi";

    fn read(text: &str) -> Option<Request> {
        let message = Message::parse(&Bytes::copy_from_slice(text.as_bytes()));
        request(&message.expect("CPIM"))
    }

    #[test]
    fn imd_01_what_is_asked_for_and_what_is_repeated_are_read() {
        let expected = Request {
            asked: vec![Disposition::NegativeDelivery, Disposition::Processing],
            message_id: "Xk39".to_owned(),
            from: "Alice <sip:alice@example.org>".to_owned(),
            to: "\"Bob\" <sip:bob@example.org>".to_owned(),
            original_recipient: "sip:bob@example.org".to_owned(),
        };
        assert_eq!(read(HEAD), Some(expected));
        let of_a_group = HEAD.replace(
            "Subject: x",
            "imdn.Original-To: Team <sip:team@example.org>",
        );
        let request = read(&of_a_group).expect("asked");
        assert_eq!(request.original_recipient, "sip:team@example.org");
    }

    #[test]
    fn imd_03_without_a_name_or_a_request_there_is_nothing_to_tell() {
        for line in ["imdn.Message-ID: Xk39\r\n", "negative-delivery, processing"] {
            assert_eq!(read(&HEAD.replace(line, "")), None, "{line}");
        }
        assert_eq!(read(&HEAD.replace("text/plain", "message/imdn+xml")), None);
        assert_eq!(
            read(&HEAD.replace("Message-ID: Xk39", "Message-ID: \u{1}")),
            None
        );
    }

    #[test]
    fn prv_08_control_characters_are_not_repeated() {
        let evil = HEAD.replace("\"Bob\"", "\"B\0\rX: y\"");
        let request = read(&evil).expect("asked");
        assert_eq!(request.to, "\"B X: y\" <sip:bob@example.org>");
    }

    #[test]
    fn imd_08_processing_is_taken_out_of_what_is_asked_for() {
        let without = |text: &str| {
            let octets = Bytes::copy_from_slice(text.as_bytes());
            let without = without(&octets, &[Disposition::Processing]).expect("CPIM");
            without.map(|octets| String::from_utf8(octets.to_vec()).expect("text"))
        };
        let expected = HEAD.replace("negative-delivery, processing", "negative-delivery");
        assert_eq!(without(HEAD), Some(expected.clone()));
        assert_eq!(without(&expected), None);
        let alone = HEAD.replace("negative-delivery, processing", "processing;x=y");
        let gone = HEAD.replace(
            "imdn.Disposition-Notification: negative-delivery, processing\r\n",
            "",
        );
        assert_eq!(without(&alone), Some(gone.clone()));
        assert_eq!(without(&gone), None);
        let twice = alone.replace(
            "Subject: x",
            "imdn.Disposition-Notification: processing\r\nSubject: x",
        );
        assert_eq!(without(&twice), Some(gone));
        let bare = HEAD.replace("\r\n", "\n");
        assert_eq!(without(&bare), Some(expected.replace("\r\n", "\n")));
    }

    #[test]
    fn what_a_client_asks_is_what_a_server_reads() {
        let asked = read(HEAD).expect("asked");
        let octets = asking(&asked, "2026-11-20T09:14:06Z", "text/plain", b"hi");
        let message = Message::parse(&octets).expect("CPIM");
        assert_eq!(request(&message), Some(asked));
        assert_eq!(message.content().as_ref(), b"hi");
        assert_eq!(message.content_type(), "text/plain");
    }

    proptest! {
        #[test]
        fn any_octets_ask_for_something_or_nothing(octets in proptest::collection::vec(any::<u8>(), 0..300)) {
            let mut text = b"NS: imdn <urn:ietf:params:imdn>\r\nimdn.Disposition-Notification: processing\r\n".to_vec();
            text.extend(octets);
            let octets = Bytes::from(text);
            if let Ok(message) = Message::parse(&octets)
                && let Some(request) = request(&message)
            {
                let texts = [&request.message_id, &request.from, &request.to, &request.original_recipient];
                prop_assert!(texts.iter().all(|text| !text.contains(char::is_control)));
            }
            let unwanted = [Disposition::Processing];
            if let Ok(Some(fewer)) = without(&octets, &unwanted) {
                prop_assert_eq!(without(&fewer, &unwanted), Ok(None));
            }
        }
    }
}
