//! Composing pager messages (requirements §1.2).

use bytes::Bytes;
use rand::rngs::StdRng;
use sip::{Method, Name, Request, RequestBuilder, SipDate, Uri, token};

use crate::{Account, IM_FEATURE_TAG, RELEASE};

/// What the user wants to send.
#[derive(Clone, Debug)]
pub struct PagerMessage {
    /// The recipient.
    pub to: Uri,
    /// MIME type of the body.
    pub content_type: String,
    /// The body, sent as it is.
    pub body: Bytes,
    /// `Subject`, if any.
    pub subject: Option<String>,
    /// Lifetime in seconds, if the sender limits it (RFC 3428 §4).
    pub expires: Option<u32>,
    /// Hide the sender from the recipient (COM-06).
    pub anonymous: bool,
    /// Assert the sender's identity, as a trusted core does, instead of preferring it.
    pub asserted: bool,
}

impl PagerMessage {
    /// Plain text to a user.
    #[must_use]
    pub fn text(to: Uri, text: impl Into<String>) -> Self {
        Self {
            to,
            content_type: "text/plain;charset=utf-8".to_owned(),
            body: Bytes::from(text.into()),
            subject: None,
            expires: None,
            anonymous: false,
            asserted: false,
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
        let identity = if self.asserted {
            "P-Asserted-Identity"
        } else {
            "P-Preferred-Identity"
        };
        let mut builder = RequestBuilder::new(Method::Message, &self.to)
            .header(Name::MaxForwards, 70)
            .header(
                Name::From,
                format_args!("{};tag={}", self.from(account), token::tag(rng)),
            )
            .header(Name::To, format_args!("<{}>", self.to))
            .header(Name::CallId, token::call_id(rng, host))
            .header(Name::CSeq, "1 MESSAGE")
            .header(Name::Date, now)
            .raw_header("Accept-Contact", format_args!("*;{IM_FEATURE_TAG}"))
            .raw_header(identity, format_args!("<{}>", account.user))
            .header(Name::UserAgent, RELEASE);
        if self.anonymous {
            builder = builder.raw_header("Privacy", "id");
        }
        if let Some(subject) = &self.subject {
            builder = builder.header(Name::Subject, subject);
        }
        if let Some(seconds) = self.expires {
            builder = builder.header(Name::Expires, seconds);
        }
        builder.body(&self.content_type, self.body.clone()).build()
    }

    fn from(&self, account: &Account) -> String {
        if self.anonymous {
            "\"Anonymous\" <sip:anonymous@anonymous.invalid>".to_owned()
        } else {
            format!("<{}>", account.user)
        }
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

    fn composed(message: &PagerMessage) -> Request {
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
        let bob = "sip:bob@example.org".parse().expect("a URI");
        let request = composed(&PagerMessage::text(bob, "Lunch?"));
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
        let bob = "sip:bob@example.org".parse().expect("a URI");
        let message = PagerMessage {
            asserted: true,
            ..PagerMessage::text(bob, "Lunch?")
        };
        let request = composed(&message);
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
        let bob = "sip:bob@example.org".parse().expect("a URI");
        let message = PagerMessage {
            anonymous: true,
            ..PagerMessage::text(bob, "psst")
        };
        let request = composed(&message);
        assert_eq!(request.headers().privacy(), ["id"]);
        let from = request.headers().first(Name::From).expect("present");
        assert!(from.value().contains("sip:anonymous@anonymous.invalid"));
    }
}
