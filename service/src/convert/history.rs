//! What a user reads of his deferred messages (requirements §3.7, §4.4).

use std::time::{Duration, SystemTime, UNIX_EPOCH};

use storage::model::{StoredMessage, UnixMillis};
use xcap::deferred_list::History;

/// One message of the list. A sender who asked for privacy is not named (requirements §3.7).
pub(crate) fn history(message: &StoredMessage) -> History {
    let envelope = &message.envelope;
    let headers = &envelope.headers;
    let is_named = xcap::deferred_list::names_sender(&headers.privacy);
    let sender = envelope.sender.as_ref().filter(|_| is_named);
    History {
        id: envelope.id.to_string(),
        reference: format!("sip:{}", envelope.id),
        size: envelope.body_octets,
        expiry: moment(envelope.expires_at),
        subject: Some(headers.subject.clone()).filter(|subject| !subject.is_empty()),
        date: moment(envelope.received_at),
        from: headers.from.clone(),
        to: headers.to.clone(),
        authenticated: sender.map(|sender| sender.as_str().to_owned()),
    }
}

fn moment(time: UnixMillis) -> SystemTime {
    UNIX_EPOCH + Duration::from_millis(time.0)
}
