//! A session in its dialog: the transfer goes on while the peer refreshes, moves or ends it.

use std::sync::Arc;
use std::time::Duration;

use net::sip::ServerTransaction;
use sip::Method;
use tokio::sync::OwnedSemaphorePermit;
use tokio::time::{Instant, sleep_until, timeout};
use tokio_util::task::AbortOnDropHandle;

use super::setup::Agreed;
use super::transfer::{Activity, End, Remainder, Transfer};
use super::{Purpose, Receptions};
use crate::call::{Call, Served};
use crate::dialogs::DialogEntry;
use crate::event;
use crate::open_session::OpenSession;
use crate::user_agent::UserAgent;

/// How long octets may be on their way behind a BYE that overtook them (DEF-14).
const QUIET: Duration = Duration::from_millis(500);
/// How long an answer to BYE waits for such octets at most.
const OVERTAKEN: Duration = Duration::from_secs(4);
/// How long a refusal may be on its way before the BYE that follows it, and how long a drain waits for
/// the BYE of a sender that has had its 200.
const COURTESY: Duration = Duration::from_secs(1);

/// What a transfer leaves behind.
type Outcome = (Option<Remainder>, End);

/// Why the session ends.
enum Ending {
    /// The peer said BYE, which is not answered yet.
    ByPeer(Box<ServerTransaction>),
    /// We say BYE, for a reason that has a status code.
    ByUs(Option<u16>),
    /// The dialog is gone without one.
    Gone,
}

/// One session in which a message comes in.
#[derive(Debug)]
pub(super) struct Session<P> {
    ua: Arc<UserAgent>,
    receptions: Arc<Receptions>,
    purpose: Arc<P>,
    invite: ServerTransaction,
    call: Call,
    requests: DialogEntry,
    transfer: AbortOnDropHandle<Outcome>,
    activity: Arc<Activity>,
    /// What came of the transfer, once it is over.
    outcome: Option<Outcome>,
    /// When a session that has had its message is ended.
    farewell_at: Option<Instant>,
    /// Whether a drain has brought that moment near.
    is_hurried: bool,
    _place: OwnedSemaphorePermit,
}

impl<P: Purpose> Session<P> {
    /// Begins the transfer of what was agreed.
    pub(super) fn new(
        (ua, receptions): (&Arc<UserAgent>, &Arc<Receptions>),
        invite: ServerTransaction,
        agreed: Agreed<P>,
    ) -> Self {
        let purpose = Arc::new(agreed.purpose);
        let activity = Arc::new(Activity::default());
        let transfer = Transfer {
            ua: Arc::clone(ua),
            receptions: Arc::clone(receptions),
            route: agreed.route,
            purpose: Arc::clone(&purpose),
            activity: Arc::clone(&activity),
            acknowledged: agreed.requests.acknowledged(),
        };
        let transfer = tokio::spawn(transfer.run(agreed.pending, Some(agreed.upload)));
        Self {
            ua: Arc::clone(ua),
            receptions: Arc::clone(receptions),
            purpose,
            invite,
            call: agreed.call,
            requests: agreed.requests,
            transfer: AbortOnDropHandle::new(transfer),
            activity,
            outcome: None,
            farewell_at: None,
            is_hurried: false,
            _place: agreed.place,
        }
    }

    /// Lives until either side ends the dialog.
    pub(super) async fn run(mut self) {
        let _open = OpenSession::incoming();
        let ending = loop {
            if let Some(ending) = self.step().await {
                break ending;
            }
        };
        match ending {
            Ending::ByPeer(bye) => self.end_by_peer(&bye).await,
            Ending::ByUs(cause) => self.end_by_us(cause).await,
            Ending::Gone => {}
        }
        self.release().await;
    }

    /// Ends the MSRP session after the answers that were given have left, or a peer did not take them.
    async fn release(&mut self) {
        let remainder = self
            .outcome
            .as_mut()
            .and_then(|(remainder, _)| remainder.take());
        if let Some(remainder) = remainder {
            let _ = timeout(COURTESY, remainder.close()).await;
        }
    }

    /// Waits for the next thing to happen; says so when it is the end.
    async fn step(&mut self) -> Option<Ending> {
        let is_over = self.outcome.is_some();
        tokio::select! {
            outcome = &mut self.transfer, if !is_over => {
                // A transfer that panicked has failed.
                let outcome = outcome.unwrap_or((None, End::Unavailable));
                self.transferred(outcome)
            }
            transaction = self.requests.next() => self.serve(transaction),
            upkeep = self.call.upkeep() => match self.call.keep_alive(&self.ua, upkeep) {
                Served::Continues => None,
                Served::Ended => Some(Ending::ByUs(None)),
            },
            () = self.invite.unacknowledged() => Some(Ending::ByUs(None)),
            () = until(self.farewell_at) => Some(Ending::ByUs(None)),
            () = self.ua.draining.cancelled(), if is_over && !self.is_hurried => {
                self.is_hurried = true;
                self.farewell_at = Some(Instant::now() + COURTESY);
                None
            }
        }
    }

    /// The sender is to say BYE after its message (UPL-04), and after it gave up; else we do.
    fn transferred(&mut self, outcome: Outcome) -> Option<Ending> {
        event::transfer_ended(&outcome.1);
        let ending = match &outcome.1 {
            End::Stored(_) | End::Abandoned => None,
            End::Silent => Some(Ending::ByUs(Some(408))),
            End::Refused | End::Lost => Some(Ending::ByUs(None)),
            End::Unavailable => Some(Ending::ByUs(Some(503))),
        };
        self.outcome = Some(outcome);
        self.farewell_at = Some(Instant::now() + self.receptions.farewell);
        ending
    }

    fn serve(&mut self, transaction: ServerTransaction) -> Option<Ending> {
        if !self.call.take(&self.ua, &transaction) {
            return None;
        }
        if *transaction.request().method() == Method::Bye {
            return Some(Ending::ByPeer(Box::new(transaction)));
        }
        match self.call.answer(&self.ua, &transaction) {
            Served::Continues => None,
            Served::Ended => Some(Ending::Gone),
        }
    }

    /// DEF-14: a message that is complete is committed before the BYE is answered; one that is not is
    /// forgotten.
    async fn end_by_peer(&mut self, bye: &ServerTransaction) {
        if self.outcome.is_none() {
            self.outcome = self.overtaken().await;
        }
        // MSR-01: the path is worth nothing any more when the BYE is answered.
        self.release().await;
        self.call.answer(&self.ua, bye);
        if let Some((_, End::Stored(message_id))) = &self.outcome {
            let ended = self
                .purpose
                .ended_by_sender(&self.ua, message_id, bye.request());
            ended.await;
        }
    }

    /// What came of a transfer whose last octets the BYE may have overtaken; none if they do not come.
    async fn overtaken(&mut self) -> Option<Outcome> {
        let latest = Instant::now() + OVERTAKEN;
        loop {
            let before = self.activity.octets();
            if let Ok(outcome) = timeout(QUIET, &mut self.transfer).await {
                return outcome.ok();
            }
            if self.activity.is_committing() {
                return (&mut self.transfer).await.ok();
            }
            if self.activity.octets() == before || Instant::now() >= latest {
                return None;
            }
        }
    }

    async fn end_by_us(&mut self, cause: Option<u16>) {
        if let Some((Some(remainder), End::Refused)) = &self.outcome {
            // The sender hears of the refusal first, unless it is gone already.
            let _ = timeout(COURTESY, remainder.session.ended()).await;
        }
        let reason = cause.map(|code| format!("SIP;cause={code}"));
        let (ua, requests) = (&self.ua, &mut self.requests);
        let bye = self
            .call
            .bye_when_acknowledged(ua, requests, &self.invite, reason.as_deref());
        bye.await;
    }
}

async fn until(moment: Option<Instant>) {
    match moment {
        Some(moment) => sleep_until(moment).await,
        None => std::future::pending().await,
    }
}
