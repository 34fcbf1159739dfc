//! The rows about the store itself.

use super::{Decoder, Encoder, Malformed, Value};
use crate::model::UnixMillis;

/// What the store is. Written when it is made, and when its hostname changes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Identity {
    /// Name in the Message-IDs handed out last.
    pub(crate) hostname: String,
    pub(crate) created_at: UnixMillis,
    /// Keys the hashes and proves branches (DLV-16).
    pub(crate) secret: [u8; 32],
}

impl Value for Identity {
    const WHAT: &'static str = "identity of the store";

    fn write(&self, out: &mut Encoder) {
        out.u64(self.created_at.0);
        out.text(&self.hostname);
        out.seal();
        out.octets(&self.secret);
    }

    fn read(fields: &mut Decoder<'_>) -> Result<Self, Malformed> {
        let created_at = UnixMillis(fields.u64()?);
        let hostname = fields.text()?;
        let secret = fields.octets()?.try_into().map_err(|_| Malformed)?;
        Ok(Self {
            hostname,
            created_at,
            secret,
        })
    }
}

/// What grows with every group.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Counters {
    /// The Message-ID of the next message (STO-08).
    pub(crate) next_number: u64,
    pub(crate) next_mailbox: u64,
    /// The number of the next job, or version of a group: apart from the Message-IDs, which have no gaps (STO-08). Every
    /// opening raises it past what can have been handed out before.
    pub(crate) next_serial: u64,
    /// The latest wall-clock time written: nothing later is dated earlier.
    pub(crate) latest: UnixMillis,
    /// Everything due before this has been swept.
    pub(crate) swept_until: UnixMillis,
}

impl Value for Counters {
    const WHAT: &'static str = "counters of the store";

    fn write(&self, out: &mut Encoder) {
        out.u64(self.next_number);
        out.u64(self.next_mailbox);
        out.u64(self.latest.0);
        out.u64(self.swept_until.0);
        out.u64(self.next_serial);
    }

    fn read(fields: &mut Decoder<'_>) -> Result<Self, Malformed> {
        Ok(Self {
            next_number: fields.u64()?,
            next_mailbox: fields.u64()?,
            latest: UnixMillis(fields.u64()?),
            swept_until: UnixMillis(fields.u64()?),
            // Earlier versions had no such counter.
            next_serial: match fields.is_at_end() {
                true => 0,
                false => fields.u64()?,
            },
        })
    }
}

/// The first upload id of the next opening. An id is never used twice: a message whose content is gone still names the one
/// that its body had.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct UploadsValue(pub(crate) u64);

impl Value for UploadsValue {
    const WHAT: &'static str = "upload ids of the store";

    fn write(&self, out: &mut Encoder) {
        out.u64(self.0);
    }

    fn read(fields: &mut Decoder<'_>) -> Result<Self, Malformed> {
        fields.u64().map(Self)
    }
}
