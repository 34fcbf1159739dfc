//! The busy channel: deposits and acknowledgements on one stream (design: the edge–storage channel).
//!
//! [`Queue`](queue::Queue) decides what is sent, sent again and given up, without a clock or a
//! socket; [`Driver`](driver::Driver) moves it.

mod driver;
mod lane;
mod link;
mod queue;

use std::time::Duration;

use proto::v1::exchange_answer::Answer;
use proto::v1::exchange_entry::Request;
use tokio::sync::{mpsc, oneshot};
use tokio::time::Instant;
use tonic::transport::Channel;

use crate::client::Contact;
use crate::{ClientConfig, Unavailable};

/// The largest deposit that the stream carries; larger contents have channels of their own.
pub const MAX_ENTRY_OCTETS: usize = 2 << 20;

/// When to try again after the window was full: it empties within the deadline of a deposit.
const WINDOW_RETRY_AFTER: Duration = Duration::from_secs(3);

/// Where the driver leaves what became of an entry.
type Waiter = oneshot::Sender<Result<Answer, Unavailable>>;

/// One entry on its way to the driver.
struct Submission {
    request: Request,
    octets: usize,
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
        let octets = octets(&request);
        if octets > MAX_ENTRY_OCTETS {
            return Err(Unavailable::new("too large for the deposit stream"));
        }
        let (waiter, answer) = oneshot::channel();
        let submission = Submission {
            request,
            octets,
            deadline: Instant::now() + patience,
            waiter,
        };
        self.submissions
            .try_send(submission)
            .map_err(|_| window_full())?;
        answer
            .await
            .unwrap_or_else(|_| Err(Unavailable::new("the client is closing")))
    }
}

fn octets(request: &Request) -> usize {
    match request {
        Request::Deposit(deposit) => prost::Message::encoded_len(deposit),
        Request::Acknowledge(acknowledge) => prost::Message::encoded_len(acknowledge),
    }
}

/// The answer to an entry for which there is no room.
fn window_full() -> Unavailable {
    Unavailable {
        reason: "too many unanswered deposits".to_owned(),
        retry_after: WINDOW_RETRY_AFTER,
    }
}
