//! What a served user does with his deferred messages himself (requirements §3.14).

use std::sync::Arc;
use std::time::Duration;

use proto::v1;
use proto::v1::deferred_service_server::DeferredService;
use storage::model::{
    Address, ClaimGrant, ClaimRequest, Class, Clock, ListPage, ListQuery, MailboxId, PageToken,
    State, StoredMessage,
};
use storage::{Store, StoreError};
use tonic::{Code, Request, Response, Status};
use xcap::deferred_list::Document;

use crate::config::Provisioning;
use crate::page_token::PageTokens;
use crate::recall::Recalls;
use crate::suspension::Suspensions;
use crate::{convert, status};

/// Messages of one page of an export.
const EXPORT_PAGE: usize = 1_000;

/// States in which a message waits for its user.
const WAITING: [State; 3] = [State::Stored, State::Claimed, State::Held];

/// The service over a store.
pub(crate) struct Deferred<S> {
    pub(crate) store: Arc<S>,
    pub(crate) clock: Arc<dyn Clock>,
    /// Of a fetch until its edge renews it, as it does those of pushes.
    pub(crate) lease: Duration,
    pub(crate) recalls: Recalls<S>,
    pub(crate) suspensions: Suspensions,
    /// Whether who has no mailbox yet has a list all the same, an empty one.
    pub(crate) provisioning: Provisioning,
}

impl<S: Store> Deferred<S> {
    /// The mailbox of a reader; `None` if he has none, NOT_FOUND if the messages are not his.
    async fn own(&self, reader: &Address, user: &Address) -> Result<Option<MailboxId>, Status> {
        let found = async {
            let own = self.store.mailbox(reader.clone()).await?;
            Ok((own, self.store.mailbox(user.clone()).await?))
        };
        let found: Result<_, StoreError> = found.await;
        match found.map_err(|error| status::of_store(&error))? {
            (None, None) if reader == user && self.provisioning == Provisioning::Open => Ok(None),
            (Some(own), Some(asked)) if own == asked => Ok(Some(own)),
            _ => Err(not_found()),
        }
    }

    /// A message that waits for its reader.
    async fn waiting(&self, reader: &Address, id: &str) -> Result<StoredMessage, Status> {
        let number = convert::message_number(id, self.store.hostname());
        let number = number.map_err(|_| not_found())?;
        let found = async {
            let own = self.store.mailbox(reader.clone()).await?;
            let message = self.store.message(number).await?;
            let served = self
                .store
                .mailbox(message.envelope.served_user.clone())
                .await?;
            Ok((own, served, message))
        };
        match found.await {
            Ok((Some(own), Some(served), message))
                if own == served && !message.state.is_settled() =>
            {
                Ok(message)
            }
            Ok(_) | Err(StoreError::NotFound) => Err(not_found()),
            Err(error) => Err(status::of_store(&error)),
        }
    }
}

/// One page of what waits for a user.
async fn page<S: Store>(
    store: &S,
    clock: &dyn Clock,
    user: Address,
    page_size: usize,
    page_token: Option<PageToken>,
) -> Result<ListPage, StoreError> {
    let query = ListQuery {
        served_user: Some(user),
        states: WAITING.into(),
        page_size,
        page_token,
        ..ListQuery::default()
    };
    let mut page = store.list(query).await?;
    let now = clock.now();
    page.messages.retain(|message| {
        message.envelope.class != Class::Imdn && message.envelope.expires_at > now
    });
    Ok(page)
}

/// The list of a user as the document that he reads himself (requirements §4.4).
pub(crate) async fn export<S: Store>(
    store: &S,
    clock: &dyn Clock,
    user: Address,
) -> Result<String, StoreError> {
    let mut document = Document::default();
    let mut token = None;
    loop {
        let page = page(store, clock, user.clone(), EXPORT_PAGE, token).await?;
        let messages = page.messages.iter().map(convert::history);
        messages.for_each(|history| document.add(&history));
        token = page.next;
        if token.is_none() || document.is_full() {
            return Ok(document.finish());
        }
    }
}

#[tonic::async_trait]
impl<S: Store> DeferredService for Deferred<S> {
    async fn list_deferred(
        &self,
        request: Request<v1::ListDeferredRequest>,
    ) -> Result<Response<v1::ListDeferredReply>, Status> {
        let request = request.into_inner();
        let reader = convert::named(request.reader)?;
        let user = convert::named(request.served_user)?;
        let page_size = convert::page_size(request.page_size)?;
        let tokens = PageTokens::of_deferred(user.as_str(), &self.store.secret());
        let token = tokens.read(&request.page_token)?;
        let Some(mailbox) = self.own(&reader, &user).await? else {
            return Ok(Response::new(v1::ListDeferredReply::default()));
        };
        let found = async {
            let summary = self.store.summary(mailbox).await?;
            let page = page(&*self.store, &*self.clock, user, page_size, token).await?;
            Ok((summary.version, page))
        };
        let found: Result<_, StoreError> = found.await;
        let (version, page) = found.map_err(|error| status::of_store(&error))?;
        Ok(Response::new(v1::ListDeferredReply {
            messages: page.messages.into_iter().map(convert::message).collect(),
            next_page_token: page.next.map(|next| tokens.write(next)).unwrap_or_default(),
            version,
        }))
    }

    async fn delete_deferred(
        &self,
        request: Request<v1::DeleteDeferredRequest>,
    ) -> Result<Response<v1::DeleteDeferredReply>, Status> {
        let request = request.into_inner();
        let reader = convert::named(request.reader)?;
        let number = convert::message_number(&request.message_id, self.store.hostname());
        let number = number.map_err(|_| not_found())?;
        let deleted = async {
            // The list is that of all his mailboxes; the message may be in one of them that an alias had.
            let own = self.store.mailbox(reader.clone()).await?;
            let version = request.version;
            let deleted = self.store.delete_own(reader, number, version).await?;
            let own = own.ok_or(StoreError::NotFound)?;
            Ok((deleted.into_inner(), self.store.summary(own).await?))
        };
        let deleted: Result<_, StoreError> = deleted.await;
        let (message, summary) = deleted.map_err(|error| status::of_store(&error))?;
        self.recalls.withdraw(&message).await;
        metrics::counter!("restante_deferred_deleted_total").increment(1);
        let version = summary.version;
        Ok(Response::new(v1::DeleteDeferredReply { version }))
    }

    async fn claim_deferred(
        &self,
        request: Request<v1::ClaimDeferredRequest>,
    ) -> Result<Response<v1::ClaimDeferredReply>, Status> {
        let request = request.into_inner();
        let reader = convert::named(request.reader)?;
        let message = self.waiting(&reader, &request.message_id).await?;
        if message.state == State::Held || message.envelope.expires_at <= self.clock.now() {
            return Err(not_found());
        }
        let claimed = async {
            let own = self.store.mailbox(reader).await?;
            let mailbox = own.ok_or(StoreError::NotFound)?;
            if self
                .suspensions
                .of_mailbox(&*self.store, mailbox)
                .await?
                .is_some()
            {
                return Ok(ClaimGrant::Busy);
            }
            let claim = ClaimRequest {
                mailbox,
                edge: request.edge,
                lease: self.lease,
            };
            self.store.claim(claim).await
        };
        match claimed.await.map_err(|error| status::of_store(&error))? {
            ClaimGrant::Granted(claim) => Ok(Response::new(v1::ClaimDeferredReply {
                claim: Some(convert::proto_claim(claim)),
                sequence: message.envelope.sequence.0,
                lease: Some(convert::proto_duration(self.lease)),
            })),
            ClaimGrant::Busy => Err(status::with_reason(
                Code::Aborted,
                "BUSY",
                "the mailbox is being delivered, or its deliveries are suspended",
            )),
            ClaimGrant::Empty => Err(not_found()),
        }
    }
}

/// Alike for unknown, gone and somebody else's: Message-IDs follow each other, and an answer must not
/// tell how much mail others get.
fn not_found() -> Status {
    status::with_reason(Code::NotFound, "NOT_FOUND", "no such message")
}
