//! Running an operation in the task that asks for it, to read what it will need.
//!
//! First with what is in memory only (memtables, filters, cached blocks: some microseconds, so it
//! may run on an async thread); if that is not enough, again on a blocking thread, to the disk.

use std::sync::Arc;

use rustc_hash::FxHashMap;

use super::committer::Rehearsed;
use super::counting::is_deliverable;
use super::database::{Reach, ReadError};
use super::row::{FirstWaiting, Oldest, Row, RowKey};
use super::shared::Shared;
use super::transaction::{Interrupt, Mode, Rows, Transaction};
use super::waiting::WaitingScan;
use crate::config::DeliveryScope;
use crate::model::{Device, MailboxId, MessageNumber, Sequence, State, UnixMillis};
use crate::rule::device;
use crate::rule::displacement::{Candidate, Candidates};
use crate::store::StoreError;
use crate::value::{AddressValue, Counters, WaitingValue};

/// Reads what `operation` needs as far as it is in memory; `None` if that is not enough. Never blocks.
pub(super) fn rehearse_in_memory(
    shared: &Shared,
    operation: impl Fn(&mut Transaction<'_>) -> Result<(), Interrupt>,
) -> Result<Option<Rehearsed>, StoreError> {
    match rehearse_within(shared, Reach::Memory, operation) {
        Ok(rehearsed) => Ok(Some(rehearsed)),
        Err(ReadError::NeedsDisk) => Ok(None),
        Err(ReadError::Failed(error)) => Err(error),
    }
}

/// Reads what `operation` needs. An error is the answer: it follows from what is on disk.
pub(super) async fn rehearse<F>(shared: &Arc<Shared>, operation: F) -> Result<Rehearsed, StoreError>
where
    F: Fn(&mut Transaction<'_>) -> Result<(), Interrupt> + Send + 'static,
{
    if let Some(rehearsed) = rehearse_in_memory(shared, &operation)? {
        return Ok(rehearsed);
    }
    shared.progress.count_disk_rehearsal();
    let shared = Arc::clone(shared);
    let reading =
        tokio::task::spawn_blocking(move || rehearse_within(&shared, Reach::Disk, &operation));
    match reading.await {
        Ok(Ok(rehearsed)) => Ok(rehearsed),
        Ok(Err(ReadError::Failed(error))) => Err(error),
        Ok(Err(ReadError::NeedsDisk)) | Err(_) => Err(StoreError::Read {
            cause: "the reading task ended early".to_owned(),
        }),
    }
}

fn rehearse_within(
    shared: &Shared,
    reach: Reach,
    operation: impl Fn(&mut Transaction<'_>) -> Result<(), Interrupt>,
) -> Result<Rehearsed, ReadError> {
    let times = shared.times.read();
    let mut source = Recorder {
        shared,
        reach,
        now: times.wall,
        read: Rehearsed {
            group: shared.progress.on_disk(),
            next_mailbox: shared.progress.next_mailbox(),
            rows: FxHashMap::default(),
        },
    };
    let counters = Counters {
        next_number: 0,
        // Not that of a mailbox which is there: an operation may make several, beside those it finds.
        next_mailbox: source.read.next_mailbox.0,
        next_serial: 0,
        latest: UnixMillis::default(),
        swept_until: UnixMillis::default(),
    };
    let mut transaction = Transaction::new(shared, Mode::Rehearsal, times, counters, &mut source);
    match operation(&mut transaction) {
        Ok(()) => Ok(source.read),
        Err(Interrupt::Failed(error)) => Err(ReadError::Failed(error)),
        Err(Interrupt::NeedsDisk | Interrupt::NotRehearsed) => Err(ReadError::NeedsDisk),
    }
}

/// Rows that are always in memory. The outer `None` says that this is another kind of row.
pub(super) fn from_memory(
    shared: &Shared,
    key: &RowKey,
) -> Result<Option<Option<Row>>, StoreError> {
    Ok(match key {
        RowKey::Address(address) => Some(shared.directory.address(address).map(|mailbox| {
            let address = crate::model::Address::new("");
            Row::Address(AddressValue { mailbox, address })
        })),
        RowKey::Bindings(mailbox) => {
            let bindings = shared.directory.bindings(*mailbox)?;
            Some(bindings.map(|bindings| Row::Bindings(Arc::new(bindings))))
        }
        _ => None,
    })
}

/// Reads rows and keeps them.
struct Recorder<'a> {
    shared: &'a Shared,
    reach: Reach,
    now: UnixMillis,
    read: Rehearsed,
}

impl Recorder<'_> {
    fn read_row(&self, key: &RowKey) -> Result<Option<Row>, Interrupt> {
        if let RowKey::FirstWaiting(question) = key {
            return self.first_waiting(question);
        }
        if let RowKey::Oldest(question) = key {
            return self.oldest(*question);
        }
        let Some((family, place)) = key.place() else {
            return Ok(None);
        };
        let octets = self.shared.database.get(family, &place, self.reach)?;
        Ok(octets.map(|octets| key.decode(&octets)).transpose()?)
    }

    fn first_waiting(&self, question: &FirstWaiting) -> Result<Option<Row>, Interrupt> {
        let mut scan = self.waiting_after(question.mailbox, MessageNumber(question.after.0))?;
        let mut live = None;
        while let Some((number, row)) = scan.next()? {
            let may_go =
                row.expires_at > self.now && row.earliest_generation <= question.generation;
            if may_go && self.is_for_somebody((question.mailbox, number), &row, &mut live)? {
                return Ok(Some(Row::FirstWaiting(Sequence(number.0))));
            }
        }
        Ok(None)
    }
}

impl Recorder<'_> {
    fn waiting_after(
        &self,
        mailbox: MailboxId,
        after: MessageNumber,
    ) -> Result<WaitingScan<'_>, Interrupt> {
        let row = self.shared.mailbox_row(mailbox, self.reach)?;
        let before_head = row.unwrap_or_default().head.0.saturating_sub(1);
        let after = MessageNumber(after.0.max(before_head));
        let database = &self.shared.database;
        Ok(WaitingScan::new(database, mailbox, after, self.reach))
    }

    /// Whether it waits; where each device shall have it, whether one that is registered has still to get it. Those
    /// are found out once for a scan.
    fn is_for_somebody(
        &self,
        (mailbox, number): (MailboxId, MessageNumber),
        row: &WaitingValue,
        live: &mut Option<Vec<Device>>,
    ) -> Result<bool, Interrupt> {
        if row.done.is_empty() {
            return Ok(true);
        }
        if self.shared.config.scope == DeliveryScope::First {
            return Ok(self.shared.waits(mailbox, number, self.reach)?);
        }
        let live = match live {
            Some(live) => live,
            None => {
                let directory = &self.shared.directory;
                let bindings = directory.bindings(directory.owner(mailbox))?;
                live.insert(device::live(
                    &bindings.unwrap_or_default().bindings,
                    self.now,
                ))
            }
        };
        Ok(live.iter().any(|device| !row.done.contains(device)))
    }

    /// The oldest that may make way.
    fn oldest(&self, question: Oldest) -> Result<Option<Row>, Interrupt> {
        let Oldest { mailbox, new } = question;
        let steady = self.shared.times.read().steady;
        let begun = self.shared.heads.begin(mailbox);
        let before_head = MessageNumber(begun.head.0.saturating_sub(1));
        let mut scan = self.waiting_after(mailbox, before_head)?;
        let (mut first, mut gone) = (None, Vec::new());
        let mut candidates = Candidates::new(new);
        while let Some((number, _)) = scan.next()? {
            first.get_or_insert(number);
            let found = self.shared.find_in(mailbox, number, self.reach)?;
            // Others have taken it away since the scan began. Where too little is left, that tells the committer so.
            let Some(found) = found.filter(|found| is_deliverable(&found.state)) else {
                gone.push(number);
                continue;
            };
            // What waits for further devices alone takes no place in the mailbox.
            let waits = found.state.state == State::Stored;
            if !waits || self.shared.is_on_its_way(mailbox, number, steady) {
                continue;
            }
            let octets = found.envelope.octets();
            if !candidates.add(Candidate::of(&found.envelope.envelope, octets)) {
                break;
            }
        }
        first.inspect(|first| self.shared.heads.end(mailbox, begun, *first));
        let candidates = candidates.into_vec();
        let numbers = candidates.iter().map(|candidate| candidate.number);
        Ok(Some(Row::Oldest(numbers.chain(gone).collect())))
    }
}

impl Rows for Recorder<'_> {
    fn row(&mut self, key: &RowKey) -> Result<Option<Row>, Interrupt> {
        if let Some(row) = from_memory(self.shared, key)? {
            return Ok(row);
        }
        if let Some(row) = self.read.rows.get(key) {
            return Ok(row.clone());
        }
        let row = self.read_row(key)?;
        self.read.rows.insert(*key, row.clone());
        Ok(row)
    }

    fn deliverable(&mut self, mailbox: MailboxId) -> u64 {
        self.shared.directory.deliverable(mailbox)
    }

    fn members(&mut self, mailbox: MailboxId) -> Vec<MailboxId> {
        self.shared.directory.members(mailbox)
    }
}
