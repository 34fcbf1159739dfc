//! From a refusal to what is on the wire: one match for the status, one for the headers
//! (requirements §1.20).

use std::time::Duration;

use sip::{Name, StatusCode};

use crate::refuse::Refusal;
use crate::signature::Signature;

/// When to try again if the store did not say: long enough for it to come back, short enough to be
/// worth waiting (PFM-05).
const RETRY_AFTER: Duration = Duration::from_secs(10);

/// When a mailbox that is full may have room again (requirements §3.6).
const RETRY_FULL: Duration = Duration::from_secs(3_600);

/// The status code of a refusal.
pub fn status(refusal: &Refusal) -> StatusCode {
    match refusal {
        Refusal::Violation(violation) => violation.status,
        Refusal::WildcardContact | Refusal::Unreadable(_) => StatusCode::BAD_REQUEST,
        Refusal::Unauthenticated(_) => StatusCode::UNAUTHORIZED,
        Refusal::PeerUntrusted
        | Refusal::NoAssertedIdentity
        | Refusal::NotOwner
        | Refusal::Forbidden(_)
        | Refusal::TooManyBindings => StatusCode::FORBIDDEN,
        Refusal::UnacceptedType(_) => StatusCode::NOT_ACCEPTABLE,
        Refusal::OriginatingCase | Refusal::UserUnknown => StatusCode::NOT_FOUND,
        Refusal::MethodNotAllowed => StatusCode::METHOD_NOT_ALLOWED,
        Refusal::BodyTooLarge => StatusCode::REQUEST_ENTITY_TOO_LARGE,
        Refusal::BodyType | Refusal::EventBody(_) => StatusCode::UNSUPPORTED_MEDIA_TYPE,
        Refusal::UnknownTag => StatusCode::CONDITIONAL_REQUEST_FAILED,
        Refusal::UriScheme => StatusCode::UNSUPPORTED_URI_SCHEME,
        Refusal::Extensions(_) => StatusCode::BAD_EXTENSION,
        Refusal::IntervalTooBrief(_) => StatusCode::INTERVAL_TOO_BRIEF,
        Refusal::TemporarilyUnavailable
        | Refusal::MailboxBusy
        | Refusal::MailboxFull(_)
        | Refusal::SenderRate(_)
        | Refusal::SenderLimit(_) => StatusCode::TEMPORARILY_UNAVAILABLE,
        Refusal::NoDialog => StatusCode::CALL_OR_TRANSACTION_DOES_NOT_EXIST,
        Refusal::OwnDelivery | Refusal::Merged => StatusCode::LOOP_DETECTED,
        Refusal::TooManyHops => StatusCode::TOO_MANY_HOPS,
        Refusal::NotAcceptable(_) => StatusCode::NOT_ACCEPTABLE_HERE,
        Refusal::SessionIntervalTooSmall(_) => StatusCode::SESSION_INTERVAL_TOO_SMALL,
        Refusal::Event => StatusCode::BAD_EVENT,
        Refusal::CriticalPrivacy | Refusal::OutOfOrder | Refusal::GroupsUnavailable => {
            StatusCode::SERVER_INTERNAL_ERROR
        }
        Refusal::MethodUnknown => StatusCode::NOT_IMPLEMENTED,
        Refusal::Unavailable(_) | Refusal::Overloaded => StatusCode::SERVICE_UNAVAILABLE,
    }
}

/// The headers that explain a refusal, besides those of every answer.
pub fn headers(refusal: &Refusal, signature: &Signature) -> Vec<(Name, String)> {
    let warning = |text: &str| vec![(Name::Warning, signature.warning(text))];
    match refusal {
        Refusal::MethodUnknown | Refusal::MethodNotAllowed => {
            vec![(Name::Allow, signature.profile().allow.to_owned())]
        }
        Refusal::Unauthenticated(challenges) => challenges
            .iter()
            .map(|challenge| (Name::WwwAuthenticate, challenge.clone()))
            .collect(),
        Refusal::Extensions(tags) => vec![(Name::Unsupported, tags.join(", "))],
        Refusal::OriginatingCase => warning("originating session case"),
        Refusal::UnacceptedType(made) => vec![(Name::Accept, (*made).to_owned())],
        Refusal::BodyType => vec![
            (Name::Accept, "application/sdp, multipart/mixed".to_owned()),
            (Name::AcceptEncoding, "identity".to_owned()),
        ],
        Refusal::EventBody(media_type) => vec![
            (Name::Accept, (*media_type).to_owned()),
            (Name::AcceptEncoding, "identity".to_owned()),
        ],
        Refusal::Event => signature.profile().allow_events().collect(),
        Refusal::NotAcceptable(why) | Refusal::Forbidden(why) | Refusal::Unreadable(why) => {
            warning(why)
        }
        Refusal::SessionIntervalTooSmall(shortest) => {
            vec![(Name::MinSe, shortest.as_secs().to_string())]
        }
        Refusal::CriticalPrivacy => warning("privacy service not available"),
        Refusal::MailboxFull(after) => retry_after(after.unwrap_or(RETRY_FULL)),
        Refusal::SenderRate(after) => [retry_after(*after), warning("sender rate")].concat(),
        Refusal::SenderLimit(after) => [
            retry_after(after.unwrap_or(RETRY_AFTER)),
            warning("sender limit"),
        ]
        .concat(),
        Refusal::Unavailable(after) => retry_after(after.unwrap_or(RETRY_AFTER)),
        Refusal::Overloaded | Refusal::MailboxBusy | Refusal::GroupsUnavailable => {
            retry_after(RETRY_AFTER)
        }
        Refusal::IntervalTooBrief(shortest) => {
            vec![(Name::MinExpires, shortest.as_secs().to_string())]
        }
        Refusal::Violation(_)
        | Refusal::UriScheme
        | Refusal::TooManyHops
        | Refusal::PeerUntrusted
        | Refusal::OwnDelivery
        | Refusal::Merged
        | Refusal::NoDialog
        | Refusal::NoAssertedIdentity
        | Refusal::NotOwner
        | Refusal::UnknownTag
        | Refusal::UserUnknown
        | Refusal::TemporarilyUnavailable
        | Refusal::BodyTooLarge
        | Refusal::WildcardContact
        | Refusal::OutOfOrder
        | Refusal::TooManyBindings => Vec::new(),
    }
}

/// Whole seconds, rounded up: too early a retry would meet the same refusal.
fn retry_after(after: Duration) -> Vec<(Name, String)> {
    let seconds = after.as_millis().div_ceil(1_000).max(1);
    vec![(Name::RetryAfter, seconds.to_string())]
}

#[cfg(test)]
mod tests {
    use sip::Violation;

    use super::*;
    use crate::site::fixture::df1;

    #[test]
    fn refusals_have_the_status_of_the_table() {
        let minute = Some(Duration::from_secs(60));
        let table = [
            (
                Refusal::Violation(Violation::bad_request("Missing CSeq")),
                400,
                "",
            ),
            (Refusal::MethodUnknown, 501, "Allow"),
            (Refusal::MethodNotAllowed, 405, "Allow"),
            (Refusal::UriScheme, 416, ""),
            (Refusal::TooManyHops, 483, ""),
            (Refusal::PeerUntrusted, 403, ""),
            (
                Refusal::Unauthenticated(vec!["Digest realm=\"h\"".into()]),
                401,
                "WWW-Authenticate: Digest",
            ),
            (Refusal::OwnDelivery, 482, ""),
            (Refusal::Merged, 482, ""),
            (Refusal::Extensions(vec!["x".into()]), 420, "Unsupported: x"),
            (Refusal::NoDialog, 481, ""),
            (Refusal::NoAssertedIdentity, 403, ""),
            (
                Refusal::OriginatingCase,
                404,
                "Warning: 399 df1.im.example.org \"originating session case\"",
            ),
            (Refusal::UserUnknown, 404, ""),
            (Refusal::BodyType, 415, "Accept: application/sdp"),
            (Refusal::EventBody("a/b"), 415, "Accept: a/b"),
            (Refusal::NotOwner, 403, ""),
            (Refusal::UnknownTag, 412, ""),
            (Refusal::Event, 489, ""),
            (
                Refusal::NotAcceptable("no path"),
                488,
                "Warning: 399 df1.im.example.org \"no path\"",
            ),
            (
                Refusal::SessionIntervalTooSmall(Duration::from_secs(90)),
                422,
                "Min-SE: 90",
            ),
            (Refusal::UnacceptedType("a/b"), 406, "Accept: a/b"),
            (Refusal::TemporarilyUnavailable, 480, ""),
            (Refusal::MailboxBusy, 480, "Retry-After: 10"),
            (Refusal::MailboxFull(None), 480, "Retry-After: 3600"),
            (Refusal::SenderLimit(minute), 480, "Retry-After: 60"),
            (Refusal::BodyTooLarge, 413, ""),
            (Refusal::CriticalPrivacy, 500, "Warning: 399"),
            (Refusal::Unavailable(None), 503, "Retry-After: 10"),
            (
                Refusal::Unavailable(Some(Duration::from_millis(1_001))),
                503,
                "Retry-After: 2",
            ),
            (Refusal::Overloaded, 503, "Retry-After: 10"),
            (Refusal::WildcardContact, 400, ""),
            (
                Refusal::IntervalTooBrief(Duration::from_secs(60)),
                423,
                "Min-Expires: 60",
            ),
            (Refusal::OutOfOrder, 500, ""),
            (Refusal::TooManyBindings, 403, ""),
        ];
        for (refusal, code, header) in table {
            on_the_wire(&refusal, code, header);
        }
    }

    #[test]
    fn err_18a_a_sender_who_is_too_fast_is_told_why_and_when() {
        let found = headers(
            &Refusal::SenderRate(Duration::from_millis(50)),
            &df1().signature,
        );
        let warning = "399 df1.im.example.org \"sender rate\"".to_owned();
        assert_eq!(
            found,
            [(Name::RetryAfter, "1".to_owned()), (Name::Warning, warning)]
        );
    }

    #[test]
    fn cfp_01_to_05_refusals_of_messages_to_many_say_why() {
        let warning = "Warning: 399 df1.im.example.org \"no\"";
        on_the_wire(&Refusal::Forbidden("no"), 403, warning);
        on_the_wire(&Refusal::Unreadable("no"), 400, warning);
        on_the_wire(&Refusal::GroupsUnavailable, 500, "Retry-After: 10");
    }

    /// Its status, and how its first header begins.
    fn on_the_wire(refusal: &Refusal, code: u16, header: &str) {
        let headers = headers(refusal, &df1().signature);
        let first = headers
            .first()
            .map(|(name, value)| format!("{name}: {value}"));
        assert_eq!(status(refusal).code(), code, "{refusal:?}");
        assert!(
            first.unwrap_or_default().starts_with(header),
            "{refusal:?}: {headers:?}"
        );
    }

    #[test]
    fn what_one_user_causes_is_never_503() {
        for refusal in [
            Refusal::MailboxBusy,
            Refusal::MailboxFull(None),
            Refusal::SenderRate(Duration::ZERO),
            Refusal::SenderLimit(None),
            Refusal::TemporarilyUnavailable,
            Refusal::TooManyBindings,
        ] {
            assert_ne!(
                status(&refusal),
                StatusCode::SERVICE_UNAVAILABLE,
                "{refusal:?}"
            );
        }
    }
}
