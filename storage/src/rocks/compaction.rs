//! Compaction that somebody has asked for: slice by slice, so that it can be seen how far it is, and ended.

use std::collections::BTreeSet;

use rocksdb::{BottommostLevelCompaction, CompactOptions};

use super::database::{Database, failed};
use crate::column_family::Family;
use crate::store::StoreError;

/// Tries to write files anew: RocksDB may have moved one out of the way of the first to another level.
const TRIES: usize = 2;

/// Rows of a family with `lower <= key < upper`; `None`: no bound.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Slice {
    lower: Option<Vec<u8>>,
    upper: Option<Vec<u8>>,
    /// Octets of the files that begin in it.
    pub(super) octets: u64,
}

impl Database {
    /// Octets of all files of rows.
    pub(super) fn octets(&self) -> u64 {
        let families = Family::ALL.map(|family| self.condition_of(family));
        let octets = families.map(|family| family.tables + family.blobs);
        octets.iter().sum()
    }

    /// All rows of a family, in slices of some `step` octets.
    pub(super) fn slices(&self, family: Family, step: u64) -> Result<Vec<Slice>, StoreError> {
        let files = self.rocks().live_files().map_err(|error| failed(&error))?;
        let files = files
            .into_iter()
            .filter(|file| file.column_family_name == family.name());
        let files = files.map(|file| (file.start_key.unwrap_or_default(), file.size as u64));
        // Blobs are where their keys are.
        Ok(cut(files.collect(), self.condition_of(family).blobs, step))
    }

    /// Writes the files of a slice anew, without what was removed or overwritten. Blocks. An error if files are as they were.
    pub(super) fn compact(&self, family: Family, slice: &Slice) -> Result<(), StoreError> {
        // A compaction does not say whether it failed.
        let before = self.files_within(family, slice)?;
        for _ in 0..TRIES {
            self.write_anew(family, slice);
            if self.files_within(family, slice)?.is_disjoint(&before) {
                return Ok(());
            }
        }
        Err(StoreError::Read {
            cause: format!(
                "files of {} could not be compacted and are as they were; db/LOG in the data folder says why",
                family.name()
            ),
        })
    }

    /// The names of the files whose rows are all in a slice.
    fn files_within(&self, family: Family, slice: &Slice) -> Result<BTreeSet<String>, StoreError> {
        let files = self.rocks().live_files().map_err(|error| failed(&error))?;
        let files = files.into_iter().filter(|file| {
            let is_above = |lower: &Vec<u8>| file.start_key.as_ref().is_some_and(|it| it >= lower);
            let is_below = |upper: &Vec<u8>| file.end_key.as_ref().is_some_and(|it| it < upper);
            file.column_family_name == family.name()
                && slice.lower.as_ref().is_none_or(is_above)
                && slice.upper.as_ref().is_none_or(is_below)
        });
        Ok(files.map(|file| file.name).collect())
    }

    fn write_anew(&self, family: Family, slice: &Slice) {
        let mut options = CompactOptions::default();
        // Compaction of what comes in goes on.
        options.set_exclusive_manual_compaction(false);
        options.set_bottommost_level_compaction(BottommostLevelCompaction::Force);
        let (lower, upper) = (slice.lower.as_deref(), slice.upper.as_deref());
        self.compact_range(family, lower, upper, &options);
    }
}

/// Cuts where files begin: `files` are the first key and the octets of each.
fn cut(mut files: Vec<(Vec<u8>, u64)>, blobs: u64, step: u64) -> Vec<Slice> {
    files.sort_unstable();
    let tables: u64 = files.iter().map(|(_, octets)| octets).sum();
    let mut slices = vec![Slice::default()];
    for (first, octets) in files {
        let share = u128::from(blobs) * u128::from(octets) / u128::from(tables.max(1));
        let octets = octets + u64::try_from(share).unwrap_or(0);
        if let Some(last) = slices.last_mut().filter(|last| last.octets >= step) {
            last.upper = Some(first.clone());
            slices.push(Slice {
                lower: Some(first),
                ..Slice::default()
            });
        }
        if let Some(last) = slices.last_mut() {
            last.octets += octets;
        }
    }
    slices
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn slices_meet_and_hold_all_octets() {
        let key = |n: u8| vec![n];
        let files = vec![(key(3), 60), (key(1), 50), (key(9), 10), (key(2), 60)];
        let slices = cut(files, 180, 200);
        let octets: Vec<_> = slices.iter().map(|slice| slice.octets).collect();
        assert_eq!(octets, [220, 140]);
        assert_eq!(slices[0].lower, None);
        assert_eq!(slices[0].upper, slices[1].lower);
        assert_eq!(slices[1].lower, Some(key(3)));
        assert_eq!(slices[1].upper, None);
        assert_eq!(cut(Vec::new(), 0, 1), [Slice::default()]);
    }
}
