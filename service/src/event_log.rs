//! Events out (requirements §4.10, §4.11): the event log as a stream to callers, and as requests to a webhook.

mod cloud_event;
mod watching;
pub(crate) mod webhook;

use std::pin::Pin;
use std::sync::Arc;

use proto::v1;
use proto::v1::event_service_server::EventService;
use storage::Store;
use storage::model::LogPosition;
use tokio::sync::{Semaphore, mpsc};
use tokio_stream::Stream;
use tokio_stream::wrappers::ReceiverStream;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;
use tonic::{Code, Request, Response, Status};

use crate::mailbox::find;
use crate::{convert, status};
use watching::{Wanted, Watching};

/// Callers that watch at a time.
const WATCHES_MAX: usize = 256;

/// Events of a watch on their way; the others wait on the disk.
const EVENT_BUFFER: usize = 64;

/// Entries that are read at a time.
const PAGE: usize = 100;

/// The event service over a store.
pub(crate) struct Events<S> {
    store: Arc<S>,
    places: Arc<Semaphore>,
    streams: TaskTracker,
    shutdown: CancellationToken,
}

impl<S: Store> Events<S> {
    /// Watches end when `shutdown` is cancelled; `streams` tracks them.
    pub(crate) fn new(store: Arc<S>, streams: TaskTracker, shutdown: CancellationToken) -> Self {
        Self {
            store,
            places: Arc::new(Semaphore::new(WATCHES_MAX)),
            streams,
            shutdown,
        }
    }
}

#[tonic::async_trait]
impl<S: Store> EventService for Events<S> {
    type WatchEventsStream =
        Pin<Box<dyn Stream<Item = Result<v1::WatchEventsReply, Status>> + Send>>;

    async fn watch_events(
        &self,
        request: Request<v1::WatchEventsRequest>,
    ) -> Result<Response<Self::WatchEventsStream>, Status> {
        if self.shutdown.is_cancelled() {
            return Err(status::draining());
        }
        let Some(log) = self.store.follow_events() else {
            let message = "no event log is kept: events.enabled is false";
            let code = Code::FailedPrecondition;
            return Err(status::with_reason(code, "NO_EVENT_LOG", message));
        };
        let request = request.into_inner();
        let after = match (request.from_beginning, request.after.as_str()) {
            (true, _) => LogPosition::default(),
            (false, "") => *log.borrow(),
            (false, position) => convert::read_position(position)?,
        };
        let kinds = request.kinds().collect();
        let mailbox = match request.served_user.is_empty() {
            true => None,
            false => Some(find(&*self.store, request.served_user).await?),
        };
        let place = Arc::clone(&self.places).try_acquire_owned();
        let place = place.map_err(|_| Status::resource_exhausted("too many watches"))?;
        let (replies, receiver) = mpsc::channel(EVENT_BUFFER);
        let wanted = Wanted { mailbox, kinds };
        let watching = Watching {
            store: Arc::clone(&self.store),
            log,
            after,
            minds_gaps: !request.from_beginning,
            wanted,
            replies,
        };
        let shutdown = self.shutdown.clone();
        self.streams.spawn(async move {
            watching.run(shutdown).await;
            drop(place);
        });
        Ok(Response::new(Box::pin(ReceiverStream::new(receiver))))
    }
}
