//! What may still be sent under a claim: a message that is withdrawn before its sending begins is never sent
//! (requirements §3.13, §3.14).

use std::collections::HashSet;
use std::sync::{Mutex, MutexGuard, PoisonError};

/// The gate before the messages of one claim, by their places in the mailbox.
#[derive(Debug, Default)]
pub(crate) struct SendGate(Mutex<Passed>);

#[derive(Debug, Default)]
struct Passed {
    begun: HashSet<u64>,
    withdrawn: HashSet<u64>,
}

impl SendGate {
    /// Whether the sending of this message may begin; from then on it cannot be withdrawn.
    pub(crate) fn begin(&self, sequence: u64) -> bool {
        let mut passed = self.lock();
        let may_begin = !passed.withdrawn.contains(&sequence);
        if may_begin {
            passed.begun.insert(sequence);
        }
        may_begin
    }

    /// Keeps this message from being sent under the claim; false if its sending has begun.
    pub(crate) fn withdraw(&self, sequence: u64) -> bool {
        let mut passed = self.lock();
        let has_begun = passed.begun.contains(&sequence);
        if !has_begun {
            passed.withdrawn.insert(sequence);
        }
        !has_begun
    }

    fn lock(&self) -> MutexGuard<'_, Passed> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_comes_first_wins() {
        let gate = SendGate::default();
        assert!(gate.begin(1));
        assert!(!gate.withdraw(1), "it has begun");
        assert!(gate.withdraw(2));
        assert!(!gate.begin(2), "it is withdrawn");
        assert!(gate.withdraw(2), "a second time");
        assert!(gate.begin(1), "it goes on");
    }
}
