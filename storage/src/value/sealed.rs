//! Values whose sealed part is encrypted: header with the id of the key, a count of the octets in the clear, these, then
//! salt, encrypted octets and tag. Everything before the salt is authenticated, with the family and the key of the row: a value
//! opens in its own row only.

use super::{FORMAT, HEADER_OCTETS, NO_KEY};
use crate::column_family::Family;
use crate::sealing::{NotOpened, SealingKey};
use crate::value::codec::{Decoder, Encoded, Encoder};

/// The key ids of values: whose key has sealed them. Which mailbox or job that is says the row.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u8)]
pub(crate) enum KeyKind {
    Store = 1,
    Mailbox = 2,
    Job = 3,
    /// A piece of content: its key is in the envelope of its message, or with its job.
    Content = 4,
}

/// A value that is sealed.
pub(crate) struct SealedValue<'a> {
    key_id: u32,
    prefix: &'a [u8],
    clear: &'a [u8],
    sealed: &'a [u8],
}

impl<'a> SealedValue<'a> {
    /// `None` for a value that is not sealed.
    pub(crate) fn parse(row: &'a [u8]) -> Option<Self> {
        let (header, rest) = row.split_first_chunk::<HEADER_OCTETS>()?;
        let [format, id @ ..] = header;
        let key_id = u32::from_be_bytes(*id);
        if *format != FORMAT || key_id == NO_KEY {
            return None;
        }
        let mut fields = Decoder::bare(rest);
        let clear = fields.octets().ok()?;
        let sealed = fields.rest();
        let prefix = row.get(..row.len() - sealed.len())?;
        Some(Self {
            key_id,
            prefix,
            clear,
            sealed,
        })
    }

    pub(crate) fn kind(&self) -> Option<KeyKind> {
        let kinds = [
            KeyKind::Store,
            KeyKind::Mailbox,
            KeyKind::Job,
            KeyKind::Content,
        ];
        kinds.into_iter().find(|kind| *kind as u32 == self.key_id)
    }

    /// All of it before the salt.
    pub(super) fn prefix(&self) -> &'a [u8] {
        self.prefix
    }

    /// The fields that are not sealed.
    pub(crate) fn clear(&self) -> &'a [u8] {
        self.clear
    }

    /// The value as it was before.
    pub(crate) fn open(
        &self,
        key: &SealingKey,
        family: Family,
        place: &[u8],
    ) -> Result<Vec<u8>, NotOpened> {
        let mut row = Vec::with_capacity(HEADER_OCTETS + self.clear.len() + self.sealed.len());
        row.push(FORMAT);
        row.extend_from_slice(&NO_KEY.to_be_bytes());
        row.extend_from_slice(self.clear);
        let from = row.len();
        row.extend_from_slice(self.sealed);
        let plain = key.open(&context(family, place, self.prefix), &mut row[from..])?;
        row.truncate(from + plain.end);
        row.drain(from..from + plain.start);
        Ok(row)
    }
}

/// A value with its sealed part sealed.
pub(crate) fn encode_sealed(
    value: &Encoded,
    kind: KeyKind,
    key: &SealingKey,
    family: Family,
    place: &[u8],
) -> Vec<u8> {
    let (clear, sealed) = value.parts();
    seal(kind as u32, clear, sealed, key, (family, place))
}

/// The row of a data key, wrapped by the master key with this id.
pub(crate) fn wrap(
    data_key: &SealingKey,
    master_id: u32,
    master: &SealingKey,
    place: &[u8],
) -> Encoded {
    let row = (Family::DataKeys, place);
    Encoded::whole(seal(master_id, &[], data_key.octets(), master, row))
}

/// The id of the master key that has wrapped a data key.
pub(crate) fn wrapped_by(row: &[u8]) -> Option<u32> {
    SealedValue::parse(row).map(|sealed| sealed.key_id)
}

pub(super) fn seal(
    key_id: u32,
    clear: &[u8],
    plain: &[u8],
    key: &SealingKey,
    (family, place): (Family, &[u8]),
) -> Vec<u8> {
    let mut row = Encoder::with_header(FORMAT, key_id);
    row.octets(clear);
    let mut row = row.into_octets();
    let context = context(family, place, &row);
    key.seal(&context, plain, &mut row);
    row
}

/// What a sealed part belongs to.
pub(super) fn context(family: Family, place: &[u8], prefix: &[u8]) -> Vec<u8> {
    let mut context = Encoder::bare();
    context.text(family.name());
    context.octets(place);
    context.octets(prefix);
    context.into_octets()
}
