//! Why a request is refused: the rows of requirements §1.20 as values.
//!
//! What each means on the wire is in [`crate::status`].

use std::time::Duration;

use sip::{HeaderError, Violation};

/// Why a request got no service. Nothing is stored with any of them.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Refusal {
    /// Malformed, of another version, or for a scheme we cannot serve (ERR-01, ERR-02, ERR-04).
    Violation(Violation),
    /// A method nobody here knows (ERR-03).
    MethodUnknown,
    /// A known method that is not served (ERR-03).
    MethodNotAllowed,
    /// The Request-URI has a scheme, or is an `im:` URI of a domain, that is not ours (ERR-04).
    UriScheme,
    /// No hops left and not for us (ERR-05).
    TooManyHops,
    /// The peer is not trusted, or may not register here (ERR-09, REG-01).
    PeerUntrusted,
    /// The sender has not proven who he is; with the challenges by which he may (REG-02).
    Unauthenticated(Vec<String>),
    /// Our own delivery came back (ERR-06, DLV-16).
    OwnDelivery,
    /// The request came before by another path (ERR-06).
    Merged,
    /// Extensions in Require that we do not have (ERR-07).
    Extensions(Vec<String>),
    /// In a dialog we do not have (ERR-08).
    NoDialog,
    /// A trusted peer vouches for nobody (ERR-09a).
    NoAssertedIdentity,
    /// The originating session case (OPG-03).
    OriginatingCase,
    /// Nobody of ours, by domain or by the store's word (ERR-11).
    UserUnknown,
    /// An INVITE whose body is no session description, or an encoded one (ERR-12).
    BodyType,
    /// A PUBLISH whose body is not of this type (ERR-12).
    EventBody(&'static str),
    /// No event package of ours (ERR-13).
    Event,
    /// The offer describes no session that we take, or is too large; with the text of the Warning (ERR-17).
    NotAcceptable(&'static str),
    /// The session interval is shorter than this (ERR-16).
    SessionIntervalTooSmall(Duration),
    /// The subscriber does not take documents of this type (RFC 6665 §4.2.1.1).
    UnacceptedType(&'static str),
    /// Somebody else's mailbox (MWI-07).
    NotOwner,
    /// The sender may not do this; with the text of the Warning (CFP-01, CFP-03, CFP-04, CFP-17, CFP-21).
    Forbidden(&'static str),
    /// The body does not say what it has to; with the text of the Warning (CFP-02, CFP-17).
    Unreadable(&'static str),
    /// Who belongs to a group cannot be found out now (CFP-05).
    GroupsUnavailable,
    /// No lifetime left on arrival, or barred by the user (ERR-18).
    TemporarilyUnavailable,
    /// The user's mailbox is being delivered, and nothing can be fetched from it meanwhile.
    MailboxBusy,
    /// The user's mailbox is full (ERR-18).
    MailboxFull(Option<Duration>),
    /// The sender sends too fast; when he may again (ERR-18a).
    SenderRate(Duration),
    /// The sender has too much stored (ERR-18a).
    SenderLimit(Option<Duration>),
    /// The body is larger than a MESSAGE may have (ERR-19).
    BodyTooLarge,
    /// `Privacy: critical` with a service that cannot be given (3.7).
    CriticalPrivacy,
    /// The store did not take it, or not in time (ERR-21).
    Unavailable(Option<Duration>),
    /// This edge is full or draining (ERR-21).
    Overloaded,
    /// `Contact: *` with something else than Expires 0 (REG-03).
    WildcardContact,
    /// Lifetime below the shortest granted (REG-03).
    IntervalTooBrief(Duration),
    /// An older REGISTER than one already taken (REG-03).
    OutOfOrder,
    /// A PUBLISH for a publication that is not there (ERR-15).
    UnknownTag,
    /// More bindings than an account may have (REG-03).
    TooManyBindings,
}

impl From<Violation> for Refusal {
    fn from(violation: Violation) -> Self {
        Self::Violation(violation)
    }
}

impl From<HeaderError> for Refusal {
    fn from(error: HeaderError) -> Self {
        Self::Violation(error.into())
    }
}

impl Refusal {
    /// The `reason` label of `restante_messages_rejected_total`.
    pub fn label(&self) -> &'static str {
        match self {
            Self::Violation(_)
            | Self::MethodUnknown
            | Self::MethodNotAllowed
            | Self::UriScheme
            | Self::Extensions(_)
            | Self::NoDialog
            | Self::BodyType
            | Self::Event
            | Self::UnacceptedType(_)
            | Self::EventBody(_)
            | Self::UnknownTag
            | Self::Unreadable(_)
            | Self::WildcardContact
            | Self::IntervalTooBrief(_)
            | Self::SessionIntervalTooSmall(_)
            | Self::OutOfOrder => "protocol",
            Self::TooManyHops | Self::OwnDelivery | Self::Merged => "loop",
            Self::PeerUntrusted
            | Self::Unauthenticated(_)
            | Self::NoAssertedIdentity
            | Self::NotOwner => "untrusted",
            Self::OriginatingCase | Self::UserUnknown => "unknown_user",
            Self::NotAcceptable(_) | Self::CriticalPrivacy => "unsupported",
            Self::TemporarilyUnavailable | Self::MailboxBusy | Self::Forbidden(_) => "policy",
            Self::MailboxFull(_)
            | Self::SenderRate(_)
            | Self::SenderLimit(_)
            | Self::TooManyBindings => "quota",
            Self::BodyTooLarge => "size",
            Self::Unavailable(_) | Self::GroupsUnavailable => "store_error",
            Self::Overloaded => "overload",
        }
    }
}
