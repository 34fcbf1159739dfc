//! Recalls for senders, and what is withdrawn from edges (requirements §3.13, §3.14).

use std::sync::Arc;
use std::time::Duration;

use proto::v1;
use storage::model::{
    Address, ClaimToken, ListQuery, MessageNumber, Recall, RecallOutcome, StoredMessage,
};
use storage::{Store, StoreError};
use tonic::{Code, Status};

use crate::scheduler::{Scheduler, Withdrawn};
use crate::{convert, status};

/// How often an edge is asked for its promise: it may have given its claim back just now, begin the next, or not
/// have it yet.
const TRIES: usize = 5;

/// Between two of them.
const PAUSE: Duration = Duration::from_millis(100);

/// Messages of one sender with the same imdn.Message-ID that are looked at.
const CANDIDATES: usize = 1_000;

/// What recalls need.
pub(crate) struct Recalls<S> {
    store: Arc<S>,
    scheduler: Scheduler,
}

impl<S: Store> Recalls<S> {
    pub(crate) fn new(store: Arc<S>, scheduler: Scheduler) -> Self {
        Self { store, scheduler }
    }

    /// Carries out the wish of a sender; `operator` is who says so.
    pub(crate) async fn recall(
        &self,
        request: v1::RecallMessageRequest,
        operator: &str,
    ) -> Result<StoredMessage, Status> {
        if request.sender.is_empty() {
            return Err(Status::invalid_argument("the sender is missing"));
        }
        let sender = Address::new(request.sender.as_str());
        let mut recall = Recall {
            number: self.find(&request, &sender).await?,
            sender,
            expires_at: request.expires_at.map(convert::time),
            actor: format!("sender, by {operator}"),
            reason: request.reason,
            withdrawn: None,
        };
        for _ in 0..TRIES {
            let outcome = self.store.recall(recall.clone()).await;
            let claimant = match outcome.map_err(|error| status::of_store(&error))? {
                RecallOutcome::Done(message) => return Ok(message.into_inner()),
                RecallOutcome::Claimed(claimant) => claimant,
            };
            let message = self.store.message(recall.number).await;
            let sequence = message
                .map_err(|error| status::of_store(&error))?
                .envelope
                .sequence;
            match self.scheduler.withdraw(&claimant, sequence).await {
                Some(Withdrawn::Promised) => recall.withdrawn = Some(claimant.claim),
                Some(Withdrawn::Begun) if self.is_held(claimant.claim, recall.number).await? => {
                    return Err(begun());
                }
                // Given back meanwhile, or on its way to the edge.
                Some(Withdrawn::Begun | Withdrawn::NotHeld) => tokio::time::sleep(PAUSE).await,
                None => return Err(silent()),
            }
        }
        Err(silent())
    }

    /// Tells the edge that has it, if one has, that a message is not to be sent any more; where its sending has
    /// begun, its outcome wins.
    pub(crate) async fn withdraw(&self, message: &StoredMessage) {
        let claimant = self.store.claimant(message.envelope.mailbox).await;
        if let Ok(Some(claimant)) = claimant {
            let sequence = message.envelope.sequence;
            // An edge that does not answer may send it: it is settled all the same.
            let _ = self.scheduler.withdraw(&claimant, sequence).await;
        }
    }

    async fn is_held(&self, claim: ClaimToken, number: MessageNumber) -> Result<bool, Status> {
        let held = self.store.holds(claim, number).await;
        held.map_err(|error| status::of_store(&error))
    }

    async fn find(
        &self,
        request: &v1::RecallMessageRequest,
        sender: &Address,
    ) -> Result<MessageNumber, Status> {
        let is_by_id = !request.message_id.is_empty();
        let is_by_recipient =
            !request.served_user.is_empty() && !request.imdn_message_id.is_empty();
        match (is_by_id, is_by_recipient) {
            (true, false) => {
                let id = &request.message_id;
                let number = convert::message_number(id, self.store.hostname());
                number.map_err(|status| match status.code() {
                    Code::NotFound => status::of_store(&StoreError::NotFound),
                    _ => status,
                })
            }
            (false, true) => self.find_by_recipient(request, sender).await,
            _ => Err(Status::invalid_argument(
                "a message is named by its Message-ID, or by its recipient and imdn.Message-ID",
            )),
        }
    }

    /// The one that waits, or else the last.
    async fn find_by_recipient(
        &self,
        request: &v1::RecallMessageRequest,
        sender: &Address,
    ) -> Result<MessageNumber, Status> {
        let query = ListQuery {
            served_user: Some(Address::new(request.served_user.as_str())),
            sender: Some(sender.clone()),
            imdn_message_id: Some(request.imdn_message_id.clone()),
            page_size: CANDIDATES,
            ..ListQuery::default()
        };
        let found = self.store.list(query).await;
        let messages = found.map_err(|error| status::of_store(&error))?.messages;
        let waiting = messages.iter().find(|message| !message.state.is_settled());
        let found = waiting.or(messages.last());
        found
            .map(|message| message.envelope.id.number)
            .ok_or_else(|| status::of_store(&StoreError::NotFound))
    }
}

fn begun() -> Status {
    let message = "an edge has begun to send it";
    status::with_reason(Code::FailedPrecondition, "WRONG_STATE", message)
}

fn silent() -> Status {
    let message = "the edge that has claimed the mailbox does not answer, or knows nothing of it";
    status::with_reason(Code::Unavailable, "EDGE_SILENT", message)
}
