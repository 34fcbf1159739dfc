//! Pieces of content: the header and the octets, all of them in the part a key covers. That is a key of the content alone:
//! with the place of the piece in it, it binds the piece to both.

use std::borrow::Cow;
use std::ops::{Deref, Range};

use bytes::Bytes;

use super::sealed::{SealedValue, context, seal};
use super::{Encoded, Encoder, FORMAT, HEADER_OCTETS, KeyKind, NO_KEY};
use crate::column_family::Family;
use crate::sealing::ContentKey;
use crate::store::StoreError;

/// A row in `Contents` or `Large`.
#[derive(Clone, Copy, Debug)]
pub(crate) struct PieceRow<'a> {
    pub(crate) family: Family,
    pub(crate) key: &'a [u8],
}

impl PieceRow<'_> {
    /// Where the piece is in its content: the key, but for the number of the content at its front.
    fn within(&self) -> (Family, &[u8]) {
        (self.family, self.key.get(8..).unwrap_or_default())
    }
}

/// A piece, sealed if its content has a key.
pub(crate) fn encode_piece(octets: &[u8], key: Option<&ContentKey>, row: PieceRow<'_>) -> Encoded {
    match key {
        Some(ContentKey(key)) => {
            let kind = KeyKind::Content as u32;
            Encoded::whole(seal(kind, &[], octets, key, row.within()))
        }
        None => {
            let mut piece = Encoder::with_header(FORMAT, NO_KEY);
            piece.seal();
            piece.append(octets);
            piece.finish()
        }
    }
}

/// The octets of a piece.
#[derive(Debug)]
pub(crate) struct Piece<'a> {
    row: Cow<'a, [u8]>,
    octets: Range<usize>,
}

impl Piece<'_> {
    /// Without copying them, if the row was read for this.
    pub(crate) fn into_bytes(self) -> Bytes {
        Bytes::from(self.row.into_owned()).slice(self.octets)
    }
}

impl Deref for Piece<'_> {
    type Target = [u8];

    fn deref(&self) -> &[u8] {
        self.row.get(self.octets.clone()).unwrap_or_default()
    }
}

/// The inverse of [`encode_piece`]. A piece that was written before its content had a key needs none.
pub(crate) fn decode_piece<'r>(
    value: impl Into<Cow<'r, [u8]>>,
    key: Option<&ContentKey>,
    row: PieceRow<'_>,
) -> Result<Piece<'r>, StoreError> {
    let corrupt = StoreError::Corrupt {
        what: "content chunk",
    };
    let mut value = value.into();
    if let [FORMAT, 0, 0, 0, 0, ..] = &value[..] {
        let octets = HEADER_OCTETS..value.len();
        return Ok(Piece { row: value, octets });
    }
    let sealed = SealedValue::parse(&value)
        .filter(|sealed| sealed.kind() == Some(KeyKind::Content) && sealed.clear().is_empty());
    let (Some(sealed), Some(ContentKey(key))) = (sealed, key) else {
        return Err(corrupt);
    };
    let from = sealed.prefix().len();
    let (family, within) = row.within();
    let context = context(family, within, sealed.prefix());
    let opened = key.open(&context, &mut value.to_mut()[from..]);
    let plain = opened.map_err(|_| corrupt)?;
    let octets = from + plain.start..from + plain.end;
    Ok(Piece { row: value, octets })
}
