//! The RocksDB engine.
//!
//! One thread, the committer, owns all writes; requests reach it through bounded queues, having
//! read beforehand what their decision needs. Reads go straight to the database and see what is on
//! disk. See `docs/storage-format.md` for the rows.

mod change;
mod check;
mod committer;
mod compaction;
mod copy;
mod copy_origin;
mod counting;
mod database;
mod directory;
mod disk;
mod epochs;
mod event_log;
mod fan_out;
mod folder;
mod free_space;
mod heads;
mod import;
mod keys;
mod large;
mod leg_dues;
mod measure;
mod newest;
mod number_floor;
mod open;
mod open_error;
mod operation;
mod options;
mod overlay;
mod owner;
mod query;
mod queue;
mod rehearsal;
mod reports;
mod row;
mod senders;
mod shared;
mod submit;
mod submit_all;
mod suspension;
mod sweeper;
mod take;
mod taken;
mod threads;
mod timeline;
mod transaction;
mod upkeep;
mod uploads;
mod waiting;
mod written;

#[cfg(test)]
pub(crate) mod tests;

use std::sync::{Arc, Mutex, PoisonError};
use std::thread::JoinHandle;
use std::time::Duration;

use bytes::Bytes;
use tokio::sync::mpsc::UnboundedSender;

use self::committer::Job;
use self::database::{Reach, ReadError};
use self::folder::Folder;
pub use self::folder::FolderLock;
pub use self::open_error::OpenError;
use self::operation::account::AccountChange;
use self::operation::acknowledge::Acknowledge;
use self::operation::bye::AddBye;
use self::operation::claim::{Claim, Renew};
use self::operation::delete_own::DeleteOwn;
use self::operation::deposit::{DepositMessage, is_hashed_apart};
use self::operation::erase::Erasure;
use self::operation::order::CarryOut;
use self::operation::recall::{RecallMessage, Recalled};
use self::operation::register::Register;
use self::operation::release::Release;
use self::operation::settings::OrderSettings;
use self::operation::subscribe::{
    AddSubscription, AdoptSubscription, RememberNotified, RemoveSubscription,
};
use self::queue::Queues;
use self::shared::Shared;
use self::submit::{Operation, submit};
use self::submit_all::submit_all;
use crate::column_family::Family;
use crate::config::Bounds;
use crate::key;
use crate::model::{
    Account, Address, Admission, AdmissionOutcome, ClaimGrant, ClaimRequest, ClaimToken, Claimant,
    Deposit, DepositOutcome, Device, Event, LargeDeposit, ListPage, ListQuery, MailboxId,
    MailboxSummary, MessageNumber, Notified, Order, Owner, PartKind, Publish, PublishRefusal,
    Recall, RecallOutcome, Refusal, Registered, Registration, RegistrationRefusal, ReleaseOutcome,
    Released, Sequence, SettingsChanged, SettingsOrder, Settled, Settlement, StoredMessage,
    Subscribe, Subscribed, Subscription, SubscriptionId, SubscriptionRefusal, TakeLimit, Taken,
    UnixMillis, UploadId, UserSettings, Waiting, WaitingQuestion,
};
use crate::rule::registration::live;
use crate::rule::settings::Sayings;
use crate::sealing::{KeyStatus, MasterKeys};
use crate::store::{Outcomes, Store, StoreError, Swept, Synced};
use crate::value::{self, AccountValue, SubscriptionsValue};
use crate::watch::MailboxWatch;

/// A store in RocksDB. Dropping it finishes what is queued and closes it.
pub struct RocksStore {
    shared: Arc<Shared>,
    queues: Arc<Queues<Job>>,
    threads: Mutex<Vec<JoinHandle<()>>>,
    _folder: Folder,
}

impl RocksStore {
    fn assemble(
        shared: Arc<Shared>,
        queues: Arc<Queues<Job>>,
        threads: Vec<JoinHandle<()>>,
        folder: Folder,
    ) -> Self {
        Self {
            shared,
            queues,
            threads: Mutex::new(threads),
            _folder: folder,
        }
    }

    async fn submit<O: Operation>(&self, operation: O) -> Result<O::Answer, StoreError> {
        submit(&self.shared, &self.queues, operation).await
    }

    /// Reads on a thread that may block.
    async fn read<T: Send + 'static>(
        &self,
        read: impl FnOnce(&Shared) -> Result<T, StoreError> + Send + 'static,
    ) -> Result<T, StoreError> {
        self.shared.check_open()?;
        let shared = Arc::clone(&self.shared);
        tokio::task::spawn_blocking(move || read(&shared))
            .await
            .map_err(|_| StoreError::Closed)?
    }

    /// Reads what is little: on this thread if all of it is in memory, else on one that may block, from the
    /// beginning. A thread that is woken for some microseconds costs more than they do.
    async fn read_little<T: Send + 'static>(
        &self,
        read: impl Fn(&Shared, Reach) -> Result<T, ReadError> + Send + 'static,
    ) -> Result<T, StoreError> {
        self.shared.check_open()?;
        match read(&self.shared, Reach::Memory) {
            Err(ReadError::NeedsDisk) => {
                let read = move |shared: &Shared| Ok(read(shared, Reach::Disk)?);
                self.read(read).await
            }
            found => Ok(found?),
        }
    }

    async fn change_account(&self, change: AccountChange) -> Result<Synced<MailboxId>, StoreError> {
        self.submit(change).await.map(Synced::after_sync)
    }

    /// Ends the flusher and the committer, which finish what they have.
    fn stop(&self) -> Vec<JoinHandle<()>> {
        self.shared.close();
        self.shared.uploads.flusher.close();
        self.queues.close();
        let mut threads = self.threads.lock().unwrap_or_else(PoisonError::into_inner);
        std::mem::take(&mut *threads)
    }
}

impl Drop for RocksStore {
    fn drop(&mut self) {
        join(self.stop());
    }
}

fn join(threads: Vec<JoinHandle<()>>) {
    for thread in threads {
        if thread.join().is_err() {
            tracing::error!(
                event = "store.thread_panicked",
                "a thread of the store has panicked"
            );
        }
    }
}

impl Store for RocksStore {
    async fn deposit(&self, deposit: Deposit) -> Result<DepositOutcome, StoreError> {
        let operation = match self.shared.group_in_memory(&deposit)? {
            Some(group) if !is_hashed_apart(&deposit) => {
                DepositMessage::new(deposit, group, &self.shared)
            }
            _ => self.read(|shared| shared.deposit_message(deposit)).await?,
        };
        Ok(self.submit(operation).await?.into_outcome())
    }

    async fn admit(&self, admission: Admission) -> Result<AdmissionOutcome, StoreError> {
        self.admit_upload(admission).await
    }

    async fn stage(
        &self,
        upload: UploadId,
        offset: u64,
        octets: Bytes,
    ) -> Result<Result<(), Refusal>, StoreError> {
        self.stage_octets(upload, offset, octets).await
    }

    async fn commit_upload(
        &self,
        upload: UploadId,
        deposit: LargeDeposit,
    ) -> Result<DepositOutcome, StoreError> {
        self.commit_octets(upload, deposit).await
    }

    async fn abandon(&self, upload: UploadId) {
        self.forget_upload(upload).await;
    }

    async fn add_sender_bye(
        &self,
        number: MessageNumber,
        octets: Bytes,
    ) -> Result<Synced<()>, StoreError> {
        let added = self.submit(AddBye { number, octets }).await;
        added.map(Synced::after_sync)
    }

    async fn holds(&self, claim: ClaimToken, number: MessageNumber) -> Result<bool, StoreError> {
        self.read(move |shared| shared.holds(claim, number)).await
    }

    fn deposit_all(&self, deposits: Vec<(u64, Deposit)>, outcomes: &UnboundedSender<Outcomes>) {
        submit_all(&self.shared, &self.queues, deposits, outcomes);
    }

    async fn message(&self, number: MessageNumber) -> Result<StoredMessage, StoreError> {
        self.read(move |shared| shared.message(number, shared.times.read()))
            .await
    }

    async fn timeline(&self, number: MessageNumber) -> Result<Vec<Event>, StoreError> {
        self.read(move |shared| shared.timeline(number)).await
    }

    async fn read_part(
        &self,
        number: MessageNumber,
        part: PartKind,
        offset: u64,
        length: usize,
    ) -> Result<Bytes, StoreError> {
        self.shared.check_open()?;
        let shared = Arc::clone(&self.shared);
        let reading = move || shared.read_part(number, part, offset, length);
        self.shared.readers.run(reading).await?
    }

    async fn list(&self, query: ListQuery) -> Result<ListPage, StoreError> {
        self.read(move |shared| shared.list(&query, shared.times.read()))
            .await
    }

    async fn mailbox(&self, address: Address) -> Result<Option<MailboxId>, StoreError> {
        self.shared.check_open()?;
        let key = self.shared.address_key(&address);
        Ok(self.shared.directory.address(&key))
    }

    async fn account(&self, mailbox: MailboxId) -> Result<Address, StoreError> {
        self.read_little(move |shared, reach| {
            let place = key::mailbox(mailbox);
            let row = shared.database.get(Family::Accounts, &place, reach)?;
            let row: AccountValue = value::decode(&row.ok_or(StoreError::NotFound)?)?;
            Ok(row.address)
        })
        .await
    }

    async fn create_account(&self, address: Address) -> Result<Synced<MailboxId>, StoreError> {
        self.change_account(AccountChange::Create(address)).await
    }

    async fn delete_account(&self, address: Address) -> Result<Synced<()>, StoreError> {
        let done = self.change_account(AccountChange::Delete(address)).await;
        done.map(|synced| synced.map(drop))
    }

    async fn erase_account(
        &self,
        address: Address,
        actor: String,
        reason: String,
    ) -> Result<Synced<u64>, StoreError> {
        let erased = self.erase(address, Erasure { actor, reason }).await;
        erased.map(Synced::after_sync)
    }

    async fn key_status(&self) -> Result<KeyStatus, StoreError> {
        self.read(|shared| shared.key_status()).await
    }

    async fn rotate_keys(&self, masters: MasterKeys) -> Result<KeyStatus, StoreError> {
        self.rotate(masters).await
    }

    async fn list_accounts(
        &self,
        after: Option<MailboxId>,
        limit: usize,
    ) -> Result<Vec<Account>, StoreError> {
        self.read(move |shared| shared.accounts(after, limit)).await
    }

    async fn add_alias(&self, address: Address, alias: Address) -> Result<Synced<()>, StoreError> {
        let change = AccountChange::AddAlias { address, alias };
        self.change_account(change)
            .await
            .map(|synced| synced.map(drop))
    }

    async fn remove_alias(&self, alias: Address) -> Result<Synced<()>, StoreError> {
        let done = self.change_account(AccountChange::RemoveAlias(alias)).await;
        done.map(|synced| synced.map(drop))
    }

    async fn publish(
        &self,
        publish: Publish,
    ) -> Result<Result<Synced<SettingsChanged>, PublishRefusal>, StoreError> {
        let outcome = self.submit(publish).await?;
        Ok(outcome.map(Synced::after_sync))
    }

    async fn order_settings(
        &self,
        address: Address,
        order: SettingsOrder,
    ) -> Result<Synced<SettingsChanged>, StoreError> {
        let ordered = self.submit(OrderSettings { address, order }).await;
        ordered.map(Synced::after_sync)
    }

    async fn settings(&self, mailbox: MailboxId) -> Result<UserSettings, StoreError> {
        self.read_little(move |shared, reach| shared.user_settings(mailbox, reach))
            .await
    }

    async fn settings_after(
        &self,
        mailbox: MailboxId,
        order: SettingsOrder,
    ) -> Result<UserSettings, StoreError> {
        self.read(move |shared| {
            let (defaults, now) = (shared.config.settings, shared.times.read().wall);
            let said = shared.said(mailbox, Reach::Disk)?;
            Ok(said.ordered(&order, now).seen(defaults, now))
        })
        .await
    }

    async fn summary(&self, mailbox: MailboxId) -> Result<MailboxSummary, StoreError> {
        self.read(move |shared| shared.summary(mailbox)).await
    }

    async fn register(
        &self,
        registration: Registration,
    ) -> Result<Result<Synced<Registered>, RegistrationRefusal>, StoreError> {
        let outcome = self.submit(Register(registration)).await?;
        Ok(outcome.map(Synced::after_sync))
    }

    async fn registration(&self, mailbox: MailboxId) -> Result<Registered, StoreError> {
        self.read_little(move |shared, reach| shared.registered(mailbox, reach))
            .await
    }

    async fn subscribe(
        &self,
        subscribe: Subscribe,
    ) -> Result<Result<Synced<Subscribed>, SubscriptionRefusal>, StoreError> {
        let outcome = self.submit(AddSubscription(subscribe)).await?;
        Ok(outcome.map(Synced::after_sync))
    }

    async fn adopt_subscription(
        &self,
        id: SubscriptionId,
        owner: Owner,
    ) -> Result<Option<Synced<Subscribed>>, StoreError> {
        let adopted = self.submit(AdoptSubscription { id, owner }).await?;
        Ok(adopted.map(Synced::after_sync))
    }

    async fn unsubscribe(
        &self,
        id: SubscriptionId,
        epoch: u32,
    ) -> Result<Option<Synced<Subscription>>, StoreError> {
        let removed = self.submit(RemoveSubscription { id, epoch }).await?;
        Ok(removed.map(Synced::after_sync))
    }

    async fn remember_notified(
        &self,
        notified: Vec<(SubscriptionId, u32, Notified)>,
    ) -> Result<(), StoreError> {
        self.submit(RememberNotified(notified)).await
    }

    async fn list_subscriptions(
        &self,
        after: Option<MailboxId>,
        limit: usize,
    ) -> Result<Vec<(MailboxId, Vec<Subscription>)>, StoreError> {
        self.read(move |shared| shared.subscriptions(after, limit))
            .await
    }

    async fn waiting(
        &self,
        questions: Vec<WaitingQuestion>,
    ) -> Result<Vec<Option<Waiting>>, StoreError> {
        self.read(move |shared| shared.waiting(&questions)).await
    }

    fn watch(&self) -> MailboxWatch {
        self.shared.watches.watch()
    }

    fn is_registered(&self, address: &Address) -> bool {
        let directory = &self.shared.directory;
        let mailbox = directory.address(&self.shared.address_key(address));
        mailbox.is_some_and(|mailbox| directory.is_bound(mailbox, self.shared.times.read().wall))
    }

    async fn reachable_with_waiting(
        &self,
        after: Option<MailboxId>,
        limit: usize,
    ) -> Result<Vec<MailboxId>, StoreError> {
        self.shared.check_open()?;
        let now = self.shared.times.read().wall;
        Ok(self.shared.directory.reachable(after, limit, now))
    }

    async fn claim(&self, request: ClaimRequest) -> Result<ClaimGrant, StoreError> {
        let (grant, _) = self.submit(Claim(request)).await?;
        Ok(grant)
    }

    async fn renew(&self, claim: ClaimToken, lease: Duration) -> Result<bool, StoreError> {
        let lease_until = self.submit(Renew { claim, lease }).await?;
        Ok(lease_until.is_some())
    }

    async fn take_for(
        &self,
        claim: ClaimToken,
        device: Option<Device>,
        after: Sequence,
        limit: TakeLimit,
    ) -> Result<Vec<Taken>, StoreError> {
        self.shared.check_writable()?;
        self.read_little(move |shared, reach| {
            let (place, times) = ((after, limit), shared.times.read());
            shared.take(claim, device.as_ref(), place, times, reach)
        })
        .await
    }

    async fn acknowledge_for(
        &self,
        claim: ClaimToken,
        device: Option<Device>,
        number: MessageNumber,
        settlement: Settlement,
    ) -> Result<Synced<Settled>, StoreError> {
        let operation = Acknowledge {
            claim,
            device,
            number,
            settlement,
        };
        self.submit(operation).await.map(Synced::after_sync)
    }

    async fn release(
        &self,
        claim: ClaimToken,
        last_seen: Sequence,
        outcome: ReleaseOutcome,
    ) -> Result<Released, StoreError> {
        let operation = Release {
            claim,
            last_seen,
            outcome,
        };
        self.submit(operation).await
    }

    async fn carry_out(
        &self,
        number: MessageNumber,
        order: Order,
    ) -> Result<Synced<StoredMessage>, StoreError> {
        let message = self.submit(CarryOut { number, order }).await?;
        let seen = self.shared.seen_now(message, self.shared.times.read());
        Ok(Synced::after_sync(seen))
    }

    async fn delete_own(
        &self,
        owner: Address,
        number: MessageNumber,
        version: Option<u64>,
    ) -> Result<Synced<StoredMessage>, StoreError> {
        let operation = DeleteOwn {
            owner,
            number,
            version,
        };
        let message = self.submit(operation).await?;
        let seen = self.shared.seen_now(message, self.shared.times.read());
        Ok(Synced::after_sync(seen))
    }

    async fn recall(&self, recall: Recall) -> Result<RecallOutcome, StoreError> {
        Ok(match self.submit(RecallMessage(recall)).await? {
            Recalled::Claimed(claimant) => RecallOutcome::Claimed(claimant),
            Recalled::Done(message) => {
                let seen = self.shared.seen_now(*message, self.shared.times.read());
                RecallOutcome::Done(Box::new(Synced::after_sync(seen)))
            }
        })
    }

    async fn claimant(&self, mailbox: MailboxId) -> Result<Option<Claimant>, StoreError> {
        self.read_little(move |shared, reach| shared.claimant(mailbox, reach))
            .await
    }

    async fn sweep(&self, now: UnixMillis, limit: usize) -> Result<Swept, StoreError> {
        self.shared.check_writable()?;
        // First what nobody waits for: where it fails, nothing is done yet that has to be told.
        let (forgotten, more) = self.sweep_uploads().await?;
        let mut swept = sweeper::sweep(&self.shared, &self.queues, now, limit).await?;
        swept.uploads_forgotten = forgotten;
        swept.more |= more;
        Ok(swept)
    }

    fn secret(&self) -> [u8; 32] {
        self.shared.secret
    }

    fn hostname(&self) -> &str {
        &self.shared.config.hostname
    }

    fn disk_reads(&self) -> u64 {
        self.shared.progress.disk_rehearsals()
    }

    fn unready(&self) -> Option<String> {
        if let Err(error) = self.shared.check_writable() {
            return Some(error.to_string());
        }
        let is_full = self.shared.free_space.is_full();
        is_full.then(|| "the disk is above its high-water mark".to_owned())
    }

    async fn measure(&self) {
        if let Err(error) = self.read(Shared::measure).await {
            tracing::debug!(%error, "the store could not be measured");
        }
    }

    async fn latched(&self) -> StoreError {
        self.shared.latched().await
    }

    fn set_bounds(&self, bounds: Bounds) {
        self.shared.set_bounds(bounds);
    }

    async fn close(&self) {
        let threads = self.stop();
        drop(tokio::task::spawn_blocking(move || join(threads)).await);
    }
}

impl Shared {
    fn registered(&self, mailbox: MailboxId, reach: Reach) -> Result<Registered, ReadError> {
        let row = self.mailbox_row(mailbox, reach)?;
        row.ok_or(StoreError::NotFound)?;
        let bindings = self.directory.bindings(mailbox)?.unwrap_or_default();
        let mailboxes = self.directory.mailboxes_of(mailbox);
        Ok(Registered {
            mailbox: Some(mailbox),
            bindings: live(&bindings.bindings, self.times.read().wall),
            has_waiting: mailboxes
                .into_iter()
                .any(|m| self.directory.deliverable(m) > 0),
            refused_aliases: Vec::new(),
        })
    }

    fn user_settings(&self, mailbox: MailboxId, reach: Reach) -> Result<UserSettings, ReadError> {
        let said = self.said(mailbox, reach)?;
        Ok(said.seen(self.config.settings, self.times.read().wall))
    }

    fn said(&self, mailbox: MailboxId, reach: Reach) -> Result<Sayings, ReadError> {
        let mailbox = self.directory.owner(mailbox);
        let row = self.mailbox_row(mailbox, reach)?;
        row.ok_or(StoreError::NotFound)?;
        let place = key::mailbox(mailbox);
        let row = self.database.get(Family::Settings, &place, reach)?;
        Ok(match row {
            Some(row) => value::decode(&row)?,
            None => Sayings::default(),
        })
    }

    fn accounts(&self, after: Option<MailboxId>, limit: usize) -> Result<Vec<Account>, StoreError> {
        let start = MailboxId(after.map_or(0, |after| after.0.saturating_add(1)));
        let lower = key::mailbox(start);
        let mut scan = self.database.scan(Family::Accounts, &lower, None);
        let mut accounts = Vec::new();
        while accounts.len() < limit {
            let next =
                scan.step(|key, octets| Ok((key::decode_mailbox(key)?, value::decode(octets)?)))?;
            let Some((mailbox, names)) = next else {
                break;
            };
            accounts.extend(self.listed_account(mailbox, names)?);
        }
        Ok(accounts)
    }

    fn subscriptions(
        &self,
        after: Option<MailboxId>,
        limit: usize,
    ) -> Result<Vec<(MailboxId, Vec<Subscription>)>, StoreError> {
        let start = MailboxId(after.map_or(0, |after| after.0.saturating_add(1)));
        let lower = key::mailbox(start);
        let mut scan = self.database.scan(Family::Subscriptions, &lower, None);
        let mut found = Vec::new();
        while found.len() < limit {
            let Some(row) = scan.step(|key, octets| {
                let row: SubscriptionsValue = value::decode(octets)?;
                Ok((key::decode_mailbox(key)?, row.subscriptions))
            })?
            else {
                break;
            };
            found.push(row);
        }
        Ok(found)
    }

    /// `None` for a forgotten account and for a member of another one.
    fn listed_account(
        &self,
        mailbox: MailboxId,
        names: AccountValue,
    ) -> Result<Option<Account>, StoreError> {
        if names.deleted || self.directory.owner(mailbox) != mailbox {
            return Ok(None);
        }
        let row = self.mailbox_row(mailbox, Reach::Disk)?.unwrap_or_default();
        let settings = self.user_settings(mailbox, Reach::Disk)?;
        Ok(Some(Account {
            mailbox,
            address: names.address,
            aliases: names.aliases,
            provisioned: row.provisioned,
            barring: settings.effective.barring(),
        }))
    }
}
