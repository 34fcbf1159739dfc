//! Waiting indication: subscriptions of edges, and changes told to them (MWI-10).

mod distributor;
mod queue;
mod roster;
mod session;

use std::pin::Pin;
use std::sync::Arc;

use proto::v1;
use proto::v1::subscription_service_server::SubscriptionService;
use storage::model::{Address, MailboxId, Sequence, SubscriptionId, WaitingQuestion};
use storage::{Store, StoreError};
use tokio::sync::mpsc;
use tokio_stream::Stream;
use tokio_stream::wrappers::ReceiverStream;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;
use tonic::{Code, Request, Response, Status, Streaming};

pub(crate) use self::distributor::Distributor;
use crate::{convert, status};

/// Questions of one request.
const QUESTIONS_MAX: usize = 256;

/// Messages of one answer.
const MESSAGES_MAX: usize = 100;

/// Replies of a stream on their way; what waits beyond them is coalesced.
const REPLY_BUFFER: usize = 64;

/// No mailbox has this number.
const NO_MAILBOX: MailboxId = MailboxId(0);

/// The subscription service over a store.
pub(crate) struct Subscriptions<S> {
    store: Arc<S>,
    distributor: Distributor,
    streams: TaskTracker,
    shutdown: CancellationToken,
}

impl<S: Store> Subscriptions<S> {
    /// Streams end when `shutdown` is cancelled; `streams` tracks them.
    pub(crate) fn new(
        store: Arc<S>,
        distributor: Distributor,
        streams: TaskTracker,
        shutdown: CancellationToken,
    ) -> Self {
        Self {
            store,
            distributor,
            streams,
            shutdown,
        }
    }

    /// Only the owner of a mailbox is told what waits in it (MWI-07); an alias of his is as good.
    async fn check_owner(&self, address: &Address, subscriber: String) -> Result<(), Status> {
        if subscriber.is_empty() || subscriber == address.as_str() {
            return Ok(());
        }
        let found = async {
            let own = self.store.mailbox(Address::new(subscriber)).await?;
            Ok((own, self.store.mailbox(address.clone()).await?))
        };
        let found: Result<_, StoreError> = found.await;
        match found.map_err(|error| status::of_store(&error))? {
            (Some(own), Some(wanted)) if own == wanted => Ok(()),
            _ => Err(status::with_reason(
                Code::PermissionDenied,
                "NOT_OWNER",
                "the mailbox is another's",
            )),
        }
    }

    async fn question(&self, asked: v1::WaitingQuestion) -> Result<WaitingQuestion, Status> {
        let mailbox = match asked.mailbox {
            0 => self.store.mailbox(Address::new(asked.address)).await,
            mailbox => Ok(Some(MailboxId(mailbox))),
        };
        let mailbox = mailbox.map_err(|error| status::of_store(&error))?;
        let messages = usize::try_from(asked.max_messages).unwrap_or(MESSAGES_MAX);
        Ok(WaitingQuestion {
            mailbox: mailbox.unwrap_or(NO_MAILBOX),
            after: Sequence(asked.after_sequence),
            messages: messages.min(MESSAGES_MAX),
        })
    }
}

#[tonic::async_trait]
impl<S: Store> SubscriptionService for Subscriptions<S> {
    type NotifyStream = Pin<Box<dyn Stream<Item = Result<v1::NotifyReply, Status>> + Send>>;

    async fn subscribe(
        &self,
        request: Request<v1::SubscribeRequest>,
    ) -> Result<Response<v1::OwnedSubscription>, Status> {
        let mut request = request.into_inner();
        let subscriber = std::mem::take(&mut request.subscriber);
        let subscribe = convert::subscribe(request)?;
        self.check_owner(&subscribe.address, subscriber).await?;
        let owner = subscribe.owner.clone();
        let subscribed = self
            .store
            .subscribe(subscribe)
            .await
            .map_err(|error| status::of_store(&error))?
            .map_err(status::of_subscription)?
            .into_inner();
        let id = SubscriptionId {
            mailbox: subscribed.mailbox,
            local_tag: subscribed.subscription.local_tag.clone(),
        };
        let epoch = subscribed.subscription.epoch;
        self.distributor.committed(&id, &owner, epoch);
        Ok(Response::new(convert::owned(subscribed)))
    }

    async fn unsubscribe(
        &self,
        request: Request<v1::UnsubscribeRequest>,
    ) -> Result<Response<v1::UnsubscribeReply>, Status> {
        let request = request.into_inner();
        let id = convert::subscription_id(request.name)?;
        let removed = self.store.unsubscribe(id.clone(), request.epoch).await;
        removed.map_err(|error| status::of_store(&error))?;
        // Also if the store has forgotten it before, with its account or long after its time.
        self.distributor.ended(&id, request.epoch);
        Ok(Response::new(v1::UnsubscribeReply {}))
    }

    async fn renumber(
        &self,
        request: Request<v1::RenumberRequest>,
    ) -> Result<Response<v1::OwnedSubscription>, Status> {
        let request = request.into_inner();
        let id = convert::subscription_id(request.name)?;
        let owner = convert::owner(request.owner)?;
        let adopted = self
            .store
            .adopt_subscription(id.clone(), owner.clone())
            .await;
        let adopted = adopted
            .map_err(|error| status::of_store(&error))?
            .ok_or_else(|| Status::not_found("no such subscription"))?
            .into_inner();
        let epoch = adopted.subscription.epoch;
        self.distributor.committed(&id, &owner, epoch);
        Ok(Response::new(convert::owned(adopted)))
    }

    async fn read_waiting(
        &self,
        request: Request<v1::ReadWaitingRequest>,
    ) -> Result<Response<v1::ReadWaitingReply>, Status> {
        let asked = request.into_inner().questions;
        if asked.len() > QUESTIONS_MAX {
            return Err(Status::invalid_argument("too many questions"));
        }
        let mut questions = Vec::with_capacity(asked.len());
        for asked in asked {
            questions.push(self.question(asked).await?);
        }
        let answers = self.store.waiting(questions).await;
        let answers = answers.map_err(|error| status::of_store(&error))?;
        Ok(Response::new(v1::ReadWaitingReply {
            answers: answers.into_iter().map(convert::waiting).collect(),
        }))
    }

    async fn notify(
        &self,
        request: Request<Streaming<v1::NotifyRequest>>,
    ) -> Result<Response<Self::NotifyStream>, Status> {
        if self.shutdown.is_cancelled() {
            return Err(status::draining());
        }
        let (replies, receiver) = mpsc::channel(REPLY_BUFFER);
        let session = session::Session {
            store: Arc::clone(&self.store),
            distributor: self.distributor.clone(),
            replies,
        };
        let serving = session.serve(request.into_inner(), self.shutdown.clone());
        self.streams.spawn(serving);
        Ok(Response::new(Box::pin(ReceiverStream::new(receiver))))
    }
}
