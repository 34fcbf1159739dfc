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

/// Messages of one sender with the same imdn.Message-ID that are looked at at a time.
const PAGE: usize = 1_000;

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
            reason: convert::reason(request.reason)?,
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

    async fn find_by_recipient(
        &self,
        request: &v1::RecallMessageRequest,
        sender: &Address,
    ) -> Result<MessageNumber, Status> {
        let query = ListQuery {
            served_user: Some(Address::new(request.served_user.as_str())),
            sender: Some(sender.clone()),
            imdn_message_id: Some(request.imdn_message_id.clone()),
            page_size: PAGE,
            ..ListQuery::default()
        };
        let found = waiting_or_last(&*self.store, query).await;
        let found = found.map_err(|error| status::of_store(&error))?;
        found.ok_or_else(|| status::of_store(&StoreError::NotFound))
    }
}

/// Of the messages that a query finds the one that waits, or else the last.
async fn waiting_or_last<S: Store>(
    store: &S,
    mut query: ListQuery,
) -> Result<Option<MessageNumber>, StoreError> {
    let mut last = None;
    loop {
        let page = store.list(query.clone()).await?;
        for message in page.messages {
            let number = message.envelope.id.number;
            if !message.state.is_settled() {
                return Ok(Some(number));
            }
            last = Some(number);
        }
        match page.next {
            Some(next) => query.page_token = Some(next),
            None => return Ok(last),
        }
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

#[cfg(test)]
mod tests {
    use std::time::{Duration, Instant};

    use storage::model::{
        Class, Deposit, DepositOutcome, DuplicateKey, Headers, ManualClock, Order, Priority,
        UnixMillis, Verb,
    };
    use storage::{MemoryStore, StoreConfig};

    use super::*;

    fn deposit(call_id: u32) -> Deposit {
        Deposit {
            served_user: Address::new("sip:bob@example.org"),
            sender: Some(Address::new("sip:alice@example.org")),
            sender_exempt: false,
            class: Class::Pager,
            priority: Priority::Normal,
            is_text: true,
            headers: Headers {
                imdn_message_id: "Xk39".to_owned(),
                ..Headers::default()
            },
            duplicate_key: DuplicateKey {
                method: "MESSAGE".to_owned(),
                from_tag: "1".to_owned(),
                call_id: call_id.to_string(),
                cseq: 1,
            },
            imdn_key: None,
            body_octets: 0,
            body_offset: 0,
            parts: Vec::new(),
            lifetime: None,
            received_from: String::new(),
            sha256: None,
            file: None,
            report_request: None,
            traceparent: None,
            leg: None,
            deadline: Instant::now() + Duration::from_secs(60),
        }
    }

    #[tokio::test]
    async fn the_message_that_waits_is_found_on_whichever_page_it_is() {
        let clock = ManualClock::new(UnixMillis(1_700_000_000_000));
        let store = MemoryStore::new(StoreConfig::default(), clock);
        let mut numbers = Vec::new();
        for call_id in 0..4 {
            match store.deposit(deposit(call_id)).await {
                Ok(DepositOutcome::Stored(receipt)) => numbers.push(receipt.id.number),
                other => panic!("not stored: {other:?}"),
            }
        }
        let query = ListQuery {
            imdn_message_id: Some("Xk39".to_owned()),
            page_size: 1,
            ..ListQuery::default()
        };
        let delete = async |number| {
            let order = Order {
                verb: Verb::Delete,
                actor: String::new(),
                reason: String::new(),
            };
            let deleted = store.carry_out(number, order).await;
            deleted.expect("it waits");
        };
        for number in [0, 1, 3] {
            delete(numbers[number]).await;
        }
        let found = || waiting_or_last(&store, query.clone());
        assert_eq!(found().await, Ok(Some(numbers[2])));
        delete(numbers[2]).await;
        assert_eq!(found().await, Ok(Some(numbers[3])));
    }
}
