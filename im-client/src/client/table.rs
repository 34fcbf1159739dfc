//! Which session a request within a dialog belongs to.

use std::collections::HashMap;
use std::sync::{Mutex, PoisonError};

use net::sip::ServerTransaction;
use tokio::sync::mpsc;

/// Requests that may wait for one session.
const SESSION_QUEUE: usize = 8;

/// The sessions under way by their Call-IDs, ours and those opened towards us.
#[derive(Debug, Default)]
pub(super) struct SessionTable(Mutex<HashMap<String, mpsc::Sender<ServerTransaction>>>);

impl SessionTable {
    /// Enters a session; it is forgotten when the receiver is dropped.
    pub(super) fn enter(&self, call_id: &str) -> mpsc::Receiver<ServerTransaction> {
        let (session, requests) = mpsc::channel(SESSION_QUEUE);
        let mut table = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        table.retain(|_, session| !session.is_closed());
        table.insert(call_id.to_owned(), session);
        requests
    }

    /// The session of that Call-ID, if it has not ended.
    pub(super) fn find(&self, call_id: &str) -> Option<mpsc::Sender<ServerTransaction>> {
        let table = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        table
            .get(call_id)
            .filter(|session| !session.is_closed())
            .cloned()
    }
}
