//! Streams to callers that watch something: so many at a time, until the drain.

use std::future::Future;
use std::sync::Arc;

use tokio::sync::Semaphore;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;
use tonic::Status;

use crate::status;

/// Callers of one kind that watch at a time.
const WATCHES_MAX: usize = 256;

/// The places of one kind of watch.
pub(crate) struct Watches {
    places: Arc<Semaphore>,
    streams: TaskTracker,
    shutdown: CancellationToken,
}

impl Watches {
    /// Watches end when `shutdown` is cancelled; `streams` tracks them.
    pub(crate) fn new(streams: TaskTracker, shutdown: CancellationToken) -> Self {
        Self {
            places: Arc::new(Semaphore::new(WATCHES_MAX)),
            streams,
            shutdown,
        }
    }

    /// Begins a watch, which is to end when the token it gets is cancelled.
    ///
    /// # Errors
    /// UNAVAILABLE in a drain, RESOURCE_EXHAUSTED without a free place.
    pub(crate) fn begin<W>(&self, watch: impl FnOnce(CancellationToken) -> W) -> Result<(), Status>
    where
        W: Future<Output = ()> + Send + 'static,
    {
        if self.shutdown.is_cancelled() {
            return Err(status::draining());
        }
        let place = Arc::clone(&self.places).try_acquire_owned();
        let place = place.map_err(|_| Status::resource_exhausted("too many watches"))?;
        let watching = watch(self.shutdown.clone());
        self.streams.spawn(async move {
            watching.await;
            drop(place);
        });
        Ok(())
    }
}
