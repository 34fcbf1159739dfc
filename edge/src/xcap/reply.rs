//! Answers.

use std::time::Duration;

use axum::body::Body;
use axum::http::{HeaderValue, StatusCode, header};
use axum::response::Response;
use xcap::conflict::{self, Conflict};

/// Why a request is not carried out.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Fault {
    /// The node selector is none.
    BadRequest,
    /// Nobody is asserted, or by nobody whom we trust.
    Forbidden,
    /// Alike for what is not there and what is somebody else's.
    NotFound,
    /// That is never done to it; these methods are.
    MethodNotAllowed(&'static str),
    /// The document would be none any more, or the request could not be repeated (RFC 4825 §11).
    Conflict(Conflict),
    /// It is not what the writer has seen.
    PreconditionFailed,
    /// The body is longer than any document.
    TooLarge,
    /// The body is of another media type than what is put.
    UnsupportedMediaType,
    /// A mistake of ours.
    Internal,
    /// The store did not answer.
    Unavailable(Duration),
}

/// A document, or a part of it.
#[must_use]
pub fn document(tag: &str, media_type: &'static str, body: String) -> Response {
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
#[must_use]
pub fn not_modified(tag: &str) -> Response {
    tagged(StatusCode::NOT_MODIFIED, tag)
}

/// It is changed; this is the tag of what is there now. `is_new` says that nothing was there before.
#[must_use]
pub fn changed(tag: &str, is_new: bool) -> Response {
    match is_new {
        true => tagged(StatusCode::CREATED, tag),
        false => tagged(StatusCode::OK, tag),
    }
}

/// Nothing is left.
#[must_use]
pub fn gone() -> Response {
    answer(StatusCode::OK, &[], String::new())
}

fn tagged(status: StatusCode, tag: &str) -> Response {
    let tag = format!("\"{tag}\"");
    answer(status, &[(header::ETAG, &tag)], String::new())
}

/// It was not carried out.
#[must_use]
pub fn fault(fault: &Fault) -> Response {
    let plain = |status| answer(status, &[], String::new());
    match fault {
        Fault::BadRequest => plain(StatusCode::BAD_REQUEST),
        Fault::Forbidden => plain(StatusCode::FORBIDDEN),
        Fault::NotFound => plain(StatusCode::NOT_FOUND),
        Fault::MethodNotAllowed(allowed) => answer(
            StatusCode::METHOD_NOT_ALLOWED,
            &[(header::ALLOW, allowed)],
            String::new(),
        ),
        Fault::Conflict(conflict) => answer(
            StatusCode::CONFLICT,
            &[(header::CONTENT_TYPE, conflict::MEDIA_TYPE)],
            conflict::write(conflict),
        ),
        Fault::PreconditionFailed => plain(StatusCode::PRECONDITION_FAILED),
        Fault::TooLarge => plain(StatusCode::PAYLOAD_TOO_LARGE),
        Fault::UnsupportedMediaType => plain(StatusCode::UNSUPPORTED_MEDIA_TYPE),
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

/// Nothing of a user belongs into a cache of somebody else.
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
