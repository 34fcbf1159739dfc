//! One stream: hello, then what the edge has to know.

use std::sync::Arc;
use std::time::Duration;

use futures_util::future::join_all;
use proto::v1;
use proto::v1::notify_reply::Reply;
use proto::v1::notify_request::Request;
use storage::model::{MailboxId, Owner, Sequence, SubscriptionId, WaitingQuestion};
use storage::{Store, StoreError};
use tokio::sync::mpsc;
use tokio::time::sleep;
use tokio_util::sync::CancellationToken;
use tonic::{Status, Streaming};

use super::distributor::Distributor;
use super::queue::{Batch, EdgeQueue};
use super::roster::Task;
use crate::{convert, status};

/// Mailboxes looked at together.
const LOOKS: usize = 256;

/// Subscriptions adopted together: their commits share a sync.
const ADOPTIONS: usize = 64;

/// Between two looks: changes in between are told as one.
const LOOK_PERIOD: Duration = Duration::from_millis(20);

/// Told states in one request.
const NOTIFIED_MAX: usize = 4_096;

/// Told states of one commit.
const NOTIFIED_SLICE: usize = 64;

/// What the store could not do is tried again after this.
const RETRY: Duration = Duration::from_secs(1);

type Replies = mpsc::Sender<Result<v1::NotifyReply, Status>>;

pub(super) struct Session<S> {
    pub(super) store: Arc<S>,
    pub(super) distributor: Distributor,
    pub(super) replies: Replies,
}

impl<S: Store> Session<S> {
    /// Serves the stream to its end.
    pub(super) async fn serve(
        self,
        mut requests: Streaming<v1::NotifyRequest>,
        shutdown: CancellationToken,
    ) {
        let end = tokio::select! {
            greeted = greet(&mut requests) => match greeted {
                Ok(owner) => self.attached(&owner, requests, &shutdown).await,
                Err(status) => Err(status),
            },
            () = shutdown.cancelled() => Err(status::draining()),
        };
        if let Err(status) = end {
            // An edge that is gone needs no status.
            let _ = self.replies.send(Err(status)).await;
        }
    }

    async fn attached(
        &self,
        owner: &Owner,
        requests: Streaming<v1::NotifyRequest>,
        shutdown: &CancellationToken,
    ) -> Result<(), Status> {
        let Some(queue) = self.distributor.attach(owner) else {
            return Err(Status::already_exists("an edge of that name is there"));
        };
        self.reply(Reply::Opened(v1::NotifyOpened {})).await;
        let end = tokio::select! {
            end = self.read(owner, requests) => end,
            () = self.tell(owner, &queue) => Ok(()),
            () = shutdown.cancelled() => Err(status::draining()),
        };
        self.distributor.detach(&owner.edge);
        end
    }

    async fn read(
        &self,
        owner: &Owner,
        mut requests: Streaming<v1::NotifyRequest>,
    ) -> Result<(), Status> {
        while let Some(request) = requests.message().await? {
            match request.request {
                Some(Request::Notified(states)) => {
                    self.remember(owner, states.subscriptions).await?;
                }
                Some(Request::Hello(_)) => return Err(Status::invalid_argument("a second hello")),
                None => return Err(Status::invalid_argument("a request is empty")),
            }
        }
        Ok(())
    }

    /// What the store cannot take now is told again by a later NOTIFY.
    async fn remember(
        &self,
        owner: &Owner,
        told: Vec<v1::NotifiedSubscription>,
    ) -> Result<(), Status> {
        if told.len() > NOTIFIED_MAX {
            return Err(Status::invalid_argument("too many states in one request"));
        }
        let told: Vec<_> = told
            .into_iter()
            .map(convert::notified)
            .collect::<Result<_, _>>()?;
        let held = told.iter().map(|(id, epoch, _)| (id, *epoch));
        self.distributor.confirmed(owner, held);
        for slice in told.chunks(NOTIFIED_SLICE) {
            if let Err(error) = self.store.remember_notified(slice.to_vec()).await {
                tracing::debug!(%error, "told states not remembered");
            }
        }
        Ok(())
    }

    /// Ends when nobody listens.
    async fn tell(&self, owner: &Owner, queue: &EdgeQueue) {
        while !self.replies.is_closed() {
            match queue.next(LOOKS, ADOPTIONS).await {
                Batch::Adopt(ids) => self.adopt_all(owner, ids, queue).await,
                Batch::Forget(id, epoch) => {
                    self.reply(Reply::Lost(convert::lost_subscription(&id, epoch)))
                        .await;
                }
                Batch::Look(mailboxes) => {
                    if self.look(&mailboxes).await.is_err() {
                        mailboxes.iter().for_each(|(mailbox, remind)| match remind {
                            true => queue.remind(*mailbox),
                            false => queue.push(Task::Look(*mailbox)),
                        });
                        sleep(RETRY).await;
                    }
                    sleep(LOOK_PERIOD).await;
                }
            }
        }
    }

    async fn adopt_all(&self, owner: &Owner, ids: Vec<SubscriptionId>, queue: &EdgeQueue) {
        let adoptions = ids.into_iter().map(|id| self.adopt(owner, id));
        let failed: Vec<_> = join_all(adoptions).await.into_iter().flatten().collect();
        if failed.is_empty() {
            return;
        }
        for id in failed {
            queue.push(Task::Adopt(id));
        }
        sleep(RETRY).await;
    }

    /// Gives the name back if the store cannot do it now.
    async fn adopt(&self, owner: &Owner, id: SubscriptionId) -> Option<SubscriptionId> {
        match self
            .store
            .adopt_subscription(id.clone(), owner.clone())
            .await
        {
            Ok(Some(adopted)) => {
                let adopted = adopted.into_inner();
                let epoch = adopted.subscription.epoch;
                self.distributor.adopted(&id, owner, epoch);
                metrics::counter!("restante_subscriptions_adopted_total").increment(1);
                self.reply(Reply::Owned(convert::owned(adopted))).await;
            }
            Ok(None) => self.distributor.ended(&id, u32::MAX),
            Err(error) => {
                tracing::debug!(%error, "subscription not adopted yet");
                return Some(id);
            }
        }
        None
    }

    async fn look(&self, mailboxes: &[(MailboxId, bool)]) -> Result<(), StoreError> {
        let question = |mailbox| WaitingQuestion {
            mailbox,
            after: Sequence::default(),
            messages: 0,
        };
        let questions = mailboxes.iter().map(|(mailbox, _)| question(*mailbox));
        let answers = self.store.waiting(questions.collect()).await?;
        for (waiting, (_, remind)) in answers.iter().zip(mailboxes) {
            if let Some(waiting) = waiting {
                let changed = convert::mailbox_changed(waiting, *remind);
                self.reply(Reply::Changed(changed)).await;
            }
        }
        Ok(())
    }

    /// A reply to an edge that is gone is noticed as the end of its requests.
    async fn reply(&self, reply: Reply) {
        let reply = v1::NotifyReply { reply: Some(reply) };
        let _ = self.replies.send(Ok(reply)).await;
    }
}

async fn greet(requests: &mut Streaming<v1::NotifyRequest>) -> Result<Owner, Status> {
    let first = requests.message().await?.and_then(|first| first.request);
    match first {
        Some(Request::Hello(hello)) => convert::owner(hello.owner),
        _ => Err(Status::invalid_argument("the first request is no hello")),
    }
}
