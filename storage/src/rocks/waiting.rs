//! Scanning the deliverable messages of a mailbox, never from the beginning (C-28).

use super::database::{Database, Reach, ReadError, Scan};
use crate::column_family::Family;
use crate::key;
use crate::model::{MailboxId, MessageNumber};
use crate::value::{self, WaitingValue};

/// Rows that a scan looks at on an async thread: some 100 µs at most.
const FEW: usize = 256;

pub(super) struct WaitingScan<'a> {
    rows: Scan<'a>,
    /// How many more rows may be looked at.
    left: usize,
}

impl<'a> WaitingScan<'a> {
    /// Messages behind `after`.
    pub(super) fn new(
        database: &'a Database,
        mailbox: MailboxId,
        after: MessageNumber,
        reach: Reach,
    ) -> Self {
        let lower = key::waiting(mailbox, MessageNumber(after.0.saturating_add(1)));
        let upper = key::mailbox(MailboxId(mailbox.0.saturating_add(1)));
        Self {
            rows: database.scan_within(Family::Waiting, &lower, Some(&upper), reach),
            left: match reach {
                Reach::Memory => FEW,
                Reach::Disk => usize::MAX,
            },
        }
    }

    pub(super) fn next(&mut self) -> Result<Option<(MessageNumber, WaitingValue)>, ReadError> {
        self.left = self.left.checked_sub(1).ok_or(ReadError::NeedsDisk)?;
        self.rows.next(|key, octets| {
            let (_, number) = key::decode_waiting(key)?;
            Ok((number, value::decode(octets)?))
        })
    }
}
