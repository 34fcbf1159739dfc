//! One mailbox as it changes: what waited a moment ago against what waits now. Bounded by the quota of a
//! mailbox, not by what has ever been in it.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use proto::v1;
use proto::v1::watch_mailbox_reply::Event;
use storage::model::{ListQuery, MailboxId, MessageNumber, State};
use storage::{MailboxWatch, Store, StoreError};
use tokio::sync::mpsc;
use tokio::time::sleep;
use tokio_util::sync::CancellationToken;
use tonic::Status;

use crate::{convert, status};

/// Between two looks.
const PERIOD: Duration = Duration::from_secs(1);

/// Undelivered messages followed at most; beyond them only the counters are told.
const FOLLOWED_MAX: usize = 10_000;

/// States of messages that wait.
const WAITING: [State; 3] = [State::Stored, State::Claimed, State::Held];

type Events = mpsc::Sender<Result<v1::WatchMailboxReply, Status>>;

pub(super) struct Watching<S> {
    store: Arc<S>,
    mailbox: MailboxId,
    watch: MailboxWatch,
    known: BTreeMap<MessageNumber, State>,
    events: Events,
}

impl<S: Store> Watching<S> {
    pub(super) fn new(store: Arc<S>, mailbox: MailboxId, events: Events) -> Self {
        let watch = store.watch();
        watch.add(mailbox);
        Self {
            store,
            mailbox,
            watch,
            known: BTreeMap::new(),
            events,
        }
    }

    /// Until the caller goes or the service drains.
    pub(super) async fn run(mut self, shutdown: CancellationToken) {
        let end = tokio::select! {
            end = self.follow() => end,
            () = shutdown.cancelled() => Err(status::draining()),
        };
        if let Err(status) = end {
            // Whoever is gone needs no status.
            let _ = self.events.send(Err(status)).await;
        }
    }

    async fn follow(&mut self) -> Result<(), Status> {
        self.known = self.waiting().await?;
        self.tell_counters().await?;
        loop {
            tokio::select! {
                _ = self.watch.next(1) => {}
                () = self.events.closed() => return Ok(()),
            }
            self.look().await?;
            sleep(PERIOD).await;
        }
    }

    async fn look(&mut self) -> Result<(), Status> {
        let now = self.waiting().await?;
        let before = std::mem::replace(&mut self.known, now.clone());
        let settled = before.keys().filter(|number| !now.contains_key(number));
        let changed = now
            .iter()
            .filter(|(number, state)| before.get(number) != Some(state))
            .map(|(number, _)| number);
        for number in settled.chain(changed) {
            match self.store.message(*number).await {
                Ok(message) => self.tell(Event::Message(convert::message(message))).await,
                Err(StoreError::NotFound) => {}
                Err(error) => return Err(status::of_store(&error)),
            }
        }
        self.tell_counters().await
    }

    async fn waiting(&self) -> Result<BTreeMap<MessageNumber, State>, Status> {
        let read = async {
            let account = self.store.account(self.mailbox).await?;
            let mut found = BTreeMap::new();
            let mut page_token = None;
            loop {
                let page = self
                    .store
                    .list(ListQuery {
                        served_user: Some(account.clone()),
                        states: WAITING.to_vec(),
                        page_size: 1_000,
                        page_token,
                        ..ListQuery::default()
                    })
                    .await?;
                let messages = page.messages.into_iter();
                found.extend(messages.map(|message| (message.envelope.id.number, message.state)));
                page_token = page.next;
                if page_token.is_none() || found.len() >= FOLLOWED_MAX {
                    return Ok(found);
                }
            }
        };
        read.await
            .map_err(|error: StoreError| status::of_store(&error))
    }

    async fn tell_counters(&self) -> Result<(), Status> {
        let read = async {
            let account = self.store.account(self.mailbox).await?;
            let summary = self.store.summary(self.mailbox).await?;
            let registered = self.store.registration(self.mailbox).await?;
            Ok(convert::mailbox(&account, &summary, registered.bindings))
        };
        let mailbox = read
            .await
            .map_err(|error: StoreError| status::of_store(&error))?;
        self.tell(Event::Mailbox(mailbox)).await;
        Ok(())
    }

    /// Whoever is gone is noticed by the loop.
    async fn tell(&self, event: Event) {
        let reply = v1::WatchMailboxReply { event: Some(event) };
        let _ = self.events.send(Ok(reply)).await;
    }
}
