//! How many deliveries begin per second, so that a crowd of registrations leaves deposits their part of the machine
//! (rule C-11).

use std::time::{Duration, Instant};

/// What was not used is made up for so long: the lateness of timers, not a time of rest.
const MADE_UP: Duration = Duration::from_millis(20);

/// A bucket of which each start takes one token; time is passed in.
#[derive(Debug)]
pub(super) struct Pace {
    /// Between two starts; `None`: no bound.
    interval: Option<Duration>,
    now: Instant,
    next: Instant,
}

impl Pace {
    /// `per_second` starts, 0: no bound.
    pub(super) fn new(now: Instant, per_second: u32) -> Self {
        Self {
            interval: (per_second > 0).then(|| Duration::from_secs(1) / per_second),
            now,
            next: now,
        }
    }

    /// Time passes.
    pub(super) fn pass(&mut self, now: Instant) {
        self.now = self.now.max(now);
    }

    /// When the next one may start, if not now.
    pub(super) fn next(&self) -> Option<Instant> {
        (self.next > self.now).then_some(self.next)
    }

    /// One starts.
    pub(super) fn start(&mut self) {
        let Some(interval) = self.interval else {
            return;
        };
        let earliest = self.now.checked_sub(MADE_UP).unwrap_or(self.now);
        self.next = self.next.max(earliest) + interval;
    }

    /// One that has started has nothing to deliver: another one may start in its place.
    pub(super) fn give_back(&mut self) {
        let earlier = self.interval.and_then(|one| self.next.checked_sub(one));
        self.next = earlier.unwrap_or(self.next);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Starts within so many milliseconds, looked at every `step` of them.
    fn starts(per_second: u32, (millis, step): (u64, usize)) -> usize {
        let begin = Instant::now();
        let mut pace = Pace::new(begin, per_second);
        let mut count = 0;
        for passed in (0..=millis).step_by(step) {
            pace.pass(begin + Duration::from_millis(passed));
            while pace.next().is_none() && count < 100_000 {
                pace.start();
                count += 1;
            }
        }
        count
    }

    #[test]
    fn so_many_start_per_second_however_late_a_timer_is() {
        for step in [1, 5, 17] {
            let count = starts(400, (1_000, step));
            assert!((390..=412).contains(&count), "{count} with {step} ms");
        }
        assert_eq!(starts(0, (1, 1)), 100_000);
    }

    #[test]
    fn what_is_given_back_may_start_again_and_saves_nothing_up() {
        let begin = Instant::now();
        let mut pace = Pace::new(begin, 1);
        pace.start();
        assert!(pace.next().is_some());
        pace.give_back();
        assert_eq!(pace.next(), None);
        for _ in 0..10 {
            pace.start();
            pace.give_back();
        }
        pace.pass(begin + Duration::from_secs(10));
        pace.start();
        assert!(pace.next().is_some());
    }

    #[test]
    fn what_rests_has_saved_nothing_up() {
        let begin = Instant::now();
        let mut pace = Pace::new(begin, 100);
        pace.pass(begin + Duration::from_secs(60));
        let mut count = 0;
        while pace.next().is_none() {
            pace.start();
            count += 1;
        }
        assert_eq!(count, 3, "those of 20 ms, and the one that is due");
    }
}
