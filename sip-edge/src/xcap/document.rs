//! The document as of now, from the store's pages.

use std::time::Duration;

use edge::xcap::reply::Fault;
use storage_client::message::Message;
use tokio::time::timeout;
use xcap::deferred_list::{Document, History, names_sender};

use super::fault;
use crate::edge::Edge;

/// Lists that are read at a time: each may hold some megabytes.
pub(crate) const READERS: usize = 8;
/// How long a reader waits for the others.
const TURN: Duration = Duration::from_secs(5);
/// How often a list is read again that changes while it is read.
const READINGS: usize = 3;

/// A document and the version of the mailbox it shows, or a later state of.
pub(super) struct Read {
    pub(super) version: u64,
    pub(super) text: String,
}

/// Reads the list of `owner` for `reader`, who must be the same user.
pub(super) async fn read(edge: &Edge, reader: &str, owner: &str) -> Result<Read, Fault> {
    let turn = timeout(TURN, edge.list_readers.acquire()).await;
    let Ok(Ok(_turn)) = turn else {
        return Err(Fault::Unavailable(TURN));
    };
    for _ in 1..READINGS {
        let (read, is_whole) = read_once(edge, reader, owner).await?;
        if is_whole {
            return Ok(read);
        }
    }
    read_once(edge, reader, owner).await.map(|(read, _)| read)
}

/// Whether nothing changed while it was read is told too.
async fn read_once(edge: &Edge, reader: &str, owner: &str) -> Result<(Read, bool), Fault> {
    let mut document = Document::default();
    let page = edge.storage.list_deferred(reader, owner, "").await;
    let mut page = page.map_err(fault)?;
    let first = page.version;
    loop {
        let messages = page.messages.iter().map(history);
        messages.for_each(|history| document.add(&history));
        let Some(next) = page.next.filter(|_| !document.is_full()) else {
            break;
        };
        let further = edge.storage.list_deferred(reader, owner, &next).await;
        page = further.map_err(fault)?;
    }
    let read = Read {
        version: first,
        text: document.finish(),
    };
    Ok((read, page.version == first))
}

/// A sender who asked for privacy is not named (requirements §3.7).
fn history(message: &Message) -> History {
    let headers = &message.headers;
    let sender = message.sender.clone();
    History {
        id: message.message_id.clone(),
        reference: format!("sip:{}", message.message_id),
        size: message.body_octets,
        expiry: message.expires_at,
        subject: Some(headers.subject.clone()).filter(|subject| !subject.is_empty()),
        date: message.received_at,
        from: headers.from.clone(),
        to: headers.to.clone(),
        authenticated: sender.filter(|_| names_sender(&headers.privacy)),
    }
}
