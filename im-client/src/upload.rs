//! What a caller sees of a large message on its way, and can do about it.

use std::sync::Arc;

use tokio::sync::watch;
use tokio_util::sync::CancellationToken;

/// A hand on one upload. Clones are hands on the same one.
#[derive(Clone, Debug)]
pub struct UploadControl {
    cancelled: CancellationToken,
    sent: Arc<watch::Sender<u64>>,
}

impl Default for UploadControl {
    fn default() -> Self {
        Self {
            cancelled: CancellationToken::new(),
            sent: Arc::new(watch::Sender::new(0)),
        }
    }
}

impl UploadControl {
    /// Gives the message up: CANCEL before a final response, BYE after it (LMC-01). A message that has
    /// been taken stays taken.
    pub fn cancel(&self) {
        self.cancelled.cancel();
    }

    /// Octets handed to the connection so far.
    #[must_use]
    pub fn progress(&self) -> watch::Receiver<u64> {
        self.sent.subscribe()
    }

    pub(crate) async fn cancelled(&self) {
        self.cancelled.cancelled().await;
    }

    pub(crate) fn counter(&self) -> Arc<watch::Sender<u64>> {
        Arc::clone(&self.sent)
    }
}

/// A large message that arrived.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Uploaded {
    /// Its length in octets.
    pub octets: u64,
    /// Whether the peer said that it holds the message for others (LMO-12), and its REPORT was waited for.
    pub by_focus: bool,
}
