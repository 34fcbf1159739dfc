//! Which requests belong to our dialogs, of sessions as UAC or UAS and of subscriptions: by Call-ID, our
//! own tag and the peer's (RFC 3261 §12.2.2), never by Request-URI (LMR-02).

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use net::sip::ServerTransaction;
use sip::Request;
use sip::dialog::DialogId;
use tokio::sync::mpsc;
use tokio::sync::mpsc::error::TrySendError;
use tokio_util::sync::CancellationToken;

/// Requests that may wait for one dialog; a client has no reason to have more under way.
const QUEUE: usize = 8;

/// Call-ID and local tag. The local tag is ours and random, so two dialogs never share both.
type Key = (String, String);

/// The dialogs of this edge.
#[derive(Debug, Clone, Default)]
pub struct Dialogs(Arc<Mutex<HashMap<Key, Slot>>>);

/// One dialog in the table.
#[derive(Debug)]
struct Slot {
    /// None while the peer's is not known: before a 2xx to our INVITE.
    remote_tag: Option<String>,
    queue: mpsc::Sender<ServerTransaction>,
    acknowledged: CancellationToken,
}

/// Keeps a dialog known as long as this lives.
#[derive(Debug)]
pub struct DialogGuard {
    dialogs: Dialogs,
    key: Key,
    acknowledged: CancellationToken,
}

/// A dialog that is known as long as this lives, with a queue of its own.
#[derive(Debug)]
pub struct DialogEntry {
    guard: DialogGuard,
    requests: mpsc::Receiver<ServerTransaction>,
}

/// Where a request belongs.
#[derive(Debug)]
pub enum Routed {
    /// To a dialog of ours, which has it now.
    Ours,
    /// To no dialog of ours.
    Foreign(ServerTransaction),
    /// To a dialog of ours that has more requests waiting than it takes.
    Congested(ServerTransaction),
}

impl Dialogs {
    /// Makes a dialog of a request of ours known before that leaves: whatever tag the peer will have.
    pub fn enter(&self, call_id: &str, local_tag: &str) -> DialogEntry {
        let key = (call_id.to_owned(), local_tag.to_owned());
        self.enter_with(key, None)
    }

    /// Makes a dialog of a request of the peer known before our 2xx leaves.
    pub fn enter_as_uas(&self, id: &DialogId) -> DialogEntry {
        self.enter_with(key_of_id(id), Some(id.remote_tag().to_owned()))
    }

    fn enter_with(&self, key: Key, remote_tag: Option<String>) -> DialogEntry {
        let (queue, requests) = mpsc::channel(QUEUE);
        let guard = self.insert(key, remote_tag, queue);
        DialogEntry { guard, requests }
    }

    fn insert(
        &self,
        key: Key,
        remote_tag: Option<String>,
        queue: mpsc::Sender<ServerTransaction>,
    ) -> DialogGuard {
        let acknowledged = CancellationToken::new();
        let slot = Slot {
            remote_tag,
            queue,
            acknowledged: acknowledged.clone(),
        };
        self.lock().insert(key.clone(), slot);
        DialogGuard {
            dialogs: self.clone(),
            key,
            acknowledged,
        }
    }

    /// Hands a request to its dialog, if it is one of ours.
    pub fn route(&self, transaction: ServerTransaction) -> Routed {
        let queue = self.find(transaction.request(), |slot| slot.queue.clone());
        let Some(queue) = queue else {
            return Routed::Foreign(transaction);
        };
        match queue.try_send(transaction) {
            Ok(()) => Routed::Ours,
            Err(TrySendError::Full(transaction)) => Routed::Congested(transaction),
            Err(TrySendError::Closed(transaction)) => Routed::Foreign(transaction),
        }
    }

    /// Takes note of the ACK of a 2xx of ours.
    pub fn acknowledge(&self, ack: &Request) {
        self.find(ack, |slot| slot.acknowledged.cancel());
    }

    fn find<T>(&self, request: &Request, take: impl FnOnce(&Slot) -> T) -> Option<T> {
        // Without our tag it is of no dialog: most requests.
        request.to().ok().flatten()?.tag()?;
        let id = DialogId::of_request(request)?;
        let dialogs = self.lock();
        let slot = dialogs.get(&key_of_id(&id))?;
        let is_of_peer = slot
            .remote_tag
            .as_ref()
            .is_none_or(|tag| tag == id.remote_tag());
        is_of_peer.then(|| take(slot))
    }

    fn lock(&self) -> MutexGuard<'_, HashMap<Key, Slot>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn key_of_id(id: &DialogId) -> Key {
    (id.call_id().to_owned(), id.local_tag().to_owned())
}

impl DialogEntry {
    /// The next request of the peer in this dialog. Loses nothing when dropped halfway.
    pub async fn next(&mut self) -> ServerTransaction {
        match self.requests.recv().await {
            Some(transaction) => transaction,
            // The sender lives in the table until this entry is dropped.
            None => std::future::pending().await,
        }
    }

    /// A request that waits already, if there is one.
    pub fn waiting(&mut self) -> Option<ServerTransaction> {
        self.requests.try_recv().ok()
    }

    /// Cancelled when an ACK of a 2xx of ours has come.
    pub fn acknowledged(&self) -> CancellationToken {
        self.guard.acknowledged.clone()
    }
}

impl Drop for DialogGuard {
    fn drop(&mut self) {
        self.dialogs.lock().remove(&self.key);
    }
}

#[cfg(test)]
mod tests {
    use sip::{Method, Name, RequestBuilder};

    use super::*;

    fn request(from: &str, to: &str) -> Request {
        RequestBuilder::new(Method::Ack, &"sip:im-store@df1.im.example.org")
            .header(
                Name::From,
                format_args!("<sip:alice@example.org>;tag={from}"),
            )
            .header(Name::To, format_args!("<sip:bob@example.org>;tag={to}"))
            .header(Name::CallId, "90bd21ff")
            .header(Name::CSeq, "1 ACK")
            .build()
    }

    fn is_known(dialogs: &Dialogs, from: &str, to: &str) -> bool {
        dialogs.find(&request(from, to), |_| ()).is_some()
    }

    #[test]
    fn a_dialog_of_the_peer_is_known_by_both_tags_and_for_its_life() {
        let dialogs = Dialogs::default();
        let id = DialogId::of_request(&request("a", "b")).expect("a dialog");
        let entry = dialogs.enter_as_uas(&id);
        assert!(is_known(&dialogs, "a", "b"));
        assert!(!is_known(&dialogs, "x", "b"));
        assert!(!is_known(&dialogs, "a", "x"));
        drop(entry);
        assert!(!is_known(&dialogs, "a", "b"));
    }

    #[test]
    fn a_dialog_of_ours_is_known_whatever_the_tag_of_the_peer() {
        let dialogs = Dialogs::default();
        let _entry = dialogs.enter("90bd21ff", "b");
        assert!(is_known(&dialogs, "a", "b") && is_known(&dialogs, "x", "b"));
    }

    #[test]
    fn the_ack_of_a_dialog_reaches_it() {
        let dialogs = Dialogs::default();
        let entry = dialogs.enter("90bd21ff", "b");
        dialogs.acknowledge(&request("a", "x"));
        assert!(!entry.acknowledged().is_cancelled());
        dialogs.acknowledge(&request("a", "b"));
        assert!(entry.acknowledged().is_cancelled());
    }
}
