//! The shape of what waits: how many messages of which age, by state.

use std::time::{Duration, SystemTime};

use axum::response::{IntoResponse as _, Response};
use maud::{Markup, html};
use proto::v1::{ListMessagesReply, ListMessagesRequest, Message, MessageState};
use tokio::time::Instant;
use tonic::Status;

use super::{Frame, answer, link};
use crate::calls::MAX_REPLY;
use crate::fields::Signed;
use crate::refusal::Refusal;
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

/// Messages that are asked for at a time.
const PAGE: u32 = 200;

/// Octets of what is listed of one message: its header fields are those of a request of SIP.
const MAX_LISTED: usize = 64 << 10;

// Whatever senders write, a page of it can be read.
const _: () = assert!(PAGE as usize * MAX_LISTED <= MAX_REPLY);

/// How long it is counted.
const TIME: Duration = Duration::from_secs(3);

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
    let shape = match look(|query| session.calls.list(query)).await {
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

/// Counts what these pages list, as far as there is time.
async fn look<F>(list: impl Fn(ListMessagesRequest) -> F) -> Result<Shape, Status>
where
    F: Future<Output = Result<ListMessagesReply, Status>>,
{
    let until = Instant::now() + TIME;
    let now = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH);
    let now = now.map_or(0, |now| now.as_secs());
    let mut shape = Shape::default();
    let mut query = ListMessagesRequest {
        states: STATES.map(i32::from).to_vec(),
        page_size: PAGE,
        ..ListMessagesRequest::default()
    };
    loop {
        let reply = list(query.clone()).await?;
        for message in &reply.messages {
            shape.add(message, now);
        }
        shape.is_whole = reply.next_page_token.is_empty();
        if shape.is_whole || Instant::now() >= until {
            return Ok(shape);
        }
        query.page_token = reply.next_page_token;
    }
}

fn page(shape: &Shape) -> Markup {
    let largest = shape.largest();
    html! {
        h1 { "Queue" }
        p { "What waits, and dead letters (refused), by age since their acceptance." }
        @if !shape.is_whole {
            div.notice { p { (short_of(shape.total())) " " code { "restantectl shape --sample 1000000" } " looks on." } }
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

/// What is said where not everything was looked at.
fn short_of(counted: u64) -> String {
    let seconds = TIME.as_secs();
    match counted {
        0 => format!(
            "Among what could be looked at in {seconds} seconds, the oldest first, nothing waits; there is more."
        ),
        counted => format!(
            "There is more than could be looked at in {seconds} seconds: this is the shape of the oldest {counted}."
        ),
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

    /// So many pages, each of which takes so long and lists these states.
    async fn counted(pages: usize, each: Duration, states: &[MessageState]) -> Shape {
        let list = |query: ListMessagesRequest| async move {
            tokio::time::sleep(each).await;
            let page: usize = query.page_token.parse().unwrap_or_default();
            let message = |state: &MessageState| Message {
                state: (*state).into(),
                ..Message::default()
            };
            let is_last = page + 1 == pages;
            Ok(ListMessagesReply {
                messages: states.iter().map(message).collect(),
                next_page_token: if is_last {
                    String::new()
                } else {
                    (page + 1).to_string()
                },
            })
        };
        look(list).await.expect("a shape")
    }

    #[tokio::test(start_paused = true)]
    async fn all_is_counted_if_there_is_time_and_else_it_is_said() {
        let stored = [MessageState::Stored; 2];
        let whole = counted(500, Duration::from_millis(5), &stored).await;
        assert_eq!((whole.total(), whole.is_whole), (1_000, true));
        let cut = counted(500, Duration::from_secs(1), &stored).await;
        assert_eq!((cut.total(), cut.is_whole), (6, false));
        let page = page(&cut).into_string();
        assert!(page.contains("the shape of the oldest 6."), "{page}");

        let settled = counted(500, Duration::from_secs(1), &[]).await;
        let page = super::page(&settled).into_string();
        assert!(page.contains("nothing waits; there is more"), "{page}");
        assert!(!page.contains("oldest 0"), "{page}");
    }

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
