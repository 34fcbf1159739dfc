//! Which octets of an upload have come.

use std::collections::BTreeMap;
use std::ops::Range;

/// Octets that have come: ranges in order that neither overlap nor touch.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Coverage {
    /// End by start.
    ranges: BTreeMap<u64, u64>,
}

impl Coverage {
    /// Notes that the octets of a range have come.
    pub(crate) fn add(&mut self, range: Range<u64>) {
        if range.is_empty() {
            return;
        }
        let Range { mut start, mut end } = range;
        if let Some((&before, &its_end)) = self.ranges.range(..=start).next_back()
            && its_end >= start
        {
            start = before;
            end = end.max(its_end);
        }
        while let Some((&next, &its_end)) = self.ranges.range(start..=end).next() {
            self.ranges.remove(&next);
            end = end.max(its_end);
        }
        self.ranges.insert(start, end);
    }

    /// Whether exactly the octets from zero to `octets` have come.
    pub(crate) fn is_whole(&self, octets: u64) -> bool {
        let mut ranges = self.ranges.iter();
        match (ranges.next(), ranges.next()) {
            (None, None) => octets == 0,
            (Some((&start, &end)), None) => (start, end) == (0, octets),
            _ => false,
        }
    }

    /// Ranges with gaps between them.
    pub(crate) fn ranges(&self) -> usize {
        self.ranges.len()
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn it_knows_what_a_set_of_octets_knows(
            ranges in proptest::collection::vec((0u64..60, 0u64..12), 0..24),
        ) {
            let mut coverage = Coverage::default();
            let mut octets = BTreeSet::new();
            for (start, length) in ranges {
                coverage.add(start..start + length);
                octets.extend(start..start + length);
            }
            let runs = octets.iter().filter(|octet| !octets.contains(&(**octet + 1))).count();
            prop_assert_eq!(coverage.ranges(), runs);
            for length in 0..80 {
                let whole = octets.iter().copied().eq(0..length);
                prop_assert_eq!(coverage.is_whole(length), whole, "{}", length);
            }
        }
    }
}
