//! What the committer knows better than the disk: the rows of the open group and of the last ones.
//!
//! A rehearsal notes the last group that was on disk before it began to read. Rows of later groups
//! are here, newer than what it read; every other row it read still stands. A rehearsal from
//! before the oldest group kept here is done again, so that memory is bounded.

use std::collections::VecDeque;

use rustc_hash::FxHashMap;

use super::row::{Row, RowKey};

/// Counts groups.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct GroupNumber(pub(super) u64);

/// Groups whose rows are kept after they are on disk.
const GROUPS_KEPT: usize = 64;

#[derive(Default)]
pub(super) struct Overlay {
    rows: FxHashMap<RowKey, (GroupNumber, Option<Row>)>,
    /// Keys by group, oldest first.
    groups: VecDeque<(GroupNumber, Vec<RowKey>)>,
    /// The newest group that is not kept any more.
    floor: GroupNumber,
    /// Keys of the open group.
    open: Vec<RowKey>,
}

impl Overlay {
    /// Whether rows read when `group` was the last on disk can be brought up to date from here.
    pub(super) fn covers(&self, group: GroupNumber) -> bool {
        group >= self.floor
    }

    /// The newest version of a row, if it was written lately. The inner `None` says it was removed.
    pub(super) fn get(&self, key: &RowKey) -> Option<&Option<Row>> {
        self.rows.get(key).map(|(_, row)| row)
    }

    /// Writes a row in the open group.
    pub(super) fn set(&mut self, group: GroupNumber, key: RowKey, row: Option<Row>) {
        let earlier = self.rows.insert(key, (group, row));
        if earlier.is_none_or(|(earlier, _)| earlier != group) {
            self.open.push(key);
        }
    }

    /// The rows of the open group, each once, as it will be on disk.
    pub(super) fn open_rows(&self) -> impl Iterator<Item = (&RowKey, &Option<Row>)> + Clone {
        let rows = self.open.iter();
        rows.filter_map(|key| self.rows.get(key).map(|(_, row)| (key, row)))
    }

    /// The open group is on disk: forgets the oldest ones.
    pub(super) fn close_group(&mut self, group: GroupNumber) {
        self.groups
            .push_back((group, std::mem::take(&mut self.open)));
        while self.groups.len() > GROUPS_KEPT {
            let Some((oldest, keys)) = self.groups.pop_front() else {
                break;
            };
            self.forget(oldest, keys);
        }
    }

    fn forget(&mut self, group: GroupNumber, keys: Vec<RowKey>) {
        for key in keys {
            if self
                .rows
                .get(&key)
                .is_some_and(|(written, _)| *written == group)
            {
                self.rows.remove(&key);
            }
        }
        self.floor = group;
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::{MailboxId, Sequence};

    const KEY: RowKey = RowKey::Mailbox(MailboxId(1));

    fn row(sequence: u64) -> Option<Row> {
        Some(Row::FirstWaiting(Sequence(sequence)))
    }

    fn close_groups(overlay: &mut Overlay, groups: std::ops::Range<u64>) {
        for group in groups {
            overlay.close_group(GroupNumber(group));
        }
    }

    #[test]
    fn a_row_is_kept_until_no_rehearsal_can_be_older() {
        let mut overlay = Overlay::default();
        overlay.set(GroupNumber(1), KEY, row(1));
        close_groups(&mut overlay, 1..65);
        assert!(overlay.get(&KEY).is_some());
        assert!(overlay.covers(GroupNumber(0)));
        close_groups(&mut overlay, 65..66);
        assert!(overlay.get(&KEY).is_none());
        assert!(!overlay.covers(GroupNumber(0)));
        assert!(overlay.covers(GroupNumber(1)));
    }

    #[test]
    fn a_row_written_again_outlives_the_group_it_came_with() {
        let mut overlay = Overlay::default();
        overlay.set(GroupNumber(1), KEY, row(1));
        overlay.close_group(GroupNumber(1));
        overlay.set(GroupNumber(2), KEY, None);
        close_groups(&mut overlay, 2..66);
        assert!(matches!(overlay.get(&KEY), Some(None)));
    }

    #[test]
    fn the_open_group_has_each_row_once() {
        let mut overlay = Overlay::default();
        overlay.set(GroupNumber(1), KEY, row(1));
        overlay.set(GroupNumber(1), KEY, row(2));
        let rows: Vec<_> = overlay.open_rows().collect();
        assert!(matches!(
            rows[..],
            [(_, Some(Row::FirstWaiting(Sequence(2))))]
        ));
    }
}
