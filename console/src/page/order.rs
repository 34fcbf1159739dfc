//! Changing one message: a question first, with a reason for the timeline.

use axum::http::StatusCode;
use axum::response::{IntoResponse as _, Redirect, Response};
use chrono::NaiveDateTime;
use maud::{Markup, html};
use prost_types::Timestamp;
use proto::v1::{Message, MessageOrder, MessageState};

use super::messages::subject;
use super::{Frame, answer, form_secret, link};
use crate::calls::Verb;
use crate::fields::{Fields, Posted, Signed};
use crate::refusal::Refusal;
use crate::session::Session;
use crate::show::{badge, foreign, visible};

/// Characters of a reason.
const MAX_REASON: usize = 500;

/// What can be ordered, as it is offered.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Order {
    verb: Verb,
    word: &'static str,
    name: &'static str,
    meaning: &'static str,
    done: &'static str,
    is_final: bool,
}

impl Order {
    pub(super) const ALL: [Self; 5] = [
        Self {
            verb: Verb::Redeliver,
            word: "redeliver",
            name: "Redeliver",
            meaning: "It becomes deliverable again, with the same Message-ID. If its user is registered, a push is planned.",
            done: "The message is deliverable again.",
            is_final: false,
        },
        Self {
            verb: Verb::Hold,
            word: "hold",
            name: "Hold",
            meaning: "It is kept back until somebody unholds it, or until a time. It still counts, and still expires.",
            done: "The message is held.",
            is_final: false,
        },
        Self {
            verb: Verb::Unhold,
            word: "unhold",
            name: "Unhold",
            meaning: "It is offered again at its old place.",
            done: "The message is offered again.",
            is_final: false,
        },
        Self {
            verb: Verb::Expire,
            word: "expire",
            name: "Expire",
            meaning: "It ends now, as if its lifetime were over. Its sender may be told.",
            done: "The message has expired.",
            is_final: true,
        },
        Self {
            verb: Verb::Delete,
            word: "delete",
            name: "Delete",
            meaning: "It ends undelivered; of one that is settled the content is removed.",
            done: "The message is deleted.",
            is_final: true,
        },
    ];

    fn of(word: &str) -> Result<Self, Refusal> {
        let known = Self::ALL.into_iter().find(|order| order.word == word);
        let unknown = || Refusal::new(StatusCode::BAD_REQUEST, "There is no such order.");
        known.ok_or_else(unknown)
    }

    pub(super) fn word(self) -> &'static str {
        self.word
    }

    pub(super) fn name(self) -> &'static str {
        self.name
    }

    /// Whether it cannot be taken back.
    pub(super) fn is_final(self) -> bool {
        self.is_final
    }

    /// Whether it is offered for a message. The service decides.
    pub(super) fn suits(self, message: &Message) -> bool {
        use MessageState::{Claimed, Delivered, Held, Refused, Stored};
        let state = message.state();
        let is_undelivered = matches!(state, Stored | Claimed | Held);
        match self.verb {
            Verb::Redeliver => matches!(state, Delivered | Refused) && message.content_retained,
            Verb::Hold => matches!(state, Stored | Claimed),
            Verb::Unhold => state == Held,
            Verb::Expire => is_undelivered,
            Verb::Delete => is_undelivered || message.content_retained,
        }
    }
}

/// What is said of an order that was carried out.
pub(super) fn done_sentence(word: &str) -> Option<&'static str> {
    Order::of(word).ok().map(|order| order.done)
}

/// Asks whether it is meant.
pub(crate) async fn ask(Signed(session): Signed, fields: Fields) -> Response {
    match asked(&session, &fields).await {
        Ok((order, message)) => {
            let frame = Frame {
                title: order.name,
                session: Some(&session),
                here: "",
            };
            answer(&frame, &question(&session, order, &message)).into_response()
        }
        Err(refusal) => refusal.page(Some(&session)),
    }
}

async fn asked(session: &Session, fields: &Fields) -> Result<(Order, Message), Refusal> {
    let order = Order::of(fields.get("verb"))?;
    let (message, _) = session.calls.message(fields.get("id")).await?;
    Ok((order, message))
}

fn question(session: &Session, order: Order, message: &Message) -> Markup {
    let back = link("/message", &[("id", &message.message_id)]);
    let kind = if order.is_final { "danger" } else { "main" };
    html! {
        h1 { (order.name) " this message?" }
        div.card {
            p { strong { (subject(message)) } " " (badge(message.state())) }
            p { "For " (foreign(&message.served_user)) ", from " (foreign(&message.sender)) }
            p.id { (visible(&message.message_id)) }
        }
        p { (order.meaning) }
        @if order.is_final { p { strong { "This cannot be taken back." } } }
        form.question method="post" action="/order" {
            (form_secret(session))
            input type="hidden" name="id" value=(message.message_id);
            input type="hidden" name="verb" value=(order.word);
            label for="reason" { "Reason, for the timeline" }
            input #reason name="reason" maxlength=(MAX_REASON) placeholder="ticket 4711" autocomplete="off" autofocus;
            @if order.verb == Verb::Hold {
                label for="until" { "Until (UTC); empty: without end" }
                input #until name="until" type="datetime-local";
            }
            div.actions {
                button.(kind) { (order.name) }
                a.button href=(back) { "Cancel" }
            }
        }
    }
}

/// Does it, and leads back to the message.
pub(crate) async fn carry_out(Posted { session, fields }: Posted) -> Response {
    match carried_out(&session, &fields).await {
        Ok(to) => Redirect::to(&to).into_response(),
        Err(refusal) => refusal.page(Some(&session)),
    }
}

async fn carried_out(session: &Session, fields: &Fields) -> Result<String, Refusal> {
    let order = Order::of(fields.get("verb"))?;
    let reason = fields.get("reason");
    if reason.chars().count() > MAX_REASON {
        let sentence = "The reason is too long.";
        return Err(Refusal::new(StatusCode::BAD_REQUEST, sentence));
    }
    let id = fields.get("id");
    let request = MessageOrder {
        message_id: id.to_owned(),
        reason: reason.to_owned(),
        deliver_after: match order.verb {
            Verb::Hold => until(fields.get("until"))?,
            _ => None,
        },
    };
    session.calls.order(order.verb, request).await?;
    Ok(link("/message", &[("id", id), ("done", order.word)]))
}

/// A time as browsers send it; they leave the seconds out where there are none.
fn until(text: &str) -> Result<Option<Timestamp>, Refusal> {
    if text.is_empty() {
        return Ok(None);
    }
    let formats = ["%Y-%m-%dT%H:%M", "%Y-%m-%dT%H:%M:%S"];
    let mut read = formats
        .iter()
        .map(|format| NaiveDateTime::parse_from_str(text, format));
    match read.find_map(Result::ok) {
        Some(time) => Ok(Some(Timestamp {
            seconds: time.and_utc().timestamp(),
            nanos: 0,
        })),
        None => {
            let sentence = "This is no time: write it as 2026-12-24T18:00.";
            Err(Refusal::new(StatusCode::BAD_REQUEST, sentence))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_are_read_as_browsers_write_them() {
        let seconds = |text| until(text).map(|time| time.map(|time| time.seconds));
        assert_eq!(seconds(""), Ok(None));
        assert_eq!(seconds("1970-01-01T00:01"), Ok(Some(60)));
        assert_eq!(seconds("1970-01-01T00:01:05"), Ok(Some(65)));
        assert!(seconds("tomorrow").is_err());
    }

    #[test]
    fn orders_are_offered_where_they_make_sense() {
        let offered = |state: MessageState, content_retained| {
            let message = Message {
                state: state.into(),
                content_retained,
                ..Message::default()
            };
            let suiting = Order::ALL.into_iter().filter(|order| order.suits(&message));
            suiting.map(Order::word).collect::<Vec<_>>()
        };
        assert_eq!(
            offered(MessageState::Stored, true),
            ["hold", "expire", "delete"]
        );
        assert_eq!(
            offered(MessageState::Held, true),
            ["unhold", "expire", "delete"]
        );
        assert_eq!(
            offered(MessageState::Refused, true),
            ["redeliver", "delete"]
        );
        assert_eq!(offered(MessageState::Expired, false), [""; 0]);
    }
}
