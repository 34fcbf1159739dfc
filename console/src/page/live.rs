//! What happens to messages, as it happens: a page, and the stream of events that its script shows.

use std::convert::Infallible;
use std::time::Duration;

use axum::body::Body;
use axum::http::{HeaderMap, header};
use axum::response::{IntoResponse as _, Response};
use bytes::Bytes;
use futures_util::stream::{self, Stream};
use maud::{Markup, html};
use proto::v1::{MessageEvent, WatchEventsReply, WatchEventsRequest};
use serde::Serialize;
use tokio::time::{Instant, sleep_until};
use tokio_util::sync::CancellationToken;
use tonic::{Code, Streaming};

use super::{Frame, answer, link};
use crate::fields::{Fields, Signed, Watching, address};
use crate::refusal::Refusal;
use crate::show::{event_words, octets, state_word, visible};

/// Time between two lines that keep a quiet stream open, and show it that nobody is there any more.
const PULSE: Duration = Duration::from_secs(15);

/// Longest stream; the browser comes back where it was.
const LONGEST: Duration = Duration::from_secs(600);

/// The page. Whether there are events to show is asked at once, so that it can be said.
pub(crate) async fn show(Signed(session): Signed, fields: Fields) -> Response {
    let user = fields.get("user");
    let problem = match session.calls.events(wanted(user, "")).await {
        Ok(_) => None,
        Err(status)
            if status.code() == Code::FailedPrecondition || status.code() == Code::NotFound =>
        {
            Some(Problem::of(&status))
        }
        Err(status) => return Refusal::from(status).page(Some(&session)),
    };
    let frame = Frame {
        title: "Live",
        session: Some(&session),
        here: "/live",
    };
    answer(&frame, &page(user, problem)).into_response()
}

/// Why there is nothing to see.
#[derive(Clone, Copy)]
enum Problem {
    NoLog,
    NoUser,
}

impl Problem {
    fn of(status: &tonic::Status) -> Self {
        match status.code() {
            Code::NotFound => Self::NoUser,
            _ => Self::NoLog,
        }
    }
}

fn page(user: &str, problem: Option<Problem>) -> Markup {
    let source = link("/live/events", &[("user", user)]);
    html! {
        h1 { "Live" }
        form.filter action="/live" role="search" {
            div {
                label for="user" { "User" }
                input #user name="user" type="search" value=(user) placeholder="everybody" accesskey="s" autocomplete="off" spellcheck="false" autocapitalize="none";
            }
            button.main { "Watch" }
        }
        @match problem {
            Some(Problem::NoLog) => div.notice { p { "No log of events is kept: set " code { "enabled = true" } " in " code { "[events]" } " and restart the storage process." } },
            Some(Problem::NoUser) => div.empty { p { strong { "This user has no mailbox." } } },
            None => {
                noscript { div.notice { p { "This page needs scripts; " code { "restantectl events watch" } " shows the same." } } }
                div.actions {
                    span #live-status role="status" { "Connecting…" }
                    button #live-pause.plain type="button" aria-pressed="false" { "Pause" }
                }
                table #live.messages data-source=(source) hidden {
                    thead { tr { th scope="col" { "Time" } th scope="col" { "Event" } th scope="col" { "For" } th scope="col" { "From" } th scope="col" { "State" } th scope="col" { "Detail" } } }
                    tbody {}
                }
                div #live-empty.empty { p { strong { "Nothing has happened yet." } } p { "Each event is shown as soon as it is on disk." } }
            },
        }
    }
}

fn wanted(user: &str, after: &str) -> WatchEventsRequest {
    WatchEventsRequest {
        after: after.to_owned(),
        served_user: address(user),
        ..WatchEventsRequest::default()
    }
}

/// The events, as a browser's `EventSource` reads them; it comes back with the position of the last one it has seen.
pub(crate) async fn events(
    Watching(session): Watching,
    fields: Fields,
    headers: HeaderMap,
) -> Response {
    let last = headers.get("last-event-id");
    let last = last.and_then(|id| id.to_str().ok());
    // A page that opens a stream anew says where it was in the address; once it has come back by itself that is old.
    let after = last.unwrap_or_else(|| fields.get("after"));
    let watched = session.calls.events(wanted(fields.get("user"), after));
    let replies = match watched.await {
        Ok(replies) => replies,
        Err(status) => return Refusal::from(status).page(Some(&session)),
    };
    let lines = lines(replies, session.ended.clone());
    let head = [(header::CONTENT_TYPE, "text/event-stream")];
    (head, Body::from_stream(lines)).into_response()
}

/// Where a stream is.
struct Lines {
    replies: Streaming<WatchEventsReply>,
    /// Cancelled when the session ends.
    ended: CancellationToken,
    until: Instant,
    is_first: bool,
}

fn lines(
    replies: Streaming<WatchEventsReply>,
    ended: CancellationToken,
) -> impl Stream<Item = Result<Bytes, Infallible>> {
    let lines = Lines {
        replies,
        ended,
        until: Instant::now() + LONGEST,
        is_first: true,
    };
    stream::unfold(lines, |mut lines| async {
        if std::mem::take(&mut lines.is_first) {
            // The browser knows that it is connected only when something has come.
            return Some((Ok(Bytes::from_static(b"retry: 2000\n\n: begin\n\n")), lines));
        }
        let pulse = Instant::now() + PULSE;
        let next = tokio::select! {
            () = lines.ended.cancelled() => return None,
            () = sleep_until(lines.until) => return None,
            () = sleep_until(pulse) => Bytes::from_static(b": pulse\n\n"),
            reply = lines.replies.message() => told(&reply.ok()??),
        };
        Some((Ok(next), lines))
    })
}

/// What the script shows of an event.
#[derive(Debug, Default, Serialize)]
struct Told<'a> {
    at: String,
    event: String,
    message: &'a str,
    link: String,
    user: String,
    sender: String,
    state: &'a str,
    detail: String,
    lost: bool,
}

fn told(reply: &WatchEventsReply) -> Bytes {
    let shown = reply.event.as_ref().map(shown).unwrap_or_default();
    let told = Told {
        lost: reply.lost,
        ..shown
    };
    let is_something = reply.event.is_some() || reply.lost;
    // Positions are numbers to us, and lines must stay lines whatever they are.
    let position = reply.position.replace(['\r', '\n', '\0'], "");
    let data = match serde_json::to_string(&told) {
        Ok(data) if is_something => format!("data: {data}\n"),
        _ => "event: position\ndata:\n".to_owned(),
    };
    format!("id: {position}\n{data}\n").into()
}

fn shown(event: &MessageEvent) -> Told<'_> {
    let at = event.at.as_ref().and_then(|at| {
        chrono::DateTime::from_timestamp(at.seconds, u32::try_from(at.nanos).unwrap_or_default())
    });
    let detail = [
        octets(event.octets),
        visible(&event.actor).into_owned(),
        visible(&event.detail).into_owned(),
    ];
    let detail = detail.into_iter().filter(|part| !part.is_empty());
    Told {
        at: at
            .map(|at| at.format("%H:%M:%S").to_string())
            .unwrap_or_default(),
        event: event_words(event.kind()),
        message: &event.message_id,
        link: link("/message", &[("id", &event.message_id)]),
        user: visible(&event.served_user).into_owned(),
        sender: visible(&event.sender).into_owned(),
        state: state_word(event.state()),
        detail: detail.collect::<Vec<_>>().join(" · "),
        lost: false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_event_is_one_line_of_data_whatever_is_in_it() {
        let event = MessageEvent {
            message_id: "17@store.example.org".to_owned(),
            sender: "sip:</script>\n\nid: 9@x".to_owned(),
            ..MessageEvent::default()
        };
        let reply = WatchEventsReply {
            position: "5\n".to_owned(),
            event: Some(event),
            lost: false,
        };
        let text = told(&reply);
        let text = std::str::from_utf8(&text).expect("text");
        let lines: Vec<_> = text.lines().collect();
        assert_eq!((lines.len(), lines[0], lines[2]), (3, "id: 5", ""));
        let data = lines[1].strip_prefix("data: ").expect("data");
        let data: serde_json::Value = serde_json::from_str(data).expect("JSON");
        assert_eq!(data["sender"], "sip:</script>\\u{a}\\u{a}id: 9@x");
        assert_eq!(data["link"], "/message?id=17%40store.example.org");
    }

    #[test]
    fn a_reply_without_an_event_moves_the_position_alone() {
        let reply = WatchEventsReply {
            position: "7".to_owned(),
            ..WatchEventsReply::default()
        };
        assert_eq!(&told(&reply)[..], b"id: 7\nevent: position\ndata:\n\n");
    }
}
