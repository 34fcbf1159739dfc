//! The states of all hops that are not simply up.

use std::collections::HashMap;
use std::hash::{BuildHasher, Hash, RandomState};
use std::time::{Duration, Instant};

use super::Hop;
use super::state::{Event, Outcome, State};

/// When a hop counts as down and for how long it is left alone. All times are longer than zero.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct HopPolicy {
    /// Timeouts of so many different targets in a row pause the hop (`push.hop_down_after`, `cf.hop_down_after`).
    pub down_after: usize,
    /// Time from the first failure to the first probe; each further pause is twice as long.
    pub first_pause: Duration,
    /// No pause is longer.
    pub longest_pause: Duration,
    /// A probe of which nothing is reported for this time has failed.
    pub probe_timeout: Duration,
    /// A longer Retry-After is cut to this.
    pub longest_retry_after: Duration,
    /// Hops remembered at the same time; beyond it the one is forgotten that would be open first.
    pub max_hops: usize,
}

impl Default for HopPolicy {
    fn default() -> Self {
        Self {
            down_after: 5,
            first_pause: Duration::from_secs(2),
            longest_pause: Duration::from_secs(120),
            // Longer than Timer F, so that the transaction reports first.
            probe_timeout: Duration::from_secs(40),
            longest_retry_after: Duration::from_secs(3600),
            max_hops: 1024,
        }
    }
}

/// Whether a request may go to a hop.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Admission {
    /// It may.
    Open,
    /// The hop asked for the time until then (503 with Retry-After); it takes requests again by itself.
    Busy {
        /// When that is.
        until: Instant,
    },
    /// The hop does not answer. It takes requests again when it answers a probe.
    Down {
        /// When the next probe is due or the one under way has failed.
        until: Instant,
    },
}

/// The health of the hops an owner sends to, keyed by what it knows of them: a [`Hop`], or the configured URI.
#[derive(Debug)]
pub struct HopHealth<K = Hop> {
    policy: HopPolicy,
    hops: HashMap<K, Health>,
    hasher: RandomState,
}

#[derive(Debug, Default)]
struct Health {
    state: State,
    busy_until: Option<Instant>,
}

impl<K: Clone + Eq + Hash> HopHealth<K> {
    /// All hops are open.
    pub fn new(policy: HopPolicy) -> Self {
        Self {
            policy,
            hops: HashMap::new(),
            hasher: RandomState::new(),
        }
    }

    /// Whether a request may go to `hop` now.
    pub fn admission(&self, now: Instant, hop: &K) -> Admission {
        self.hops
            .get(hop)
            .map_or(Admission::Open, |health| health.admission(now))
    }

    /// How a request or a probe to `hop` ended.
    pub fn report(&mut self, now: Instant, hop: &K, outcome: Outcome<'_>) {
        let mut health = self.hops.remove(hop).unwrap_or_default();
        let event = match outcome {
            Outcome::Answered => Event::Answered,
            Outcome::Busy { retry_after } => {
                let until = now + retry_after.min(self.policy.longest_retry_after);
                health.busy_until = health.busy_until.max(Some(until));
                Event::Answered
            }
            Outcome::TimedOut { target } => Event::TimedOut(self.hasher.hash_one(target)),
            Outcome::Unreachable => Event::Unreachable,
        };
        health.state = health.state.after(now, event, &self.policy);
        if health.is_notable(now) {
            self.make_room();
            self.hops.insert(hop.clone(), health);
        }
    }

    /// A hop that is to be probed now, by an OPTIONS whose end is [reported](Self::report): any response, or
    /// [`Outcome::Unreachable`] without one. To be called until there is none.
    pub fn poll_probe(&mut self, now: Instant) -> Option<K> {
        self.hops.retain(|_, health| health.is_notable(now));
        self.hops
            .iter_mut()
            .find_map(|(hop, health)| health.is_probe_due(now, &self.policy).then(|| hop.clone()))
    }

    /// When [`poll_probe`](Self::poll_probe) or an [`admission`](Self::admission) changes by time alone.
    pub fn next_timeout(&self) -> Option<Instant> {
        self.hops.values().filter_map(Health::timeout).min()
    }

    /// Hops that are not simply up: the value of a gauge.
    pub fn len(&self) -> usize {
        self.hops.len()
    }

    /// Whether all hops are simply up.
    pub fn is_empty(&self) -> bool {
        self.hops.is_empty()
    }

    /// Forgets the hop that would be open first, if there are too many.
    fn make_room(&mut self) {
        if self.hops.len() < self.policy.max_hops {
            return;
        }
        let first = self.hops.iter().min_by_key(|(_, health)| health.timeout());
        if let Some(first) = first.map(|(hop, _)| hop.clone()) {
            self.hops.remove(&first);
        }
    }
}

impl Health {
    fn admission(&self, now: Instant) -> Admission {
        match (self.busy_until, self.state.timeout()) {
            (Some(until), _) if until > now => Admission::Busy { until },
            (_, Some(until)) => Admission::Down { until },
            (_, None) => Admission::Open,
        }
    }

    /// When time alone changes something. While the hop is busy, no probe goes to it either.
    fn timeout(&self) -> Option<Instant> {
        self.busy_until.max(self.state.timeout())
    }

    fn is_notable(&self, now: Instant) -> bool {
        self.state != State::default() || self.busy_until.is_some_and(|until| until > now)
    }

    /// Takes the step that the time allows; whether that starts a probe.
    fn is_probe_due(&mut self, now: Instant, policy: &HopPolicy) -> bool {
        self.busy_until = self.busy_until.filter(|until| *until > now);
        if self.busy_until.is_some() {
            return false;
        }
        let was_paused = matches!(self.state, State::Paused { .. });
        self.state = std::mem::take(&mut self.state).after_timeout(now, policy);
        was_paused && matches!(self.state, State::Probing { .. })
    }
}
