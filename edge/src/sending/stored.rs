//! The body of a SEND that is read from the store while it leaves, so that a message of any size costs a few
//! pieces of memory (P9).

use std::io;

use bytes::Bytes;
use futures_util::future::BoxFuture;
use net::msrp::{BodyRead, BodySource};
use storage_client::PartReader;

/// How the store is asked for the octets.
type Opening = BoxFuture<'static, io::Result<PartReader>>;

/// Octets that the store keeps, of a number known before any of them is read. The store is asked when the
/// first of them is wanted: what waits in a session holds nothing.
pub struct StoredBody {
    remaining: u64,
    opening: Option<Opening>,
    reader: Option<PartReader>,
    piece: Bytes,
}

impl StoredBody {
    /// So many octets, for which the store is asked in this way.
    #[must_use]
    pub fn new(
        octets: u64,
        opening: impl Future<Output = io::Result<PartReader>> + Send + 'static,
    ) -> Self {
        Self {
            remaining: octets,
            opening: Some(Box::pin(opening)),
            reader: None,
            piece: Bytes::new(),
        }
    }

    /// Octets that were not read yet.
    #[must_use]
    pub fn remaining(&self) -> u64 {
        self.remaining
    }

    /// Some octets, at most so many; none when all are read.
    async fn next(&mut self, max_octets: usize) -> io::Result<Bytes> {
        if self.remaining == 0 {
            return Ok(Bytes::new());
        }
        if self.piece.is_empty() {
            self.piece = self.next_piece().await?;
        }
        let octets = self.piece.split_to(max_octets.min(self.piece.len()));
        // A store that sends more than it announced is not believed about any of it.
        self.remaining = self
            .remaining
            .checked_sub(octets.len() as u64)
            .ok_or(io::ErrorKind::InvalidData)?;
        Ok(octets)
    }

    /// The next octets of the store; there are some, because some remain.
    async fn next_piece(&mut self) -> io::Result<Bytes> {
        if let Some(opening) = &mut self.opening {
            self.reader = Some(opening.await?);
            self.opening = None;
        }
        let reader = self.reader.as_mut().ok_or(io::ErrorKind::NotConnected)?;
        let piece = reader.next().await.map_err(io::Error::other)?;
        piece.ok_or_else(|| io::ErrorKind::UnexpectedEof.into())
    }
}

impl BodySource for StoredBody {
    fn read(&mut self, max_octets: usize) -> BodyRead<'_> {
        Box::pin(self.next(max_octets))
    }
}
