//! What could not be done, as a page.

use axum::http::request::Parts;
use axum::http::{HeaderValue, Method, StatusCode, header};
use axum::response::{IntoResponse as _, Redirect, Response};
use maud::html;
use tonic::{Code, Status};

use crate::page::{Frame, answer};
use crate::session::Session;
use crate::show::visible;

/// Where people sign in.
pub(crate) const SIGN_IN: &str = "/sign-in";

/// A status, and a sentence for people.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Refusal {
    status: StatusCode,
    sentence: String,
}

impl Refusal {
    pub(crate) fn new(status: StatusCode, sentence: impl Into<String>) -> Self {
        Self {
            status,
            sentence: sentence.into(),
        }
    }

    /// The page that says so, for whoever has signed in or for a stranger.
    pub(crate) fn page(&self, session: Option<&Session>) -> Response {
        let title = self.status.canonical_reason().unwrap_or("Not possible");
        let body = html! {
            h1 { (title) }
            div.notice.bad role="alert" { p { (visible(&self.sentence)) } }
            p { a.button href="/" { "Overview" } }
        };
        let frame = Frame {
            title,
            session,
            here: "",
        };
        let mut response = (self.status, answer(&frame, &body)).into_response();
        if self.status == StatusCode::SERVICE_UNAVAILABLE {
            let soon = HeaderValue::from_static("5");
            response.headers_mut().insert(header::RETRY_AFTER, soon);
        }
        response
    }
}

impl From<Status> for Refusal {
    fn from(status: Status) -> Self {
        let http = match status.code() {
            Code::NotFound => StatusCode::NOT_FOUND,
            Code::InvalidArgument | Code::OutOfRange => StatusCode::BAD_REQUEST,
            Code::PermissionDenied | Code::Unauthenticated => StatusCode::FORBIDDEN,
            Code::FailedPrecondition | Code::AlreadyExists | Code::Aborted => StatusCode::CONFLICT,
            Code::ResourceExhausted | Code::Unavailable => StatusCode::SERVICE_UNAVAILABLE,
            Code::DeadlineExceeded | Code::Cancelled => StatusCode::GATEWAY_TIMEOUT,
            _ => StatusCode::BAD_GATEWAY,
        };
        let sentence = match status.message() {
            "" => status.code().description().to_owned(),
            message => {
                let mut characters = message.chars();
                let first = characters.next().map(char::to_uppercase);
                let first = first.into_iter().flatten();
                first.chain(characters).chain(['.']).collect()
            }
        };
        Self::new(http, sentence)
    }
}

/// For whoever has no session, or none any more: visits of pages lead to the sign-in.
pub(crate) fn signed_out(parts: &Parts) -> Response {
    let accepted = parts.headers.get(header::ACCEPT);
    let wants_page = accepted
        .and_then(|accepted| accepted.to_str().ok())
        .is_some_and(|accepted| accepted.contains("text/html"));
    if parts.method == Method::GET && wants_page {
        return Redirect::to(SIGN_IN).into_response();
    }
    let sentence = "You are not signed in, or your session has ended.";
    Refusal::new(StatusCode::UNAUTHORIZED, sentence).page(None)
}
