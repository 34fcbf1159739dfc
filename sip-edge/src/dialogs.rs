//! Which requests belong to our push dialogs: by Call-ID and our own tag (RFC 3261 §12.2.2).

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use net::sip::ServerTransaction;
use sip::Request;
use tokio::sync::mpsc;
use tokio::sync::mpsc::error::TrySendError;

/// Requests that may wait for one dialog; a client has no reason to have more under way.
const QUEUE: usize = 8;

/// Call-ID and local tag.
type Key = (String, String);

/// The dialogs of this edge.
#[derive(Debug, Clone, Default)]
pub(crate) struct Dialogs(Arc<Mutex<HashMap<Key, mpsc::Sender<ServerTransaction>>>>);

/// A dialog that is known as long as this lives.
#[derive(Debug)]
pub(crate) struct DialogEntry {
    dialogs: Dialogs,
    key: Key,
    requests: mpsc::Receiver<ServerTransaction>,
}

/// Where a request belongs.
#[derive(Debug)]
pub(crate) enum Routed {
    /// To a dialog of ours, which has it now.
    Ours,
    /// To no dialog of ours.
    Foreign(ServerTransaction),
    /// To a dialog of ours that has more requests waiting than it takes.
    Congested(ServerTransaction),
}

impl Dialogs {
    /// Makes a dialog known before its INVITE leaves.
    pub(crate) fn enter(&self, call_id: &str, local_tag: &str) -> DialogEntry {
        let key = (call_id.to_owned(), local_tag.to_owned());
        let (sender, requests) = mpsc::channel(QUEUE);
        self.lock().insert(key.clone(), sender);
        DialogEntry {
            dialogs: self.clone(),
            key,
            requests,
        }
    }

    /// Hands a request to its dialog, if it is one of ours.
    pub(crate) fn route(&self, transaction: ServerTransaction) -> Routed {
        let key = key_of(transaction.request());
        let Some(sender) = key.and_then(|key| self.lock().get(&key).cloned()) else {
            return Routed::Foreign(transaction);
        };
        match sender.try_send(transaction) {
            Ok(()) => Routed::Ours,
            Err(TrySendError::Full(transaction)) => Routed::Congested(transaction),
            Err(TrySendError::Closed(transaction)) => Routed::Foreign(transaction),
        }
    }

    fn lock(&self) -> MutexGuard<'_, HashMap<Key, mpsc::Sender<ServerTransaction>>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn key_of(request: &Request) -> Option<Key> {
    let to = request.headers().to().ok().flatten()?;
    let call_id = request.headers().call_id()?;
    Some((call_id.into_owned(), to.tag()?.to_owned()))
}

impl DialogEntry {
    /// The next request of the peer in this dialog. Loses nothing when dropped halfway.
    pub(crate) async fn next(&mut self) -> ServerTransaction {
        match self.requests.recv().await {
            Some(transaction) => transaction,
            // The sender lives in the table until this entry is dropped.
            None => std::future::pending().await,
        }
    }
}

impl Drop for DialogEntry {
    fn drop(&mut self) {
        self.dialogs.lock().remove(&self.key);
    }
}
