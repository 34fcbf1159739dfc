//! Signing in by a token, and signing out.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use axum::extract::{Request, State};
use axum::http::{HeaderMap, HeaderValue, StatusCode, header};
use axum::response::{IntoResponse as _, Redirect, Response};
use maud::html;
use tokio::time::Instant;

use crate::fields::{Fields, Posted, cookie};
use crate::page::{Frame, answer};
use crate::refusal::{Refusal, SIGN_IN};
use crate::site::Site;

/// Wrong tokens that are looked at within [`FAILURES_WITHIN`].
const MAX_FAILURES: u32 = 10;

const FAILURES_WITHIN: Duration = Duration::from_secs(60);

/// Counts wrong tokens. They cannot be guessed: the count is for whoever watches, and bounds what somebody who tries may
/// write into the log. A good token is always taken, or anybody could keep operators out.
#[derive(Default)]
pub(crate) struct Failures(Mutex<Option<(Instant, u32)>>);

impl Failures {
    /// Counts one more; whether there were too many.
    fn is_too_many(&self) -> bool {
        let now = Instant::now();
        let mut counted = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let (since, count) = match *counted {
            Some((since, count)) if now.duration_since(since) < FAILURES_WITHIN => (since, count),
            _ => (now, 0),
        };
        *counted = Some((since, count.saturating_add(1)));
        count >= MAX_FAILURES
    }
}

/// The page with the form for the token. The script takes it from the address, where it stands behind a `#`.
pub(crate) async fn show() -> Response {
    answer(&frame(), &form(None)).into_response()
}

/// Begins a session for whoever shows a good token.
pub(crate) async fn sign_in(State(site): State<Arc<Site>>, request: Request) -> Response {
    let former = cookie(request.headers(), &site.cookie).map(str::to_owned);
    let fields = match Fields::of_form(request).await {
        Ok(fields) => fields,
        Err(refusal) => return refusal.page(None),
    };
    let visitor = match site.entrance.sign_in(fields.get("token")).await {
        Ok(Some(visitor)) => visitor,
        Ok(None) => return refuse(&site),
        Err(status) => return Refusal::from(status).page(None),
    };
    tracing::info!(event = "console.signed_in", visitor = %visitor.name, "signed in to the console");
    metrics::counter!("restante_console_sign_ins_total", "result" => "ok").increment(1);
    if let Some(former) = former {
        site.sessions.end(&former);
    }
    match site.sessions.begin(visitor) {
        Some(secret) => with_cookie(&site, &secret, "/"),
        None => {
            let sentence = "The system gives no randomness: no session can be begun.";
            Refusal::new(StatusCode::SERVICE_UNAVAILABLE, sentence).page(None)
        }
    }
}

fn refuse(site: &Site) -> Response {
    metrics::counter!("restante_console_sign_ins_total", "result" => "refused").increment(1);
    if site.failures.is_too_many() {
        let sentence = "Too many wrong tokens: wait a minute, or ask for a new one.";
        let page = answer(&frame(), &form(Some(sentence)));
        let wait = [(header::RETRY_AFTER, "60")];
        return (StatusCode::TOO_MANY_REQUESTS, wait, page).into_response();
    }
    tracing::warn!(
        event = "console.sign_in_refused",
        "somebody tried to sign in to the console by a token that is not good"
    );
    let sentence = "This token is not good: it works once, and for a minute. Ask for a new one.";
    (
        StatusCode::FORBIDDEN,
        answer(&frame(), &form(Some(sentence))),
    )
        .into_response()
}

/// Ends the session.
pub(crate) async fn sign_out(
    State(site): State<Arc<Site>>,
    headers: HeaderMap,
    posted: Posted,
) -> Response {
    if let Some(cookie) = cookie(&headers, &site.cookie) {
        site.sessions.end(cookie);
    }
    site.entrance.sign_out(&posted.session.name).await;
    tracing::info!(event = "console.signed_out", visitor = %posted.session.name, "signed out of the console");
    with_cookie(&site, "", SIGN_IN)
}

/// Leads on, with this cookie from now on. Empty: it is forgotten. It ends with the browser: how long the session lives is
/// known here.
fn with_cookie(site: &Site, value: &str, to: &str) -> Response {
    let name = &site.cookie;
    let end = if value.is_empty() { "; Max-Age=0" } else { "" };
    let cookie = format!("{name}={value}; Path=/; Secure; HttpOnly; SameSite=Strict{end}");
    let mut response = Redirect::to(to).into_response();
    match HeaderValue::from_str(&cookie) {
        Ok(cookie) => {
            response.headers_mut().insert(header::SET_COOKIE, cookie);
            response
        }
        // Name and value are of letters, digits and hyphens.
        Err(_) => StatusCode::INTERNAL_SERVER_ERROR.into_response(),
    }
}

fn frame() -> Frame<'static> {
    Frame {
        title: "Sign in",
        session: None,
        here: SIGN_IN,
    }
}

fn form(mistake: Option<&str>) -> maud::Markup {
    html! {
        div.door {
            h1 { "Sign in" }
            @if let Some(mistake) = mistake {
                div.notice.bad role="alert" { p { (mistake) } }
            }
            p { "Run " code { "restantectl console" } " and open the address that it prints, or enter the token that stands behind its " code { "#" } "." }
            form #sign-in method="post" action=(SIGN_IN) {
                label for="token" { "Token" }
                input #token name="token" type="password" required autocomplete="off" spellcheck="false" autofocus;
                button.main { "Sign in" }
            }
            p.quiet { "A token works once, within a minute. What you may do here is what you may do by " code { "restantectl" } "." }
        }
    }
}

#[cfg(test)]
mod tests {
    use tokio::time::advance;

    use super::*;

    #[tokio::test(start_paused = true)]
    async fn wrong_tokens_are_counted_by_the_minute() {
        let failures = Failures::default();
        let first = (0..MAX_FAILURES).any(|_| failures.is_too_many());
        assert!(!first);
        assert!(failures.is_too_many());
        advance(FAILURES_WITHIN).await;
        assert!(!failures.is_too_many());
    }
}
