//! Sessions that this client opens: from an INVITE to its dialog, and from the two descriptions to a
//! connection.

use std::sync::Arc;
use std::time::Duration;

use msrp::sdp::{Agreement, MsrpMedia, Role, SessionDescription, agree};
use net::msrp::{MsrpSession, PendingSession};
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
use crate::envelope::{Envelope, RequestIds};
use crate::large::{Icon, Invitation};
use crate::upload::UploadControl;

/// How long the MSRP connection may take.
const CONNECT: Duration = Duration::from_secs(10);

/// Opens sessions until its user gives up.
#[derive(Clone, Copy)]
pub(super) struct Originating<'a> {
    pub(super) shared: &'a Arc<Shared>,
    pub(super) control: &'a UploadControl,
}

/// A dialog whose INVITE has been answered with a 2xx and acknowledged.
pub(super) struct Opened {
    pub(super) call: Call,
    /// Of the peer within the dialog.
    pub(super) requests: mpsc::Receiver<ServerTransaction>,
    pub(super) response: Response,
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

impl Originating<'_> {
    /// Our end of a message session, over TLS if the options say so.
    pub(super) fn pending(&self) -> Result<PendingSession, ClientError> {
        match self.shared.options.secure {
            true => self.shared.msrp.open_secure().ok_or(ClientError::Closed),
            false => Ok(self.shared.msrp.open()),
        }
    }

    /// Invites with this media line and acknowledges the answer. Given up meanwhile, the dialog is
    /// ended too.
    pub(super) async fn open(
        &self,
        envelope: Envelope,
        media: &MsrpMedia,
        icon: Option<Icon>,
    ) -> Result<Opened, ClientError> {
        let mut invitation = Invitation {
            envelope,
            ids: RequestIds::new(
                &self.shared.options.local.to_string(),
                &mut StdRng::from_os_rng(),
            ),
            contact: self.shared.contact.clone(),
            policy: SessionPolicy::default(),
            offer: Invitation::offer(media, self.shared.msrp.advertised_host()),
            icon,
        };
        let requests = self.shared.sessions.enter(&invitation.ids.call_id);
        let answered = self.invite(&mut invitation).await?;
        let (given_up, response) = (answered.given_up, answered.response.clone());
        let call = Call::new(&answered.invite, &response, &invitation);
        let call = call.ok_or(ClientError::PeerMisbehaved("its answer makes no dialog"))?;
        call.acknowledge(self.shared, invitation.ids.cseq).await;
        self.follow_copies(answered, &invitation, call.remote_tag());
        if given_up {
            call.bye(self.shared).await;
            return Err(ClientError::Cancelled);
        }
        Ok(Opened {
            call,
            requests,
            response,
        })
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
        let invite = invitation.request(&shared.account, now());
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
        let shared = Arc::clone(self.shared);
        let (invitation, peer) = (invitation.clone(), peer.to_owned());
        tokio::spawn(async move {
            while let Some(Ok(response)) = transaction.next().await {
                let Some(call) = Call::new(&invite, &response, &invitation) else {
                    continue;
                };
                call.acknowledge(&shared, invitation.ids.cseq).await;
                if call.remote_tag() != peer {
                    call.bye(&shared).await;
                }
            }
        });
    }

    /// Works until it is done, the user gives up, or the session ends.
    pub(super) async fn guarded<T>(
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
pub(super) fn agreement(
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

pub(super) async fn connect(
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
