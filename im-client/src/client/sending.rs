//! Sending a large message (requirements §1.4): INVITE, MSRP, BYE.

use std::sync::Arc;
use std::time::Duration;

use msrp::sdp::{Agreement, MsrpMedia, Role, SessionDescription, agree};
use net::msrp::{MsrpSession, PendingSession, SessionRules};
use net::sip::{ClientTransaction, ServerTransaction, Target};
use net::tls::Fingerprint;
use rand::SeedableRng as _;
use rand::rngs::StdRng;
use sip::session_timer::SessionPolicy;
use sip::{Request, Response, StatusCode, token};
use tokio::sync::mpsc;

use super::call::{Call, Fate};
use super::{Shared, now, refused};
use crate::ClientError;
use crate::envelope::RequestIds;
use crate::large::{Invitation, LargeMessage};
use crate::upload::{UploadControl, Uploaded};

/// How long the MSRP connection may take.
const CONNECT: Duration = Duration::from_secs(10);

/// One large message on its way.
pub(super) struct Sending<'a> {
    shared: &'a Arc<Shared>,
    message: &'a LargeMessage,
    control: &'a UploadControl,
}

/// An INVITE that was answered with a 2xx.
struct Answered {
    invite: Request,
    response: Response,
    /// Goes on to give the copies of the 2xx.
    transaction: ClientTransaction,
    /// It was cancelled, and the 2xx crossed the CANCEL.
    given_up: bool,
}

/// How an INVITE was answered.
enum Answer {
    Accepted(Box<Answered>),
    Refused(Response),
}

impl<'a> Sending<'a> {
    pub(super) fn new(
        shared: &'a Arc<Shared>,
        message: &'a LargeMessage,
        control: &'a UploadControl,
    ) -> Self {
        Self {
            shared,
            message,
            control,
        }
    }

    /// The whole procedure; the session is over when it returns.
    pub(super) async fn run(self) -> Result<Uploaded, ClientError> {
        let pending = self.open()?;
        let media = self.message.media(&pending, self.shared.options.setup);
        let mut invitation = Invitation {
            ids: RequestIds::new(
                &self.shared.options.local.to_string(),
                &mut StdRng::from_os_rng(),
            ),
            contact: self.shared.contact.clone(),
            policy: SessionPolicy::default(),
            offer: Invitation::offer(&media, self.shared.msrp.advertised_host()),
        };
        let requests = self.shared.sessions.enter(&invitation.ids.call_id);
        let answered = self.invite(&mut invitation).await?;
        let (given_up, by_focus) = (answered.given_up, is_focus(&answered.response));
        let envelope = &self.message.envelope;
        let call = Call::new(&answered.invite, &answered.response, envelope, &invitation);
        let call = call.ok_or(ClientError::PeerMisbehaved("its answer makes no dialog"))?;
        call.acknowledge(self.shared, invitation.ids.cseq).await;
        let agreed = agreement(&media, &answered.response);
        self.follow_copies(answered, &invitation, call.remote_tag());
        if given_up {
            call.bye(self.shared).await;
            return Err(ClientError::Cancelled);
        }
        let transfer = self.transfer(pending, agreed, call, requests, by_focus);
        Box::pin(transfer).await?;
        Ok(Uploaded {
            octets: self.message.content.octets(),
            by_focus,
        })
    }

    fn open(&self) -> Result<PendingSession, ClientError> {
        let options = &self.shared.options;
        let pending = match options.secure {
            true => self.shared.msrp.open_secure().ok_or(ClientError::Closed)?,
            false => self.shared.msrp.open(),
        };
        Ok(pending.with_rules(SessionRules {
            chunk_octets: options.chunk_octets,
            report_wait: options.report_wait,
            ..SessionRules::send_only()
        }))
    }

    /// Sends the INVITE, once more with a longer interval after a 422 (RFC 4028 §7.4).
    async fn invite(&self, invitation: &mut Invitation) -> Result<Answered, ClientError> {
        let mut answer = self.invite_once(invitation).await?;
        if let Answer::Refused(response) = &answer
            && response.status() == StatusCode::SESSION_INTERVAL_TOO_SMALL
            && let Ok(Some(policy)) = invitation.policy.raised(response.headers())
        {
            invitation.policy = policy;
            invitation.ids.cseq += 1;
            answer = self.invite_once(invitation).await?;
        }
        match answer {
            Answer::Accepted(answered) => Ok(*answered),
            Answer::Refused(response) => Err(refused(&response)),
        }
    }

    /// One INVITE to its final response; cancelled when the user gives up (LMC-01).
    async fn invite_once(&self, invitation: &Invitation) -> Result<Answer, ClientError> {
        let shared = self.shared;
        let invite = invitation.request(self.message, &shared.account, now());
        let target = Target::Uri(shared.account.proxy.clone());
        let branch = token::branch(&mut rand::rng());
        let sending = shared.endpoint.request(invite.clone(), &target, branch);
        let mut transaction = sending.await?;
        let mut given_up = false;
        loop {
            let outcome = tokio::select! {
                outcome = transaction.next() => outcome,
                () = self.control.cancelled(), if !given_up => {
                    transaction.cancel();
                    given_up = true;
                    continue;
                }
            };
            let response = match outcome {
                Some(Ok(response)) => response,
                _ if given_up => return Err(ClientError::Cancelled),
                Some(Err(failure)) => return Err(failure.into()),
                None => return Err(ClientError::Closed),
            };
            if response.status().is_success() {
                return Ok(Answer::Accepted(Box::new(Answered {
                    invite,
                    response,
                    transaction,
                    given_up,
                })));
            }
            if response.status().is_final() {
                return match given_up {
                    true => Err(ClientError::Cancelled),
                    false => Ok(Answer::Refused(response)),
                };
            }
        }
    }

    /// Acknowledges copies of the 2xx; a 2xx of another branch is acknowledged and ended
    /// (RFC 3261 §13.2.2.4).
    fn follow_copies(&self, answered: Answered, invitation: &Invitation, peer: &str) {
        let Answered {
            invite,
            mut transaction,
            ..
        } = answered;
        let (shared, envelope) = (Arc::clone(self.shared), self.message.envelope.clone());
        let (invitation, peer) = (invitation.clone(), peer.to_owned());
        tokio::spawn(async move {
            while let Some(Ok(response)) = transaction.next().await {
                let Some(call) = Call::new(&invite, &response, &envelope, &invitation) else {
                    continue;
                };
                call.acknowledge(&shared, invitation.ids.cseq).await;
                if call.remote_tag() != peer {
                    call.bye(&shared).await;
                }
            }
        });
    }

    /// Sends the content and ends the session, however that went (UPL-04, LMR-01).
    async fn transfer(
        &self,
        pending: PendingSession,
        agreed: Result<(Agreement, Option<Fingerprint>), ClientError>,
        mut call: Call,
        mut requests: mpsc::Receiver<ServerTransaction>,
        by_focus: bool,
    ) -> Result<(), ClientError> {
        let connected = match agreed {
            Ok((agreement, fingerprint)) => {
                let needs_report = by_focus || agreement.needs_reports;
                let peer = call.peer();
                let connecting = Box::pin(connect(pending, agreement, fingerprint, &peer));
                self.guarded(connecting, &mut call, &mut requests)
                    .await
                    .and_then(|session| Ok((session?, needs_report)))
            }
            Err(error) => Err(error),
        };
        let (session, outcome) = match connected {
            Ok((session, needs_report)) => {
                let sending = self.send(&session, needs_report);
                let outcome = self.guarded(sending, &mut call, &mut requests).await;
                (Some(session), outcome.and_then(|sent| sent))
            }
            Err(error) => (None, Err(error)),
        };
        let is_over = matches!(outcome, Err(ClientError::EndedByPeer(_)));
        let mut session = session;
        if outcome.is_err()
            && let Some(session) = session.take()
        {
            // What is half sent is given up before the dialog ends (CFL-07).
            session.close().await;
        }
        if !is_over {
            call.bye(self.shared).await;
        }
        if let Some(session) = session {
            session.close().await;
        }
        outcome
    }

    async fn send(&self, session: &MsrpSession, needs_report: bool) -> Result<(), ClientError> {
        let reader = self.message.content.open().await;
        let reader = reader.map_err(ClientError::Content)?;
        let reader = reader.counted(self.control.counter());
        let message = self.message.outbound(needs_report);
        session.send(message, reader).await.await?;
        Ok(())
    }

    /// Works until it is done, the user gives up, or the session ends.
    async fn guarded<T>(
        &self,
        work: impl Future<Output = T>,
        call: &mut Call,
        requests: &mut mpsc::Receiver<ServerTransaction>,
    ) -> Result<T, ClientError> {
        tokio::pin!(work);
        loop {
            let fate = tokio::select! {
                done = &mut work => return Ok(done),
                () = self.control.cancelled() => return Err(ClientError::Cancelled),
                () = call.due() => call.keep_alive(self.shared).await,
                request = requests.recv() => match request {
                    Some(request) => call.serve(&request),
                    None => return Err(ClientError::Closed),
                },
            };
            match fate {
                Fate::Lives => {}
                Fate::EndedByPeer(reason) => return Err(ClientError::EndedByPeer(reason)),
                Fate::Expired => return Err(ClientError::Expired),
            }
        }
    }
}

/// What offer and answer agree on, and by what the peer is known over TLS (MSR-03).
fn agreement(
    media: &MsrpMedia,
    response: &Response,
) -> Result<(Agreement, Option<Fingerprint>), ClientError> {
    let no_use = ClientError::PeerMisbehaved;
    let description = SessionDescription::parse(response.body());
    let answer = description.ok().and_then(|read| read.first_msrp());
    let answer = answer.ok_or(no_use("its answer describes no message session"))?;
    let agreement = agree(media, &answer);
    let agreement = agreement.map_err(|_| no_use("its answer does not fit the offer"))?;
    let fingerprint = match (&media.fingerprint, &answer.fingerprint) {
        (None, _) => None,
        (Some(_), Some(text)) => {
            let read = text
                .parse()
                .map_err(|_| no_use("its fingerprint cannot be used"))?;
            Some(read)
        }
        (Some(_), None) => return Err(no_use("its answer has no fingerprint")),
    };
    Ok((agreement, fingerprint))
}

async fn connect(
    pending: PendingSession,
    agreement: Agreement,
    fingerprint: Option<Fingerprint>,
    peer: &str,
) -> Result<MsrpSession, ClientError> {
    let pending = match fingerprint {
        Some(fingerprint) => pending.with_peer_fingerprint(fingerprint),
        None => pending,
    };
    let session = match agreement.role {
        Role::Active => pending.connect(agreement.peer_path, peer, CONNECT).await,
        Role::Passive => pending.accept(agreement.peer_path, CONNECT).await,
    };
    Ok(session?)
}

/// Whether the Contact says that the peer takes the message for others (RFC 4579 §4.2).
fn is_focus(response: &Response) -> bool {
    let contacts = response.headers().contacts().ok();
    let contact = contacts.as_ref().and_then(sip::Contacts::first);
    contact.is_some_and(|contact| contact.params.has("isfocus"))
}
