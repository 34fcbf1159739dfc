//! All pages, and what they share.

use std::sync::Arc;

use axum::Router;
use axum::http::{HeaderMap, StatusCode, header};
use axum::middleware::from_fn_with_state;
use axum::response::{IntoResponse as _, Response};
use axum::routing::{get, post};

use crate::config::Keys;
use crate::fields::cookie;
use crate::guard::guard;
use crate::page;
use crate::place::Place;
use crate::refusal::Refusal;
use crate::session::{Presence, Session, Sessions};
use crate::sign_in::{self, Failures};
use crate::visitor::Entrance;

/// What handlers share.
pub(crate) struct Site {
    pub(crate) place: Place,
    pub(crate) sessions: Sessions,
    pub(crate) entrance: Arc<dyn Entrance>,
    pub(crate) failures: Failures,
    /// The name of the session's cookie.
    pub(crate) cookie: String,
}

impl Site {
    pub(crate) fn new(keys: &Keys, place: Place, entrance: Arc<dyn Entrance>) -> Self {
        Self {
            cookie: place.cookie(),
            place,
            sessions: Sessions::new(keys.idle, keys.session),
            entrance,
            failures: Failures::default(),
        }
    }

    /// The session whose cookie stands there.
    pub(crate) fn session(&self, headers: &HeaderMap, presence: Presence) -> Option<Arc<Session>> {
        let cookie = cookie(headers, &self.cookie)?;
        self.sessions.find(cookie, presence)
    }
}

/// The pages and files, behind the guard.
pub(crate) fn router(site: Arc<Site>) -> Router {
    Router::new()
        .route("/", get(page::overview::show))
        .route("/sign-in", get(sign_in::show).post(sign_in::sign_in))
        .route("/sign-out", post(sign_in::sign_out))
        .route("/messages", get(page::messages::show))
        .route("/push", post(page::messages::push))
        .route("/message", get(page::message::show))
        .route("/order", get(page::order::ask).post(page::order::carry_out))
        .route("/content", get(page::content::show))
        .route("/download", get(page::content::download))
        .route("/queue", get(page::queue::show))
        .route("/live", get(page::live::show))
        .route("/live/events", get(page::live::events))
        .route(
            "/console.css",
            get(|| {
                file(
                    "text/css; charset=utf-8",
                    include_str!("../assets/console.css"),
                )
            }),
        )
        .route(
            "/console.js",
            get(|| {
                file(
                    "text/javascript; charset=utf-8",
                    include_str!("../assets/console.js"),
                )
            }),
        )
        .route(
            "/icon.svg",
            get(|| file("image/svg+xml", include_str!("../assets/icon.svg"))),
        )
        .fallback(|| async {
            let sentence = "There is no such page.";
            Refusal::new(StatusCode::NOT_FOUND, sentence).page(None)
        })
        .layer(from_fn_with_state(Arc::clone(&site), guard))
        .with_state(site)
}

async fn file(kind: &'static str, text: &'static str) -> Response {
    ([(header::CONTENT_TYPE, kind)], text).into_response()
}
