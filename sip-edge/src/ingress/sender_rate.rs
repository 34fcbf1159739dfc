//! How fast one sender may send (requirements §3.6, ERR-18a): a token bucket for each asserted identity, in this
//! edge's memory.
//!
//! A bucket is one moment: when it would be full again. A message moves that on by the time one token
//! takes to come, and is refused if it would be further ahead than a whole burst.

use std::collections::HashMap;
use std::sync::{Mutex, PoisonError, RwLock};
use std::time::{Duration, Instant};

/// Senders whose bucket is not full, at a time; those beyond are not limited.
const SENDERS: usize = 100_000;

/// How often full buckets are looked for where there is no room.
const SWEEP_EVERY: Duration = Duration::from_secs(1);

/// The longest time after which a sender is told to try again.
const LONGEST_WAIT: Duration = Duration::from_secs(5);

/// The rates of all senders.
#[derive(Debug)]
pub(crate) struct SenderRates {
    /// `None`: nobody is limited.
    limit: RwLock<Option<Limit>>,
    buckets: Mutex<Buckets>,
}

#[derive(Debug, Clone, Copy)]
struct Limit {
    /// From one token to the next.
    interval: Duration,
    /// What a full bucket is ahead of an empty one.
    burst: Duration,
}

impl Limit {
    fn new(per_second: Option<u32>, burst: u32) -> Option<Self> {
        let interval = Duration::from_secs(1) / per_second?.max(1);
        Some(Self {
            interval,
            burst: interval * burst.max(1),
        })
    }
}

#[derive(Debug, Default)]
struct Buckets {
    full_at: HashMap<String, Instant>,
    swept_at: Option<Instant>,
}

impl SenderRates {
    /// So many messages per second, and so many at once after a pause.
    pub(crate) fn new(per_second: Option<u32>, burst: u32) -> Self {
        Self {
            limit: RwLock::new(Limit::new(per_second, burst)),
            buckets: Mutex::default(),
        }
    }

    /// Another rate from now on; buckets stay as full as they are.
    pub(crate) fn change(&self, per_second: Option<u32>, burst: u32) {
        let mut limit = self.limit.write().unwrap_or_else(PoisonError::into_inner);
        *limit = Limit::new(per_second, burst);
    }

    /// Takes a token of this sender.
    ///
    /// # Errors
    /// There is none; when there will be one, at least.
    pub(crate) fn take(&self, sender: &str, now: Instant) -> Result<(), Duration> {
        let Some(limit) = *self.limit.read().unwrap_or_else(PoisonError::into_inner) else {
            return Ok(());
        };
        let mut buckets = self.buckets.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(full_at) = buckets.full_at.get_mut(sender) {
            let next = (*full_at).max(now) + limit.interval;
            let ahead = next - now;
            if ahead > limit.burst {
                return Err((ahead - limit.burst).min(LONGEST_WAIT));
            }
            *full_at = next;
        } else if buckets.has_room(now) {
            buckets
                .full_at
                .insert(sender.to_owned(), now + limit.interval);
        }
        Ok(())
    }
}

impl Buckets {
    fn has_room(&mut self, now: Instant) -> bool {
        let is_swept = self.swept_at.is_some_and(|at| now < at + SWEEP_EVERY);
        if self.full_at.len() >= SENDERS && !is_swept {
            self.full_at.retain(|_, full_at| *full_at > now);
            self.swept_at = Some(now);
        }
        self.full_at.len() < SENDERS
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const ALICE: &str = "sip:alice@example.org";

    fn taken(rates: &SenderRates, now: Instant, count: usize) -> usize {
        (0..count)
            .filter(|_| rates.take(ALICE, now).is_ok())
            .count()
    }

    #[test]
    fn a_burst_passes_and_then_the_rate() {
        let rates = SenderRates::new(Some(20), 100);
        let now = Instant::now();
        assert_eq!(taken(&rates, now, 200), 100);
        assert_eq!(rates.take("sip:carol@example.org", now), Ok(()));
        let second = Duration::from_secs(1);
        assert_eq!(taken(&rates, now + second, 200), 20);
        assert_eq!(taken(&rates, now + 100 * second, 200), 100);
    }

    #[test]
    fn another_rate_holds_from_now_on() {
        let rates = SenderRates::new(None, 1);
        let now = Instant::now();
        assert_eq!(taken(&rates, now, 10), 10);
        rates.change(Some(1), 3);
        assert_eq!(taken(&rates, now, 10), 3);
        rates.change(None, 3);
        assert_eq!(taken(&rates, now, 10), 10);
    }

    #[test]
    fn who_is_refused_is_told_when_the_next_token_comes() {
        let rates = SenderRates::new(Some(2), 1);
        let now = Instant::now();
        assert_eq!(rates.take(ALICE, now), Ok(()));
        let wait = Duration::from_millis(500);
        assert_eq!(rates.take(ALICE, now), Err(wait));
        // A refusal costs nothing.
        assert_eq!(rates.take(ALICE, now), Err(wait));
        assert_eq!(rates.take(ALICE, now + wait), Ok(()));
    }

    #[test]
    fn without_a_limit_nobody_is_refused_or_remembered() {
        let rates = SenderRates::new(None, 1);
        assert_eq!(taken(&rates, Instant::now(), 1_000), 1_000);
        let buckets = rates.buckets.into_inner().expect("nobody panicked");
        assert!(buckets.full_at.is_empty());
    }

    #[test]
    fn full_buckets_make_room_for_others() {
        let rates = SenderRates::new(Some(1), 1);
        let now = Instant::now();
        for number in 0..=SENDERS {
            assert_eq!(rates.take(&format!("sip:{number}@h"), now), Ok(()));
        }
        let held = || rates.buckets.lock().expect("nobody panics").full_at.len();
        assert_eq!(held(), SENDERS);
        assert_eq!(rates.take(ALICE, now + Duration::from_secs(2)), Ok(()));
        assert_eq!(held(), 1);
    }
}
