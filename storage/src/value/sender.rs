//! What a sender has stored and undelivered.

use super::{Decoder, Encoder, Malformed, Value};

/// Over all mailboxes; an empty one is no row.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct SenderValue {
    pub(crate) messages: u64,
    /// Of content.
    pub(crate) octets: u64,
}

impl SenderValue {
    /// With one message more.
    pub(crate) fn plus(self, octets: u64) -> Self {
        Self {
            messages: self.messages + 1,
            octets: self.octets.saturating_add(octets),
        }
    }

    /// With one message less; `None` if none is left.
    pub(crate) fn minus(self, octets: u64) -> Option<Self> {
        let left = Self {
            messages: self.messages.saturating_sub(1),
            octets: self.octets.saturating_sub(octets),
        };
        (left.messages > 0).then_some(left)
    }
}

impl Value for SenderValue {
    const WHAT: &'static str = "sender";

    fn write(&self, out: &mut Encoder) {
        out.count(self.messages);
        out.count(self.octets);
    }

    fn read(fields: &mut Decoder<'_>) -> Result<Self, Malformed> {
        Ok(Self {
            messages: fields.count()?,
            octets: fields.count()?,
        })
    }
}
