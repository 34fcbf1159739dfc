//! The handle that an edge holds.

mod groups;
mod reports;

use std::ops::Range;
use std::time::{Duration, Instant};

use proto::v1;
use proto::v1::deferred_service_client::DeferredServiceClient;
use proto::v1::delivery_service_client::DeliveryServiceClient;
use proto::v1::exchange_entry::Request as Entry;
use proto::v1::fan_out_service_client::FanOutServiceClient;
use proto::v1::large_message_service_client::LargeMessageServiceClient;
use proto::v1::registration_service_client::RegistrationServiceClient;
use proto::v1::settings_service_client::SettingsServiceClient;
use proto::v1::subscription_service_client::SubscriptionServiceClient;
use tokio::sync::watch;
use tonic::Request;
use tonic::transport::Channel;

use crate::contact::Contact;
use crate::deferred::{ClaimedMessage, DeferredPage};
use crate::delivery::{
    AcknowledgeResult, Claim, DeliveryOutcome, ReleaseResult, Settlement, TakeLimits, TakenBatch,
};
use crate::exchange::Exchange;
use crate::fan_out::{
    Capacity, FanOutLegs, JobAdmission, JobAdmissionAnswer, JobAnswer, JobRequest, LegClaim,
};
use crate::leases::Leases;
use crate::message::PartKind;
use crate::registration::{Registered, Registration};
use crate::settings::{Publish, Published};
use crate::store_identity::StoreIdentity;
use crate::subscription::{
    Changes, OwnedSubscription, Subscribe, SubscriptionName, Waiting, WaitingQuestion,
};
use crate::{
    AdmissionAnswer, AdmissionRequest, ClientConfig, DeferredError, Deposit, DepositAnswer,
    Deposited, PartReader, PublishError, PushJob, PushJobs, ReadPartError, RegisterError,
    SubscribeError, Unavailable, Upload,
};
use crate::{channel, convert};

/// A batch of taken messages: the largest message (10 MiB) with its head, and more.
const MAX_TAKE_OCTETS: usize = 32 << 20;

/// Messages of one page of a list.
const DEFERRED_PAGE: u32 = 250;

/// A page of them, whose senders used all the header octets they are allowed (64 KiB each), and more.
const MAX_PAGE_OCTETS: usize = 20 << 20;

/// A connection to one storage service. Cheap to clone; ends with its last clone.
#[derive(Clone, Debug)]
pub struct StorageClient {
    pub(crate) config: ClientConfig,
    pub(crate) channel: Channel,
    /// For octets of large messages.
    bulk: Channel,
    exchange: Exchange,
    contact: Contact,
    /// A number of this process: subscriptions of an earlier life are another's.
    incarnation: u64,
    /// All claims held, of pushes and fetches.
    leases: Leases<Claim>,
}

impl StorageClient {
    /// Starts to connect in the background, and again whenever the connection breaks. Must be called
    /// within a tokio runtime.
    #[must_use]
    pub fn connect(config: ClientConfig) -> Self {
        let contact = Contact::new(config.role);
        // Deposits have a connection of their own: bulky takes never stand in their way.
        let exchange = Exchange::start(channel::open(&config), config.clone(), contact.clone());
        Self {
            channel: channel::open(&config),
            bulk: channel::open_bulk(&config),
            config,
            exchange,
            leases: Leases::default(),
            contact,
            incarnation: rand::random(),
        }
    }

    /// Whether the deposit stream is open and the store has not said on it that it accepts nothing until
    /// it is restarted.
    #[must_use]
    pub fn connected(&self) -> watch::Receiver<bool> {
        self.contact.connected.subscribe()
    }

    /// Why no deposit would be taken, as far as is known without one; `None` while they are. The service
    /// tells it on the deposit stream.
    #[must_use]
    pub fn unready(&self) -> watch::Receiver<Option<String>> {
        self.contact.unready.subscribe()
    }

    /// What is known about the store; `None` until the first contact.
    #[must_use]
    pub fn store(&self) -> Option<StoreIdentity> {
        self.contact.store.borrow().clone()
    }

    /// [`StorageClient::store`] as something to wait for.
    #[must_use]
    pub fn watch_store(&self) -> watch::Receiver<Option<StoreIdentity>> {
        self.contact.store.subscribe()
    }

    /// Makes a message durable within [`ClientConfig::deposit_deadline`].
    ///
    /// # Errors
    /// [`Unavailable`]: it is not stored, and will not be later but for the documented window
    /// (PFM-05, `restante_late_commits_total`).
    pub async fn deposit(&self, deposit: Deposit) -> Result<DepositAnswer, Unavailable> {
        let entry = Entry::Deposit(convert::deposit(deposit));
        let patience = self.config.deposit_deadline;
        self.exchange
            .call(entry, patience)
            .await
            .and_then(convert::answer)
    }

    /// As [`StorageClient::deposit`] without a task that waits: `answered` runs exactly once, in the
    /// task that moves the stream, so it must neither wait nor compute for long.
    pub fn deposit_then(
        &self,
        deposit: Deposit,
        answered: impl FnOnce(Result<DepositAnswer, Unavailable>) + Send + 'static,
    ) {
        let entry = Entry::Deposit(convert::deposit(deposit));
        let patience = self.config.deposit_deadline;
        let tell = |result: Result<_, _>| answered(result.and_then(convert::answer));
        self.exchange.submit(entry, patience, tell);
    }

    /// Settles one taken message; survives reconnects within
    /// [`ClientConfig::acknowledge_deadline`].
    ///
    /// # Errors
    /// [`Unavailable`]: it may be settled or not; if not, the message is delivered again.
    pub async fn acknowledge(
        &self,
        claim: Claim,
        message_id: impl Into<String>,
        settlement: Settlement,
    ) -> Result<AcknowledgeResult, Unavailable> {
        self.acknowledge_for(claim, None, message_id, settlement, None)
            .await
    }

    /// As [`StorageClient::acknowledge`] at one device, where the job is by device, and with the span in which the message was
    /// sent, if it is traced.
    ///
    /// # Errors
    /// As there.
    pub async fn acknowledge_for(
        &self,
        claim: Claim,
        device: Option<&str>,
        message_id: impl Into<String>,
        settlement: Settlement,
        traceparent: Option<String>,
    ) -> Result<AcknowledgeResult, Unavailable> {
        let what = (message_id.into(), device.map(str::to_owned));
        let mut entry = convert::acknowledge(claim, what, settlement);
        entry.traceparent = traceparent.unwrap_or_default();
        let patience = self.config.acknowledge_deadline;
        self.exchange
            .call(Entry::Acknowledge(entry), patience)
            .await
            .and_then(convert::acknowledge_result)
    }

    /// Commits a REGISTER, all or nothing.
    ///
    /// # Errors
    /// [`RegisterError`] says which status the client gets.
    pub async fn register(&self, registration: Registration) -> Result<Registered, RegisterError> {
        let request = self.request(convert::registration(registration));
        RegistrationServiceClient::new(self.channel.clone())
            .register(request)
            .await
            .map(|reply| convert::registered(reply.into_inner()))
            .map_err(|status| RegisterError::from_status(&status))
    }

    /// Commits a new or refreshed subscription; this edge owns it from now on.
    ///
    /// # Errors
    /// [`SubscribeError`] says which status the subscriber gets.
    pub async fn subscribe(
        &self,
        subscribe: Subscribe,
    ) -> Result<OwnedSubscription, SubscribeError> {
        let request = self.request(convert::subscribe(subscribe, self.owner()));
        let reply = self.subscriptions().subscribe(request).await;
        let reply = reply.map_err(|status| SubscribeError::from_status(&status))?;
        Ok(convert::owned(reply.into_inner())?)
    }

    /// Ends a subscription of this edge; one that another edge has taken over goes on.
    ///
    /// # Errors
    /// [`Unavailable`]: the store forgets it when it would have ended.
    pub async fn unsubscribe(&self, name: SubscriptionName, epoch: u32) -> Result<(), Unavailable> {
        let request = self.request(v1::UnsubscribeRequest {
            name: Some(convert::subscription_name(name)),
            epoch,
        });
        let reply = self.subscriptions().unsubscribe(request).await;
        reply
            .map(drop)
            .map_err(|status| Unavailable::from_status(&status))
    }

    /// A new epoch for a subscription whose numbers are used up.
    ///
    /// # Errors
    /// [`Unavailable`]: it is gone, or the store does not answer.
    pub async fn renumber(
        &self,
        name: SubscriptionName,
    ) -> Result<Option<OwnedSubscription>, Unavailable> {
        let request = self.request(v1::RenumberRequest {
            name: Some(convert::subscription_name(name)),
            owner: Some(self.owner()),
        });
        match self.subscriptions().renumber(request).await {
            Ok(reply) => convert::owned(reply.into_inner()).map(Some),
            Err(status) if status.code() == tonic::Code::NotFound => Ok(None),
            Err(status) => Err(Unavailable::from_status(&status)),
        }
    }

    /// What waits in up to 256 mailboxes, in the order of the questions.
    ///
    /// # Errors
    /// [`Unavailable`]: ask again.
    pub async fn waiting(
        &self,
        questions: Vec<WaitingQuestion>,
    ) -> Result<Vec<Waiting>, Unavailable> {
        let questions = questions.into_iter().map(convert::waiting_question);
        let request = self.request(v1::ReadWaitingRequest {
            questions: questions.collect(),
        });
        let reply = self.subscriptions().read_waiting(request).await;
        let reply = reply.map_err(|status| Unavailable::from_status(&status))?;
        let answers = reply.into_inner().answers.into_iter();
        Ok(answers.map(convert::waiting).collect())
    }

    /// Follows the mailboxes that this edge notifies of.
    #[must_use]
    pub fn changes(&self) -> Changes {
        Changes::start(self.subscriptions(), &self.config, self.incarnation)
    }

    fn subscriptions(&self) -> SubscriptionServiceClient<Channel> {
        SubscriptionServiceClient::new(self.channel.clone())
            .max_decoding_message_size(MAX_TAKE_OCTETS)
    }

    fn owner(&self) -> v1::SubscriptionOwner {
        convert::owner(&self.config.edge, self.incarnation)
    }

    /// Commits a PUBLISH of settings, all or nothing.
    ///
    /// # Errors
    /// [`PublishError`] says which status the client gets.
    pub async fn publish(&self, publish: Publish) -> Result<Published, PublishError> {
        let request = self.request(convert::publish(publish));
        let reply = SettingsServiceClient::new(self.channel.clone())
            .publish_settings(request)
            .await
            .map_err(|status| PublishError::from_status(&status))?;
        convert::published(reply.into_inner())
    }

    /// One page of what waits for `served_user`, of whose account `reader` is too, from `token` on.
    ///
    /// # Errors
    /// [`DeferredError`].
    pub async fn list_deferred(
        &self,
        reader: &str,
        served_user: &str,
        token: &str,
    ) -> Result<DeferredPage, DeferredError> {
        let request = self.request(v1::ListDeferredRequest {
            reader: reader.to_owned(),
            served_user: served_user.to_owned(),
            page_size: DEFERRED_PAGE,
            page_token: token.to_owned(),
        });
        let reply = self.deferred().list_deferred(request).await;
        reply
            .map(|reply| convert::deferred_page(reply.into_inner()))
            .map_err(|status| DeferredError::from_status(&status))
    }

    /// Deletes an undelivered message of its reader; only while the mailbox has `version`, if that is
    /// given. The version of the mailbox afterwards.
    ///
    /// # Errors
    /// [`DeferredError`].
    pub async fn delete_deferred(
        &self,
        reader: &str,
        message_id: &str,
        version: Option<u64>,
    ) -> Result<u64, DeferredError> {
        let request = self.request(v1::DeleteDeferredRequest {
            reader: reader.to_owned(),
            message_id: message_id.to_owned(),
            version,
        });
        let reply = self.deferred().delete_deferred(request).await;
        reply
            .map(|reply| reply.into_inner().version)
            .map_err(|status| DeferredError::from_status(&status))
    }

    /// Claims the mailbox of `reader` for one of his messages, within the name of this edge.
    ///
    /// # Errors
    /// [`DeferredError`]; [`DeferredError::Busy`] while it is being delivered.
    pub async fn fetch_deferred(
        &self,
        reader: &str,
        message_id: &str,
    ) -> Result<ClaimedMessage, DeferredError> {
        let request = self.request(v1::ClaimDeferredRequest {
            reader: reader.to_owned(),
            message_id: message_id.to_owned(),
            edge: self.config.edge.clone(),
        });
        let asked_at = tokio::time::Instant::now();
        let reply = self.deferred().claim_deferred(request).await;
        let reply = reply.map_err(|status| DeferredError::from_status(&status))?;
        let reply = reply.into_inner();
        let lease = reply.lease.and_then(convert::duration);
        let (Some(claim), Some(lease)) = (reply.claim, lease) else {
            return Err(Unavailable::new("half an answer to a fetch").into());
        };
        let lease = self.leases.hold(convert::claim(claim), asked_at, lease);
        let user = (reader.to_owned(), Vec::new());
        Ok(ClaimedMessage {
            job: PushJob::of_one(user, lease),
            sequence: reply.sequence,
        })
    }

    /// Claims the mailbox of a message that was deposited just now, to forward it to its user
    /// (PFM-01); `None` if it is to wait for its push.
    ///
    /// # Errors
    /// [`Unavailable`]: it waits for its push too; a claim that was made lapses.
    pub async fn claim_forward(
        &self,
        deposited: &Deposited,
    ) -> Result<Option<ClaimedMessage>, Unavailable> {
        let request = self.request(v1::ClaimForwardRequest {
            message_id: deposited.message_id().to_owned(),
            edge: self.config.edge.clone(),
        });
        let asked_at = tokio::time::Instant::now();
        let reply = self.delivery().claim_forward(request).await;
        let reply = reply.map_err(|status| Unavailable::from_status(&status))?;
        let reply = reply.into_inner();
        let Some(claim) = reply.claim.map(convert::claim) else {
            return Ok(None);
        };
        let lease = reply.lease.and_then(convert::duration).unwrap_or_default();
        let lease = self.leases.hold(claim, asked_at, lease);
        let user = (reply.served_user, convert::bindings(reply.bindings));
        Ok(Some(ClaimedMessage {
            job: PushJob::of_one(user, lease),
            sequence: reply.sequence,
        }))
    }

    fn deferred(&self) -> DeferredServiceClient<Channel> {
        DeferredServiceClient::new(self.channel.clone()).max_decoding_message_size(MAX_PAGE_OCTETS)
    }

    /// Offers to deliver up to `capacity` mailboxes at a time.
    #[must_use]
    pub fn attach(&self, capacity: u32) -> PushJobs {
        self.attach_behind(capacity, watch::channel(None).1)
    }

    /// As [`StorageClient::attach`] for an edge that sends to a next hop, which is `paused` until
    /// then: meanwhile it gets no jobs.
    #[must_use]
    pub fn attach_behind(
        &self,
        capacity: u32,
        paused: watch::Receiver<Option<Instant>>,
    ) -> PushJobs {
        let leases = self.leases.clone();
        PushJobs::start(self.delivery(), &self.config, (capacity, paused), leases)
    }

    /// The next deliverable messages after the place `after_sequence` of a claimed mailbox, in order;
    /// none if there is nothing or the claim is superseded.
    ///
    /// # Errors
    /// [`Unavailable`]: nothing changed.
    pub async fn take(
        &self,
        claim: Claim,
        after_sequence: u64,
        limits: TakeLimits,
    ) -> Result<TakenBatch, Unavailable> {
        self.take_for(claim, None, after_sequence, limits).await
    }

    /// As [`StorageClient::take`] for one device, where the job is by device: what it has still to get.
    ///
    /// # Errors
    /// As there.
    pub async fn take_for(
        &self,
        claim: Claim,
        device: Option<&str>,
        after_sequence: u64,
        limits: TakeLimits,
    ) -> Result<TakenBatch, Unavailable> {
        let request = self.request(v1::TakeMessagesRequest {
            claim: Some(convert::claim_request(claim)),
            after_sequence,
            max_messages: limits.messages,
            max_octets: limits.octets,
            device: device.map(str::to_owned),
        });
        let reply = self.delivery().take_messages(request).await;
        reply
            .map(|reply| convert::taken(reply.into_inner()))
            .map_err(|status| Unavailable::from_status(&status))
    }

    /// Ends a delivery that has looked at the mailbox up to `last_sequence`; survives reconnects within
    /// [`ClientConfig::acknowledge_deadline`].
    ///
    /// # Errors
    /// [`Unavailable`]: the claim may have ended or not; without renewal it lapses.
    pub async fn release(
        &self,
        claim: Claim,
        last_sequence: u64,
        outcome: DeliveryOutcome,
    ) -> Result<ReleaseResult, Unavailable> {
        let entry = Entry::Release(convert::release(claim, last_sequence, outcome));
        let patience = self.config.acknowledge_deadline;
        self.exchange
            .call(entry, patience)
            .await
            .and_then(convert::release_result)
    }

    /// Asks for the admission of a large message, which reserves the announced octets (DEF-17).
    ///
    /// # Errors
    /// [`Unavailable`]: nothing is reserved for longer than the lease of an upload.
    pub async fn admit(&self, request: AdmissionRequest) -> Result<AdmissionAnswer, Unavailable> {
        let request = self.request(convert::admission_request(request));
        let mut client = self.large();
        let reply = client.admit(request).await;
        let reply = reply.map_err(|status| Unavailable::from_status(&status))?;
        Ok(match convert::admission(reply.into_inner())? {
            Ok(admission) => AdmissionAnswer::Admitted(Upload::open(
                client,
                &admission,
                self.config.commit_deadline,
            )),
            Err(refusal) => AdmissionAnswer::Refused(refusal),
        })
    }

    /// Begins to read the octets `range` of one part; less at its end, none past it. With a claim, only
    /// as long as that holds when it begins.
    ///
    /// # Errors
    /// [`ReadPartError`]: there is nothing to read.
    pub async fn read_part(
        &self,
        message_id: &str,
        part: PartKind,
        range: Range<u64>,
        claim: Option<Claim>,
    ) -> Result<PartReader, ReadPartError> {
        let request = self.request(v1::ReadPartRequest {
            message_id: message_id.to_owned(),
            part: convert::proto_part_kind(part).into(),
            offset: range.start,
            length: range.end.saturating_sub(range.start),
            claim: claim.map(convert::claim_request),
        });
        let pieces = self.large().read_part(request).await;
        let pieces = pieces.map_err(|status| ReadPartError::from_status(&status))?;
        let patience = self.config.request_deadline;
        Ok(PartReader::new(pieces.into_inner(), patience))
    }

    /// Keeps the BYE of the sender with a message of class `Large` (STO-05).
    ///
    /// # Errors
    /// [`Unavailable`]: it may be kept or not.
    pub async fn add_sender_bye(
        &self,
        message_id: &str,
        octets: bytes::Bytes,
    ) -> Result<(), Unavailable> {
        let request = self.request(v1::AddSenderByeRequest {
            message_id: message_id.to_owned(),
            octets,
        });
        let added = self.large().add_sender_bye(request).await;
        added
            .map(drop)
            .map_err(|status| Unavailable::from_status(&status))
    }

    /// Makes a message to many a durable job within [`ClientConfig::deposit_deadline`].
    ///
    /// # Errors
    /// [`Unavailable`]: it may have become a job or not; a retry of the sender tells.
    pub async fn accept_job(&self, request: JobRequest) -> Result<JobAnswer, Unavailable> {
        let patience = self.config.deposit_deadline;
        let request = convert::job_request(request, patience);
        let reply = self
            .fan_outs()
            .accept_job(with_deadline(request, patience))
            .await;
        let reply = reply.map_err(|status| Unavailable::from_status(&status))?;
        convert::job_answer(reply.into_inner())
    }

    /// Asks for the admission of a large message to many (CFL-03). The rate of the sender is spent by
    /// [`Upload::commit_job`].
    ///
    /// # Errors
    /// [`Unavailable`]: nothing is kept for longer than the lease of an upload. Also if more octets are announced than
    /// the store ever takes.
    pub async fn admit_job(
        &self,
        admission: JobAdmission,
    ) -> Result<JobAdmissionAnswer, Unavailable> {
        let request = self.request(convert::job_admission(admission));
        let mut client = self.large();
        let reply = client.admit_job(request).await;
        let reply = reply.map_err(|status| Unavailable::from_status(&status))?;
        Ok(match convert::job_admitted(reply.into_inner())? {
            Ok(admission) => JobAdmissionAnswer::Admitted(Upload::open(
                client,
                &admission,
                self.config.commit_deadline,
            )),
            Err(refusal) => JobAdmissionAnswer::Refused(refusal),
        })
    }

    /// Begins to read `length` octets of the content of a large message to many from `offset` on, or all of them if that
    /// is zero; less at its end. Only under a live claim of one of its legs.
    ///
    /// # Errors
    /// [`ReadPartError`]: there is nothing to read.
    pub async fn read_job_content(
        &self,
        claim: LegClaim,
        offset: u64,
        length: u64,
    ) -> Result<PartReader, ReadPartError> {
        let request = self.request(v1::ReadJobContentRequest {
            leg: Some(convert::proto_leg_claim(claim)),
            offset,
            length,
        });
        let mut client = FanOutServiceClient::new(self.bulk.clone());
        let pieces = client.read_job_content(request).await;
        let pieces = pieces.map_err(|status| ReadPartError::from_status(&status))?;
        let patience = self.config.request_deadline;
        Ok(PartReader::new(pieces.into_inner(), patience))
    }

    /// Offers to send up to `places` legs of class [`JobClass::Pager`](crate::fan_out::JobClass) at a time, and up to
    /// `large_places` of class `Large`; at most 4,096 each.
    #[must_use]
    pub fn fan_out(&self, places: u32, large_places: u32) -> FanOutLegs {
        let (client, config) = (self.fan_outs(), &self.config);
        let capacity = Capacity {
            pager: places,
            large: large_places,
        };
        crate::fan_out::start(client, config, self.incarnation, capacity)
    }

    fn fan_outs(&self) -> FanOutServiceClient<Channel> {
        FanOutServiceClient::new(self.channel.clone()).max_decoding_message_size(MAX_TAKE_OCTETS)
    }

    fn large(&self) -> LargeMessageServiceClient<Channel> {
        LargeMessageServiceClient::new(self.bulk.clone())
    }

    fn delivery(&self) -> DeliveryServiceClient<Channel> {
        DeliveryServiceClient::new(self.channel.clone()).max_decoding_message_size(MAX_TAKE_OCTETS)
    }

    fn request<T>(&self, message: T) -> Request<T> {
        with_deadline(message, self.config.request_deadline)
    }
}

/// A request that is given up after `patience`.
pub(crate) fn with_deadline<T>(message: T, patience: Duration) -> Request<T> {
    let mut request = Request::new(message);
    request.set_timeout(patience);
    request
}
