//! What the engine tells of itself through the `metrics` facade: how long syncs took, how long messages stayed, and, whenever
//! somebody asks for it, what RocksDB and the disk say.

use std::time::Duration;

use metrics::{Histogram, counter, gauge, histogram};

use super::database::PerFamily;
use super::leg_dues::LowerBound;
use super::shared::{LatchedBy, Shared};
use crate::column_family::Family;
use crate::key;
use crate::model::{Class, JobClass, JobState, MessageNumber, State, UnixMillis};
use crate::store::StoreError;
use crate::value::{self, LocationValue};

/// Messages looked at for the oldest one that waits, at a time: the next look goes on from there.
const LOOKED_AT: usize = 20_000;

/// Jobs that are counted; of more there are at least so many.
const JOBS_COUNTED: u32 = 1_000;

/// Something that has come to its end in a group.
#[derive(Clone, Copy, Debug)]
pub(super) enum Ended {
    /// A message, after so long.
    Message(Class, State, Duration),
    /// A job, after so long.
    Job(JobClass, JobState, Duration),
}

/// What the committer counts with every group; handles are looked up once.
pub(super) struct GroupMeasures {
    requests: Histogram,
    sync: Histogram,
}

impl GroupMeasures {
    pub(super) fn new() -> Self {
        Self {
            requests: histogram!("restante_group_commit_requests"),
            sync: histogram!("restante_sync_duration_seconds"),
        }
    }

    /// A group of so many requests has been written and synced.
    pub(super) fn synced(&self, requests: usize, took: Duration) {
        self.requests
            .record(f64::from(u32::try_from(requests).unwrap_or(u32::MAX)));
        self.sync.record(took);
    }
}

/// These are on disk.
pub(super) fn ended(all: &[Ended]) {
    for ended in all {
        match *ended {
            Ended::Message(class, state, after) => histogram!(
                "restante_time_in_store_seconds",
                "kind" => kind_of_message(class),
                "end" => end_of_message(state),
            )
            .record(after),
            Ended::Job(class, state, after) => histogram!(
                "restante_fan_out_duration_seconds",
                "kind" => kind_of_job(class),
                "end" => end_of_job(state),
            )
            .record(after),
        }
    }
}

fn kind_of_message(class: Class) -> &'static str {
    match class {
        Class::Pager => "pager",
        Class::Large => "large",
        Class::Imdn => "imdn",
    }
}

fn end_of_message(state: State) -> &'static str {
    match state {
        State::Stored | State::Claimed | State::Held => "none",
        State::Delivered => "delivered",
        State::Expired => "expired",
        State::Refused => "refused",
        State::Recalled => "recalled",
        State::Deleted => "deleted",
    }
}

fn kind_of_job(class: JobClass) -> &'static str {
    match class {
        JobClass::Pager => "pager",
        JobClass::Large => "large",
    }
}

fn end_of_job(state: JobState) -> &'static str {
    match state {
        JobState::Running => "none",
        JobState::Completed => "completed",
        JobState::Cancelled => "cancelled",
        JobState::Expired => "expired",
    }
}

/// Where the look for the oldest message that waits goes on: nothing that waits has a smaller number.
#[derive(Debug, Default)]
pub(super) struct OldestWaiting(LowerBound<MessageNumber>);

impl OldestWaiting {
    /// These wait again.
    pub(super) fn returned(&self, numbers: impl IntoIterator<Item = MessageNumber>) {
        for number in numbers {
            self.0.note(number);
        }
    }
}

/// What a look for the oldest message has found.
#[derive(Debug, PartialEq, Eq)]
enum Oldest {
    /// Received then.
    At(UnixMillis),
    NothingWaits,
    /// The look has not come so far.
    Ahead,
}

impl Shared {
    /// Sets the gauges. Reads the disk, at most some thousand small rows.
    pub(super) fn measure(&self) -> Result<(), StoreError> {
        self.measure_engine();
        self.measure_disk();
        let (messages, mailboxes) = self.directory.waiting();
        gauge!("restante_messages_waiting").set(approximate(messages));
        gauge!("restante_mailboxes_waiting").set(approximate(mailboxes));
        let now = self.times.read();
        match self.oldest_waiting()? {
            Oldest::At(received_at) => set_age(now.wall.since(received_at)),
            Oldest::NothingWaits => set_age(Duration::ZERO),
            Oldest::Ahead => {}
        }
        let overdue = |due: Option<UnixMillis>| match due {
            Some(at) => now.steady.since(at).as_secs_f64(),
            None => 0.0,
        };
        gauge!("restante_reports_overdue_seconds").set(overdue(self.first_report_due()?));
        for class in JobClass::ALL {
            let kind = kind_of_job(class);
            let dues = &self.fan_out.dues;
            let due = dues.due(&self.database, class, now.steady, 1)?;
            let due = due.first().map(|(at, _)| *at);
            gauge!("restante_legs_overdue_seconds", "kind" => kind).set(overdue(due));
            let jobs = self.jobs_with_unclaimed_legs(class)?;
            gauge!("restante_jobs_unclaimed", "kind" => kind).set(jobs);
        }
        Ok(())
    }

    fn measure_engine(&self) {
        for cause in LatchedBy::ALL {
            let is_it = self.latched_by() == Some(cause);
            gauge!("restante_store_latched", "cause" => cause.word()).set(u8::from(is_it));
        }
        let engine = self.database.condition();
        gauge!("restante_rocksdb_write_stopped").set(u8::from(engine.is_write_stopped));
        gauge!("restante_rocksdb_delayed_write_bytes_per_second")
            .set(approximate(engine.delayed_write_rate));
        gauge!("restante_rocksdb_compactions_running").set(approximate(engine.compactions));
        gauge!("restante_rocksdb_flushes_running").set(approximate(engine.flushes));
        counter!("restante_rocksdb_background_errors_total").absolute(engine.background_errors);
        for family in Family::ALL {
            let PerFamily {
                memtables,
                level_0_files,
                pending_compaction,
                tables,
                blobs,
            } = self.database.condition_of(family);
            let name = family.label();
            let set = |metric: &'static str, value: u64| {
                gauge!(metric, "family" => name).set(approximate(value));
            };
            set("restante_rocksdb_memtable_bytes", memtables);
            set("restante_rocksdb_l0_files", level_0_files);
            set(
                "restante_rocksdb_pending_compaction_bytes",
                pending_compaction,
            );
            set("restante_rocksdb_live_sst_bytes", tables);
            set("restante_rocksdb_blob_bytes", blobs);
        }
    }

    fn measure_disk(&self) {
        gauge!("restante_disk_reserve_bytes").set(approximate(self.config.disk_reserve_octets));
        // A file system that does not answer keeps the values it had.
        if let Ok(stat) = rustix::fs::statvfs(&self.config.data_dir) {
            let free = stat.f_bavail.saturating_mul(stat.f_frsize);
            let size = stat.f_blocks.saturating_mul(stat.f_frsize);
            gauge!("restante_disk_free_bytes").set(approximate(free));
            gauge!("restante_disk_size_bytes").set(approximate(size));
            gauge!("restante_disk_free_inodes").set(approximate(stat.f_favail));
        }
    }

    /// When the oldest message that waits was received, if the next look finds it.
    #[cfg(test)]
    pub(super) fn oldest_received_at(&self) -> Result<Option<UnixMillis>, StoreError> {
        Ok(match self.oldest_waiting()? {
            Oldest::At(received_at) => Some(received_at),
            Oldest::NothingWaits | Oldest::Ahead => None,
        })
    }

    /// Goes on with the look for the oldest message that waits.
    fn oldest_waiting(&self) -> Result<Oldest, StoreError> {
        self.oldest.0.search(|lower| {
            let mut scan = self
                .database
                .scan(Family::Locations, &key::location(lower), None);
            let mut next = lower;
            for _ in 0..LOOKED_AT {
                let location = scan.step(|key, row| {
                    let LocationValue(mailbox) = value::decode(row)?;
                    Ok((key::decode_location(key)?, mailbox))
                })?;
                let Some((number, mailbox)) = location else {
                    return Ok((Oldest::NothingWaits, next));
                };
                let place = key::waiting(mailbox, number);
                if self.database.read(Family::Waiting, &place)?.is_some() {
                    let message = self.message(number, self.times.read())?;
                    return Ok((Oldest::At(message.envelope.received_at), number));
                }
                next = MessageNumber(number.0 + 1);
            }
            Ok((Oldest::Ahead, next))
        })
    }

    /// Jobs of which nobody has claimed all legs yet, and not more than some.
    pub(super) fn jobs_with_unclaimed_legs(&self, class: JobClass) -> Result<u32, StoreError> {
        let mut scan = self.database.scan(Family::turns(class), &[], None);
        let mut jobs = 0;
        while jobs < JOBS_COUNTED {
            match scan.step(|key, _| key::decode_turn(key))? {
                Some((_, Some(_))) => jobs += 1,
                // The count of a sender, who has jobs.
                Some((_, None)) => {}
                None => break,
            }
        }
        Ok(jobs)
    }
}

fn set_age(age: Duration) {
    gauge!("restante_oldest_message_age_seconds").set(age.as_secs_f64());
}

/// As a gauge has it: exact up to 2^53.
fn approximate(value: u64) -> f64 {
    value as f64
}
