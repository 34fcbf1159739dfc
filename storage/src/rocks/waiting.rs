//! Scanning the deliverable messages of a mailbox, never from the beginning (C-28).

use super::database::{Database, Reach, ReadError, Scan};
use crate::column_family::Family;
use crate::key;
use crate::model::{MailboxId, MessageNumber};
use crate::value::{self, WaitingValue};

pub(super) struct WaitingScan<'a>(Scan<'a>);

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
        Self(database.scan_within(Family::Waiting, &lower, Some(&upper), reach))
    }

    pub(super) fn next(&mut self) -> Result<Option<(MessageNumber, WaitingValue)>, ReadError> {
        self.0.next(|key, octets| {
            let (_, number) = key::decode_waiting(key)?;
            Ok((number, value::decode(octets)?))
        })
    }
}
