//! Stands before all pages: turns strays away, and tells browsers what they may do with what they get.

use std::sync::Arc;

use axum::extract::{Request, State};
use axum::http::{HeaderMap, HeaderName, HeaderValue, StatusCode, header};
use axum::middleware::Next;
use axum::response::{IntoResponse as _, Response};

use crate::place::Stray;
use crate::site::Site;

/// What goes with every answer. Browsers load styles and scripts from our own files and run nothing else, show us in no
/// frame, guess no types, keep nothing, and tell nobody where they came from. (`same-origin`, because under `no-referrer`
/// they would not say where a form comes from.)
const ALWAYS: [(HeaderName, &str); 9] = [
    (
        header::CONTENT_SECURITY_POLICY,
        "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; connect-src 'self'; form-action 'self'; \
         base-uri 'none'; frame-ancestors 'none'; require-trusted-types-for 'script'; trusted-types 'none'",
    ),
    (header::X_FRAME_OPTIONS, "DENY"),
    (header::X_CONTENT_TYPE_OPTIONS, "nosniff"),
    (header::REFERRER_POLICY, "same-origin"),
    (header::CACHE_CONTROL, "no-store"),
    (
        HeaderName::from_static("cross-origin-opener-policy"),
        "same-origin",
    ),
    (
        HeaderName::from_static("cross-origin-resource-policy"),
        "same-origin",
    ),
    (
        HeaderName::from_static("cross-origin-embedder-policy"),
        "require-corp",
    ),
    (
        HeaderName::from_static("permissions-policy"),
        "camera=(), geolocation=(), microphone=(), payment=(), usb=()",
    ),
];

/// Answers strays itself.
pub(crate) async fn guard(State(site): State<Arc<Site>>, request: Request, next: Next) -> Response {
    let checked = site
        .place
        .check(request.method(), request.uri(), request.headers());
    let mut response = match checked {
        Ok(()) => next.run(request).await,
        Err(stray) => turn_away(stray),
    };
    harden(response.headers_mut());
    response
}

fn turn_away(stray: Stray) -> Response {
    let (status, reason, sentence) = match stray {
        Stray::Host => (
            StatusCode::MISDIRECTED_REQUEST,
            "host",
            "There is no console under this name: see console.url.\n",
        ),
        Stray::Origin => (
            StatusCode::FORBIDDEN,
            "origin",
            "This request was made by a page of somebody else's.\n",
        ),
    };
    metrics::counter!("restante_console_turned_away_total", "reason" => reason).increment(1);
    (status, sentence).into_response()
}

fn harden(headers: &mut HeaderMap) {
    for (name, value) in ALWAYS {
        headers.insert(name, HeaderValue::from_static(value));
    }
}
