//! The document as of now, from the store's pages.

use storage_client::message::Message;
use xcap::deferred_list::{History, names_sender, write};

use super::reply::Fault;
use crate::edge::Edge;

/// Messages of one document; a mailbox that holds more shows its first ones, in order.
const MESSAGES_MAX: usize = 10_000;
/// How often a list is read again that changes while it is read.
const READINGS: usize = 3;

/// A document and the version of the mailbox it shows, or a later state of.
pub(super) struct Read {
    pub(super) version: u64,
    pub(super) text: String,
}

/// Reads the list of `owner` for `reader`, who must be the same user.
pub(super) async fn read(edge: &Edge, reader: &str, owner: &str) -> Result<Read, Fault> {
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
    let mut list = Vec::new();
    let mut page = edge.storage.list_deferred(reader, owner, "").await?;
    let first = page.version;
    loop {
        list.extend(page.messages.iter().map(history));
        let Some(next) = page.next.filter(|_| list.len() < MESSAGES_MAX) else {
            break;
        };
        page = edge.storage.list_deferred(reader, owner, &next).await?;
    }
    list.truncate(MESSAGES_MAX);
    let read = Read {
        version: first,
        text: write(&list),
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
