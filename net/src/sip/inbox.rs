//! The responses of one client transaction on their way to whoever waits for them.
//!
//! Smaller than a channel: there may be one per message of a big group. The sending half lives in the transaction
//! layer; when the layer forgets the transaction, the receiving half ends.

use std::collections::VecDeque;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use sip::Response;
use tokio::sync::Notify;

use super::error::TransactionFailure;

/// Responses that may wait; beyond, provisional ones and copies of a 2xx are dropped.
const CAPACITY: usize = 16;

/// What a client transaction comes to.
pub(crate) type Outcome = Result<Response, TransactionFailure>;

#[derive(Debug, Default)]
struct Shared {
    queue: Mutex<Queue>,
    notify: Notify,
}

#[derive(Debug, Default)]
struct Queue {
    outcomes: VecDeque<Outcome>,
    ended: bool,
    has_final: bool,
}

/// The layer's half.
#[derive(Debug)]
pub(crate) struct InboxSender(Arc<Shared>);

/// The waiting half.
#[derive(Debug)]
pub(crate) struct Inbox(Arc<Shared>);

pub(crate) fn inbox() -> (InboxSender, Inbox) {
    let shared = Arc::new(Shared::default());
    (InboxSender(Arc::clone(&shared)), Inbox(shared))
}

impl Shared {
    fn lock(&self) -> MutexGuard<'_, Queue> {
        self.queue.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl InboxSender {
    /// Queues an outcome; the first final one always finds room.
    pub(crate) fn push(&self, outcome: Outcome) {
        let mut queue = self.0.lock();
        let is_final = outcome
            .as_ref()
            .map_or(true, |response| response.status().is_final());
        let first_final = is_final && !queue.has_final;
        if first_final || queue.outcomes.len() < CAPACITY {
            queue.has_final |= is_final;
            queue.outcomes.push_back(outcome);
            drop(queue);
            self.0.notify.notify_one();
        }
    }
}

impl Drop for InboxSender {
    fn drop(&mut self) {
        self.0.lock().ended = true;
        self.0.notify.notify_one();
    }
}

impl Inbox {
    /// The next outcome; none once the transaction has ended and all were taken. Loses nothing when dropped halfway.
    pub(crate) async fn next(&mut self) -> Option<Outcome> {
        loop {
            {
                let mut queue = self.0.lock();
                if let Some(outcome) = queue.outcomes.pop_front() {
                    return Some(outcome);
                }
                if queue.ended {
                    return None;
                }
            }
            self.0.notify.notified().await;
        }
    }
}
