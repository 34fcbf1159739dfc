//! The MSRP side of a session: octets stream from the connection to the store, and the last SEND is
//! answered when they are on disk (DEF-12..16).

use std::future::pending;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::Duration;

use msrp::{Abandonment, status};
use net::msrp::{AnswerHandle, Inbound, MsrpSession, OpenError, PendingSession, Piece};
use storage_client::{DepositAnswer, Upload, UploadError};
use tokio::time::{Instant, sleep, sleep_until, timeout};
use tokio_util::sync::CancellationToken;

use super::body::Body;
use super::record::{Envelope, has_own_headers};
use super::setup::Route;
use crate::edge::Edge;
use crate::ingress::accept;
use crate::{event, metrics};

/// Longest time for an ACK, after which the dialog ends by itself (64·T1).
const ACK_PATIENCE: Duration = Duration::from_secs(32);

/// How far a transfer is, for whoever has to decide whether to wait for it.
#[derive(Debug, Default)]
pub(crate) struct Activity {
    octets: AtomicU64,
    is_committing: AtomicBool,
}

impl Activity {
    /// Octets received so far.
    pub(crate) fn octets(&self) -> u64 {
        self.octets.load(Ordering::Relaxed)
    }

    /// Whether the store has been asked to make the message durable.
    pub(crate) fn is_committing(&self) -> bool {
        self.is_committing.load(Ordering::Relaxed)
    }
}

/// How a transfer ended.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum End {
    /// The message is on disk under this Message-ID.
    Stored(String),
    /// The sender gave up: nothing more is to be expected.
    Abandoned,
    /// No connection, no SEND or no progress in time (DEF-16).
    Silent,
    /// We refused it: too large, or of no use.
    Refused,
    /// The connection was lost or never was the peer's.
    Lost,
    /// The store failed: no final 200.
    Unavailable,
}

/// The MSRP session that a transfer leaves behind.
#[derive(Debug)]
pub(crate) struct Remainder {
    pub(crate) session: MsrpSession,
    /// A message for which the store failed. As long as it is kept the session reads no further, and
    /// its sender hears neither a 200 nor a refusal that would keep him from trying again.
    unanswered: Option<Inbound>,
}

impl Remainder {
    /// Ends the session after the answers that were given have left.
    pub(crate) async fn close(self) {
        self.session.close().await;
        drop(self.unanswered);
    }
}

/// One transfer.
#[derive(Debug)]
pub(crate) struct Transfer {
    pub(crate) edge: Arc<Edge>,
    pub(crate) route: Route,
    pub(crate) envelope: Envelope,
    pub(crate) activity: Arc<Activity>,
    /// Cancelled by the ACK.
    pub(crate) acknowledged: CancellationToken,
}

impl Transfer {
    /// Receives one message; also gives the session, which may have answers to write.
    pub(crate) async fn run(
        self,
        pending: PendingSession,
        mut upload: Option<Upload>,
    ) -> (Option<Remainder>, End) {
        let mut session = tokio::select! {
            opened = self.open(pending) => match opened {
                Ok(session) => session,
                Err(OpenError::Timeout) => return (None, End::Silent),
                Err(error) => {
                    tracing::debug!(%error, "reception.not_connected");
                    return (None, End::Lost);
                }
            },
            () = self.no_send_in_time() => return (None, End::Silent),
            end = ended(&mut upload) => return (None, end),
        };
        // One moment for the whole session: empty messages are no content, and gain no time.
        let mut too_late = std::pin::pin!(self.no_send_in_time());
        let (unanswered, end) = loop {
            let inbound = tokio::select! {
                inbound = session.next() => inbound,
                () = &mut too_late => break (None, End::Silent),
                end = ended(&mut upload) => break (None, end),
            };
            let Some(mut inbound) = inbound else {
                break (None, End::Lost);
            };
            if let Some(end) = self.receive(&mut inbound, &mut upload).await {
                break ((end == End::Unavailable).then_some(inbound), end);
            }
        };
        let remainder = Remainder {
            session,
            unanswered,
        };
        (Some(remainder), end)
    }

    async fn open(&self, pending: PendingSession) -> Result<MsrpSession, OpenError> {
        let peer_path = self.route.peer_path.clone();
        let Some(address) = self.route.connect_to else {
            let wait = ACK_PATIENCE + self.edge.config.large.first_send;
            return pending.accept(peer_path, wait).await;
        };
        // The peer listens for sure once it has our answer.
        self.acknowledged.cancelled().await;
        let wait = self.edge.config.msrp.connect_timeout;
        pending
            .connect_to(address, peer_path, &self.route.signalling_peer, wait)
            .await
    }

    async fn no_send_in_time(&self) {
        self.acknowledged.cancelled().await;
        sleep(self.edge.config.large.first_send).await;
    }

    /// Takes one message; none for one without octets, which counts for nothing (DEF-15).
    async fn receive(&self, inbound: &mut Inbound, upload: &mut Option<Upload>) -> Option<End> {
        let begun = Instant::now();
        let mut body = Body::new(has_own_headers(inbound.head()));
        let mut silent_at = begun + self.edge.config.large.stall;
        loop {
            let piece = tokio::select! {
                biased;
                piece = inbound.next() => piece,
                // A failed store is told at once, however silent the sender is.
                end = ended(upload) => return Some(end),
                () = sleep_until(silent_at) => return Some(End::Silent),
                () = body.is_due() => {
                    let upload = upload.as_mut()?;
                    if let Some(end) = self.in_time(body.flush(upload)).await {
                        return Some(end);
                    }
                    continue;
                }
            };
            silent_at = Instant::now() + self.edge.config.large.stall;
            match piece {
                None => return Some(End::Lost),
                Some(Piece::Abandoned(Abandonment::Empty)) => return None,
                Some(Piece::Abandoned(Abandonment::BySender)) => return Some(End::Abandoned),
                Some(Piece::Abandoned(Abandonment::Refused(_))) => return Some(End::Refused),
                Some(Piece::Octets { offset, octets }) => {
                    let upload = upload.as_mut()?;
                    let length = octets.len() as u64;
                    self.activity.octets.fetch_add(length, Ordering::Relaxed);
                    let sessions = self.edge.receptions.active();
                    let putting = body.put(upload, (offset, octets), sessions);
                    if let Some(end) = self.in_time(putting).await {
                        return Some(end);
                    }
                }
                Some(Piece::Complete { total, answer }) => {
                    self.activity.is_committing.store(true, Ordering::Relaxed);
                    let upload = upload.take()?;
                    let whole = Whole {
                        inbound,
                        body,
                        total,
                        begun,
                    };
                    return Some(self.commit(whole, upload, answer).await);
                }
            }
        }
    }

    /// Has octets written, which may take as long as a sender may be silent; how the transfer ends if
    /// they are not. If it is refused, its session says so when the message is dropped.
    async fn in_time(&self, writing: impl Future<Output = Result<(), UploadError>>) -> Option<End> {
        match timeout(self.edge.config.large.stall, writing).await {
            Ok(Ok(())) => None,
            Ok(Err(error)) => Some(end_of(&error)),
            Err(_) => Some(End::Unavailable),
        }
    }

    /// Has the message made durable, then answers its sender.
    async fn commit(&self, whole: Whole<'_>, mut upload: Upload, answer: AnswerHandle) -> End {
        let Whole {
            inbound,
            mut body,
            total,
            begun,
        } = whole;
        let committed = match body.flush(&mut upload).await {
            Ok(()) => {
                let beginning = body.head(total);
                let deposit = self
                    .envelope
                    .deposit(inbound.head(), beginning.as_ref(), total);
                let class = deposit.class;
                let committed = upload.commit(deposit).await;
                committed.map(|answer| (class, answer))
            }
            Err(error) => Err(error),
        };
        match committed {
            Ok((class, DepositAnswer::Deposited(proof))) => {
                accept::accept_send(answer, &proof);
                let transport = self.envelope.transport;
                metrics::accepted(class, transport, proof.duplicate(), begun.elapsed());
                event::message_accepted(&self.envelope.invite, &self.envelope.served_user, &proof);
                End::Stored(proof.message_id().to_owned())
            }
            Ok((_, DepositAnswer::Refused(_))) => {
                answer.refuse(status::STOP_SENDING);
                End::Refused
            }
            Err(error) => {
                let end = end_of(&error);
                match end {
                    End::Refused => answer.refuse(status::STOP_SENDING),
                    _ => answer.withhold(),
                }
                end
            }
        }
    }
}

/// A message of which every octet is here.
struct Whole<'a> {
    inbound: &'a Inbound,
    body: Body,
    total: u64,
    begun: Instant,
}

fn end_of(error: &UploadError) -> End {
    match error {
        UploadError::Refused(_) | UploadError::TooLarge => End::Refused,
        UploadError::Lapsed => End::Silent,
        _ => End::Unavailable,
    }
}

/// How the store ends an upload by itself; never, if there is none any more.
async fn ended(upload: &mut Option<Upload>) -> End {
    match upload {
        Some(upload) => end_of(&upload.ended().await),
        None => pending().await,
    }
}
