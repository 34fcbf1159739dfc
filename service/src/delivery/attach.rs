//! One attach stream: hello, then jobs out and renewals in.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

use futures_util::future::join_all;
use proto::v1;
use proto::v1::attach_reply::Reply;
use proto::v1::attach_request::Request;
use storage::Store;
use storage::model::ClaimToken;
use tokio::sync::{mpsc, oneshot};
use tokio_util::sync::CancellationToken;
use tonic::{Status, Streaming};

use crate::scheduler::{
    AlreadyAttached, Attachment, Countermand, FIRST_TAKE, Job, Scheduler, Withdrawal, Withdrawn,
};
use crate::{convert, status};

/// Jobs an edge may have at a time, whatever it says.
const CAPACITY_MAX: usize = 10_000;

/// Claims that one renewal may name.
const RENEWALS_MAX: usize = CAPACITY_MAX;

type Replies = mpsc::Sender<Result<v1::AttachReply, Status>>;

pub(super) struct Session<S> {
    store: Arc<S>,
    scheduler: Scheduler,
    lease: Duration,
    replies: Replies,
}

impl<S: Store> Session<S> {
    pub(super) fn new(
        store: Arc<S>,
        scheduler: Scheduler,
        lease: Duration,
        replies: Replies,
    ) -> Self {
        Self {
            store,
            scheduler,
            lease,
            replies,
        }
    }

    /// Serves the stream to its end.
    pub(super) async fn serve(
        self,
        mut requests: Streaming<v1::AttachRequest>,
        shutdown: CancellationToken,
    ) {
        let greeted = tokio::select! {
            greeted = self.greet(&mut requests) => greeted,
            () = shutdown.cancelled() => Err(status::draining()),
        };
        let end = match greeted {
            Ok((edge, attachment)) => {
                let end = tokio::select! {
                    end = self.work(&edge, attachment, requests) => end,
                    () = shutdown.cancelled() => Err(status::draining()),
                };
                self.scheduler.detached(edge).await;
                end
            }
            Err(status) => Err(status),
        };
        if let Err(status) = end {
            // An edge that is gone needs no status.
            let _ = self.replies.send(Err(status)).await;
        }
    }

    async fn greet(
        &self,
        requests: &mut Streaming<v1::AttachRequest>,
    ) -> Result<(Arc<str>, Attachment), Status> {
        let first = requests.message().await?.and_then(|first| first.request);
        let Some(Request::Hello(hello)) = first else {
            return Err(Status::invalid_argument("the first request is no hello"));
        };
        let capacity = usize::try_from(hello.capacity).unwrap_or(CAPACITY_MAX);
        if hello.edge.is_empty() || capacity == 0 {
            return Err(Status::invalid_argument(
                "a hello has a name and a capacity",
            ));
        }
        let edge: Arc<str> = hello.edge.into();
        let attached = self
            .scheduler
            .attach(Arc::clone(&edge), capacity.min(CAPACITY_MAX))
            .await
            .ok_or_else(status::draining)?;
        match attached {
            Ok(attachment) => Ok((edge, attachment)),
            Err(AlreadyAttached) => Err(Status::already_exists("an edge of that name is attached")),
        }
    }

    async fn work(
        &self,
        edge: &Arc<str>,
        mut attachment: Attachment,
        mut requests: Streaming<v1::AttachRequest>,
    ) -> Result<(), Status> {
        self.reply(Reply::Opened(v1::AttachOpened {
            store: Some(v1::StoreIdentity {
                hostname: self.store.hostname().to_owned(),
                secret: self.store.secret().to_vec().into(),
            }),
            lease: Some(convert::proto_duration(self.lease)),
        }))
        .await;
        let mut questions = Questions::default();
        loop {
            tokio::select! {
                // An edge must have a job before it is told what of it is not to be done.
                biased;
                job = attachment.jobs.recv() => match job {
                    Some(job) => self.reply(Reply::Push(push_job(job))).await,
                    None => return Err(status::draining()),
                },
                Some(countermand) = attachment.countermands.recv() => {
                    self.reply(match countermand {
                        Countermand::Withdraw(withdrawal) => {
                            Reply::Withdraw(questions.ask(withdrawal))
                        }
                        Countermand::Stop(claim) => Reply::Stop(v1::StopPush {
                            claim: Some(convert::proto_claim(claim)),
                        }),
                    })
                    .await;
                }
                request = requests.message() => match request? {
                    Some(request) => self.on_request(edge, request, &mut questions).await?,
                    None => return Ok(()),
                },
            }
        }
    }

    async fn on_request(
        &self,
        edge: &Arc<str>,
        request: v1::AttachRequest,
        questions: &mut Questions,
    ) -> Result<(), Status> {
        match request.request {
            Some(Request::Withdrawn(withdrawn)) => {
                questions.answered(&withdrawn);
                Ok(())
            }
            Some(Request::Renew(renew)) => self.renew(edge, renew.claims).await,
            Some(Request::Hop(hop)) => {
                let pause = hop.paused.map(convert::duration);
                self.scheduler.hop(Arc::clone(edge), pause).await;
                Ok(())
            }
            Some(Request::Hello(_)) => Err(Status::invalid_argument("a second hello")),
            None => Err(Status::invalid_argument("a request is empty")),
        }
    }

    async fn renew(&self, edge: &Arc<str>, claims: Vec<v1::Claim>) -> Result<(), Status> {
        if claims.len() > RENEWALS_MAX {
            return Err(Status::invalid_argument("too many claims in one renewal"));
        }
        let claims = claims.into_iter().map(|claim| convert::claim(Some(claim)));
        let claims: Vec<ClaimToken> = claims.collect::<Result<_, _>>()?;
        let renewals = claims
            .iter()
            .map(|claim| self.store.renew(*claim, self.lease));
        let mut lost = Vec::new();
        for (claim, renewed) in claims.iter().zip(join_all(renewals).await) {
            match renewed.map_err(|error| status::of_store(&error))? {
                true => self.scheduler.renewed(*claim, Arc::clone(edge)).await,
                false => lost.push(convert::proto_claim(*claim)),
            }
        }
        self.reply(Reply::Renewed(v1::RenewedClaims { lost })).await;
        Ok(())
    }

    /// A reply to an edge that is gone is noticed as the end of its requests.
    async fn reply(&self, reply: Reply) {
        let reply = v1::AttachReply { reply: Some(reply) };
        let _ = self.replies.send(Ok(reply)).await;
    }
}

/// Withdrawals that the edge has not answered yet.
#[derive(Default)]
struct Questions {
    asked: u64,
    open: HashMap<u64, oneshot::Sender<Withdrawn>>,
}

impl Questions {
    fn ask(&mut self, withdrawal: Withdrawal) -> v1::WithdrawMessage {
        // Those nobody waits for any more.
        self.open.retain(|_, answer| !answer.is_closed());
        self.asked += 1;
        self.open.insert(self.asked, withdrawal.answer);
        v1::WithdrawMessage {
            question: self.asked,
            claim: Some(convert::proto_claim(withdrawal.claim)),
            sequence: withdrawal.sequence.0,
        }
    }

    fn answered(&mut self, withdrawn: &v1::MessageWithdrawn) {
        if let Some(answer) = self.open.remove(&withdrawn.question) {
            let _ = answer.send(match withdrawn.result() {
                v1::WithdrawalResult::Promised => Withdrawn::Promised,
                v1::WithdrawalResult::NotHeld => Withdrawn::NotHeld,
                v1::WithdrawalResult::Begun | v1::WithdrawalResult::Unspecified => Withdrawn::Begun,
            });
        }
    }
}

fn push_job(job: Job) -> v1::PushJob {
    v1::PushJob {
        claim: Some(convert::proto_claim(job.claim)),
        served_user: job.served_user.as_str().to_owned(),
        bindings: convert::bindings(job.bindings),
        // Unique under every registration, and after a restart too.
        attempt: job.claim.generation.0,
        first: job.first.map(|first| convert::taken(first, FIRST_TAKE)),
        by_device: job.by_device,
        traceparent: job.traceparent.unwrap_or_default(),
    }
}
