//! The pages: a file each, with what is asked for it and how it looks.

pub(crate) mod content;
pub(crate) mod live;
pub(crate) mod message;
pub(crate) mod messages;
pub(crate) mod order;
pub(crate) mod overview;
pub(crate) mod queue;

use axum::response::Html;
use maud::{DOCTYPE, Markup, html};

use crate::refusal::SIGN_IN;
use crate::session::Session;

/// What all pages have around their own.
pub(crate) struct Frame<'a> {
    pub(crate) title: &'a str,
    /// Whoever has signed in.
    pub(crate) session: Option<&'a Session>,
    /// The path of the entry of the menu that stands out.
    pub(crate) here: &'a str,
}

/// The menu.
const MENU: [(&str, &str); 4] = [
    ("/", "Overview"),
    ("/messages", "Messages"),
    ("/queue", "Queue"),
    ("/live", "Live"),
];

/// A whole page.
pub(crate) fn answer(frame: &Frame<'_>, body: &Markup) -> Html<String> {
    let page = html! {
        (DOCTYPE)
        html lang="en" {
            head {
                meta charset="utf-8";
                meta name="viewport" content="width=device-width, initial-scale=1";
                meta name="color-scheme" content="light dark";
                meta name="robots" content="noindex";
                title { (frame.title) " · Restante" }
                link rel="icon" href="/icon.svg" type="image/svg+xml";
                link rel="stylesheet" href="/console.css";
                script src="/console.js" defer {}
            }
            body {
                a.skip href="#main" { "Skip to the content" }
                (header(frame))
                main #main tabindex="-1" { (body) }
            }
        }
    };
    Html(page.into_string())
}

fn header(frame: &Frame<'_>) -> Markup {
    html! {
        header {
            a.brand href="/" { img src="/icon.svg" alt="" width="24" height="24"; "Restante" }
            @if let Some(session) = frame.session {
                nav aria-label="Main" {
                    ul {
                        @for (path, name) in MENU {
                            li { a href=(path) aria-current=[(path == frame.here).then_some("page")] { (name) } }
                        }
                    }
                }
                form.who method="post" action="/sign-out" {
                    (form_secret(session))
                    span title="As this your changes stand in the timelines" { (session.name) ": " (roles(session)) }
                    button.plain { "Sign out" }
                }
            } @else if frame.here != SIGN_IN {
                nav aria-label="Main" { ul { li { a href=(SIGN_IN) { "Sign in" } } } }
            }
        }
    }
}

fn roles(session: &Session) -> &'static str {
    match (session.may_change, session.may_read_contents) {
        (false, false) => "reader",
        (true, false) => "operator",
        (false, true) => "body reader",
        (true, true) => "operator, body reader",
    }
}

/// What each form carries.
pub(crate) fn form_secret(session: &Session) -> Markup {
    html! { input type="hidden" name="form" value=(session.form_secret()); }
}

/// An address of ours with these fields.
pub(crate) fn link(path: &str, fields: &[(&str, &str)]) -> String {
    let begin = format!("{path}?");
    let at = begin.len();
    let mut query = form_urlencoded::Serializer::for_suffix(begin, at);
    let query = query.extend_pairs(fields.iter().filter(|(_, value)| !value.is_empty()));
    query.finish()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn links_carry_what_is_there_and_nothing_breaks_out() {
        let link = link(
            "/messages",
            &[("user", "sip:b&b@x"), ("state", ""), ("page", "\"#")],
        );
        assert_eq!(link, "/messages?user=sip%3Ab%26b%40x&page=%22%23");
    }
}
