//! Values on disk. Each begins with a header: one octet of format version, four of key id (0: not
//! encrypted). Fields follow in a fixed order, first those that stay in the clear, then those that
//! a key covers: bodies, subjects, names. The table is in `docs/storage-format.md`; the files
//! in `fixtures/v1` hold every kind of value as this version writes it.

mod account;
mod codec;
mod content;
mod delivery;
mod event_log;
mod fan_out;
mod group;
mod mailbox;
mod message;
mod meta;
mod report;
mod sealed;
mod sender;
mod settings;
mod subscription;
mod suspension;
mod timeline;

#[cfg(test)]
mod tests;

pub(crate) use account::{AccountValue, AddressValue, BindingsValue};
pub(crate) use codec::{Decoder, Encoded, Encoder, Malformed};
pub(crate) use content::{Piece, PieceRow, decode_piece, encode_piece};
pub(crate) use delivery::{
    ClaimValue, DuplicateValue, LocationValue, Mark, OwnerValue, WaitingValue,
};
pub(crate) use event_log::{LogEntryValue, LogValue};
pub(crate) use fan_out::{
    JobValue, LegListValue, LegPhase, LegValue, Link, RosterValue, SenderJobsValue, TemplateValue,
};
pub(crate) use group::{GroupDocumentValue, GroupValue};
pub(crate) use mailbox::MailboxValue;
#[cfg(any(test, fuzzing))]
pub(crate) use message::part_kind;
pub(crate) use message::{EnvelopeValue, Place, StateValue, is_inline};
pub(crate) use meta::{Counters, Identity, UploadsValue};
pub(crate) use report::ReportValue;
pub(crate) use sealed::{KeyKind, SealedValue, encode_sealed, wrap, wrapped_by};
pub(crate) use sender::SenderValue;
pub(crate) use subscription::SubscriptionsValue;
pub(crate) use suspension::SuspensionsValue;
pub(crate) use timeline::{AttemptValue, EventValue};

use crate::store::StoreError;

/// The format of all values of this version.
pub(crate) const FORMAT: u8 = 1;
/// Octets of the header.
pub(crate) const HEADER_OCTETS: usize = 5;
/// The key id of a value that is not encrypted.
const NO_KEY: u32 = 0;

/// Something that is the value of a row.
pub(crate) trait Value: Sized {
    /// What to call it in an error.
    const WHAT: &'static str;

    /// Appends the fields in the clear, calls [`Encoder::seal`], appends the others.
    fn write(&self, out: &mut Encoder);

    /// Reads what [`Value::write`] wrote.
    fn read(fields: &mut Decoder<'_>) -> Result<Self, Malformed>;
}

/// Header and fields.
pub(crate) fn encode<V: Value>(value: &V) -> Encoded {
    let mut out = Encoder::with_header(FORMAT, NO_KEY);
    value.write(&mut out);
    out.finish()
}

/// The inverse of [`encode`]; nothing may follow the fields.
pub(crate) fn decode<V: Value>(octets: &[u8]) -> Result<V, StoreError> {
    let corrupt = |Malformed| StoreError::Corrupt { what: V::WHAT };
    let mut fields = Decoder::after_header(octets, FORMAT, NO_KEY).map_err(corrupt)?;
    let value = V::read(&mut fields).map_err(corrupt)?;
    fields.end().map_err(corrupt)?;
    Ok(value)
}
