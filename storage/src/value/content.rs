//! Chunks of content: the header and the octets, all of them in the part a key will cover.

use super::{FORMAT, HEADER_OCTETS, NO_KEY};
use crate::store::StoreError;

pub(crate) fn encode_chunk(octets: &[u8]) -> Vec<u8> {
    let mut chunk = Vec::with_capacity(HEADER_OCTETS + octets.len());
    chunk.push(FORMAT);
    chunk.extend_from_slice(&NO_KEY.to_be_bytes());
    chunk.extend_from_slice(octets);
    chunk
}

pub(crate) fn decode_chunk(value: &[u8]) -> Result<&[u8], StoreError> {
    let corrupt = StoreError::Corrupt {
        what: "content chunk",
    };
    let (header, octets) = value
        .split_first_chunk::<HEADER_OCTETS>()
        .ok_or(corrupt.clone())?;
    match header {
        [FORMAT, 0, 0, 0, 0] => Ok(octets),
        _ => Err(corrupt),
    }
}
