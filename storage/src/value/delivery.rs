//! Small rows that deposits and deliveries turn on.

use super::{Decoder, Encoder, Malformed, Value};
use crate::model::{
    Device, Generation, JobNumber, MailboxId, MessageId, MessageNumber, Receipt, UnixMillis,
};

/// A row whose key says everything.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Mark;

impl Value for Mark {
    const WHAT: &'static str = "mark";

    fn write(&self, _: &mut Encoder) {}

    fn read(_: &mut Decoder<'_>) -> Result<Self, Malformed> {
        Ok(Self)
    }
}

/// Where a message is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct LocationValue(pub(crate) MailboxId);

impl Value for LocationValue {
    const WHAT: &'static str = "location";

    fn write(&self, out: &mut Encoder) {
        out.u64(self.0.0);
    }

    fn read(fields: &mut Decoder<'_>) -> Result<Self, Malformed> {
        fields.u64().map(MailboxId).map(Self)
    }
}

/// What the staged rows of an upload belong to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum OwnerValue {
    Message(MessageNumber),
    Job(JobNumber),
}

/// Stands behind the number of a job.
const IS_JOB: u8 = 1;

impl Value for OwnerValue {
    const WHAT: &'static str = "owner of an upload";

    fn write(&self, out: &mut Encoder) {
        match self {
            Self::Message(number) => out.u64(number.0),
            Self::Job(number) => {
                out.u64(number.0);
                out.u8(IS_JOB);
            }
        }
    }

    fn read(fields: &mut Decoder<'_>) -> Result<Self, Malformed> {
        let number = fields.u64()?;
        if fields.is_at_end() {
            return Ok(Self::Message(MessageNumber(number)));
        }
        match fields.u8()? {
            IS_JOB => Ok(Self::Job(JobNumber(number))),
            _ => Err(Malformed),
        }
    }
}

/// What a take decides on before it reads a message.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct WaitingValue {
    pub(crate) octets: u64,
    pub(crate) expires_at: UnixMillis,
    pub(crate) earliest_generation: Generation,
    /// Devices that it is not for any more.
    pub(crate) done: Vec<Device>,
}

impl Value for WaitingValue {
    const WHAT: &'static str = "waiting message";

    fn write(&self, out: &mut Encoder) {
        out.count(self.octets);
        out.u64(self.expires_at.0);
        out.count(self.earliest_generation.0);
        if !self.done.is_empty() {
            out.seal();
            out.list(&self.done, |out, device| out.text(device.as_str()));
        }
    }

    fn read(fields: &mut Decoder<'_>) -> Result<Self, Malformed> {
        Ok(Self {
            octets: fields.count()?,
            expires_at: UnixMillis(fields.u64()?),
            earliest_generation: Generation(fields.count()?),
            done: fields.list_at_end(|fields| fields.text().map(Device::new))?,
        })
    }
}

/// The receipt of the first copy of a message.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct DuplicateValue {
    pub(crate) receipt: Receipt,
    /// When it is forgotten: nobody finds it from then on, and compaction drops it.
    pub(crate) until: UnixMillis,
}

impl DuplicateValue {
    /// [`Self::until`] of an encoded receipt, whose last field it is.
    pub(crate) fn encoded_until(octets: &[u8]) -> Option<UnixMillis> {
        let until = octets.last_chunk::<8>()?;
        Some(UnixMillis(u64::from_be_bytes(*until)))
    }
}

impl Value for DuplicateValue {
    const WHAT: &'static str = "receipt";

    fn write(&self, out: &mut Encoder) {
        out.u64(self.receipt.id.number.0);
        out.text(&self.receipt.id.hostname);
        out.u64(self.receipt.received_at.0);
        out.u64(self.until.0);
    }

    fn read(fields: &mut Decoder<'_>) -> Result<Self, Malformed> {
        let id = MessageId {
            number: MessageNumber(fields.u64()?),
            hostname: fields.text()?,
        };
        let received_at = UnixMillis(fields.u64()?);
        Ok(Self {
            receipt: Receipt { id, received_at },
            until: UnixMillis(fields.u64()?),
        })
    }
}

/// The latest claim of a mailbox.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct ClaimValue {
    pub(crate) generation: Generation,
    pub(crate) claimed_at: UnixMillis,
    /// On the steady clock.
    pub(crate) lease_until: UnixMillis,
    pub(crate) released: bool,
    pub(crate) edge: String,
}

impl Value for ClaimValue {
    const WHAT: &'static str = "claim";

    fn write(&self, out: &mut Encoder) {
        out.count(self.generation.0);
        out.u64(self.claimed_at.0);
        out.u64(self.lease_until.0);
        out.flag(self.released);
        out.seal();
        out.text(&self.edge);
    }

    fn read(fields: &mut Decoder<'_>) -> Result<Self, Malformed> {
        Ok(Self {
            generation: Generation(fields.count()?),
            claimed_at: UnixMillis(fields.u64()?),
            lease_until: UnixMillis(fields.u64()?),
            released: fields.flag()?,
            edge: fields.text()?,
        })
    }
}
