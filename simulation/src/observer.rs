//! Looks at what the service asks of its store, and at the answers; plants some of the bugs.

use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use storage::event_log::EventLogStore;
use storage::fan_out::{GroupPlace, GroupWithDocument};
use storage::model::{
    Account, Address, Admission, AdmissionOutcome, ClaimGrant, ClaimRequest, ClaimToken, Claimant,
    Deposit, DepositOutcome, Device, Event, Group, GroupOrder, GroupRefusal, Import,
    ImportForecast, Importer, Job, JobAdmission, JobAdmissionOutcome, JobClass, JobNumber,
    JobOutcome, JobPage, JobQuery, JobRequest, JobWithTemplate, LargeDeposit, LargeJob, Leg,
    LegBatch, LegOutcome, LegSettled, LegToken, ListPage, ListQuery, LogPage, LogPosition,
    MailboxId, MailboxSummary, MessageNumber, Notified, Order, Owner, PartKind, Publish,
    PublishRefusal, Recall, RecallOutcome, Refusal, Registered, Registration, RegistrationRefusal,
    ReleaseOutcome, Released, ReportBatch, ReportSettled, ReportToken, Sequence, SettingsChanged,
    SettingsOrder, Settled, Settlement, StoredMessage, Subscribe, Subscribed, Subscription,
    SubscriptionId, SubscriptionRefusal, Suspended, Suspension, TakeLimit, Taken, UnixMillis,
    UploadId, UserSettings, Waiting, WaitingQuestion,
};
use storage::upkeep::{CheckReport, Compacted, Walk};
use storage::{
    Bounds, FanOutStore, ImportStore, KeyStatus, MailboxWatch, MasterKeys, MemoryStore, Outcomes,
    ReportStore, ReportWatch, Store, StoreError, SuspensionStore, Swept, Synced, UpkeepStore,
};
use tokio::sync::mpsc::UnboundedSender;
use tokio::sync::watch;

use crate::past::Past;
use crate::plant::Plant;
use crate::world::World;

/// A store between the service and the real one.
pub struct Observer {
    world: World,
    store: Arc<MemoryStore>,
    past: Past,
}

impl Observer {
    /// In front of this store.
    #[must_use]
    pub fn new(world: World, store: Arc<MemoryStore>, past: Past) -> Self {
        Self { world, store, past }
    }
}

impl Store for Observer {
    async fn claim(&self, request: ClaimRequest) -> Result<ClaimGrant, StoreError> {
        let edge = request.edge.clone();
        let granted = self.store.claim(request).await;
        if let Ok(ClaimGrant::Granted(claim)) = granted {
            self.past.granted(claim);
            let (mailbox, generation) = (claim.mailbox.0, claim.generation.0);
            self.world.note(format!(
                "store: mailbox {mailbox} claimed by {edge}, generation {generation}"
            ));
        }
        granted
    }

    async fn acknowledge_for(
        &self,
        claim: ClaimToken,
        device: Option<Device>,
        number: MessageNumber,
        settlement: Settlement,
    ) -> Result<Synced<Settled>, StoreError> {
        let was_superseded = self.past.is_superseded(claim);
        let shown = match self.world.has(Plant::LateAcknowledgement) {
            true => self.past.present(claim),
            false => claim,
        };
        let is_delivery = matches!(settlement, Settlement::Delivered { .. });
        let what = format!(
            "{number:?} of generation {}: {settlement:?}",
            claim.generation.0
        );
        let settlement = match self.world.has(Plant::ForgottenAcknowledgement) {
            true => Settlement::Failed {
                reason: "forgotten".to_owned(),
                refusal: false,
            },
            false => settlement,
        };
        let settled = self
            .store
            .acknowledge_for(shown, device, number, settlement)
            .await;
        self.world.note(format!(
            "store: acknowledged {what} → {:?}",
            settled.as_deref()
        ));
        if was_superseded && settled.as_deref() == Ok(&Settled::Settled) {
            self.world
                .violated("P4: an acknowledgement of a superseded claim has settled a message");
        }
        if is_delivery && settled.as_deref() == Ok(&Settled::Settled) {
            self.past.delivered(number);
        }
        settled
    }

    async fn release(
        &self,
        claim: ClaimToken,
        last_seen: Sequence,
        outcome: ReleaseOutcome,
    ) -> Result<Released, StoreError> {
        let what = format!(
            "mailbox {}, generation {}, {outcome:?}",
            claim.mailbox.0, claim.generation.0
        );
        let released = self.store.release(claim, last_seen, outcome).await;
        self.world
            .note(format!("store: released {what} → {released:?}"));
        released
    }

    fn is_registered(&self, address: &Address) -> bool {
        let is_forgotten = self.world.has(Plant::LostWakeUp) && self.world.chance(50);
        self.store.is_registered(address) && !is_forgotten
    }

    async fn deposit(&self, deposit: Deposit) -> Result<DepositOutcome, StoreError> {
        self.store.deposit(deposit).await
    }

    async fn admit(&self, admission: Admission) -> Result<AdmissionOutcome, StoreError> {
        self.store.admit(admission).await
    }

    async fn stage(
        &self,
        upload: UploadId,
        offset: u64,
        octets: Bytes,
    ) -> Result<Result<(), Refusal>, StoreError> {
        self.store.stage(upload, offset, octets).await
    }

    async fn commit_upload(
        &self,
        upload: UploadId,
        deposit: LargeDeposit,
    ) -> Result<DepositOutcome, StoreError> {
        self.store.commit_upload(upload, deposit).await
    }

    async fn abandon(&self, upload: UploadId) -> () {
        self.store.abandon(upload).await;
    }

    async fn add_sender_bye(
        &self,
        number: MessageNumber,
        octets: Bytes,
    ) -> Result<Synced<()>, StoreError> {
        self.store.add_sender_bye(number, octets).await
    }

    async fn holds(&self, claim: ClaimToken, number: MessageNumber) -> Result<bool, StoreError> {
        self.store.holds(claim, number).await
    }

    fn deposit_all(&self, mut deposits: Vec<(u64, Deposit)>, outcomes: &UnboundedSender<Outcomes>) {
        if self.world.has(Plant::ShortenedLife) {
            for (_, deposit) in &mut deposits {
                deposit.lifetime = deposit.lifetime.map(|lifetime| lifetime / 5);
            }
        }
        self.store.deposit_all(deposits, outcomes);
    }

    async fn message(&self, number: MessageNumber) -> Result<StoredMessage, StoreError> {
        self.store.message(number).await
    }

    async fn timeline(&self, number: MessageNumber) -> Result<Vec<Event>, StoreError> {
        self.store.timeline(number).await
    }

    async fn read_part(
        &self,
        number: MessageNumber,
        part: PartKind,
        offset: u64,
        length: usize,
    ) -> Result<Bytes, StoreError> {
        self.store.read_part(number, part, offset, length).await
    }

    async fn list(&self, query: ListQuery) -> Result<ListPage, StoreError> {
        self.store.list(query).await
    }

    async fn mailbox(&self, address: Address) -> Result<Option<MailboxId>, StoreError> {
        self.store.mailbox(address).await
    }

    async fn account(&self, mailbox: MailboxId) -> Result<Address, StoreError> {
        self.store.account(mailbox).await
    }

    async fn create_account(&self, address: Address) -> Result<Synced<MailboxId>, StoreError> {
        self.store.create_account(address).await
    }

    async fn delete_account(&self, address: Address) -> Result<Synced<()>, StoreError> {
        self.store.delete_account(address).await
    }

    async fn erase_account(
        &self,
        address: Address,
        actor: String,
        reason: String,
    ) -> Result<Synced<u64>, StoreError> {
        self.store.erase_account(address, actor, reason).await
    }

    async fn key_status(&self) -> Result<KeyStatus, StoreError> {
        self.store.key_status().await
    }

    async fn rotate_keys(&self, masters: MasterKeys) -> Result<KeyStatus, StoreError> {
        self.store.rotate_keys(masters).await
    }

    async fn list_accounts(
        &self,
        after: Option<MailboxId>,
        limit: usize,
    ) -> Result<Vec<Account>, StoreError> {
        self.store.list_accounts(after, limit).await
    }

    async fn add_alias(&self, address: Address, alias: Address) -> Result<Synced<()>, StoreError> {
        self.store.add_alias(address, alias).await
    }

    async fn remove_alias(&self, alias: Address) -> Result<Synced<()>, StoreError> {
        self.store.remove_alias(alias).await
    }

    async fn publish(
        &self,
        publish: Publish,
    ) -> Result<Result<Synced<SettingsChanged>, PublishRefusal>, StoreError> {
        self.store.publish(publish).await
    }

    async fn order_settings(
        &self,
        address: Address,
        order: SettingsOrder,
    ) -> Result<Synced<SettingsChanged>, StoreError> {
        self.store.order_settings(address, order).await
    }

    async fn settings(&self, mailbox: MailboxId) -> Result<UserSettings, StoreError> {
        self.store.settings(mailbox).await
    }

    async fn settings_after(
        &self,
        mailbox: MailboxId,
        order: SettingsOrder,
    ) -> Result<UserSettings, StoreError> {
        self.store.settings_after(mailbox, order).await
    }

    async fn summary(&self, mailbox: MailboxId) -> Result<MailboxSummary, StoreError> {
        self.store.summary(mailbox).await
    }

    async fn register(
        &self,
        registration: Registration,
    ) -> Result<Result<Synced<Registered>, RegistrationRefusal>, StoreError> {
        self.store.register(registration).await
    }

    async fn registration(&self, mailbox: MailboxId) -> Result<Registered, StoreError> {
        self.store.registration(mailbox).await
    }

    async fn subscribe(
        &self,
        subscribe: Subscribe,
    ) -> Result<Result<Synced<Subscribed>, SubscriptionRefusal>, StoreError> {
        self.store.subscribe(subscribe).await
    }

    async fn adopt_subscription(
        &self,
        id: SubscriptionId,
        owner: Owner,
    ) -> Result<Option<Synced<Subscribed>>, StoreError> {
        self.store.adopt_subscription(id, owner).await
    }

    async fn unsubscribe(
        &self,
        id: SubscriptionId,
        epoch: u32,
    ) -> Result<Option<Synced<Subscription>>, StoreError> {
        self.store.unsubscribe(id, epoch).await
    }

    async fn remember_notified(
        &self,
        notified: Vec<(SubscriptionId, u32, Notified)>,
    ) -> Result<(), StoreError> {
        self.store.remember_notified(notified).await
    }

    async fn list_subscriptions(
        &self,
        after: Option<MailboxId>,
        limit: usize,
    ) -> Result<Vec<(MailboxId, Vec<Subscription>)>, StoreError> {
        self.store.list_subscriptions(after, limit).await
    }

    async fn waiting(
        &self,
        questions: Vec<WaitingQuestion>,
    ) -> Result<Vec<Option<Waiting>>, StoreError> {
        self.store.waiting(questions).await
    }

    fn watch(&self) -> MailboxWatch {
        self.store.watch()
    }

    async fn reachable_with_waiting(
        &self,
        after: Option<MailboxId>,
        limit: usize,
    ) -> Result<Vec<MailboxId>, StoreError> {
        self.store.reachable_with_waiting(after, limit).await
    }

    async fn renew(&self, claim: ClaimToken, lease: Duration) -> Result<bool, StoreError> {
        self.store.renew(claim, lease).await
    }

    async fn take_for(
        &self,
        claim: ClaimToken,
        device: Option<Device>,
        after: Sequence,
        limit: TakeLimit,
    ) -> Result<Vec<Taken>, StoreError> {
        let delivered = self.past.all_delivered();
        let taken = self
            .store
            .take_for(claim, device.clone(), after, limit)
            .await;
        for message in taken.iter().flatten() {
            let number = message.message.envelope.id.number;
            if delivered.contains(&number) {
                self.world.violated(format!(
                    "P4: {number:?} is sent again although it is settled"
                ));
            }
            if self.world.has(Plant::DeliveredWhenTaken) {
                let by = "nobody".to_owned();
                let settlement = Settlement::Delivered { by };
                // A bug does not look at what comes of it.
                let _ = self
                    .store
                    .acknowledge_for(claim, device.clone(), number, settlement)
                    .await;
            }
        }
        taken
    }

    async fn carry_out(
        &self,
        number: MessageNumber,
        order: Order,
    ) -> Result<Synced<StoredMessage>, StoreError> {
        self.store.carry_out(number, order).await
    }

    async fn delete_own(
        &self,
        owner: Address,
        number: MessageNumber,
        version: Option<u64>,
    ) -> Result<Synced<StoredMessage>, StoreError> {
        self.store.delete_own(owner, number, version).await
    }

    async fn recall(&self, recall: Recall) -> Result<RecallOutcome, StoreError> {
        self.store.recall(recall).await
    }

    async fn claimant(&self, mailbox: MailboxId) -> Result<Option<Claimant>, StoreError> {
        self.store.claimant(mailbox).await
    }

    async fn sweep(&self, now: UnixMillis, limit: usize) -> Result<Swept, StoreError> {
        self.store.sweep(now, limit).await
    }

    fn secret(&self) -> [u8; 32] {
        self.store.secret()
    }

    fn hostname(&self) -> &str {
        self.store.hostname()
    }

    fn disk_reads(&self) -> u64 {
        self.store.disk_reads()
    }

    fn unready(&self) -> Option<String> {
        self.store.unready()
    }

    async fn measure(&self) {
        self.store.measure().await;
    }

    async fn latched(&self) -> StoreError {
        self.store.latched().await
    }

    fn set_bounds(&self, bounds: Bounds) {
        self.store.set_bounds(bounds);
    }

    async fn close(&self) -> () {
        self.store.close().await;
    }
}

impl FanOutStore for Observer {
    async fn change_group(
        &self,
        order: GroupOrder,
    ) -> Result<Result<Synced<Group>, GroupRefusal>, StoreError> {
        self.store.change_group(order).await
    }

    async fn group(&self, uri: Address) -> Result<Option<Group>, StoreError> {
        self.store.group(uri).await
    }

    async fn group_document(
        &self,
        owner: Address,
        name: String,
    ) -> Result<Option<GroupWithDocument>, StoreError> {
        self.store.group_document(owner, name).await
    }

    async fn which_are_groups(&self, uris: Vec<Address>) -> Result<Vec<bool>, StoreError> {
        self.store.which_are_groups(uris).await
    }

    async fn list_groups(
        &self,
        after: Option<GroupPlace>,
        limit: usize,
    ) -> Result<Vec<(GroupPlace, Group)>, StoreError> {
        self.store.list_groups(after, limit).await
    }

    async fn accept_job(&self, request: JobRequest) -> Result<JobOutcome, StoreError> {
        self.store.accept_job(request).await
    }

    async fn admit_job(&self, admission: JobAdmission) -> Result<JobAdmissionOutcome, StoreError> {
        self.store.admit_job(admission).await
    }

    async fn commit_job(&self, upload: UploadId, job: LargeJob) -> Result<JobOutcome, StoreError> {
        self.store.commit_job(upload, job).await
    }

    async fn holds_leg(&self, token: LegToken) -> Result<bool, StoreError> {
        self.store.holds_leg(token).await
    }

    async fn read_job_content(
        &self,
        number: JobNumber,
        offset: u64,
        length: usize,
    ) -> Result<Bytes, StoreError> {
        self.store.read_job_content(number, offset, length).await
    }

    async fn claim_legs(
        &self,
        owner: Owner,
        class: JobClass,
        limit: usize,
        lease: Duration,
    ) -> Result<LegBatch, StoreError> {
        let claimed = self.store.claim_legs(owner, class, limit, lease).await;
        if self.world.has(Plant::CopiedWhenClaimed) {
            let sent = LegOutcome::Answered {
                status: 202,
                reason: String::new(),
                retry_after: None,
            };
            let legs = claimed.iter().flat_map(|batch| &batch.legs);
            let settlements = legs.map(|leg| (leg.token, sent.clone())).collect();
            // A bug does not look at what comes of it.
            let _ = self.store.settle_legs(settlements).await;
        }
        claimed
    }

    async fn renew_legs(
        &self,
        tokens: Vec<LegToken>,
        lease: Duration,
    ) -> Result<Vec<LegToken>, StoreError> {
        self.store.renew_legs(tokens, lease).await
    }

    async fn settle_legs(
        &self,
        settlements: Vec<(LegToken, LegOutcome)>,
    ) -> Result<Synced<Vec<LegSettled>>, StoreError> {
        self.store.settle_legs(settlements).await
    }

    async fn release_former(&self, owner: Owner) -> Result<usize, StoreError> {
        self.store.release_former(owner).await
    }

    async fn job_template(&self, number: JobNumber) -> Result<JobWithTemplate, StoreError> {
        self.store.job_template(number).await
    }

    async fn job(&self, number: JobNumber) -> Result<Job, StoreError> {
        self.store.job(number).await
    }

    async fn list_jobs(&self, query: JobQuery) -> Result<JobPage, StoreError> {
        self.store.list_jobs(query).await
    }

    async fn list_legs(
        &self,
        number: JobNumber,
        from: u32,
        limit: usize,
    ) -> Result<Vec<Leg>, StoreError> {
        self.store.list_legs(number, from, limit).await
    }

    async fn cancel_job(
        &self,
        number: JobNumber,
        reason: String,
    ) -> Result<Synced<Job>, StoreError> {
        self.store.cancel_job(number, reason).await
    }
}

impl ReportStore for Observer {
    async fn claim_reports(
        &self,
        limit: usize,
        lease: Duration,
    ) -> Result<ReportBatch, StoreError> {
        self.store.claim_reports(limit, lease).await
    }

    async fn settle_reports(
        &self,
        settlements: Vec<(ReportToken, LegOutcome)>,
    ) -> Result<Synced<Vec<ReportSettled>>, StoreError> {
        self.store.settle_reports(settlements).await
    }

    fn report_watch(&self) -> &ReportWatch {
        self.store.report_watch()
    }
}

impl EventLogStore for Observer {
    async fn read_events(&self, after: LogPosition, limit: usize) -> Result<LogPage, StoreError> {
        self.store.read_events(after, limit).await
    }

    fn follow_events(&self) -> Option<watch::Receiver<LogPosition>> {
        self.store.follow_events()
    }

    async fn event_cursor(&self) -> Result<Option<LogPosition>, StoreError> {
        self.store.event_cursor().await
    }

    async fn set_event_cursor(&self, position: LogPosition) -> Result<Synced<()>, StoreError> {
        self.store.set_event_cursor(position).await
    }

    async fn trim_events(&self) -> Result<(usize, bool), StoreError> {
        self.store.trim_events().await
    }
}

impl ImportStore for Observer {
    async fn import(
        &self,
        messages: Vec<Import>,
        by: Importer,
    ) -> Result<Vec<DepositOutcome>, StoreError> {
        self.store.import(messages, by).await
    }

    async fn rehearse_import(
        &self,
        messages: Vec<Import>,
    ) -> Result<Vec<ImportForecast>, StoreError> {
        self.store.rehearse_import(messages).await
    }
}

impl SuspensionStore for Observer {
    async fn suspensions(&self) -> Result<Vec<Suspension>, StoreError> {
        self.store.suspensions().await
    }

    async fn suspend(&self, suspension: Suspension) -> Result<Synced<()>, StoreError> {
        self.store.suspend(suspension).await
    }

    async fn cancel_suspension(
        &self,
        target: Suspended,
    ) -> Result<Option<Synced<Suspension>>, StoreError> {
        self.store.cancel_suspension(target).await
    }
}

impl UpkeepStore for Observer {
    async fn copy_to(&self, folder: PathBuf) -> Result<(), StoreError> {
        self.store.copy_to(folder).await
    }

    async fn check_copy(
        &self,
        folder: PathBuf,
        walk: Arc<Walk>,
    ) -> Result<CheckReport, StoreError> {
        self.store.check_copy(folder, walk).await
    }

    async fn compact(&self, walk: Arc<Walk>) -> Result<Compacted, StoreError> {
        self.store.compact(walk).await
    }
}
