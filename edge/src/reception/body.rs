//! Octets on their way from MSRP to the store: small pieces are joined, the head is looked at.

use std::future::pending;

use bytes::{Bytes, BytesMut};
use msrp::Collector;
use storage_client::{Upload, UploadError};
use tokio::time::{Instant, sleep_until};

/// Octets that all sessions together may hold in joined pieces. Each piece is held some four times on its
/// way to the store: joined, waiting, encoded, in line for the connection.
const BUDGET_OCTETS: usize = 3 << 20;
/// Smallest and largest joined piece, powers of two.
const PIECE_OCTETS: std::ops::RangeInclusive<usize> = (8 << 10)..=(256 << 10);

/// Octets are joined for this share of the lease of an upload at most.
const LEASE_SHARE: u32 = 4;

/// Joins pieces that follow each other and keeps the beginning of the message.
#[derive(Debug)]
pub(super) struct Body {
    joined: BytesMut,
    /// How many octets of the message come before the joined ones.
    offset: u64,
    piece_octets: usize,
    /// When they are written at the latest.
    due_at: Option<Instant>,
    /// How many of the first octets are kept.
    head_octets: usize,
    head: Option<Head>,
}

/// The first octets of the message, as they stand after all overlaps.
#[derive(Debug, Default)]
struct Head(Collector);

impl Body {
    /// `head_octets`: how many of the first octets are wanted besides.
    pub(super) fn new(head_octets: usize) -> Body {
        Body {
            joined: BytesMut::new(),
            offset: 0,
            piece_octets: *PIECE_OCTETS.start(),
            due_at: None,
            head_octets,
            head: (head_octets > 0).then(Head::default),
        }
    }

    /// Takes octets; writes what is enough for a piece. Pieces are the smaller the more `sessions` there
    /// are, and end where blocks of the store do.
    pub(super) async fn put(
        &mut self,
        upload: &mut Upload,
        (offset, mut octets): (u64, Bytes),
        sessions: usize,
    ) -> Result<(), UploadError> {
        if let Some(Head(collector)) = &mut self.head
            && let Some(octets) = within_head(self.head_octets, offset, &octets)
        {
            collector.put(offset, octets);
        }
        if offset != self.offset + self.joined.len() as u64 {
            self.flush(upload).await?;
            self.offset = offset;
        }
        while !octets.is_empty() {
            if self.joined.is_empty() {
                self.piece_octets = piece_octets(sessions);
                self.joined = BytesMut::with_capacity(self.piece_octets);
                self.due_at = Some(Instant::now() + upload.lease() / LEASE_SHARE);
            }
            let room = self.room();
            let part = octets.split_to(octets.len().min(room));
            self.joined.extend_from_slice(&part);
            if part.len() == room {
                self.flush(upload).await?;
            }
        }
        Ok(())
    }

    /// Octets until the piece ends.
    fn room(&self) -> usize {
        let end = self.offset + self.joined.len() as u64;
        let within = end % self.piece_octets as u64;
        self.piece_octets - usize::try_from(within).unwrap_or(0)
    }

    /// Waits until joined octets must be written although they are no whole piece: of a slow sender the
    /// store would see no progress.
    pub(super) async fn is_due(&self) {
        match self.due_at {
            Some(due_at) => sleep_until(due_at).await,
            None => pending().await,
        }
    }

    /// Writes what is left.
    pub(super) async fn flush(&mut self, upload: &mut Upload) -> Result<(), UploadError> {
        self.due_at = None;
        if self.joined.is_empty() {
            return Ok(());
        }
        let piece = std::mem::take(&mut self.joined).freeze();
        let offset = self.offset;
        self.offset += piece.len() as u64;
        upload.write(offset, piece).await
    }

    /// The first octets of a message of so many, if they were wanted.
    pub(super) fn head(&mut self, total: u64) -> Option<Bytes> {
        let Head(collector) = self.head.take()?;
        Some(collector.finish(total.min(self.head_octets as u64)))
    }
}

/// A power of two.
fn piece_octets(sessions: usize) -> usize {
    let (least, most) = PIECE_OCTETS.into_inner();
    let share = (BUDGET_OCTETS / sessions.max(1)).clamp(least, most);
    1 << share.ilog2()
}

/// The part of a piece that belongs to the head.
fn within_head(limit: usize, offset: u64, octets: &[u8]) -> Option<&[u8]> {
    let room = usize::try_from((limit as u64).checked_sub(offset)?).ok()?;
    octets
        .get(..room.min(octets.len()))
        .filter(|octets| !octets.is_empty())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn many_sessions_share_the_budget() {
        assert_eq!(piece_octets(0), 256 << 10);
        assert_eq!(piece_octets(12), 256 << 10);
        assert_eq!(piece_octets(13), 128 << 10);
        assert_eq!(piece_octets(200), 8 << 10);
        assert_eq!(piece_octets(usize::MAX), 8 << 10);
    }

    #[test]
    fn pieces_end_where_blocks_do() {
        let mut body = Body::new(0);
        body.piece_octets = 64 << 10;
        assert_eq!(body.room(), 64 << 10);
        body.offset = (256 << 10) + 10;
        body.joined.extend_from_slice(&[0; 20]);
        assert_eq!(body.room(), (64 << 10) - 30);
    }

    #[test]
    fn only_octets_of_the_head_are_kept() {
        assert_eq!(within_head(100, 0, b"Hello"), Some(b"Hello".as_slice()));
        assert_eq!(within_head(100, 98, b"Hello"), Some(b"He".as_slice()));
        assert_eq!(within_head(100, 100, b"Hello"), None);
        assert_eq!(within_head(100, u64::MAX, b"Hello"), None);
    }
}
