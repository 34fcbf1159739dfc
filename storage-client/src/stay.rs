//! Keeping a stream open: opened, served until it breaks, and opened again after a pause.

use std::future::Future;

use tokio::time::{sleep, timeout};
use tonic::Status;

use crate::ClientConfig;
use crate::backoff::Backoff;

/// One kind of long-lived stream.
pub(crate) trait Stay {
    /// An open one.
    type Stream: Send;

    /// For the log.
    const WHAT: &'static str;

    /// Opens it; has [`ClientConfig::request_deadline`] for that.
    fn open(&mut self) -> impl Future<Output = Result<Self::Stream, Status>> + Send;

    /// Serves it until it breaks; says how.
    fn serve(&mut self, stream: Self::Stream) -> impl Future<Output = Status> + Send;
}

/// Never returns.
pub(crate) async fn stay<T: Stay>(this: &mut T, config: &ClientConfig) {
    let mut backoff = Backoff::new(config.reconnect_min, config.reconnect_max);
    loop {
        let status = match timeout(config.request_deadline, this.open()).await {
            Ok(Ok(stream)) => {
                backoff.reset();
                this.serve(stream).await
            }
            Ok(Err(status)) => status,
            Err(_) => Status::deadline_exceeded("the stream did not open"),
        };
        let (what, code) = (T::WHAT, status.code());
        tracing::debug!(what, ?code, reason = status.message(), "stream ended");
        let pause = backoff.pause(&mut rand::rng());
        sleep(pause).await;
    }
}
