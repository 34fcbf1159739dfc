//! From an INVITE to its 2xx: what both edges decide alike (DEF-02, DEF-17). What the store says of the
//! message comes in between.

use msrp::Path;
use msrp::sdp::{Protocol, Role};
use net::msrp::{OpenError, PendingSession, Permitted, SessionRules};
use net::sip::{ServerTransaction, Source};
use sip::dialog::Dialog;
use sip::session_timer::{Agreement, SessionPolicy, TimerRefusal, negotiate_uas};
use sip::{Request, Response, Uri};
use storage_client::Upload;
use tokio::sync::OwnedSemaphorePermit;

use super::answer::{self, Terms};
use super::offer::Offer;
use crate::call::Call;
use crate::dialogs::DialogEntry;
use crate::identity::AssertedIdentity;
use crate::now;
use crate::refuse::Refusal;
use crate::user_agent::UserAgent;

/// Port of a media line whose side only connects (RFC 6135 §4.2.2).
const DISCARD_PORT: u16 = 9;

/// A session whose INVITE has been answered 200.
#[derive(Debug)]
pub struct Agreed<P> {
    /// The dialog.
    pub call: Call,
    /// Requests of the peer in it.
    pub requests: DialogEntry,
    /// The MSRP session that is to come.
    pub pending: PendingSession,
    /// How it comes.
    pub route: Route,
    /// Where its octets go.
    pub upload: Upload,
    /// What becomes of the message.
    pub purpose: P,
    /// Its place among the sessions of this edge.
    pub place: OwnedSemaphorePermit,
}

/// Who connects, and where to.
#[derive(Debug, Clone)]
pub struct Route {
    /// The peer's path.
    pub peer_path: Path,
    /// Where we connect to; none if the peer does.
    pub connect_to: Option<Permitted>,
    /// Whose word makes us connect (MSR-04).
    pub signalling_peer: String,
}

/// A session that only has to be answered.
#[derive(Debug)]
pub struct Admitted {
    /// What is offered.
    pub offer: Offer,
    /// Its session timer.
    pub timer: Agreement,
    /// The MSRP session that is to come.
    pub pending: PendingSession,
    /// How it comes.
    pub route: Route,
    /// Where its octets go.
    pub upload: Upload,
    /// Its place among the sessions of this edge.
    pub place: OwnedSemaphorePermit,
}

impl Admitted {
    /// Answers 200 with these terms. `session` names the session in our Contact; `purpose` is made with the
    /// answer.
    ///
    /// # Errors
    /// 400 where dialog headers of the INVITE are malformed.
    pub fn agree<P>(
        self,
        ua: &UserAgent,
        transaction: &ServerTransaction,
        (terms, session): (&Terms, Option<String>),
        purpose: impl FnOnce(&Offer, &Response) -> P,
    ) -> Result<Agreed<P>, Refusal> {
        let (request, source) = (transaction.request(), transaction.source());
        let max_octets = largest(&self.offer, &self.upload, terms.max_octets);
        let mut rules = SessionRules::receive_one_up_to(max_octets);
        rules.inbox.accept = terms.accept_types.clone();
        let host = ua.msrp.advertised_host();
        let described = answer::described(&self.offer, &self.pending, terms, host);
        let to = (request, source);
        let answered = Answered::new(ua, to, described.text(), &self.timer, session)?;
        let requests = ua.dialogs.enter_as_uas(answered.dialog.id());
        transaction.respond(answered.response.clone());
        Ok(Agreed {
            purpose: purpose(&self.offer, &answered.response),
            call: Call::answered(
                answered.dialog,
                (request, source),
                answered.contact,
                described,
                &self.timer,
            ),
            requests,
            pending: self.pending.with_rules(rules),
            route: self.route,
            upload: self.upload,
            place: self.place,
        })
    }
}

/// The session timer that an INVITE asks for (DEF-09).
///
/// # Errors
/// 422 where its interval is too short, 400 where it is malformed.
pub fn session_timer(request: &Request) -> Result<Agreement, Refusal> {
    let timer = negotiate_uas(request.headers(), &SessionPolicy::default());
    timer.map_err(|refusal| match refusal {
        TimerRefusal::TooSmall { min_se } => Refusal::SessionIntervalTooSmall(min_se),
        TimerRefusal::Malformed(malformed) => malformed.into(),
    })
}

/// Makes our end of the MSRP session. Where we shall connect, the address is judged now (MSR-04).
///
/// # Errors
/// 488 where no session can come of it.
pub async fn open(
    ua: &UserAgent,
    offer: &Offer,
) -> Result<(PendingSession, Option<Permitted>), Refusal> {
    let first = offer.media.path.first();
    let is_secure = offer.media.protocol == Protocol::Tls;
    if first.is_secure() != is_secure || !first.transport().eq_ignore_ascii_case("tcp") {
        return Err(Refusal::NotAcceptable(
            "the path does not fit the media line",
        ));
    }
    let pending = match is_secure {
        false => ua.msrp.open(),
        true => secured(ua, offer)?,
    };
    let (_, agreement) = msrp::sdp::answer_media(&offer.media, pending.local_path().clone());
    if agreement.role == Role::Passive {
        return Ok((pending, None));
    }
    let (host, port) = target(offer);
    let resolved = pending.resolve(host, port).await;
    let permitted = resolved.map_err(|error| match error {
        OpenError::Forbidden => Refusal::NotAcceptable("the address of the path is forbidden"),
        _ => Refusal::NotAcceptable("the host of the path is not known"),
    })?;
    Ok((pending, Some(permitted)))
}

fn secured(ua: &UserAgent, offer: &Offer) -> Result<PendingSession, Refusal> {
    let pending = ua.msrp.open_secure();
    let pending = pending.ok_or(Refusal::NotAcceptable("no TLS for messages here"))?;
    let fingerprint = offer.media.fingerprint.as_ref();
    let fingerprint = fingerprint.ok_or(Refusal::NotAcceptable("no fingerprint"))?;
    let fingerprint = fingerprint
        .parse()
        .map_err(|_| Refusal::NotAcceptable("fingerprint cannot be used"))?;
    Ok(pending.with_peer_fingerprint(fingerprint))
}

impl Route {
    /// How the session of this offer comes, after [`open`] has said where we connect. Whom the core vouches
    /// for makes us connect, else who sent the request (MSR-04); not the Contact, which a sender chooses.
    #[must_use]
    pub fn new(
        offer: &Offer,
        connect_to: Option<Permitted>,
        originator: Option<&AssertedIdentity>,
        source: &Source,
    ) -> Self {
        Self {
            peer_path: offer.media.path.clone(),
            connect_to,
            signalling_peer: match originator {
                Some(originator) => originator.address.to_string(),
                None => source.remote.ip().to_string(),
            },
        }
    }
}

/// Where an active side connects: the first URI of the path, or under CEMA what `c=` and `m=` say, which
/// a middlebox has made its own (RFC 6714 §4.2).
fn target(offer: &Offer) -> (&str, u16) {
    let first = offer.media.path.first();
    match offer.description.host(offer.place) {
        Some(host) if offer.media.cema && offer.media.port != DISCARD_PORT => {
            (host, offer.media.port)
        }
        _ => (first.host(), first.effective_port()),
    }
}

/// More octets than announced are as good as too many (DEF-15).
fn largest(offer: &Offer, upload: &Upload, limit: u64) -> u64 {
    let limit = limit.min(upload.max_octets());
    offer
        .announced
        .map_or(limit, |announced| announced.min(limit))
}

/// Our 200 and the dialog it makes.
#[derive(Debug)]
pub struct Answered {
    /// The answer.
    pub response: Response,
    /// The dialog.
    pub dialog: Dialog,
    /// URI of our Contact.
    pub contact: String,
}

impl Answered {
    /// Our 200 to this INVITE with this description; `session` is the user part of our Contact, if it is not
    /// the store's.
    ///
    /// # Errors
    /// 400 where its dialog headers are malformed.
    pub fn new(
        ua: &UserAgent,
        (request, source): (&Request, &Source),
        description: &str,
        timer: &Agreement,
        session: Option<String>,
    ) -> Result<Answered, Refusal> {
        let signature = &ua.signature;
        let mut contact = ua.contact_uri(source.transport, is_secure(request)?);
        if let (Some(session), Ok(Uri::Sip(mut uri))) = (session, contact.parse()) {
            uri.user = Some(session);
            contact = uri.to_string();
        }
        let response = answer::accepted(request, description, &contact, timer, signature, now());
        let malformed = || sip::Violation::bad_request("Malformed dialog header");
        let to = response.headers().to()?.ok_or_else(malformed)?;
        let uri = contact.parse::<Uri>().map_err(|_| malformed())?;
        let dialog = Dialog::uas(request, to.tag().unwrap_or_default(), uri);
        let dialog = dialog.map_err(|error| Refusal::Violation(error.into()))?;
        Ok(Answered {
            response,
            dialog,
            contact,
        })
    }
}

/// Whether the dialog is one of sips URIs, so that our Contact has to be one (RFC 3261 §12.1.1).
fn is_secure(request: &Request) -> Result<bool, Refusal> {
    let is_sips = |uri: &Uri| uri.as_sip().is_some_and(|uri| uri.secure);
    let headers = request.headers();
    let next = match headers.record_routes()?.into_iter().next() {
        Some(route) => Some(route),
        None => headers.contacts()?.first().cloned(),
    };
    let is_next = next.is_some_and(|next| is_sips(&next.uri));
    Ok(is_next || request.uri().is_ok_and(|uri| is_sips(&uri)))
}
