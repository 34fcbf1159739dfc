//! Reading what is stored.

use std::pin::Pin;
use std::sync::Arc;

use futures_util::StreamExt;
use proto::v1;
use proto::v1::mailbox_service_server::MailboxService;
use storage::model::{Address, Clock, MailboxId};
use storage::{Store, StoreError};
use tokio_stream::Stream;
use tonic::{Request, Response, Status};

use crate::page_token::PageTokens;
use crate::reading::{Content, Reading};
use crate::{convert, deferred, status};

/// The mailbox service over a store.
pub(crate) struct Mailboxes<S> {
    store: Arc<S>,
    clock: Arc<dyn Clock>,
}

impl<S: Store> Mailboxes<S> {
    pub(crate) fn new(store: Arc<S>, clock: Arc<dyn Clock>) -> Self {
        Self { store, clock }
    }
}

/// The mailbox of an address or alias; NOT_FOUND if it has none.
pub(crate) async fn find<S: Store>(store: &S, served_user: String) -> Result<MailboxId, Status> {
    if served_user.is_empty() {
        return Err(Status::invalid_argument("the served user is missing"));
    }
    let mailbox = store.mailbox(Address::new(served_user)).await;
    mailbox
        .map_err(|error| status::of_store(&error))?
        .ok_or_else(|| Status::not_found("the user has no mailbox"))
}

type Pieces = Pin<Box<dyn Stream<Item = Result<v1::ReadContentReply, Status>> + Send>>;

#[tonic::async_trait]
impl<S: Store> MailboxService for Mailboxes<S> {
    type ReadContentStream = Pieces;

    async fn list_messages(
        &self,
        request: Request<v1::ListMessagesRequest>,
    ) -> Result<Response<v1::ListMessagesReply>, Status> {
        let request = request.into_inner();
        let tokens = PageTokens::of(&request, &self.store.secret());
        let page_token = tokens.read(&request.page_token)?;
        let query = convert::list_query(request, page_token)?;
        let page = self.store.list(query).await;
        let page = page.map_err(|error| status::of_store(&error))?;
        Ok(Response::new(v1::ListMessagesReply {
            messages: page.messages.into_iter().map(convert::message).collect(),
            next_page_token: page.next.map(|next| tokens.write(next)).unwrap_or_default(),
        }))
    }

    async fn get_message(
        &self,
        request: Request<v1::GetMessageRequest>,
    ) -> Result<Response<v1::GetMessageReply>, Status> {
        let message_id = request.into_inner().message_id;
        let number = convert::message_number(&message_id, self.store.hostname())?;
        let found = async {
            let message = self.store.message(number).await?;
            Ok((message, self.store.timeline(number).await?))
        };
        let (message, timeline) = found.await.map_err(|error| status::of_store(&error))?;
        Ok(Response::new(v1::GetMessageReply {
            message: Some(convert::message(message)),
            timeline: timeline.into_iter().map(convert::event).collect(),
        }))
    }

    async fn read_content(
        &self,
        request: Request<v1::ReadContentRequest>,
    ) -> Result<Response<Pieces>, Status> {
        let request = request.get_ref();
        let number = convert::message_number(&request.message_id, self.store.hostname())?;
        let part = convert::part_kind(request.part())?;
        let range = (request.offset, request.length);
        let content = Content::Part(number, part);
        let pieces = Reading::begin(Arc::clone(&self.store), content, range).await?;
        let pieces = pieces.map(|piece| piece.map(|octets| v1::ReadContentReply { octets }));
        Ok(Response::new(Box::pin(pieces)))
    }

    async fn export_deferred_list(
        &self,
        request: Request<v1::ExportDeferredListRequest>,
    ) -> Result<Response<v1::ExportDeferredListReply>, Status> {
        let user = request.into_inner().served_user;
        find(&*self.store, user.clone()).await?;
        let list = deferred::export(&*self.store, &*self.clock, Address::new(user)).await;
        let document = list.map_err(|error| status::of_store(&error))?;
        Ok(Response::new(v1::ExportDeferredListReply { document }))
    }

    async fn get_mailbox(
        &self,
        request: Request<v1::GetMailboxRequest>,
    ) -> Result<Response<v1::Mailbox>, Status> {
        let served_user = request.into_inner().served_user;
        let mailbox = find(&*self.store, served_user).await?;
        let found = async {
            let account = self.store.account(mailbox).await?;
            let summary = self.store.summary(mailbox).await?;
            let registered = self.store.registration(mailbox).await?;
            Ok((account, summary, registered.bindings))
        };
        let found: Result<_, StoreError> = found.await;
        let (account, summary, bindings) = found.map_err(|error| status::of_store(&error))?;
        let reply = convert::mailbox(&account, &summary, bindings);
        Ok(Response::new(reply))
    }
}
