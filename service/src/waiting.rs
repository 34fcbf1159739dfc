//! Operators' view of who is told what waits, and of one mailbox as it changes.

mod watching;

use std::pin::Pin;
use std::sync::Arc;

use proto::v1;
use proto::v1::waiting_service_server::WaitingService;
use storage::Store;
use storage::model::{MailboxId, PageToken, Subscription};
use tokio::sync::mpsc;
use tokio_stream::Stream;
use tokio_stream::wrappers::ReceiverStream;
use tonic::{Request, Response, Status};

use crate::mailbox::find;
use crate::page_token::PageTokens;
use crate::watches::Watches;
use crate::{convert, status};
use watching::Watching;

/// Events of a watch on their way; what waits beyond them is coalesced.
const EVENT_BUFFER: usize = 64;

/// The waiting service over a store.
pub(crate) struct WaitingMailboxes<S> {
    pub(crate) store: Arc<S>,
    pub(crate) watches: Watches,
}

impl<S: Store> WaitingMailboxes<S> {
    async fn page(
        &self,
        after: Option<MailboxId>,
        limit: usize,
    ) -> Result<Vec<(MailboxId, Vec<Subscription>)>, Status> {
        let page = self.store.list_subscriptions(after, limit).await;
        page.map_err(|error| status::of_store(&error))
    }

    async fn shown(
        &self,
        page: Vec<(MailboxId, Vec<Subscription>)>,
    ) -> Result<Vec<v1::Subscription>, Status> {
        let mut shown = Vec::new();
        for (mailbox, subscriptions) in page {
            let account = self.store.account(mailbox).await;
            let account = account.map_err(|error| status::of_store(&error))?;
            let listed = subscriptions.into_iter();
            shown.extend(listed.map(|listed| convert::listed_subscription(&account, listed)));
        }
        Ok(shown)
    }
}

#[tonic::async_trait]
impl<S: Store> WaitingService for WaitingMailboxes<S> {
    type WatchMailboxStream =
        Pin<Box<dyn Stream<Item = Result<v1::WatchMailboxReply, Status>> + Send>>;

    async fn list_subscriptions(
        &self,
        request: Request<v1::ListSubscriptionsRequest>,
    ) -> Result<Response<v1::ListSubscriptionsReply>, Status> {
        let request = request.into_inner();
        let size = convert::page_size(request.page_size)?;
        if !request.served_user.is_empty() {
            let mailbox = find(&*self.store, request.served_user).await?;
            let before = mailbox.0.checked_sub(1).map(MailboxId);
            let mut page = self.page(before, 1).await?;
            page.retain(|(found, _)| *found == mailbox);
            return Ok(Response::new(v1::ListSubscriptionsReply {
                subscriptions: self.shown(page).await?,
                next_page_token: String::new(),
            }));
        }
        let tokens = PageTokens::of_subscriptions(&self.store.secret());
        let after = tokens.read(&request.page_token)?;
        let page = self
            .page(after.map(|token| MailboxId(token.0)), size)
            .await?;
        let last = page.last().filter(|_| page.len() >= size);
        let next_page_token = last.map(|(mailbox, _)| tokens.write(PageToken(mailbox.0)));
        Ok(Response::new(v1::ListSubscriptionsReply {
            subscriptions: self.shown(page).await?,
            next_page_token: next_page_token.unwrap_or_default(),
        }))
    }

    async fn watch_mailbox(
        &self,
        request: Request<v1::WatchMailboxRequest>,
    ) -> Result<Response<Self::WatchMailboxStream>, Status> {
        let mailbox = find(&*self.store, request.into_inner().served_user).await?;
        let (events, receiver) = mpsc::channel(EVENT_BUFFER);
        let watching = Watching::new(Arc::clone(&self.store), mailbox, events);
        self.watches.begin(|shutdown| watching.run(shutdown))?;
        Ok(Response::new(Box::pin(ReceiverStream::new(receiver))))
    }
}
