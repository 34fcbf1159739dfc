//! Octets of one part, piece by piece.

use std::time::Duration;

use bytes::Bytes;
use proto::v1;
use tokio::time::timeout;
use tonic::Streaming;

use super::ReadPartError;
use crate::Unavailable;

/// A part that is being read. No more than a few pieces are read ahead of [`PartReader::next`];
/// dropping it ends the reading.
#[derive(Debug)]
pub struct PartReader {
    pieces: Streaming<v1::ReadPartReply>,
    patience: Duration,
}

impl PartReader {
    pub(crate) fn new(pieces: Streaming<v1::ReadPartReply>, patience: Duration) -> Self {
        Self { pieces, patience }
    }

    /// The next octets, at most 64 KiB; `None` at the end of the range or of the part.
    ///
    /// # Errors
    /// The content is gone, or the storage service does not answer within
    /// [`crate::ClientConfig::request_deadline`]. Nothing more comes.
    pub async fn next(&mut self) -> Result<Option<Bytes>, ReadPartError> {
        let piece = timeout(self.patience, self.pieces.message()).await;
        match piece {
            Ok(Ok(piece)) => Ok(piece.map(|piece| piece.octets)),
            Ok(Err(status)) => Err(ReadPartError::from_status(&status)),
            Err(_) => Err(Unavailable::new("no octets within the deadline").into()),
        }
    }
}
