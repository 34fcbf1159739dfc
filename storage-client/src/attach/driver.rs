//! Holds the attach stream open: hello, jobs in, renewals out.

use std::time::Duration;

use proto::v1;
use proto::v1::attach_reply::Reply;
use proto::v1::attach_request::Request;
use proto::v1::delivery_service_client::DeliveryServiceClient;
use tokio::sync::mpsc;
use tokio::time::{Instant, MissedTickBehavior, interval, sleep, timeout};
use tokio_stream::wrappers::ReceiverStream;
use tonic::transport::Channel;
use tonic::{Status, Streaming};

use super::PushJob;
use super::leases::Leases;
use crate::backoff::Backoff;
use crate::client::with_deadline;
use crate::delivery::{Claim, DeliveryOutcome, DeliveryResult};
use crate::{ClientConfig, convert};

/// A claim is renewed at least so often within its lease.
const RENEWALS_PER_LEASE: u32 = 4;

pub(super) struct Driver {
    client: DeliveryServiceClient<Channel>,
    config: ClientConfig,
    capacity: u32,
    jobs: mpsc::Sender<PushJob>,
    leases: Leases,
}

/// One open attach stream.
struct Stream {
    requests: mpsc::Sender<v1::AttachRequest>,
    replies: Streaming<v1::AttachReply>,
    lease: Duration,
    /// The renewal under way: what was asked for, and when.
    renewal: Option<(Vec<Claim>, Instant)>,
}

impl Driver {
    pub(super) fn new(
        client: DeliveryServiceClient<Channel>,
        config: ClientConfig,
        capacity: u32,
        jobs: mpsc::Sender<PushJob>,
        leases: Leases,
    ) -> Self {
        Self {
            client,
            config,
            capacity,
            jobs,
            leases,
        }
    }

    /// Runs until nobody wants jobs any more and the last one is done.
    pub(super) async fn run(self) {
        tokio::select! {
            () = self.stay_attached() => {}
            () = self.drained() => {}
        }
    }

    async fn drained(&self) {
        self.jobs.closed().await;
        self.leases.released().await;
    }

    async fn stay_attached(&self) {
        let mut backoff = Backoff::new(self.config.reconnect_min, self.config.reconnect_max);
        loop {
            let opened = timeout(self.config.request_deadline, self.open()).await;
            let status = match opened {
                Ok(Ok(stream)) => {
                    backoff.reset();
                    self.serve(stream).await
                }
                Ok(Err(status)) => status,
                Err(_) => Status::deadline_exceeded("the stream did not open"),
            };
            tracing::debug!(code = ?status.code(), reason = status.message(), "detached");
            let pause = backoff.pause(&mut rand::rng());
            sleep(pause).await;
        }
    }

    async fn open(&self) -> Result<Stream, Status> {
        let (requests, receiver) = mpsc::channel(2);
        let hello = Request::Hello(v1::AttachHello {
            edge: self.config.edge.clone(),
            capacity: self.capacity,
        });
        // The channel is new and has room.
        let _ = requests.try_send(request(hello));
        let mut client = self.client.clone();
        let mut replies = client
            .attach(ReceiverStream::new(receiver))
            .await?
            .into_inner();
        match next_reply(&mut replies).await? {
            Reply::Opened(opened) => Ok(Stream {
                requests,
                replies,
                lease: opened.lease.and_then(convert::duration).unwrap_or_default(),
                renewal: None,
            }),
            Reply::Push(_) | Reply::Renewed(_) => {
                Err(Status::internal("the first reply is not the opening"))
            }
        }
    }

    /// Serves one stream until it breaks; says how. The first renewal is at once.
    async fn serve(&self, mut stream: Stream) -> Status {
        tracing::info!(edge = %self.config.edge, capacity = self.capacity, "attached");
        let often = self
            .config
            .renew_every
            .min(stream.lease / RENEWALS_PER_LEASE);
        let mut ticks = interval(often.max(Duration::from_millis(1)));
        ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
        loop {
            tokio::select! {
                reply = next_reply(&mut stream.replies) => match reply {
                    Ok(reply) => self.on_reply(&mut stream, reply),
                    Err(status) => return status,
                },
                _ = ticks.tick() => self.renew(&mut stream),
            }
        }
    }

    fn on_reply(&self, stream: &mut Stream, reply: Reply) {
        match reply {
            Reply::Push(job) => self.on_job(job, stream.lease),
            Reply::Renewed(renewed) => {
                if let Some((asked, asked_at)) = stream.renewal.take() {
                    let lost: Vec<_> = renewed.lost.into_iter().map(convert::claim).collect();
                    self.leases.renewed(&asked, &lost, asked_at, stream.lease);
                }
            }
            Reply::Opened(_) => {}
        }
    }

    fn renew(&self, stream: &mut Stream) {
        let claims = self.leases.claims();
        if claims.is_empty() || stream.renewal.is_some() {
            return;
        }
        let asked = claims.iter().copied().map(convert::claim_request).collect();
        let renew = Request::Renew(v1::RenewClaims { claims: asked });
        if stream.requests.try_send(request(renew)).is_ok() {
            stream.renewal = Some((claims, Instant::now()));
        }
    }

    fn on_job(&self, job: v1::PushJob, lease: Duration) {
        let Some(claim) = job.claim.map(convert::claim) else {
            return;
        };
        let job = PushJob {
            claim,
            served_user: job.served_user,
            bindings: convert::bindings(job.bindings),
            attempt: job.attempt,
            first: job.first.map(convert::taken),
            lease: self.leases.hold(claim, Instant::now(), lease),
        };
        if self.jobs.try_send(job).is_err() {
            self.hand_back(claim);
        }
    }

    /// Nobody takes the job here: another edge shall have it now, not when the lease runs out.
    fn hand_back(&self, claim: Claim) {
        let outcome = DeliveryOutcome::new(DeliveryResult::EdgeDraining, "edge draining");
        let message = convert::release(claim, 0, outcome);
        let request = with_deadline(message, self.config.request_deadline);
        let mut client = self.client.clone();
        tokio::spawn(async move {
            if let Err(status) = client.release(request).await {
                tracing::debug!(code = ?status.code(), "job not handed back, its lease will lapse");
            }
        });
    }
}

async fn next_reply(replies: &mut Streaming<v1::AttachReply>) -> Result<Reply, Status> {
    loop {
        let message = replies.message().await?;
        let message = message.ok_or_else(|| Status::unavailable("the stream ended"))?;
        if let Some(reply) = message.reply {
            return Ok(reply);
        }
    }
}

fn request(request: Request) -> v1::AttachRequest {
    v1::AttachRequest {
        request: Some(request),
    }
}
