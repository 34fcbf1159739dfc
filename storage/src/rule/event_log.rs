//! What goes to the event log, for every engine.

use crate::model::{Address, Envelope, EventKind};

/// Whether others are told of it: of what makes a difference to the user or to the sender.
pub(crate) fn is_told(kind: EventKind) -> bool {
    matches!(
        kind,
        EventKind::Deposited
            | EventKind::AttemptFailed
            | EventKind::Delivered
            | EventKind::Refused
            | EventKind::Expired
            | EventKind::Held
            | EventKind::Unheld
            | EventKind::Redelivered
            | EventKind::Recalled
            | EventKind::Deleted
            | EventKind::Dropped
    )
}

/// The sender, unless he wants privacy (requirements §3.7).
pub(crate) fn told_sender(envelope: &Envelope) -> Option<Address> {
    let privacy = envelope.headers.privacy.trim();
    let is_open = privacy.is_empty() || privacy.eq_ignore_ascii_case("none");
    envelope.sender.clone().filter(|_| is_open)
}

/// Why there is nothing to read.
pub(crate) fn no_log() -> crate::store::StoreError {
    crate::store::StoreError::Precondition {
        reason: "the store keeps no event log".to_owned(),
    }
}
