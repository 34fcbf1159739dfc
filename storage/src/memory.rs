//! The in-memory model of a store: plain collections behind one lock, everything computed anew
//! when asked. It is what the contract means, and the oracle of the engines' tests. Nothing of it
//! outlives the process.
//!
//! Its sync is simulated: [`MemoryStore::hold_syncs`] and [`MemoryStore::fail_syncs`] let tests
//! see what their code does while, or after, a disk does not keep its promise. A store made by
//! [`MemoryStore::on_disk`] leaves every sync to its owner, reads nothing that is not synced, and can
//! die: that is what the simulation runs on.

mod accounts;
mod claims;
mod deposits;
mod disk;
mod event_log;
mod fan_out;
mod import;
mod messages;
mod model;
mod reports;
mod settings;
mod subscriptions;
mod suspension;
mod sweep;
mod sync_gate;
mod upkeep;
mod uploads;

#[cfg(test)]
pub(crate) mod tests;

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use bytes::Bytes;
use tokio::sync::mpsc::UnboundedSender;

use self::deposits::Decided;
use self::disk::Disk;
use self::model::Model;
use self::sync_gate::SyncGate;
use crate::config::{Bounds, StoreConfig};
use crate::model::{
    Account, Address, Admission, AdmissionOutcome, ClaimGrant, ClaimRequest, ClaimToken, Claimant,
    Clock, Deposit, DepositOutcome, Device, Event, LargeDeposit, ListPage, ListQuery, MailboxId,
    MailboxSummary, MessageNumber, Notified, Order, Owner, PartKind, Publish, PublishRefusal,
    Recall, RecallOutcome, Refusal, Registered, Registration, RegistrationRefusal, ReleaseOutcome,
    Released, Sequence, SettingsChanged, SettingsOrder, Settled, Settlement, StoredMessage,
    Subscribe, Subscribed, Subscription, SubscriptionId, SubscriptionRefusal, TakeLimit, Taken,
    UnixMillis, UploadId, UserSettings, Waiting, WaitingQuestion,
};
use crate::report::ReportWatch;
use crate::sealing::{KeyStatus, MasterKeys};
use crate::store::{Outcomes, Store, StoreError, Swept, Synced};
use crate::timekeeper::{Timekeeper, Times};
use crate::watch::{MailboxWatch, Watches};

pub use self::disk::{DiskImage, Survivors};

/// The in-memory store.
pub struct MemoryStore {
    /// With all that is decided.
    model: Arc<Mutex<Model>>,
    /// What of it is synced, if that is simulated.
    disk: Option<Arc<Disk>>,
    times: Timekeeper,
    gate: Arc<SyncGate>,
    watches: Arc<Watches>,
    report_watch: Arc<ReportWatch>,
    hostname: String,
    secret: [u8; 32],
}

impl MemoryStore {
    /// An empty store.
    #[must_use]
    pub fn new(config: StoreConfig, clock: impl Clock) -> Self {
        let times = Timekeeper::new(Arc::new(clock), UnixMillis::default());
        let secret = rand::random();
        Self {
            hostname: config.hostname.clone(),
            model: Arc::new(Mutex::new(Model::new(config, secret, times.read().wall))),
            times,
            gate: Arc::new(SyncGate::new()),
            watches: Arc::default(),
            report_watch: Arc::default(),
            secret,
            disk: None,
        }
    }

    /// An empty store on a disk whose syncs begin and end when [`MemoryStore::begin_sync`] and
    /// [`MemoryStore::end_sync`] are called, and not before.
    #[must_use]
    pub fn on_disk(config: StoreConfig, clock: impl Clock, secret: [u8; 32]) -> Self {
        let now = clock.now();
        Self::open_on_disk(DiskImage(Box::new(Model::new(config, secret, now))), clock)
    }

    /// A store that goes on from what another one has left on its disk.
    #[must_use]
    pub fn open_on_disk(image: DiskImage, clock: impl Clock) -> Self {
        let DiskImage(model) = image;
        let model = *model;
        Self {
            hostname: model.config.hostname.clone(),
            secret: model.secret,
            times: Timekeeper::new(Arc::new(clock), model.latest_time()),
            gate: Arc::new(SyncGate::of_disk()),
            watches: Arc::default(),
            report_watch: Arc::default(),
            disk: Some(Arc::new(Disk::new(model.clone()))),
            model: Arc::new(Mutex::new(model)),
        }
    }

    /// Waits until something has changed that no completed sync covers. Only of a store on a disk;
    /// of another one never.
    pub async fn unsynced(&self) {
        match &self.disk {
            Some(disk) => disk.unsynced().await,
            None => std::future::pending().await,
        }
    }

    /// Begins a sync of all that has changed so far.
    pub fn begin_sync(&self) {
        if let Some(disk) = &self.disk {
            disk.begin_sync(&self.lock());
        }
    }

    /// The sync under way has completed: who waited for it is answered.
    pub fn end_sync(&self) {
        let synced = self.disk.as_ref().and_then(|disk| disk.end_sync());
        if let Some(changes) = synced {
            self.gate.synced(changes);
        }
    }

    /// What would be found on the disk if the process died now and nothing were left but what was
    /// synced.
    #[must_use]
    pub fn durable(&self) -> DiskImage {
        match &self.disk {
            Some(disk) => disk.image(Survivors::Synced, &self.lock()),
            None => DiskImage(Box::new(self.lock().reopened())),
        }
    }

    /// The process has died: it does nothing any more, and this is what is found on its disk.
    #[must_use]
    pub fn die(&self, survivors: Survivors) -> DiskImage {
        let model = self.lock();
        let image = match &self.disk {
            Some(disk) => disk.image(survivors, &model),
            None => DiskImage(Box::new(model.reopened())),
        };
        drop(model);
        self.shut();
        image
    }

    fn shut(&self) {
        self.lock().close();
        if let Some(disk) = &self.disk {
            disk.with_synced(Model::close);
        }
    }

    /// From now on no sync returns, so that nothing is answered that promises one.
    pub fn hold_syncs(&self) {
        self.gate.hold();
    }

    /// Held syncs return, and later ones.
    pub fn release_syncs(&self) {
        self.gate.release();
    }

    /// The next sync fails, and so do those that are held: the store is latched (P2).
    pub fn fail_syncs(&self) {
        self.gate.fail();
    }

    /// What a restart of the process forgets: which messages are taken.
    #[cfg(test)]
    pub(crate) fn restart(&self) {
        self.lock().forget_taken();
    }

    fn lock(&self) -> MutexGuard<'_, Model> {
        lock(&self.model)
    }

    fn read<T>(
        &self,
        read: impl FnOnce(&Model, Times) -> Result<T, StoreError>,
    ) -> Result<T, StoreError> {
        let times = self.times.read();
        let checked = |model: &Model| model.check_open().and_then(|()| read(model, times));
        match &self.disk {
            Some(disk) => disk.with_synced(|model| checked(model)),
            None => checked(&self.lock()),
        }
    }

    /// Changes what no sync is promised for.
    fn change<T>(
        &self,
        change: impl FnOnce(&mut Model, Times) -> Result<T, StoreError>,
    ) -> Result<T, StoreError> {
        let mut model = self.lock();
        model.check_writable()?;
        let changed = change(&mut model, self.times.read());
        self.note_change();
        changed
    }

    fn note_change(&self) {
        if let Some(disk) = &self.disk {
            disk.changed();
        }
    }

    /// Changes so far, where they are counted.
    fn position(&self) -> u64 {
        self.disk.as_ref().map_or(0, |disk| disk.position())
    }

    /// Changes the model, then waits for the simulated sync.
    async fn write<T>(
        &self,
        change: impl FnOnce(&mut Model, Times) -> Result<T, StoreError>,
    ) -> Result<T, StoreError> {
        let answer = self.change(change)?;
        let watches = (&*self.watches, &*self.report_watch);
        synced(&self.gate, self.position(), &self.model, watches).await?;
        Ok(answer)
    }
}

/// Waits for the simulated sync, and tells who watches.
async fn synced(
    gate: &SyncGate,
    changes: u64,
    model: &Mutex<Model>,
    (watches, reports): (&Watches, &ReportWatch),
) -> Result<(), StoreError> {
    let passed = gate.pass(changes).await;
    passed.map_err(|cause| lock(model).latch(cause))?;
    let all: Vec<_> = lock(model).accounts.keys().copied().collect();
    watches.changed(all.into_iter());
    let made = lock(model).reports.take_made();
    reports.note_made(&made);
    Ok(())
}

fn lock(model: &Mutex<Model>) -> MutexGuard<'_, Model> {
    model.lock().unwrap_or_else(PoisonError::into_inner)
}

impl Store for MemoryStore {
    async fn deposit(&self, deposit: Deposit) -> Result<DepositOutcome, StoreError> {
        let decided = self
            .write(|model, times| Ok(model.deposit(deposit, times)))
            .await?;
        Ok(decided.into_outcome())
    }

    async fn admit(&self, admission: Admission) -> Result<AdmissionOutcome, StoreError> {
        self.change(|model, times| model.admit(&admission, times))
    }

    async fn stage(
        &self,
        upload: UploadId,
        offset: u64,
        octets: Bytes,
    ) -> Result<Result<(), Refusal>, StoreError> {
        self.change(|model, times| model.stage(upload, offset, &octets, times))
    }

    async fn commit_upload(
        &self,
        upload: UploadId,
        deposit: LargeDeposit,
    ) -> Result<DepositOutcome, StoreError> {
        let decided = self
            .write(|model, times| model.commit_upload(upload, deposit, times))
            .await?;
        Ok(decided.into_outcome())
    }

    async fn abandon(&self, upload: UploadId) {
        self.lock().abandon(upload);
    }

    async fn add_sender_bye(
        &self,
        number: MessageNumber,
        octets: Bytes,
    ) -> Result<Synced<()>, StoreError> {
        self.write(|model, _| model.add_bye(number, octets))
            .await
            .map(Synced::after_sync)
    }

    async fn holds(&self, claim: ClaimToken, number: MessageNumber) -> Result<bool, StoreError> {
        self.read(|model, _| model.holds(claim, number))
    }

    fn deposit_all(&self, deposits: Vec<(u64, Deposit)>, outcomes: &UnboundedSender<Outcomes>) {
        let mut model = self.lock();
        let decide = |(tag, deposit)| {
            let decided = model.check_writable();
            (
                tag,
                decided.map(|()| model.deposit(deposit, self.times.read())),
            )
        };
        let decided: Vec<_> = deposits.into_iter().map(decide).collect();
        self.note_change();
        let changes = self.position();
        drop(model);
        let (model, gate) = (Arc::clone(&self.model), Arc::clone(&self.gate));
        let watches = Arc::clone(&self.watches);
        let reports = Arc::clone(&self.report_watch);
        let outcomes = outcomes.clone();
        tokio::spawn(async move {
            let synced = synced(&gate, changes, &model, (&watches, &reports)).await;
            let answers = decided.into_iter().map(|(tag, decided)| {
                let decided = synced.clone().and(decided);
                (tag, decided.map(Decided::into_outcome))
            });
            // Whoever asked may have gone.
            drop(outcomes.send(answers.collect()));
        });
    }

    async fn message(&self, number: MessageNumber) -> Result<StoredMessage, StoreError> {
        self.read(|model, times| model.message(number, times))
    }

    async fn timeline(&self, number: MessageNumber) -> Result<Vec<Event>, StoreError> {
        self.read(|model, _| model.timeline(number))
    }

    async fn read_part(
        &self,
        number: MessageNumber,
        part: PartKind,
        offset: u64,
        length: usize,
    ) -> Result<Bytes, StoreError> {
        self.read(|model, _| model.read_part(number, part, offset, length))
    }

    async fn list(&self, query: ListQuery) -> Result<ListPage, StoreError> {
        self.read(|model, times| Ok(model.list(&query, times)))
    }

    async fn mailbox(&self, address: Address) -> Result<Option<MailboxId>, StoreError> {
        self.read(|model, _| Ok(model.mailbox(&address)))
    }

    async fn account(&self, mailbox: MailboxId) -> Result<Address, StoreError> {
        self.read(|model, _| model.account_address(mailbox))
    }

    async fn create_account(&self, address: Address) -> Result<Synced<MailboxId>, StoreError> {
        self.write(|model, _| model.create_account(address))
            .await
            .map(Synced::after_sync)
    }

    async fn delete_account(&self, address: Address) -> Result<Synced<()>, StoreError> {
        self.write(|model, _| model.delete_account(&address))
            .await
            .map(Synced::after_sync)
    }

    async fn erase_account(
        &self,
        address: Address,
        actor: String,
        reason: String,
    ) -> Result<Synced<u64>, StoreError> {
        self.write(|model, times| model.erase_account(&address, (&actor, &reason), times))
            .await
            .map(Synced::after_sync)
    }

    async fn key_status(&self) -> Result<KeyStatus, StoreError> {
        Ok(KeyStatus::default())
    }

    async fn rotate_keys(&self, _masters: MasterKeys) -> Result<KeyStatus, StoreError> {
        Err(StoreError::Precondition {
            reason: "nothing is encrypted: this store is in memory".to_owned(),
        })
    }

    async fn list_accounts(
        &self,
        after: Option<MailboxId>,
        limit: usize,
    ) -> Result<Vec<Account>, StoreError> {
        self.read(|model, times| Ok(model.list_accounts(after, limit, times)))
    }

    async fn add_alias(&self, address: Address, alias: Address) -> Result<Synced<()>, StoreError> {
        self.write(|model, _| model.add_alias(&address, &alias))
            .await
            .map(Synced::after_sync)
    }

    async fn remove_alias(&self, alias: Address) -> Result<Synced<()>, StoreError> {
        self.write(|model, _| model.remove_alias(&alias))
            .await
            .map(Synced::after_sync)
    }

    async fn publish(
        &self,
        publish: Publish,
    ) -> Result<Result<Synced<SettingsChanged>, PublishRefusal>, StoreError> {
        let answer = self
            .write(|model, times| Ok(model.publish(&publish, times)))
            .await?;
        Ok(answer.map(Synced::after_sync))
    }

    async fn order_settings(
        &self,
        address: Address,
        order: SettingsOrder,
    ) -> Result<Synced<SettingsChanged>, StoreError> {
        self.write(|model, times| model.order_settings(&address, &order, times))
            .await
            .map(Synced::after_sync)
    }

    async fn settings(&self, mailbox: MailboxId) -> Result<UserSettings, StoreError> {
        self.read(|model, times| model.settings_after(mailbox, None, times))
    }

    async fn settings_after(
        &self,
        mailbox: MailboxId,
        order: SettingsOrder,
    ) -> Result<UserSettings, StoreError> {
        self.read(|model, times| model.settings_after(mailbox, Some(&order), times))
    }

    async fn summary(&self, mailbox: MailboxId) -> Result<MailboxSummary, StoreError> {
        self.read(|model, _| model.summary(mailbox))
    }

    async fn register(
        &self,
        registration: Registration,
    ) -> Result<Result<Synced<Registered>, RegistrationRefusal>, StoreError> {
        let answer = self
            .write(|model, times| Ok(model.register(&registration, times)))
            .await?;
        Ok(answer.map(Synced::after_sync))
    }

    async fn registration(&self, mailbox: MailboxId) -> Result<Registered, StoreError> {
        self.read(|model, times| model.registration(mailbox, times))
    }

    async fn subscribe(
        &self,
        subscribe: Subscribe,
    ) -> Result<Result<Synced<Subscribed>, SubscriptionRefusal>, StoreError> {
        let answer = self
            .write(|model, times| Ok(model.subscribe(&subscribe, times)))
            .await?;
        Ok(answer.map(Synced::after_sync))
    }

    async fn adopt_subscription(
        &self,
        id: SubscriptionId,
        owner: Owner,
    ) -> Result<Option<Synced<Subscribed>>, StoreError> {
        let answer = self
            .write(|model, times| Ok(model.adopt_subscription(&id, &owner, times)))
            .await?;
        Ok(answer.map(Synced::after_sync))
    }

    async fn unsubscribe(
        &self,
        id: SubscriptionId,
        epoch: u32,
    ) -> Result<Option<Synced<Subscription>>, StoreError> {
        let answer = self
            .write(|model, _| Ok(model.unsubscribe(&id, epoch)))
            .await?;
        Ok(answer.map(Synced::after_sync))
    }

    async fn remember_notified(
        &self,
        notified: Vec<(SubscriptionId, u32, Notified)>,
    ) -> Result<(), StoreError> {
        self.write(|model, _| {
            model.remember_notified(&notified);
            Ok(())
        })
        .await
    }

    async fn list_subscriptions(
        &self,
        after: Option<MailboxId>,
        limit: usize,
    ) -> Result<Vec<(MailboxId, Vec<Subscription>)>, StoreError> {
        self.read(|model, _| Ok(model.list_subscriptions(after, limit)))
    }

    async fn waiting(
        &self,
        questions: Vec<WaitingQuestion>,
    ) -> Result<Vec<Option<Waiting>>, StoreError> {
        self.read(|model, times| model.waiting(&questions, times))
    }

    fn watch(&self) -> MailboxWatch {
        self.watches.watch()
    }

    fn is_registered(&self, address: &Address) -> bool {
        let registered = self.read(|model, times| {
            let mailbox = model.mailbox(address).ok_or(StoreError::NotFound)?;
            model.registration(mailbox, times)
        });
        registered.is_ok_and(|registered| !registered.bindings.is_empty())
    }

    async fn reachable_with_waiting(
        &self,
        after: Option<MailboxId>,
        limit: usize,
    ) -> Result<Vec<MailboxId>, StoreError> {
        self.read(|model, times| Ok(model.reachable_with_waiting(after, limit, times)))
    }

    async fn claim(&self, request: ClaimRequest) -> Result<ClaimGrant, StoreError> {
        self.write(|model, times| model.claim(&request, times))
            .await
    }

    async fn renew(&self, claim: ClaimToken, lease: Duration) -> Result<bool, StoreError> {
        self.write(|model, times| Ok(model.renew(claim, lease, times)))
            .await
    }

    async fn take_for(
        &self,
        claim: ClaimToken,
        device: Option<Device>,
        after: Sequence,
        limit: TakeLimit,
    ) -> Result<Vec<Taken>, StoreError> {
        let times = self.times.read();
        let mut model = self.lock();
        model.check_writable()?;
        let Some(disk) = &self.disk else {
            return Ok(model.take(claim, device.as_ref(), (after, limit), times));
        };
        let taken =
            disk.with_synced(|synced| synced.take(claim, device.as_ref(), (after, limit), times));
        let numbers = taken.iter().map(|taken| taken.message.envelope.id.number);
        let taken_now = (claim.mailbox, claim.generation, numbers.collect());
        model.take_again(&[taken_now]);
        Ok(taken)
    }

    async fn acknowledge_for(
        &self,
        claim: ClaimToken,
        device: Option<Device>,
        number: MessageNumber,
        settlement: Settlement,
    ) -> Result<Synced<Settled>, StoreError> {
        self.write(|model, times| {
            Ok(model.acknowledge(claim, device.as_ref(), number, settlement, times))
        })
        .await
        .map(Synced::after_sync)
    }

    async fn release(
        &self,
        claim: ClaimToken,
        last_seen: Sequence,
        outcome: ReleaseOutcome,
    ) -> Result<Released, StoreError> {
        self.write(|model, times| Ok(model.release(claim, last_seen, outcome, times)))
            .await
    }

    async fn carry_out(
        &self,
        number: MessageNumber,
        order: Order,
    ) -> Result<Synced<StoredMessage>, StoreError> {
        self.write(|model, times| model.carry_out(number, order, times))
            .await
            .map(Synced::after_sync)
    }

    async fn delete_own(
        &self,
        owner: Address,
        number: MessageNumber,
        version: Option<u64>,
    ) -> Result<Synced<StoredMessage>, StoreError> {
        self.write(|model, times| model.delete_own(&owner, number, version, times))
            .await
            .map(Synced::after_sync)
    }

    async fn recall(&self, recall: Recall) -> Result<RecallOutcome, StoreError> {
        let recalled = self
            .write(|model, times| model.recall(&recall, times))
            .await?;
        Ok(match recalled {
            Ok(message) => RecallOutcome::Done(Box::new(Synced::after_sync(message))),
            Err(claimant) => RecallOutcome::Claimed(claimant),
        })
    }

    async fn claimant(&self, mailbox: MailboxId) -> Result<Option<Claimant>, StoreError> {
        self.read(|model, times| Ok(model.claimant(mailbox, times)))
    }

    async fn sweep(&self, now: UnixMillis, limit: usize) -> Result<Swept, StoreError> {
        self.write(|model, times| Ok(model.sweep(now, limit, times)))
            .await
    }

    fn secret(&self) -> [u8; 32] {
        self.secret
    }

    fn hostname(&self) -> &str {
        &self.hostname
    }

    fn disk_reads(&self) -> u64 {
        0
    }

    fn unready(&self) -> Option<String> {
        self.lock().check_writable().err().map(|e| e.to_string())
    }

    /// There is neither an engine nor a disk.
    async fn measure(&self) {}

    async fn latched(&self) -> StoreError {
        let latched = Arc::clone(&self.lock().latched);
        let cause = latched.wait().await.clone();
        StoreError::Latched { cause }
    }

    fn set_bounds(&self, bounds: Bounds) {
        self.lock().config.set_bounds(bounds);
    }

    async fn close(&self) {
        self.shut();
    }
}
