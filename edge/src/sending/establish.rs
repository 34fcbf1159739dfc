//! From the wish to send to an MSRP session: INVITE, ringing, ACK, connection (requirements §2.4.2).

use std::pin::{Pin, pin};
use std::sync::Arc;
use std::time::Duration;

use msrp::sdp::{MsrpMedia, Role};
use net::msrp::{MsrpSession, PendingSession, SessionRules};
use net::sip::{ClientTransaction, TransactionFailure};
use sip::dialog::Dialog;
use sip::session_timer::SessionPolicy;
use sip::{Method, Request, Response, StatusCode};
use tokio::time::{Instant, sleep_until};

use super::early::Early;
use super::failure::InviteFailure;
use super::invite::{Invitation, Inviter, offer};
use super::terms::Terms;
use crate::call::Call;
use crate::dialogs::DialogEntry;
use crate::now;
use crate::user_agent::UserAgent;
use crate::way::Way;

/// A session that is wanted.
#[derive(Debug)]
pub struct Errand<'a> {
    /// With whom: Request-URI and To.
    pub target: &'a str,
    /// How he is reached.
    pub way: &'a Way,
    /// In whose name.
    pub inviter: Inviter,
}

/// A session that may send.
#[derive(Debug)]
pub struct Established {
    /// The dialog.
    pub call: Call,
    /// Requests of the peer in it.
    pub requests: DialogEntry,
    /// The MSRP session.
    pub session: MsrpSession,
    /// What may be sent in it.
    pub terms: Terms,
}

/// A 2xx to our INVITE; copies of it, and those of other branches, come by its transaction.
struct Answered {
    response: Response,
    invite: Request,
    transaction: ClientTransaction,
    /// Methods its client allows, as said in it or before it.
    allow: Vec<Method>,
    /// Why we had given up before it came.
    given_up: Option<InviteFailure>,
}

/// Sets up a session, unless it is `withdrawn` before it stands.
///
/// # Errors
/// How it came to nothing; everything that was begun has been ended.
pub async fn establish(
    ua: &Arc<UserAgent>,
    errand: Errand<'_>,
    withdrawn: impl Future<Output = ()>,
) -> Result<Established, InviteFailure> {
    let pending = open(ua).ok_or(InviteFailure::NotConnected)?;
    let content_type = errand.inviter.content_type.clone();
    let way = errand.way;
    let (media, mut invitation) = invitation(ua, errand, &pending);
    let mut requests = ua.dialogs.enter(&invitation.call_id, &invitation.local_tag);
    let answered = invite(ua, way, &mut invitation, pin!(withdrawn)).await?;
    let dialog = Dialog::uac(&answered.invite, &answered.response);
    let dialog = dialog.map_err(|_| InviteFailure::NotUsable("answer makes no dialog"))?;
    let peer = dialog.id().remote_tag().to_owned();
    let mut call = Call::new(dialog, way.target.clone(), &invitation, &answered.response);
    call.allow(&answered.allow);
    call.acknowledge(ua, invitation.cseq).await;
    let given_up = answered.given_up.clone();
    let terms = Terms::of(&media, answered.response.body(), &content_type);
    // From now on: our ACK may be lost before there is a connection.
    let target = invitation.target.clone();
    let copies = Box::new(Copies {
        ua: Arc::clone(ua),
        transaction: answered.transaction,
        invite: answered.invite,
        invitation,
        way: way.clone(),
        peer,
    });
    tokio::spawn(
        ua.draining
            .clone()
            .run_until_cancelled_owned(copies.follow()),
    );
    let terms = match given_up {
        Some(failure) => Err(failure),
        None => terms.map_err(InviteFailure::NotUsable),
    };
    let connected = match terms {
        Ok(terms) => {
            call.agreed(terms.peer_path.clone(), terms.role);
            let connecting = connect(ua, pending, &terms, &target);
            let connected = call.serve_amid(ua, &mut requests, connecting).await;
            let connected = connected.map_err(|_| InviteFailure::EndedByClient)?;
            connected.map(|session| (session, terms))
        }
        Err(failure) => Err(failure),
    };
    match connected {
        Ok((session, terms)) => Ok(Established {
            call,
            requests,
            session,
            terms,
        }),
        Err(failure) => {
            call.bye(ua).await;
            call.serve_waiting(ua, &mut requests);
            Err(failure)
        }
    }
}

/// What a session of ours takes and how it sends.
#[must_use]
pub fn rules(ua: &UserAgent) -> SessionRules {
    SessionRules {
        report_wait: ua.calling.report_timeout,
        ..SessionRules::send_only()
    }
}

/// A session over TLS where it is to be offered, and never one in clear instead.
fn open(ua: &UserAgent) -> Option<PendingSession> {
    let pending = match ua.calling.offer_tls {
        true => ua.msrp.open_secure()?,
        false => ua.msrp.open(),
    };
    Some(pending.with_rules(rules(ua)))
}

fn invitation(
    ua: &UserAgent,
    errand: Errand<'_>,
    pending: &PendingSession,
) -> (MsrpMedia, Invitation) {
    let Errand {
        target,
        way,
        inviter,
    } = errand;
    let mut rng = rand::rng();
    let host = ua.signature.host();
    let session_id = u64::from(rand::random::<u32>());
    let (media, offer) = offer(
        pending.local_path(),
        pending.fingerprint(),
        ua.msrp.advertised_host(),
        session_id,
        &inviter,
    );
    let token = sip::token::random_base62(&mut rng, 22);
    let invitation = Invitation {
        target: target.to_owned(),
        routes: way.routes.clone(),
        contact: ua.contact_uri(way.transport, way.is_secure()),
        call_id: format!("{}-{token}@{host}", inviter.call_id_prefix),
        inviter,
        local_tag: sip::token::tag(&mut rng),
        cseq: 1,
        ring_timeout: ua.calling.ring_timeout,
        policy: SessionPolicy {
            interval: ua.calling.session_expires,
            ..SessionPolicy::default()
        },
        offer,
    };
    (media, invitation)
}

/// Sends the INVITE, once more if something may be done about its refusal (requirements §3.5).
async fn invite(
    ua: &UserAgent,
    way: &Way,
    invitation: &mut Invitation,
    mut withdrawn: Pin<&mut impl Future<Output = ()>>,
) -> Result<Answered, InviteFailure> {
    let mut answered = invite_once(ua, way, invitation, withdrawn.as_mut()).await?;
    if answered.given_up.is_none() && is_mended(invitation, &answered.response) {
        invitation.cseq += 1;
        answered = invite_once(ua, way, invitation, withdrawn).await?;
    }
    if answered.response.status().is_success() {
        return Ok(answered);
    }
    Err(answered.given_up.unwrap_or_else(|| {
        let retry_after = answered.response.headers().retry_after().ok().flatten();
        InviteFailure::Status {
            status: answered.response.status(),
            retry_after: retry_after.map(|seconds| Duration::from_secs(seconds.into())),
        }
    }))
}

/// Whether there is something to be done about a refusal: a longer interval after a 422; after a 415 no
/// preview, which is worth no message.
fn is_mended(invitation: &mut Invitation, response: &Response) -> bool {
    match response.status() {
        StatusCode::SESSION_INTERVAL_TOO_SMALL => {
            let raised = invitation.policy.raised(response.headers());
            let raised = raised.ok().flatten();
            raised.is_some_and(|policy| {
                invitation.policy = policy;
                true
            })
        }
        StatusCode::UNSUPPORTED_MEDIA_TYPE => invitation.leave_icon_out(),
        _ => false,
    }
}

/// Sends one INVITE and waits for its final answer, at most as long as a client may ring.
async fn invite_once(
    ua: &UserAgent,
    way: &Way,
    invitation: &Invitation,
    mut withdrawn: Pin<&mut impl Future<Output = ()>>,
) -> Result<Answered, InviteFailure> {
    let branch = ua.marked_branch(&invitation.call_id);
    let branch = branch.ok_or(InviteFailure::Withdrawn)?;
    let invite = invitation.request(&ua.signature, now());
    let further = || ua.further_branches(&invitation.call_id);
    let sending = ua
        .sip
        .request_failing_over(invite.clone(), &way.target, branch, further);
    let sent = sending.await;
    let hop = way.next_hop(ua);
    let mut transaction = sent.map_err(|error| {
        hop.inspect(|hop| hop.not_sent(&error));
        InviteFailure::Unreachable
    })?;
    let mut given_up = None;
    let mut ring_end = None;
    let mut early = Early::default();
    loop {
        tokio::select! {
            answer = transaction.next() => match answer {
                Some(Ok(response)) => {
                    hop.inspect(|hop| hop.answered(&response));
                    if response.status().is_final() {
                        let allow = early.allow(&response);
                        return Ok(Answered { response, invite, transaction, allow, given_up });
                    }
                    early.note(&response);
                    ring_end.get_or_insert(Instant::now() + invitation.ring_timeout);
                }
                Some(Err(failure)) => {
                    hop.inspect(|hop| hop.failed(failure, &invitation.target));
                    return Err(given_up.unwrap_or_else(|| unanswered(ua, way, failure)));
                }
                None => return Err(given_up.unwrap_or(InviteFailure::NoAnswer)),
            },
            failure = give_up(ring_end, withdrawn.as_mut()), if given_up.is_none() => {
                transaction.cancel();
                given_up = Some(failure);
            }
        }
    }
}

/// No final answer: where the hop is paused for that, it is the hop's fault.
fn unanswered(ua: &UserAgent, way: &Way, failure: TransactionFailure) -> InviteFailure {
    match failure {
        TransactionFailure::Timeout if way.admit(ua).is_ok() => InviteFailure::NoAnswer,
        TransactionFailure::Timeout | TransactionFailure::Unreachable => InviteFailure::Unreachable,
    }
}

/// Waits for a reason to cancel.
async fn give_up(
    ring_end: Option<Instant>,
    withdrawn: Pin<&mut impl Future<Output = ()>>,
) -> InviteFailure {
    let rung_out = async {
        match ring_end {
            Some(end) => sleep_until(end).await,
            None => std::future::pending().await,
        }
    };
    tokio::select! {
        () = rung_out => InviteFailure::NoAnswer,
        () = withdrawn => InviteFailure::Withdrawn,
    }
}

/// Opens the MSRP session that offer and answer describe.
async fn connect(
    ua: &UserAgent,
    pending: PendingSession,
    terms: &Terms,
    target: &str,
) -> Result<MsrpSession, InviteFailure> {
    let pending = match terms.fingerprint.clone() {
        Some(fingerprint) => pending.with_peer_fingerprint(fingerprint),
        None => pending,
    };
    let wait = ua.calling.connect_timeout;
    let path = terms.peer_path.clone();
    let opened = match terms.role {
        Role::Passive => pending.accept(path, wait).await,
        // Whose word makes us connect (MSR-04): a client chooses its Contact, not its user.
        Role::Active => pending.connect(path, target, wait).await,
    };
    opened.map_err(|error| {
        tracing::debug!(%error, "delivery.not_connected");
        InviteFailure::NotConnected
    })
}

/// What is kept of an INVITE while copies of its 2xx may come: for 32 s after each session, so that it holds nothing
/// else, and itself but once.
struct Copies {
    ua: Arc<UserAgent>,
    transaction: ClientTransaction,
    invite: Request,
    invitation: Invitation,
    way: Way,
    /// The tag of the client that has the session.
    peer: String,
}

impl Copies {
    /// Acknowledges each copy; what another client accepted is ended at once (RFC 3261 §13.2.2.4, DLV-14).
    async fn follow(mut self: Box<Self>) {
        while let Some(Ok(response)) = self.transaction.next().await {
            // Boxed: copies are rare.
            Box::pin(self.acknowledge(response)).await;
        }
    }

    async fn acknowledge(&self, response: Response) {
        let Ok(dialog) = Dialog::uac(&self.invite, &response) else {
            return;
        };
        let is_fork = dialog.id().remote_tag() != self.peer;
        let target = self.way.target.clone();
        let mut call = Call::new(dialog, target, &self.invitation, &response);
        call.acknowledge(&self.ua, self.invitation.cseq).await;
        if is_fork {
            call.bye(&self.ua).await;
        }
    }
}
