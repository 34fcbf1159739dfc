//! One caller that follows the event log. What it does not take waits on the disk.

use std::sync::Arc;

use proto::v1;
use storage::Store;
use storage::model::{LogEntry, LogPosition, MailboxId};
use tokio::sync::{mpsc, watch};
use tokio_util::sync::CancellationToken;
use tonic::Status;

use super::PAGE;
use crate::{convert, status};

/// Which events a caller wants.
pub(super) struct Wanted {
    /// `None`: of everybody.
    pub(super) mailbox: Option<MailboxId>,
    /// None: all.
    pub(super) kinds: Vec<v1::EventKind>,
}

pub(super) struct Watching<S> {
    pub(super) store: Arc<S>,
    pub(super) log: watch::Receiver<LogPosition>,
    /// Where the caller is.
    pub(super) after: LogPosition,
    /// The caller is told of what is not there any more.
    pub(super) minds_gaps: bool,
    pub(super) wanted: Wanted,
    pub(super) replies: mpsc::Sender<Result<v1::WatchEventsReply, Status>>,
}

/// The caller has gone.
struct Gone;

impl<S: Store> Watching<S> {
    /// Until the caller goes or the service drains.
    pub(super) async fn run(mut self, shutdown: CancellationToken) {
        let end = tokio::select! {
            end = self.follow() => end,
            () = shutdown.cancelled() => Err(status::draining()),
        };
        if let Err(status) = end {
            // Whoever is gone needs no status.
            let _ = self.replies.send(Err(status)).await;
        }
    }

    async fn follow(&mut self) -> Result<(), Status> {
        loop {
            self.log.mark_unchanged();
            while self.tell_page().await? {}
            let replies = self.replies.clone();
            tokio::select! {
                changed = self.log.changed() => changed.map_err(|_| status::draining())?,
                () = replies.closed() => return Ok(()),
            }
        }
    }

    /// Tells what is next; false if nothing more is there, or nobody listens.
    async fn tell_page(&mut self) -> Result<bool, Status> {
        let page = self.store.read_events(self.after, PAGE).await;
        let page = page.map_err(|error| status::of_store(&error))?;
        let mut lost = page.lost && self.minds_gaps;
        let Some(last) = page.entries.last().map(|entry| entry.position) else {
            return Ok(false);
        };
        let mut is_told = false;
        for entry in page.entries {
            if self.is_wanted(&entry).await? {
                let position = entry.position;
                let event = Some(convert::message_event(entry));
                if self.tell(position, event, lost).await.is_err() {
                    return Ok(false);
                }
                lost = false;
                is_told = position == last;
            }
        }
        self.after = last;
        self.minds_gaps = true;
        if !is_told && self.tell(last, None, lost).await.is_err() {
            return Ok(false);
        }
        Ok(true)
    }

    async fn is_wanted(&self, entry: &LogEntry) -> Result<bool, Status> {
        let kind = convert::event_kind(entry.event.kind);
        if !self.wanted.kinds.is_empty() && !self.wanted.kinds.contains(&kind) {
            return Ok(false);
        }
        if self.wanted.mailbox.is_none() {
            return Ok(true);
        }
        let mailbox = self.store.mailbox(entry.served_user.clone()).await;
        let mailbox = mailbox.map_err(|error| status::of_store(&error))?;
        Ok(mailbox == self.wanted.mailbox)
    }

    async fn tell(
        &self,
        position: LogPosition,
        event: Option<v1::MessageEvent>,
        lost: bool,
    ) -> Result<(), Gone> {
        let reply = v1::WatchEventsReply {
            position: convert::position(position),
            event,
            lost,
        };
        self.replies.send(Ok(reply)).await.map_err(|_| Gone)
    }
}
