//! Uploads of the model: plain octets, joined with their message when it is committed.

use bytes::Bytes;

use super::deposits::Decided;
use super::model::Model;
use crate::config::{MailboxFull, Provisioning};
use crate::model::{
    Address, Admission, AdmissionOutcome, Barring, ClaimToken, Class, LargeDeposit, MailboxId,
    MessageNumber, Part, PartKind, Refusal, UploadId,
};
use crate::rule::blocks::MOST_OCTETS;
use crate::rule::coverage::Coverage;
use crate::rule::deposit::{Ask, Decision, Facts, Usage, decide, fits};
use crate::rule::displacement::lack;
use crate::rule::reservation::Purpose;
use crate::store::StoreError;
use crate::timekeeper::Times;

/// Most ranges with gaps between them.
const MAX_RANGES: usize = 1_024;
/// Octets that are reserved ahead of those that come unannounced.
const AHEAD_OCTETS: u64 = 1 << 20;

#[derive(Clone, Default)]
pub(super) struct UploadRecord {
    coverage: Coverage,
    octets: Vec<u8>,
}

impl Model {
    /// What the mailboxes of a user hold, with what other uploads reserve in them, unless the oldest messages make way.
    pub(super) fn usage(
        &self,
        address: &Address,
        except: Option<UploadId>,
        times: Times,
    ) -> (Usage, Barring) {
        let mailbox = self.mailbox(address);
        let mailboxes = mailbox.map_or_else(Vec::new, |mailbox| self.mailboxes_of(mailbox));
        let is_theirs = |owner: &Address| {
            let found = self.mailbox(owner);
            owner == address || found.is_some_and(|found| mailboxes.contains(&found))
        };
        let mut usage = match self.config.mailbox_full {
            MailboxFull::RejectNew => self.reservations.reserved(is_theirs, except, times.instant),
            MailboxFull::DropOldest => Usage::default(),
        };
        if let Some(counted) = mailbox.map(|mailbox| self.counted(mailbox)) {
            usage.messages += counted.text.new + counted.multimedia.new;
            usage.imdn += counted.imdn;
            usage.octets = usage.octets.saturating_add(counted.octets);
        }
        let barring = mailbox.map(|mailbox| self.held(mailbox, times).barring());
        (usage, barring.unwrap_or_default())
    }

    pub(super) fn admit(
        &mut self,
        admission: &Admission,
        times: Times,
    ) -> Result<AdmissionOutcome, StoreError> {
        let address = &admission.served_user;
        let (usage, barring) = self.usage(address, None, times);
        let is_open = self.config.provisioning == Provisioning::Open;
        let announced = admission.announced_octets;
        let facts = Facts {
            duplicate: None::<()>,
            account_known: self.mailbox(address).is_some() || is_open,
            barring,
            usage,
            sender: self.stored_by(admission.sender.as_ref(), admission.sender_exempt),
            disk_full: self.is_disk_full_with(announced.unwrap_or_default()),
        };
        let ask = Ask {
            class: Class::Large,
            octets: announced.unwrap_or(1),
            file_transfer: admission.file_transfer,
        };
        let quota = &self.config.quota;
        if let Decision::Refuse(refusal) = decide(facts, ask, &self.config.bounds()) {
            return Ok(AdmissionOutcome::Refused(refusal));
        }
        let waiting = match self.config.mailbox_full {
            MailboxFull::RejectNew => usage.octets,
            MailboxFull::DropOldest => 0,
        };
        let max_octets = announced.unwrap_or(quota.octets.saturating_sub(waiting));
        let amounts = (announced.unwrap_or(0), max_octets);
        let upload = self.begin_upload(Purpose::Message(address.clone()), amounts, times)?;
        Ok(AdmissionOutcome::Admitted { upload, max_octets })
    }

    pub(super) fn begin_upload(
        &mut self,
        purpose: Purpose<Address>,
        amounts: (u64, u64),
        times: Times,
    ) -> Result<UploadId, StoreError> {
        let upload = UploadId(self.next_upload);
        self.next_upload += 1;
        self.reservations
            .begin(upload, purpose, amounts, times.instant)?;
        self.uploads.insert(upload, UploadRecord::default());
        Ok(upload)
    }

    pub(super) fn stage(
        &mut self,
        upload: UploadId,
        offset: u64,
        octets: &[u8],
        times: Times,
    ) -> Result<Result<(), Refusal>, StoreError> {
        if octets.is_empty() {
            return Ok(Ok(()));
        }
        let end = offset.checked_add(octets.len() as u64);
        let end = end.filter(|end| *end <= MOST_OCTETS);
        let end = end.ok_or(StoreError::UploadTooLarge)?;
        let owner = self.reservations.progress(upload, end, times.instant)?;
        if self.is_disk_full() {
            return Ok(Err(Refusal::DiskFull));
        }
        if let Some(owner) = owner
            && let Err(refusal) = self.reserve(upload, &owner, end, times)
        {
            return Ok(Err(refusal));
        }
        let record = self.uploads.get_mut(&upload);
        let record = record.ok_or(StoreError::UnknownUpload)?;
        let place = |at| usize::try_from(at).map_err(|_| StoreError::UploadTooLarge);
        let (start, end) = (place(offset)?, place(end)?);
        record.octets.resize(record.octets.len().max(end), 0);
        record.octets[start..end].copy_from_slice(octets);
        record.coverage.add(offset..end as u64);
        match record.coverage.ranges() > MAX_RANGES {
            true => Err(StoreError::UploadTooScattered),
            false => Ok(Ok(())),
        }
    }

    fn reserve(
        &mut self,
        upload: UploadId,
        owner: &Address,
        octets: u64,
        times: Times,
    ) -> Result<(), Refusal> {
        let (usage, _) = self.usage(owner, Some(upload), times);
        let ask = |octets| Ask {
            class: Class::Large,
            octets,
            file_transfer: false,
        };
        let quota = &self.config.quota;
        let ahead = octets.saturating_add(AHEAD_OCTETS);
        let wanted = [ahead, octets];
        let mut wanted = wanted.into_iter();
        let drops = self.config.mailbox_full == MailboxFull::DropOldest;
        let granted = wanted.find(|octets| {
            let ask = ask(*octets);
            fits(usage, ask, quota) || drops && lack(usage, ask, quota).is_some()
        });
        let granted = granted.ok_or(Refusal::MailboxFull {
            retry_after: self.config.full_retry_after,
        })?;
        self.reservations.extend(upload, granted);
        Ok(())
    }

    pub(super) fn commit_upload(
        &mut self,
        upload: UploadId,
        deposit: LargeDeposit,
        times: Times,
    ) -> Result<Decided, StoreError> {
        let begun = self.reservations.begin_commit(upload, times.instant);
        if begun == Err(StoreError::OtherUpload) {
            self.abandon(upload);
        }
        begun?;
        let decided = self.commit_whole(upload, deposit, times);
        self.end_upload(upload);
        decided
    }

    fn commit_whole(
        &mut self,
        upload: UploadId,
        deposit: LargeDeposit,
        times: Times,
    ) -> Result<Decided, StoreError> {
        let octets = self.take_whole(upload, deposit.octets)?;
        let sha256 = crate::rule::duplicate::sha256(&octets);
        let mut deposit = deposit.into_deposit(sha256);
        deposit.parts.push(Part {
            kind: PartKind::SendBody,
            octets: Bytes::from(octets),
        });
        Ok(self.deposit_except(deposit, Some(upload), times))
    }

    /// The octets of an upload, if exactly so many have come.
    pub(super) fn take_whole(
        &mut self,
        upload: UploadId,
        octets: u64,
    ) -> Result<Vec<u8>, StoreError> {
        let record = self.uploads.remove(&upload);
        let record = record.ok_or(StoreError::UnknownUpload)?;
        match record.coverage.is_whole(octets) {
            true => Ok(record.octets),
            false => Err(StoreError::UploadIncomplete),
        }
    }

    pub(super) fn end_upload(&mut self, upload: UploadId) {
        self.uploads.remove(&upload);
        self.reservations.end(upload);
    }

    pub(super) fn abandon(&mut self, upload: UploadId) {
        if self.reservations.begin_end(upload) {
            self.end_upload(upload);
        }
    }

    /// Forgets uploads whose lease is over.
    pub(super) fn sweep_uploads(&mut self, times: Times) -> usize {
        let lapsed = self.reservations.lapse(times.instant);
        for upload in &lapsed {
            self.end_upload(*upload);
        }
        lapsed.len()
    }

    pub(super) fn add_bye(
        &mut self,
        number: MessageNumber,
        octets: Bytes,
    ) -> Result<(), StoreError> {
        let message = self.messages.get(&number).ok_or(StoreError::NotFound)?;
        let parts = message.parts.as_ref().ok_or(StoreError::NotFound)?;
        if message.envelope.class == Class::Pager {
            return Err(StoreError::NotFound);
        }
        if parts.iter().any(|part| part.kind == PartKind::Bye) {
            return Ok(());
        }
        self.change(number, |message, _| {
            message.octets += octets.len() as u64;
            if let Some(parts) = &mut message.parts {
                let kind = PartKind::Bye;
                parts.push(Part { kind, octets });
            }
        });
        Ok(())
    }

    pub(super) fn holds(
        &self,
        claim: ClaimToken,
        number: MessageNumber,
    ) -> Result<bool, StoreError> {
        let message = self.messages.get(&number).ok_or(StoreError::NotFound)?;
        let covered: Vec<MailboxId> = self.mailboxes_of(claim.mailbox);
        let account = self.accounts.get(&claim.mailbox);
        let is_live = account.is_some_and(|account| {
            let live = account.claim.as_ref().filter(|claim| !claim.released);
            live.is_some() && account.generation == claim.generation
        });
        Ok(is_live && covered.contains(&message.envelope.mailbox))
    }
}
