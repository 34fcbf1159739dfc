//! Typed views of the headers this implementation acts on. A value is parsed each time it is asked for; an absent
//! header is `None` or an empty list, a malformed one a [`HeaderError`].

use std::{borrow::Cow, str::FromStr};

use super::Headers;
use crate::{
    CSeq, Contacts, EventHeader, HeaderError, MediaType, Method, Name, NameAddr, Priority,
    ServedUserHeader, SessionExpires, SipDate, Via, header::BadValue, text::parse_number,
};

type Single<T> = Result<Option<T>, HeaderError>;
type List<T> = Result<Vec<T>, HeaderError>;

impl Headers {
    /// The hop the response goes to.
    pub fn top_via(&self) -> Single<Via> {
        self.values(Name::Via)
            .next()
            .map(|value| parsed(Name::Via, value.parse()))
            .transpose()
    }

    /// All hops, the last one first.
    pub fn vias(&self) -> List<Via> {
        self.list(Name::Via)
    }

    /// The sender as the sender says; not to be trusted as an identity.
    pub fn from(&self) -> Single<NameAddr> {
        self.single(Name::From, NameAddr::from_str)
    }

    /// The addressee as the sender named it.
    pub fn to(&self) -> Single<NameAddr> {
        self.single(Name::To, NameAddr::from_str)
    }

    /// The Call-ID as written; compared with letter case (RFC 3261 §20.8).
    pub fn call_id(&self) -> Option<Cow<'_, str>> {
        self.text(Name::CallId)
    }

    /// Sequence number and method.
    pub fn cseq(&self) -> Single<CSeq> {
        self.single(Name::CSeq, CSeq::parse)
    }

    /// Hops left, 0 to 255.
    pub fn max_forwards(&self) -> Single<u8> {
        self.single(Name::MaxForwards, number)
    }

    /// The addresses the peer can be reached at, or the wildcard of a REGISTER.
    pub fn contacts(&self) -> Result<Contacts, HeaderError> {
        if self.values(Name::Contact).eq(["*"]) {
            return Ok(Contacts::Wildcard);
        }
        self.list(Name::Contact).map(Contacts::List)
    }

    /// The hops the request still has to visit.
    pub fn routes(&self) -> List<NameAddr> {
        self.list(Name::Route)
    }

    /// The hops that want to stay in the dialog, in the order of the message.
    pub fn record_routes(&self) -> List<NameAddr> {
        self.list(Name::RecordRoute)
    }

    /// Lifetime in seconds.
    pub fn expires(&self) -> Single<u32> {
        self.single(Name::Expires, number)
    }

    /// Octets of the body as the sender says.
    pub fn content_length(&self) -> Single<usize> {
        self.single(Name::ContentLength, number)
    }

    /// Type of the body.
    pub fn content_type(&self) -> Single<MediaType> {
        self.single(Name::ContentType, MediaType::from_str)
    }

    /// The methods the peer takes.
    pub fn allow(&self) -> List<Method> {
        let parse = |value: Cow<'_, str>| value.parse().map_err(|_| BadValue::Syntax);
        self.values(Name::Allow)
            .map(|value| parsed(Name::Allow, parse(value)))
            .collect()
    }

    /// Option tags of extensions the peer can do.
    pub fn supported(&self) -> Vec<String> {
        self.tokens(Name::Supported)
    }

    /// Option tags of extensions the peer insists on (ERR-07).
    pub fn require(&self) -> Vec<String> {
        self.tokens(Name::Require)
    }

    /// Identities a trusted peer vouches for (RFC 3325 §9.1).
    pub fn asserted_identities(&self) -> List<NameAddr> {
        self.list(Name::PAssertedIdentity)
    }

    /// Identities a user agent would like to have asserted (RFC 3325 §9.2).
    pub fn preferred_identities(&self) -> List<NameAddr> {
        self.list(Name::PPreferredIdentity)
    }

    /// The implicitly registered set (RFC 7315 §4.1).
    pub fn associated_uris(&self) -> List<NameAddr> {
        self.list(Name::PAssociatedUri)
    }

    /// Whose service is to run (RFC 5502 §5).
    pub fn served_user(&self) -> Single<ServedUserHeader> {
        self.single(Name::PServedUser, ServedUserHeader::parse)
    }

    /// Whom a request was for before its Request-URI was replaced (RFC 7315 §4.2).
    pub fn called_party(&self) -> Single<NameAddr> {
        self.single(Name::PCalledPartyId, str::parse)
    }

    /// Privacy values in lower case, separated by semicolons (RFC 3323 §4.2) or, as some senders do, by commas.
    pub fn privacy(&self) -> Vec<String> {
        let fields = self
            .all(Name::Privacy)
            .map(|field| field.value().to_ascii_lowercase());
        let split = |text: String| {
            text.split([';', ','])
                .map(|value| value.trim().to_owned())
                .collect::<Vec<_>>()
        };
        fields
            .flat_map(split)
            .filter(|value| !value.is_empty())
            .collect()
    }

    /// When the request was first sent; `None` also for a date in another zone than GMT, which is to be ignored
    /// (requirements 2.13).
    pub fn date(&self) -> Option<SipDate> {
        self.text(Name::Date)?.parse().ok()
    }

    /// Smallest session interval in seconds (RFC 4028 §5).
    pub fn min_se(&self) -> Single<u32> {
        self.single(Name::MinSe, leading_number)
    }

    /// Session interval and refresher (RFC 4028 §4).
    pub fn session_expires(&self) -> Single<SessionExpires> {
        self.single(Name::SessionExpires, SessionExpires::parse)
    }

    /// Seconds until another try is welcome, without the comment and parameters (RFC 3261 §20.33).
    pub fn retry_after(&self) -> Single<u32> {
        self.single(Name::RetryAfter, leading_number)
    }

    /// Smallest lifetime in seconds the peer takes (RFC 3261 §20.23).
    pub fn min_expires(&self) -> Single<u32> {
        self.single(Name::MinExpires, number)
    }

    /// Event package (RFC 6665 §8.2.1).
    pub fn event(&self) -> Single<EventHeader> {
        self.single(Name::Event, EventHeader::parse)
    }

    /// Software of the UAC.
    pub fn user_agent(&self) -> Option<String> {
        self.text(Name::UserAgent).map(Cow::into_owned)
    }

    /// Topic of the request; `None` if absent.
    pub fn subject(&self) -> Option<String> {
        self.text(Name::Subject).map(Cow::into_owned)
    }

    /// Urgency; `None` if absent.
    pub fn priority(&self) -> Option<Priority> {
        self.text(Name::Priority)
            .map(|token| Priority::from_token(&token))
    }

    fn text(&self, name: Name) -> Option<Cow<'_, str>> {
        self.first(name).map(|field| field.value())
    }

    fn tokens(&self, name: Name) -> Vec<String> {
        self.values(name).map(Cow::into_owned).collect()
    }

    fn single<T>(&self, name: Name, parse: impl FnOnce(&str) -> Result<T, BadValue>) -> Single<T> {
        self.text(name)
            .map(|value| parsed(name, parse(&value)))
            .transpose()
    }

    fn list<T: FromStr<Err = BadValue>>(&self, name: Name) -> List<T> {
        self.values(name)
            .map(|value| parsed(name, value.parse()))
            .collect()
    }
}

fn parsed<T>(name: Name, value: Result<T, BadValue>) -> Result<T, HeaderError> {
    value.map_err(|reason| HeaderError { name, reason })
}

fn number<N: FromStr>(value: &str) -> Result<N, BadValue> {
    parse_number(value).ok_or(BadValue::Number)
}

/// A number that parameters or a comment may follow.
fn leading_number(value: &str) -> Result<u32, BadValue> {
    let end = value
        .find(|letter: char| !letter.is_ascii_digit())
        .unwrap_or(value.len());
    let (digits, rest) = value.split_at(end);
    if !matches!(rest.trim_start().chars().next(), None | Some(';' | '(')) {
        return Err(BadValue::Syntax);
    }
    number(digits)
}
