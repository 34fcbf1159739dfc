//! Pauses between attempts to connect.

use std::time::Duration;

use rand::Rng;

/// Doubles from `min` to `max`; each pause lies between half of it and all of it, so that edges do
/// not come back in step.
#[derive(Debug)]
pub(crate) struct Backoff {
    min: Duration,
    max: Duration,
    next: Duration,
}

impl Backoff {
    pub(crate) fn new(min: Duration, max: Duration) -> Self {
        Self {
            min,
            max,
            next: min,
        }
    }

    /// The next pause.
    pub(crate) fn pause(&mut self, rng: &mut impl Rng) -> Duration {
        let longest = self.next.min(self.max);
        self.next = longest.saturating_mul(2);
        longest.mul_f64(rng.random_range(0.5..=1.0))
    }

    /// After a success.
    pub(crate) fn reset(&mut self) {
        self.next = self.min;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pauses_grow_to_the_maximum_and_start_again_after_a_success() {
        let (min, max) = (Duration::from_millis(50), Duration::from_secs(1));
        let mut backoff = Backoff::new(min, max);
        let pauses: Vec<_> = (0..8).map(|_| backoff.pause(&mut rand::rng())).collect();
        assert!(pauses[0] <= min && pauses[0] >= min / 2, "{pauses:?}");
        assert!(pauses[7] <= max && pauses[7] >= max / 2, "{pauses:?}");
        backoff.reset();
        assert!(backoff.pause(&mut rand::rng()) <= min);
    }
}
