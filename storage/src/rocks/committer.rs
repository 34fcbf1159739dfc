//! The thread that owns all writes. It takes a group of requests, runs each against the rows of
//! those before it, writes one batch, syncs it once, and only then answers (P1).
//!
//! It never waits for a read: what decisions need, requests have read before they queue up. It has
//! no async runtime and no lock on the data.

use std::sync::Arc;
use std::time::Instant;

use rocksdb::WriteBatch;
use rustc_hash::FxHashMap;

use super::database::Families;
use super::disk::Disk;
use super::leg_dues::EarliestDues;
use super::measure::{self, Ended, GroupMeasures};
use super::options::Horizon;
use super::overlay::{GroupNumber, Overlay};
use super::queue::{Queues, Weighed};
use super::row::{Row, RowKey};
use super::shared::{LatchedBy, Shared};
use super::submit_all::Told;
use super::transaction::{Changes, Interrupt, Mode, Rows, Transaction, Write};
use crate::column_family::Family;
use crate::key;
use crate::model::{MailboxId, MessageNumber, ReportStatus, UnixMillis};
use crate::store::StoreError;
use crate::value::{self, Counters};

/// Octets reserved for a batch: an ordinary group of pager messages.
const BATCH_OCTETS: usize = 256 << 10;

/// A request in the queue.
pub(super) type Job = Box<dyn Request>;

/// What the committer does with a request: runs it, and tells it when it is on disk.
pub(super) trait Request: Send {
    /// Octets it will add to a group.
    fn octets(&self) -> usize;

    /// Decides and writes into the group, or keeps the reason why not.
    fn run(&mut self, group: &mut Group<'_>);

    /// The group is synced, or will never be.
    fn finish(self: Box<Self>, shared: &Shared, synced: Result<(), StoreError>, told: &mut Told);
}

impl Weighed for Job {
    fn octets(&self) -> usize {
        (**self).octets()
    }
}

pub(super) struct Committer {
    shared: Arc<Shared>,
    queues: Arc<Queues<Job>>,
    disk: Box<dyn Disk>,
    overlay: Overlay,
    counters: Counters,
    group: GroupNumber,
    number_floor: super::number_floor::Recorder,
    horizon: Horizon,
    measures: GroupMeasures,
}

impl Committer {
    pub(super) fn new(
        shared: Arc<Shared>,
        queues: Arc<Queues<Job>>,
        disk: Box<dyn Disk>,
        counters: Counters,
        number_floor: super::number_floor::Recorder,
        horizon: Horizon,
    ) -> Self {
        Self {
            shared,
            queues,
            disk,
            overlay: Overlay::default(),
            counters,
            group: GroupNumber::default(),
            number_floor,
            horizon,
            measures: GroupMeasures::new(),
        }
    }

    /// Runs until the queues are closed and empty.
    pub(super) fn run(mut self) {
        let queues = Arc::clone(&self.queues);
        while let Some(jobs) = queues.take_group() {
            self.commit(jobs);
        }
    }

    fn commit(&mut self, mut jobs: Vec<Job>) {
        let synced = match self.shared.check_writable() {
            Err(error @ StoreError::Latched { .. }) => Err(error),
            _ => self.write(&mut jobs),
        };
        let mut told = Told::default();
        for job in jobs {
            job.finish(&self.shared, synced.clone(), &mut told);
        }
        told.send();
    }

    fn write(&mut self, jobs: &mut [Job]) -> Result<(), StoreError> {
        self.group.0 += 1;
        let mut group = Group {
            shared: &self.shared,
            number: self.group,
            overlay: &mut self.overlay,
            counters: self.counters,
            leg_dues: EarliestDues::default(),
            families: self.shared.database.families(),
            batch: WriteBatch::with_capacity_bytes(BATCH_OCTETS),
            has_rows: false,
            returned: Vec::new(),
            ended: Vec::new(),
            reports: Vec::new(),
            report_due: None,
            logged: 0,
        };
        let requests = jobs.len();
        for job in jobs {
            job.run(&mut group);
        }
        let (counters, leg_dues) = (group.counters, group.leg_dues);
        let (reports, report_due) = (std::mem::take(&mut group.reports), group.report_due);
        let (logged, returned) = (group.logged, std::mem::take(&mut group.returned));
        let ended = std::mem::take(&mut group.ended);
        let synced = match group.into_batch() {
            Some(batch) => {
                let begun = Instant::now();
                let synced = self.disk.commit(&self.shared.database, batch);
                self.measures.synced(requests, begun.elapsed());
                synced
            }
            None => Ok(()),
        };
        synced.map_err(|cause| self.shared.latch(LatchedBy::Sync, cause))?;
        self.shared.database.keyring().forget_gone();
        self.publish(counters, leg_dues);
        self.shared.heads.returned(&returned);
        let again = returned.into_iter().map(|(_, number)| number);
        self.shared.oldest.returned(again);
        measure::ended(&ended);
        self.shared.reports.changed(&reports, report_due);
        let event_log = &self.shared.event_log;
        event_log.grown(logged, counters.next_serial);
        Ok(())
    }

    /// The group is on disk: readers may see it.
    fn publish(&mut self, counters: Counters, leg_dues: EarliestDues) {
        self.counters = counters;
        self.shared.fan_out.dues.note(leg_dues);
        self.shared.directory.observe(self.overlay.open_rows());
        let directory = &self.shared.directory;
        let accounts = self.overlay.open_rows().filter_map(|(key, _)| match key {
            RowKey::Mailbox(mailbox) => Some(directory.owner(*mailbox)),
            _ => None,
        });
        // Somebody may have subscribed to a member before it was one.
        let changed =
            accounts.flat_map(|account| std::iter::once(account).chain(directory.members(account)));
        self.shared.watches.changed(changed);
        self.overlay.close_group(self.group);
        let next_mailbox = MailboxId(counters.next_mailbox);
        self.shared.progress.reached(self.group, next_mailbox);
        self.number_floor.reached(counters.next_number);
        self.horizon.reached(counters.latest);
    }
}

/// The open group.
pub(super) struct Group<'a> {
    shared: &'a Shared,
    number: GroupNumber,
    overlay: &'a mut Overlay,
    counters: Counters,
    leg_dues: EarliestDues,
    families: Families<'a>,
    batch: WriteBatch,
    has_rows: bool,
    /// Messages that wait again, with their mailboxes.
    returned: Vec<(MailboxId, MessageNumber)>,
    /// What has come to its end.
    ended: Vec<Ended>,
    /// What the reports say that it makes, and the earliest time at which one is due.
    reports: Vec<ReportStatus>,
    report_due: Option<UnixMillis>,
    /// Entries of the event log.
    logged: u64,
}

impl Group<'_> {
    /// Runs one operation on the rows it has rehearsed with: all of its writes join the group, or
    /// none.
    pub(super) fn run<T>(
        &mut self,
        rehearsed: &Rehearsed,
        operation: impl FnOnce(&mut Transaction<'_>) -> Result<T, Interrupt>,
    ) -> Result<T, Interrupt> {
        if !self.overlay.covers(rehearsed.group) {
            return Err(Interrupt::NotRehearsed);
        }
        let mut source = UpToDate {
            shared: self.shared,
            overlay: self.overlay,
            rehearsed,
        };
        let mut transaction = Transaction::new(
            self.shared,
            Mode::Commit,
            self.shared.times.read(),
            self.counters,
            &mut source,
        );
        let answer = operation(&mut transaction)?;
        let latest = transaction.times.wall;
        let (counters, leg_dues, changes) = transaction.finish();
        self.counters = counters;
        self.leg_dues.merge(leg_dues);
        self.counters.latest = self.counters.latest.max(latest);
        self.absorb(changes);
        Ok(answer)
    }

    fn absorb(&mut self, changes: Changes) {
        self.has_rows |=
            !changes.rows.is_empty() || !changes.writes.is_empty() || !changes.erased.is_empty();
        self.returned.extend(changes.returned);
        self.ended.extend(changes.ended);
        self.reports.extend(changes.reports);
        let dues = self.report_due.into_iter().chain(changes.report_due);
        self.report_due = dues.min();
        for (key, row) in changes.rows {
            self.overlay.set(self.number, key, row);
        }
        for Write { family, key, value } in changes.writes {
            self.logged += u64::from(family == Family::EventLog);
            match value {
                Some(value) => self.families.put(&mut self.batch, family, &key, &value),
                None => self.families.delete(&mut self.batch, family, &key),
            }
        }
        for rows in changes.erased {
            self.families.delete_range(&mut self.batch, &rows);
        }
    }

    /// Everything the group writes; `None` if nobody writes anything.
    fn into_batch(mut self) -> Option<WriteBatch> {
        if !self.has_rows {
            return None;
        }
        let families = self.families;
        for (key, row) in self.overlay.open_rows() {
            let Some((family, key)) = key.place() else {
                continue;
            };
            match row.as_ref().and_then(Row::encode) {
                Some(value) => families.put(&mut self.batch, family, &key, &value),
                None => families.delete(&mut self.batch, family, &key),
            }
        }
        let counters = value::encode(&self.counters);
        families.put(&mut self.batch, Family::Meta, &key::COUNTERS, &counters);
        Some(self.batch)
    }
}

/// What a request has read before it queued up.
#[derive(Debug)]
pub(super) struct Rehearsed {
    pub(super) rows: FxHashMap<RowKey, Option<Row>>,
    /// The last group that was on disk before the first of these reads.
    pub(super) group: GroupNumber,
    /// Mailboxes from this one on were made later: all there is about them is in the overlay.
    pub(super) next_mailbox: MailboxId,
}

/// Rows as of now: of the overlay, else of memory, else as rehearsed.
struct UpToDate<'a> {
    shared: &'a Shared,
    overlay: &'a Overlay,
    rehearsed: &'a Rehearsed,
}

impl Rows for UpToDate<'_> {
    fn row(&mut self, key: &RowKey) -> Result<Option<Row>, Interrupt> {
        if let Some(row) = self.overlay.get(key) {
            return Ok(row.clone());
        }
        match self.rehearsed.rows.get(key) {
            Some(row) => Ok(row.clone()),
            None if key.mailbox() >= Some(self.rehearsed.next_mailbox) => Ok(None),
            None => super::rehearsal::from_memory(self.shared, key)?.ok_or(Interrupt::NotRehearsed),
        }
    }

    fn deliverable(&mut self, mailbox: MailboxId) -> u64 {
        match self.overlay.get(&RowKey::Mailbox(mailbox)) {
            Some(Some(Row::Mailbox(row))) => row.deliverable,
            _ => self.shared.directory.deliverable(mailbox),
        }
    }

    fn members(&mut self, mailbox: MailboxId) -> Vec<MailboxId> {
        match self.overlay.get(&RowKey::Mailbox(mailbox)) {
            Some(Some(Row::Mailbox(row))) => row.members.clone(),
            _ => self.shared.directory.members(mailbox),
        }
    }
}
