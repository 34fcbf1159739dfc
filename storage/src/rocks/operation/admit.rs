//! Letting a large message in before it comes, and more of it than was announced (DEF-17,
//! requirements §3.6). Nothing is written: reservations are in memory, and end with the process.

use crate::config::{MailboxFull, Provisioning};
use crate::key::AddressKey;
use crate::model::{Admission, AdmissionOutcome, Barring, Class, MailboxId, Refusal, UploadId};
use crate::rocks::queue::Lane;
use crate::rocks::shared::Shared;
use crate::rocks::submit::Operation;
use crate::rocks::transaction::{Interrupt, Transaction};
use crate::rule::deposit::{Ask, Decision, Facts, Usage, decide, fits};
use crate::rule::displacement::lack;
use crate::rule::reservation::Purpose;

/// Octets that are reserved ahead of those that come unannounced.
const AHEAD_OCTETS: u64 = 1 << 20;

impl Transaction<'_> {
    /// What the mailboxes of a user hold undelivered, his own and its members, with what other uploads
    /// reserve in them; and what he does not take. Where the oldest messages make way, nothing is reserved: an upload
    /// may never become a message, and makes its place when it does.
    pub(super) fn usage(
        &mut self,
        mailboxes: &[MailboxId],
        address: AddressKey,
        except: Option<UploadId>,
    ) -> Result<(Usage, Barring), Interrupt> {
        let now = self.times.instant;
        let shared = self.shared;
        let is_theirs = |reserved: &AddressKey| {
            let mailbox = || shared.directory.address(reserved);
            *reserved == address || mailbox().is_some_and(|id| mailboxes.contains(&id))
        };
        let mut usage = match shared.bounds().mailbox_full {
            MailboxFull::RejectNew => shared.uploads.reserved(is_theirs, except, now),
            MailboxFull::DropOldest => Usage::default(),
        };
        let mut barring = Barring::default();
        for (place, id) in mailboxes.iter().enumerate() {
            let row = self.existing_mailbox(*id)?;
            usage.messages += row.undelivered();
            usage.imdn += row.imdn;
            usage.octets = usage.octets.saturating_add(row.octets);
            if place == 0 {
                barring = self.barring_now(*id, &row)?;
            }
        }
        Ok((usage, barring))
    }
}

pub(in crate::rocks) struct Admit {
    pub(in crate::rocks) admission: Admission,
    pub(in crate::rocks) address: AddressKey,
    /// Whom it will count for.
    sender: Option<AddressKey>,
}

impl Admit {
    pub(in crate::rocks) fn new(admission: Admission, shared: &Shared) -> Self {
        let sender = admission.sender.as_ref();
        let sender = sender.filter(|_| !admission.sender_exempt);
        Self {
            address: shared.address_key(&admission.served_user),
            sender: sender.map(|sender| shared.address_key(sender)),
            admission,
        }
    }
}

impl Operation for Admit {
    type Answer = AdmissionOutcome;

    const LANE: Lane = Lane::Requests;

    fn run(&self, transaction: &mut Transaction<'_>) -> Result<AdmissionOutcome, Interrupt> {
        let mailbox = transaction.mailbox_of(self.address)?;
        let mailboxes = mailbox.map(|mailbox| transaction.mailboxes_of(mailbox));
        let mailboxes = mailboxes.unwrap_or_default();
        let (usage, barring) = transaction.usage(&mailboxes, self.address, None)?;
        let sender = transaction.stored_by(self.sender)?;
        let shared = transaction.shared;
        let bounds = &shared.bounds();
        let announced = self.admission.announced_octets;
        let facts = Facts {
            duplicate: None::<()>,
            account_known: mailbox.is_some() || shared.config.provisioning == Provisioning::Open,
            barring,
            usage,
            sender,
            disk_full: shared
                .free_space
                .has_no_room_for(announced.unwrap_or_default()),
        };
        let ask = Ask {
            class: Class::Large,
            octets: announced.unwrap_or(1),
            file_transfer: self.admission.file_transfer,
        };
        let decision = decide(facts, ask, bounds);
        if let Decision::Refuse(refusal) = decision {
            return Ok(AdmissionOutcome::Refused(refusal));
        }
        let waiting = match bounds.mailbox_full {
            MailboxFull::RejectNew => usage.octets,
            MailboxFull::DropOldest => 0,
        };
        let left = bounds.quota.octets.saturating_sub(waiting);
        let max_octets = announced.unwrap_or(left);
        let upload = match transaction.is_commit() {
            true => shared.uploads.begin(
                Purpose::Message(self.address),
                announced.unwrap_or(0),
                max_octets,
                transaction.times.instant,
            )?,
            false => UploadId(0),
        };
        Ok(AdmissionOutcome::Admitted { upload, max_octets })
    }
}

/// Reserves room for octets that were not announced.
pub(in crate::rocks) struct Extend {
    pub(in crate::rocks) upload: UploadId,
    pub(in crate::rocks) address: AddressKey,
    /// So many octets have come.
    pub(in crate::rocks) octets: u64,
}

impl Operation for Extend {
    type Answer = Result<(), Refusal>;

    const LANE: Lane = Lane::Requests;

    fn run(&self, transaction: &mut Transaction<'_>) -> Result<Self::Answer, Interrupt> {
        let mailbox = transaction.mailbox_of(self.address)?;
        let mailboxes = mailbox.map(|mailbox| transaction.mailboxes_of(mailbox));
        let mailboxes = mailboxes.unwrap_or_default();
        let (usage, _) = transaction.usage(&mailboxes, self.address, Some(self.upload))?;
        let shared = transaction.shared;
        let bounds = &shared.bounds();
        let has_room = |octets| {
            let ask = Ask {
                class: Class::Large,
                octets,
                file_transfer: false,
            };
            let drops = bounds.mailbox_full == MailboxFull::DropOldest;
            fits(usage, ask, &bounds.quota) || drops && lack(usage, ask, &bounds.quota).is_some()
        };
        let ahead = self.octets.saturating_add(AHEAD_OCTETS);
        let octets = match has_room(ahead) {
            true => ahead,
            false if has_room(self.octets) => self.octets,
            false => {
                let retry_after = bounds.full_retry_after;
                return Ok(Err(Refusal::MailboxFull { retry_after }));
            }
        };
        if transaction.is_commit() {
            shared.uploads.reservations().extend(self.upload, octets);
        }
        Ok(Ok(()))
    }
}
