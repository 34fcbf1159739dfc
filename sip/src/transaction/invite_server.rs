//! INVITE server transaction: RFC 3261 §17.2.1, Figure 7, with the state Accepted of RFC 6026 Figure 2.
//!
//! ```text
//!            INVITE
//!               │          INVITE: last response again
//!         ┌─────▼────┐◄─┐  1xx from the TU; 100 after 200 ms of silence
//!         │Proceeding├──┘
//!         └┬────────┬┘
//!  2xx from│        │300-699 from the TU
//!    the TU│        │
//!    ┌─────▼──┐  ┌──▼──────┐◄─┐ INVITE, G: response again
//!    │Accepted│  │Completed├──┘
//!    └─────┬──┘  └┬───────┬┘
//!          │      │ACK    │H
//!          │  ┌───▼─────┐ │
//!          │L │Confirmed│ │
//!          │  └───┬─────┘ │
//!          │      │I      │
//!          └──────┴───────┴──► Terminated
//! ```
//!
//! Accepted also retransmits the 2xx until its ACK, on every transport. RFC 3261 §13.3.1.4 asks this of the UAS core;
//! it stands here because its end, Timer L, is this machine's.

use std::time::Duration;

use super::step::{Context, Effect, Ignored, ServerEvent as Event, Step};
use super::timer::Timer;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum State {
    Proceeding {
        /// A response has left already.
        answered: bool,
    },
    Completed {
        /// The run of Timer G that is under way.
        interval: Duration,
    },
    Confirmed,
    Accepted {
        /// The run of the retransmission timer that is under way; none once the ACK is here.
        interval: Option<Duration>,
    },
    Terminated,
}

/// The INVITE goes to the transaction user, who has 200 ms until a 100 leaves (RFC 3261 §17.2.1).
pub(super) fn begin(context: &Context) -> Step<State> {
    Step::to(
        State::Proceeding { answered: false },
        [context.start(Timer::Trying)],
    )
}

impl State {
    pub(super) fn step(self, event: Event, context: &Context) -> Step<State> {
        match self {
            State::Proceeding { answered } => self.proceeding(answered, event, context),
            State::Completed { interval } => self.completed(interval, event, context),
            State::Confirmed => self.confirmed(event),
            State::Accepted { interval } => self.accepted(interval, event, context),
            State::Terminated => Step::ignore(self, Ignored::Stale),
        }
    }

    fn proceeding(self, answered: bool, event: Event, context: &Context) -> Step<State> {
        match event {
            Event::Request if answered => Step::to(self, [Effect::SendResponse]),
            Event::Request => Step::to(State::Proceeding { answered: true }, [Effect::SendTrying]),
            Event::Timer(Timer::Trying) if !answered => {
                Step::to(State::Proceeding { answered: true }, [Effect::SendTrying])
            }
            Event::Provisional => {
                Step::to(State::Proceeding { answered: true }, [Effect::SendResponse])
            }
            Event::Success => success(context),
            Event::Failure => failure(context),
            Event::Ack => Step::ignore(self, Ignored::Absorbed),
            Event::Timer(_) => Step::ignore(self, Ignored::Stale),
        }
    }

    fn completed(self, interval: Duration, event: Event, context: &Context) -> Step<State> {
        match event {
            Event::Request => Step::to(self, [Effect::SendResponse]),
            // RFC 3261 §17.2.1: Timer G is reset to MIN(2·interval, T2).
            Event::Timer(Timer::G) => {
                let interval = (interval * 2).min(context.timers.t2);
                let again = context.start_after(Timer::G, interval);
                Step::to(State::Completed { interval }, [Effect::SendResponse, again])
            }
            Event::Ack => context.linger(Timer::I, State::Confirmed, State::Terminated, []),
            Event::Timer(Timer::H) => Step::to(State::Terminated, [Effect::ReportExpired]),
            Event::Provisional | Event::Success | Event::Failure => {
                Step::ignore(self, Ignored::OutOfOrder)
            }
            Event::Timer(_) => Step::ignore(self, Ignored::Stale),
        }
    }

    fn confirmed(self, event: Event) -> Step<State> {
        match event {
            Event::Timer(Timer::I) => Step::to(State::Terminated, []),
            Event::Ack | Event::Request => Step::ignore(self, Ignored::Absorbed),
            Event::Provisional | Event::Success | Event::Failure => {
                Step::ignore(self, Ignored::OutOfOrder)
            }
            Event::Timer(_) => Step::ignore(self, Ignored::Stale),
        }
    }

    fn accepted(self, interval: Option<Duration>, event: Event, context: &Context) -> Step<State> {
        match (event, interval) {
            // RFC 3261 §13.3.1.4: the interval starts at T1 and doubles up to T2.
            (Event::Timer(Timer::Answer), Some(interval)) => {
                let interval = (interval * 2).min(context.timers.t2);
                let again = context.start_after(Timer::Answer, interval);
                Step::to(
                    State::Accepted {
                        interval: Some(interval),
                    },
                    [Effect::SendResponse, again],
                )
            }
            (Event::Ack, _) => Step::to(State::Accepted { interval: None }, []),
            (Event::Timer(Timer::L), Some(_)) => {
                Step::to(State::Terminated, [Effect::ReportExpired])
            }
            (Event::Timer(Timer::L), None) => Step::to(State::Terminated, []),
            // RFC 6026 §7.1: a 2xx the transaction user sends again goes out again.
            (Event::Success, _) => Step::to(self, [Effect::SendResponse]),
            // RFC 6026 §7.1: absorbed, without a response.
            (Event::Request, _) => Step::ignore(self, Ignored::Absorbed),
            (Event::Provisional | Event::Failure, _) => Step::ignore(self, Ignored::OutOfOrder),
            (Event::Timer(_), _) => Step::ignore(self, Ignored::Stale),
        }
    }
}

/// RFC 6026 §7.1
fn success(context: &Context) -> Step<State> {
    let state = State::Accepted {
        interval: Some(context.timers.t1),
    };
    Step::to(
        state,
        [
            Effect::SendResponse,
            context.start(Timer::L),
            context.start(Timer::Answer),
        ],
    )
}

/// RFC 3261 §17.2.1
fn failure(context: &Context) -> Step<State> {
    let state = State::Completed {
        interval: context.timers.t1,
    };
    Step::to(state, [Effect::SendResponse, context.start(Timer::H)])
        .then(context.start_if_unreliable(Timer::G))
}
