//! Push jobs: edges attach, take messages and give mailboxes back.

mod attach;

use std::pin::Pin;
use std::sync::Arc;
use std::time::Duration;

use proto::v1;
use proto::v1::delivery_service_server::DeliveryService;
use storage::Store;
use storage::model::{ReleaseOutcome, Released, Sequence, TakeLimit};
use tokio::sync::mpsc;
use tokio_stream::Stream;
use tokio_stream::wrappers::ReceiverStream;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;
use tonic::{Request, Response, Status, Streaming};

use crate::scheduler::{Ending, Scheduler};
use crate::{convert, status};

/// Bounds of one take, whatever the edge asks for.
const TAKE_MESSAGES: usize = 256;
const TAKE_OCTETS: u64 = 16 << 20;

/// Replies of an attach stream on their way.
const REPLY_BUFFER: usize = 16;

/// The delivery service over a store.
pub(crate) struct Deliveries<S> {
    store: Arc<S>,
    scheduler: Scheduler,
    lease: Duration,
    streams: TaskTracker,
    shutdown: CancellationToken,
}

impl<S: Store> Deliveries<S> {
    /// Attach streams end when `shutdown` is cancelled; `streams` tracks them.
    pub(crate) fn new(
        store: Arc<S>,
        scheduler: Scheduler,
        lease: Duration,
        streams: TaskTracker,
        shutdown: CancellationToken,
    ) -> Self {
        Self {
            store,
            scheduler,
            lease,
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
        let taken = self
            .store
            .take(claim, Sequence(request.after_sequence), limit)
            .await
            .map_err(|error| status::of_store(&error))?;
        let messages = taken.into_iter().map(convert::taken).collect();
        Ok(Response::new(v1::TakeMessagesReply { messages }))
    }

    async fn release(
        &self,
        request: Request<v1::ReleaseRequest>,
    ) -> Result<Response<v1::ReleaseReply>, Status> {
        let request = request.into_inner();
        let claim = convert::claim(request.claim)?;
        let outcome = convert::outcome(request.outcome)?;
        let last_seen = Sequence(request.last_sequence);
        let for_timeline = ReleaseOutcome {
            reason: timeline_reason(outcome.ending, &outcome.reason),
        };
        let released = self
            .store
            .release(claim, last_seen, for_timeline)
            .await
            .map_err(|error| status::of_store(&error))?;
        match released {
            Released::Released => {
                count(outcome.ending);
                self.scheduler.released(claim, Some(outcome)).await;
            }
            Released::Superseded => self.scheduler.released(claim, None).await,
            Released::LookAgain => {}
        }
        let result = convert::release_result(released).into();
        Ok(Response::new(v1::ReleaseReply { result }))
    }
}

/// The store releases in any case what failed, which it knows by the reason.
fn timeline_reason(ending: Ending, reason: &str) -> String {
    match (ending, reason) {
        (Ending::Completed, _) => String::new(),
        (_, "") => label(ending).to_owned(),
        (_, reason) => reason.to_owned(),
    }
}

fn count(ending: Ending) {
    let outcome = label(ending);
    metrics::counter!("restante_delivery_attempts_total", "outcome" => outcome).increment(1);
}

fn label(ending: Ending) -> &'static str {
    match ending {
        Ending::Completed => "completed",
        Ending::Unavailable => "unavailable",
        Ending::Busy => "busy",
        Ending::Unsupported => "unsupported",
        Ending::Rejected => "rejected",
        Ending::Broken => "broken",
        Ending::HopDown => "hop_down",
        Ending::EndedByClient => "ended_by_client",
        Ending::EdgeDraining => "edge_draining",
    }
}
