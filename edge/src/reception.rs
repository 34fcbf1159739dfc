//! Large messages in: the INVITE of a sender, its MSRP session, its message (DEF rows, CFL rows).
//!
//! Pure decisions: [`offer`], [`file`], [`answer`]. [`setup`] takes an INVITE up to its 2xx; [`begin`] has it
//! live in the dialog while a transfer streams octets from MSRP to the store as they arrive. Nothing is
//! visible before the commit, and what it is committed as is the edge's [`Purpose`].

pub mod answer;
mod body;
pub mod file;
pub mod offer;
pub mod preview;
mod session;
pub mod setup;
mod transfer;

use std::sync::Arc;
use std::time::Duration;

use msrp::{AcceptTypes, RequestHead};
use net::msrp::AnswerHandle;
use net::sip::ServerTransaction;
use sip::StatusCode;
use storage_client::Upload;
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio::time::Instant;
use tokio_util::task::TaskTracker;

use crate::config::Large;
use crate::now;
use crate::refuse::Refusal;
use crate::response::answer as answer_to;
use crate::user_agent::UserAgent;
use session::Session;
use setup::Agreed;
pub use transfer::{End, refuse};

/// The sessions of an edge in which messages come in.
#[derive(Debug)]
pub struct Receptions {
    /// What is taken, and how long is waited for it.
    pub config: Large,
    /// How long a session is left open that has had its message, for its sender to end it.
    pub farewell: Duration,
    places: Arc<Semaphore>,
    limit: usize,
    /// Their tasks, for a drain to wait for.
    pub tasks: TaskTracker,
}

impl Receptions {
    /// None yet, with room for so many as the configuration says.
    #[must_use]
    pub fn new(config: Large, farewell: Duration) -> Self {
        let limit = usize::try_from(config.sessions).unwrap_or(Semaphore::MAX_PERMITS);
        let limit = limit.min(Semaphore::MAX_PERMITS);
        Self {
            config,
            farewell,
            places: Arc::new(Semaphore::new(limit)),
            limit,
            tasks: TaskTracker::new(),
        }
    }

    /// Sessions that live now.
    fn active(&self) -> usize {
        self.limit.saturating_sub(self.places.available_permits())
    }

    /// A place among the sessions of this edge.
    ///
    /// # Errors
    /// 503 where there is none, and in a drain.
    pub fn place(&self, ua: &UserAgent) -> Result<OwnedSemaphorePermit, Refusal> {
        if ua.draining.is_cancelled() {
            return Err(Refusal::Overloaded);
        }
        let place = Arc::clone(&self.places).try_acquire_owned();
        place.map_err(|_| Refusal::Overloaded)
    }

    /// What is taken from senders.
    #[must_use]
    pub fn accept_types(&self) -> AcceptTypes {
        AcceptTypes::of(self.config.accept_types.iter().map(String::as_str))
    }
}

/// Begins the session of an INVITE that was answered 200; it lives by itself.
pub fn begin<P: Purpose>(
    (ua, receptions): (&Arc<UserAgent>, &Arc<Receptions>),
    invite: ServerTransaction,
    agreed: Agreed<P>,
) {
    let session = Session::new((ua, receptions), invite, agreed);
    receptions.tasks.spawn(session.run());
}

/// Answers an INVITE whose sender cancelled it before it was set up (ERR-20); what the store had admitted is
/// forgotten.
pub fn cancelled(ua: &UserAgent, invite: &ServerTransaction) {
    let (request, status) = (invite.request(), StatusCode::REQUEST_TERMINATED);
    invite.respond(answer_to(request, status, &ua.signature, now()).build());
}

/// What a message becomes of which every octet is here.
pub trait Purpose: Send + Sync + 'static {
    /// Octets of the beginning of a message with this head that [`commit`](Self::commit) wants to see.
    fn beginning_octets(&self, head: &RequestHead) -> usize;

    /// Has the message made durable, then answers its sender: promise P1 is kept here.
    fn commit(&self, whole: Whole<'_>) -> impl Future<Output = End> + Send;

    /// The sender has ended the session in which this came that is [`End::Stored`].
    fn ended_by_sender(
        &self,
        ua: &UserAgent,
        stored: &str,
        bye: &sip::Request,
    ) -> impl Future<Output = ()> + Send;
}

/// A message of which every octet is with the store, not visible yet.
#[derive(Debug)]
pub struct Whole<'a> {
    /// Head of its first SEND.
    pub head: &'a RequestHead,
    /// Its first octets, if they were wanted.
    pub beginning: Option<bytes::Bytes>,
    /// Its length in octets.
    pub total: u64,
    /// Where its octets are.
    pub upload: Upload,
    /// The answer to its last SEND.
    pub answer: AnswerHandle,
    /// When its first octet came.
    pub begun: Instant,
}
