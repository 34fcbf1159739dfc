//! The event log of this engine: entries in the batches of what they tell, read from the disk.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use rocksdb::WriteBatch;
use tokio::sync::watch;

use super::RocksStore;
use super::database::Database;
use super::disk::Disk;
use super::queue::Lane;
use super::shared::Shared;
use super::submit::{Operation, submit};
use super::transaction::{Erased, Interrupt, Transaction};
use crate::column_family::Family;
use crate::config::EventLogConfig;
use crate::event_log::EventLogStore;
use crate::key;
use crate::model::{
    Event, LogEntry, LogPage, LogPosition, MailboxId, MessageId, State, UnixMillis,
};
use crate::rule::event_log::{is_told, no_log, told_sender};
use crate::store::{StoreError, Synced};
use crate::value::{self, Counters, EnvelopeValue, LogEntryValue, LogValue};

/// Most entries that one trim looks at.
const TRIMMED: usize = 10_000;

/// What is kept in memory of the log.
#[derive(Debug)]
pub(super) struct LogState {
    /// The last position on disk.
    written: watch::Sender<LogPosition>,
    entries: Mutex<Entries>,
}

/// How many entries there are.
#[derive(Debug, Default)]
struct Entries {
    /// Of those up to `upto`, what is left of them; nobody knows before the first trim has counted them.
    counted: Option<u64>,
    /// Those behind it.
    grown: u64,
    /// The last position on disk.
    upto: LogPosition,
}

impl Default for LogState {
    fn default() -> Self {
        Self {
            written: watch::Sender::new(LogPosition::default()),
            entries: Mutex::default(),
        }
    }
}

impl LogState {
    fn entries(&self) -> MutexGuard<'_, Entries> {
        self.entries.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// So many more entries are on disk, the last one before this serial number.
    pub(super) fn grown(&self, entries: u64, next_serial: u64) {
        if entries > 0 {
            self.reach(entries, next_serial);
        }
    }

    /// Everything before this serial number is on disk.
    pub(super) fn reached(&self, next_serial: u64) {
        self.reach(0, next_serial);
    }

    fn reach(&self, grown: u64, next_serial: u64) {
        let last = LogPosition(next_serial.saturating_sub(1));
        let mut entries = self.entries();
        entries.grown += grown;
        entries.upto = last;
        drop(entries);
        self.written.send_replace(last);
    }

    /// How many entries there are. They are counted by `count` if nobody has yet: those up to a position, while what is
    /// written meanwhile is counted as it comes.
    fn number(
        &self,
        count: impl FnOnce(LogPosition) -> Result<u64, StoreError>,
    ) -> Result<u64, StoreError> {
        let mut entries = self.entries();
        if entries.counted.is_none() {
            entries.grown = 0;
            let upto = entries.upto;
            drop(entries);
            let counted = count(upto)?;
            entries = self.entries();
            entries.counted = Some(counted);
        }
        Ok(entries.counted.unwrap_or_default() + entries.grown)
    }

    /// So many have been removed.
    fn trimmed(&self, trimmed: u64) {
        let mut entries = self.entries();
        let left = entries.counted.unwrap_or_default() + entries.grown;
        entries.counted = Some(left.saturating_sub(trimmed));
        entries.grown = 0;
    }
}

/// Begins a log, or removes one that is not wanted any more.
pub(super) fn prepare(
    wanted: Option<&EventLogConfig>,
    database: &Database,
    counters: &Counters,
    disk: &mut dyn Disk,
) -> Result<(), StoreError> {
    let is_there = database.read(Family::Meta, &key::EVENT_LOG)?.is_some();
    if is_there == wanted.is_some() {
        return Ok(());
    }
    let mut batch = WriteBatch::default();
    let families = database.families();
    if wanted.is_some() {
        let begun = LogValue {
            begins_after: counters.next_serial.saturating_sub(1),
            cursor: None,
        };
        families.put(
            &mut batch,
            Family::Meta,
            &key::EVENT_LOG,
            &value::encode(&begun),
        );
    } else {
        families.delete(&mut batch, Family::Meta, &key::EVENT_LOG);
        let all = entries(0, u64::MAX);
        families.delete_range(&mut batch, &all);
    }
    let committed = disk.commit(database, batch);
    committed.map_err(|cause| StoreError::Latched { cause })
}

/// The rows after one position up to another.
fn entries(after: u64, upto: u64) -> Erased {
    Erased {
        family: Family::EventLog,
        lower: after.saturating_add(1).to_be_bytes().to_vec(),
        upper: upto.saturating_add(1).to_be_bytes().to_vec(),
    }
}

impl Transaction<'_> {
    /// Tells of what happens to a message of this envelope, if anybody is told.
    pub(super) fn log_event(
        &mut self,
        envelope: &EnvelopeValue,
        (mailbox, message, expires_at): (MailboxId, MessageId, UnixMillis),
        state: State,
        event: &Event,
    ) {
        if self.shared.config.event_log.is_none() || !self.is_commit() || !is_told(event.kind) {
            return;
        }
        let position = LogPosition(self.counters.next_serial);
        self.counters.next_serial += 1;
        let directory = &self.shared.directory;
        let entry = LogEntry {
            position,
            event: event.clone(),
            message,
            served_user: envelope.envelope.served_user.clone(),
            sender: told_sender(&envelope.envelope),
            class: envelope.envelope.class,
            priority: envelope.envelope.priority,
            octets: envelope.octets(),
            state,
            expires_at,
            registered: directory.is_bound(directory.owner(mailbox), self.times.wall),
        };
        self.append(Family::EventLog, position.0.to_be_bytes(), || {
            value::encode(&LogEntryValue(entry))
        });
    }

    fn begun_log(&mut self) -> Result<LogValue, Interrupt> {
        Ok(self.event_log()?.ok_or_else(no_log)?)
    }
}

/// Remembers how far entries have been handed on.
struct SetCursor(LogPosition);

impl Operation for SetCursor {
    type Answer = ();

    const LANE: Lane = Lane::Requests;

    fn run(&self, transaction: &mut Transaction<'_>) -> Result<(), Interrupt> {
        let log = transaction.begun_log()?;
        let cursor = Some(self.0.0);
        transaction.set_event_log(Some(LogValue { cursor, ..log }));
        Ok(())
    }
}

/// Removes entries up to a position.
struct Trim {
    upto: LogPosition,
}

impl Operation for Trim {
    type Answer = ();

    const LANE: Lane = Lane::Bulk;

    fn run(&self, transaction: &mut Transaction<'_>) -> Result<(), Interrupt> {
        let log = transaction.begun_log()?;
        let Erased {
            family,
            lower,
            upper,
        } = entries(log.begins_after, self.upto.0);
        let begins_after = log.begins_after.max(self.upto.0);
        if begins_after > log.begins_after {
            transaction.erase_range(family, (lower, upper));
            transaction.set_event_log(Some(LogValue {
                begins_after,
                ..log
            }));
        }
        Ok(())
    }
}

impl Shared {
    fn log_value(&self) -> Result<LogValue, StoreError> {
        let row = self.database.read(Family::Meta, &key::EVENT_LOG)?;
        value::decode(&row.ok_or_else(no_log)?)
    }

    fn read_log(&self, after: LogPosition, limit: usize) -> Result<LogPage, StoreError> {
        loop {
            let log = self.log_value()?;
            let page = self.log_page(&log, after, limit)?;
            // Else entries were removed between the two, and the page does not say so.
            if self.log_value()?.begins_after == log.begins_after {
                return Ok(page);
            }
        }
    }

    fn log_page(
        &self,
        log: &LogValue,
        after: LogPosition,
        limit: usize,
    ) -> Result<LogPage, StoreError> {
        let from = after.0.max(log.begins_after).saturating_add(1);
        let mut scan = self
            .database
            .scan(Family::EventLog, &from.to_be_bytes(), None);
        let mut page = LogPage {
            lost: after.0 < log.begins_after,
            entries: Vec::new(),
        };
        while page.entries.len() < limit {
            let Some(entry) = scan.step(decode_entry)? else {
                break;
            };
            page.entries.push(entry);
        }
        Ok(page)
    }

    /// The last entry to be trimmed now, how many go with it, and whether there may be more.
    fn to_trim(
        &self,
        config: &EventLogConfig,
    ) -> Result<Option<(LogPosition, usize, bool)>, StoreError> {
        let log = self.log_value()?;
        let from = log.begins_after.saturating_add(1).to_be_bytes();
        let entries = self.event_log.number(|upto| {
            let beyond = upto.0.saturating_add(1).to_be_bytes();
            if from >= beyond {
                return Ok(0);
            }
            let mut scan = self.database.scan(Family::EventLog, &from, Some(&beyond));
            let mut counted = 0;
            while scan.step(|_, _| Ok(()))?.is_some() {
                counted += 1;
            }
            Ok(counted)
        })?;
        let too_many = entries.saturating_sub(config.entries);
        let now = self.times.read().wall;
        let mut scan = self.database.scan(Family::EventLog, &from, None);
        let (mut last, mut trimmed) = (None, 0);
        while trimmed < TRIMMED {
            let Some(entry) = scan.step(decode_entry)? else {
                break;
            };
            let is_too_old = entry.event.at.after(config.retention) <= now;
            if !is_too_old && trimmed as u64 >= too_many {
                break;
            }
            last = Some(entry.position);
            trimmed += 1;
        }
        Ok(last.map(|last| (last, trimmed, trimmed == TRIMMED)))
    }
}

fn decode_entry(key: &[u8], octets: &[u8]) -> Result<LogEntry, StoreError> {
    let LogEntryValue(entry) = value::decode(octets)?;
    let position = key::decode_log_position(key)?;
    Ok(LogEntry { position, ..entry })
}

impl EventLogStore for RocksStore {
    async fn read_events(&self, after: LogPosition, limit: usize) -> Result<LogPage, StoreError> {
        self.read(move |shared| shared.read_log(after, limit)).await
    }

    fn follow_events(&self) -> Option<watch::Receiver<LogPosition>> {
        let kept = self.shared.config.event_log.as_ref();
        kept.map(|_| self.shared.event_log.written.subscribe())
    }

    async fn event_cursor(&self) -> Result<Option<LogPosition>, StoreError> {
        self.read(|shared| Ok(shared.log_value()?.cursor.map(LogPosition)))
            .await
    }

    async fn set_event_cursor(&self, position: LogPosition) -> Result<Synced<()>, StoreError> {
        let set = submit(&self.shared, &self.queues, SetCursor(position)).await;
        set.map(Synced::after_sync)
    }

    async fn trim_events(&self) -> Result<(usize, bool), StoreError> {
        let Some(config) = self.shared.config.event_log else {
            return Ok((0, false));
        };
        let shared = Arc::clone(&self.shared);
        let found = tokio::task::spawn_blocking(move || shared.to_trim(&config)).await;
        let Some((upto, trimmed, more)) = found.map_err(|_| StoreError::Closed)?? else {
            return Ok((0, false));
        };
        submit(&self.shared, &self.queues, Trim { upto }).await?;
        self.shared.event_log.trimmed(trimmed as u64);
        Ok((trimmed, more))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_written_while_entries_are_counted_is_counted() {
        let log = LogState::default();
        log.reached(10);
        log.grown(2, 12);
        let number = log.number(|upto| {
            assert_eq!(upto, LogPosition(11));
            log.grown(3, 15);
            Ok(7)
        });
        assert_eq!(number, Ok(10));
        log.grown(1, 16);
        log.trimmed(4);
        let counted_again = |_| panic!("it is known");
        assert_eq!(log.number(counted_again), Ok(7));
    }
}
