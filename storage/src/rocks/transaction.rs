//! One operation's view of the store: rows it reads, rows it writes. The same code of an operation
//! runs twice: as a rehearsal in its own task, which finds out what it reads and throws the writes
//! away, and in the committer, with the rows of the rehearsal under those of the open group.

use std::sync::Arc;
use std::sync::atomic::Ordering;

use super::database::ReadError;
use super::leg_dues::EarliestDues;
use super::measure::Ended;
use super::row::{FirstWaiting, Oldest, Row, RowKey};
use super::shared::Shared;
use super::written::WrittenRows;
use crate::column_family::Family;
use crate::key::{self, AddressKey, DuplicateKey};
use crate::model::{
    ClaimToken, JobNumber, LegName, MailboxId, MessageNumber, ReportName, ReportStatus, Sequence,
    UnixMillis,
};
use crate::rule::settings::Sayings;
use crate::sealing::KeyOwner;
use crate::store::StoreError;
use crate::timekeeper::Times;
use crate::value::{
    self, AccountValue, AddressValue, BindingsValue, ClaimValue, Counters, DuplicateValue, Encoded,
    EnvelopeValue, GroupDocumentValue, GroupValue, JobValue, LegListValue, LegValue, LocationValue,
    LogValue, MailboxValue, Mark, ReportValue, SenderJobsValue, SenderValue, StateValue,
    SubscriptionsValue, SuspensionsValue,
};

/// Why an operation stopped in the middle; nothing of it was written.
#[derive(Debug)]
pub(super) enum Interrupt {
    /// Rehearsal: a row is not in memory.
    NeedsDisk,
    /// Committer: a row that the rehearsal did not read. The operation is rehearsed again.
    NotRehearsed,
    /// The answer is an error.
    Failed(StoreError),
}

impl From<StoreError> for Interrupt {
    fn from(error: StoreError) -> Self {
        Self::Failed(error)
    }
}

impl From<ReadError> for Interrupt {
    fn from(error: ReadError) -> Self {
        match error {
            ReadError::NeedsDisk => Self::NeedsDisk,
            ReadError::Failed(error) => Self::Failed(error),
        }
    }
}

/// Where a transaction reads rows from.
pub(super) trait Rows {
    fn row(&mut self, key: &RowKey) -> Result<Option<Row>, Interrupt>;

    /// Messages in state `Stored` of one mailbox: always known in memory.
    fn deliverable(&mut self, mailbox: MailboxId) -> u64;

    /// Members of one mailbox: always known in memory.
    fn members(&mut self, mailbox: MailboxId) -> Vec<MailboxId>;
}

/// A row that no decision reads before it is on disk: it goes straight into the batch.
#[derive(Debug)]
pub(super) struct Write {
    pub(super) family: Family,
    pub(super) key: Vec<u8>,
    /// `None` removes the row.
    pub(super) value: Option<Encoded>,
}

/// Rows to remove: `lower <= key < upper`.
#[derive(Debug)]
pub(super) struct Erased {
    pub(super) family: Family,
    pub(super) lower: Vec<u8>,
    pub(super) upper: Vec<u8>,
}

/// What a transaction leaves behind.
#[derive(Debug, Default)]
pub(super) struct Changes {
    pub(super) rows: WrittenRows,
    pub(super) writes: Vec<Write>,
    pub(super) erased: Vec<Erased>,
    /// Messages that had left `waiting` and are there again, with their mailboxes.
    pub(super) returned: Vec<(MailboxId, MessageNumber)>,
    /// What has come to its end.
    pub(super) ended: Vec<Ended>,
    /// What the reports say that are made.
    pub(super) reports: Vec<ReportStatus>,
    /// The earliest time at which a report has become due.
    pub(super) report_due: Option<UnixMillis>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Mode {
    Rehearsal,
    Commit,
}

pub(super) struct Transaction<'a> {
    pub(super) shared: &'a Shared,
    pub(super) times: Times,
    pub(super) counters: Counters,
    /// Rows that this transaction adds to the indexes of legs by due time.
    pub(super) leg_dues: EarliestDues,
    mode: Mode,
    source: &'a mut dyn Rows,
    changes: Changes,
}

impl<'a> Transaction<'a> {
    pub(super) fn new(
        shared: &'a Shared,
        mode: Mode,
        times: Times,
        counters: Counters,
        source: &'a mut dyn Rows,
    ) -> Self {
        Self {
            shared,
            times,
            counters,
            leg_dues: EarliestDues::default(),
            mode,
            source,
            changes: Changes::default(),
        }
    }

    /// Whether the writes will be kept.
    pub(super) fn is_commit(&self) -> bool {
        self.mode == Mode::Commit
    }

    pub(super) fn finish(self) -> (Counters, EarliestDues, Changes) {
        (self.counters, self.leg_dues, self.changes)
    }

    fn row(&mut self, key: RowKey) -> Result<Option<Row>, Interrupt> {
        match self.changes.rows.get(&key) {
            Some(row) => Ok(row.clone()),
            None => self.source.row(&key),
        }
    }

    /// Writes a row that decisions read, or removes it.
    fn set(&mut self, key: RowKey, row: Option<Row>) {
        self.changes.rows.set(key, row);
    }

    /// Writes a row that no decision reads before it is on disk. Made only if it is kept.
    pub(super) fn append(
        &mut self,
        family: Family,
        key: impl Into<Vec<u8>>,
        value: impl FnOnce() -> Encoded,
    ) {
        if self.is_commit() {
            let write = Write {
                family,
                key: key.into(),
                value: Some(value()),
            };
            self.changes.writes.push(write);
        }
    }

    /// Removes a row that was written by [`Transaction::append`].
    pub(super) fn erase(&mut self, family: Family, key: impl Into<Vec<u8>>) {
        if self.is_commit() {
            let write = Write {
                family,
                key: key.into(),
                value: None,
            };
            self.changes.writes.push(write);
        }
    }

    /// Removes the rows from `lower` up to `upper`, which were written by [`Transaction::append`] or
    /// staged.
    pub(super) fn erase_range(
        &mut self,
        family: Family,
        (lower, upper): (impl Into<Vec<u8>>, impl Into<Vec<u8>>),
    ) {
        if self.is_commit() {
            let (lower, upper) = (lower.into(), upper.into());
            self.changes.erased.push(Erased {
                family,
                lower,
                upper,
            });
        }
    }

    /// Wraps a data key by the current master key, if it is still there.
    pub(super) fn rewrap(&mut self, owner: KeyOwner) {
        let wrapped = self.shared.database.keyring().wrapped(owner);
        if let Some(wrapped) = wrapped {
            self.append(Family::DataKeys, key::data_key(owner), || wrapped);
        }
    }

    /// Removes a data key. What of its owner is still written makes another one.
    pub(super) fn erase_data_key(&mut self, owner: KeyOwner) {
        if self.shared.database.keyring().is_on() {
            self.erase(Family::DataKeys, key::data_key(owner));
        }
    }

    /// Keys are deleted or wrapped anew: what was there before is to go from all files.
    pub(super) fn note_obsolete_keys(&mut self) {
        if self.shared.database.keyring().is_on() && self.is_commit() {
            self.shared.obsolete_keys.fetch_add(1, Ordering::AcqRel);
            self.append(Family::Meta, key::OBSOLETE_KEYS, || value::encode(&Mark));
        }
    }

    /// A message waits again.
    pub(super) fn note_return(&mut self, mailbox: MailboxId, number: MessageNumber) {
        self.changes.returned.push((mailbox, number));
    }

    /// Something has come to its end, to be counted once that is on disk.
    pub(super) fn note_end(&mut self, ended: Ended) {
        self.changes.ended.push(ended);
    }

    /// Puts a report on the list of what is to be sent.
    pub(super) fn append_report_due(&mut self, at: UnixMillis, name: ReportName) {
        let due = &mut self.changes.report_due;
        *due = Some(due.map_or(at, |earliest| earliest.min(at)));
        self.append(Family::ReportDue, key::report_due(at, name), || {
            value::encode(&Mark)
        });
    }

    /// Adds a report that there has never been.
    pub(super) fn append_report(&mut self, row: &ReportValue) {
        let name = row.report.name;
        self.append(Family::Reports, key::report(name), || value::encode(row));
        self.append_report_due(row.due_at, name);
        self.changes.reports.push(row.report.status);
    }

    /// Where an address leads.
    pub(super) fn mailbox_of(&mut self, key: AddressKey) -> Result<Option<MailboxId>, Interrupt> {
        Ok(self.address(key)?.map(|row| row.mailbox))
    }

    /// A mailbox and its members.
    pub(super) fn mailboxes_of(&mut self, mailbox: MailboxId) -> Vec<MailboxId> {
        let own = self.own_mailbox(mailbox).map(|row| row.members.clone());
        let members = own.unwrap_or_else(|| self.source.members(mailbox));
        std::iter::once(mailbox).chain(members).collect()
    }

    /// Whether a mailbox or a member of it has a message in state `Stored`.
    pub(super) fn has_deliverable(&mut self, mailbox: MailboxId) -> bool {
        let mailboxes = self.mailboxes_of(mailbox);
        mailboxes.into_iter().any(|mailbox| {
            let own = self.own_mailbox(mailbox).map(|row| row.deliverable);
            own.unwrap_or_else(|| self.source.deliverable(mailbox)) > 0
        })
    }

    fn own_mailbox(&self, mailbox: MailboxId) -> Option<&MailboxValue> {
        match self.changes.rows.get(&RowKey::Mailbox(mailbox)) {
            Some(Some(Row::Mailbox(row))) => Some(row),
            _ => None,
        }
    }

    /// Whether a claim can deliver something after this place: expired messages wait for their sweep only.
    pub(super) fn can_deliver(
        &mut self,
        claim: ClaimToken,
        after: Sequence,
    ) -> Result<bool, Interrupt> {
        for mailbox in self.mailboxes_of(claim.mailbox) {
            let row = self.existing_mailbox(mailbox)?;
            let question = FirstWaiting {
                mailbox,
                after,
                generation: claim.generation,
                order: row.last_order,
            };
            let may_have = row.deliverable > 0 && row.last_number.0 > after.0;
            if may_have && self.first_waiting(question)?.is_some() {
                return Ok(true);
            }
        }
        Ok(false)
    }

    /// The messages of a mailbox that make way first, as the rehearsal has found them.
    pub(super) fn oldest(&mut self, question: Oldest) -> Result<Vec<MessageNumber>, Interrupt> {
        match self.row(RowKey::Oldest(question))? {
            Some(Row::Oldest(numbers)) => Ok(numbers.to_vec()),
            _ => Ok(Vec::new()),
        }
    }

    /// The first message that a claim can deliver.
    fn first_waiting(&mut self, question: FirstWaiting) -> Result<Option<Sequence>, Interrupt> {
        match self.row(RowKey::FirstWaiting(question))? {
            Some(Row::FirstWaiting(sequence)) => Ok(Some(sequence)),
            _ => Ok(None),
        }
    }
}

/// Typed reading and writing of one kind of row.
macro_rules! rows {
    ($($read:ident, $write:ident: $kind:ident($($name:ident: $type:ty),+) => $value:ty;)+) => {
        impl Transaction<'_> {
            $(
                pub(super) fn $read(&mut self, $($name: $type),+) -> Result<Option<$value>, Interrupt> {
                    match self.row(RowKey::$kind($($name),+))? {
                        Some(Row::$kind(row)) => Ok(Some(row)),
                        _ => Ok(None),
                    }
                }

                pub(super) fn $write(&mut self, $($name: $type,)+ row: Option<$value>) {
                    self.set(RowKey::$kind($($name),+), row.map(Row::$kind));
                }
            )+
        }
    };
}

impl Transaction<'_> {
    pub(super) fn event_log(&mut self) -> Result<Option<LogValue>, Interrupt> {
        match self.row(RowKey::EventLog)? {
            Some(Row::EventLog(row)) => Ok(Some(row)),
            _ => Ok(None),
        }
    }

    pub(super) fn set_event_log(&mut self, row: Option<LogValue>) {
        self.set(RowKey::EventLog, row.map(Row::EventLog));
    }

    pub(super) fn suspensions(&mut self) -> Result<Option<Arc<SuspensionsValue>>, Interrupt> {
        match self.row(RowKey::Suspensions)? {
            Some(Row::Suspensions(row)) => Ok(Some(row)),
            _ => Ok(None),
        }
    }

    pub(super) fn set_suspensions(&mut self, row: Option<Arc<SuspensionsValue>>) {
        self.set(RowKey::Suspensions, row.map(Row::Suspensions));
    }
}

rows! {
    address, set_address: Address(key: AddressKey) => AddressValue;
    account, set_account: Account(mailbox: MailboxId) => AccountValue;
    mailbox, set_mailbox: Mailbox(mailbox: MailboxId) => MailboxValue;
    bindings, set_bindings: Bindings(mailbox: MailboxId) => Arc<BindingsValue>;
    settings, set_settings: Settings(mailbox: MailboxId) => Sayings;
    claim, set_claim: Claim(mailbox: MailboxId) => ClaimValue;
    subscriptions, set_subscriptions: Subscriptions(mailbox: MailboxId) => Arc<SubscriptionsValue>;
    location, set_location: Location(number: MessageNumber) => LocationValue;
    envelope, set_envelope: Envelope(mailbox: MailboxId, number: MessageNumber) => Arc<EnvelopeValue>;
    state, set_state: State(mailbox: MailboxId, number: MessageNumber) => StateValue;
    duplicate, set_duplicate: Duplicate(key: DuplicateKey) => DuplicateValue;
    group, set_group: Group(key: AddressKey) => Arc<GroupValue>;
    group_document, set_group_document: GroupDocument(owner: AddressKey, name: AddressKey) => Arc<GroupDocumentValue>;
    job_row, set_job_row: Job(number: JobNumber) => JobValue;
    leg_row, set_leg_row: Leg(name: LegName) => LegValue;
    leg_list_row, set_leg_list_row: LegList(key: AddressKey) => LegListValue;
    sender_jobs, set_sender_jobs: SenderJobs(key: AddressKey) => SenderJobsValue;
    report_row, set_report_row: Report(name: ReportName) => ReportValue;
    sender, set_sender: Sender(key: AddressKey) => SenderValue;
}
