//! Push jobs: edges attach, take messages and give mailboxes back.

mod attach;
mod forward;
pub(crate) mod release;

use std::pin::Pin;
use std::sync::Arc;
use std::time::Duration;

use proto::v1;
use proto::v1::delivery_service_server::DeliveryService;
use storage::Store;
use storage::model::{Device, Sequence, TakeLimit};
use tokio::sync::mpsc;
use tokio_stream::Stream;
use tokio_stream::wrappers::ReceiverStream;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;
use tonic::{Request, Response, Status, Streaming};

use crate::scheduler::Scheduler;
use crate::suspension::Suspensions;
use crate::{convert, status};
use release::{Release, Releases};

/// Bounds of one take, whatever the edge asks for.
const TAKE_MESSAGES: usize = 256;
const TAKE_OCTETS: u64 = 16 << 20;

/// Replies of an attach stream on their way.
const REPLY_BUFFER: usize = 16;

/// The delivery service over a store.
pub(crate) struct Deliveries<S> {
    store: Arc<S>,
    scheduler: Scheduler,
    suspensions: Suspensions,
    releases: Arc<Releases<S>>,
    lease: Duration,
    by_device: bool,
    streams: TaskTracker,
    shutdown: CancellationToken,
}

impl<S: Store> Deliveries<S> {
    /// Attach streams end when `shutdown` is cancelled; `streams` tracks them.
    pub(crate) fn new(
        store: Arc<S>,
        (scheduler, suspensions): (Scheduler, Suspensions),
        releases: Arc<Releases<S>>,
        (lease, by_device): (Duration, bool),
        streams: TaskTracker,
        shutdown: CancellationToken,
    ) -> Self {
        Self {
            store,
            scheduler,
            suspensions,
            releases,
            lease,
            by_device,
            streams,
            shutdown,
        }
    }
}

#[tonic::async_trait]
impl<S: Store> DeliveryService for Deliveries<S> {
    type AttachStream = Pin<Box<dyn Stream<Item = Result<v1::AttachReply, Status>> + Send>>;

    async fn attach(
        &self,
        request: Request<Streaming<v1::AttachRequest>>,
    ) -> Result<Response<Self::AttachStream>, Status> {
        if self.shutdown.is_cancelled() {
            return Err(status::draining());
        }
        let (sender, replies) = mpsc::channel(REPLY_BUFFER);
        let session = attach::Session::new(
            Arc::clone(&self.store),
            self.scheduler.clone(),
            self.lease,
            sender,
        );
        let shutdown = self.shutdown.clone();
        self.streams
            .spawn(session.serve(request.into_inner(), shutdown));
        Ok(Response::new(Box::pin(ReceiverStream::new(replies))))
    }

    async fn take_messages(
        &self,
        request: Request<v1::TakeMessagesRequest>,
    ) -> Result<Response<v1::TakeMessagesReply>, Status> {
        let request = request.into_inner();
        let limit = TakeLimit {
            messages: usize::try_from(request.max_messages)
                .unwrap_or(TAKE_MESSAGES)
                .clamp(1, TAKE_MESSAGES),
            octets: request.max_octets.min(TAKE_OCTETS),
        };
        let claim = convert::claim(request.claim)?;
        let device = request.device.map(Device::new);
        let taken = self
            .store
            .take_for(claim, device, Sequence(request.after_sequence), limit)
            .await
            .map_err(|error| status::of_store(&error))?;
        Ok(Response::new(convert::taken(taken, limit)))
    }

    async fn claim_forward(
        &self,
        request: Request<v1::ClaimForwardRequest>,
    ) -> Result<Response<v1::ClaimForwardReply>, Status> {
        if self.by_device {
            // The client that answers first is not the only one that shall have it.
            return Ok(Response::new(v1::ClaimForwardReply::default()));
        }
        let request = request.into_inner();
        let number = convert::message_number(&request.message_id, self.store.hostname())?;
        let claimed = forward::claim(
            &*self.store,
            (&self.scheduler, &self.suspensions),
            number,
            request.edge,
            self.lease,
        );
        let claimed = claimed.await;
        let reply = match claimed.map_err(|error| status::of_store(&error))? {
            Some(forward) => v1::ClaimForwardReply {
                claim: Some(convert::proto_claim(forward.claim)),
                served_user: forward.served_user.as_str().to_owned(),
                bindings: convert::bindings(forward.bindings),
                sequence: forward.sequence.0,
                lease: Some(convert::proto_duration(self.lease)),
            },
            None => v1::ClaimForwardReply::default(),
        };
        Ok(Response::new(reply))
    }

    async fn release(
        &self,
        request: Request<v1::ReleaseRequest>,
    ) -> Result<Response<v1::ReleaseReply>, Status> {
        let release = Release::decode(request.into_inner())?;
        let released = self.releases.release(release).await;
        released
            .map(Response::new)
            .map_err(|error| status::of_store(&error))
    }
}
