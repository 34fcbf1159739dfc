//! The rows that one transaction has written and may read again.

use rustc_hash::FxHashMap;

use super::row::{Row, RowKey};

/// So many rows are looked through; with more there is a map.
const FEW: usize = 16;

/// Each row once, as it was written last.
#[derive(Debug, Default)]
pub(super) struct WrittenRows {
    rows: Vec<(RowKey, Option<Row>)>,
    /// Where each of them is, once they are not few.
    places: FxHashMap<RowKey, usize>,
}

impl WrittenRows {
    /// A row of this transaction. The inner `None` says that it was removed.
    pub(super) fn get(&self, key: &RowKey) -> Option<&Option<Row>> {
        let (_, row) = self.rows.get(self.place(key)?)?;
        Some(row)
    }

    /// Writes a row, or removes it.
    pub(super) fn set(&mut self, key: RowKey, row: Option<Row>) {
        if let Some((_, own)) = self.place(&key).and_then(|place| self.rows.get_mut(place)) {
            *own = row;
            return;
        }
        self.rows.push((key, row));
        match self.rows.len() {
            0..=FEW => {}
            count if self.places.is_empty() => {
                self.places.reserve(2 * count);
                let keys = self.rows.iter().map(|(key, _)| *key);
                self.places.extend(keys.zip(0..));
            }
            count => drop(self.places.insert(key, count - 1)),
        }
    }

    pub(super) fn is_empty(&self) -> bool {
        self.rows.is_empty()
    }

    fn place(&self, key: &RowKey) -> Option<usize> {
        match self.places.is_empty() {
            true => self.rows.iter().position(|(own, _)| own == key),
            false => self.places.get(key).copied(),
        }
    }
}

impl IntoIterator for WrittenRows {
    type Item = (RowKey, Option<Row>);
    type IntoIter = std::vec::IntoIter<Self::Item>;

    fn into_iter(self) -> Self::IntoIter {
        self.rows.into_iter()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::{MailboxId, Sequence};

    #[test]
    fn each_row_is_there_once_as_it_was_written_last() {
        for count in [1, FEW as u64, FEW as u64 + 1, 100] {
            let mut written = WrittenRows::default();
            let key = |number| RowKey::Mailbox(MailboxId(number));
            let row = |number| Some(Row::FirstWaiting(Sequence(number)));
            for number in 0..count {
                written.set(key(number), row(number));
            }
            for number in (0..count).step_by(2) {
                written.set(key(number), row(number + 1_000));
            }
            written.set(key(count / 2), None);
            assert!(written.get(&key(count)).is_none());
            for number in 0..count {
                let expected = match number {
                    _ if number == count / 2 => None,
                    _ if number % 2 == 0 => Some(number + 1_000),
                    _ => Some(number),
                };
                let is_expected = match written.get(&key(number)) {
                    Some(Some(Row::FirstWaiting(Sequence(found)))) => Some(*found) == expected,
                    Some(None) => expected.is_none(),
                    _ => false,
                };
                assert!(is_expected, "{number} of {count}");
            }
            let keys: Vec<_> = written.into_iter().map(|(key, _)| key).collect();
            assert_eq!(keys, (0..count).map(key).collect::<Vec<_>>());
        }
    }
}
