//! How many NOTIFYs leave per second, of all subscriptions together: a bucket of tokens that refills.

use std::time::{Duration, Instant};

/// Lets so many per second go, and a tenth of them at once.
#[derive(Clone, Debug)]
pub struct Pace {
    per_second: u32,
    tokens: u32,
    refilled_at: Instant,
}

impl Pace {
    /// A full bucket; at least one per second.
    #[must_use]
    pub fn new(per_second: u32, now: Instant) -> Self {
        let per_second = per_second.max(1);
        Self {
            per_second,
            tokens: burst(per_second),
            refilled_at: now,
        }
    }

    /// Takes up to `wanted` tokens.
    pub fn take(&mut self, wanted: u32, now: Instant) -> u32 {
        self.refill(now);
        let taken = wanted.min(self.tokens);
        self.tokens -= taken;
        taken
    }

    /// When the next token is there.
    #[must_use]
    pub fn next_token(&self) -> Instant {
        match self.tokens {
            0 => self.refilled_at + self.per_token(),
            _ => self.refilled_at,
        }
    }

    fn per_token(&self) -> Duration {
        Duration::from_secs(1) / self.per_second
    }

    fn refill(&mut self, now: Instant) {
        let passed = now.saturating_duration_since(self.refilled_at);
        let new = passed.as_nanos() / self.per_token().as_nanos().max(1);
        let full = burst(self.per_second);
        match u32::try_from(new) {
            Ok(new) if new < full - self.tokens => {
                self.tokens += new;
                self.refilled_at += self.per_token() * new;
            }
            _ => {
                self.tokens = full;
                self.refilled_at = now;
            }
        }
    }
}

fn burst(per_second: u32) -> u32 {
    (per_second / 10).max(1)
}
