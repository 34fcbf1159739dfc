//! From mailboxes to messages to everything that hangs on them.

use sha2::{Digest, Sha256};

use super::restate::Restate;
use super::{CheckReport, Finding};
use crate::column_family::Family;
use crate::key::{self, Due, DueKind};
use crate::model::{
    MailboxId, MessageNumber, PartKind, ReportName, ReportState, ReportSubject, UploadId,
};
use crate::rocks::change::{chunks_of, contents_row, waiting};
use crate::rocks::counting::{Share, is_deliverable};
use crate::rocks::database::{Reach, ReadError};
use crate::rocks::query::{Found, MessageScan};
use crate::rocks::senders::SenderCounts;
use crate::rocks::shared::Shared;
use crate::store::StoreError;
use crate::value::{
    self, LocationValue, MailboxValue, OwnerValue, PieceRow, ReportValue, SenderValue, WaitingValue,
};

impl Shared {
    /// Wrong counters of mailboxes and senders, as they should be.
    pub(super) fn check_mailboxes(
        &self,
        report: &mut CheckReport,
    ) -> Result<Vec<Restate>, StoreError> {
        let mut wrong = Vec::new();
        let mut senders = SenderCounts::default();
        let mut scan = self.database.scan(Family::Mailboxes, &[], None);
        while let Some((mailbox, row)) = scan.step(|key, octets| {
            let row: MailboxValue = value::decode(octets)?;
            Ok((key::decode_mailbox(key)?, row))
        })? {
            report.mailboxes += 1;
            let counted = self.check_mailbox(mailbox, &row, (&mut senders, report))?;
            if counted != row {
                report.add(Finding::Counters(mailbox));
                wrong.push(Restate::Mailbox(mailbox, counted));
            }
        }
        self.check_senders(senders, (&mut wrong, report))?;
        Ok(wrong)
    }

    fn check_senders(
        &self,
        mut counted: SenderCounts,
        (wrong, report): (&mut Vec<Restate>, &mut CheckReport),
    ) -> Result<(), StoreError> {
        let mut scan = self.database.scan(Family::Senders, &[], None);
        while let Some((sender, row)) = scan.step(|key, octets| {
            let row: SenderValue = value::decode(octets)?;
            Ok((key::decode_address(key)?, row))
        })? {
            let right = counted.take(&sender);
            if right != Some(row) {
                report.add(sender_finding(Some(row), right));
                wrong.push(Restate::Sender(sender, right));
            }
        }
        for (sender, right) in counted.into_rest() {
            report.add(sender_finding(None, Some(right)));
            wrong.push(Restate::Sender(sender, Some(right)));
        }
        Ok(())
    }

    /// The row as it should be.
    fn check_mailbox(
        &self,
        mailbox: MailboxId,
        row: &MailboxValue,
        (senders, report): (&mut SenderCounts, &mut CheckReport),
    ) -> Result<MailboxValue, StoreError> {
        let mut counted = without_counts(row);
        let mut scan = MessageScan::new(&self.database, mailbox, MessageNumber::default())?;
        while let Some(found) = scan.next()? {
            let number = found.envelope.envelope.id.number;
            report.messages += 1;
            self.check_message(mailbox, number, &found, report)?;
            Share::of(&found.envelope, &found.state).add_to(&mut counted);
            senders.add(&self.secret, &found.envelope, &found.state);
            counted.last_number = counted.last_number.max(number);
            if is_deliverable(&found.state) {
                counted.deliverable += 1;
                counted.head = counted.head.min(number);
            }
        }
        Ok(counted)
    }

    fn check_message(
        &self,
        mailbox: MailboxId,
        number: MessageNumber,
        found: &Found,
        report: &mut CheckReport,
    ) -> Result<(), StoreError> {
        let read = |family, key: &[u8]| self.database.read(family, key);
        let location = read(Family::Locations, &key::location(number))?;
        let location = location
            .map(|row| value::decode::<LocationValue>(&row))
            .transpose()?;
        report.expect(location == Some(LocationValue(mailbox)), || {
            Finding::Location(number)
        });
        let waiting = read(Family::Waiting, &key::waiting(mailbox, number))?;
        let waiting = waiting.map(|row| value::decode(&row)).transpose()?;
        report.expect(waiting == expected_waiting(found), || {
            Finding::Waiting(number)
        });
        let due = Due {
            at: found.state.due_at,
            what: DueKind::Message(mailbox, number),
        };
        let due = read(Family::Due, &due.key())?;
        report.expect(due.is_some(), || Finding::Due(number));
        for made in &found.state.reports {
            let name = ReportName {
                subject: ReportSubject::Message(number),
                kind: made.status.kind(),
            };
            let row = read(Family::Reports, &key::report(name))?;
            let row: Option<ReportValue> = row.map(|row| value::decode(&row)).transpose()?;
            let expected = (made.state == ReportState::Waiting).then_some(made.status);
            let agrees = row.map(|row| row.report.status) == expected;
            report.expect(agrees, || Finding::ReportOf(number));
        }
        for ordinal in 1..=found.state.events {
            let event = read(Family::Events, &key::event(number, ordinal))?;
            report.expect(event.is_some(), || Finding::Timeline(number));
        }
        self.check_content(number, found, report)
    }

    fn check_content(
        &self,
        number: MessageNumber,
        found: &Found,
        report: &mut CheckReport,
    ) -> Result<(), StoreError> {
        for (kind, octets) in &found.envelope.parts {
            if let Some(upload) = found.envelope.staged_as(*kind) {
                self.check_staged(number, upload, *octets, found, report)?;
                continue;
            }
            let mut there = 0;
            let mut hasher = Sha256::new();
            for chunk in 0..chunks_of(*octets) {
                let place = key::content(number, *kind, chunk);
                let key = found.envelope.content_key.as_ref();
                there += match self.piece(contents_row(&place), key, Reach::Disk) {
                    Ok(Some(piece)) => {
                        hasher.update(&piece[..]);
                        piece.len() as u64
                    }
                    Ok(None) | Err(ReadError::Failed(StoreError::Corrupt { .. })) => 0,
                    Err(error) => return Err(error.into()),
                };
            }
            let expected = if found.state.content_retained {
                *octets
            } else {
                0
            };
            let hash = found.envelope.envelope.sha256;
            let hash = hash.filter(|_| *kind == PartKind::SendBody && found.state.content_retained);
            let is_same = hash.is_none_or(|hash| hash == <[u8; 32]>::from(hasher.finalize()));
            report.expect(there == expected && is_same, || Finding::Content(number));
            report.content_octets += there;
        }
        Ok(())
    }
}

impl Shared {
    /// Length, hash and owner of a staged body.
    fn check_staged(
        &self,
        number: MessageNumber,
        upload: UploadId,
        octets: u64,
        found: &Found,
        report: &mut CheckReport,
    ) -> Result<(), StoreError> {
        let (lower, upper) = key::blocks(upload);
        let mut scan = self.database.scan(Family::Large, &lower, Some(&upper));
        let mut hasher = Sha256::new();
        let (mut there, mut owner) = (0, None);
        while scan
            .step(|key, row| {
                match key::decode_block(key)? {
                    (_, key::OWNER_BLOCK) => owner = Some(value::decode(row)?),
                    _ => {
                        let place = PieceRow {
                            family: Family::Large,
                            key,
                        };
                        let content_key = found.envelope.content_key.as_ref();
                        // One that does not open is one that is not there.
                        if let Ok(block) = value::decode_piece(row, content_key, place) {
                            hasher.update(&block[..]);
                            there += block.len() as u64;
                        }
                    }
                }
                Ok(())
            })?
            .is_some()
        {}
        let agrees = match found.state.content_retained {
            true => {
                there == octets
                    && owner == Some(OwnerValue::Message(number))
                    && found.envelope.envelope.sha256 == Some(hasher.finalize().into())
            }
            false => there == 0 && owner.is_none(),
        };
        report.expect(agrees, || Finding::Content(number));
        report.content_octets += there;
        Ok(())
    }
}

/// What cannot be counted stays as it is.
fn without_counts(row: &MailboxValue) -> MailboxValue {
    MailboxValue {
        text: Default::default(),
        multimedia: Default::default(),
        imdn: 0,
        octets: 0,
        deliverable: 0,
        ..row.clone()
    }
}

fn expected_waiting(found: &Found) -> Option<WaitingValue> {
    is_deliverable(&found.state).then(|| waiting(&found.envelope, &found.state))
}

/// What the row of a sender says, and what his messages add up to.
fn sender_finding(row: Option<SenderValue>, right: Option<SenderValue>) -> Finding {
    let figures = |value: Option<SenderValue>| {
        let value = value.unwrap_or_default();
        (value.messages, value.octets)
    };
    Finding::Sender {
        counted: figures(row),
        stored: figures(right),
    }
}
