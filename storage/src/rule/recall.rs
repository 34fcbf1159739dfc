//! What a sender may still do to his message (requirements §3.14).

use crate::model::{Envelope, EventKind, Recall, State, UnixMillis};
use crate::store::StoreError;

/// What a recall does to a message.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Effect {
    /// It is settled as recalled, its content removed.
    TakeBack,
    /// It expires then.
    Shorten(UnixMillis),
}

impl Effect {
    /// What the timeline calls it.
    pub(crate) fn event(self) -> EventKind {
        match self {
            Self::TakeBack => EventKind::Recalled,
            Self::Shorten(_) => EventKind::ExpiryShortened,
        }
    }
}

/// The effect of `recall` on a message in `state`. [`StoreError::NotFound`] alike for one that is not there
/// and somebody else's: Message-IDs can be guessed.
pub(crate) fn effect(
    recall: &Recall,
    envelope: &Envelope,
    state: State,
    now: UnixMillis,
) -> Result<Effect, StoreError> {
    if envelope.sender.as_ref() != Some(&recall.sender) {
        return Err(StoreError::NotFound);
    }
    match recall.expires_at {
        _ if state.is_settled() => refuse("it is settled"),
        None => Ok(Effect::TakeBack),
        Some(at) if at <= now => refuse("that is over already"),
        Some(at) if at >= envelope.expires_at => refuse("it expires earlier anyway"),
        Some(at) => Ok(Effect::Shorten(at)),
    }
}

fn refuse(reason: &str) -> Result<Effect, StoreError> {
    Err(StoreError::Precondition {
        reason: reason.to_owned(),
    })
}
