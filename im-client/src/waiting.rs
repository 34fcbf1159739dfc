//! Composing SUBSCRIBE requests for the waiting indication, and reading what is notified (RFC 3842).

use rand::rngs::StdRng;
use sip::message_summary::{MEDIA_TYPE, MessageSummary};
use sip::subscription::SubscriptionState;
use sip::{Method, Name, Request, RequestBuilder, token};

use crate::{Account, IM_FEATURE_TAG, RELEASE};

/// One subscription: the dialog-forming request.
#[derive(Clone, Debug)]
pub struct WaitingSubscription {
    call_id: String,
    from_tag: String,
}

impl WaitingSubscription {
    /// A subscription that has not been sent yet.
    #[must_use]
    pub fn new(host: &str, rng: &mut StdRng) -> Self {
        Self {
            call_id: token::call_id(rng, host),
            from_tag: token::tag(rng),
        }
    }

    /// Its Call-ID, by which its NOTIFYs are known.
    #[must_use]
    pub fn call_id(&self) -> &str {
        &self.call_id
    }

    /// The first SUBSCRIBE without its Via; zero `expires` (seconds) only fetches.
    #[must_use]
    pub fn request(
        &self,
        account: &Account,
        contact: &str,
        is_asserted: bool,
        expires: u32,
    ) -> Request {
        let user = &account.user;
        let builder = RequestBuilder::new(Method::Subscribe, user)
            .header(Name::MaxForwards, 70)
            .header(Name::From, format_args!("<{user}>;tag={}", self.from_tag))
            .header(Name::To, format_args!("<{user}>"))
            .header(Name::CallId, &self.call_id)
            .header(Name::CSeq, "1 SUBSCRIBE");
        subscribes(builder, account, contact, is_asserted, expires)
    }
}

/// What every SUBSCRIBE of the subscription says.
pub(crate) fn subscribes(
    builder: RequestBuilder,
    account: &Account,
    contact: &str,
    is_asserted: bool,
    expires: u32,
) -> Request {
    let identity = if is_asserted {
        Name::PAssertedIdentity
    } else {
        Name::PPreferredIdentity
    };
    builder
        .header(Name::Contact, format_args!("<{contact}>;{IM_FEATURE_TAG}"))
        .header(Name::Event, "message-summary")
        .header(Name::Accept, MEDIA_TYPE)
        .header(Name::Expires, expires)
        .header(identity, format_args!("<{}>", account.user))
        .header(Name::UserAgent, RELEASE)
        .build()
}

/// What a NOTIFY told.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct WaitingNotice {
    /// Whether more will come.
    pub state: SubscriptionState,
    /// What waits.
    pub summary: MessageSummary,
}

impl WaitingNotice {
    /// Reads a NOTIFY; `None` for one that is not of this package.
    #[must_use]
    pub fn read(notify: &Request) -> Option<Self> {
        let state = notify.headers().first(Name::SubscriptionState)?;
        let text = std::str::from_utf8(notify.body()).ok()?;
        Some(Self {
            state: state.value().parse().ok()?,
            summary: text.parse().ok()?,
        })
    }
}

#[cfg(test)]
mod tests {
    use rand::SeedableRng as _;

    use super::*;

    #[test]
    fn a_subscribe_names_package_and_document() {
        let account = Account {
            user: "sip:bob@example.org".parse().expect("a URI"),
            proxy: "sip:127.0.0.1:5060".parse().expect("a URI"),
        };
        let subscription = WaitingSubscription::new("h", &mut StdRng::seed_from_u64(1));
        let request = subscription.request(&account, "sip:bob@127.0.0.1:7000", false, 3_600);
        let event = request.headers().event().expect("valid").expect("present");
        assert_eq!(event.package, "message-summary");
        assert_eq!(request.headers().expires(), Ok(Some(3_600)));
        assert_eq!(request.raw_uri(), "sip:bob@example.org");
    }
}
