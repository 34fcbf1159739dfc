//! Composing pager messages (requirements §1.2).

use bytes::Bytes;
use rand::rngs::StdRng;
use sip::{Method, Name, Request, SipDate, Uri};

use crate::Account;
use crate::envelope::{Envelope, RequestIds};
use crate::multipart::Multipart;

/// What the user wants to send in one MESSAGE.
#[derive(Clone, Debug)]
pub struct PagerMessage {
    /// To whom, and from whom.
    pub envelope: Envelope,
    /// MIME type of the body.
    pub content_type: String,
    /// The body, sent as it is.
    pub body: Bytes,
    /// `Content-Disposition`, if any (UPL-03).
    pub disposition: Option<String>,
    /// Lifetime in seconds, if the sender limits it (RFC 3428 §4).
    pub expires: Option<u32>,
}

impl PagerMessage {
    /// Plain text to a user.
    #[must_use]
    pub fn text(to: Uri, text: impl Into<String>) -> Self {
        Self {
            envelope: Envelope::to(to),
            content_type: "text/plain;charset=utf-8".to_owned(),
            body: Bytes::from(text.into()),
            disposition: None,
            expires: None,
        }
    }

    /// The MESSAGE request without its Via. No Contact (COM-05); the identity is preferred, the
    /// core asserts it (COM-14).
    #[must_use]
    pub fn request(
        &self,
        account: &Account,
        host: &str,
        now: SipDate,
        rng: &mut StdRng,
    ) -> Request {
        let ids = RequestIds::new(host, rng);
        let mut builder = self.envelope.request(Method::Message, account, &ids, now);
        if let Some(seconds) = self.expires {
            builder = builder.header(Name::Expires, seconds);
        }
        let Some(recipients) = &self.envelope.recipients else {
            if let Some(disposition) = &self.disposition {
                builder = builder.header(Name::ContentDisposition, disposition);
            }
            return builder.body(&self.content_type, self.body.clone()).build();
        };
        let mut body = Multipart::new();
        let mut headers = vec![("Content-Type", self.content_type.as_str())];
        let disposition = self.disposition.as_deref();
        headers.extend(disposition.map(|value| ("Content-Disposition", value)));
        body.part(&headers, &self.body);
        recipients.add_to(&mut body);
        builder
            .header(Name::MimeVersion, "1.0")
            .body(&body.content_type(), body.finish())
            .build()
    }
}

#[cfg(test)]
mod tests {
    use rand::SeedableRng as _;

    use super::*;

    fn account() -> Account {
        Account {
            user: "sip:alice@example.org".parse().expect("a URI"),
            proxy: "sip:127.0.0.1:5060;transport=tcp".parse().expect("a URI"),
        }
    }

    fn to_bob(change: impl FnOnce(&mut PagerMessage)) -> Request {
        let bob = "sip:bob@example.org".parse().expect("a URI");
        let mut message = PagerMessage::text(bob, "Lunch?");
        change(&mut message);
        let mut rng = StdRng::seed_from_u64(1);
        message.request(
            &account(),
            "127.0.0.1",
            SipDate::from_unix_seconds(0),
            &mut rng,
        )
    }

    #[test]
    fn com_02_a_pager_message_has_no_contact_and_a_preferred_identity() {
        let request = to_bob(|_| {});
        let headers = request.headers();
        assert_eq!(request.raw_uri(), "sip:bob@example.org");
        assert!(headers.first(Name::Contact).is_none());
        let tag = headers.first_named("Accept-Contact").expect("present");
        assert_eq!(tag.value(), "*;+g.oma.sip-im");
        let identity = headers
            .first_named("P-Preferred-Identity")
            .expect("present");
        assert_eq!(identity.value(), "<sip:alice@example.org>");
        assert_eq!(request.body().as_ref(), b"Lunch?");
    }

    #[test]
    fn com_14_who_speaks_for_the_core_asserts_the_identity() {
        let request = to_bob(|message| message.envelope.asserted = true);
        let asserted = request.headers().first_named("P-Asserted-Identity");
        assert_eq!(
            asserted.expect("present").value(),
            "<sip:alice@example.org>"
        );
        let preferred = request.headers().first_named("P-Preferred-Identity");
        assert!(preferred.is_none());
    }

    #[test]
    fn com_06_an_anonymous_message_asks_for_privacy_and_names_nobody_in_from() {
        let request = to_bob(|message| message.envelope.anonymous = true);
        assert_eq!(request.headers().privacy(), ["id"]);
        let from = request.headers().first(Name::From).expect("present");
        assert!(from.value().contains("sip:anonymous@anonymous.invalid"));
    }
}
