//! From index rows back to what they should belong to, and the counters of the store.

use super::{CheckReport, Finding};
use crate::column_family::Family;
use crate::key::{self, Due, DueKind};
use crate::model::MailboxId;
use crate::rocks::database::Reach;
use crate::rocks::shared::Shared;
use crate::rule::settings::Sayings;
use crate::rule::subscription;
use crate::store::StoreError;
use crate::value::{
    self, AccountValue, AddressValue, Counters, DuplicateValue, LocationValue, OwnerValue,
    SubscriptionsValue,
};

impl Shared {
    pub(super) fn check_orphans(&self, report: &mut CheckReport) -> Result<(), StoreError> {
        let counters = self.counters()?;
        self.check_locations(&counters, report)?;
        self.check_family(Family::Mailboxes, report, |key, _| {
            let mailbox = key::decode_mailbox(key)?;
            let is_counted = mailbox.0 < counters.next_mailbox;
            Ok(is_counted && self.has(Family::Accounts, key)?)
        })?;
        self.check_family(Family::Messages, report, |key, _| {
            let (mailbox, number, _) = key::decode_message(key)?;
            Ok(self.has(Family::Messages, &key::envelope(mailbox, number))?
                && self.has(Family::Mailboxes, &key::mailbox(mailbox))?)
        })?;
        self.check_family(Family::Waiting, report, |key, _| {
            let (mailbox, number) = key::decode_waiting(key)?;
            self.has(Family::Messages, &key::envelope(mailbox, number))
        })?;
        self.check_family(Family::Contents, report, |key, _| {
            let (number, _, _) = key::decode_content(key)?;
            self.has(Family::Locations, &key::location(number))
        })?;
        let (mut unfinished, mut last) = (0, None);
        self.check_family(Family::Large, report, |key, octets| {
            // Blocks are compared with what is their owner.
            let (upload, block) = key::decode_block(key)?;
            match block {
                key::OWNER_BLOCK => match value::decode(octets)? {
                    OwnerValue::Message(number) => {
                        self.has(Family::Locations, &key::location(number))
                    }
                    OwnerValue::Job(number) => {
                        let job = self.job_row(number)?;
                        Ok(job.is_some_and(|job| job.content == Some(upload)))
                    }
                },
                _ => {
                    let is_owned =
                        self.has(Family::Large, &key::block(upload, key::OWNER_BLOCK))?;
                    let is_other = last.replace(upload) != Some(upload);
                    unfinished += usize::from(!is_owned && is_other);
                    Ok(true)
                }
            }
        })?;
        report.unfinished_uploads += unfinished;
        self.check_family(Family::Events, report, |key, _| {
            let (number, _) = key::decode_event(key)?;
            self.has(Family::Locations, &key::location(number))
        })?;
        self.check_family(Family::Addresses, report, |_, octets| {
            let row: AddressValue = value::decode(octets)?;
            self.has(Family::Mailboxes, &key::mailbox(row.mailbox))
        })?;
        self.check_family(Family::Duplicates, report, |_, octets| {
            value::decode(octets).map(|_: DuplicateValue| true)
        })?;
        self.check_family(Family::Settings, report, |key, octets| {
            let said: Sayings = value::decode(octets)?;
            let mailbox = self.mailbox_row(key::decode_mailbox(key)?, Reach::Disk)?;
            Ok(mailbox.is_some_and(|row| row.settings_until == said.next_end()))
        })?;
        self.check_family(Family::Subscriptions, report, |key, octets| {
            let row: SubscriptionsValue = value::decode(octets)?;
            let what = DueKind::Subscriptions(key::decode_mailbox(key)?);
            match subscription::due_at(&row.subscriptions) {
                Some(at) => Ok(self.has(Family::Due, &Due { at, what }.key())?
                    && self.has(Family::Mailboxes, key)?),
                None => Ok(false),
            }
        })?;
        let mut passed = 0;
        self.check_family(Family::Due, report, |key, _| {
            let due = Due::decode(key)?;
            passed += usize::from(due.at < counters.swept_until);
            self.is_due(&due)
        })?;
        for _ in 0..passed {
            report.add(Finding::Passed);
        }
        Ok(())
    }

    fn counters(&self) -> Result<Counters, StoreError> {
        let row = self.database.read(Family::Meta, &key::COUNTERS)?;
        let row = row.ok_or(StoreError::Corrupt { what: "meta rows" })?;
        value::decode(&row)
    }

    /// Numbers lead to messages, and the next one is still free.
    fn check_locations(
        &self,
        counters: &Counters,
        report: &mut CheckReport,
    ) -> Result<(), StoreError> {
        let mut is_behind = false;
        self.check_family(Family::Locations, report, |key, octets| {
            let number = key::decode_location(key)?;
            is_behind |= number.0 >= counters.next_number;
            let LocationValue(mailbox) = value::decode(octets)?;
            self.has(Family::Messages, &key::envelope(mailbox, number))
        })?;
        report.expect(!is_behind, || Finding::Behind("message ids"));
        Ok(())
    }

    /// Whether what is due is there.
    fn is_due(&self, due: &Due) -> Result<bool, StoreError> {
        match due.what {
            DueKind::Message(mailbox, number) => {
                let found = self.find_in(mailbox, number, Reach::Disk)?;
                Ok(found.is_some_and(|found| found.state.due_at == due.at))
            }
            DueKind::Subscriptions(mailbox) => {
                let row = self
                    .database
                    .read(Family::Subscriptions, &key::mailbox(mailbox))?;
                let row: Option<SubscriptionsValue> =
                    row.map(|row| value::decode(&row)).transpose()?;
                let due_at = row.and_then(|row| subscription::due_at(&row.subscriptions));
                Ok(due_at == Some(due.at))
            }
            DueKind::Attempt(mailbox, order) => Ok(self
                .has(Family::Attempts, &key::attempt(mailbox, order))?
                || self.is_erased(mailbox)?),
            DueKind::Job(number) => {
                let row = self.job_row(number)?;
                Ok(row.is_some_and(|row| row.due_at == due.at))
            }
            DueKind::Settings(mailbox) => {
                let row = self.mailbox_row(mailbox, Reach::Disk)?;
                Ok(row.is_some_and(|row| row.settings_until == Some(due.at)))
            }
        }
    }

    /// Whether the account of a mailbox has gone with everything: when that ends is not looked for.
    pub(super) fn is_erased(&self, mailbox: MailboxId) -> Result<bool, StoreError> {
        let row = self
            .database
            .read(Family::Accounts, &key::mailbox(mailbox))?;
        let row: Option<AccountValue> = row.map(|row| value::decode(&row)).transpose()?;
        Ok(row.is_some_and(|row| row.is_erased()))
    }

    fn has(&self, family: Family, key: &[u8]) -> Result<bool, StoreError> {
        has(self, family, key)
    }

    pub(super) fn check_family(
        &self,
        family: Family,
        report: &mut CheckReport,
        mut belongs: impl FnMut(&[u8], &[u8]) -> Result<bool, StoreError>,
    ) -> Result<(), StoreError> {
        let mut scan = self.database.scan(family, &[], None);
        while let Some(belongs) = scan.step(&mut belongs)? {
            report.expect(belongs, || Finding::Orphan(family.name()));
        }
        Ok(())
    }
}

/// Whether there is such a row.
pub(super) fn has(shared: &Shared, family: Family, key: &[u8]) -> Result<bool, StoreError> {
    shared.database.contains(family, key)
}
