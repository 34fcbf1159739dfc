//! What the store could not do, as gRPC statuses with details.

use std::time::Duration;

use storage::StoreError;
use storage::model::{GroupRefusal, PublishRefusal, RegistrationRefusal, SubscriptionRefusal};
use tls::CertificateNames;
use tonic::{Code, Status};
use tonic_types::{ErrorDetails, StatusExt};

use crate::access::Role;

/// Domain of the reasons in `google.rpc.ErrorInfo`.
const DOMAIN: &str = "restante";

/// When to try again what the node as a whole could not do.
pub(crate) const RETRY_AFTER: Duration = Duration::from_secs(5);

/// The status of a failed store operation.
pub(crate) fn of_store(error: &StoreError) -> Status {
    let (code, reason) = match error {
        StoreError::Latched { .. } => (Code::Unavailable, "STORE_LATCHED"),
        StoreError::Overloaded => (Code::Unavailable, "OVERLOADED"),
        StoreError::Closed => (Code::Unavailable, "CLOSING"),
        StoreError::NotFound => (Code::NotFound, "NOT_FOUND"),
        StoreError::UnknownUpload => (Code::NotFound, "UNKNOWN_UPLOAD"),
        StoreError::UploadTooLarge => (Code::OutOfRange, "TOO_LARGE"),
        StoreError::UploadTooScattered => (Code::ResourceExhausted, "TOO_SCATTERED"),
        StoreError::UploadIncomplete => (Code::InvalidArgument, "INCOMPLETE"),
        StoreError::OtherUpload => (Code::InvalidArgument, "OTHER_UPLOAD"),
        StoreError::UnknownAccount => (Code::NotFound, "UNKNOWN_ACCOUNT"),
        StoreError::AddressTaken => (Code::AlreadyExists, "ADDRESS_TAKEN"),
        StoreError::Precondition { .. } => (Code::FailedPrecondition, "WRONG_STATE"),
        StoreError::Aborted => (Code::Cancelled, "ABORTED"),
        StoreError::Read { .. } => (Code::Unavailable, "READ_FAILED"),
        StoreError::Corrupt { .. } => (Code::DataLoss, "CORRUPT"),
        // The enum may grow in its own crate; what is new there is a bug here until it has a line.
        _ => (Code::Internal, "UNKNOWN"),
    };
    with_reason(code, reason, error.to_string())
}

/// The name of a code as the contract of gRPC writes it.
pub(crate) fn name(code: Code) -> &'static str {
    match code {
        Code::Ok => "OK",
        Code::Cancelled => "CANCELLED",
        Code::Unknown => "UNKNOWN",
        Code::InvalidArgument => "INVALID_ARGUMENT",
        Code::DeadlineExceeded => "DEADLINE_EXCEEDED",
        Code::NotFound => "NOT_FOUND",
        Code::AlreadyExists => "ALREADY_EXISTS",
        Code::PermissionDenied => "PERMISSION_DENIED",
        Code::ResourceExhausted => "RESOURCE_EXHAUSTED",
        Code::FailedPrecondition => "FAILED_PRECONDITION",
        Code::Aborted => "ABORTED",
        Code::OutOfRange => "OUT_OF_RANGE",
        Code::Unimplemented => "UNIMPLEMENTED",
        Code::Internal => "INTERNAL",
        Code::Unavailable => "UNAVAILABLE",
        Code::DataLoss => "DATA_LOSS",
        Code::Unauthenticated => "UNAUTHENTICATED",
    }
}

/// The status of a refused registration.
pub(crate) fn of_registration(refusal: &RegistrationRefusal) -> Status {
    let (code, reason) = match refusal {
        RegistrationRefusal::OutOfOrder => (Code::FailedPrecondition, "OUT_OF_ORDER"),
        RegistrationRefusal::TooManyBindings => (Code::FailedPrecondition, "TOO_MANY_BINDINGS"),
        RegistrationRefusal::UnknownUser => (Code::NotFound, "UNKNOWN_USER"),
    };
    with_reason(code, reason, refusal.to_string())
}

/// The status of a refused PUBLISH.
pub(crate) fn of_publish(refusal: &PublishRefusal) -> Status {
    let (code, reason) = match refusal {
        PublishRefusal::UnknownUser => (Code::NotFound, "UNKNOWN_USER"),
        PublishRefusal::NotOwner => (Code::PermissionDenied, "NOT_OWNER"),
        PublishRefusal::UnknownTag => (Code::FailedPrecondition, "UNKNOWN_TAG"),
    };
    with_reason(code, reason, refusal.to_string())
}

/// The status of a refused change of a group.
pub(crate) fn of_group(refusal: GroupRefusal) -> Status {
    let (code, reason) = match refusal {
        GroupRefusal::Exists => (Code::AlreadyExists, "GROUP_EXISTS"),
        GroupRefusal::Unknown => (Code::NotFound, "UNKNOWN_GROUP"),
        GroupRefusal::OtherDocument => (Code::AlreadyExists, "OTHER_DOCUMENT"),
        GroupRefusal::Stale => (Code::Aborted, "OTHER_VERSION"),
        GroupRefusal::NotOwner => (Code::PermissionDenied, "NOT_OWNER"),
        GroupRefusal::TooManyMembers => (Code::InvalidArgument, "TOO_MANY_MEMBERS"),
        GroupRefusal::TooManyGroups => (Code::FailedPrecondition, "TOO_MANY_GROUPS"),
    };
    with_reason(code, reason, refusal.to_string())
}

/// The refusal of what only the holder of a claim may do.
pub(crate) fn superseded() -> Status {
    let message = "the claim is superseded or does not cover the message";
    with_reason(Code::FailedPrecondition, "SUPERSEDED", message)
}

/// The status of a refused subscription.
pub(crate) fn of_subscription(refusal: SubscriptionRefusal) -> Status {
    let (code, reason) = match refusal {
        SubscriptionRefusal::OutOfOrder => (Code::FailedPrecondition, "OUT_OF_ORDER"),
        SubscriptionRefusal::TooMany => (Code::FailedPrecondition, "TOO_MANY_SUBSCRIPTIONS"),
        SubscriptionRefusal::UnknownUser => (Code::NotFound, "UNKNOWN_USER"),
        SubscriptionRefusal::NoSubscription => (Code::NotFound, "NO_SUBSCRIPTION"),
    };
    with_reason(code, reason, refusal.to_string())
}

/// The end of a stream, or the refusal of a call, while the service drains.
pub(crate) fn draining() -> Status {
    with_reason(Code::Unavailable, "DRAINING", "the service is draining")
}

/// The refusal of a call that needs a role which a certificate with these names does not have.
pub(crate) fn role_missing(role: Role, names: &CertificateNames) -> Status {
    let (code, reason, message) = match names.is_empty() {
        true => (
            Code::Unauthenticated,
            "NO_NAME",
            format!(
                "this needs the role {role}, and the certificate has no DNS name and no URI to give it to"
            ),
        ),
        false => (
            Code::PermissionDenied,
            "ROLE_MISSING",
            format!("this needs the role {role}, which the certificate of {names} does not have"),
        ),
    };
    let metadata = [
        ("role".to_owned(), role.to_string()),
        ("certificate".to_owned(), names.to_string()),
    ];
    Status::with_error_details(
        code,
        message,
        ErrorDetails::with_error_info(reason, DOMAIN, metadata),
    )
}

/// The refusal of a call for which somebody would have had to sign in to the console with this role.
pub(crate) fn role_not_signed_in(role: Role) -> Status {
    let message = format!("this needs the role {role}, which you have not signed in with");
    let metadata = [("role".to_owned(), role.to_string())];
    let details = ErrorDetails::with_error_info("ROLE_MISSING", DOMAIN, metadata);
    Status::with_error_details(Code::PermissionDenied, message, details)
}

/// A status whose reason a program can read; `UNAVAILABLE` says when to try again.
pub(crate) fn with_reason(code: Code, reason: &str, message: impl Into<String>) -> Status {
    let mut details = ErrorDetails::with_error_info(reason, DOMAIN, []);
    if code == Code::Unavailable {
        details.set_retry_info(Some(RETRY_AFTER));
    }
    Status::with_error_details(code, message, details)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn reason(status: &Status) -> String {
        let info = status.get_details_error_info();
        info.map(|info| info.reason).unwrap_or_default()
    }

    #[test]
    fn each_store_error_has_its_code_and_reason() {
        let text = String::new;
        let table = [
            (
                StoreError::Latched { cause: text() },
                Code::Unavailable,
                "STORE_LATCHED",
            ),
            (StoreError::Overloaded, Code::Unavailable, "OVERLOADED"),
            (StoreError::Closed, Code::Unavailable, "CLOSING"),
            (StoreError::NotFound, Code::NotFound, "NOT_FOUND"),
            (StoreError::UnknownUpload, Code::NotFound, "UNKNOWN_UPLOAD"),
            (StoreError::UploadTooLarge, Code::OutOfRange, "TOO_LARGE"),
            (
                StoreError::UploadTooScattered,
                Code::ResourceExhausted,
                "TOO_SCATTERED",
            ),
            (
                StoreError::UploadIncomplete,
                Code::InvalidArgument,
                "INCOMPLETE",
            ),
            (
                StoreError::OtherUpload,
                Code::InvalidArgument,
                "OTHER_UPLOAD",
            ),
            (
                StoreError::UnknownAccount,
                Code::NotFound,
                "UNKNOWN_ACCOUNT",
            ),
            (
                StoreError::AddressTaken,
                Code::AlreadyExists,
                "ADDRESS_TAKEN",
            ),
            (
                StoreError::Precondition { reason: text() },
                Code::FailedPrecondition,
                "WRONG_STATE",
            ),
            (StoreError::Aborted, Code::Cancelled, "ABORTED"),
            (
                StoreError::Read { cause: text() },
                Code::Unavailable,
                "READ_FAILED",
            ),
            (
                StoreError::Corrupt { what: "envelope" },
                Code::DataLoss,
                "CORRUPT",
            ),
        ];
        for (error, code, expected) in table {
            let status = of_store(&error);
            assert_eq!((status.code(), reason(&status).as_str()), (code, expected));
            let retry = status.get_details_retry_info().is_some();
            assert_eq!(retry, code == Code::Unavailable, "{error}");
        }
    }

    #[test]
    fn each_refused_registration_has_its_code_and_reason() {
        let table = [
            (
                RegistrationRefusal::OutOfOrder,
                Code::FailedPrecondition,
                "OUT_OF_ORDER",
            ),
            (
                RegistrationRefusal::TooManyBindings,
                Code::FailedPrecondition,
                "TOO_MANY_BINDINGS",
            ),
            (
                RegistrationRefusal::UnknownUser,
                Code::NotFound,
                "UNKNOWN_USER",
            ),
        ];
        for (refusal, code, expected) in table {
            let status = of_registration(&refusal);
            assert_eq!((status.code(), reason(&status).as_str()), (code, expected));
        }
    }
}
