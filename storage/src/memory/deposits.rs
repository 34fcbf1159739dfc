//! Deposits of the model.

use super::model::{FirstCopy, MessageRecord, Model, settle};
use crate::config::Provisioning;
use crate::model::{
    Deposit, DepositOutcome, Envelope, Event, EventKind, Generation, ImportForecast, MailboxId,
    MessageId, MessageNumber, Priority, Receipt, Refusal, ReportStatus, Sequence, State, UploadId,
};
use crate::rule::deposit::{Ask, Decision, Facts, decide, is_too_late};
use crate::rule::displacement::{Candidate, Candidates, Lack, REASON, displaced};
use crate::rule::duplicate::{Fingerprint, ImdnFingerprints, fingerprint, imdn_fingerprints};
use crate::rule::import::{Terms, without_displacement};
use crate::rule::retention;
use crate::store::Synced;
use crate::timekeeper::Times;

/// Free octets of the simulated disk: more than anybody asks for who does not want to find it full.
const FREE_OCTETS: u64 = 1 << 50;

/// What was decided, before the sync.
pub(super) enum Decided {
    Stored(Receipt),
    IdReused(Receipt),
    Duplicate(Receipt),
    Refused(Refusal),
}

impl Decided {
    /// To be called after the sync.
    pub(super) fn into_outcome(self) -> DepositOutcome {
        match self {
            Self::Stored(receipt) => DepositOutcome::Stored(Synced::after_sync(receipt)),
            Self::IdReused(receipt) => DepositOutcome::IdReused(Synced::after_sync(receipt)),
            Self::Duplicate(receipt) => DepositOutcome::Duplicate(Synced::after_sync(receipt)),
            Self::Refused(refusal) => DepositOutcome::Refused(refusal),
        }
    }

    /// To be called for what was rehearsed alone.
    pub(super) fn into_forecast(self) -> ImportForecast {
        match self {
            Self::Stored(_) | Self::IdReused(_) => ImportForecast::Stored,
            Self::Duplicate(_) => ImportForecast::Duplicate,
            Self::Refused(refusal) => ImportForecast::Refused(refusal),
        }
    }
}

impl Model {
    pub(super) fn deposit(&mut self, deposit: Deposit, times: Times) -> Decided {
        self.deposit_except(deposit, None, times)
    }

    /// A deposit whose own upload is not counted against it.
    pub(super) fn deposit_except(
        &mut self,
        deposit: Deposit,
        upload: Option<UploadId>,
        times: Times,
    ) -> Decided {
        self.deposit_as(deposit, upload, None, times)
    }

    /// A deposit, or what is taken over from another store.
    pub(super) fn deposit_as(
        &mut self,
        deposit: Deposit,
        upload: Option<UploadId>,
        terms: Option<&Terms>,
        times: Times,
    ) -> Decided {
        if terms.is_none() && is_too_late(deposit.deadline, times.instant) {
            return Decided::Refused(Refusal::TooLate);
        }
        let fingerprints = (
            fingerprint(&self.secret, &deposit),
            imdn_fingerprints(&self.secret, &deposit),
        );
        let octets = deposit.parts.iter().map(|p| p.octets.len() as u64).sum();
        let ask = Ask {
            class: deposit.class,
            // As for its admission, the parts beside the body do not count.
            octets: upload.map_or(octets, |_| deposit.body_octets),
            file_transfer: deposit.file.is_some(),
        };
        let mut facts = self.facts(&deposit, &fingerprints, upload, times);
        if let Some(terms) = terms {
            facts.usage = terms.usage(deposit.class, facts.usage);
        }
        let decision = match decide(facts, ask, &self.config.bounds()) {
            decision if terms.is_some() => without_displacement(decision, &self.config.bounds()),
            decision => decision,
        };
        match decision {
            Decision::Refuse(refusal) => Decided::Refused(refusal),
            Decision::Duplicate(receipt) => {
                if terms.is_none() {
                    self.absorb(&receipt, times);
                }
                Decided::Duplicate(receipt)
            }
            Decision::Displace(lack) if !self.displace(&deposit, lack, times) => {
                Decided::Refused(Refusal::MailboxFull {
                    retry_after: self.config.full_retry_after,
                })
            }
            Decision::Store | Decision::Displace(_) => {
                let is_id_reused = self.is_id_reused(&deposit, fingerprints.1.as_ref(), times);
                let receipt = self.store((deposit, terms), fingerprints, octets, times);
                match is_id_reused {
                    true => Decided::IdReused(receipt),
                    false => Decided::Stored(receipt),
                }
            }
        }
    }

    /// Drops what must go, or nothing: false if that would not be enough.
    fn displace(&mut self, deposit: &Deposit, lack: Lack, times: Times) -> bool {
        let Some(mailbox) = self.mailbox(&deposit.served_user) else {
            return false;
        };
        let is_new_urgent = matches!(deposit.priority, Priority::Urgent | Priority::Emergency);
        let new = (deposit.class, is_new_urgent);
        let mut all = Vec::new();
        for mailbox in self.mailboxes_of(mailbox) {
            let mut candidates = Candidates::new(new);
            for (number, message) in &self.messages {
                let is_theirs = message.envelope.mailbox == mailbox;
                let may_go = is_theirs && message.state == State::Stored;
                if may_go && !self.is_claimed(*number, message, times) {
                    candidates.add(Candidate::of(&message.envelope, message.octets));
                }
            }
            all.extend(candidates.into_vec());
        }
        let Some(displaced) = displaced(all, lack, new) else {
            return false;
        };
        for candidate in displaced {
            self.change(candidate.number, |message, config| {
                settle(message, config, State::Deleted, times.wall, REASON);
                message.record(times.wall, EventKind::Dropped, None, "", "");
            });
            self.report(candidate.number, ReportStatus::Failed, times);
        }
        true
    }

    fn facts(
        &self,
        deposit: &Deposit,
        (fingerprint, imdn): &(Fingerprint, Option<ImdnFingerprints>),
        upload: Option<UploadId>,
        times: Times,
    ) -> Facts<Receipt> {
        let mailbox = self.mailbox(&deposit.served_user);
        let (usage, barring) = self.usage(&deposit.served_user, upload, times);
        Facts {
            duplicate: mailbox.and_then(|mailbox| {
                let fingerprints = [Some(fingerprint), imdn.as_ref().map(|imdn| &imdn.copy)];
                let mut known = fingerprints.into_iter().flatten();
                known.find_map(|fingerprint| self.first_copy(mailbox, fingerprint, times))
            }),
            account_known: mailbox.is_some() || self.config.provisioning == Provisioning::Open,
            barring,
            usage,
            sender: self.stored_by(deposit.sender.as_ref(), deposit.sender_exempt),
            disk_full: self.is_disk_full(),
        }
    }

    pub(super) fn is_disk_full(&self) -> bool {
        self.is_disk_full_with(0)
    }

    pub(super) fn is_disk_full_with(&self, octets: u64) -> bool {
        FREE_OCTETS < self.config.disk_reserve_octets.saturating_add(octets)
    }

    fn first_copy(
        &self,
        mailbox: MailboxId,
        fingerprint: &Fingerprint,
        times: Times,
    ) -> Option<Receipt> {
        self.mailboxes_of(mailbox)
            .into_iter()
            .filter_map(|mailbox| self.duplicates.get(&(mailbox, *fingerprint)))
            .find(|first| first.until > times.wall)
            .map(|first| first.receipt.clone())
    }

    /// Whether its sender has given its `imdn.Message-ID` to other content; asked of what is no duplicate.
    fn is_id_reused(
        &self,
        deposit: &Deposit,
        imdn: Option<&ImdnFingerprints>,
        times: Times,
    ) -> bool {
        let first = self.mailbox(&deposit.served_user).zip(imdn);
        first.is_some_and(|(mailbox, imdn)| self.first_copy(mailbox, &imdn.id, times).is_some())
    }

    fn absorb(&mut self, receipt: &Receipt, times: Times) {
        if let Some(message) = self.messages.get_mut(&receipt.id.number) {
            message.record(times.wall, EventKind::DuplicateAbsorbed, None, "", "");
        }
    }

    fn store(
        &mut self,
        (deposit, terms): (Deposit, Option<&Terms>),
        (fingerprint, imdn): (Fingerprint, Option<ImdnFingerprints>),
        octets: u64,
        times: Times,
    ) -> Receipt {
        let mailbox = self.mailbox_or_new(&deposit.served_user);
        let number = MessageNumber(self.next_number);
        self.next_number += 1;
        let mut message = self.record_of((deposit, terms), (mailbox, number), octets, times);
        let receipt = Receipt {
            id: message.envelope.id.clone(),
            received_at: message.envelope.received_at,
        };
        let deposited = Event {
            at: times.wall,
            detail: String::new(),
            ..message.events[0].clone()
        };
        message
            .events
            .extend(terms.map(|terms| terms.event(times.wall)));
        self.messages.insert(number, message);
        self.report(number, ReportStatus::Stored, times);
        self.log_event(number, &deposited);
        let account = self.account_mut(mailbox);
        account.version += 1;
        account.last_sequence = Sequence(number.0);
        let first = FirstCopy {
            receipt: receipt.clone(),
            until: match terms {
                Some(terms) => terms.recognised_until(
                    times.wall,
                    self.config.dedupe_window,
                    &self.config.retention,
                ),
                None => times.wall.after(self.config.dedupe_window),
            },
        };
        if let Some(imdn) = imdn {
            for fingerprint in [imdn.copy, imdn.id] {
                self.duplicates
                    .insert((mailbox, fingerprint), first.clone());
            }
        }
        self.duplicates.insert((mailbox, fingerprint), first);
        receipt
    }

    fn record_of(
        &self,
        (deposit, terms): (Deposit, Option<&Terms>),
        (mailbox, number): (MailboxId, MessageNumber),
        octets: u64,
        times: Times,
    ) -> MessageRecord {
        let retention = &self.config.retention;
        let now = times.wall;
        let (received_at, expires_at) = match terms {
            Some(terms) => (terms.received_at, terms.expires_at(now, retention)),
            None => (
                now,
                retention::expires_at_of(deposit.class, deposit.lifetime, now, retention),
            ),
        };
        let group = self.group_of(deposit.leg, &deposit.served_user);
        let mut message = MessageRecord {
            envelope: Envelope {
                id: MessageId {
                    number,
                    hostname: self.config.hostname.clone(),
                },
                mailbox,
                sequence: Sequence(number.0),
                served_user: deposit.served_user,
                sender: deposit.sender,
                class: deposit.class,
                priority: deposit.priority,
                is_text: deposit.is_text,
                headers: deposit.headers,
                body_octets: deposit.body_octets,
                body_offset: deposit.body_offset,
                received_at,
                expires_at,
                received_from: deposit.received_from,
                sha256: deposit.sha256,
                file: deposit.file,
                report_request: deposit.report_request,
                traceparent: deposit.traceparent,
                group,
            },
            state: State::Stored,
            parts: Some(deposit.parts),
            octets,
            sender_exempt: deposit.sender_exempt,
            attempts: 0,
            redeliveries: 0,
            refusals: 0,
            refused_on: None,
            settled_at: None,
            reason: String::new(),
            reports: Vec::new(),
            devices: Vec::new(),
            earliest_generation: Generation::default(),
            due_at: expires_at,
            events: Vec::new(),
        };
        let from = message.envelope.received_from.clone();
        message.record(received_at, EventKind::Deposited, None, "", &from);
        message
    }
}
