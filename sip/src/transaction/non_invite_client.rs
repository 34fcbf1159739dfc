//! Non-INVITE client transaction: RFC 3261 §17.1.2, Figure 6.
//!
//! ```text
//!           request sent
//!                │        E: send again
//!            ┌───▼───┐◄──┐
//!        ┌───┤Trying ├───┘      F, transport failure
//!        │   └───┬───┘─────────────────────────────┐
//! 200-699│       │1xx     E: send again            │
//!        │ ┌─────▼────┐◄─┐                         │
//!        │ │Proceeding├──┘      F, transport failure
//!        │ └─────┬────┘────────────────────────────┤
//!        │       │200-699                          │
//!      ┌─▼───────▼─┐                               │
//!      │ Completed ├────── K ──────► Terminated ◄──┘
//!      └───────────┘
//! ```

use std::time::Duration;

use super::step::{ClientEvent as Event, Context, Effect, Ignored, Step};
use super::timer::Timer;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum State {
    Trying {
        /// The run of Timer E that is under way.
        interval: Duration,
    },
    Proceeding,
    Completed,
    Terminated,
}

/// The request leaves (RFC 3261 §17.1.2.2).
pub(super) fn begin(context: &Context) -> Step<State> {
    let state = State::Trying {
        interval: context.timers.t1,
    };
    Step::to(state, [Effect::SendRequest, context.start(Timer::F)])
        .then(context.start_if_unreliable(Timer::E))
}

impl State {
    pub(super) fn step(self, event: Event, context: &Context) -> Step<State> {
        match self {
            State::Trying { interval } => self.trying(interval, event, context),
            State::Proceeding => self.proceeding(event, context),
            State::Completed => self.completed(event),
            State::Terminated => Step::ignore(self, Ignored::Stale),
        }
    }

    fn trying(self, interval: Duration, event: Event, context: &Context) -> Step<State> {
        match event {
            // RFC 3261 §17.1.2.2: Timer E is reset to MIN(2·interval, T2).
            Event::Timer(Timer::E) => {
                let interval = (interval * 2).min(context.timers.t2);
                let again = context.start_after(Timer::E, interval);
                Step::to(State::Trying { interval }, [Effect::SendRequest, again])
            }
            Event::Provisional => Step::to(State::Proceeding, [Effect::Deliver]),
            event => self.unanswered(event, context),
        }
    }

    fn proceeding(self, event: Event, context: &Context) -> Step<State> {
        match event {
            // RFC 3261 §17.1.2.2: here Timer E is always T2.
            Event::Timer(Timer::E) => {
                let again = context.start_after(Timer::E, context.timers.t2);
                Step::to(self, [Effect::SendRequest, again])
            }
            Event::Provisional => Step::to(self, [Effect::Deliver]),
            event => self.unanswered(event, context),
        }
    }

    /// What ends Trying and Proceeding alike.
    fn unanswered(self, event: Event, context: &Context) -> Step<State> {
        match event {
            Event::Success | Event::Failure => context.linger(
                Timer::K,
                State::Completed,
                State::Terminated,
                [Effect::Deliver],
            ),
            Event::Timer(Timer::F) => Step::to(State::Terminated, [Effect::ReportTimeout]),
            // RFC 3261 §17.1.4
            Event::TransportFailure => Step::to(State::Terminated, [Effect::ReportUnreachable]),
            // RFC 3261 §9.1: only an INVITE is cancelled.
            Event::Cancelled => Step::ignore(self, Ignored::OutOfOrder),
            Event::Provisional | Event::Timer(_) => Step::ignore(self, Ignored::Stale),
        }
    }

    fn completed(self, event: Event) -> Step<State> {
        match event {
            Event::Timer(Timer::K) => Step::to(State::Terminated, []),
            Event::Provisional | Event::Success | Event::Failure => {
                Step::ignore(self, Ignored::Absorbed)
            }
            Event::Cancelled | Event::TransportFailure | Event::Timer(_) => {
                Step::ignore(self, Ignored::Stale)
            }
        }
    }
}
