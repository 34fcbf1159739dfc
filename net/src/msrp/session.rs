//! A session as its user sees it.

use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};

use ::msrp::{Event, Failure, OutboundMessage, Outbox, OutboxConfig, Path};
use tokio::sync::{mpsc, oneshot};
use tokio_util::sync::{CancellationToken, DropGuard};
use tokio_util::task::TaskTracker;

use super::body::BodySource;
use super::config::SessionRules;
use super::connection::Connection;
use super::inbound::Inbound;
use super::incoming::Incoming;
use super::outgoing::{Command, Outgoing, SharedOutbox};
use super::registry::Registration;

/// Messages that wait to be taken up by the sending half.
const COMMAND_QUEUE: usize = 4;
/// Responses and REPORTs that wait to be written, and answers that are still owed.
const CONTROL_QUEUE: usize = 64;
/// Received messages that wait for [`MsrpSession::next`].
const INBOUND_QUEUE: usize = 4;

/// The message arrived: its last chunk was answered 200 and, where asked for, REPORTs cover it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub struct Receipt;

/// Why a message is not known to have arrived.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum SendFailure {
    /// The peer refused it with this code. After 408, 481 and 506 the session sends no more (3.5).
    #[error("the peer answered {0}")]
    Refused(u16),
    /// It was given up.
    #[error("given up: {0}")]
    Aborted(AbortReason),
    /// No response within 30 s, or no success REPORT within 120 s; the session sends no more (3.5).
    #[error("no answer in time")]
    Timeout,
    /// The connection broke.
    #[error("the connection was lost")]
    ConnectionLost,
}

/// Why a message was given up.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum AbortReason {
    /// Its body could not be read to the announced length.
    #[error("the body could not be read")]
    Body,
    /// A REPORT said that it was lost behind the first hop, with this code.
    #[error("a report says {0}")]
    Reported(u16),
    /// An earlier message failed in a way that ended the session.
    #[error("the session has failed")]
    SessionFailed,
    /// The session was closed from our side.
    #[error("the session was closed")]
    Closed,
}

impl From<Failure> for SendFailure {
    fn from(failure: Failure) -> SendFailure {
        match failure {
            Failure::TransactionTimeout | Failure::ReportTimeout => SendFailure::Timeout,
            Failure::Reported(code) => SendFailure::Aborted(AbortReason::Reported(code)),
            Failure::BodyUnavailable => SendFailure::Aborted(AbortReason::Body),
            Failure::Closed => SendFailure::Aborted(AbortReason::Closed),
            Failure::ConnectionLost => SendFailure::ConnectionLost,
            _ => SendFailure::Aborted(AbortReason::SessionFailed),
        }
    }
}

/// Resolves to what became of a message. Dropping it does not take the message back.
#[derive(Debug)]
#[must_use = "the outcome of the message comes here"]
pub struct SendTicket(oneshot::Receiver<Result<Receipt, SendFailure>>);

impl Future for SendTicket {
    type Output = Result<Receipt, SendFailure>;

    fn poll(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Self::Output> {
        let outcome = Pin::new(&mut self.0).poll(context);
        outcome.map(|told| told.unwrap_or(Err(SendFailure::ConnectionLost)))
    }
}

/// Sends messages into a session; may be cloned and used beside [`MsrpSession::next`].
#[derive(Debug, Clone)]
pub struct SessionSender(mpsc::Sender<Command>);

impl SessionSender {
    /// Hands a message over, waiting while too many are on their way; the ticket says what became
    /// of it.
    pub async fn send(&self, message: OutboundMessage, body: impl BodySource) -> SendTicket {
        let (done, ticket) = oneshot::channel();
        // A session that has ended drops the command, and the ticket says so.
        let _ = self
            .0
            .send(Command {
                message,
                body: Box::new(body),
                done,
            })
            .await;
        SendTicket(ticket)
    }
}

/// A session bound to its connection. Dropping it ends it without waiting.
#[derive(Debug)]
pub struct MsrpSession {
    sender: SessionSender,
    inbound: mpsc::Receiver<Inbound>,
    ended: CancellationToken,
    closing: DropGuard,
    local_path: Path,
    peer_path: Path,
}

/// What a session is made of.
#[derive(Debug)]
pub(super) struct SessionParts {
    pub(super) connection: Arc<Connection>,
    pub(super) registration: Registration,
    pub(super) rules: SessionRules,
    pub(super) peer_path: Path,
    pub(super) events: mpsc::Receiver<Event>,
    /// Whether the connection is ours and ends with the session.
    pub(super) active: bool,
}

impl MsrpSession {
    pub(super) fn start(parts: SessionParts, tasks: &TaskTracker) -> MsrpSession {
        let SessionParts {
            connection,
            registration,
            rules,
            peer_path,
            events,
            active,
        } = parts;
        let local_path = registration.local_path().clone();
        let mut config = OutboxConfig::new(local_path.clone(), peer_path.clone());
        config.chunk_octets = rules.chunk_octets;
        config.message_window = rules.message_window;
        config.report_timeout = rules.report_wait;
        let outbox = Arc::new(SharedOutbox::new(Outbox::new(config)));
        let (command, commands) = mpsc::channel(COMMAND_QUEUE);
        let (control, control_frames) = mpsc::channel(CONTROL_QUEUE);
        let (deliver, inbound) = mpsc::channel(INBOUND_QUEUE);
        let (closing, ended) = (CancellationToken::new(), CancellationToken::new());
        let outgoing = Outgoing::new(
            Arc::clone(&connection),
            Arc::clone(&outbox),
            commands,
            control_frames,
            closing.clone(),
        );
        let incoming = Incoming::new(
            Arc::clone(&connection),
            outbox,
            rules.inbox,
            control,
            deliver,
        );
        let over = ended.clone();
        tasks.spawn(async move {
            // The sending half ends when the session is closed, the receiving half with it.
            tokio::join!(incoming.run(events, over.clone()), async {
                outgoing.run().await;
                over.cancel();
            });
            drop(registration);
            connection.session_ended();
            if active {
                connection.close();
            }
        });
        let sender = SessionSender(command);
        let closing = closing.drop_guard();
        MsrpSession {
            sender,
            inbound,
            ended,
            closing,
            local_path,
            peer_path,
        }
    }

    /// Hands a message over, waiting while too many are on their way; the ticket says what became
    /// of it. Messages leave in the order of these calls.
    pub async fn send(&self, message: OutboundMessage, body: impl BodySource) -> SendTicket {
        self.sender.send(message, body).await
    }

    /// A handle that sends, for use beside [`next`](MsrpSession::next).
    pub fn sender(&self) -> SessionSender {
        self.sender.clone()
    }

    /// The next message that begins to come in; none once the session is over. Its octets are taken
    /// from it; while nobody takes them, the connection is not read. [`Gatherer`](super::Gatherer)
    /// takes whole messages.
    pub async fn next(&mut self) -> Option<Inbound> {
        self.inbound.recv().await
    }

    /// Waits until the session is over, by loss of its connection or by
    /// [`close`](MsrpSession::close).
    pub async fn ended(&self) {
        self.ended.cancelled().await;
    }

    /// Our path.
    pub fn local_path(&self) -> &Path {
        &self.local_path
    }

    /// The peer's path.
    pub fn peer_path(&self) -> &Path {
        &self.peer_path
    }

    /// Ends the session: gives up what is not settled, writes out the answers given, and leaves the
    /// connection.
    pub async fn close(self) {
        let MsrpSession { closing, ended, .. } = self;
        drop(closing);
        ended.cancelled().await;
    }
}
