//! Storing a message, or finding that it is there (PFM-13, requirements §3.3).

use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use crate::column_family::Family;
use crate::config::Provisioning;
use crate::key::{self, AddressKey, Due, DueKind};
use crate::model::{
    Address, Deposit, DepositOutcome, Envelope, Event, EventKind, Import, ImportForecast, Importer,
    MailboxId, MessageId, MessageNumber, Part, PartKind, Receipt, Refusal, ReportStatus, Sequence,
    UnixMillis, UploadId,
};
use crate::rocks::change::{CHUNK_OCTETS, contents_row};
use crate::rocks::counting::Share;
use crate::rocks::queue::Lane;
use crate::rocks::shared::Shared;
use crate::rocks::submit::Operation;
use crate::rocks::transaction::{Interrupt, Transaction};
use crate::rocks::uploads::Body;
use crate::rule::deposit::{Ask, Decision, Facts, decide, is_too_late};
use crate::rule::displacement::is_urgent;
use crate::rule::duplicate::{Fingerprint, ImdnFingerprints, fingerprint, imdn_fingerprints};
use crate::rule::import::{Terms, without_displacement};
use crate::rule::retention;
use crate::sealing::ContentKey;
use crate::store::{StoreError, Synced};
use crate::value::{
    self, DuplicateValue, Encoded, EnvelopeValue, LocationValue, MailboxValue, OwnerValue, Place,
    StateValue, WaitingValue,
};

/// Content up to this size is hashed on the async thread: some 100 µs at most.
const HASHED_INLINE_OCTETS: usize = 64 << 10;

/// When a deposit is to come again that others have overtaken in a mailbox that drops its oldest: this is a crowd,
/// not a user who is away.
const OVERTAKEN_RETRY_AFTER: Duration = Duration::from_secs(5);

/// Whether a deposit is to be hashed on a thread that may block.
pub(in crate::rocks) fn is_hashed_apart(deposit: &Deposit) -> bool {
    let octets: usize = deposit.parts.iter().map(|part| part.octets.len()).sum();
    octets > HASHED_INLINE_OCTETS
}

/// A deposit with what can be computed before its turn comes.
pub(in crate::rocks) struct DepositMessage {
    /// The envelope, but for its place.
    envelope: EnvelopeValue,
    /// The part of the envelope's row that does not depend on the place.
    sealed: Vec<u8>,
    pieces: Vec<Piece>,
    /// The lifetime the sender asked for.
    lifetime: Option<Duration>,
    deadline: Instant,
    address: AddressKey,
    /// Whom it counts for.
    sender: Option<AddressKey>,
    fingerprint: Fingerprint,
    imdn: Option<ImdnFingerprints>,
    octets: u64,
    /// The upload that a large message comes from.
    upload: Option<UploadId>,
    /// What holds for it if it is taken over from another store.
    terms: Option<Terms>,
    /// Others were to make way for it when it was last decided on.
    displaces: AtomicBool,
}

/// A row of content, but for the number of the message.
struct Piece {
    kind: PartKind,
    chunk: u32,
    octets: Encoded,
}

/// The rows of parts. Encrypting them is most of what encryption costs, and the committer has no part in it.
fn pieces(parts: &[Part], key: Option<&ContentKey>) -> Vec<Piece> {
    let chunks = parts.iter().flat_map(|part| {
        let chunks = (0..).zip(part.octets.chunks(CHUNK_OCTETS));
        chunks.map(|(chunk, octets)| (part.kind, chunk, octets))
    });
    let pieces = chunks.map(|(kind, chunk, octets)| {
        let place = key::content(MessageNumber::default(), kind, chunk);
        Piece {
            kind,
            chunk,
            octets: value::encode_piece(octets, key, contents_row(&place)),
        }
    });
    pieces.collect()
}

/// What was decided, before the sync.
pub(in crate::rocks) enum Decided {
    Stored(Receipt),
    IdReused(Receipt),
    Duplicate(Receipt),
    Refused(Refusal),
}

impl Decided {
    /// To be called after the sync.
    pub(in crate::rocks) fn into_outcome(self) -> DepositOutcome {
        match self {
            Self::Stored(receipt) => DepositOutcome::Stored(Synced::after_sync(receipt)),
            Self::IdReused(receipt) => DepositOutcome::IdReused(Synced::after_sync(receipt)),
            Self::Duplicate(receipt) => DepositOutcome::Duplicate(Synced::after_sync(receipt)),
            Self::Refused(refusal) => DepositOutcome::Refused(refusal),
        }
    }

    /// To be called for what was rehearsed alone.
    pub(in crate::rocks) fn into_forecast(self) -> ImportForecast {
        match self {
            Self::Stored(_) | Self::IdReused(_) => ImportForecast::Stored,
            Self::Duplicate(_) => ImportForecast::Duplicate,
            Self::Refused(refusal) => ImportForecast::Refused(refusal),
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
    /// A message, and the group through which it came, as [`Shared::group_of`] has found it.
    pub(in crate::rocks) fn new(deposit: Deposit, group: Option<Address>, shared: &Shared) -> Self {
        let content_key = shared.database.keyring().content_key();
        Self::keyed((deposit, group), content_key, shared)
    }

    fn keyed(
        (deposit, group): (Deposit, Option<Address>),
        content_key: Option<ContentKey>,
        shared: &Shared,
    ) -> Self {
        let address = shared.address_key(&deposit.served_user);
        let fingerprint = fingerprint(&shared.secret, &deposit);
        let imdn = imdn_fingerprints(&shared.secret, &deposit);
        let sizes = deposit
            .parts
            .iter()
            .map(|p| (p.kind, p.octets.len() as u64));
        let envelope = EnvelopeValue {
            order: 0,
            parts: sizes.collect(),
            envelope: Envelope {
                id: MessageId {
                    number: MessageNumber::default(),
                    hostname: shared.config.hostname.clone(),
                },
                mailbox: MailboxId(0),
                sequence: Sequence::default(),
                served_user: deposit.served_user,
                sender: deposit.sender,
                class: deposit.class,
                priority: deposit.priority,
                is_text: deposit.is_text,
                headers: deposit.headers,
                body_octets: deposit.body_octets,
                body_offset: deposit.body_offset,
                received_at: UnixMillis::default(),
                expires_at: UnixMillis::default(),
                received_from: deposit.received_from,
                sha256: deposit.sha256,
                file: deposit.file,
                report_request: deposit.report_request,
                traceparent: deposit.traceparent,
                group,
            },
            staged: None,
            sender_exempt: deposit.sender_exempt,
            content_key,
        };
        let sender = envelope.bounded_sender();
        let sender = sender.map(|sender| shared.address_key(sender));
        Self {
            sealed: envelope.encode_sealed(),
            octets: envelope.octets(),
            pieces: pieces(&deposit.parts, envelope.content_key.as_ref()),
            envelope,
            lifetime: deposit.lifetime,
            deadline: deposit.deadline,
            address,
            sender,
            fingerprint,
            imdn,
            upload: None,
            terms: None,
            displaces: AtomicBool::new(false),
        }
    }

    /// A message that is taken over from another store.
    pub(in crate::rocks) fn of_import(import: Import, by: &Importer, shared: &Shared) -> Self {
        let (deposit, terms) = Terms::of(import, by);
        let mut this = Self::new(deposit, None, shared);
        this.terms = Some(terms);
        this
    }

    /// A large message: its body is the last part, or has been staged.
    pub(in crate::rocks) fn of_upload(
        id: UploadId,
        (mut deposit, group): (Deposit, Option<Address>),
        (body, content_key): (Body, Option<ContentKey>),
        shared: &Shared,
    ) -> Self {
        let is_staged = matches!(body, Body::Staged);
        if let Body::Memory(octets) = body {
            let kind = PartKind::SendBody;
            deposit.parts.push(Part { kind, octets });
        }
        let body_octets = deposit.body_octets;
        let mut this = Self::keyed((deposit, group), content_key, shared);
        this.upload = Some(id);
        if is_staged {
            this.envelope.staged = Some(id);
            this.envelope.parts.push((PartKind::SendBody, body_octets));
            this.octets += body_octets;
        }
        this
    }

    /// What it asks of the quota. The parts of an upload beside its body come with the commit, when
    /// nobody can refuse them any more: the body alone counts, as for its admission.
    fn asked_octets(&self) -> u64 {
        match self.upload {
            Some(_) => self.envelope.envelope.body_octets,
            None => self.octets,
        }
    }

    fn facts(
        &self,
        mailbox: Option<MailboxId>,
        transaction: &mut Transaction<'_>,
    ) -> Result<Facts<FirstCopy>, Interrupt> {
        let except = self.upload;
        let mailboxes = mailbox.map(|mailbox| transaction.mailboxes_of(mailbox));
        let mailboxes = mailboxes.unwrap_or_default();
        let (usage, barring) = transaction.usage(&mailboxes, self.address, except)?;
        let class = self.envelope.envelope.class;
        let usage = match &self.terms {
            Some(terms) => terms.usage(class, usage),
            None => usage,
        };
        let sender = transaction.stored_by(self.sender)?;
        let shared = transaction.shared;
        let is_open = shared.config.provisioning == Provisioning::Open;
        let mut facts = Facts {
            duplicate: None,
            account_known: mailbox.is_some() || is_open,
            barring,
            usage,
            sender,
            disk_full: shared.free_space.is_full(),
        };
        facts.duplicate = first_copy(&mailboxes, &self.fingerprint, transaction)?;
        if let (None, Some(imdn)) = (&facts.duplicate, &self.imdn) {
            facts.duplicate = first_copy(&mailboxes, &imdn.copy, transaction)?;
        }
        Ok(facts)
    }

    /// Whether its sender has given its `imdn.Message-ID` to other content; asked of what is no duplicate.
    fn is_id_reused(
        &self,
        mailbox: Option<MailboxId>,
        transaction: &mut Transaction<'_>,
    ) -> Result<bool, Interrupt> {
        let (Some(mailbox), Some(imdn)) = (mailbox, &self.imdn) else {
            return Ok(false);
        };
        let mailboxes = transaction.mailboxes_of(mailbox);
        Ok(first_copy(&mailboxes, &imdn.id, transaction)?.is_some())
    }

    fn stored(
        &self,
        mailbox: Option<MailboxId>,
        transaction: &mut Transaction<'_>,
    ) -> Result<Decided, Interrupt> {
        let is_id_reused = self.is_id_reused(mailbox, transaction)?;
        let receipt = self.store(mailbox, transaction)?;
        Ok(match is_id_reused {
            true => Decided::IdReused(receipt),
            false => Decided::Stored(receipt),
        })
    }

    fn store(
        &self,
        mailbox: Option<MailboxId>,
        transaction: &mut Transaction<'_>,
    ) -> Result<Receipt, Interrupt> {
        let mailbox = match mailbox {
            Some(mailbox) => mailbox,
            None => {
                let served_user = &self.envelope.envelope.served_user;
                transaction.create_account(self.address, served_user)?
            }
        };
        let number = MessageNumber(transaction.counters.next_number);
        transaction.counters.next_number += 1;
        let mut row = transaction.existing_mailbox(mailbox)?;
        row.last_order += 1;
        row.last_number = number;
        row.version += 1;
        row.deliverable += 1;
        let fresh = StateValue::fresh(&self.envelope.envelope);
        Share::of(&self.envelope, &fresh).add_to(&mut row);
        if let Some(sender) = self.sender {
            transaction.add_to_sender(sender, self.octets)?;
        }
        let place = self.place(mailbox, number, row.last_order, transaction);
        let receipt = Receipt {
            id: MessageId {
                number,
                hostname: self.envelope.envelope.id.hostname.clone(),
            },
            received_at: place.received_at,
        };
        match &self.terms {
            Some(terms) => self.note_import(terms, &place, &mut row, transaction),
            None => self.report_stored(&place, &mut row, transaction),
        }
        transaction.set_mailbox(mailbox, Some(row));
        // The log is in the order of what happens here, also where the message is older.
        let event = Event {
            at: transaction.times.wall,
            kind: EventKind::Deposited,
            generation: None,
            actor: String::new(),
            detail: String::new(),
        };
        let named = (mailbox, receipt.id.clone(), place.expires_at);
        transaction.log_event(&self.envelope, named, fresh.state, &event);
        self.remember(mailbox, &receipt, transaction);
        self.append(&place, transaction);
        Ok(receipt)
    }

    fn place(
        &self,
        mailbox: MailboxId,
        number: MessageNumber,
        order: u64,
        transaction: &Transaction<'_>,
    ) -> Place {
        let retention = &transaction.shared.bounds().retention;
        let now = transaction.times.wall;
        let class = self.envelope.envelope.class;
        let (received_at, expires_at) = match &self.terms {
            Some(terms) => (terms.received_at, terms.expires_at(now, retention)),
            None => (
                now,
                retention::expires_at_of(class, self.lifetime, now, retention),
            ),
        };
        Place {
            mailbox,
            number,
            received_at,
            expires_at,
            order,
        }
    }

    /// Has its timeline say who has taken it over.
    fn note_import(
        &self,
        terms: &Terms,
        place: &Place,
        row: &mut MailboxValue,
        transaction: &mut Transaction<'_>,
    ) {
        let mut state = StateValue {
            due_at: place.expires_at,
            ..StateValue::fresh(&self.envelope.envelope)
        };
        let event = terms.event(transaction.times.wall);
        transaction.append_event(place.number, &mut state, row, event);
        transaction.set_state(place.mailbox, place.number, Some(state));
    }

    /// Makes the report that it is stored (IMD-02), if the sender asked for it.
    fn report_stored(
        &self,
        place: &Place,
        row: &mut MailboxValue,
        transaction: &mut Transaction<'_>,
    ) {
        let envelope = &self.envelope.envelope;
        let mut state = StateValue {
            due_at: place.expires_at,
            ..StateValue::fresh(envelope)
        };
        let message = (envelope, place.number);
        let made = transaction.make_report(message, &mut state, ReportStatus::Stored);
        if let Some(event) = made {
            transaction.append_event(place.number, &mut state, row, event);
            transaction.set_state(place.mailbox, place.number, Some(state));
        }
    }

    /// Keeps the receipt for retries.
    fn remember(&self, mailbox: MailboxId, receipt: &Receipt, transaction: &mut Transaction<'_>) {
        let window = transaction.shared.bounds().dedupe_window;
        let until = match &self.terms {
            Some(terms) => {
                let retention = &transaction.shared.bounds().retention;
                terms.recognised_until(transaction.times.wall, window, retention)
            }
            None => receipt.received_at.after(window),
        };
        let imdn = self.imdn.map(|imdn| [imdn.copy, imdn.id]);
        let fingerprints = [self.fingerprint].into_iter();
        for fingerprint in fingerprints.chain(imdn.into_iter().flatten()) {
            let row = DuplicateValue {
                receipt: receipt.clone(),
                until,
            };
            transaction.set_duplicate(key::duplicate(mailbox, &fingerprint), Some(row));
        }
    }

    /// Content, envelope and indexes: nobody asks for them before they are on disk.
    fn append(&self, place: &Place, transaction: &mut Transaction<'_>) {
        let Place {
            mailbox,
            number,
            expires_at,
            ..
        } = *place;
        for piece in &self.pieces {
            let place = key::content(number, piece.kind, piece.chunk);
            transaction.append(Family::Contents, place, || piece.octets.clone());
        }
        if let Some(upload) = self.envelope.staged {
            let owner = key::block(upload, key::OWNER_BLOCK);
            transaction.append(Family::Large, owner, || {
                value::encode(&OwnerValue::Message(number))
            });
        }
        transaction.append(Family::Messages, key::envelope(mailbox, number), || {
            self.envelope.encode_at(place, &self.sealed)
        });
        transaction.append(Family::Locations, key::location(number), || {
            value::encode(&LocationValue(mailbox))
        });
        transaction.append(Family::Waiting, key::waiting(mailbox, number), || {
            value::encode(&WaitingValue {
                octets: self.envelope.inline_octets(),
                expires_at,
                earliest_generation: Default::default(),
                done: Vec::new(),
            })
        });
        transaction.append_due(Due {
            at: expires_at,
            what: DueKind::Message(mailbox, number),
        });
    }
}

/// The message of this fingerprint in one of a user's mailboxes, as long as its retries are recognised.
fn first_copy(
    mailboxes: &[MailboxId],
    fingerprint: &Fingerprint,
    transaction: &mut Transaction<'_>,
) -> Result<Option<FirstCopy>, Interrupt> {
    let now = transaction.times.wall;
    for &mailbox in mailboxes {
        let first = transaction.duplicate(key::duplicate(mailbox, fingerprint))?;
        if let Some(first) = first.filter(|first| first.until > now) {
            let receipt = first.receipt;
            return Ok(Some(FirstCopy { mailbox, receipt }));
        }
    }
    Ok(None)
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
        let octets = self.pieces.iter().map(|piece| piece.octets.len());
        octets.sum::<usize>() + 1_024
    }

    fn run(&self, transaction: &mut Transaction<'_>) -> Result<Decided, Interrupt> {
        let is_import = self.terms.is_some();
        if !is_import && is_too_late(self.deadline, transaction.times.instant) {
            return Ok(Decided::Refused(Refusal::TooLate));
        }
        let mailbox = transaction.mailbox_of(self.address)?;
        let ask = Ask {
            class: self.envelope.envelope.class,
            octets: self.asked_octets(),
            file_transfer: self.envelope.envelope.file.is_some(),
        };
        let facts = self.facts(mailbox, transaction)?;
        let bounds = &transaction.shared.bounds();
        let decision = match decide(facts, ask, bounds) {
            decision if is_import => without_displacement(decision, bounds),
            decision => decision,
        };
        let displaces = matches!(decision, Decision::Displace(_));
        self.displaces.store(displaces, Ordering::Relaxed);
        match decision {
            Decision::Refuse(refusal) => Ok(Decided::Refused(refusal)),
            Decision::Duplicate(first) => {
                if !is_import {
                    absorb(&first, transaction)?;
                }
                Ok(Decided::Duplicate(first.receipt))
            }
            Decision::Store => self.stored(mailbox, transaction),
            Decision::Displace(lack) => {
                let mailboxes = mailbox.map(|mailbox| transaction.mailboxes_of(mailbox));
                let envelope = &self.envelope.envelope;
                let new = (envelope.class, is_urgent(envelope));
                match transaction.displace(&mailboxes.unwrap_or_default(), lack, new)? {
                    true => self.stored(mailbox, transaction),
                    false => Ok(Decided::Refused(Refusal::MailboxFull {
                        retry_after: bounds.full_retry_after,
                    })),
                }
            }
        }
    }

    /// In a mailbox that drops its oldest others may have dropped what this one was to drop. One user causes that: the
    /// mailbox is full, not the store (P9).
    fn overtaken(&self) -> Result<Decided, StoreError> {
        match self.displaces.load(Ordering::Relaxed) {
            true => Ok(Decided::Refused(Refusal::MailboxFull {
                retry_after: OVERTAKEN_RETRY_AFTER,
            })),
            false => Err(StoreError::Overloaded),
        }
    }
}
