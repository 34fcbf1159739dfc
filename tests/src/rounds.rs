//! How many times the tests that kill processes or cut their power do so.

use std::time::Duration;

use crate::patience::START;

/// The variable with the rounds of all tests together; without it there are [`USUAL`].
pub const VARIABLE: &str = "CRASH_ROUNDS";

/// The shares of all tests, where each has its own number.
pub const USUAL: usize = 241;

/// The rounds of a test that has `share` of the usual ones; it says on its output how many.
///
/// # Panics
/// When the variable is no number.
pub fn rounds(share: usize) -> usize {
    let rounds = match std::env::var(VARIABLE) {
        Ok(all) => {
            let all: usize = all.parse().expect("CRASH_ROUNDS is a number");
            of(share, all)
        }
        Err(_) => share,
    };
    println!("crash rounds: {rounds}");
    rounds
}

/// A deadline for what grows with the rounds: `usual` for the usual ones.
pub fn patience(usual: Duration, share: usize, rounds: usize) -> Duration {
    let times = u32::try_from(rounds.div_ceil(share)).expect("few");
    usual * times.max(1) + START
}

fn of(share: usize, all: usize) -> usize {
    (share * all).div_ceil(USUAL)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn shares_grow_with_the_rounds_of_all() {
        assert_eq!((of(30, USUAL), of(30, 2 * USUAL)), (30, 60));
        assert_eq!((of(8, 1_000), of(8, 1)), (34, 1));
    }
}
