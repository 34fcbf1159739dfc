//! How many refused calls are told of: somebody without a role must not fill the disk.

use std::time::{Duration, Instant};

/// Refused calls that are told of within [`WINDOW`].
const TOLD: u32 = 10;

const WINDOW: Duration = Duration::from_secs(1);

/// Counts refused calls; time is passed in.
#[derive(Debug, Default)]
pub(super) struct Refusals {
    /// When the window began, and how many were told in it.
    window: Option<(Instant, u32)>,
    untold: u64,
}

impl Refusals {
    /// One more: the number of those before it that were not told of, if it is to be told; else it is one of them.
    pub(super) fn next(&mut self, now: Instant) -> Option<u64> {
        let (since, told) = match self.window {
            Some((since, told)) if now.duration_since(since) < WINDOW => (since, told),
            _ => (now, 0),
        };
        if told >= TOLD {
            self.untold += 1;
            return None;
        }
        self.window = Some((since, told + 1));
        Some(std::mem::take(&mut self.untold))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ten_a_second_are_told_and_the_next_one_says_how_many_were_not() {
        let begin = Instant::now();
        let mut refusals = Refusals::default();
        for _ in 0..TOLD {
            assert_eq!(refusals.next(begin), Some(0));
        }
        let late = begin + WINDOW - Duration::from_millis(1);
        for _ in 0..25 {
            assert_eq!(refusals.next(late), None);
        }
        assert_eq!(refusals.next(begin + WINDOW), Some(25));
        assert_eq!(refusals.next(begin + WINDOW), Some(0));
    }
}
