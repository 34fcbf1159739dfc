//! The event log of this engine: entries in the batches of what they tell, read from the disk.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

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
    /// Entries there are; `u64::MAX` before the first trim has counted them.
    entries: AtomicU64,
}

const UNCOUNTED: u64 = u64::MAX;

impl Default for LogState {
    fn default() -> Self {
        Self {
            written: watch::Sender::new(LogPosition::default()),
            entries: AtomicU64::new(UNCOUNTED),
        }
    }
}

impl LogState {
    /// So many more entries are on disk, the last one before this serial number.
    pub(super) fn grown(&self, entries: u64, next_serial: u64) {
        if entries > 0 {
            self.count(|known| known.saturating_add(entries).min(UNCOUNTED - 1));
            self.reached(next_serial);
        }
    }

    /// Everything before this serial number is on disk.
    pub(super) fn reached(&self, next_serial: u64) {
        let last = LogPosition(next_serial.saturating_sub(1));
        self.written.send_replace(last);
    }

    fn count(&self, change: impl Fn(u64) -> u64) {
        let changed = |known: u64| (known != UNCOUNTED).then(|| change(known));
        // Nothing is counted before the first trim.
        let _ = self
            .entries
            .fetch_update(Ordering::Relaxed, Ordering::Relaxed, changed);
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
        let log = self.log_value()?;
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
        if self.event_log.entries.load(Ordering::Relaxed) == UNCOUNTED {
            let mut scan = self.database.scan(Family::EventLog, &from, None);
            let mut counted = 0;
            while scan.step(|_, _| Ok(()))?.is_some() {
                counted += 1;
            }
            self.event_log.entries.store(counted, Ordering::Relaxed);
        }
        let entries = self.event_log.entries.load(Ordering::Relaxed);
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
        let state = &self.shared.event_log;
        state.count(|known| known.saturating_sub(trimmed as u64));
        Ok((trimmed, more))
    }
}
