//! Keys on disk: one builder and one decoder each. Integers are big-endian, so that the order of
//! the keys is the order of the numbers. Keys carry no names, because no encryption covers them:
//! addresses and fingerprints are keyed hashes.

use crate::model::{
    JobNumber, LegName, LogPosition, MailboxId, MessageNumber, PartKind, ReportKind, ReportName,
    ReportSubject, UnixMillis, UploadId,
};
use crate::rule::duplicate::Fingerprint;
use crate::sealing::KeyOwner;
use crate::store::StoreError;

/// Key of the row with the identity of the store, in `Meta`.
pub(crate) const IDENTITY: [u8; 1] = [1];
/// Key of the row with the counters of the store, in `Meta`.
pub(crate) const COUNTERS: [u8; 1] = [2];
/// Key of the row with the upload ids that are spoken for, in `Meta`.
pub(crate) const UPLOADS: [u8; 1] = [3];
/// Key of the row that says that `Senders` has been counted, in `Meta`.
pub(crate) const SENDERS_COUNTED: [u8; 1] = [4];
/// Key of the row that says how far the event log has got, in `Meta`.
pub(crate) const EVENT_LOG: [u8; 1] = [5];
/// Key of the row with the suspensions, in `Meta`.
pub(crate) const SUSPENSIONS: [u8; 1] = [6];

/// Key of the row that is there as long as keys that were deleted or replaced may be in files, in `Meta`.
pub(crate) const OBSOLETE_KEYS: [u8; 1] = [7];

/// Last octet of the key of an envelope, in `Messages`.
const ENVELOPE: u8 = 0;
/// Last octet of the key of a state, in `Messages`: right behind its envelope.
const STATE: u8 = 1;

/// Fifth part of a key in `Due`: what kind of thing is due.
const DUE_MESSAGE: u8 = 1;
const DUE_ATTEMPT: u8 = 2;
const DUE_SETTINGS: u8 = 3;
const DUE_SUBSCRIPTIONS: u8 = 4;
const DUE_JOB: u8 = 5;

/// Ninth octet of a key in `Jobs`: what of the job.
const JOB: u8 = 0;
const TEMPLATE: u8 = 1;
const ROSTER: u8 = 2;

/// First octet of a key in `Reports`: what the report is about.
const ABOUT_MESSAGE: u8 = 1;
const ABOUT_JOB: u8 = 2;

/// First octet of a key in `DataKeys`: what kind of owner.
const OF_STORE: u8 = 1;
const OF_MAILBOX: u8 = 2;
const OF_JOB: u8 = 3;

/// The mailbox in the keys of receipts of jobs: no mailbox has this number.
pub(crate) const JOBS: MailboxId = MailboxId(0);

/// An address as it stands in keys: a keyed hash.
pub(crate) type AddressKey = [u8; 16];
/// Mailbox and fingerprint.
pub(crate) type DuplicateKey = [u8; 32];

/// Owner, name of the document: `GroupDocuments`.
pub(crate) fn group_document(owner: AddressKey, name: AddressKey) -> [u8; 32] {
    let mut key = [0; 32];
    key[..16].copy_from_slice(&owner);
    key[16..].copy_from_slice(&name);
    key
}

/// Mailbox, number: `Waiting`, and the beginning of keys in `Messages`.
pub(crate) fn waiting(mailbox: MailboxId, number: MessageNumber) -> [u8; 16] {
    pair(mailbox.0, number.0)
}

/// The inverse of [`waiting`].
pub(crate) fn decode_waiting(key: &[u8]) -> Result<(MailboxId, MessageNumber), StoreError> {
    let (mailbox, number) = decode_pair(key, "waiting key")?;
    Ok((MailboxId(mailbox), MessageNumber(number)))
}

/// Mailbox, number, 0: `Messages`.
pub(crate) fn envelope(mailbox: MailboxId, number: MessageNumber) -> [u8; 17] {
    message_row(mailbox, number, ENVELOPE)
}

/// Mailbox, number, 1: `Messages`.
pub(crate) fn state(mailbox: MailboxId, number: MessageNumber) -> [u8; 17] {
    message_row(mailbox, number, STATE)
}

/// Which of the two rows of a message a key in `Messages` names.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum MessageRow {
    Envelope,
    State,
}

/// The inverse of [`envelope`] and [`state`].
pub(crate) fn decode_message(
    key: &[u8],
) -> Result<(MailboxId, MessageNumber, MessageRow), StoreError> {
    let corrupt = StoreError::Corrupt {
        what: "message key",
    };
    let Some((kind, names)) = key.split_last() else {
        return Err(corrupt);
    };
    let row = match *kind {
        ENVELOPE => MessageRow::Envelope,
        STATE => MessageRow::State,
        _ => return Err(corrupt),
    };
    let (mailbox, number) = decode_pair(names, "message key")?;
    Ok((MailboxId(mailbox), MessageNumber(number), row))
}

/// Number, part, chunk: `Contents`.
pub(crate) fn content(number: MessageNumber, part: PartKind, chunk: u32) -> [u8; 13] {
    let mut key = [0; 13];
    key[..8].copy_from_slice(&number.0.to_be_bytes());
    key[8] = part as u8;
    key[9..].copy_from_slice(&chunk.to_be_bytes());
    key
}

/// The inverse of [`content`], with the part as its number.
pub(crate) fn decode_content(key: &[u8]) -> Result<(MessageNumber, u8, u32), StoreError> {
    let what = "content key";
    let (number, rest) = split_u64(key, what)?;
    match *rest {
        [part, a, b, c, d] => Ok((
            MessageNumber(number),
            part,
            u32::from_be_bytes([a, b, c, d]),
        )),
        _ => Err(StoreError::Corrupt { what }),
    }
}

/// The block of an upload that says which message it has become, in `Large`.
pub(crate) const OWNER_BLOCK: u32 = u32::MAX;

/// Upload, block: `Large`.
pub(crate) fn block(upload: UploadId, block: u32) -> [u8; 12] {
    let mut key = [0; 12];
    key[..8].copy_from_slice(&upload.0.to_be_bytes());
    key[8..].copy_from_slice(&block.to_be_bytes());
    key
}

/// The inverse of [`block`].
pub(crate) fn decode_block(key: &[u8]) -> Result<(UploadId, u32), StoreError> {
    let what = "block key";
    let (upload, rest) = split_u64(key, what)?;
    let block = rest.try_into().map_err(|_| StoreError::Corrupt { what })?;
    Ok((UploadId(upload), u32::from_be_bytes(block)))
}

/// All rows of an upload: from the first key up to the second.
pub(crate) fn blocks(upload: UploadId) -> ([u8; 12], [u8; 12]) {
    let next = UploadId(upload.0.saturating_add(1));
    (block(upload, 0), block(next, 0))
}

/// Number: `Locations`.
pub(crate) fn location(number: MessageNumber) -> [u8; 8] {
    number.0.to_be_bytes()
}

/// The inverse of [`location`].
pub(crate) fn decode_location(key: &[u8]) -> Result<MessageNumber, StoreError> {
    decode_single(key, "location key").map(MessageNumber)
}

/// Mailbox: `Mailboxes`, `Accounts`, `Bindings`, `Settings`, `Claims`, `Subscriptions`.
pub(crate) fn mailbox(mailbox: MailboxId) -> [u8; 8] {
    mailbox.0.to_be_bytes()
}

/// The inverse of [`mailbox`].
pub(crate) fn decode_mailbox(key: &[u8]) -> Result<MailboxId, StoreError> {
    decode_single(key, "mailbox key").map(MailboxId)
}

/// Kind of owner, its number: `DataKeys`.
pub(crate) fn data_key(owner: KeyOwner) -> [u8; 9] {
    let (kind, number) = match owner {
        KeyOwner::Store => (OF_STORE, 0),
        KeyOwner::Mailbox(mailbox) => (OF_MAILBOX, mailbox.0),
        KeyOwner::Job(job) => (OF_JOB, job.0),
    };
    let mut key = [kind; 9];
    key[1..].copy_from_slice(&number.to_be_bytes());
    key
}

/// The inverse of [`data_key`].
pub(crate) fn decode_data_key(key: &[u8]) -> Result<KeyOwner, StoreError> {
    let what = "key of a data key";
    let (kind, number) = key.split_first().ok_or(StoreError::Corrupt { what })?;
    let number = decode_single(number, what)?;
    match (*kind, number) {
        (OF_STORE, 0) => Ok(KeyOwner::Store),
        (OF_MAILBOX, number) => Ok(KeyOwner::Mailbox(MailboxId(number))),
        (OF_JOB, number) => Ok(KeyOwner::Job(JobNumber(number))),
        _ => Err(StoreError::Corrupt { what }),
    }
}

/// The inverse of the identity: `Addresses`.
pub(crate) fn decode_address(key: &[u8]) -> Result<AddressKey, StoreError> {
    key.try_into().map_err(|_| StoreError::Corrupt {
        what: "address key",
    })
}

/// Mailbox, fingerprint: `Duplicates`.
pub(crate) fn duplicate(mailbox: MailboxId, fingerprint: &Fingerprint) -> DuplicateKey {
    let mut key = [0; 32];
    key[..8].copy_from_slice(&mailbox.0.to_be_bytes());
    key[8..].copy_from_slice(fingerprint);
    key
}

/// The mailbox of a key in `Duplicates`.
pub(crate) fn duplicate_mailbox(key: &DuplicateKey) -> Option<MailboxId> {
    let (mailbox, _) = key.split_first_chunk::<8>()?;
    Some(MailboxId(u64::from_be_bytes(*mailbox)))
}

/// Number, ordinal: `Events`.
pub(crate) fn event(number: MessageNumber, ordinal: u32) -> [u8; 12] {
    let mut key = [0; 12];
    key[..8].copy_from_slice(&number.0.to_be_bytes());
    key[8..].copy_from_slice(&ordinal.to_be_bytes());
    key
}

/// The inverse of [`event`].
pub(crate) fn decode_event(key: &[u8]) -> Result<(MessageNumber, u32), StoreError> {
    let what = "event key";
    let (number, rest) = split_u64(key, what)?;
    let ordinal = rest.try_into().map_err(|_| StoreError::Corrupt { what })?;
    Ok((MessageNumber(number), u32::from_be_bytes(ordinal)))
}

/// The position of a key in `EventLog`.
pub(crate) fn decode_log_position(key: &[u8]) -> Result<LogPosition, StoreError> {
    decode_single(key, "event log key").map(LogPosition)
}

/// Mailbox, order of events: `Attempts`.
pub(crate) fn attempt(mailbox: MailboxId, order: u64) -> [u8; 16] {
    pair(mailbox.0, order)
}

/// The inverse of [`attempt`].
pub(crate) fn decode_attempt(key: &[u8]) -> Result<(MailboxId, u64), StoreError> {
    let (mailbox, order) = decode_pair(key, "attempt key")?;
    Ok((MailboxId(mailbox), order))
}

/// The keys of all attempts of a mailbox.
pub(crate) fn attempts_of(of: MailboxId) -> ([u8; 16], [u8; 8]) {
    let next = MailboxId(of.0.saturating_add(1));
    (attempt(of, 0), mailbox(next))
}

/// Job, 0: `Jobs`.
pub(crate) fn job(number: JobNumber) -> [u8; 9] {
    job_row(number, JOB)
}

/// Job, 1: `Jobs`.
pub(crate) fn template(number: JobNumber) -> [u8; 9] {
    job_row(number, TEMPLATE)
}

/// Job, 2, chunk: `Jobs`.
pub(crate) fn roster(number: JobNumber, chunk: u32) -> [u8; 13] {
    let mut key = [0; 13];
    key[..9].copy_from_slice(&job_row(number, ROSTER));
    key[9..].copy_from_slice(&chunk.to_be_bytes());
    key
}

/// All rows of a job in `Jobs`, or of its legs in `Legs`: from the first key up to the second.
pub(crate) fn of_job(number: JobNumber) -> ([u8; 8], [u8; 8]) {
    let next = number.0.saturating_add(1);
    (number.0.to_be_bytes(), next.to_be_bytes())
}

/// Which of the rows of a job a key in `Jobs` names.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum JobRow {
    Job,
    Template,
    Roster(u32),
}

/// The inverse of [`job`], [`template`] and [`roster`].
pub(crate) fn decode_job(key: &[u8]) -> Result<(JobNumber, JobRow), StoreError> {
    let what = "job key";
    let (number, rest) = split_u64(key, what)?;
    let row = match *rest {
        [JOB] => JobRow::Job,
        [TEMPLATE] => JobRow::Template,
        [ROSTER, a, b, c, d] => JobRow::Roster(u32::from_be_bytes([a, b, c, d])),
        _ => return Err(StoreError::Corrupt { what }),
    };
    Ok((JobNumber(number), row))
}

fn job_row(number: JobNumber, row: u8) -> [u8; 9] {
    let mut key = [row; 9];
    key[..8].copy_from_slice(&number.0.to_be_bytes());
    key
}

/// Job, index: `Legs`.
pub(crate) fn leg(name: LegName) -> [u8; 12] {
    let mut key = [0; 12];
    key[..8].copy_from_slice(&name.job.0.to_be_bytes());
    key[8..].copy_from_slice(&name.index.to_be_bytes());
    key
}

/// The inverse of [`leg`].
pub(crate) fn decode_leg(key: &[u8]) -> Result<LegName, StoreError> {
    let what = "leg key";
    let (number, rest) = split_u64(key, what)?;
    let index = rest.try_into().map_err(|_| StoreError::Corrupt { what })?;
    Ok(LegName {
        job: JobNumber(number),
        index: u32::from_be_bytes(index),
    })
}

/// Time, job, index: `LegDue`.
pub(crate) fn leg_due(at: UnixMillis, name: LegName) -> [u8; 20] {
    let mut key = [0; 20];
    key[..8].copy_from_slice(&at.0.to_be_bytes());
    key[8..].copy_from_slice(&leg(name));
    key
}

/// The inverse of [`leg_due`].
pub(crate) fn decode_leg_due(key: &[u8]) -> Result<(UnixMillis, LegName), StoreError> {
    let (at, name) = split_u64(key, "leg due key")?;
    Ok((UnixMillis(at), decode_leg(name)?))
}

/// What it is about, number, kind: `Reports`.
pub(crate) fn report(name: ReportName) -> [u8; 10] {
    let (about, number) = match name.subject {
        ReportSubject::Message(number) => (ABOUT_MESSAGE, number.0),
        ReportSubject::Job(number) => (ABOUT_JOB, number.0),
    };
    let mut key = [about; 10];
    key[1..9].copy_from_slice(&number.to_be_bytes());
    key[9] = name.kind as u8;
    key
}

/// The inverse of [`report`].
pub(crate) fn decode_report(key: &[u8]) -> Result<ReportName, StoreError> {
    let what = "report key";
    let corrupt = StoreError::Corrupt { what };
    let (about, rest) = key.split_first().ok_or(corrupt.clone())?;
    let (number, kind) = split_u64(rest, what)?;
    let subject = match *about {
        ABOUT_MESSAGE => ReportSubject::Message(MessageNumber(number)),
        ABOUT_JOB => ReportSubject::Job(JobNumber(number)),
        _ => return Err(corrupt),
    };
    let kind = match kind {
        [1] => ReportKind::Processing,
        [2] => ReportKind::Delivery,
        _ => return Err(corrupt),
    };
    Ok(ReportName { subject, kind })
}

/// Time, name of the report: `ReportDue`.
pub(crate) fn report_due(at: UnixMillis, name: ReportName) -> [u8; 18] {
    let mut key = [0; 18];
    key[..8].copy_from_slice(&at.0.to_be_bytes());
    key[8..].copy_from_slice(&report(name));
    key
}

/// The inverse of [`report_due`].
pub(crate) fn decode_report_due(key: &[u8]) -> Result<(UnixMillis, ReportName), StoreError> {
    let (at, name) = split_u64(key, "report due key")?;
    Ok((UnixMillis(at), decode_report(name)?))
}

/// Hash of the sender, job: `Turns`.
pub(crate) fn turn(sender: AddressKey, number: JobNumber) -> [u8; 24] {
    let mut key = [0; 24];
    key[..16].copy_from_slice(&sender);
    key[16..].copy_from_slice(&number.0.to_be_bytes());
    key
}

/// The inverse of [`turn`]; `None` for the row that counts the jobs of a sender, whose key is the hash.
pub(crate) fn decode_turn(key: &[u8]) -> Result<(AddressKey, Option<JobNumber>), StoreError> {
    let what = "turn key";
    let corrupt = StoreError::Corrupt { what };
    let (sender, rest) = key.split_first_chunk::<16>().ok_or(corrupt)?;
    let number = match rest {
        [] => None,
        number => Some(JobNumber(decode_single(number, what)?)),
    };
    Ok((*sender, number))
}

/// What is due, and when: `Due`. Sorted by time first.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Due {
    pub(crate) at: UnixMillis,
    pub(crate) what: DueKind,
}

/// The things that become due.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum DueKind {
    /// The next end in the life of a message: of its lifetime, content or timeline.
    Message(MailboxId, MessageNumber),
    /// A failed attempt is forgotten.
    Attempt(MailboxId, u64),
    /// Something that is said about the settings of an account ends (SET-14).
    Settings(MailboxId),
    /// A subscription of the mailbox has ended.
    Subscriptions(MailboxId),
    /// The next end in the life of a job: of its time, or of its retention.
    Job(JobNumber),
}

impl Due {
    /// Time, kind, and the key of the thing.
    pub(crate) fn key(&self) -> Vec<u8> {
        let mut key = self.at.0.to_be_bytes().to_vec();
        match &self.what {
            DueKind::Message(mailbox, number) => {
                key.push(DUE_MESSAGE);
                key.extend_from_slice(&waiting(*mailbox, *number));
            }
            DueKind::Attempt(mailbox, order) => {
                key.push(DUE_ATTEMPT);
                key.extend_from_slice(&attempt(*mailbox, *order));
            }
            DueKind::Settings(id) => {
                key.push(DUE_SETTINGS);
                key.extend_from_slice(&mailbox(*id));
            }
            DueKind::Subscriptions(id) => {
                key.push(DUE_SUBSCRIPTIONS);
                key.extend_from_slice(&mailbox(*id));
            }
            DueKind::Job(number) => {
                key.push(DUE_JOB);
                key.extend_from_slice(&number.0.to_be_bytes());
            }
        }
        key
    }

    /// The inverse of [`Due::key`].
    pub(crate) fn decode(key: &[u8]) -> Result<Self, StoreError> {
        let corrupt = StoreError::Corrupt { what: "due key" };
        let (at, rest) = split_u64(key, "due key")?;
        let what = match rest.split_first() {
            Some((&DUE_MESSAGE, names)) => {
                let (mailbox, number) = decode_waiting(names)?;
                DueKind::Message(mailbox, number)
            }
            Some((&DUE_ATTEMPT, names)) => {
                let (mailbox, order) = decode_attempt(names)?;
                DueKind::Attempt(mailbox, order)
            }
            Some((&DUE_SETTINGS, name)) => DueKind::Settings(decode_mailbox(name)?),
            Some((&DUE_SUBSCRIPTIONS, name)) => DueKind::Subscriptions(decode_mailbox(name)?),
            Some((&DUE_JOB, name)) => DueKind::Job(JobNumber(decode_single(name, "due key")?)),
            _ => return Err(corrupt),
        };
        Ok(Self {
            at: UnixMillis(at),
            what,
        })
    }
}

fn message_row(mailbox: MailboxId, number: MessageNumber, row: u8) -> [u8; 17] {
    let mut key = [row; 17];
    key[..16].copy_from_slice(&waiting(mailbox, number));
    key
}

fn pair(first: u64, second: u64) -> [u8; 16] {
    let mut key = [0; 16];
    key[..8].copy_from_slice(&first.to_be_bytes());
    key[8..].copy_from_slice(&second.to_be_bytes());
    key
}

fn split_u64<'a>(key: &'a [u8], what: &'static str) -> Result<(u64, &'a [u8]), StoreError> {
    let (number, rest) = key
        .split_first_chunk::<8>()
        .ok_or(StoreError::Corrupt { what })?;
    Ok((u64::from_be_bytes(*number), rest))
}

fn decode_single(key: &[u8], what: &'static str) -> Result<u64, StoreError> {
    match split_u64(key, what)? {
        (number, []) => Ok(number),
        _ => Err(StoreError::Corrupt { what }),
    }
}

fn decode_pair(key: &[u8], what: &'static str) -> Result<(u64, u64), StoreError> {
    let (first, rest) = split_u64(key, what)?;
    Ok((first, decode_single(rest, what)?))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn due() -> impl Strategy<Value = Due> {
        let pair = (any::<u64>(), any::<u64>());
        let what = prop_oneof![
            pair.prop_map(|(m, n)| DueKind::Message(MailboxId(m), MessageNumber(n))),
            (any::<u64>(), any::<u64>()).prop_map(|(m, o)| DueKind::Attempt(MailboxId(m), o)),
            any::<u64>().prop_map(|m| DueKind::Settings(MailboxId(m))),
            any::<u64>().prop_map(|m| DueKind::Subscriptions(MailboxId(m))),
            any::<u64>().prop_map(|n| DueKind::Job(JobNumber(n))),
        ];
        (any::<u64>(), what).prop_map(|(at, what)| Due {
            at: UnixMillis(at),
            what,
        })
    }

    proptest! {
        #[test]
        fn numbers_sort_as_their_keys(a in any::<(u64, u64)>(), b in any::<(u64, u64)>()) {
            let key = |(mailbox, number)| waiting(MailboxId(mailbox), MessageNumber(number));
            prop_assert_eq!(a.cmp(&b), key(a).cmp(&key(b)));
        }

        #[test]
        fn due_things_sort_as_their_keys(a in due(), b in due()) {
            prop_assert_eq!(a.cmp(&b), a.key().cmp(&b.key()));
        }

        #[test]
        fn due_keys_round_trip(due in due()) {
            prop_assert_eq!(Due::decode(&due.key()), Ok(due));
        }

        #[test]
        fn chunks_sort_by_part_then_place(number in any::<u64>(), a in any::<u32>(), b in any::<u32>()) {
            let key = |chunk| content(MessageNumber(number), PartKind::SendBody, chunk);
            prop_assert_eq!(a.cmp(&b), key(a).cmp(&key(b)));
            prop_assert_eq!(
                decode_content(&key(a)),
                Ok((MessageNumber(number), PartKind::SendBody as u8, a))
            );
        }

        #[test]
        fn message_keys_round_trip_and_the_state_follows_its_envelope(m in any::<u64>(), n in any::<u64>()) {
            let (m, n) = (MailboxId(m), MessageNumber(n));
            prop_assert_eq!(decode_message(&envelope(m, n)), Ok((m, n, MessageRow::Envelope)));
            prop_assert_eq!(decode_message(&state(m, n)), Ok((m, n, MessageRow::State)));
            prop_assert!(envelope(m, n) < state(m, n));
        }

        #[test]
        fn other_keys_round_trip(m in any::<u64>(), n in any::<u64>(), ordinal in any::<u32>()) {
            prop_assert_eq!(decode_mailbox(&mailbox(MailboxId(m))), Ok(MailboxId(m)));
            prop_assert_eq!(decode_location(&location(MessageNumber(n))), Ok(MessageNumber(n)));
            prop_assert_eq!(decode_attempt(&attempt(MailboxId(m), n)), Ok((MailboxId(m), n)));
            prop_assert_eq!(
                decode_event(&event(MessageNumber(n), ordinal)),
                Ok((MessageNumber(n), ordinal))
            );
            let key = block(UploadId(n), ordinal);
            prop_assert_eq!(decode_block(&key), Ok((UploadId(n), ordinal)));
            let (lower, upper) = blocks(UploadId(n));
            prop_assert!(n == u64::MAX || (lower <= key && key < upper));
        }

        #[test]
        fn keys_of_jobs_and_legs_round_trip(n in any::<u64>(), index in any::<u32>(), at in any::<u64>()) {
            let number = JobNumber(n);
            let name = LegName { job: number, index };
            prop_assert_eq!(decode_job(&job(number)), Ok((number, JobRow::Job)));
            prop_assert_eq!(decode_job(&template(number)), Ok((number, JobRow::Template)));
            prop_assert_eq!(decode_job(&roster(number, index)), Ok((number, JobRow::Roster(index))));
            prop_assert_eq!(decode_leg(&leg(name)), Ok(name));
            let due = UnixMillis(at);
            prop_assert_eq!(decode_leg_due(&leg_due(due, name)), Ok((due, name)));
            prop_assert_eq!(decode_turn(&turn([7; 16], number)), Ok(([7; 16], Some(number))));
            prop_assert_eq!(decode_turn(&[7; 16]), Ok(([7; 16], None)));
            let (lower, upper) = of_job(number);
            for key in [&job(number)[..], &roster(number, index)[..], &leg(name)[..]] {
                prop_assert!(n == u64::MAX || (&lower[..] <= key && key < &upper[..]));
            }
        }

        #[test]
        fn keys_of_reports_round_trip(n in any::<u64>(), at in any::<u64>(), about_job in any::<bool>()) {
            let subject = match about_job {
                true => ReportSubject::Job(JobNumber(n)),
                false => ReportSubject::Message(MessageNumber(n)),
            };
            for kind in [ReportKind::Processing, ReportKind::Delivery] {
                let name = ReportName { subject, kind };
                prop_assert_eq!(decode_report(&report(name)), Ok(name));
                let due = UnixMillis(at);
                prop_assert_eq!(decode_report_due(&report_due(due, name)), Ok((due, name)));
            }
        }

        #[test]
        fn octets_that_are_no_key_are_refused(key in proptest::collection::vec(any::<u8>(), 0..60)) {
            if let Ok(due) = Due::decode(&key) {
                prop_assert_eq!(due.key(), key.clone());
            }
            prop_assert_eq!(decode_waiting(&key).is_ok(), key.len() == 16);
            prop_assert_eq!(decode_location(&key).is_ok(), key.len() == 8);
        }
    }
}
