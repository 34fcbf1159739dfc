//! Content read piece by piece, for whoever listens. While one read is handed out the next one is under way: what has
//! been written past the page cache comes from the disk.

use std::sync::Arc;

use bytes::Bytes;
use futures_util::stream::try_unfold;
use storage::model::{JobNumber, MessageNumber, PartKind};
use storage::{Store, StoreError};
use tokio_stream::Stream;
use tokio_util::task::AbortOnDropHandle;
use tonic::Status;

use crate::status;

/// Octets of one piece.
const PIECE_OCTETS: usize = 64 << 10;
/// Octets that are read together; twice as many are in memory.
const READ_OCTETS: u64 = 128 << 10;

/// What is read.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Content {
    /// A part of a message.
    Part(MessageNumber, PartKind),
    /// What the legs of a job send.
    Job(JobNumber),
}

/// How far it has been read.
pub(crate) struct Reading<S> {
    store: Arc<S>,
    content: Content,
    offset: u64,
    left: u64,
    /// Read and not handed out yet.
    ready: Bytes,
    /// What follows on it.
    ahead: Option<Read>,
}

/// A read that goes on by itself, until nobody wants it.
type Read = AbortOnDropHandle<Result<Bytes, StoreError>>;

impl<S: Store> Reading<S> {
    /// Pieces of a content from an offset on, so many octets of it or all if that is zero. The first one
    /// is read at once, so that what is not there is the status of the call.
    pub(crate) async fn begin(
        store: Arc<S>,
        content: Content,
        (offset, length): (u64, u64),
    ) -> Result<impl Stream<Item = Result<Bytes, Status>> + Send + use<S>, Status> {
        let mut reading = Self {
            store,
            content,
            offset,
            left: if length == 0 { u64::MAX } else { length },
            ready: Bytes::new(),
            ahead: None,
        };
        reading.read().await?;
        Ok(try_unfold(reading, |mut reading| async move {
            if reading.ready.is_empty() {
                reading.read().await?;
            }
            let length = reading.ready.len().min(PIECE_OCTETS);
            let piece = reading.ready.split_to(length);
            Ok((!piece.is_empty()).then_some((piece, reading)))
        }))
    }

    /// Reads on; nothing at the end.
    async fn read(&mut self) -> Result<(), Status> {
        let Some(read) = self.ahead.take().or_else(|| self.begin_read()) else {
            return Ok(());
        };
        let read = read.await.unwrap_or(Err(StoreError::Closed));
        self.ready = read.map_err(|error| status::of_store(&error))?;
        let length = self.ready.len() as u64;
        self.offset = self.offset.saturating_add(length);
        self.left = self.left.saturating_sub(length);
        if length > 0 {
            self.ahead = self.begin_read();
        }
        Ok(())
    }

    /// Nothing if all that was asked for has been read.
    fn begin_read(&self) -> Option<Read> {
        let wanted = usize::try_from(self.left.min(READ_OCTETS)).unwrap_or(usize::MAX);
        let (store, content, offset) = (Arc::clone(&self.store), self.content, self.offset);
        let read = async move {
            match content {
                Content::Part(number, part) => store.read_part(number, part, offset, wanted).await,
                Content::Job(number) => store.read_job_content(number, offset, wanted).await,
            }
        };
        (wanted > 0).then(|| AbortOnDropHandle::new(tokio::spawn(read)))
    }
}
