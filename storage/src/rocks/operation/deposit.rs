//! Storing a message, or finding that it is there (PFM-13, requirements §3.3).

use crate::column_family::Family;
use crate::config::Provisioning;
use crate::key::{self, AddressKey, Due, DueKind};
use crate::model::{
    Deposit, DepositOutcome, Envelope, Event, EventKind, MailboxId, MessageId, MessageNumber,
    Receipt, Refusal, Sequence,
};
use crate::rocks::counting::Share;
use crate::rocks::queue::Lane;
use crate::rocks::shared::Shared;
use crate::rocks::submit::Operation;
use crate::rocks::transaction::{Interrupt, Transaction};
use crate::rule::deposit::{Ask, Decision, Facts, Usage, decide, is_too_late};
use crate::rule::duplicate::{Fingerprint, fingerprint};
use crate::rule::retention;
use crate::store::Synced;
use crate::value::{self, DuplicateValue, EnvelopeValue, LocationValue, StateValue, WaitingValue};

/// A deposit with what can be computed before its turn comes.
pub(in crate::rocks) struct DepositMessage {
    deposit: Deposit,
    address: AddressKey,
    fingerprint: Fingerprint,
    octets: u64,
}

/// What was decided, before the sync.
pub(in crate::rocks) enum Decided {
    Stored(Receipt),
    Duplicate(Receipt),
    Refused(Refusal),
}

impl Decided {
    /// To be called after the sync.
    pub(in crate::rocks) fn into_outcome(self) -> DepositOutcome {
        match self {
            Self::Stored(receipt) => DepositOutcome::Stored(Synced::after_sync(receipt)),
            Self::Duplicate(receipt) => DepositOutcome::Duplicate(Synced::after_sync(receipt)),
            Self::Refused(refusal) => DepositOutcome::Refused(refusal),
        }
    }
}

/// The first copy of a message, and the mailbox that has it.
#[derive(Clone, Debug)]
struct FirstCopy {
    mailbox: MailboxId,
    receipt: Receipt,
}

impl DepositMessage {
    pub(in crate::rocks) fn new(deposit: Deposit, shared: &Shared) -> Self {
        Self {
            address: shared.address_key(&deposit.served_user),
            fingerprint: fingerprint(&shared.secret, &deposit),
            octets: deposit.parts.iter().map(|p| p.octets.len() as u64).sum(),
            deposit,
        }
    }

    fn facts(
        &self,
        mailbox: Option<MailboxId>,
        transaction: &mut Transaction<'_>,
    ) -> Result<Facts<FirstCopy>, Interrupt> {
        let shared = transaction.shared;
        let mut facts = Facts {
            duplicate: None,
            account_known: shared.config.provisioning == Provisioning::Open,
            barring: Default::default(),
            usage: Usage::default(),
            disk_full: shared.free_space.is_full(),
        };
        let Some(mailbox) = mailbox else {
            return Ok(facts);
        };
        facts.account_known = true;
        for id in transaction.mailboxes_of(mailbox) {
            let row = transaction.existing_mailbox(id)?;
            facts.usage.messages += row.undelivered();
            facts.usage.imdn += row.imdn;
            facts.usage.octets += row.octets;
            if id == mailbox {
                facts.barring = transaction.barring_now(id, &row)?;
            }
            if facts.duplicate.is_none() {
                facts.duplicate = self.first_copy(id, transaction)?;
            }
        }
        Ok(facts)
    }

    fn first_copy(
        &self,
        mailbox: MailboxId,
        transaction: &mut Transaction<'_>,
    ) -> Result<Option<FirstCopy>, Interrupt> {
        let key = key::duplicate(mailbox, &self.fingerprint);
        let first = transaction.duplicate(key)?;
        let now = transaction.times.wall;
        Ok(first
            .filter(|first| first.until > now)
            .map(|first| FirstCopy {
                mailbox,
                receipt: first.receipt,
            }))
    }

    fn store(
        &self,
        mailbox: Option<MailboxId>,
        transaction: &mut Transaction<'_>,
    ) -> Result<Receipt, Interrupt> {
        let mailbox = match mailbox {
            Some(mailbox) => mailbox,
            None => transaction.create_account(self.address, &self.deposit.served_user)?,
        };
        let number = MessageNumber(transaction.counters.next_number);
        transaction.counters.next_number += 1;
        let mut row = transaction.existing_mailbox(mailbox)?;
        row.last_order += 1;
        row.last_number = number;
        row.version += 1;
        row.deliverable += 1;
        let envelope = self.envelope(mailbox, number, row.last_order, transaction);
        Share::of(&envelope, &StateValue::fresh(&envelope.envelope)).add_to(&mut row);
        let receipt = Receipt {
            id: envelope.envelope.id.clone(),
            received_at: envelope.envelope.received_at,
        };
        transaction.set_mailbox(mailbox, Some(row));
        self.remember(mailbox, &receipt, transaction);
        self.append(&envelope, transaction);
        Ok(receipt)
    }

    fn envelope(
        &self,
        mailbox: MailboxId,
        number: MessageNumber,
        order: u64,
        transaction: &Transaction<'_>,
    ) -> EnvelopeValue {
        let deposit = &self.deposit;
        let config = &transaction.shared.config;
        let received_at = transaction.times.wall;
        let parts = deposit.parts.iter();
        EnvelopeValue {
            envelope: Envelope {
                id: MessageId {
                    number,
                    hostname: config.hostname.clone(),
                },
                mailbox,
                sequence: Sequence(number.0),
                served_user: deposit.served_user.clone(),
                sender: deposit.sender.clone(),
                class: deposit.class,
                priority: deposit.priority,
                is_text: deposit.is_text,
                headers: deposit.headers.clone(),
                body_octets: deposit.body_octets,
                body_offset: deposit.body_offset,
                received_at,
                expires_at: retention::expires_at(
                    deposit.expires_at,
                    received_at,
                    &config.retention,
                ),
                received_from: deposit.received_from.clone(),
            },
            order,
            parts: parts.map(|p| (p.kind, p.octets.len() as u64)).collect(),
        }
    }

    /// Keeps the receipt for retries.
    fn remember(&self, mailbox: MailboxId, receipt: &Receipt, transaction: &mut Transaction<'_>) {
        let window = transaction.shared.config.dedupe_window;
        let until = receipt.received_at.after(window);
        let key = key::duplicate(mailbox, &self.fingerprint);
        let row = DuplicateValue {
            receipt: receipt.clone(),
            until,
        };
        transaction.set_duplicate(key, Some(row));
        transaction.append_due(Due {
            at: until,
            what: DueKind::Duplicate(key),
        });
    }

    /// Content, envelope and indexes: nobody asks for them before they are on disk.
    fn append(&self, envelope: &EnvelopeValue, transaction: &mut Transaction<'_>) {
        let (mailbox, number) = (envelope.envelope.mailbox, envelope.envelope.id.number);
        let expires_at = envelope.envelope.expires_at;
        for part in &self.deposit.parts {
            transaction.append_part(number, part.kind, &part.octets);
        }
        transaction.append(Family::Messages, key::envelope(mailbox, number), || {
            value::encode(envelope)
        });
        transaction.append(Family::Locations, key::location(number), || {
            value::encode(&LocationValue(mailbox))
        });
        transaction.append(Family::Waiting, key::waiting(mailbox, number), || {
            value::encode(&WaitingValue {
                octets: self.octets,
                expires_at,
                earliest_generation: Default::default(),
            })
        });
        transaction.append_due(Due {
            at: expires_at,
            what: DueKind::Message(mailbox, number),
        });
    }
}

/// Every hit is an event of the first copy, as long as there is something left of it.
fn absorb(first: &FirstCopy, transaction: &mut Transaction<'_>) -> Result<(), Interrupt> {
    let number = first.receipt.id.number;
    let Some(loaded) = transaction.load(first.mailbox, number)? else {
        return Ok(());
    };
    let event = Event {
        at: transaction.times.wall,
        kind: EventKind::DuplicateAbsorbed,
        generation: None,
        actor: String::new(),
        detail: String::new(),
    };
    let state = loaded.state.clone();
    transaction.save(&loaded, state, vec![event])
}

impl Operation for DepositMessage {
    type Answer = Decided;

    const LANE: Lane = Lane::Deposits;

    fn octets(&self) -> usize {
        usize::try_from(self.octets).unwrap_or(usize::MAX / 2) + 1_024
    }

    fn run(&self, transaction: &mut Transaction<'_>) -> Result<Decided, Interrupt> {
        if is_too_late(self.deposit.deadline, transaction.times.instant) {
            return Ok(Decided::Refused(Refusal::TooLate));
        }
        let mailbox = transaction.mailbox_of(self.address)?;
        let ask = Ask {
            class: self.deposit.class,
            octets: self.octets,
        };
        let facts = self.facts(mailbox, transaction)?;
        let config = &transaction.shared.config;
        match decide(facts, ask, &config.quota, config.full_retry_after) {
            Decision::Refuse(refusal) => Ok(Decided::Refused(refusal)),
            Decision::Duplicate(first) => {
                absorb(&first, transaction)?;
                Ok(Decided::Duplicate(first.receipt))
            }
            Decision::Store => self.store(mailbox, transaction).map(Decided::Stored),
        }
    }
}
