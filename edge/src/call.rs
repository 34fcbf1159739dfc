//! The dialog of an MSRP session, set up by us or by the peer: our requests in it, our answers in it, its
//! session timer (RFC 4028).

mod described;
mod refresh;

use std::time::Duration;

use msrp::Path;
use msrp::sdp::Role;
use net::sip::{ClientTransaction, ServerTransaction, SipEndpoint, Source, Target};
use sip::dialog::Dialog;
use sip::session_timer::{
    Agreement, Due, SessionPolicy, SessionTimer, TimerRefusal, negotiate_uac, negotiate_uas,
};
use sip::{
    Host, Method, Name, Refresher, Request, RequestBuilder, Response, StatusCode, Violation,
};
use tokio::time::timeout;

use crate::dialogs::DialogEntry;
use crate::now;
use crate::refuse::Refusal;
use crate::response::answer;
use crate::sending::invite::{Invitation, MAX_FORWARDS};
use crate::user_agent::UserAgent;
pub use described::Described;
use refresh::{Refresh, clock, due};
pub use refresh::{Refreshed, Upkeep};

/// Methods that make sense within a session of ours (DLV-10).
pub const ALLOW: &str = "INVITE, ACK, CANCEL, BYE, OPTIONS, UPDATE";

/// How long a delivery waits for the answer to its BYE; retransmissions go on without it.
const BYE_PATIENCE: Duration = Duration::from_secs(4);

/// One dialog.
#[derive(Debug)]
pub struct Call {
    dialog: Dialog,
    /// The flow or hop the INVITE took, for peers that put nothing of their own into the path.
    target: Target,
    contact: String,
    described: Described,
    /// Whether the INVITE was ours.
    is_caller: bool,
    policy: SessionPolicy,
    allows_update: bool,
    timer: Option<SessionTimer>,
    refresh: Option<Refresh>,
}

/// What a request of the peer means for the session.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Served {
    /// It goes on.
    Continues,
    /// The peer ended it.
    Ended,
}

/// The peer said BYE, and was answered.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct EndedByPeer;

impl Call {
    /// The dialog that a 2xx to our INVITE makes.
    pub fn new(
        dialog: Dialog,
        target: Target,
        invitation: &Invitation,
        response: &Response,
    ) -> Self {
        let agreement = negotiate_uac(response.headers()).ok().flatten();
        Self {
            dialog,
            target,
            contact: invitation.contact.clone(),
            described: invitation.offer.clone(),
            is_caller: true,
            policy: invitation.policy,
            allows_update: false,
            timer: agreement.map(|agreement| started(&agreement, Refresher::Uac)),
            refresh: None,
        }
    }

    /// The methods that the peer allows in the dialog (DLV-12).
    pub fn allow(&mut self, methods: &[Method]) {
        self.allows_update = methods.contains(&Method::Update);
    }

    /// The dialog that our 2xx to the peer's INVITE makes.
    pub fn answered(
        dialog: Dialog,
        (invite, source): (&Request, &Source),
        contact: String,
        described: Described,
        agreement: &Agreement,
    ) -> Self {
        let allow = invite.headers().allow().unwrap_or_default();
        Self {
            target: way_back(&dialog, source),
            dialog,
            contact,
            described,
            is_caller: false,
            policy: SessionPolicy::default(),
            allows_update: allow.contains(&Method::Update),
            timer: Some(started(agreement, Refresher::Uas)),
            refresh: None,
        }
    }

    /// Where our requests go.
    fn target(&self) -> Target {
        target_of(&self.dialog, &self.target)
    }

    /// The client has answered our offer.
    pub fn agreed(&mut self, peer_path: Path, role: Role) {
        self.described.agreed(peer_path, role);
    }

    /// Sends the ACK of the 2xx to our INVITE with this CSeq number.
    pub async fn acknowledge(&self, ua: &UserAgent, cseq: u32) {
        acknowledge(&ua.sip, &self.dialog, &self.target(), cseq).await;
    }

    /// Serves the peer while something else is done; that is given up if he says BYE.
    pub async fn serve_amid<T>(
        &mut self,
        ua: &UserAgent,
        requests: &mut DialogEntry,
        work: impl Future<Output = T>,
    ) -> Result<T, EndedByPeer> {
        let mut work = std::pin::pin!(work);
        loop {
            tokio::select! {
                done = &mut work => return Ok(done),
                transaction = requests.next() => {
                    if self.serve(ua, &transaction) == Served::Ended {
                        return Err(EndedByPeer);
                    }
                }
            }
        }
    }

    /// Ends a dialog that the peer's INVITE made: not before he has our 2xx, or does not take it
    /// (RFC 3261 §15).
    pub async fn bye_when_acknowledged(
        &mut self,
        ua: &UserAgent,
        requests: &mut DialogEntry,
        invite: &ServerTransaction,
        reason: Option<&str>,
    ) {
        let acknowledged = requests.acknowledged();
        let confirmed = async {
            tokio::select! {
                () = acknowledged.cancelled() => {}
                () = invite.unacknowledged() => {}
            }
        };
        if self.serve_amid(ua, requests, confirmed).await.is_err() {
            return;
        }
        self.bye_because(ua, reason).await;
        self.serve_waiting(ua, requests);
    }

    /// Answers what has come while we said BYE: a BYE that crossed ours, for one.
    pub fn serve_waiting(&mut self, ua: &UserAgent, requests: &mut DialogEntry) {
        while let Some(transaction) = requests.waiting() {
            self.serve(ua, &transaction);
        }
    }

    /// Ends the dialog and waits a while for the peer to know it.
    pub async fn bye(&mut self, ua: &UserAgent) {
        self.bye_because(ua, None).await;
    }

    /// Ends the dialog, for a reason that is a value of Reason (RFC 3326).
    pub async fn bye_because(&mut self, ua: &UserAgent, reason: Option<&str>) {
        let mut builder = outgoing(self.dialog.request(Method::Bye), ua);
        if let Some(reason) = reason {
            builder = builder.header(Name::Reason, reason);
        }
        let bye = builder.build();
        let Some(mut transaction) = sent(&ua.sip, bye, &self.target()).await else {
            return;
        };
        // The peer may be gone; the session timer cleans up at its side.
        let _ = timeout(BYE_PATIENCE, final_response(&mut transaction)).await;
    }

    /// Waits until the dialog needs something; forever if there is no session timer. Loses nothing when
    /// dropped halfway.
    pub async fn upkeep(&mut self) -> Upkeep {
        tokio::select! {
            refreshed = Refresh::end_of(&mut self.refresh) => Upkeep::Refreshed(refreshed),
            due = due(&mut self.timer) => Upkeep::Due(due),
        }
    }

    /// Does what the dialog needs (requirements §3.1).
    pub fn keep_alive(&mut self, ua: &UserAgent, upkeep: Upkeep) -> Served {
        match upkeep {
            Upkeep::Due(Due::Expire) => Served::Ended,
            Upkeep::Due(Due::Refresh) => {
                self.begin_refresh(ua);
                Served::Continues
            }
            Upkeep::Refreshed(refreshed) => self.end_refresh(refreshed),
        }
    }

    /// UPDATE without a description where the peer allows it, else a re-INVITE with the same one.
    fn begin_refresh(&mut self, ua: &UserAgent) {
        let method = if self.allows_update {
            Method::Update
        } else {
            Method::Invite
        };
        let offer = sip::SessionExpires {
            refresher: Some(Refresher::Uac),
            ..self.policy.offer()
        };
        let builder = outgoing(self.dialog.request(method.clone()), ua)
            .header(Name::Contact, ua.signature.session_contact(&self.contact))
            .header(Name::Supported, "timer")
            .header(Name::SessionExpires, offer);
        let request = match method {
            Method::Invite => builder
                .body("application/sdp", self.described.text().to_owned())
                .build(),
            _ => builder.build(),
        };
        let (sip, dialog, target) = (ua.sip.clone(), self.dialog.clone(), self.target.clone());
        let draining = ua.draining.clone();
        self.refresh = Some(Refresh::begin(async move {
            let cseq = request.headers().cseq().ok().flatten();
            let mut transaction = sent(&sip, request, &target_of(&dialog, &target)).await?;
            let response = final_response(&mut transaction).await?;
            if method == Method::Invite && response.status().is_success() {
                let cseq = cseq.map_or(0, |cseq| cseq.number);
                let copies = Copies {
                    sip,
                    dialog,
                    target,
                    cseq,
                };
                let following = copies.follow(response.clone(), transaction);
                tokio::spawn(draining.run_until_cancelled_owned(following));
            }
            Some(response)
        }));
    }

    fn end_refresh(&mut self, Refreshed(response): Refreshed) -> Served {
        // RFC 4028 §10: a refresh that nobody answers is the end.
        let Some(response) = response else {
            return Served::Ended;
        };
        self.dialog.handle_response(&response);
        if response.status().is_success() {
            let agreement = negotiate_uac(response.headers()).ok().flatten();
            self.timer = agreement.map(|agreement| started(&agreement, Refresher::Uac));
        } else if let Some(pause) = pause_before_again(&response, self.is_caller)
            && let Some(timer) = &mut self.timer
        {
            timer.refresh_again(clock() + pause);
        }
        if self.dialog.is_terminated() {
            Served::Ended
        } else {
            Served::Continues
        }
    }

    /// Answers a request of the peer within the dialog.
    pub fn serve(&mut self, ua: &UserAgent, transaction: &ServerTransaction) -> Served {
        if self.take(ua, transaction) {
            self.answer(ua, transaction)
        } else {
            Served::Continues
        }
    }

    /// Judges the place of a request in the dialog; one that has none is answered.
    pub fn take(&mut self, ua: &UserAgent, transaction: &ServerTransaction) -> bool {
        let request = transaction.request();
        let signature = &ua.signature;
        if let Err(refusal) = crate::checks::extensions(request, signature.profile()) {
            transaction.respond(crate::response::refused(
                request,
                &refusal,
                signature,
                now(),
            ));
            return false;
        }
        if !self.is_of_peer(request) {
            let status = StatusCode::CALL_OR_TRANSACTION_DOES_NOT_EXIST;
            transaction.respond(self.simple(ua, request, status));
            return false;
        }
        if let Err(violation) = self.dialog.handle_request(request) {
            transaction.respond(self.violated(ua, request, violation));
            return false;
        }
        true
    }

    /// Answers a request that was taken.
    pub fn answer(&mut self, ua: &UserAgent, transaction: &ServerTransaction) -> Served {
        let request = transaction.request();
        let response = match request.method() {
            Method::Bye | Method::Options => self.simple(ua, request, StatusCode::OK),
            Method::Invite | Method::Update => self.refreshed(ua, request),
            // It has no conference either (CFL-14).
            Method::Subscribe if ua.signature.profile().event_packages.is_empty() => {
                crate::response::refused(request, &Refusal::Event, &ua.signature, now())
            }
            _ => answer(
                request,
                StatusCode::METHOD_NOT_ALLOWED,
                &ua.signature,
                now(),
            )
            .header(Name::Allow, ALLOW)
            .build(),
        };
        transaction.respond(response);
        match request.method() {
            Method::Invite => self.dialog.invite_answered(),
            Method::Bye => return Served::Ended,
            _ => {}
        }
        Served::Continues
    }

    /// A dialog has two tags; the table of dialogs looks at ours only.
    fn is_of_peer(&self, request: &Request) -> bool {
        let from = request.headers().from().ok().flatten();
        from.as_ref()
            .and_then(|from| from.tag())
            .unwrap_or_default()
            == self.dialog.id().remote_tag()
    }

    /// The peer refreshes the session: the same description again, and its timer anew.
    fn refreshed(&mut self, ua: &UserAgent, request: &Request) -> Response {
        let agreement = match negotiate_uas(request.headers(), &SessionPolicy::default()) {
            Ok(agreement) => agreement,
            Err(TimerRefusal::TooSmall { min_se }) => {
                let status = StatusCode::SESSION_INTERVAL_TOO_SMALL;
                let builder = answer(request, status, &ua.signature, now());
                return builder.header(Name::MinSe, min_se.as_secs()).build();
            }
            Err(TimerRefusal::Malformed(malformed)) => {
                return self.violated(ua, request, malformed.into());
            }
        };
        let description = match request.body().is_empty() {
            true if *request.method() == Method::Invite => Some(self.described.text().to_owned()),
            true => None,
            false => match self.described.answer(request.body()) {
                Some(answer) => Some(answer.to_owned()),
                None => return self.cannot_be_moved(ua, request),
            },
        };
        self.timer = Some(started(&agreement, Refresher::Uas));
        let mut builder = answer(request, StatusCode::OK, &ua.signature, now())
            .header(Name::Contact, ua.signature.session_contact(&self.contact))
            .header(Name::Allow, ALLOW)
            .header(Name::Supported, "timer")
            .header(Name::SessionExpires, agreement.session_expires());
        if agreement.require {
            builder = builder.header(Name::Require, "timer");
        }
        if let Some(description) = description {
            builder = builder.body("application/sdp", description);
        }
        builder.build()
    }

    fn cannot_be_moved(&self, ua: &UserAgent, request: &Request) -> Response {
        let status = StatusCode::NOT_ACCEPTABLE_HERE;
        let warning = ua.signature.warning("the session cannot be moved");
        let builder = answer(request, status, &ua.signature, now());
        builder.header(Name::Warning, warning).build()
    }

    fn simple(&self, ua: &UserAgent, request: &Request, status: StatusCode) -> Response {
        answer(request, status, &ua.signature, now()).build()
    }

    fn violated(&self, ua: &UserAgent, request: &Request, violation: Violation) -> Response {
        let builder =
            answer(request, violation.status, &ua.signature, now()).reason(violation.reason);
        match violation.status {
            // RFC 3261 §14.2: a random pause keeps two sides from colliding again.
            StatusCode::SERVER_INTERNAL_ERROR => {
                let seconds = rand::random_range(0..=10_u8);
                builder.header(Name::RetryAfter, seconds).build()
            }
            _ => builder.build(),
        }
    }
}

/// Sends a request of ours within the dialog.
async fn sent(sip: &SipEndpoint, request: Request, target: &Target) -> Option<ClientTransaction> {
    let branch = sip::token::branch(&mut rand::rng());
    let sent = sip.request(request, target, branch).await;
    sent.inspect_err(|error| tracing::debug!(%error, "delivery.request_not_sent"))
        .ok()
}

/// The peer's own connection, where it came from the very address at which it wants to be reached.
fn way_back(dialog: &Dialog, source: &Source) -> Target {
    let target = dialog.remote_target();
    let is_source = target.as_sip().is_some_and(|uri| {
        let ip = Host::from(source.remote.ip());
        uri.host == ip && uri.port == Some(source.remote.port())
    });
    match is_source {
        true => Target::Flow(source.flow.clone()),
        false => Target::Uri(dialog.next_hop().clone()),
    }
}

fn started(agreement: &Agreement, role: Refresher) -> SessionTimer {
    SessionTimer::new(agreement, role, clock())
}

/// What every request of ours within a dialog says.
fn outgoing(builder: RequestBuilder, ua: &UserAgent) -> RequestBuilder {
    builder
        .header(Name::MaxForwards, MAX_FORWARDS)
        .header(Name::UserAgent, ua.signature.product())
}

/// Requests go along the route set; where it is empty and a binding's flow is open, on that flow.
fn target_of(dialog: &Dialog, target: &Target) -> Target {
    let is_direct = dialog.next_hop() == dialog.remote_target();
    match target {
        Target::Flow(flow) if is_direct && flow.is_open() => target.clone(),
        _ => Target::Uri(dialog.next_hop().clone()),
    }
}

async fn acknowledge(sip: &SipEndpoint, dialog: &Dialog, target: &Target, cseq: u32) {
    let ack = dialog.ack(cseq).header(Name::MaxForwards, MAX_FORWARDS);
    let branch = sip::token::branch(&mut rand::rng());
    if let Err(error) = sip.send_ack(ack.build(), target, branch).await {
        tracing::debug!(%error, "delivery.ack_not_sent");
    }
}

/// How long to wait before a refresh that was refused is tried again: after a collision a while that
/// differs between the two sides (RFC 3261 §14.1), else as long as the peer asks for.
fn pause_before_again(response: &Response, is_caller: bool) -> Option<Duration> {
    if response.status() == StatusCode::REQUEST_PENDING {
        let tens_of_milliseconds = match is_caller {
            true => rand::random_range(210..=400),
            false => rand::random_range(0..=200),
        };
        return Some(Duration::from_millis(tens_of_milliseconds * 10));
    }
    let retry_after = response.headers().retry_after().ok().flatten()?;
    Some(Duration::from_secs(retry_after.into()))
}

/// The 2xx to a refresh by INVITE, of which copies come until the peer has our ACK.
struct Copies {
    sip: SipEndpoint,
    dialog: Dialog,
    target: Target,
    cseq: u32,
}

impl Copies {
    /// Acknowledges the first and each that follows.
    async fn follow(mut self, first: Response, mut transaction: ClientTransaction) {
        self.dialog.handle_response(&first);
        let target = target_of(&self.dialog, &self.target);
        acknowledge(&self.sip, &self.dialog, &target, self.cseq).await;
        while let Some(Ok(_)) = transaction.next().await {
            acknowledge(&self.sip, &self.dialog, &target, self.cseq).await;
        }
    }
}

/// The final response, if there is one.
async fn final_response(transaction: &mut ClientTransaction) -> Option<Response> {
    while let Some(Ok(response)) = transaction.next().await {
        if response.status().is_final() {
            return Some(response);
        }
    }
    None
}
