//! Holds the attach stream open: legs in, renewals and settlements out.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

use proto::v1;
use proto::v1::attach_fan_out_reply::Reply;
use proto::v1::attach_fan_out_request::Request;
use proto::v1::fan_out_service_client::FanOutServiceClient;
use tokio::sync::{mpsc, watch};
use tokio::time::{Instant, MissedTickBehavior, interval};
use tokio_stream::wrappers::ReceiverStream;
use tonic::transport::Channel;
use tonic::{Status, Streaming};

use super::leg::Settlement;
use super::{Capacity, FanOutJob, FanOutLegs, Leg, LegClaim, LegOutcome};
use crate::leases::Leases;
use crate::stay::{Stay, stay};
use crate::{ClientConfig, convert};

/// Legs of a class that may be claimed at a time.
const LEGS_MAX: u32 = 4_096;
/// Settlements of one request.
const SETTLEMENTS: usize = 512;
/// A claim is renewed at least so often within its lease.
const RENEWALS_PER_LEASE: u32 = 4;

struct Driver {
    client: FanOutServiceClient<Channel>,
    config: ClientConfig,
    incarnation: u64,
    legs: mpsc::Sender<Leg>,
    /// At most this many legs, whatever is asked for later: as many as wait in the channel.
    most: Capacity,
    capacity: watch::Receiver<Capacity>,
    leases: Leases<LegClaim>,
    jobs: HashMap<u64, Arc<FanOutJob>>,
    cancels: HashMap<LegClaim, watch::Sender<bool>>,
    settle: mpsc::UnboundedSender<Settlement>,
    /// Bounded by the legs that are out: each is settled once.
    settlements: mpsc::UnboundedReceiver<Settlement>,
    /// Settlements that are not on disk yet, as far as is known.
    unsettled: HashMap<LegClaim, Settlement>,
}

/// One open attach stream.
struct Stream {
    requests: mpsc::Sender<v1::AttachFanOutRequest>,
    replies: Streaming<v1::AttachFanOutReply>,
    lease: Duration,
    /// The renewal under way: what was asked for, and when.
    renewal: Option<(Vec<LegClaim>, Instant)>,
    /// A settlement is under way.
    is_settling: bool,
}

/// Offers to send up to so many legs of each class at a time.
pub(crate) fn start(
    client: FanOutServiceClient<Channel>,
    config: &ClientConfig,
    incarnation: u64,
    capacity: Capacity,
) -> FanOutLegs {
    let most = Capacity {
        pager: capacity.pager.min(LEGS_MAX),
        large: capacity.large.min(LEGS_MAX),
    };
    let room = usize::try_from(most.pager + most.large).expect("at most twice LEGS_MAX");
    let (legs, receiver) = mpsc::channel(room.max(1));
    let (sender, capacity) = watch::channel(most);
    let (settle, settlements) = mpsc::unbounded_channel();
    let driver = Driver {
        client,
        config: config.clone(),
        incarnation,
        legs,
        most,
        capacity,
        leases: Leases::default(),
        jobs: HashMap::new(),
        cancels: HashMap::new(),
        settle,
        settlements,
        unsettled: HashMap::new(),
    };
    FanOutLegs {
        legs: receiver,
        capacity: sender,
        driver: tokio::spawn(driver.run()),
    }
}

impl Driver {
    /// Runs until nobody wants legs any more and the last settlement is on disk.
    async fn run(mut self) {
        let (legs, leases) = (self.legs.clone(), self.leases.clone());
        let drained = async {
            legs.closed().await;
            leases.released().await;
        };
        let config = self.config.clone();
        tokio::select! {
            () = stay(&mut self, &config) => {}
            () = drained => {}
        }
    }

    fn wanted(&self) -> Capacity {
        if self.legs.is_closed() {
            return Capacity { pager: 0, large: 0 };
        }
        let asked = *self.capacity.borrow();
        Capacity {
            pager: asked.pager.min(self.most.pager),
            large: asked.large.min(self.most.large),
        }
    }

    async fn on_reply(&mut self, stream: &mut Stream, reply: Reply) {
        match reply {
            Reply::Job(job) => {
                if let Some(job) = convert::fan_out_job(job) {
                    self.jobs.insert(job.job, Arc::new(job));
                }
            }
            Reply::Forgotten(forgotten) => drop(self.jobs.remove(&forgotten.job)),
            Reply::Legs(legs) => {
                for leg in legs.legs {
                    self.on_leg(leg, stream.lease);
                }
            }
            Reply::Renewed(renewed) => {
                if let Some((asked, asked_at)) = stream.renewal.take() {
                    let lost = renewed.lost.into_iter().map(convert::leg_claim);
                    let lost: Vec<_> = lost.collect();
                    self.leases.renewed(&asked, &lost, asked_at, stream.lease);
                }
            }
            Reply::Settled(settled) => {
                stream.is_settling = false;
                let claims = settled.legs.into_iter().filter_map(|settled| settled.leg);
                for claim in claims.map(convert::leg_claim) {
                    self.unsettled.remove(&claim);
                }
                self.send_settlements(stream).await;
            }
            Reply::Cancel(cancel) => {
                for claim in cancel.legs.into_iter().map(convert::leg_claim) {
                    if let Some(leg) = self.cancels.get(&claim) {
                        leg.send_replace(true);
                    }
                }
            }
            Reply::Opened(_) => {}
        }
    }

    fn on_leg(&mut self, leg: v1::Leg, lease: Duration) {
        let Some((claim, entry)) = leg.claim.map(convert::leg_claim).zip(leg.entry) else {
            return;
        };
        let lease = self.leases.hold(claim, Instant::now(), lease);
        let Some(job) = self.jobs.get(&claim.job) else {
            let outcome = LegOutcome::Returned;
            self.on_settlement(Settlement {
                claim,
                outcome,
                _lease: Some(lease),
            });
            return;
        };
        let (cancel, cancelled) = watch::channel(false);
        self.cancels.insert(claim, cancel);
        // One that nobody takes is given back when it is dropped.
        let _ = self.legs.try_send(Leg {
            claim,
            entry: convert::roster_entry(entry),
            attempts: leg.attempts,
            job: Arc::clone(job),
            lease: Some(lease),
            cancelled,
            settlements: self.settle.clone(),
        });
    }

    fn on_settlement(&mut self, settlement: Settlement) {
        self.cancels.remove(&settlement.claim);
        self.unsettled.insert(settlement.claim, settlement);
    }

    /// What has accumulated, one request at a time.
    async fn send_settlements(&mut self, stream: &mut Stream) {
        while let Ok(settlement) = self.settlements.try_recv() {
            self.on_settlement(settlement);
        }
        if stream.is_settling || self.unsettled.is_empty() {
            return;
        }
        let some = self.unsettled.values().take(SETTLEMENTS);
        let settlements = some.map(|s| convert::leg_settlement(s.claim, &s.outcome));
        let settle = v1::SettleLegs {
            settlements: settlements.collect(),
        };
        stream.is_settling = true;
        stream.send(Request::Settle(settle)).await;
    }

    async fn renew(&self, stream: &mut Stream) {
        let claims = self.leases.claims();
        if claims.is_empty() || stream.renewal.is_some() {
            return;
        }
        let legs = claims.iter().copied().map(convert::proto_leg_claim);
        let legs = legs.collect();
        stream.renewal = Some((claims, Instant::now()));
        stream.send(Request::Renew(v1::RenewLegs { legs })).await;
    }

    async fn resize(&self, stream: &Stream) {
        let wanted = self.wanted();
        let capacity = Request::Capacity(v1::FanOutCapacity {
            legs: wanted.pager,
            large_legs: wanted.large,
        });
        stream.send(capacity).await;
    }
}

impl Stay for Driver {
    type Stream = Stream;

    const WHAT: &'static str = "fan-out";

    async fn open(&mut self) -> Result<Stream, Status> {
        let (requests, receiver) = mpsc::channel(4);
        let wanted = self.wanted();
        let hello = Request::Hello(v1::FanOutHello {
            edge: self.config.edge.clone(),
            incarnation: self.incarnation,
            capacity: wanted.pager,
            large_capacity: wanted.large,
        });
        // The channel is new and has room.
        let _ = requests.try_send(request(hello));
        let replies = self
            .client
            .attach_fan_out(ReceiverStream::new(receiver))
            .await?;
        let mut replies = replies.into_inner();
        match next_reply(&mut replies).await? {
            Reply::Opened(opened) => Ok(Stream {
                requests,
                replies,
                lease: opened.lease.and_then(convert::duration).unwrap_or_default(),
                renewal: None,
                is_settling: false,
            }),
            _ => Err(Status::internal("the first reply is not the opening")),
        }
    }

    /// The first renewal is at once: so the service learns what this edge still holds.
    async fn serve(&mut self, mut stream: Stream) -> Status {
        tracing::info!(event = "fan_out.attached", edge = %self.config.edge, "attached for fan-out");
        self.jobs.clear();
        let often = self
            .config
            .renew_every
            .min(stream.lease / RENEWALS_PER_LEASE);
        let mut ticks = interval(often.max(Duration::from_millis(1)));
        ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
        let mut capacity = self.capacity.clone();
        let legs = self.legs.clone();
        let mut is_draining = false;
        self.send_settlements(&mut stream).await;
        loop {
            tokio::select! {
                reply = next_reply(&mut stream.replies) => match reply {
                    Ok(reply) => self.on_reply(&mut stream, reply).await,
                    Err(status) => return status,
                },
                _ = ticks.tick() => self.renew(&mut stream).await,
                settlement = self.settlements.recv() => {
                    // The sender is our own.
                    settlement.into_iter().for_each(|settlement| self.on_settlement(settlement));
                    self.send_settlements(&mut stream).await;
                }
                Ok(()) = capacity.changed() => self.resize(&stream).await,
                () = legs.closed(), if !is_draining => {
                    is_draining = true;
                    self.resize(&stream).await;
                }
            }
        }
    }
}

impl Stream {
    /// A stream that is gone is noticed by its replies.
    async fn send(&self, message: Request) {
        let _ = self.requests.send(request(message)).await;
    }
}

async fn next_reply(replies: &mut Streaming<v1::AttachFanOutReply>) -> Result<Reply, Status> {
    loop {
        let message = replies.message().await?;
        let message = message.ok_or_else(|| Status::unavailable("the stream ended"))?;
        if let Some(reply) = message.reply {
            return Ok(reply);
        }
    }
}

fn request(request: Request) -> v1::AttachFanOutRequest {
    v1::AttachFanOutRequest {
        request: Some(request),
    }
}
