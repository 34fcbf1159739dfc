//! The MSRP side of a session: octets stream from the connection to the store, and the last SEND is
//! answered when they are on disk (DEF-12..16).

use std::future::pending;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::Duration;

use msrp::{Abandonment, RequestHead, status};
use net::msrp::{AnswerHandle, Inbound, MsrpSession, OpenError, PendingSession, Piece};
use storage_client::{Upload, UploadError};
use tokio::time::{Instant, sleep, sleep_until, timeout};
use tokio_util::sync::CancellationToken;

use super::body::Body;
use super::setup::Route;
use super::{Purpose, Receptions, Whole};
use crate::user_agent::UserAgent;

/// Longest time for an ACK, after which the dialog ends by itself (64·T1).
const ACK_PATIENCE: Duration = Duration::from_secs(32);

/// How far a transfer is, for whoever has to decide whether to wait for it.
#[derive(Debug, Default)]
pub(super) struct Activity {
    octets: AtomicU64,
    is_committing: AtomicBool,
}

impl Activity {
    /// Octets received so far.
    pub(super) fn octets(&self) -> u64 {
        self.octets.load(Ordering::Relaxed)
    }

    /// Whether the store has been asked to make the message durable.
    pub(super) fn is_committing(&self) -> bool {
        self.is_committing.load(Ordering::Relaxed)
    }
}

/// How a transfer ended.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum End {
    /// The message is on disk under this name.
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
pub(super) struct Remainder {
    pub(super) session: MsrpSession,
    /// A message for which the store failed. As long as it is kept the session reads no further, and
    /// its sender hears neither a 200 nor a refusal that would keep him from trying again.
    unanswered: Option<Inbound>,
}

impl Remainder {
    /// Ends the session after the answers that were given have left.
    pub(super) async fn close(self) {
        self.session.close().await;
        drop(self.unanswered);
    }
}

/// One transfer.
#[derive(Debug)]
pub(super) struct Transfer<P> {
    pub(super) ua: Arc<UserAgent>,
    pub(super) receptions: Arc<Receptions>,
    pub(super) route: Route,
    pub(super) purpose: Arc<P>,
    pub(super) activity: Arc<Activity>,
    /// Cancelled by the ACK.
    pub(super) acknowledged: CancellationToken,
}

impl<P: Purpose> Transfer<P> {
    /// Receives one message; also gives the session, which may have answers to write.
    pub(super) async fn run(
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
            let wait = ACK_PATIENCE + self.receptions.config.first_send;
            return pending.accept(peer_path, wait).await;
        };
        // The peer listens for sure once it has our answer.
        self.acknowledged.cancelled().await;
        let wait = self.ua.calling.connect_timeout;
        pending
            .connect_to(address, peer_path, &self.route.signalling_peer, wait)
            .await
    }

    async fn no_send_in_time(&self) {
        self.acknowledged.cancelled().await;
        sleep(self.receptions.config.first_send).await;
    }

    /// Takes one message; none for one without octets, which counts for nothing (DEF-15).
    async fn receive(&self, inbound: &mut Inbound, upload: &mut Option<Upload>) -> Option<End> {
        let begun = Instant::now();
        let mut body = Body::new(self.purpose.beginning_octets(inbound.head()));
        let mut silent_at = begun + self.receptions.config.stall;
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
            silent_at = Instant::now() + self.receptions.config.stall;
            match piece {
                None => return Some(End::Lost),
                Some(Piece::Abandoned(Abandonment::Empty)) => return None,
                Some(Piece::Abandoned(Abandonment::BySender)) => return Some(End::Abandoned),
                Some(Piece::Abandoned(Abandonment::Refused(_))) => return Some(End::Refused),
                Some(Piece::Octets { offset, octets }) => {
                    let upload = upload.as_mut()?;
                    let length = octets.len() as u64;
                    self.activity.octets.fetch_add(length, Ordering::Relaxed);
                    let sessions = self.receptions.active();
                    let putting = body.put(upload, (offset, octets), sessions);
                    if let Some(end) = self.in_time(putting).await {
                        return Some(end);
                    }
                }
                Some(Piece::Complete { total, answer }) => {
                    self.activity.is_committing.store(true, Ordering::Relaxed);
                    let upload = upload.take()?;
                    let (head, end) = (inbound.head(), (total, answer));
                    return Some(self.commit(head, body, upload, end, begun).await);
                }
            }
        }
    }

    /// Has octets written, which may take as long as a sender may be silent; how the transfer ends if
    /// they are not. If it is refused, its session says so when the message is dropped.
    async fn in_time(&self, writing: impl Future<Output = Result<(), UploadError>>) -> Option<End> {
        match timeout(self.receptions.config.stall, writing).await {
            Ok(Ok(())) => None,
            Ok(Err(error)) => Some(end_of(&error)),
            Err(_) => Some(End::Unavailable),
        }
    }

    /// Hands the message over once its last octets are written.
    async fn commit(
        &self,
        head: &RequestHead,
        mut body: Body,
        mut upload: Upload,
        (total, answer): (u64, AnswerHandle),
        begun: Instant,
    ) -> End {
        if let Err(error) = body.flush(&mut upload).await {
            return refuse(answer, &error);
        }
        let whole = Whole {
            head,
            beginning: body.head(total),
            total,
            upload,
            answer,
            begun,
        };
        self.purpose.commit(whole).await
    }
}

/// Answers the last SEND of a message that the store did not take: with a refusal if it does not want it,
/// else not at all, so that its sender tries again.
pub fn refuse(answer: AnswerHandle, error: &UploadError) -> End {
    let end = end_of(error);
    match end {
        End::Refused => answer.refuse(status::STOP_SENDING),
        _ => answer.withhold(),
    }
    end
}

/// How a transfer ends with which the store had this trouble.
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
