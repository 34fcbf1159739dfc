//! A dialog that this client opened: its requests, the peer's, its session timer (RFC 4028).

use std::time::{Duration, Instant};

use net::sip::{ClientTransaction, ServerTransaction, Target};
use sip::dialog::Dialog;
use sip::session_timer::{
    Agreement, Due, SessionPolicy, SessionTimer, TimerRefusal, negotiate_uac, negotiate_uas,
};
use sip::{
    Method, Name, Refresher, Request, RequestBuilder, Response, ResponseBuilder, SessionExpires,
    StatusCode, token,
};

use super::Shared;
use super::listener::{profile, respond};
use crate::envelope::{Envelope, MAX_FORWARDS};
use crate::large::Invitation;
use crate::{ALLOW, IM_FEATURE_TAG};

/// How long the answer to a BYE is waited for.
const BYE_PATIENCE: Duration = Duration::from_secs(4);

/// What the peer or the clock says of the session.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Fate {
    /// It goes on.
    Lives,
    /// The peer ended it; with its Reason, if it gave one.
    EndedByPeer(String),
    /// It ran out.
    Expired,
}

pub(super) struct Call {
    dialog: Dialog,
    envelope: Envelope,
    contact: String,
    offer: String,
    policy: SessionPolicy,
    allows_update: bool,
    timer: Option<SessionTimer>,
}

impl Call {
    /// The dialog that a 2xx to our INVITE makes (COM-10, COM-11); none if it makes no sense.
    pub(super) fn new(
        invite: &Request,
        response: &Response,
        invitation: &Invitation,
    ) -> Option<Self> {
        let dialog = Dialog::uac(invite, response).ok()?;
        let allow = response.headers().allow().unwrap_or_default();
        let agreement = negotiate_uac(response.headers()).ok().flatten();
        Some(Self {
            dialog,
            envelope: invitation.envelope.clone(),
            contact: invitation.contact.clone(),
            offer: invitation.offer.clone(),
            policy: invitation.policy,
            allows_update: allow.contains(&Method::Update),
            timer: agreement.map(|agreement| started(&agreement, Refresher::Uac)),
        })
    }

    pub(super) fn remote_tag(&self) -> &str {
        self.dialog.id().remote_tag()
    }

    /// Who made us connect, for the pace of connections (MSR-04).
    pub(super) fn peer(&self) -> String {
        self.dialog.remote_target().to_string()
    }

    /// Sends the ACK of the 2xx to our INVITE with this CSeq number.
    pub(super) async fn acknowledge(&self, shared: &Shared, cseq: u32) {
        let ack = self
            .dialog
            .ack(cseq)
            .header(Name::MaxForwards, MAX_FORWARDS)
            .build();
        let branch = token::branch(&mut rand::rng());
        // An ACK that does not leave is missed by the peer, which repeats its 2xx.
        let _ = shared.endpoint.send_ack(ack, &self.target(), branch).await;
    }

    /// Ends the dialog and waits a while for the peer to know it (LMR-01..03).
    pub(super) async fn bye(mut self, shared: &Shared) {
        let bye = self.outgoing(Method::Bye, shared).build();
        let Some(transaction) = self.send(shared, bye).await else {
            return;
        };
        // The peer may be gone; its session timer cleans up there.
        let _ = tokio::time::timeout(BYE_PATIENCE, final_response(transaction)).await;
    }

    /// Waits until [`Self::keep_alive`] has something to do.
    pub(super) async fn due(&self) {
        match self.timer.as_ref().map(SessionTimer::next_timeout) {
            Some(at) => tokio::time::sleep_until(at.into()).await,
            None => std::future::pending().await,
        }
    }

    /// Refreshes the session when it is due: UPDATE where the peer allows it, else a re-INVITE.
    pub(super) async fn keep_alive(&mut self, shared: &Shared) -> Fate {
        let due = self
            .timer
            .as_mut()
            .and_then(|timer| timer.poll(Instant::now()));
        match due {
            None => Fate::Lives,
            Some(Due::Expire) => Fate::Expired,
            Some(Due::Refresh) => self.refresh(shared).await,
        }
    }

    async fn refresh(&mut self, shared: &Shared) -> Fate {
        let method = if self.allows_update {
            Method::Update
        } else {
            Method::Invite
        };
        let timer = SessionExpires {
            refresher: Some(Refresher::Uac),
            ..self.policy.offer()
        };
        let builder = self
            .outgoing(method.clone(), shared)
            .header(
                Name::Contact,
                format_args!("<{}>;{IM_FEATURE_TAG}", self.contact),
            )
            .header(Name::Supported, "timer")
            .header(Name::SessionExpires, timer);
        let request = match method {
            Method::Invite => builder.body("application/sdp", self.offer.clone()).build(),
            _ => builder.build(),
        };
        let cseq = request.headers().cseq().ok().flatten();
        let Some(transaction) = self.send(shared, request).await else {
            return Fate::Lives;
        };
        let Some(response) = final_response(transaction).await else {
            return Fate::Lives;
        };
        self.dialog.handle_response(&response);
        if response.status().is_success() {
            if let (Method::Invite, Some(cseq)) = (method, cseq) {
                self.acknowledge(shared, cseq.number).await;
            }
            let agreement = negotiate_uac(response.headers()).ok().flatten();
            self.timer = agreement.map(|agreement| started(&agreement, Refresher::Uac));
        }
        match self.dialog.is_terminated() {
            true => Fate::EndedByPeer(String::new()),
            false => Fate::Lives,
        }
    }

    /// Answers a request of the peer within the dialog.
    pub(super) fn serve(&mut self, transaction: &ServerTransaction) -> Fate {
        let request = transaction.request();
        if let Err(violation) = self.dialog.handle_request(request) {
            respond(transaction, violation.status);
            return Fate::Lives;
        }
        match request.method() {
            Method::Bye => {
                respond(transaction, StatusCode::OK);
                return Fate::EndedByPeer(reason(request));
            }
            Method::Options => respond(transaction, StatusCode::OK),
            Method::Invite | Method::Update => transaction.respond(self.refreshed(request)),
            _ => respond(transaction, StatusCode::METHOD_NOT_ALLOWED),
        }
        if *request.method() == Method::Invite {
            self.dialog.invite_answered();
        }
        Fate::Lives
    }

    /// The peer refreshes: the same description, a new timer.
    fn refreshed(&mut self, request: &Request) -> Response {
        let agreement = match negotiate_uas(request.headers(), &self.policy) {
            Ok(agreement) => agreement,
            Err(TimerRefusal::TooSmall { min_se }) => {
                let status = StatusCode::SESSION_INTERVAL_TOO_SMALL;
                return profile(ResponseBuilder::reply_to(request, status))
                    .header(Name::MinSe, min_se.as_secs())
                    .build();
            }
            Err(TimerRefusal::Malformed(_)) => {
                let status = StatusCode::BAD_REQUEST;
                return profile(ResponseBuilder::reply_to(request, status)).build();
            }
        };
        self.timer = Some(started(&agreement, Refresher::Uas));
        let mut response = profile(ResponseBuilder::reply_to(request, StatusCode::OK))
            .header(
                Name::Contact,
                format_args!("<{}>;{IM_FEATURE_TAG}", self.contact),
            )
            .header(Name::Supported, "timer")
            .header(Name::SessionExpires, agreement.session_expires());
        if agreement.require {
            response = response.header(Name::Require, "timer");
        }
        if *request.method() == Method::Invite || !request.body().is_empty() {
            response = response.body("application/sdp", self.offer.clone());
        }
        response.build()
    }

    /// What every request of ours within a dialog says.
    fn outgoing(&mut self, method: Method, shared: &Shared) -> RequestBuilder {
        let builder = self
            .dialog
            .request(method)
            .header(Name::MaxForwards, MAX_FORWARDS)
            .header(Name::Allow, ALLOW);
        self.envelope.sign(builder, &shared.account)
    }

    /// Along the route set, or to the peer's Contact (LMR-02).
    fn target(&self) -> Target {
        Target::Uri(self.dialog.next_hop().clone())
    }

    async fn send(&self, shared: &Shared, request: Request) -> Option<ClientTransaction> {
        let branch = token::branch(&mut rand::rng());
        let target = self.target();
        let sending = shared.endpoint.request(request, &target, branch);
        sending.await.ok()
    }
}

fn started(agreement: &Agreement, role: Refresher) -> SessionTimer {
    SessionTimer::new(agreement, role, Instant::now())
}

/// The Reason of a BYE (RFC 3326), for people.
fn reason(request: &Request) -> String {
    let reason = request.headers().first_named("Reason");
    reason.map_or_else(String::new, |field| format!(": {}", field.value()))
}

/// The final response, if there is one.
pub(super) async fn final_response(mut transaction: ClientTransaction) -> Option<Response> {
    while let Some(Ok(response)) = transaction.next().await {
        if response.status().is_final() {
            return Some(response);
        }
    }
    None
}
