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
use tokio::sync::mpsc;
use tokio_stream::Stream;
use tokio_stream::wrappers::ReceiverStream;
use tonic::{Code, Request, Response, Status};

use crate::mailbox::find;
use crate::watches::Watches;
use crate::{convert, status};
use watching::{Wanted, Watching};

/// Events of a watch on their way; the others wait on the disk.
const EVENT_BUFFER: usize = 64;

/// Entries that are read at a time.
const PAGE: usize = 100;

/// The event service over a store.
pub(crate) struct Events<S> {
    pub(crate) store: Arc<S>,
    pub(crate) watches: Watches,
}

#[tonic::async_trait]
impl<S: Store> EventService for Events<S> {
    type WatchEventsStream =
        Pin<Box<dyn Stream<Item = Result<v1::WatchEventsReply, Status>> + Send>>;

    async fn watch_events(
        &self,
        request: Request<v1::WatchEventsRequest>,
    ) -> Result<Response<Self::WatchEventsStream>, Status> {
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
        let (replies, receiver) = mpsc::channel(EVENT_BUFFER);
        if !request.from_beginning && request.after.is_empty() {
            let begin = v1::WatchEventsReply {
                position: convert::position(after),
                ..v1::WatchEventsReply::default()
            };
            // There is room for the first.
            let _ = replies.try_send(Ok(begin));
        }
        let wanted = Wanted { mailbox, kinds };
        let watching = Watching {
            store: Arc::clone(&self.store),
            log,
            after,
            minds_gaps: !request.from_beginning,
            wanted,
            replies,
        };
        self.watches.begin(|shutdown| watching.run(shutdown))?;
        Ok(Response::new(Box::pin(ReceiverStream::new(receiver))))
    }
}
