//! Holds the attach stream open: hello, jobs in, renewals out.

use std::time::Duration;

use proto::v1;
use proto::v1::attach_reply::Reply;
use proto::v1::attach_request::Request;
use proto::v1::delivery_service_client::DeliveryServiceClient;
use tokio::sync::{mpsc, watch};
use tokio::time::{Instant, MissedTickBehavior, interval};
use tokio_stream::wrappers::ReceiverStream;
use tonic::transport::Channel;
use tonic::{Status, Streaming};

use super::PushJob;
use crate::client::with_deadline;
use crate::delivery::{Claim, DeliveryOutcome, DeliveryResult};
use crate::leases::Leases;
use crate::stay::{Stay, stay};
use crate::{ClientConfig, convert};

/// A claim is renewed at least so often within its lease.
const RENEWALS_PER_LEASE: u32 = 4;

/// Requests that may wait for the stream.
const REQUESTS: usize = 32;

/// What an edge offers.
pub(super) struct Offer {
    /// Jobs at a time.
    pub(super) capacity: u32,
    /// Until when its next hop takes nothing.
    pub(super) paused: watch::Receiver<Option<std::time::Instant>>,
}

pub(super) struct Driver {
    client: DeliveryServiceClient<Channel>,
    config: ClientConfig,
    offer: Offer,
    jobs: mpsc::Sender<PushJob>,
    leases: Leases<Claim>,
}

/// One open attach stream.
pub(super) struct Stream {
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
        offer: Offer,
        jobs: mpsc::Sender<PushJob>,
        leases: Leases<Claim>,
    ) -> Self {
        Self {
            client,
            config,
            offer,
            jobs,
            leases,
        }
    }

    /// Runs until nobody wants jobs any more and the last one is done.
    pub(super) async fn run(mut self) {
        let (jobs, leases) = (self.jobs.clone(), self.leases.clone());
        let drained = async {
            jobs.closed().await;
            leases.released().await;
        };
        let config = self.config.clone();
        tokio::select! {
            () = stay(&mut self, &config) => {}
            () = drained => {}
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
            Reply::Withdraw(withdraw) => self.on_withdraw(stream, withdraw),
            Reply::Stop(stop) => {
                if let Some(claim) = stop.claim.map(convert::claim) {
                    self.leases.stop(claim);
                }
            }
            Reply::Opened(_) => {}
        }
    }

    fn on_withdraw(&self, stream: &Stream, withdraw: v1::WithdrawMessage) {
        let claim = withdraw.claim.map(convert::claim);
        let result = match claim.and_then(|claim| self.leases.withdraw(claim, withdraw.sequence)) {
            Some(true) => v1::WithdrawalResult::Promised,
            Some(false) => v1::WithdrawalResult::Begun,
            None => v1::WithdrawalResult::NotHeld,
        };
        let answer = Request::Withdrawn(v1::MessageWithdrawn {
            question: withdraw.question,
            result: result.into(),
        });
        // Whoever asks does not wait for ever, and asks again.
        let _ = stream.requests.try_send(request(answer));
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
            by_device: job.by_device,
            traceparent: Some(job.traceparent).filter(|text| !text.is_empty()),
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

impl Stay for Driver {
    type Stream = Stream;

    const WHAT: &'static str = "deliveries";

    async fn open(&mut self) -> Result<Stream, Status> {
        let (requests, receiver) = mpsc::channel(REQUESTS);
        let hello = Request::Hello(v1::AttachHello {
            edge: self.config.edge.clone(),
            capacity: self.offer.capacity,
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
            Reply::Push(_) | Reply::Renewed(_) | Reply::Withdraw(_) | Reply::Stop(_) => {
                Err(Status::internal("the first reply is not the opening"))
            }
        }
    }

    /// Serves one stream until it breaks; says how. The first renewal is at once.
    async fn serve(&mut self, mut stream: Stream) -> Status {
        tracing::info!(event = "delivery.attached", edge = %self.config.edge, capacity = self.offer.capacity, "attached for deliveries");
        let often = self
            .config
            .renew_every
            .min(stream.lease / RENEWALS_PER_LEASE);
        let mut ticks = interval(often.max(Duration::from_millis(1)));
        ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
        let mut paused = self.offer.paused.clone();
        paused.mark_changed();
        loop {
            let requests = stream.requests.clone();
            tokio::select! {
                permit = hop_report(&mut paused, &requests) => permit.send(request(report(*paused.borrow()))),
                reply = next_reply(&mut stream.replies) => match reply {
                    Ok(reply) => self.on_reply(&mut stream, reply),
                    Err(status) => return status,
                },
                _ = ticks.tick() => self.renew(&mut stream),
            }
        }
    }
}

/// Waits for something to tell of the next hop, and for room to tell it; never ends if there is no hop.
async fn hop_report<'a>(
    paused: &mut watch::Receiver<Option<std::time::Instant>>,
    requests: &'a mpsc::Sender<v1::AttachRequest>,
) -> mpsc::Permit<'a, v1::AttachRequest> {
    // Whoever drops this before there is room finds it changed again.
    if paused.changed().await.is_ok() {
        paused.mark_changed();
        if let Ok(permit) = requests.reserve().await {
            paused.mark_unchanged();
            return permit;
        }
    }
    std::future::pending().await
}

fn report(paused: Option<std::time::Instant>) -> Request {
    let left = paused.map(|until| until.saturating_duration_since(Instant::now().into_std()));
    let left = left.filter(|left| !left.is_zero());
    Request::Hop(v1::HopReport {
        paused: left.map(convert::proto_duration),
    })
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
