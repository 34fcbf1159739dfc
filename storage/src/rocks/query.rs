//! Reading messages: what is on disk, without asking the committer.

use std::cmp::Reverse;
use std::collections::BinaryHeap;
use std::ops::Range;

use bytes::{Bytes, BytesMut};

use super::change::{CHUNK_OCTETS, contents_row};
use super::database::{Database, Reach, ReadError, Scan};
use super::shared::Shared;
use super::uploads::large_row;
use crate::column_family::Family;
use crate::key::{self, MessageRow};
use crate::model::{
    Envelope, ListPage, ListQuery, MailboxId, MailboxSummary, MessageNumber, PageToken, Part,
    PartKind, Sequence, State, StoredMessage, UploadId,
};
use crate::rule::blocks::BLOCK_OCTETS;
use crate::rule::order::held_until;
use crate::sealing::ContentKey;
use crate::store::StoreError;
use crate::timekeeper::Times;
use crate::value::{
    self, EnvelopeValue, LocationValue, MailboxValue, Piece, PieceRow, StateValue, is_inline,
};

/// Most messages looked at for one page.
const LOOKED_AT: usize = 50_000;
/// Most messages of one page.
const PAGE: usize = 1_000;

/// A message as operators and edges see it; never `Claimed` yet.
pub(super) fn stored_message(envelope: Envelope, state: &StateValue) -> StoredMessage {
    StoredMessage {
        deliver_after: held_until(state.state, state.due_at, envelope.expires_at),
        envelope,
        state: state.state,
        attempts: state.attempts,
        redeliveries: state.redeliveries,
        settled_at: state.settled_at,
        reason: state.reason.clone(),
        content_retained: state.content_retained,
        reports: state.reports.clone(),
        devices: state.devices.clone(),
    }
}

/// Envelope and state, as found on disk.
pub(super) struct Found {
    pub(super) envelope: EnvelopeValue,
    pub(super) state: StateValue,
}

impl Shared {
    /// A message by its number.
    pub(super) fn find(&self, number: MessageNumber) -> Result<Found, StoreError> {
        let location = self
            .database
            .read(Family::Locations, &key::location(number))?;
        let location = location.ok_or(StoreError::NotFound)?;
        let LocationValue(mailbox) = value::decode(&location)?;
        let found = self.find_in(mailbox, number, Reach::Disk)?;
        found.ok_or(StoreError::NotFound)
    }

    /// A message by its mailbox and number.
    pub(super) fn find_in(
        &self,
        mailbox: MailboxId,
        number: MessageNumber,
        reach: Reach,
    ) -> Result<Option<Found>, ReadError> {
        let read = |key: [u8; 17]| self.database.get(Family::Messages, &key, reach);
        let envelope = read(key::envelope(mailbox, number))?;
        let Some(envelope) = envelope else {
            return Ok(None);
        };
        let envelope: EnvelopeValue = value::decode(&envelope)?;
        let state = match read(key::state(mailbox, number))? {
            Some(state) => value::decode(&state)?,
            None => StateValue::fresh(&envelope.envelope),
        };
        Ok(Some(Found { envelope, state }))
    }

    pub(super) fn message(
        &self,
        number: MessageNumber,
        times: Times,
    ) -> Result<StoredMessage, StoreError> {
        let found = self.find(number)?;
        Ok(self.seen_now(stored_message(found.envelope.envelope, &found.state), times))
    }

    /// `Claimed` follows from the claim: taken, its lease alive, not settled.
    pub(super) fn seen_now(&self, mut message: StoredMessage, times: Times) -> StoredMessage {
        let owner = self.directory.owner(message.envelope.mailbox);
        let number = message.envelope.id.number;
        let is_out = || self.taken.is_claimed(owner, number, times.steady);
        if message.state == State::Stored && is_out() {
            message.state = State::Claimed;
        }
        message
    }

    pub(super) fn read_part(
        &self,
        number: MessageNumber,
        kind: PartKind,
        offset: u64,
        length: usize,
    ) -> Result<Bytes, StoreError> {
        let found = self.find(number)?;
        let parts = found.envelope.parts.iter();
        let part = parts.into_iter().find(|(found, _)| *found == kind);
        let (_, octets) = part
            .filter(|_| found.state.content_retained)
            .ok_or(StoreError::NotFound)?;
        let end = offset.saturating_add(length as u64).min(*octets);
        Ok(self.octets(&found.envelope, kind, offset.min(end)..end, Reach::Disk)?)
    }

    /// All parts of a message but for a body that is not taken with it.
    pub(super) fn inline_parts(
        &self,
        envelope: &EnvelopeValue,
        reach: Reach,
    ) -> Result<Vec<Part>, ReadError> {
        let parts = envelope.parts.iter().filter(|part| is_inline(**part));
        parts
            .map(|(kind, octets)| {
                Ok(Part {
                    kind: *kind,
                    octets: self.octets(envelope, *kind, 0..*octets, reach)?,
                })
            })
            .collect()
    }

    /// Octets of a part, row by row.
    fn octets(
        &self,
        envelope: &EnvelopeValue,
        kind: PartKind,
        range: Range<u64>,
        reach: Reach,
    ) -> Result<Bytes, ReadError> {
        let number = envelope.envelope.id.number;
        let content_key = envelope.content_key.as_ref();
        match envelope.staged_as(kind) {
            Some(upload) => joined(range, BLOCK_OCTETS, |row| {
                let place = key::block(upload, row);
                self.piece(large_row(&place), content_key, reach)
            }),
            None => joined(range, CHUNK_OCTETS, |row| {
                let place = key::content(number, kind, row);
                self.piece(contents_row(&place), content_key, reach)
            }),
        }
    }

    /// A piece of a content, opened.
    pub(super) fn piece(
        &self,
        row: PieceRow<'_>,
        key: Option<&ContentKey>,
        reach: Reach,
    ) -> Result<Option<Piece<'static>>, ReadError> {
        let value = self.database.get(row.family, row.key, reach)?;
        let piece = value.map(|value| value::decode_piece(value, key, row));
        Ok(piece.transpose()?)
    }

    /// Octets of what has been an upload, all of them there.
    pub(super) fn staged_octets(
        &self,
        (upload, key): (UploadId, Option<&ContentKey>),
        range: Range<u64>,
    ) -> Result<Bytes, StoreError> {
        let joined = joined(range, BLOCK_OCTETS, |row| {
            let place = key::block(upload, row);
            self.piece(large_row(&place), key, Reach::Disk)
        });
        Ok(joined?)
    }

    pub(super) fn mailbox_row(
        &self,
        mailbox: MailboxId,
        reach: Reach,
    ) -> Result<Option<MailboxValue>, ReadError> {
        let place = key::mailbox(mailbox);
        let row = self.database.get(Family::Mailboxes, &place, reach)?;
        Ok(row.map(|row| value::decode(&row)).transpose()?)
    }

    pub(super) fn summary(&self, mailbox: MailboxId) -> Result<MailboxSummary, StoreError> {
        let row = self.mailbox_row(mailbox, Reach::Disk)?;
        let row = row.ok_or(StoreError::NotFound)?;
        let mut summary = MailboxSummary {
            mailbox,
            text: row.text,
            multimedia: row.multimedia,
            imdn: row.imdn,
            octets: row.octets,
            version: row.version,
            last_sequence: Sequence(row.last_number.0),
        };
        for member in row.members {
            let row = self.mailbox_row(member, Reach::Disk)?.unwrap_or_default();
            add(&mut summary, &row);
        }
        Ok(summary)
    }

    pub(super) fn list(&self, query: &ListQuery, times: Times) -> Result<ListPage, StoreError> {
        let token = query.page_token;
        let start = MessageNumber(token.map_or(0, |token| token.0.saturating_add(1)));
        let mut cursor = match &query.served_user {
            Some(address) => match self.directory.address(&self.address_key(address)) {
                Some(mailbox) => Cursor::of_mailbox(self, mailbox, start)?,
                None => return Ok(ListPage::default()),
            },
            None => Cursor::of_all(self, start),
        };
        let page_size = query.page_size.clamp(1, PAGE);
        let mut page = ListPage::default();
        let mut looked_at = 0;
        while let Some(found) = cursor.next()? {
            looked_at += 1;
            let number = found.envelope.envelope.id.number;
            let message = stored_message(found.envelope.envelope, &found.state);
            let message = self.seen_now(message, times);
            page.messages
                .extend(Some(message).filter(|m| query.matches(m)));
            if page.messages.len() >= page_size || looked_at >= LOOKED_AT {
                page.next = cursor.has_more()?.then_some(PageToken(number.0));
                break;
            }
        }
        Ok(page)
    }
}

/// Octets of a content, row by row.
fn joined(
    range: Range<u64>,
    row_octets: usize,
    read: impl Fn(u32) -> Result<Option<Piece<'static>>, ReadError>,
) -> Result<Bytes, ReadError> {
    let row_octets = row_octets as u64;
    let mut octets = BytesMut::new();
    let mut at = range.start;
    while at < range.end {
        let row = u32::try_from(at / row_octets).unwrap_or(u32::MAX);
        let row_start = at - at % row_octets;
        let held = read(row)?;
        let held = held.ok_or(StoreError::NotFound)?;
        let slice = within(&held, at - row_start, range.end - row_start)?;
        let is_all = octets.is_empty() && slice.len() as u64 == range.end - at;
        if is_all {
            let start = usize::try_from(at - row_start).unwrap_or(0);
            let end = start + slice.len();
            return Ok(held.into_bytes().slice(start..end));
        }
        if octets.is_empty() {
            octets.reserve(usize::try_from(range.end - at).unwrap_or(slice.len()));
        }
        octets.extend_from_slice(slice);
        at += slice.len() as u64;
    }
    Ok(octets.freeze())
}

fn within(chunk: &[u8], start: u64, end: u64) -> Result<&[u8], StoreError> {
    let corrupt = StoreError::Corrupt {
        what: "content chunk",
    };
    let start = usize::try_from(start).map_err(|_| corrupt.clone())?;
    let end = usize::try_from(end).unwrap_or(usize::MAX).min(chunk.len());
    match chunk.get(start..end) {
        Some(slice) if !slice.is_empty() => Ok(slice),
        _ => Err(corrupt),
    }
}

fn add(summary: &mut MailboxSummary, row: &MailboxValue) {
    for (sum, count) in [
        (&mut summary.text, row.text),
        (&mut summary.multimedia, row.multimedia),
    ] {
        sum.new += count.new;
        sum.old += count.old;
        sum.new_urgent += count.new_urgent;
        sum.old_urgent += count.old_urgent;
    }
    summary.imdn += row.imdn;
    summary.octets += row.octets;
    summary.version += row.version;
    summary.last_sequence = summary.last_sequence.max(Sequence(row.last_number.0));
}

/// Messages in the order of their numbers.
enum Cursor<'a> {
    /// Of an account: its mailbox and its members, merged.
    Mailboxes(
        Vec<MessageScan<'a>>,
        BinaryHeap<Reverse<(MessageNumber, usize)>>,
    ),
    /// Of everybody.
    All(&'a Shared, Scan<'a>),
}

impl<'a> Cursor<'a> {
    fn of_mailbox(
        shared: &'a Shared,
        mailbox: MailboxId,
        start: MessageNumber,
    ) -> Result<Self, StoreError> {
        let mut scans = Vec::new();
        let mut heads = BinaryHeap::new();
        for (place, mailbox) in shared
            .directory
            .mailboxes_of(mailbox)
            .into_iter()
            .enumerate()
        {
            let scan = MessageScan::new(&shared.database, mailbox, start)?;
            heads.extend(scan.head().map(|number| Reverse((number, place))));
            scans.push(scan);
        }
        Ok(Self::Mailboxes(scans, heads))
    }

    fn of_all(shared: &'a Shared, start: MessageNumber) -> Self {
        let lower = key::location(start);
        Self::All(
            shared,
            shared.database.scan(Family::Locations, &lower, None),
        )
    }

    fn next(&mut self) -> Result<Option<Found>, StoreError> {
        match self {
            Self::Mailboxes(scans, heads) => next_merged(scans, heads),
            Self::All(shared, scan) => next_of_all(shared, scan),
        }
    }

    fn has_more(&mut self) -> Result<bool, StoreError> {
        match self {
            Self::Mailboxes(_, heads) => Ok(!heads.is_empty()),
            Self::All(_, scan) => Ok(scan.step(|_, _| Ok(()))?.is_some()),
        }
    }
}

fn next_merged(
    scans: &mut [MessageScan<'_>],
    heads: &mut BinaryHeap<Reverse<(MessageNumber, usize)>>,
) -> Result<Option<Found>, StoreError> {
    let Some(Reverse((_, place))) = heads.pop() else {
        return Ok(None);
    };
    let Some(scan) = scans.get_mut(place) else {
        return Ok(None);
    };
    let found = scan.next()?;
    heads.extend(scan.head().map(|number| Reverse((number, place))));
    Ok(found)
}

/// A message that was removed since the scan began is passed over.
fn next_of_all(shared: &Shared, scan: &mut Scan<'_>) -> Result<Option<Found>, StoreError> {
    let mut next = || {
        scan.step(|key, value| {
            let LocationValue(mailbox) = value::decode(value)?;
            Ok((mailbox, key::decode_location(key)?))
        })
    };
    while let Some((mailbox, number)) = next()? {
        if let Some(found) = shared.find_in(mailbox, number, Reach::Disk)? {
            return Ok(Some(found));
        }
    }
    Ok(None)
}

/// The messages of one mailbox, each with the state row that follows its envelope.
pub(super) struct MessageScan<'a> {
    scan: Scan<'a>,
    head: Option<Found>,
    /// An envelope that the scan has stepped over while it looked for a state.
    ahead: Option<EnvelopeValue>,
}

enum ScannedRow {
    Envelope(Box<EnvelopeValue>),
    State(StateValue),
}

impl<'a> MessageScan<'a> {
    pub(super) fn new(
        database: &'a Database,
        mailbox: MailboxId,
        start: MessageNumber,
    ) -> Result<Self, StoreError> {
        let lower = key::waiting(mailbox, start);
        let upper = key::mailbox(MailboxId(mailbox.0.saturating_add(1)));
        let mut scan = Self {
            scan: database.scan(Family::Messages, &lower, Some(&upper)),
            head: None,
            ahead: None,
        };
        scan.advance()?;
        Ok(scan)
    }

    fn head(&self) -> Option<MessageNumber> {
        self.head
            .as_ref()
            .map(|head| head.envelope.envelope.id.number)
    }

    pub(super) fn next(&mut self) -> Result<Option<Found>, StoreError> {
        let next = self.head.take();
        self.advance()?;
        Ok(next)
    }

    fn advance(&mut self) -> Result<(), StoreError> {
        let envelope = match self.ahead.take() {
            Some(envelope) => Some(envelope),
            None => match self.row()? {
                Some(ScannedRow::Envelope(envelope)) => Some(*envelope),
                Some(ScannedRow::State(_)) => return Err(StoreError::Corrupt { what: "message" }),
                None => None,
            },
        };
        let Some(envelope) = envelope else {
            return Ok(());
        };
        let state = match self.row()? {
            Some(ScannedRow::State(state)) => state,
            Some(ScannedRow::Envelope(ahead)) => {
                self.ahead = Some(*ahead);
                StateValue::fresh(&envelope.envelope)
            }
            None => StateValue::fresh(&envelope.envelope),
        };
        self.head = Some(Found { envelope, state });
        Ok(())
    }

    fn row(&mut self) -> Result<Option<ScannedRow>, StoreError> {
        self.scan.step(|key, value| {
            let (_, _, row) = key::decode_message(key)?;
            Ok(match row {
                MessageRow::Envelope => ScannedRow::Envelope(Box::new(value::decode(value)?)),
                MessageRow::State => ScannedRow::State(value::decode(value)?),
            })
        })
    }
}
