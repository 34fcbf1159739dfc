//! Content read piece by piece, for whoever listens. While one piece is handed out the next ones are being read:
//! what has been written past the page cache comes from the disk, which is the faster the more it is asked for at a time.

use std::collections::VecDeque;
use std::sync::Arc;

use bytes::Bytes;
use futures_util::stream::try_unfold;
use storage::model::{JobNumber, MessageNumber, PartKind};
use storage::{Store, StoreError};
use tokio::sync::{Semaphore, SemaphorePermit};
use tokio_stream::Stream;
use tokio_util::task::AbortOnDropHandle;
use tonic::Status;

use crate::status;

/// Octets of one piece: of one row of a large content, which is handed out as it was read.
const PIECE_OCTETS: u64 = 64 << 10;
/// Pieces that one reading has under way or in memory.
const PIECES: usize = 8;
/// Those of all readings together, the first of each apart: 4 MiB of memory.
static AHEAD: Semaphore = Semaphore::const_new(64);

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
    /// Where the next read begins.
    offset: u64,
    left: u64,
    /// In their order.
    under_way: VecDeque<Read>,
}

/// A read that goes on by itself, until nobody wants it.
struct Read {
    piece: AbortOnDropHandle<Result<Bytes, StoreError>>,
    /// None for what a reading always may.
    _ahead: Option<SemaphorePermit<'static>>,
}

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
            under_way: VecDeque::with_capacity(PIECES),
        };
        let mut first = reading.next().await?;
        Ok(try_unfold(reading, move |mut reading| {
            let first = std::mem::take(&mut first);
            async move {
                let piece = match first {
                    Some(first) => Some(first),
                    None => reading.next().await?,
                };
                Ok(piece.map(|piece| (piece, reading)))
            }
        }))
    }

    /// The next piece; `None` at the end.
    async fn next(&mut self) -> Result<Option<Bytes>, Status> {
        self.read_ahead();
        let Some(read) = self.under_way.pop_front() else {
            return Ok(None);
        };
        let piece = read.piece.await.unwrap_or(Err(StoreError::Closed));
        let piece = piece.map_err(|error| status::of_store(&error))?;
        if piece.is_empty() {
            self.left = 0;
            self.under_way.clear();
            return Ok(None);
        }
        Ok(Some(piece))
    }

    fn read_ahead(&mut self) {
        while self.left > 0 && self.under_way.len() < PIECES {
            let ahead = AHEAD.try_acquire().ok();
            if ahead.is_none() && !self.under_way.is_empty() {
                return;
            }
            // Up to the end of a row, so that no row is read twice.
            let wanted = (PIECE_OCTETS - self.offset % PIECE_OCTETS).min(self.left);
            let piece = AbortOnDropHandle::new(tokio::spawn(self.read(wanted)));
            self.under_way.push_back(Read {
                piece,
                _ahead: ahead,
            });
            self.offset = self.offset.saturating_add(wanted);
            self.left -= wanted;
        }
    }

    fn read(&self, wanted: u64) -> impl Future<Output = Result<Bytes, StoreError>> + Send + use<S> {
        let wanted = usize::try_from(wanted).unwrap_or(usize::MAX);
        let (store, content, offset) = (Arc::clone(&self.store), self.content, self.offset);
        async move {
            match content {
                Content::Part(number, part) => store.read_part(number, part, offset, wanted).await,
                Content::Job(number) => store.read_job_content(number, offset, wanted).await,
            }
        }
    }
}
