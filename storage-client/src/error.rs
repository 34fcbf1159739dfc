//! Why the storage service did not answer.

use std::error::Error;
use std::time::Duration;

/// What a sender is told to wait when the storage service said nothing else.
pub(crate) const DEFAULT_RETRY_AFTER: Duration = Duration::from_secs(5);

/// The cause at the bottom, such as `Connection refused`: the layers above it only repeat it.
#[must_use]
pub fn innermost(error: &dyn Error) -> String {
    let mut cause = error;
    while let Some(source) = cause.source() {
        cause = source;
    }
    cause.to_string()
}

/// What a call met: the cause on our side, or what the service says.
pub(crate) fn cause(status: &tonic::Status) -> String {
    match status.source() {
        Some(source) => innermost(source),
        None => status.message().to_owned(),
    }
}

/// The storage service cannot be reached, is too slow or takes nothing now. For a deposit: it is
/// not stored and will not be stored later (PFM-05).
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("storage is unavailable: {reason}")]
pub struct Unavailable {
    /// For the log.
    pub reason: String,
    /// When to try again; goes into Retry-After.
    pub retry_after: Duration,
}

impl Unavailable {
    pub(crate) fn new(reason: impl Into<String>) -> Self {
        Self {
            reason: reason.into(),
            retry_after: DEFAULT_RETRY_AFTER,
        }
    }

    /// From the failure of a call; a deadline of ours comes back as `Cancelled` or
    /// `DeadlineExceeded`, so the code decides nothing here.
    pub(crate) fn from_status(status: &tonic::Status) -> Self {
        let retry_after = tonic_types::StatusExt::get_details_retry_info(status)
            .and_then(|info| info.retry_delay)
            .unwrap_or(DEFAULT_RETRY_AFTER);
        Self {
            reason: format!("{:?}: {}", status.code(), status.message()),
            retry_after,
        }
    }
}

/// Why a registration was not committed; nothing changed.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum RegisterError {
    /// Same Call-ID, CSeq not greater (RFC 3261 §10.3): 500.
    #[error("older than a binding it would change")]
    OutOfOrder,
    /// More than ten bindings (REG-03): 403.
    #[error("too many bindings")]
    TooManyBindings,
    /// No such account: 404.
    #[error("unknown user")]
    UnknownUser,
    /// The storage service did not answer; it may have committed the registration.
    #[error(transparent)]
    Unavailable(#[from] Unavailable),
}

impl RegisterError {
    /// By code, and by the reason in `ErrorInfo` where the code is not enough.
    pub(crate) fn from_status(status: &tonic::Status) -> Self {
        let info = tonic_types::StatusExt::get_details_error_info(status);
        let reason = info.as_ref().map_or("", |info| info.reason.as_str());
        match (status.code(), reason) {
            (tonic::Code::NotFound, _) => Self::UnknownUser,
            (tonic::Code::FailedPrecondition, "OUT_OF_ORDER") => Self::OutOfOrder,
            (tonic::Code::FailedPrecondition, "TOO_MANY_BINDINGS") => Self::TooManyBindings,
            _ => Self::Unavailable(Unavailable::from_status(status)),
        }
    }
}

/// Why a subscription was not committed; nothing changed.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum SubscribeError {
    /// CSeq not greater than that of the last SUBSCRIBE (RFC 3261 §12.2.2): 500.
    #[error("older than the last SUBSCRIBE")]
    OutOfOrder,
    /// More than one mailbox may have: 480.
    #[error("too many subscriptions")]
    TooMany,
    /// No such account: 404.
    #[error("unknown user")]
    UnknownUser,
    /// The mailbox is another's: 403.
    #[error("not the owner")]
    NotOwner,
    /// A refresh of nothing: 481.
    #[error("no such subscription")]
    NoSubscription,
    /// The storage service did not answer; it may have committed the subscription.
    #[error(transparent)]
    Unavailable(#[from] Unavailable),
}

impl SubscribeError {
    /// By the reason in `ErrorInfo`.
    pub(crate) fn from_status(status: &tonic::Status) -> Self {
        let info = tonic_types::StatusExt::get_details_error_info(status);
        match info.as_ref().map_or("", |info| info.reason.as_str()) {
            "OUT_OF_ORDER" => Self::OutOfOrder,
            "TOO_MANY_SUBSCRIPTIONS" => Self::TooMany,
            "UNKNOWN_USER" => Self::UnknownUser,
            "NO_SUBSCRIPTION" => Self::NoSubscription,
            "NOT_OWNER" => Self::NotOwner,
            _ => Self::Unavailable(Unavailable::from_status(status)),
        }
    }
}

/// Why a served user did not get at his messages; nothing changed.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum DeferredError {
    /// Alike for unknown, gone and somebody else's: 404.
    #[error("no such message")]
    NotFound,
    /// The mailbox has changed since the reader has seen it: 412.
    #[error("the mailbox has changed")]
    Stale,
    /// The mailbox is being delivered: 480.
    #[error("the mailbox is being delivered")]
    Busy,
    /// The storage service did not answer.
    #[error(transparent)]
    Unavailable(#[from] Unavailable),
}

impl DeferredError {
    pub(crate) fn from_status(status: &tonic::Status) -> Self {
        match status.code() {
            tonic::Code::NotFound => Self::NotFound,
            tonic::Code::FailedPrecondition => Self::Stale,
            tonic::Code::Aborted => Self::Busy,
            _ => Self::Unavailable(Unavailable::from_status(status)),
        }
    }
}

/// Why a group was not changed.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum GroupError {
    /// There is no such group: 404.
    #[error("no such group")]
    Unknown,
    /// It belongs to somebody else: 403.
    #[error("not the owner's own group")]
    NotOwner,
    /// The document is about another group, or the group has another document: 409.
    #[error("the group has another document")]
    OtherDocument,
    /// It has another version than expected: 412.
    #[error("the group has another version")]
    Stale,
    /// It makes no sense, has too many members, or its owner too many groups: 409.
    #[error("not a group: {0}")]
    Invalid(String),
    /// The storage service did not answer; it may have changed the group.
    #[error(transparent)]
    Unavailable(#[from] Unavailable),
}

impl GroupError {
    pub(crate) fn from_status(status: &tonic::Status) -> Self {
        match status.code() {
            tonic::Code::NotFound => Self::Unknown,
            tonic::Code::PermissionDenied => Self::NotOwner,
            tonic::Code::AlreadyExists => Self::OtherDocument,
            tonic::Code::Aborted => Self::Stale,
            tonic::Code::InvalidArgument | tonic::Code::FailedPrecondition => {
                Self::Invalid(status.message().to_owned())
            }
            _ => Self::Unavailable(Unavailable::from_status(status)),
        }
    }
}

/// Why a PUBLISH was not committed; nothing changed.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum PublishError {
    /// No such account: 404.
    #[error("unknown user")]
    UnknownUser,
    /// The publisher is somebody else (SET-02): 403.
    #[error("not the publisher's own settings")]
    NotOwner,
    /// No live publication with this tag: 412.
    #[error("no such publication")]
    UnknownTag,
    /// The storage service did not answer; it may have committed the publication.
    #[error(transparent)]
    Unavailable(#[from] Unavailable),
}

impl PublishError {
    pub(crate) fn from_status(status: &tonic::Status) -> Self {
        match status.code() {
            tonic::Code::NotFound => Self::UnknownUser,
            tonic::Code::PermissionDenied => Self::NotOwner,
            tonic::Code::FailedPrecondition => Self::UnknownTag,
            _ => Self::Unavailable(Unavailable::from_status(status)),
        }
    }
}

#[cfg(test)]
mod tests {
    use tonic::{Code, Status};
    use tonic_types::{ErrorDetails, StatusExt};

    use super::*;

    #[test]
    fn retry_info_of_the_service_is_honoured() {
        let wait = Duration::from_secs(17);
        let details = ErrorDetails::with_retry_info(Some(wait));
        let status = Status::with_error_details(Code::Unavailable, "draining", details);
        assert_eq!(Unavailable::from_status(&status).retry_after, wait);
    }

    #[test]
    fn refused_publications_are_told_apart_by_their_code() {
        let of = |code| PublishError::from_status(&Status::new(code, "no"));
        assert_eq!(of(Code::NotFound), PublishError::UnknownUser);
        assert_eq!(of(Code::PermissionDenied), PublishError::NotOwner);
        assert_eq!(of(Code::FailedPrecondition), PublishError::UnknownTag);
        assert!(matches!(
            of(Code::Unavailable),
            PublishError::Unavailable(_)
        ));
    }

    #[test]
    fn refused_registrations_are_told_apart_by_their_reason() {
        let refused = |reason: &str| {
            let details = ErrorDetails::with_error_info(reason, "restante", []);
            Status::with_error_details(Code::FailedPrecondition, "no", details)
        };
        let out_of_order = RegisterError::from_status(&refused("OUT_OF_ORDER"));
        assert_eq!(out_of_order, RegisterError::OutOfOrder);
        let too_many = RegisterError::from_status(&refused("TOO_MANY_BINDINGS"));
        assert_eq!(too_many, RegisterError::TooManyBindings);
        let other = RegisterError::from_status(&refused("SOMETHING_NEW"));
        assert!(matches!(other, RegisterError::Unavailable(_)));
    }
}
