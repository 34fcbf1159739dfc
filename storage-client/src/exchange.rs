//! The busy channel: deposits, acknowledgements and releases on one stream (design: the edge–storage channel).
//!
//! [`Queue`](queue::Queue) decides what is sent, sent again and given up, without a clock or a
//! socket; [`Driver`](driver::Driver) moves it.

mod driver;
mod lane;
mod link;
mod queue;
mod waiter;

use std::time::Duration;

use proto::v1::exchange_answer::Answer;
use proto::v1::exchange_entry::Request;
use tokio::sync::mpsc::error::TrySendError;
use tokio::sync::{mpsc, oneshot};
use tokio::time::Instant;
use tonic::transport::Channel;

use self::lane::Encoded;
use self::waiter::Waiter;
use crate::contact::Contact;
use crate::{ClientConfig, Unavailable};

/// The largest deposit that the stream carries; larger contents have channels of their own.
pub const MAX_ENTRY_OCTETS: usize = 2 << 20;

/// When to try again after the window was full: it empties within the deadline of a deposit.
const WINDOW_RETRY_AFTER: Duration = Duration::from_secs(3);

/// One entry on its way to the driver.
struct Submission {
    request: Encoded,
    deadline: Instant,
    waiter: Waiter,
}

/// The callers' end of the stream.
#[derive(Clone, Debug)]
pub(crate) struct Exchange {
    submissions: mpsc::Sender<Submission>,
}

impl Exchange {
    /// Starts the driver; it ends when the last handle is dropped.
    pub(crate) fn start(channel: Channel, config: ClientConfig, contact: Contact) -> Self {
        let (submissions, receiver) = mpsc::channel(config.window.max(1));
        tokio::spawn(driver::Driver::new(channel, config, contact, receiver).run());
        Self { submissions }
    }

    /// Sends one entry and waits for its answer, at most `patience`.
    pub(crate) async fn call(
        &self,
        request: Request,
        patience: Duration,
    ) -> Result<Answer, Unavailable> {
        let (sender, answer) = oneshot::channel();
        // A caller that no longer waits has nothing to be told.
        self.submit(request, patience, move |result| drop(sender.send(result)));
        answer
            .await
            .unwrap_or_else(|_| Err(Unavailable::new("the client is closing")))
    }

    /// Sends one entry and tells what becomes of it, after `patience` at the latest. `tell` runs once,
    /// here or in the task that moves the stream: it must neither wait nor compute for long.
    pub(crate) fn submit(
        &self,
        request: Request,
        patience: Duration,
        tell: impl FnOnce(Result<Answer, Unavailable>) + Send + 'static,
    ) {
        let waiter = Waiter::new(tell);
        let request = Encoded::new(request);
        if request.len() > MAX_ENTRY_OCTETS {
            return waiter.tell(Err(Unavailable::new("too large for the deposit stream")));
        }
        let submission = Submission {
            request,
            deadline: Instant::now() + patience,
            waiter,
        };
        match self.submissions.try_send(submission) {
            Ok(()) => {}
            Err(TrySendError::Full(refused) | TrySendError::Closed(refused)) => {
                refused.waiter.tell(Err(window_full()));
            }
        }
    }
}

/// The answer to an entry for which there is no room.
fn window_full() -> Unavailable {
    Unavailable {
        reason: "too many unanswered deposits".to_owned(),
        retry_after: WINDOW_RETRY_AFTER,
    }
}
