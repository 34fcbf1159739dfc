//! Sets of octet positions, kept as disjoint intervals.

use std::ops::Range;

/// Positions of a message that have arrived or were reported, merged where they touch.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct RangeSet {
    /// Sorted, disjoint, not touching, none empty.
    intervals: Vec<Range<u64>>,
}

impl RangeSet {
    /// Adds `start..end`; an empty range changes nothing.
    pub fn insert(&mut self, range: Range<u64>) {
        if range.is_empty() {
            return;
        }
        let from = self
            .intervals
            .partition_point(|held| held.end < range.start);
        let to = self
            .intervals
            .partition_point(|held| held.start <= range.end);
        let merged = self
            .intervals
            .get(from..to)
            .unwrap_or_default()
            .iter()
            .fold(range, merge);
        self.intervals.splice(from..to, [merged]);
    }

    /// Whether every position below `total` is in the set.
    pub fn covers(&self, total: u64) -> bool {
        total == 0
            || self
                .intervals
                .first()
                .is_some_and(|held| held.start == 0 && held.end >= total)
    }

    /// Missing stretches below the highest position held.
    pub fn gaps(&self) -> usize {
        let leading = self.intervals.first().is_some_and(|held| held.start > 0);
        self.intervals.len().saturating_sub(1) + usize::from(leading)
    }

    /// One more than the highest position held.
    pub fn end(&self) -> u64 {
        self.intervals.last().map_or(0, |held| held.end)
    }

    /// Number of separate intervals.
    pub fn intervals(&self) -> usize {
        self.intervals.len()
    }
}

fn merge(mut merged: Range<u64>, held: &Range<u64>) -> Range<u64> {
    merged.start = merged.start.min(held.start);
    merged.end = merged.end.max(held.end);
    merged
}
