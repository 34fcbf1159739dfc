//! The state of one hop (requirements 3.5).
//!
//! ```text
//!            unreachable, or timeouts of `down_after` targets in a row
//!   ┌──────┐ ─────────────────────────────────────────────────▶ ┌────────┐
//!   │  Up  │                                                    │ Paused │◀─┐
//!   └──────┘ ◀─────────────────────────────────────────────────┐└────────┘  │ no answer:
//!            any answer, whatever request or probe it is for   │  │ time    │ a longer pause
//!                                                              │  ▼         │
//!                                                              │┌─────────┐ │
//!                                                              └│ Probing │─┘
//!                                                               └─────────┘
//! ```
//!
//! A 503 with Retry-After is an answer: the hop is up, and told us to wait. That wait is kept apart; it ends by itself
//! and no other answer ends it, since that may be of a request sent before.

use std::time::{Duration, Instant};

use sip::{Response, StatusCode};

use super::HopPolicy;
use crate::sip::TransactionFailure;

/// How a request or probe to a hop ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Outcome<'a> {
    /// Any response, a provisional one too.
    Answered,
    /// A 503 that names a time (RFC 3261 §21.5.4); without one it counts as a 500, hence as [`Answered`](Self::Answered).
    Busy {
        /// The value of its Retry-After.
        retry_after: Duration,
    },
    /// No response in time. One target may be at fault itself, so that only timeouts of several count.
    TimedOut {
        /// The AOR or Request-URI the request was for.
        target: &'a str,
    },
    /// The transport failed, or a probe got no response.
    Unreachable,
}

impl<'a> Outcome<'a> {
    /// What a response says about the hop it came from.
    pub fn of_response(response: &Response) -> Self {
        let retry_after = match response.status() {
            StatusCode::SERVICE_UNAVAILABLE => response.headers().retry_after().ok().flatten(),
            _ => None,
        };
        match retry_after {
            Some(seconds) => Self::Busy {
                retry_after: Duration::from_secs(seconds.into()),
            },
            None => Self::Answered,
        }
    }

    /// What a transaction without a final response says about the hop; `target` is whom the request was for.
    pub fn of_failure(failure: TransactionFailure, target: &'a str) -> Self {
        match failure {
            TransactionFailure::Timeout => Self::TimedOut { target },
            TransactionFailure::Unreachable => Self::Unreachable,
        }
    }
}

/// Whether the hop answers.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum State {
    /// It does, or nothing speaks against it.
    Up {
        /// The different targets without an answer since the last one, by their hashes.
        silent: Vec<u64>,
    },
    /// It does not; it is left alone until then.
    Paused { until: Instant, pauses: u32 },
    /// A probe is under way; its owner has until then to report.
    Probing { until: Instant, pauses: u32 },
}

/// What [`Outcome`] comes to in a state; the target is hashed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Event {
    Answered,
    TimedOut(u64),
    Unreachable,
}

impl Default for State {
    fn default() -> Self {
        Self::Up { silent: Vec::new() }
    }
}

impl State {
    pub(super) fn after(self, now: Instant, event: Event, policy: &HopPolicy) -> Self {
        match (self, event) {
            (_, Event::Answered) => Self::default(),
            (Self::Up { silent }, event) => up(silent, now, event, policy),
            // A request from before the pause; what it met is known.
            (paused @ Self::Paused { .. }, _) => paused,
            (probing @ Self::Probing { .. }, Event::TimedOut(_)) => probing,
            (Self::Probing { pauses, .. }, Event::Unreachable) => paused(now, pauses, policy),
        }
    }

    /// The pause is over, or nobody reported what became of the probe.
    pub(super) fn after_timeout(self, now: Instant, policy: &HopPolicy) -> Self {
        match self {
            Self::Paused { until, pauses } if until <= now => Self::Probing {
                until: now + policy.probe_timeout,
                pauses,
            },
            Self::Probing { until, pauses } if until <= now => paused(now, pauses, policy),
            state => state,
        }
    }

    /// When time alone changes the state.
    pub(super) fn timeout(&self) -> Option<Instant> {
        match self {
            Self::Up { .. } => None,
            Self::Paused { until, .. } | Self::Probing { until, .. } => Some(*until),
        }
    }
}

fn up(mut silent: Vec<u64>, now: Instant, event: Event, policy: &HopPolicy) -> State {
    if let Event::TimedOut(target) = event {
        if !silent.contains(&target) {
            silent.push(target);
        }
        if silent.len() < policy.down_after {
            return State::Up { silent };
        }
    }
    paused(now, 0, policy)
}

/// Pause number `pauses` (from 0), each twice as long as the one before.
fn paused(now: Instant, pauses: u32, policy: &HopPolicy) -> State {
    let factor = 1_u32.checked_shl(pauses).unwrap_or(u32::MAX);
    let pause = policy.first_pause.saturating_mul(factor);
    State::Paused {
        until: now + pause.min(policy.longest_pause),
        pauses: pauses.saturating_add(1),
    }
}
