//! The dialog of an MSRP session, set up by us or by the peer: our requests in it, our answers in it, its
//! session timer (RFC 4028).

mod refresh;

use std::time::Duration;

use msrp::Path;
use msrp::sdp::SessionDescription;
use net::sip::{ClientTransaction, ServerTransaction, SipEndpoint, Source, Target};
use sip::dialog::Dialog;
use sip::session_timer::{
    Agreement, Due, SessionPolicy, SessionTimer, TimerRefusal, negotiate_uac, negotiate_uas,
};
use sip::{
    Host, Method, Name, Refresher, Request, RequestBuilder, Response, StatusCode, Violation,
};
use tokio::time::timeout;

use crate::delivery::invite::{ALLOW, Invitation, MAX_FORWARDS, contact};
use crate::edge::Edge;
use edge::now;
use edge::response::answer;
pub(crate) use refresh::Upkeep;
use refresh::{Refresh, Refreshed, clock, due};

/// How long a delivery waits for the answer to its BYE; retransmissions go on without it.
const BYE_PATIENCE: Duration = Duration::from_secs(4);

/// One dialog.
#[derive(Debug)]
pub(crate) struct Call {
    dialog: Dialog,
    /// The flow or hop the INVITE took, for peers that put nothing of their own into the path.
    target: Target,
    contact: String,
    /// Our description, the same for the life of the session.
    description: String,
    /// What a later offer of the peer must repeat, where the first was his.
    peer_path: Option<Path>,
    policy: SessionPolicy,
    allows_update: bool,
    timer: Option<SessionTimer>,
    refresh: Option<Refresh>,
}

/// What a request of the peer means for the session.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Served {
    /// It goes on.
    Continues,
    /// The peer ended it.
    Ended,
}

impl Call {
    /// The dialog that a 2xx to our INVITE makes.
    pub(crate) fn new(
        dialog: Dialog,
        target: Target,
        invitation: &Invitation,
        response: &Response,
    ) -> Self {
        let allow = response.headers().allow().unwrap_or_default();
        let agreement = negotiate_uac(response.headers()).ok().flatten();
        Self {
            dialog,
            target,
            contact: invitation.contact.clone(),
            description: invitation.offer.clone(),
            peer_path: None,
            policy: invitation.policy,
            allows_update: allow.contains(&Method::Update),
            timer: agreement.map(|agreement| started(&agreement, Refresher::Uac)),
            refresh: None,
        }
    }

    /// The dialog that our 2xx to the peer's INVITE makes.
    pub(crate) fn answered(
        dialog: Dialog,
        (invite, source): (&Request, &Source),
        contact: String,
        (description, peer_path): (String, Path),
        agreement: &Agreement,
    ) -> Self {
        let allow = invite.headers().allow().unwrap_or_default();
        Self {
            target: way_back(&dialog, source),
            dialog,
            contact,
            description,
            peer_path: Some(peer_path),
            policy: SessionPolicy::default(),
            allows_update: allow.contains(&Method::Update),
            timer: Some(started(agreement, Refresher::Uas)),
            refresh: None,
        }
    }

    /// Requests go along the route set; where it is empty and a binding's flow is open, on that flow.
    fn target(&self) -> Target {
        let is_direct = self.dialog.next_hop() == self.dialog.remote_target();
        match &self.target {
            Target::Flow(flow) if is_direct && flow.is_open() => self.target.clone(),
            _ => Target::Uri(self.dialog.next_hop().clone()),
        }
    }

    /// Sends the ACK of the 2xx to our INVITE with this CSeq number.
    pub(crate) async fn acknowledge(&self, edge: &Edge, cseq: u32) {
        let ack = self
            .dialog
            .ack(cseq)
            .header(Name::MaxForwards, MAX_FORWARDS)
            .build();
        let branch = sip::token::branch(&mut rand::rng());
        if let Err(error) = edge.sip.send_ack(ack, &self.target(), branch).await {
            tracing::debug!(%error, "delivery.ack_not_sent");
        }
    }

    /// Ends the dialog and waits a while for the peer to know it.
    pub(crate) async fn bye(&mut self, edge: &Edge) {
        self.bye_because(edge, None).await;
    }

    /// Ends the dialog, for a reason that is a value of Reason (RFC 3326).
    pub(crate) async fn bye_because(&mut self, edge: &Edge, reason: Option<&str>) {
        let mut builder = outgoing(self.dialog.request(Method::Bye), edge);
        if let Some(reason) = reason {
            builder = builder.header(Name::Reason, reason);
        }
        let bye = builder.build();
        let Some(transaction) = sent(&edge.sip, bye, &self.target()).await else {
            return;
        };
        // The peer may be gone; the session timer cleans up at its side.
        let _ = timeout(BYE_PATIENCE, final_response(transaction)).await;
    }

    /// Waits until the dialog needs something; forever if there is no session timer. Loses nothing when
    /// dropped halfway.
    pub(crate) async fn upkeep(&mut self) -> Upkeep {
        tokio::select! {
            refreshed = Refresh::end_of(&mut self.refresh) => Upkeep::Refreshed(refreshed),
            due = due(&mut self.timer) => Upkeep::Due(due),
        }
    }

    /// Does what the dialog needs (requirements §3.1).
    pub(crate) async fn keep_alive(&mut self, edge: &Edge, upkeep: Upkeep) -> Served {
        match upkeep {
            Upkeep::Due(Due::Expire) => Served::Ended,
            Upkeep::Due(Due::Refresh) => {
                self.begin_refresh(edge);
                Served::Continues
            }
            Upkeep::Refreshed(refreshed) => self.end_refresh(edge, refreshed).await,
        }
    }

    /// UPDATE without a description where the peer allows it, else a re-INVITE with the same one.
    fn begin_refresh(&mut self, edge: &Edge) {
        let method = if self.allows_update {
            Method::Update
        } else {
            Method::Invite
        };
        let offer = sip::SessionExpires {
            refresher: Some(Refresher::Uac),
            ..self.policy.offer()
        };
        let builder = outgoing(self.dialog.request(method.clone()), edge)
            .header(Name::Contact, contact(&self.contact))
            .header(Name::Supported, "timer")
            .header(Name::SessionExpires, offer);
        let request = match method {
            Method::Invite => builder
                .body("application/sdp", self.description.clone())
                .build(),
            _ => builder.build(),
        };
        let cseq = request.headers().cseq().ok().flatten();
        let (sip, target) = (edge.sip.clone(), self.target());
        let answered = async move { final_response(sent(&sip, request, &target).await?).await };
        let cseq = cseq.map_or(0, |cseq| cseq.number);
        self.refresh = Some(Refresh::begin(method, cseq, answered));
    }

    async fn end_refresh(&mut self, edge: &Edge, refreshed: Refreshed) -> Served {
        let Refreshed {
            method,
            cseq,
            response,
        } = refreshed;
        // RFC 4028 §10: a refresh that nobody answers is the end.
        let Some(response) = response else {
            return Served::Ended;
        };
        self.dialog.handle_response(&response);
        if response.status().is_success() {
            if method == Method::Invite {
                self.acknowledge(edge, cseq).await;
            }
            let agreement = negotiate_uac(response.headers()).ok().flatten();
            self.timer = agreement.map(|agreement| started(&agreement, Refresher::Uac));
        }
        if self.dialog.is_terminated() {
            Served::Ended
        } else {
            Served::Continues
        }
    }

    /// Answers a request of the peer within the dialog.
    pub(crate) fn serve(&mut self, edge: &Edge, transaction: &ServerTransaction) -> Served {
        if self.take(edge, transaction) {
            self.answer(edge, transaction)
        } else {
            Served::Continues
        }
    }

    /// Judges the place of a request in the dialog; one that has none is answered.
    pub(crate) fn take(&mut self, edge: &Edge, transaction: &ServerTransaction) -> bool {
        let request = transaction.request();
        if !self.is_of_peer(request) {
            let status = StatusCode::CALL_OR_TRANSACTION_DOES_NOT_EXIST;
            transaction.respond(self.simple(edge, request, status));
            return false;
        }
        if let Err(violation) = self.dialog.handle_request(request) {
            transaction.respond(self.violated(edge, request, violation));
            return false;
        }
        true
    }

    /// Answers a request that was taken.
    pub(crate) fn answer(&mut self, edge: &Edge, transaction: &ServerTransaction) -> Served {
        let request = transaction.request();
        let response = match request.method() {
            Method::Bye | Method::Options => self.simple(edge, request, StatusCode::OK),
            Method::Invite | Method::Update => self.refreshed(edge, request),
            _ => answer(
                request,
                StatusCode::METHOD_NOT_ALLOWED,
                &edge.site.signature,
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
    fn refreshed(&mut self, edge: &Edge, request: &Request) -> Response {
        if !self.is_same_session(request) {
            let status = StatusCode::NOT_ACCEPTABLE_HERE;
            let warning = edge.site.signature.warning("the session cannot be moved");
            let builder = answer(request, status, &edge.site.signature, now());
            return builder.header(Name::Warning, warning).build();
        }
        let agreement = match negotiate_uas(request.headers(), &SessionPolicy::default()) {
            Ok(agreement) => agreement,
            Err(TimerRefusal::TooSmall { min_se }) => {
                let status = StatusCode::SESSION_INTERVAL_TOO_SMALL;
                let builder = answer(request, status, &edge.site.signature, now());
                return builder.header(Name::MinSe, min_se.as_secs()).build();
            }
            Err(TimerRefusal::Malformed(malformed)) => {
                return self.violated(edge, request, malformed.into());
            }
        };
        self.timer = Some(started(&agreement, Refresher::Uas));
        let mut builder = answer(request, StatusCode::OK, &edge.site.signature, now())
            .header(Name::Contact, contact(&self.contact))
            .header(Name::Allow, ALLOW)
            .header(Name::Supported, "timer")
            .header(Name::SessionExpires, agreement.session_expires());
        if agreement.require {
            builder = builder.header(Name::Require, "timer");
        }
        let has_description = *request.method() == Method::Invite || !request.body().is_empty();
        if has_description {
            builder = builder.body("application/sdp", self.description.clone());
        }
        builder.build()
    }

    /// An offer within the dialog repeats the path of the first: a session is for one message, which has no
    /// second place to come from.
    fn is_same_session(&self, request: &Request) -> bool {
        let Some(peer_path) = self
            .peer_path
            .as_ref()
            .filter(|_| !request.body().is_empty())
        else {
            return true;
        };
        let offer = SessionDescription::parse(request.body());
        offer.is_ok_and(|offer| {
            offer
                .msrp_media()
                .any(|(_, media)| media.is_ok_and(|media| media.path == *peer_path))
        })
    }

    fn simple(&self, edge: &Edge, request: &Request, status: StatusCode) -> Response {
        answer(request, status, &edge.site.signature, now()).build()
    }

    fn violated(&self, edge: &Edge, request: &Request, violation: Violation) -> Response {
        let builder =
            answer(request, violation.status, &edge.site.signature, now()).reason(violation.reason);
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
fn outgoing(builder: RequestBuilder, edge: &Edge) -> RequestBuilder {
    builder
        .header(Name::MaxForwards, MAX_FORWARDS)
        .header(Name::UserAgent, edge.site.signature.product())
}

/// The final response, if there is one.
async fn final_response(mut transaction: ClientTransaction) -> Option<Response> {
    while let Some(Ok(response)) = transaction.next().await {
        if response.status().is_final() {
            return Some(response);
        }
    }
    None
}
