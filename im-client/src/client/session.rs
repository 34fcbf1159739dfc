//! A push session from the user's side (requirements §1.5): the INVITE is answered at once, every
//! message is acknowledged when it has been handed over, the peer's BYE ends it.

use std::sync::Arc;
use std::time::Duration;

use futures_util::stream::{FuturesOrdered, StreamExt as _};
use msrp::sdp::{
    Agreement, MsrpMedia, Origin, Protocol, Role, SessionDescription, Setup, answer_media,
};
use net::msrp::{AnswerHandle, MsrpSession, OpenError, PendingSession, SessionRules};
use net::sip::ServerTransaction;
use net::tls::Fingerprint;
use sip::{Method, Name, Response, ResponseBuilder, StatusCode, token};
use tokio::sync::mpsc;

use super::listener::{profile, respond};
use super::spool::{self, Arrived, Unreadable};
use super::{Event, Shared};
use crate::large::DISCARD_PORT;
use crate::push::Summary;

/// How long the MSRP connection may take.
const CONNECT: Duration = Duration::from_secs(10);
/// How long the peer may take to end a session whose connection has gone.
const FAREWELL: Duration = Duration::from_secs(5);
pub(super) struct PushSession {
    shared: Arc<Shared>,
    events: mpsc::Sender<Event>,
}

impl PushSession {
    pub(super) fn new(shared: Arc<Shared>, events: mpsc::Sender<Event>) -> Self {
        Self { shared, events }
    }

    pub(super) async fn run(
        self,
        invite: ServerTransaction,
        mut requests: mpsc::Receiver<ServerTransaction>,
    ) {
        let Some((pending, agreement)) = self.answer(&invite) else {
            return;
        };
        let from = invite.request().headers().first(Name::From);
        let from = from.map_or_else(String::new, |field| field.value().into_owned());
        self.tell(Event::SessionOpened { from: from.clone() }).await;
        let summary = Summary::of(invite.request());
        let reason = match self.connect(pending, agreement, &from).await {
            Ok(session) => Box::pin(self.receive(session, summary, &mut requests)).await,
            Err(error) => {
                let ended = farewell(&mut requests).await;
                format!("the message connection failed ({error}); {ended}")
            }
        };
        self.tell(Event::SessionEnded { reason }).await;
    }

    /// Answers the INVITE; none if it was refused with 488 (LMT-04).
    fn answer(&self, invite: &ServerTransaction) -> Option<(PendingSession, Agreement)> {
        let Some((description, place, offer)) = offer(invite) else {
            respond(invite, StatusCode::NOT_ACCEPTABLE_HERE);
            return None;
        };
        let Some(pending) = self.open(&offer) else {
            respond(invite, StatusCode::NOT_ACCEPTABLE_HERE);
            return None;
        };
        let (media, agreement) = self.describe(&offer, &pending);
        let origin = Origin {
            user: "im-client".to_owned(),
            session_id: rand::random::<u32>().into(),
            version: 1,
            host: self.shared.options.local.to_string(),
        };
        let sdp = description.print_answer(&origin, place, &media);
        invite.respond(self.accepted(invite, sdp));
        Some((pending, agreement))
    }

    /// A session of the kind that is offered; none over TLS whose certificate cannot be told (MSR-03).
    fn open(&self, offer: &MsrpMedia) -> Option<PendingSession> {
        let options = &self.shared.options;
        let mut rules = SessionRules::receive_up_to(options.max_message_octets);
        rules.inbox.accept = options.accept_types.clone();
        let pending = match offer.protocol {
            Protocol::Tcp => self.shared.msrp.open(),
            Protocol::Tls => {
                let fingerprint = offer.fingerprint.as_ref()?.parse().ok()?;
                let pending = self.shared.msrp.open_secure()?;
                pending.with_peer_fingerprint(fingerprint)
            }
        };
        Some(pending.with_rules(rules))
    }

    fn describe(&self, offer: &MsrpMedia, pending: &PendingSession) -> (MsrpMedia, Agreement) {
        let (mut media, mut agreement) = answer_media(offer, pending.local_path().clone());
        if offer.setup == Some(Setup::ActPass) && self.shared.options.setup == Role::Active {
            agreement.role = Role::Active;
            media.setup = Some(Setup::Active);
            media.port = DISCARD_PORT;
        }
        media.max_size = Some(self.shared.options.max_message_octets);
        media.accept_types = self.shared.options.accept_types.clone();
        media.fingerprint = pending.fingerprint().map(Fingerprint::to_string);
        (media, agreement)
    }

    fn accepted(&self, invite: &ServerTransaction, sdp: String) -> Response {
        let headers = invite.request().headers();
        let mut response = profile(ResponseBuilder::reply_to(invite.request(), StatusCode::OK))
            .to_tag(&token::tag(&mut rand::rng()))
            .header(
                Name::Contact,
                format_args!("<{}>;{}", self.shared.contact, crate::IM_FEATURE_TAG),
            )
            .header(Name::Supported, "timer");
        // The peer refreshes: a push ends long before (LMT-02).
        if let Some(timer) = headers.first(Name::SessionExpires) {
            response = response
                .header(Name::Require, "timer")
                .header(Name::SessionExpires, timer.value());
        }
        response.body("application/sdp", sdp).build()
    }

    async fn connect(
        &self,
        pending: PendingSession,
        agreement: Agreement,
        from: &str,
    ) -> Result<MsrpSession, OpenError> {
        match agreement.role {
            Role::Active => pending.connect(agreement.peer_path, from, CONNECT).await,
            Role::Passive => pending.accept(agreement.peer_path, CONNECT).await,
        }
    }

    /// Takes messages until the peer says BYE or the connection is lost. They are handed over in the order in
    /// which they began.
    async fn receive(
        &self,
        mut session: MsrpSession,
        summary: Summary,
        requests: &mut mpsc::Receiver<ServerTransaction>,
    ) -> String {
        let mut arriving = FuturesOrdered::new();
        let mut is_open = true;
        let reason = loop {
            tokio::select! {
                Some(arrived) = arriving.next(), if !arriving.is_empty() => {
                    if let Some((arrived, answer)) = arrived {
                        self.deliver(arrived, answer).await;
                    }
                }
                inbound = session.next(), if is_open => match inbound {
                    Some(inbound) => {
                        let folder = self.shared.options.folder.clone();
                        arriving.push_back(spool::take(inbound, summary.clone(), folder));
                    }
                    None => is_open = false,
                },
                request = requests.recv() => match request {
                    Some(request) if in_dialog(&request) => break "the peer said BYE".to_owned(),
                    Some(_) => {}
                    None => break "the client was closed".to_owned(),
                },
            }
            if !is_open && arriving.is_empty() {
                let ended = farewell(requests).await;
                break format!("the message connection was lost; {ended}");
            }
        };
        session.close().await;
        reason
    }

    /// Hands a message over, and acknowledges it after that.
    async fn deliver(&self, arrived: Result<Arrived, Unreadable>, answer: AnswerHandle) {
        let event = match arrived {
            Ok(Arrived::Small(message)) => Event::Message(message),
            Ok(Arrived::Large(message)) => Event::Large(Box::new(message)),
            Err(Unreadable) => return answer.refuse(msrp::status::UNSUPPORTED_TYPE),
        };
        if self.events.send(event).await.is_ok() {
            answer.accept();
        }
    }

    async fn tell(&self, event: Event) {
        // Whoever dropped the events does not want to know.
        let _ = self.events.send(event).await;
    }
}

/// The description offered, and the place of the first media line we can take.
fn offer(invite: &ServerTransaction) -> Option<(SessionDescription, usize, MsrpMedia)> {
    let description = SessionDescription::parse(invite.request().body()).ok()?;
    let taken = description.msrp_media().find_map(|(place, media)| {
        media
            .ok()
            .filter(|media| media.port != 0)
            .map(|media| (place, media))
    });
    taken.map(|(place, media)| (description, place, media))
}

/// Answers a request of the dialog; whether it was its BYE.
fn in_dialog(request: &ServerTransaction) -> bool {
    let method = request.request().method();
    match method {
        Method::Bye | Method::Options | Method::Update => respond(request, StatusCode::OK),
        _ => respond(request, StatusCode::METHOD_NOT_ALLOWED),
    }
    *method == Method::Bye
}

/// Gives the peer some time to say BYE by itself.
async fn farewell(requests: &mut mpsc::Receiver<ServerTransaction>) -> &'static str {
    let bye = async {
        while let Some(request) = requests.recv().await {
            if in_dialog(&request) {
                return true;
            }
        }
        false
    };
    match tokio::time::timeout(FAREWELL, bye).await {
        Ok(true) => "the peer said BYE",
        _ => "the peer said no BYE",
    }
}
