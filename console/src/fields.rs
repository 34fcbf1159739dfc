//! What forms and addresses carry, and who may send forms.

use std::sync::Arc;
use std::time::Duration;

use axum::body::to_bytes;
use axum::extract::{FromRequest, FromRequestParts, Request};
use axum::http::request::Parts;
use axum::http::{HeaderMap, StatusCode, header};
use axum::response::Response;
use tokio::time::timeout;

use crate::refusal::{self, Refusal};
use crate::session::{Presence, Session};
use crate::site::Site;

/// Octets of a form.
const MAX_FORM: usize = 16 << 10;

/// How long a form may take to arrive.
const FORM_TIME: Duration = Duration::from_secs(10);

/// Names and values, decoded.
#[derive(Clone, Debug, Default)]
pub(crate) struct Fields(Vec<(String, String)>);

impl Fields {
    fn parse(octets: &[u8]) -> Self {
        Self(form_urlencoded::parse(octets).into_owned().collect())
    }

    /// The first value of a name without blanks around it; empty if there is none.
    pub(crate) fn get(&self, name: &str) -> &str {
        let mut named = self.0.iter().filter(|(known, _)| known == name);
        named.next().map_or("", |(_, value)| value.trim())
    }

    /// The fields of a form.
    pub(crate) async fn of_form(request: Request) -> Result<Self, Refusal> {
        let kind = request.headers().get(header::CONTENT_TYPE);
        let is_form = kind.is_some_and(|kind| {
            let kind = kind.to_str().unwrap_or_default();
            let kind = kind.split(';').next().unwrap_or_default();
            kind.trim() == "application/x-www-form-urlencoded"
        });
        if !is_form {
            let sentence = "Only forms are understood here.";
            return Err(Refusal::new(StatusCode::UNSUPPORTED_MEDIA_TYPE, sentence));
        }
        let reading = timeout(FORM_TIME, to_bytes(request.into_body(), MAX_FORM));
        match reading.await {
            Ok(Ok(octets)) => Ok(Self::parse(&octets)),
            Ok(Err(_)) => {
                let sentence = "The form is too large.";
                Err(Refusal::new(StatusCode::PAYLOAD_TOO_LARGE, sentence))
            }
            Err(_) => {
                let sentence = "The form did not arrive in time.";
                Err(Refusal::new(StatusCode::REQUEST_TIMEOUT, sentence))
            }
        }
    }
}

impl<S: Sync> FromRequestParts<S> for Fields {
    type Rejection = std::convert::Infallible;

    /// Those behind the `?`.
    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self, Self::Rejection> {
        Ok(Self::parse(
            parts.uri.query().unwrap_or_default().as_bytes(),
        ))
    }
}

/// An address as the service knows it, of one as people write it: without a scheme, with a host in capitals.
pub(crate) fn address(text: &str) -> String {
    let scheme = text
        .split_once(':')
        .map(|(scheme, _)| scheme.to_ascii_lowercase());
    let has_scheme =
        scheme.is_some_and(|scheme| ["sip", "sips", "im", "tel"].contains(&scheme.as_str()));
    match text.rsplit_once('@') {
        _ if has_scheme || text.is_empty() => text.to_owned(),
        Some((user, host)) => format!("sip:{user}@{}", host.to_ascii_lowercase()),
        None if text.starts_with('+') => format!("tel:{text}"),
        None => text.to_owned(),
    }
}

/// The value of the cookie of this name.
pub(crate) fn cookie<'a>(headers: &'a HeaderMap, name: &str) -> Option<&'a str> {
    let lines = headers.get_all(header::COOKIE).iter();
    let pairs = lines
        .filter_map(|line| line.to_str().ok())
        .flat_map(|line| line.split(';'));
    let mut named = pairs.filter_map(|pair| pair.trim().split_once('='));
    named.find_map(|(known, value)| (known == name).then_some(value))
}

/// The session that a request is of; whoever has none is led to sign in.
pub(crate) struct Signed(pub(crate) Arc<Session>);

impl FromRequestParts<Arc<Site>> for Signed {
    type Rejection = Response;

    async fn from_request_parts(parts: &mut Parts, site: &Arc<Site>) -> Result<Self, Response> {
        let session = site.session(&parts.headers, Presence::Shown);
        session.map(Self).ok_or_else(|| refusal::signed_out(parts))
    }
}

/// As [`Signed`], of a page that asks by itself: that keeps no session alive.
pub(crate) struct Watching(pub(crate) Arc<Session>);

impl FromRequestParts<Arc<Site>> for Watching {
    type Rejection = Response;

    async fn from_request_parts(parts: &mut Parts, site: &Arc<Site>) -> Result<Self, Response> {
        let session = site.session(&parts.headers, Presence::NotShown);
        session.map(Self).ok_or_else(|| refusal::signed_out(parts))
    }
}

/// A form of a page of this session. There is no other way for a handler to get at a form of somebody who has signed in.
pub(crate) struct Posted {
    pub(crate) session: Arc<Session>,
    pub(crate) fields: Fields,
}

impl FromRequest<Arc<Site>> for Posted {
    type Rejection = Response;

    async fn from_request(request: Request, site: &Arc<Site>) -> Result<Self, Response> {
        let (mut parts, body) = request.into_parts();
        let Signed(session) = Signed::from_request_parts(&mut parts, site).await?;
        let request = Request::from_parts(parts, body);
        let fields = Fields::of_form(request).await;
        let fields = fields.map_err(|refusal| refusal.page(Some(&session)))?;
        if session.is_form_secret(fields.get("form")) {
            return Ok(Self { session, fields });
        }
        let sentence = "This form is of another session. Go back, load the page again, and repeat what you wanted.";
        let refusal = Refusal::new(StatusCode::FORBIDDEN, sentence);
        Err(refusal.page(Some(&session)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn values_are_decoded_and_trimmed() {
        let fields = Fields::parse(b"user=+sip%3Abob%40example.org+&state=held&user=second&%FF=x");
        assert_eq!(fields.get("user"), "sip:bob@example.org");
        assert_eq!(fields.get("state"), "held");
        assert_eq!(fields.get("none"), "");
    }

    #[test]
    fn addresses_are_understood_as_people_write_them() {
        for (text, expected) in [
            ("", ""),
            ("bob@Example.org", "sip:bob@example.org"),
            ("SIP:bob@example.org", "SIP:bob@example.org"),
            ("tel:+4930123456", "tel:+4930123456"),
            ("+4930123456", "tel:+4930123456"),
            ("bob", "bob"),
        ] {
            assert_eq!(address(text), expected);
        }
    }

    #[test]
    fn cookies_are_found_among_others() {
        let mut headers = HeaderMap::new();
        headers.append(header::COOKIE, "a=1; __Host-b=2".parse().expect("a value"));
        headers.append(header::COOKIE, "c=3=4".parse().expect("a value"));
        for (name, value) in [
            ("a", Some("1")),
            ("__Host-b", Some("2")),
            ("c", Some("3=4")),
            ("b", None),
        ] {
            assert_eq!(cookie(&headers, name), value, "{name}");
        }
    }
}
