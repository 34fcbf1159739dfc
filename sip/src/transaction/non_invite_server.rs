//! Non-INVITE server transaction: RFC 3261 §17.2.2, Figure 8.
//!
//! ```text
//!          request
//!             │
//!         ┌───▼──┐  the request again: absorbed
//!       ┌─┤Trying│
//!       │ └───┬──┘
//! final │     │1xx from the TU
//! from  │ ┌───▼──────┐◄─┐ the request again, 1xx from the TU:
//! the TU│ │Proceeding├──┘ the last response
//!       │ └───┬──────┘
//!       │     │final from the TU
//!     ┌─▼─────▼──┐◄─┐ the request again: the final response
//!     │Completed ├──┘
//!     └────┬─────┘
//!          │ J
//!          ▼
//!     Terminated
//! ```
//!
//! Deviation: a transport failure does not end the transaction (Figure 8), because the request may arrive again by a
//! path that works, and then must not reach the transaction user twice.

use super::step::{Context, Effect, Ignored, ServerEvent as Event, Step};
use super::timer::Timer;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum State {
    Trying,
    Proceeding,
    Completed,
    Terminated,
}

impl State {
    pub(super) fn step(self, event: Event, context: &Context) -> Step<State> {
        match self {
            State::Trying => self.trying(event, context),
            State::Proceeding => self.proceeding(event, context),
            State::Completed => self.completed(event),
            State::Terminated => Step::ignore(self, Ignored::Stale),
        }
    }

    fn trying(self, event: Event, context: &Context) -> Step<State> {
        match event {
            Event::Provisional => Step::to(State::Proceeding, [Effect::SendResponse]),
            Event::Success | Event::Failure => answer(context),
            Event::Request | Event::Ack => Step::ignore(self, Ignored::Absorbed),
            Event::Timer(_) => Step::ignore(self, Ignored::Stale),
        }
    }

    fn proceeding(self, event: Event, context: &Context) -> Step<State> {
        match event {
            Event::Request | Event::Provisional => Step::to(self, [Effect::SendResponse]),
            Event::Success | Event::Failure => answer(context),
            Event::Ack => Step::ignore(self, Ignored::Absorbed),
            Event::Timer(_) => Step::ignore(self, Ignored::Stale),
        }
    }

    fn completed(self, event: Event) -> Step<State> {
        match event {
            Event::Request => Step::to(self, [Effect::SendResponse]),
            Event::Timer(Timer::J) => Step::to(State::Terminated, []),
            // RFC 3261 §17.2.2: any other final response of the transaction user is discarded.
            Event::Provisional | Event::Success | Event::Failure => {
                Step::ignore(self, Ignored::OutOfOrder)
            }
            Event::Ack => Step::ignore(self, Ignored::Absorbed),
            Event::Timer(_) => Step::ignore(self, Ignored::Stale),
        }
    }
}

/// RFC 3261 §17.2.2
fn answer(context: &Context) -> Step<State> {
    context.linger(
        Timer::J,
        State::Completed,
        State::Terminated,
        [Effect::SendResponse],
    )
}
