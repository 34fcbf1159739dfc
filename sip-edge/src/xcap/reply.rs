//! Answers.

use std::time::Duration;

use axum::body::Body;
use axum::http::{HeaderValue, StatusCode, header};
use axum::response::Response;

/// Why a request is not carried out.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Fault {
    /// The node selector is none.
    BadRequest,
    /// Nobody is asserted, or by nobody whom we trust.
    Forbidden,
    /// Alike for what is not there and what is somebody else's.
    NotFound,
    /// Documents are not written, and only single messages deleted.
    MethodNotAllowed,
    /// The selector would name another element afterwards (RFC 4825 §7.9).
    CannotDelete,
    /// It is not what the writer has seen.
    PreconditionFailed,
    /// A mistake of ours.
    Internal,
    /// The store did not answer.
    Unavailable(Duration),
}

/// A document, or a part of it.
pub(super) fn document(tag: &str, media_type: &'static str, body: String) -> Response {
    answer(
        StatusCode::OK,
        &[
            (header::CONTENT_TYPE, media_type),
            (header::ETAG, &format!("\"{tag}\"")),
        ],
        body,
    )
}

/// The reader has it.
pub(super) fn not_modified(tag: &str) -> Response {
    let tag = format!("\"{tag}\"");
    answer(
        StatusCode::NOT_MODIFIED,
        &[(header::ETAG, &tag)],
        String::new(),
    )
}

/// It is gone; this is the tag of what is left.
pub(super) fn deleted(tag: &str) -> Response {
    let tag = format!("\"{tag}\"");
    answer(StatusCode::OK, &[(header::ETAG, &tag)], String::new())
}

/// It was not carried out.
pub(super) fn fault(fault: &Fault) -> Response {
    let plain = |status| answer(status, &[], String::new());
    match fault {
        Fault::BadRequest => plain(StatusCode::BAD_REQUEST),
        Fault::Forbidden => plain(StatusCode::FORBIDDEN),
        Fault::NotFound => plain(StatusCode::NOT_FOUND),
        Fault::MethodNotAllowed => answer(
            StatusCode::METHOD_NOT_ALLOWED,
            &[(header::ALLOW, "GET, HEAD, DELETE")],
            String::new(),
        ),
        Fault::CannotDelete => answer(
            StatusCode::CONFLICT,
            &[(header::CONTENT_TYPE, "application/xcap-error+xml")],
            "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n\
             <xcap-error xmlns=\"urn:ietf:params:xml:ns:xcap-error\"><cannot-delete/></xcap-error>\n"
                .to_owned(),
        ),
        Fault::PreconditionFailed => plain(StatusCode::PRECONDITION_FAILED),
        Fault::Internal => plain(StatusCode::INTERNAL_SERVER_ERROR),
        Fault::Unavailable(after) => {
            let seconds = after.as_millis().div_ceil(1_000).max(1).to_string();
            answer(
                StatusCode::SERVICE_UNAVAILABLE,
                &[(header::RETRY_AFTER, &seconds)],
                String::new(),
            )
        }
    }
}

/// Nothing of a mailbox belongs into a cache of somebody else.
fn answer(status: StatusCode, headers: &[(header::HeaderName, &str)], body: String) -> Response {
    let mut response = Response::new(Body::from(body));
    *response.status_mut() = status;
    let private = (header::CACHE_CONTROL, "private, no-cache");
    for (name, value) in headers.iter().chain([&private]) {
        // What we write ourselves are always header values.
        if let Ok(value) = HeaderValue::from_str(value) {
            response.headers_mut().insert(name.clone(), value);
        }
    }
    response
}
