//! How far long work has come, and whether it is to go on.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Mutex, MutexGuard, PoisonError};

use crate::store::StoreError;

/// Shared by who does the work and who looks at it.
#[derive(Debug, Default)]
pub struct Walk {
    walked: Mutex<Walked>,
    is_aborted: AtomicBool,
}

/// Which part of the work it is.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Stage {
    /// A copy of the store is being made; in octets, of which there are none where files are shared.
    #[default]
    Copying,
    /// Each row is read; in rows.
    Reading,
    /// Rows are compared with each other; in rows.
    Comparing,
    /// Files are written anew; in octets.
    Compacting,
}

/// How far.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Walked {
    /// The part that is under way.
    pub stage: Stage,
    /// Rows or octets of it that are done.
    pub done: u64,
    /// How many there are of them, estimated: never less than are done.
    pub total: u64,
}

impl Walk {
    fn walked(&self) -> MutexGuard<'_, Walked> {
        self.walked.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// How far it is.
    #[must_use]
    pub fn look(&self) -> Walked {
        *self.walked()
    }

    /// Ends the work at its next step.
    pub fn abort(&self) {
        self.is_aborted.store(true, Ordering::Relaxed);
    }

    /// A part begins, of some `total` rows or octets.
    pub fn enter(&self, stage: Stage, total: u64) {
        *self.walked() = Walked {
            stage,
            done: 0,
            total,
        };
    }

    /// So many more are done.
    ///
    /// # Errors
    /// [`StoreError::Aborted`] if it is not to go on.
    pub fn step(&self, done: u64) -> Result<(), StoreError> {
        if self.is_aborted.load(Ordering::Relaxed) {
            return Err(StoreError::Aborted);
        }
        let mut walked = self.walked();
        walked.done += done;
        walked.total = walked.total.max(walked.done);
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_walk_counts_by_stage_and_ends_when_it_is_aborted() {
        let walk = Walk::default();
        walk.enter(Stage::Reading, 2);
        for _ in 0..3 {
            walk.step(1).expect("it goes on");
        }
        let Walked { stage, done, total } = walk.look();
        assert_eq!((stage, done, total), (Stage::Reading, 3, 3));
        walk.enter(Stage::Comparing, 9);
        assert_eq!((walk.look().done, walk.look().total), (0, 9));
        walk.abort();
        assert_eq!(walk.step(1), Err(StoreError::Aborted));
        assert_eq!(walk.look().done, 0);
    }
}
