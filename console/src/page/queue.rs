//! The shape of what waits: how many messages of which age, by state.

use std::time::SystemTime;

use axum::response::{IntoResponse as _, Response};
use maud::{Markup, html};
use proto::v1::{ListMessagesRequest, Message, MessageState};

use super::{Frame, answer, link};
use crate::fields::Signed;
use crate::refusal::Refusal;
use crate::session::Session;
use crate::show::{state_word, visible};

/// States of messages that are not settled, and of dead letters.
const STATES: [MessageState; 4] = [
    MessageState::Stored,
    MessageState::Claimed,
    MessageState::Held,
    MessageState::Refused,
];

/// Youngest first: what the columns are called, and their ends in seconds.
const AGES: [(&str, u64); 7] = [
    ("< 1 min", 60),
    ("< 10 min", 600),
    ("< 1 h", 3_600),
    ("< 6 h", 21_600),
    ("< 1 d", 86_400),
    ("< 7 d", 604_800),
    ("older", u64::MAX),
];

/// Messages that are counted at most.
const PAGE: u32 = 1_000;
const PAGES: u32 = 10;

/// Numbers by state and age.
#[derive(Debug, Default, PartialEq, Eq)]
struct Shape {
    counts: [[u64; AGES.len()]; STATES.len()],
    is_whole: bool,
}

impl Shape {
    fn add(&mut self, message: &Message, now: u64) {
        let Some(row) = STATES.iter().position(|state| *state == message.state()) else {
            return;
        };
        let received = message.received_at.as_ref().map_or(0, |time| time.seconds);
        let age = now.saturating_sub(u64::try_from(received).unwrap_or_default());
        let column = AGES.iter().position(|(_, end)| age < *end);
        self.counts[row][column.unwrap_or(AGES.len() - 1)] += 1;
    }

    fn total(&self) -> u64 {
        self.counts.iter().flatten().sum()
    }

    fn largest(&self) -> u64 {
        self.counts
            .iter()
            .flatten()
            .copied()
            .max()
            .unwrap_or_default()
    }
}

pub(crate) async fn show(Signed(session): Signed) -> Response {
    let shape = match look(&session).await {
        Ok(shape) => shape,
        Err(status) => return Refusal::from(status).page(Some(&session)),
    };
    let frame = Frame {
        title: "Queue",
        session: Some(&session),
        here: "/queue",
    };
    answer(&frame, &page(&shape)).into_response()
}

async fn look(session: &Session) -> Result<Shape, tonic::Status> {
    let now = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH);
    let now = now.map_or(0, |now| now.as_secs());
    let mut shape = Shape::default();
    let mut query = ListMessagesRequest {
        states: STATES.map(i32::from).to_vec(),
        page_size: PAGE,
        ..ListMessagesRequest::default()
    };
    for _ in 0..PAGES {
        let reply = session.calls.list(query.clone()).await?;
        for message in &reply.messages {
            shape.add(message, now);
        }
        if reply.next_page_token.is_empty() {
            shape.is_whole = true;
            break;
        }
        query.page_token = reply.next_page_token;
    }
    Ok(shape)
}

fn page(shape: &Shape) -> Markup {
    let largest = shape.largest();
    html! {
        h1 { "Queue" }
        p { "What waits, and dead letters (refused), by age since their acceptance." }
        @if !shape.is_whole {
            div.notice { p { "There is more: this is the shape of the oldest " (shape.total()) "." } }
        }
        @if shape.total() == 0 && shape.is_whole {
            div.empty { p { strong { "The queue is empty." } } p { "Every message has been delivered, or has ended otherwise." } }
        } @else {
            div.scroll tabindex="0" role="region" aria-label="Messages by state and age" {
                table.shape {
                    thead { tr { th scope="col" { "State" } @for (name, _) in AGES { th.number scope="col" { (name) } } th.number scope="col" { "All" } } }
                    tbody { @for (state, counts) in STATES.iter().zip(&shape.counts) { (row(*state, counts, largest)) } }
                }
            }
        }
    }
}

fn row(state: MessageState, counts: &[u64], largest: u64) -> Markup {
    let word = state_word(state);
    let total: u64 = counts.iter().sum();
    // Four steps of colour, for which there are classes: pages carry no styles.
    let heat = |count: u64| match count {
        0 => "heat0",
        count => {
            ["heat1", "heat2", "heat3", "heat4"][usize::try_from((count * 4 - 1) / largest.max(1))
                .unwrap_or(3)
                .min(3)]
        }
    };
    html! {
        tr {
            th scope="row" { a href=(link("/messages", &[("state", word)])) { (visible(word)) } }
            @for count in counts { td.number.(heat(*count)) { (count) } }
            td.number { strong { (total) } }
        }
    }
}

#[cfg(test)]
mod tests {
    use prost_types::Timestamp;

    use super::*;

    #[test]
    fn messages_are_counted_by_state_and_age() {
        let message = |state: MessageState, seconds| Message {
            state: state.into(),
            received_at: Some(Timestamp { seconds, nanos: 0 }),
            ..Message::default()
        };
        let now = 1_000_000;
        let mut shape = Shape::default();
        for (state, received) in [
            (MessageState::Stored, 1_000_000),
            (MessageState::Stored, 999_941),
            (MessageState::Stored, 999_940),
            (MessageState::Refused, 0),
            (MessageState::Held, 2_000_000),
            (MessageState::Delivered, 999_999),
        ] {
            shape.add(&message(state, received), now);
        }
        let mut expected = Shape::default();
        expected.counts[0][0] = 2;
        expected.counts[0][1] = 1;
        expected.counts[2][0] = 1;
        expected.counts[3][6] = 1;
        assert_eq!(shape, expected);
        assert_eq!((shape.total(), shape.largest()), (5, 2));
    }
}
