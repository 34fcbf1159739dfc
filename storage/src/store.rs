//! The contract of a message store. Every engine passes the same battery of tests.
//!
//! The unit of everything is the mailbox: each operation but the look-up by Message-ID, the
//! operators' listing and the scans by due time names exactly one. No operation assumes that it is
//! the only writer of the engine.

use std::future::Future;
use std::ops::Deref;
use std::time::Duration;

use bytes::Bytes;
use tokio::sync::mpsc::UnboundedSender;

use crate::config::Bounds;
use crate::model::{
    Account, Address, Admission, AdmissionOutcome, ClaimGrant, ClaimRequest, ClaimToken, Claimant,
    Deposit, DepositOutcome, Device, Event, LargeDeposit, ListPage, ListQuery, MailboxId,
    MailboxSummary, MessageNumber, Notified, Order, Owner, PartKind, Publish, PublishRefusal,
    Recall, RecallOutcome, Refusal, Registered, Registration, RegistrationRefusal, ReleaseOutcome,
    Released, Sequence, SettingsChanged, SettingsOrder, Settled, Settlement, StoredMessage,
    Subscribe, Subscribed, Subscription, SubscriptionId, SubscriptionRefusal, TakeLimit, Taken,
    UnixMillis, UploadId, UserSettings, Waiting, WaitingQuestion,
};
use crate::sealing::{KeyStatus, MasterKeys};
use crate::watch::MailboxWatch;

/// Proof that what it holds was on disk before it existed (P1): made by the engines of this crate
/// after the sync returned, by nobody else.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Synced<T>(T);

impl<T> Synced<T> {
    /// To be called after the sync returned, never before.
    pub(crate) fn after_sync(value: T) -> Self {
        Self(value)
    }

    /// The same proof about a part of it.
    pub(crate) fn map<U>(self, map: impl FnOnce(T) -> U) -> Synced<U> {
        Synced(map(self.0))
    }

    /// Gives up the proof.
    pub fn into_inner(self) -> T {
        self.0
    }
}

impl<T> Deref for Synced<T> {
    type Target = T;

    fn deref(&self) -> &T {
        &self.0
    }
}

/// Why the store could not answer.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum StoreError {
    /// A sync failed: nothing is accepted or delivered until the store is opened again (P2).
    #[error("the store is latched after a failed sync: {cause}; restart it once the disk is sound")]
    Latched {
        /// What the disk said.
        cause: String,
    },
    /// The queue to the committer is full (P9); try again.
    #[error("the store is overloaded")]
    Overloaded,
    /// The store is closing.
    #[error("the store is closing")]
    Closed,
    /// No message with that id, or its content is gone.
    #[error("no such message")]
    NotFound,
    /// The message is in a state that does not allow this; the text says which.
    #[error("not possible: {reason}")]
    Precondition {
        /// For people.
        reason: String,
    },
    /// No such upload, or its lease is over.
    #[error("no such upload")]
    UnknownUpload,
    /// More octets than were admitted.
    #[error("more octets than were admitted")]
    UploadTooLarge,
    /// Octets of the upload have not come.
    #[error("the upload is not complete")]
    UploadIncomplete,
    /// The upload was admitted for something else: a message, or a job.
    #[error("the upload was admitted for something else")]
    OtherUpload,
    /// The upload has too many gaps between its octets.
    #[error("the octets of the upload have too many gaps")]
    UploadTooScattered,
    /// No account with that address.
    #[error("no such account")]
    UnknownAccount,
    /// The address belongs to an account already.
    #[error("the address belongs to another account")]
    AddressTaken,
    /// Whoever asked for it has ended it.
    #[error("it was ended before it was done")]
    Aborted,
    /// The disk failed while reading.
    #[error("reading failed: {cause}")]
    Read {
        /// What the engine said.
        cause: String,
    },
    /// Bytes on disk that this version cannot have written.
    #[error("corrupt {what}")]
    Corrupt {
        /// Which kind of record.
        what: &'static str,
    },
}

/// What became of deposits, each under the tag it was handed over with.
pub type Outcomes = Vec<(u64, Result<DepositOutcome, StoreError>)>;

/// A message store. See the module for the rules and `battery` for what every engine must do.
pub trait Store:
    crate::fan_out::FanOutStore
    + crate::report::ReportStore
    + crate::event_log::EventLogStore
    + crate::suspension::SuspensionStore
    + crate::upkeep::UpkeepStore
    + crate::import::ImportStore
{
    /// Stores a message, or finds that it is already there. Decides in the order of PFM-13.
    fn deposit(
        &self,
        deposit: Deposit,
    ) -> impl Future<Output = Result<DepositOutcome, StoreError>> + Send;

    /// Whether a large message would be taken, and where its octets go (DEF-17). What it announces is
    /// reserved in the mailbox until the upload ends, or has made no progress for its lease.
    /// [`StoreError::Overloaded`] if too many are under way.
    fn admit(
        &self,
        admission: Admission,
    ) -> impl Future<Output = Result<AdmissionOutcome, StoreError>> + Send;

    /// Adds octets to an upload, in any order; where they overlap the later ones win. Refused if its
    /// mailbox has filled up meanwhile. After a refusal or an error the upload can only be abandoned.
    fn stage(
        &self,
        upload: UploadId,
        offset: u64,
        octets: Bytes,
    ) -> impl Future<Output = Result<Result<(), Refusal>, StoreError>> + Send;

    /// Makes an upload a message, or finds that it is there already; decides in the order of PFM-13.
    /// Nothing is visible and no Message-ID is spent before. Ends the upload in any case.
    /// [`StoreError::UploadIncomplete`] unless exactly the octets of the deposit have come.
    fn commit_upload(
        &self,
        upload: UploadId,
        deposit: LargeDeposit,
    ) -> impl Future<Output = Result<DepositOutcome, StoreError>> + Send;

    /// Forgets an upload and its octets. Without effect if it has ended.
    fn abandon(&self, upload: UploadId) -> impl Future<Output = ()> + Send;

    /// Adds the sender's BYE to a large message (STO-05) and returns once that is synced. Without
    /// effect if it has one. [`StoreError::NotFound`] if its content is gone.
    fn add_sender_bye(
        &self,
        number: MessageNumber,
        octets: Bytes,
    ) -> impl Future<Output = Result<Synced<()>, StoreError>> + Send;

    /// Whether a claim is not superseded and covers a message.
    fn holds(
        &self,
        claim: ClaimToken,
        number: MessageNumber,
    ) -> impl Future<Output = Result<bool, StoreError>> + Send;

    /// As [`Store::deposit`] for many at once, which enter the store in their order. Returns without
    /// waiting, and sends one outcome for each, those that come together in one piece. Whoever calls
    /// this bounds how many are under way; it runs within a tokio runtime.
    fn deposit_all(&self, deposits: Vec<(u64, Deposit)>, outcomes: &UnboundedSender<Outcomes>);

    /// One message, without content.
    fn message(
        &self,
        number: MessageNumber,
    ) -> impl Future<Output = Result<StoredMessage, StoreError>> + Send;

    /// The timeline of one message, oldest first.
    fn timeline(
        &self,
        number: MessageNumber,
    ) -> impl Future<Output = Result<Vec<Event>, StoreError>> + Send;

    /// Octets `offset..offset + length` of a part, less at its end, empty past it.
    fn read_part(
        &self,
        number: MessageNumber,
        part: PartKind,
        offset: u64,
        length: usize,
    ) -> impl Future<Output = Result<Bytes, StoreError>> + Send;

    /// One page of messages.
    fn list(&self, query: ListQuery) -> impl Future<Output = Result<ListPage, StoreError>> + Send;

    /// The mailbox of an address or alias, if it has one.
    fn mailbox(
        &self,
        address: Address,
    ) -> impl Future<Output = Result<Option<MailboxId>, StoreError>> + Send;

    /// The address a mailbox was made for.
    fn account(
        &self,
        mailbox: MailboxId,
    ) -> impl Future<Output = Result<Address, StoreError>> + Send;

    /// Makes an account (`provisioning = listed`, PFM-09). [`StoreError::AddressTaken`] if the
    /// address belongs to another account; an account that mail or a registration has made
    /// becomes a provisioned one.
    fn create_account(
        &self,
        address: Address,
    ) -> impl Future<Output = Result<Synced<MailboxId>, StoreError>> + Send;

    /// Forgets an account with its aliases and bindings. [`StoreError::Precondition`] while it has
    /// undelivered messages: mail is never lost by accident (P2).
    fn delete_account(
        &self,
        address: Address,
    ) -> impl Future<Output = Result<Synced<()>, StoreError>> + Send;

    /// Forgets an account with everything it has: messages in whatever state, delivered or not, with their contents and
    /// timelines. Where the store encrypts, the keys of its mailboxes go too: octets that are left of it on the disk cannot be
    /// read any more. Returns how many messages there were. [`StoreError::Overloaded`] while messages keep coming.
    fn erase_account(
        &self,
        address: Address,
        actor: String,
        reason: String,
    ) -> impl Future<Output = Result<Synced<u64>, StoreError>> + Send;

    /// Which master keys there are, and how many keys each wraps.
    fn key_status(&self) -> impl Future<Output = Result<KeyStatus, StoreError>> + Send;

    /// Takes these for the master keys from now on, and wraps every key anew that another one than their current one wraps.
    /// Contents stay as they are. [`StoreError::Precondition`] where nothing is encrypted, or one is missing that is needed.
    fn rotate_keys(
        &self,
        masters: MasterKeys,
    ) -> impl Future<Output = Result<KeyStatus, StoreError>> + Send;

    /// Accounts after `after`, in the order of their mailboxes, at most `limit`.
    fn list_accounts(
        &self,
        after: Option<MailboxId>,
        limit: usize,
    ) -> impl Future<Output = Result<Vec<Account>, StoreError>> + Send;

    /// Adds an address to an account. [`StoreError::AddressTaken`] if it belongs to another one
    /// (REG-04); a mailbox that only mail has made becomes a member of this account (STO-12).
    fn add_alias(
        &self,
        address: Address,
        alias: Address,
    ) -> impl Future<Output = Result<Synced<()>, StoreError>> + Send;

    /// Takes an alias away from its account; mail already stored stays where it is.
    fn remove_alias(
        &self,
        alias: Address,
    ) -> impl Future<Output = Result<Synced<()>, StoreError>> + Send;

    /// Applies a PUBLISH of settings, all or nothing, and returns once it is synced (SET-12); the next
    /// deposit sees it.
    fn publish(
        &self,
        publish: Publish,
    ) -> impl Future<Output = Result<Result<Synced<SettingsChanged>, PublishRefusal>, StoreError>> + Send;

    /// Carries out an operator's order about the settings of an account and returns once that is
    /// synced. [`StoreError::UnknownAccount`] if there is none.
    fn order_settings(
        &self,
        address: Address,
        order: SettingsOrder,
    ) -> impl Future<Output = Result<Synced<SettingsChanged>, StoreError>> + Send;

    /// The settings of the account of a mailbox, and where they come from. What has ended is not
    /// among them (SET-14).
    fn settings(
        &self,
        mailbox: MailboxId,
    ) -> impl Future<Output = Result<UserSettings, StoreError>> + Send;

    /// As [`Store::settings`], as they would be if an order were carried out now. Nothing changes.
    fn settings_after(
        &self,
        mailbox: MailboxId,
        order: SettingsOrder,
    ) -> impl Future<Output = Result<UserSettings, StoreError>> + Send;

    /// The counters of a mailbox.
    fn summary(
        &self,
        mailbox: MailboxId,
    ) -> impl Future<Output = Result<MailboxSummary, StoreError>> + Send;

    /// Applies a REGISTER, all or nothing, and returns once it is synced (REG-03).
    fn register(
        &self,
        registration: Registration,
    ) -> impl Future<Output = Result<Result<Synced<Registered>, RegistrationRefusal>, StoreError>> + Send;

    /// Live bindings of the account of a mailbox.
    fn registration(
        &self,
        mailbox: MailboxId,
    ) -> impl Future<Output = Result<Registered, StoreError>> + Send;

    /// Adds or refreshes a subscription to a mailbox (MWI-10). A refresh by another owner is a
    /// take-over, with a new epoch.
    fn subscribe(
        &self,
        subscribe: Subscribe,
    ) -> impl Future<Output = Result<Result<Synced<Subscribed>, SubscriptionRefusal>, StoreError>> + Send;

    /// Makes `owner` the owner of a subscription, with a new epoch; `None` if it is gone.
    fn adopt_subscription(
        &self,
        id: SubscriptionId,
        owner: Owner,
    ) -> impl Future<Output = Result<Option<Synced<Subscribed>>, StoreError>> + Send;

    /// Ends a subscription, if `epoch` is its epoch. Returns what it was.
    fn unsubscribe(
        &self,
        id: SubscriptionId,
        epoch: u32,
    ) -> impl Future<Output = Result<Option<Synced<Subscription>>, StoreError>> + Send;

    /// Remembers what subscribers were told; of other epochs than the present ones nothing.
    fn remember_notified(
        &self,
        notified: Vec<(SubscriptionId, u32, Notified)>,
    ) -> impl Future<Output = Result<(), StoreError>> + Send;

    /// Subscriptions of up to `limit` mailboxes after `after`, in the order of the mailboxes.
    fn list_subscriptions(
        &self,
        after: Option<MailboxId>,
        limit: usize,
    ) -> impl Future<Output = Result<Vec<(MailboxId, Vec<Subscription>)>, StoreError>> + Send;

    /// What waits in these mailboxes, in their order; `None` for one that is not there. Looks at a
    /// bounded number of messages.
    fn waiting(
        &self,
        questions: Vec<WaitingQuestion>,
    ) -> impl Future<Output = Result<Vec<Option<Waiting>>, StoreError>> + Send;

    /// Tells which mailboxes change.
    fn watch(&self) -> MailboxWatch;

    /// Whether the account of an address has a live binding. From memory: asked after every deposit.
    fn is_registered(&self, address: &Address) -> bool;

    /// Mailboxes after `after` with something to deliver and a live binding, at most `limit`: what
    /// a scheduler plans after a restart (DLV-17).
    fn reachable_with_waiting(
        &self,
        after: Option<MailboxId>,
        limit: usize,
    ) -> impl Future<Output = Result<Vec<MailboxId>, StoreError>> + Send;

    /// Claims a mailbox for delivery.
    fn claim(
        &self,
        request: ClaimRequest,
    ) -> impl Future<Output = Result<ClaimGrant, StoreError>> + Send;

    /// Extends a claim. False if a newer one has superseded it.
    fn renew(
        &self,
        claim: ClaimToken,
        lease: Duration,
    ) -> impl Future<Output = Result<bool, StoreError>> + Send;

    /// The next deliverable messages after `after`, in order, expired ones left out
    /// (requirements §3.2); bodies over [`crate::model::INLINE_OCTETS`] are left out, and not counted
    /// in the limit. Empty also if the claim is superseded.
    fn take(
        &self,
        claim: ClaimToken,
        after: Sequence,
        limit: TakeLimit,
    ) -> impl Future<Output = Result<Vec<Taken>, StoreError>> + Send {
        self.take_for(claim, None, after, limit)
    }

    /// As [`Store::take`], where each device shall have each message: those that this one has still to get,
    /// also if others have them.
    fn take_for(
        &self,
        claim: ClaimToken,
        device: Option<Device>,
        after: Sequence,
        limit: TakeLimit,
    ) -> impl Future<Output = Result<Vec<Taken>, StoreError>> + Send;

    /// Settles one taken message, and returns once that is synced.
    fn acknowledge(
        &self,
        claim: ClaimToken,
        number: MessageNumber,
        settlement: Settlement,
    ) -> impl Future<Output = Result<Synced<Settled>, StoreError>> + Send {
        self.acknowledge_for(claim, None, number, settlement)
    }

    /// As [`Store::acknowledge`], where each device shall have each message: at this one.
    fn acknowledge_for(
        &self,
        claim: ClaimToken,
        device: Option<Device>,
        number: MessageNumber,
        settlement: Settlement,
    ) -> impl Future<Output = Result<Synced<Settled>, StoreError>> + Send;

    /// Gives a mailbox back, unless something deliverable is newer than `last_seen` (DLV-18), and than what was there
    /// when a take for a device last found nothing. An outcome with a reason (the delivery failed) releases in any case.
    fn release(
        &self,
        claim: ClaimToken,
        last_seen: Sequence,
        outcome: ReleaseOutcome,
    ) -> impl Future<Output = Result<Released, StoreError>> + Send;

    /// Carries out an operator's order on one message and returns once that is synced.
    /// [`StoreError::Precondition`] if its state does not allow it.
    fn carry_out(
        &self,
        number: MessageNumber,
        order: Order,
    ) -> impl Future<Output = Result<Synced<StoredMessage>, StoreError>> + Send;

    /// Deletes an undelivered message for an owner of its mailbox and returns once that is synced; if
    /// `version` is given, only while the summary has it. [`StoreError::NotFound`] alike for unknown,
    /// settled and somebody else's (requirements §3.14), [`StoreError::Precondition`] for another version.
    fn delete_own(
        &self,
        owner: Address,
        number: MessageNumber,
        version: Option<u64>,
    ) -> impl Future<Output = Result<Synced<StoredMessage>, StoreError>> + Send;

    /// Carries out what a sender wishes for his message (requirements §3.14): takes it back, or shortens its
    /// lifetime. [`StoreError::NotFound`] alike for unknown and somebody else's,
    /// [`StoreError::Precondition`] if it is settled.
    fn recall(
        &self,
        recall: Recall,
    ) -> impl Future<Output = Result<RecallOutcome, StoreError>> + Send;

    /// Who holds the account of a mailbox right now, if somebody does.
    fn claimant(
        &self,
        mailbox: MailboxId,
    ) -> impl Future<Output = Result<Option<Claimant>, StoreError>> + Send;

    /// Offers again the held messages whose time has come by `now`, ends those whose lifetime is over, and removes the
    /// contents and timelines
    /// whose retention is over, at most `limit` in all. Forgets uploads whose lease is over, and rows
    /// of uploads that a process left behind when it died. Returns how many there were and whether
    /// more are due (requirements §3.2).
    fn sweep(
        &self,
        now: UnixMillis,
        limit: usize,
    ) -> impl Future<Output = Result<Swept, StoreError>> + Send;

    /// The secret of this store: proves branches (DLV-16) and keys hashes. The same on every edge.
    fn secret(&self) -> [u8; 32];

    /// The hostname in the Message-IDs (STO-08).
    fn hostname(&self) -> &str;

    /// Requests so far whose decision had to read the disk; the others found everything in memory (P9).
    fn disk_reads(&self) -> u64;

    /// Why the store accepts nothing right now, if so; for readiness.
    fn unready(&self) -> Option<String>;

    /// Sets the gauges that tell of the engine and its disk (`docs/metrics.md`); to be called every few seconds.
    fn measure(&self) -> impl Future<Output = ()> + Send;

    /// Waits until the store latches, and says why: whoever has nothing to ask of it hears of it too.
    fn latched(&self) -> impl Future<Output = StoreError> + Send;

    /// Lets other bounds hold from now on. What is stored keeps the times it has.
    fn set_bounds(&self, bounds: Bounds);

    /// Finishes what is queued, syncs and closes. Later calls answer [`StoreError::Closed`].
    fn close(&self) -> impl Future<Output = ()> + Send;
}

/// What one sweep did.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Swept {
    /// Messages that expired undelivered.
    pub expired: Vec<MessageNumber>,
    /// Messages whose time to be offered again has come.
    pub unheld: Vec<MessageNumber>,
    /// Messages whose content was removed.
    pub contents_removed: usize,
    /// Uploads whose octets were removed.
    pub uploads_forgotten: usize,
    /// Whether the limit was met and more is due now.
    pub more: bool,
}
