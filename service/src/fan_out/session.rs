//! One attach stream: hello, then legs out, renewals and settlements in.

use std::collections::HashMap;
use std::sync::Arc;

use proto::v1;
use proto::v1::attach_fan_out_reply::Reply;
use proto::v1::attach_fan_out_request::Request;
use storage::model::{ClaimedLeg, JobClass, JobNumber, LegOutcome, LegSettled, LegToken, Owner};
use storage::{Store, StoreError};
use tokio::sync::{Mutex, mpsc};
use tokio_util::sync::CancellationToken;
use tonic::{Status, Streaming};

use super::dispatcher::{Dispatcher, Order};
use super::edges::Capacity;
use crate::{convert, status};

/// Legs of a class an edge may have at a time, whatever it says; and those of one request.
const LEGS_MAX: usize = 4_096;

/// Jobs whose template an edge is taken to have; of more, those without legs are forgotten.
const TEMPLATES: usize = 64;

pub(super) type Replies = mpsc::Sender<Result<v1::AttachFanOutReply, Status>>;

pub(super) struct Session<S> {
    store: Arc<S>,
    dispatcher: Dispatcher,
    replies: Replies,
    /// Jobs whose template was sent, with how many of their legs this stream has out.
    jobs: Mutex<HashMap<JobNumber, usize>>,
}

impl<S: Store> Session<S> {
    pub(super) fn new(store: Arc<S>, dispatcher: Dispatcher, replies: Replies) -> Self {
        Self {
            store,
            dispatcher,
            replies,
            jobs: Mutex::default(),
        }
    }

    /// Serves the stream to its end.
    pub(super) async fn serve(
        self,
        mut requests: Streaming<v1::AttachFanOutRequest>,
        shutdown: CancellationToken,
    ) {
        let end = tokio::select! {
            greeted = greet(&mut requests) => match greeted {
                Ok((owner, capacity)) => {
                    self.attached(&owner, capacity, requests, &shutdown).await
                }
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
        capacity: Capacity,
        requests: Streaming<v1::AttachFanOutRequest>,
        shutdown: &CancellationToken,
    ) -> Result<(), Status> {
        let Some(orders) = self.dispatcher.attach(owner) else {
            return Err(Status::already_exists("an edge of that name is attached"));
        };
        let end = tokio::select! {
            end = self.work(owner, capacity, requests, orders) => end,
            () = shutdown.cancelled() => Err(status::draining()),
        };
        self.dispatcher.detach(&owner.edge);
        end
    }

    async fn work(
        &self,
        owner: &Owner,
        capacity: Capacity,
        requests: Streaming<v1::AttachFanOutRequest>,
        orders: mpsc::Receiver<Order>,
    ) -> Result<(), Status> {
        let released = self.store.release_former(owner.clone()).await;
        let released = released.map_err(|error| status::of_store(&error))?;
        if released > 0 {
            tracing::info!(event = "fan_out.taken_over", edge = %owner.edge, legs = released, "legs taken from a former process of this edge");
        }
        self.reply(Reply::Opened(v1::FanOutOpened {
            store: Some(v1::StoreIdentity {
                hostname: self.store.hostname().to_owned(),
                secret: self.store.secret().to_vec().into(),
            }),
            lease: Some(convert::proto_duration(self.dispatcher.lease())),
        }))
        .await;
        self.dispatcher.resize(&owner.edge, capacity);
        tokio::select! {
            end = self.read(&owner.edge, requests) => end,
            end = self.tell(&owner.edge, orders) => end,
        }
    }

    async fn read(
        &self,
        edge: &str,
        mut requests: Streaming<v1::AttachFanOutRequest>,
    ) -> Result<(), Status> {
        let mut classes = HashMap::new();
        while let Some(request) = requests.message().await? {
            match request.request {
                Some(Request::Renew(renew)) => self.renew(edge, renew.legs, &mut classes).await?,
                Some(Request::Settle(settle)) => self.settle(edge, settle.settlements).await?,
                Some(Request::Capacity(capacity)) => {
                    self.dispatcher
                        .resize(edge, capacity_of(capacity.legs, capacity.large_legs));
                }
                Some(Request::Hello(_)) => return Err(Status::invalid_argument("a second hello")),
                None => return Err(Status::invalid_argument("a request is empty")),
            }
        }
        Ok(())
    }

    async fn renew(
        &self,
        edge: &str,
        legs: Vec<v1::LegClaim>,
        classes: &mut HashMap<JobNumber, JobClass>,
    ) -> Result<(), Status> {
        if legs.len() > LEGS_MAX {
            return Err(Status::invalid_argument("too many legs in one renewal"));
        }
        let tokens = legs.into_iter().map(|leg| convert::leg_token(Some(leg)));
        let tokens: Vec<LegToken> = tokens.collect::<Result<_, _>>()?;
        let lease = self.dispatcher.lease();
        let lost = self.store.renew_legs(tokens.clone(), lease).await;
        let lost = lost.map_err(|error| status::of_store(&error))?;
        *classes = self.classes(&tokens, classes).await?;
        let held = tokens.iter();
        let held = held.filter_map(|token| Some((*token, *classes.get(&token.leg.job)?)));
        self.dispatcher.held(edge, held);
        self.dispatcher.gone(edge, &lost);
        let lost = lost.into_iter().map(convert::leg_claim).collect();
        self.reply(Reply::Renewed(v1::RenewedLegs { lost })).await;
        Ok(())
    }

    /// Classes of the jobs of these legs: of those the edge holds from before its stream broke, the store tells. Jobs that
    /// are gone have none.
    async fn classes(
        &self,
        tokens: &[LegToken],
        known: &HashMap<JobNumber, JobClass>,
    ) -> Result<HashMap<JobNumber, JobClass>, Status> {
        let mut classes = HashMap::new();
        for job in tokens.iter().map(|token| token.leg.job) {
            if classes.contains_key(&job) {
                continue;
            }
            let class = match known.get(&job) {
                Some(class) => *class,
                None => match self.store.job(job).await {
                    Ok(job) => job.class,
                    Err(StoreError::NotFound) => continue,
                    Err(error) => return Err(status::of_store(&error)),
                },
            };
            classes.insert(job, class);
        }
        Ok(classes)
    }

    async fn settle(&self, edge: &str, settlements: Vec<v1::LegSettlement>) -> Result<(), Status> {
        if settlements.len() > LEGS_MAX {
            return Err(Status::invalid_argument("too many legs in one settlement"));
        }
        let settlements = settlements.into_iter().map(convert::leg_outcome);
        let settlements: Vec<_> = settlements.collect::<Result<_, _>>()?;
        let settled = self.store.settle_legs(settlements.clone()).await;
        let settled = settled
            .map_err(|error| status::of_store(&error))?
            .into_inner();
        for ((_, outcome), settled) in settlements.iter().zip(&settled) {
            count(outcome, *settled);
        }
        let tokens: Vec<_> = settlements.into_iter().map(|(token, _)| token).collect();
        self.dispatcher.gone(edge, &tokens);
        self.landed(&tokens).await;
        let legs = tokens.iter().zip(settled);
        let legs = legs.map(|(token, settled)| convert::leg_settled(*token, settled));
        let legs = legs.collect();
        self.reply(Reply::Settled(v1::SettledLegs { legs })).await;
        Ok(())
    }

    async fn tell(&self, edge: &str, mut orders: mpsc::Receiver<Order>) -> Result<(), Status> {
        while let Some(order) = orders.recv().await {
            match order {
                Order::Legs(legs) => self.send(edge, legs).await?,
                Order::Cancel(legs) => {
                    let legs = legs.into_iter().map(convert::leg_claim).collect();
                    self.reply(Reply::Cancel(v1::CancelLegs { legs })).await;
                }
            }
        }
        Err(status::draining())
    }

    /// Templates the edge does not have come before their legs.
    async fn send(&self, edge: &str, legs: Vec<ClaimedLeg>) -> Result<(), Status> {
        let mut sent = Vec::with_capacity(legs.len());
        let mut ended = Vec::new();
        for leg in legs {
            match self.introduce(leg.token.leg.job).await? {
                true => sent.push(convert::claimed_leg(leg)),
                false => ended.push(leg.token),
            }
        }
        self.dispatcher.gone(edge, &ended);
        if !sent.is_empty() {
            let legs = v1::ClaimedLegs { legs: sent };
            self.reply(Reply::Legs(legs)).await;
        }
        Ok(())
    }

    /// Counts a leg of a job. False if the job has ended meanwhile.
    async fn introduce(&self, job: JobNumber) -> Result<bool, Status> {
        // Held while the edge is told, so that it hears of a job in the order of what is true.
        let mut jobs = self.jobs.lock().await;
        if let Some(legs) = jobs.get_mut(&job) {
            *legs += 1;
            return Ok(true);
        }
        match self.store.job_template(job).await {
            Ok(template) => {
                jobs.insert(job, 1);
                self.reply(Reply::Job(convert::job_template(template)))
                    .await;
                Ok(true)
            }
            Err(StoreError::NotFound) => Ok(false),
            Err(error) => Err(status::of_store(&error)),
        }
    }

    /// These legs are out no more; templates that are of no use are forgotten when there are many.
    async fn landed(&self, tokens: &[LegToken]) {
        let mut jobs = self.jobs.lock().await;
        for token in tokens {
            if let Some(legs) = jobs.get_mut(&token.leg.job) {
                *legs = legs.saturating_sub(1);
            }
        }
        let surplus = jobs.len().saturating_sub(TEMPLATES);
        let idle = jobs.iter().filter(|(_, legs)| **legs == 0);
        let idle: Vec<_> = idle.map(|(job, _)| *job).take(surplus).collect();
        for job in idle {
            jobs.remove(&job);
            self.reply(Reply::Forgotten(v1::JobForgotten { job: job.0 }))
                .await;
        }
    }

    /// A reply to an edge that is gone is noticed as the end of its requests.
    async fn reply(&self, reply: Reply) {
        let reply = v1::AttachFanOutReply { reply: Some(reply) };
        let _ = self.replies.send(Ok(reply)).await;
    }
}

async fn greet(
    requests: &mut Streaming<v1::AttachFanOutRequest>,
) -> Result<(Owner, Capacity), Status> {
    let first = requests.message().await?.and_then(|first| first.request);
    match first {
        Some(Request::Hello(hello)) => Ok((
            convert::fan_out_owner(&hello)?,
            capacity_of(hello.capacity, hello.large_capacity),
        )),
        _ => Err(Status::invalid_argument("the first request is no hello")),
    }
}

fn capacity_of(pager: u32, large: u32) -> Capacity {
    let legs = |legs| usize::try_from(legs).unwrap_or(LEGS_MAX).min(LEGS_MAX);
    Capacity {
        pager: legs(pager),
        large: legs(large),
    }
}

fn count(outcome: &LegOutcome, settled: LegSettled) {
    let outcome = match (settled, outcome) {
        (LegSettled::Settled, LegOutcome::Answered { status, .. }) => match status {
            200..=299 => "delivered",
            _ => "answered",
        },
        (LegSettled::Settled, LegOutcome::HopDown { .. }) => "hop_down",
        (LegSettled::Settled, LegOutcome::Returned) => "returned",
        (LegSettled::Superseded | LegSettled::AlreadySettled | LegSettled::Unknown, _) => "late",
    };
    metrics::counter!("restante_legs_settled_total", "outcome" => outcome).increment(1);
}
