//! Octets on their way from MSRP to the store: small pieces are joined, the head is looked at.

use bytes::{Bytes, BytesMut};
use msrp::Collector;
use storage_client::{Upload, UploadError};

/// Octets that all sessions together may hold in joined pieces.
const BUDGET_OCTETS: usize = 8 << 20;
/// Smallest and largest joined piece.
const PIECE_OCTETS: std::ops::RangeInclusive<usize> = (16 << 10)..=(256 << 10);

/// Joins pieces that follow each other and keeps the beginning of the message.
#[derive(Debug)]
pub(crate) struct Body {
    joined: BytesMut,
    /// How many octets of the message come before the joined ones.
    offset: u64,
    piece_octets: usize,
    head: Option<Head>,
}

/// The first octets of the message, as they stand after all overlaps.
#[derive(Debug, Default)]
struct Head(Collector);

impl Body {
    /// Pieces are the smaller the more sessions there are. `keeps_head`: whether the first
    /// [`cpim::HEAD_LIMIT_OCTETS`] are wanted.
    pub(crate) fn new(sessions: usize, keeps_head: bool) -> Body {
        let (least, most) = PIECE_OCTETS.into_inner();
        Body {
            joined: BytesMut::new(),
            offset: 0,
            piece_octets: (BUDGET_OCTETS / sessions.max(1)).clamp(least, most),
            head: keeps_head.then(Head::default),
        }
    }

    /// Takes octets; writes what is enough for a piece.
    pub(crate) async fn put(
        &mut self,
        upload: &mut Upload,
        offset: u64,
        octets: &Bytes,
    ) -> Result<(), UploadError> {
        if let Some(Head(collector)) = &mut self.head
            && let Some(octets) = within_head(offset, octets)
        {
            collector.put(offset, octets);
        }
        if offset != self.offset + self.joined.len() as u64 {
            self.flush(upload).await?;
            self.offset = offset;
        }
        if self.joined.is_empty() && octets.len() >= self.piece_octets {
            self.offset += octets.len() as u64;
            return upload.write(offset, octets.clone()).await;
        }
        self.joined.extend_from_slice(octets);
        if self.joined.len() >= self.piece_octets {
            self.flush(upload).await?;
        }
        Ok(())
    }

    /// Writes what is left.
    pub(crate) async fn flush(&mut self, upload: &mut Upload) -> Result<(), UploadError> {
        if self.joined.is_empty() {
            return Ok(());
        }
        let piece = self.joined.split().freeze();
        let offset = self.offset;
        self.offset += piece.len() as u64;
        upload.write(offset, piece).await
    }

    /// The first octets of a message of so many, if they were wanted.
    pub(crate) fn head(&mut self, total: u64) -> Option<Bytes> {
        let Head(collector) = self.head.take()?;
        Some(collector.finish(total.min(cpim::HEAD_LIMIT_OCTETS as u64)))
    }
}

/// The part of a piece that belongs to the head.
fn within_head(offset: u64, octets: &[u8]) -> Option<&[u8]> {
    let limit = cpim::HEAD_LIMIT_OCTETS as u64;
    let room = usize::try_from(limit.checked_sub(offset)?).ok()?;
    octets
        .get(..room.min(octets.len()))
        .filter(|octets| !octets.is_empty())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_octets_of_the_head_are_kept() {
        let limit = cpim::HEAD_LIMIT_OCTETS as u64;
        assert_eq!(within_head(0, b"Hello"), Some(b"Hello".as_slice()));
        assert_eq!(within_head(limit - 2, b"Hello"), Some(b"He".as_slice()));
        assert_eq!(within_head(limit, b"Hello"), None);
        assert_eq!(within_head(u64::MAX, b"Hello"), None);
    }
}
