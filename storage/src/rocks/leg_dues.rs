//! Where searches of the indexes of legs by due time begin and end, so that none walks twice over what others have
//! removed (C-28).
//!
//! A claimed leg stands ahead, under the end of its lease, and is gone from there when it is settled: ahead of the
//! present there are mostly tombstones. So legs that are due are searched up to the present only, and the next one ahead is
//! looked for when there is nothing else to do, each from a bound of its own.

use std::sync::{Mutex, MutexGuard, PoisonError};

use super::database::Database;
use crate::column_family::Family;
use crate::key;
use crate::model::{JobClass, LegName, UnixMillis};
use crate::store::StoreError;

/// The earliest rows that were added to the indexes by due time.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct EarliestDues {
    pager: Earliest,
    large: Earliest,
}

/// Of one index.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
struct Earliest {
    row: Option<UnixMillis>,
    /// Of the rows that lay ahead when they were added.
    ahead: Option<UnixMillis>,
}

impl EarliestDues {
    fn of(&mut self, class: JobClass) -> &mut Earliest {
        match class {
            JobClass::Pager => &mut self.pager,
            JobClass::Large => &mut self.large,
        }
    }

    /// A row is added at this time of the steady clock.
    pub(super) fn add(&mut self, class: JobClass, at: UnixMillis, now: UnixMillis) {
        let earliest = self.of(class);
        lower(&mut earliest.row, Some(at));
        lower(&mut earliest.ahead, Some(at).filter(|at| *at > now));
    }

    /// All that `other` has are added.
    pub(super) fn merge(&mut self, mut other: Self) {
        for class in JobClass::ALL {
            let (earliest, other) = (self.of(class), *other.of(class));
            lower(&mut earliest.row, other.row);
            lower(&mut earliest.ahead, other.ahead);
        }
    }
}

fn lower<T: Ord + Copy>(earliest: &mut Option<T>, at: Option<T>) {
    *earliest = [*earliest, at].into_iter().flatten().min();
}

/// How far the searches of both indexes are. Searches of one index come one at a time.
#[derive(Debug, Default)]
pub(super) struct LegDues {
    pager: Bounds,
    large: Bounds,
}

/// Of one index.
#[derive(Debug, Default)]
struct Bounds {
    /// No row is earlier.
    due: LowerBound,
    /// No row that lay ahead when it was added is earlier, but those that are due.
    ahead: LowerBound,
}

impl LegDues {
    fn bounds(&self, class: JobClass) -> &Bounds {
        match class {
            JobClass::Pager => &self.pager,
            JobClass::Large => &self.large,
        }
    }

    /// These rows are on disk.
    pub(super) fn note(&self, mut earliest: EarliestDues) {
        for class in JobClass::ALL {
            let (earliest, bounds) = (*earliest.of(class), self.bounds(class));
            earliest.row.inspect(|at| bounds.due.note(*at));
            earliest.ahead.inspect(|at| bounds.ahead.note(*at));
        }
    }

    /// Rows until `now`, from the first one on, at most `limit`.
    pub(super) fn due(
        &self,
        database: &Database,
        class: JobClass,
        now: UnixMillis,
        limit: usize,
    ) -> Result<Vec<(UnixMillis, LegName)>, StoreError> {
        self.bounds(class).due.search(|lower| {
            let beyond = UnixMillis(now.0.saturating_add(1));
            let mut dues = Vec::new();
            if lower < beyond {
                let lower = key::leg_due(lower, LegName::default());
                let upper = key::leg_due(beyond, LegName::default());
                let mut scan = database.scan(Family::leg_due(class), &lower, Some(&upper));
                while dues.len() < limit {
                    let Some(due) = scan.step(|key, _| key::decode_leg_due(key))? else {
                        break;
                    };
                    dues.push(due);
                }
            }
            let first = dues.first().map_or(lower.max(beyond), |(at, _)| *at);
            Ok((dues, first))
        })
    }

    /// The first row behind `now`.
    pub(super) fn next(
        &self,
        database: &Database,
        class: JobClass,
        now: UnixMillis,
    ) -> Result<Option<UnixMillis>, StoreError> {
        self.bounds(class).ahead.search(|lower| {
            let lower = lower.max(UnixMillis(now.0.saturating_add(1)));
            let lower = key::leg_due(lower, LegName::default());
            let mut scan = database.scan(Family::leg_due(class), &lower, None);
            let next = scan.step(|key, _| key::decode_leg_due(key))?;
            let next = next.map(|(at, _)| at);
            Ok((next, next.unwrap_or(UnixMillis(u64::MAX))))
        })
    }
}

/// A time, or another place in an order, that only what is written lowers.
#[derive(Debug, Default)]
pub(super) struct LowerBound<T = UnixMillis> {
    known: Mutex<Known<T>>,
    /// Held for a search: one at a time, also where nobody waits for the last one any more.
    searching: Mutex<()>,
}

#[derive(Debug, Default)]
struct Known<T> {
    /// No row is earlier.
    lower: T,
    /// The earliest row that was written since a search began: it may not have seen it.
    written: Option<T>,
}

impl<T: Ord + Copy> LowerBound<T> {
    /// A row that was written.
    pub(super) fn note(&self, at: T) {
        let mut known = self.lock();
        known.lower = known.lower.min(at);
        lower(&mut known.written, Some(at));
    }

    /// Searches from the place that is given. The search says, with what it has found, what nothing it has found is earlier
    /// than.
    pub(super) fn search<A, F>(&self, search: impl FnOnce(T) -> Result<(A, T), F>) -> Result<A, F> {
        let _searching = self
            .searching
            .lock()
            .unwrap_or_else(PoisonError::into_inner);
        let (found, first) = search(self.begin())?;
        self.end(first);
        Ok(found)
    }

    /// Where a search begins.
    fn begin(&self) -> T {
        let mut known = self.lock();
        known.written = None;
        known.lower
    }

    /// The search has found nothing earlier than this.
    fn end(&self, first: T) {
        let mut known = self.lock();
        known.lower = known.written.map_or(first, |written| written.min(first));
    }

    fn lock(&self) -> MutexGuard<'_, Known<T>> {
        self.known.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
impl LegDues {
    /// Of what is due, and of what lies ahead.
    pub(super) fn lower_bounds(&self, class: JobClass) -> (UnixMillis, UnixMillis) {
        let bounds = self.bounds(class);
        (bounds.due.lock().lower, bounds.ahead.lock().lower)
    }

    /// Searches have found nothing earlier than this.
    pub(super) fn end_both(&self, class: JobClass, first: UnixMillis) {
        let bounds = self.bounds(class);
        for bound in [&bounds.due, &bounds.ahead] {
            bound.begin();
            bound.end(first);
        }
    }
}
