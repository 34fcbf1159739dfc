//! How many recipients a sender may address per minute (CFP-21). In memory: a restart forgives.

use std::collections::HashMap;
use std::time::{Duration, Instant};

use crate::key::AddressKey;

const MINUTE: Duration = Duration::from_secs(60);
/// Senders remembered before those that are forgiven are forgotten.
const SENDERS: usize = 4_096;

/// What each sender has left.
#[derive(Clone, Debug, Default)]
pub(crate) struct SenderRates {
    senders: HashMap<AddressKey, Allowance>,
    trimmed_at: usize,
}

#[derive(Clone, Copy, Debug)]
struct Allowance {
    /// Recipients left; negative after a message that overdrew.
    left: f64,
    at: Instant,
}

impl SenderRates {
    /// Takes `recipients` off the allowance of a sender, or says when something will be left. One
    /// message may overdraw it.
    pub(crate) fn take(
        &mut self,
        sender: AddressKey,
        recipients: usize,
        per_minute: u32,
        now: Instant,
    ) -> Result<(), Duration> {
        let full = f64::from(per_minute);
        let per_second = full / MINUTE.as_secs_f64();
        self.trim(full, per_second, now);
        let mut allowance = self.allowance(sender, full, per_second, now);
        allowance.check(per_second)?;
        let recipients = u32::try_from(recipients).unwrap_or(u32::MAX);
        allowance.left -= f64::from(recipients);
        self.senders.insert(sender, allowance);
        Ok(())
    }

    /// As [`SenderRates::take`], but takes nothing.
    pub(crate) fn look(
        &self,
        sender: AddressKey,
        per_minute: u32,
        now: Instant,
    ) -> Result<(), Duration> {
        let full = f64::from(per_minute);
        let per_second = full / MINUTE.as_secs_f64();
        self.allowance(sender, full, per_second, now)
            .check(per_second)
    }

    fn allowance(&self, sender: AddressKey, full: f64, per_second: f64, now: Instant) -> Allowance {
        let known = self.senders.get(&sender);
        let fresh = Allowance {
            left: full,
            at: now,
        };
        known.map_or(fresh, |known| known.at(full, per_second, now))
    }

    /// Forgets those who have all of their allowance back, when there are twice as many as last time.
    fn trim(&mut self, full: f64, per_second: f64, now: Instant) {
        if self.senders.len() < SENDERS.max(self.trimmed_at * 2) {
            return;
        }
        let is_owing = |a: &Allowance| a.at(full, per_second, now).left < full;
        self.senders.retain(|_, allowance| is_owing(allowance));
        self.trimmed_at = self.senders.len();
    }
}

impl Allowance {
    /// When something will be left.
    fn check(self, per_second: f64) -> Result<(), Duration> {
        if self.left >= 1.0 {
            return Ok(());
        }
        let missing = (1.0 - self.left) / per_second;
        Err(Duration::from_secs_f64(missing.clamp(1.0, 86_400.0)))
    }

    fn at(self, full: f64, per_second: f64, now: Instant) -> Self {
        let passed = now.saturating_duration_since(self.at).as_secs_f64();
        Self {
            left: (self.left + passed * per_second).min(full),
            at: now,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_message_may_overdraw_the_rate() {
        let (mut rates, start) = (SenderRates::default(), Instant::now());
        let mut take = |at| rates.take([1; 16], 8, 10, start + Duration::from_secs(at));
        assert_eq!(take(0), Ok(()));
        assert_eq!(take(0), Ok(()));
        // Six too many and one to go: 7 recipients at 10 per minute.
        assert_eq!(take(0), Err(Duration::from_secs(42)));
        assert!(take(41).is_err());
        assert_eq!(take(43), Ok(()));
    }

    #[test]
    fn senders_who_owe_nothing_are_forgotten() {
        let (mut rates, start) = (SenderRates::default(), Instant::now());
        for sender in 0..10_000_u32 {
            let mut key = [0; 16];
            key[..4].copy_from_slice(&sender.to_be_bytes());
            let at = start + Duration::from_secs(u64::from(sender));
            assert_eq!(rates.take(key, 1, 60, at), Ok(()));
        }
        assert!(rates.senders.len() <= SENDERS);
    }
}
