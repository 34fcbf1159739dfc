//! What follows from the outcome of a try (CFP-18).

use std::time::Duration;

use crate::model::{LegName, LegOutcome};

const BACK_OFF_MIN: Duration = Duration::from_secs(2);
const BACK_OFF_MAX: Duration = Duration::from_secs(600);
/// After 482: what was pending there is over by then (RFC 3261 §17.1.2.2, timer F).
const AFTER_LOOP: Duration = Duration::from_secs(32);
/// Answers 482 that are taken for a pending request.
const LOOPS_MAX: u32 = 10;

/// What follows.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Verdict {
    /// The recipient has it.
    Delivered,
    /// He never will.
    Failed,
    /// Another try.
    Again {
        /// From now.
        after: Duration,
        /// Whether this one counts.
        counted: bool,
        /// Whether it was a 482.
        looped: bool,
    },
}

/// Decides on the outcome of a try of `leg` that had `attempts` before it, `loops` of them 482.
pub(crate) fn verdict(outcome: &LegOutcome, leg: LegName, attempts: u32, loops: u32) -> Verdict {
    let again = |after, counted, looped| Verdict::Again {
        after,
        counted,
        looped,
    };
    match outcome {
        LegOutcome::Answered {
            status,
            retry_after,
            ..
        } => {
            let asked = retry_after.unwrap_or_default();
            match status {
                200..=299 => Verdict::Delivered,
                482 if loops + 1 >= LOOPS_MAX => Verdict::Failed,
                482 => again(AFTER_LOOP.max(asked), true, true),
                408 | 480 | 486 => again(back_off(leg, attempts).max(asked), true, false),
                400..=499 | 600..=699 => Verdict::Failed,
                _ => again(back_off(leg, attempts).max(asked), true, false),
            }
        }
        LegOutcome::HopDown { retry_after, .. } => {
            again(retry_after.unwrap_or(BACK_OFF_MIN), false, false)
        }
        LegOutcome::Returned => again(Duration::ZERO, false, false),
    }
}

/// 2 s, 4 s, … 10 min, each up to a quarter longer, so that what failed together is not tried together.
fn back_off(leg: LegName, attempts: u32) -> Duration {
    let doubled = BACK_OFF_MIN.saturating_mul(1 << attempts.min(16));
    let plain = doubled.min(BACK_OFF_MAX);
    (plain + plain * spread(leg, attempts) / 1_024).min(BACK_OFF_MAX)
}

/// 0 to 255, the same for the same try: an operation may run twice.
fn spread(leg: LegName, attempts: u32) -> u32 {
    let mut mixed = leg.job.0 ^ (u64::from(leg.index) << 32) ^ u64::from(attempts);
    mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    u32::from((mixed >> 56) as u8)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::JobNumber;

    const LEG: LegName = LegName {
        job: JobNumber(1_700_000_000_000_000),
        index: 3,
    };

    fn answered(status: u16) -> LegOutcome {
        LegOutcome::Answered {
            status,
            reason: String::new(),
            retry_after: None,
        }
    }

    #[test]
    fn statuses_are_sorted_as_the_requirement_says() {
        for status in [200, 202] {
            assert_eq!(verdict(&answered(status), LEG, 0, 0), Verdict::Delivered);
        }
        for status in [400, 403, 404, 410, 413, 415, 488, 600, 603, 606] {
            assert_eq!(verdict(&answered(status), LEG, 0, 0), Verdict::Failed);
        }
        for status in [302, 408, 480, 486, 500, 503, 504] {
            let verdict = verdict(&answered(status), LEG, 0, 0);
            assert!(
                matches!(
                    verdict,
                    Verdict::Again {
                        counted: true,
                        looped: false,
                        ..
                    }
                ),
                "{status}"
            );
        }
    }

    #[test]
    fn the_pause_doubles_from_two_seconds_to_ten_minutes() {
        let mut last = Duration::ZERO;
        for attempts in 0..40 {
            let Verdict::Again { after, .. } = verdict(&answered(500), LEG, attempts, 0) else {
                panic!("500 is not the end");
            };
            assert!(after >= last && after >= BACK_OFF_MIN && after <= BACK_OFF_MAX);
            last = after;
        }
        assert_eq!(last, BACK_OFF_MAX);
        let others = (0..100).map(|index| back_off(LegName { index, ..LEG }, 0));
        let mut others: Vec<_> = others.collect();
        others.sort_unstable();
        others.dedup();
        assert!(others.len() > 50, "the pauses of a job are spread");
    }

    #[test]
    fn a_loop_is_tried_ten_times() {
        let after_loop = Verdict::Again {
            after: AFTER_LOOP,
            counted: true,
            looped: true,
        };
        assert_eq!(verdict(&answered(482), LEG, 0, 0), after_loop);
        assert_eq!(verdict(&answered(482), LEG, 8, 8), after_loop);
        assert_eq!(verdict(&answered(482), LEG, 9, 9), Verdict::Failed);
    }

    #[test]
    fn a_hop_that_is_down_counts_no_try() {
        let outcome = LegOutcome::HopDown {
            reason: String::new(),
            retry_after: Some(Duration::from_secs(7)),
        };
        let again = Verdict::Again {
            after: Duration::from_secs(7),
            counted: false,
            looped: false,
        };
        assert_eq!(verdict(&outcome, LEG, 5, 0), again);
    }

    #[test]
    fn retry_after_of_the_peer_is_kept() {
        let outcome = LegOutcome::Answered {
            status: 480,
            reason: String::new(),
            retry_after: Some(Duration::from_secs(900)),
        };
        let Verdict::Again { after, .. } = verdict(&outcome, LEG, 0, 0) else {
            panic!("480 is not the end");
        };
        assert_eq!(after, Duration::from_secs(900));
    }
}
