//! INVITE client transaction: RFC 3261 §17.1.1, Figure 5, with the state Accepted of RFC 6026 Figure 1.
//!
//! ```text
//!            INVITE sent
//!                 │         A: send again
//!             ┌───▼───┐◄──┐
//!        ┌────┤Calling├───┘          B, transport failure
//!        │    └┬─────┬┘───────────────────────────────┐
//!     2xx│     │1xx  │300-699: ACK                    │
//!        │ ┌───▼────┐│                                │
//!        │ │Proceed.││  C, silence after a CANCEL     │
//!        │ └┬──────┬┘│────────────────────────────────┤
//!     ┌──▼──▼──┐ ┌─▼─▼─────┐◄┐ 300-699: ACK           │
//! 2xx │Accepted│ │Completed├─┘   transport failure    │
//!  ┌──►────┬───┘ └────┬────┘──────────────────────────┤
//!  └───┘   │ M        │ D                             │
//!          └──────────┴─────────────────► Terminated ◄┘
//! ```
//!
//! Deviation: Timer C, which the standard gives to proxies (RFC 3261 §16.6), also ends a UAC's silent Proceeding, so
//! that every transaction ends.

use std::time::{Duration, Instant};

use super::step::{ClientEvent as Event, Context, Effect, Ignored, Step};
use super::timer::Timer;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum State {
    Calling {
        /// The run of Timer A that is under way.
        interval: Duration,
    },
    Proceeding {
        /// Timer C as last restarted; earlier firings are stale.
        silent_until: Instant,
        cancelled: bool,
    },
    Completed,
    Accepted,
    Terminated,
}

/// The INVITE leaves (RFC 3261 §17.1.1.2).
pub(super) fn begin(context: &Context) -> Step<State> {
    let state = State::Calling {
        interval: context.timers.t1,
    };
    Step::to(state, [Effect::SendRequest, context.start(Timer::B)])
        .then(context.start_if_unreliable(Timer::A))
}

impl State {
    pub(super) fn step(self, event: Event, context: &Context) -> Step<State> {
        match self {
            State::Calling { interval } => self.calling(interval, event, context),
            State::Proceeding {
                silent_until,
                cancelled,
            } => self.proceeding(silent_until, cancelled, event, context),
            State::Completed => self.completed(event),
            State::Accepted => self.accepted(event),
            State::Terminated => Step::ignore(self, Ignored::Stale),
        }
    }

    fn calling(self, interval: Duration, event: Event, context: &Context) -> Step<State> {
        match event {
            // RFC 3261 §17.1.1.2: "the client transaction MUST retransmit the request", the interval doubles.
            Event::Timer(Timer::A) => {
                let interval = interval * 2;
                let again = context.start_after(Timer::A, interval);
                Step::to(State::Calling { interval }, [Effect::SendRequest, again])
            }
            Event::Timer(Timer::B) => Step::to(State::Terminated, [Effect::ReportTimeout]),
            // RFC 3261 §17.1.4
            Event::TransportFailure => Step::to(State::Terminated, [Effect::ReportUnreachable]),
            // RFC 3261 §9.1: a CANCEL waits for a provisional response.
            Event::Cancelled => Step::ignore(self, Ignored::OutOfOrder),
            Event::Timer(_) => Step::ignore(self, Ignored::Stale),
            Event::Provisional => provisional(false, context),
            Event::Success => success(context),
            Event::Failure => failure(context),
        }
    }

    fn proceeding(
        self,
        silent_until: Instant,
        cancelled: bool,
        event: Event,
        context: &Context,
    ) -> Step<State> {
        match event {
            Event::Provisional => provisional(cancelled, context),
            Event::Success => success(context),
            Event::Failure => failure(context),
            // RFC 3261 §9.1: 64·T1 after the CANCEL the transaction counts as cancelled.
            Event::Cancelled => {
                let state = State::Proceeding {
                    silent_until,
                    cancelled: true,
                };
                Step::to(state, [context.start(Timer::Cancelled)])
            }
            Event::Timer(Timer::Cancelled) => Step::to(State::Terminated, [Effect::ReportTimeout]),
            Event::Timer(Timer::C) if silent_until <= context.now => {
                Step::to(State::Terminated, [Effect::ReportTimeout])
            }
            // Figure 5 knows no transport failure here: the final response may come on another connection.
            Event::TransportFailure | Event::Timer(_) => Step::ignore(self, Ignored::Stale),
        }
    }

    fn completed(self, event: Event) -> Step<State> {
        match event {
            // RFC 3261 §17.1.1.2: the ACK again, nothing for the transaction user.
            Event::Failure => Step::to(self, [Effect::SendAck]),
            Event::Timer(Timer::D) => Step::to(State::Terminated, []),
            // The transaction user has its answer already: no second outcome.
            Event::TransportFailure => Step::to(State::Terminated, []),
            Event::Provisional | Event::Success | Event::Cancelled => {
                Step::ignore(self, Ignored::Absorbed)
            }
            Event::Timer(_) => Step::ignore(self, Ignored::Stale),
        }
    }

    fn accepted(self, event: Event) -> Step<State> {
        match event {
            // RFC 6026 §8.4: every 2xx goes up, the transaction user acknowledges each.
            Event::Success => Step::to(self, [Effect::Deliver]),
            Event::Timer(Timer::M) => Step::to(State::Terminated, []),
            Event::Provisional | Event::Failure | Event::Cancelled => {
                Step::ignore(self, Ignored::Absorbed)
            }
            Event::TransportFailure | Event::Timer(_) => Step::ignore(self, Ignored::Stale),
        }
    }
}

/// RFC 3261 §17.1.1.2; each provisional response restarts Timer C (RFC 3261 §16.7).
fn provisional(cancelled: bool, context: &Context) -> Step<State> {
    let silent_until = context.now + context.timers.silence;
    Step::to(
        State::Proceeding {
            silent_until,
            cancelled,
        },
        [Effect::Deliver, context.start(Timer::C)],
    )
}

/// RFC 6026 §8.4
fn success(context: &Context) -> Step<State> {
    Step::to(State::Accepted, [Effect::Deliver, context.start(Timer::M)])
}

/// RFC 3261 §17.1.1.2 and §17.1.1.3
fn failure(context: &Context) -> Step<State> {
    context.linger(
        Timer::D,
        State::Completed,
        State::Terminated,
        [Effect::SendAck, Effect::Deliver],
    )
}
