//! From an INVITE to its 2xx: what the edge decides, then what the store decides (DEF-02, DEF-17).

use std::sync::Arc;

use edge::identity::AssertedIdentity;
use edge::refuse::Refusal;
use edge::{identity, now, peer};
use msrp::sdp::{Protocol, Role};
use msrp::{AcceptTypes, Path};
use net::msrp::{OpenError, PendingSession, Permitted, SessionRules};
use net::sip::{ServerTransaction, Source};
use sip::dialog::Dialog;
use sip::session_timer::{Agreement, SessionPolicy, TimerRefusal, negotiate_uas};
use sip::{Request, Response, ResponseBuilder, StatusCode, Uri};
use storage_client::{AdmissionAnswer, AdmissionRequest, Upload};
use tokio::sync::OwnedSemaphorePermit;

use super::answer;
use super::offer::{Offer, session_description};
use super::record::Envelope;
use crate::edge::Edge;
use crate::ingress::{may_send, refusal_of, served_user};
use edge::call::Call;
use edge::dialogs::DialogEntry;

/// Port of a media line whose side only connects (RFC 6135 §4.2.2).
const DISCARD_PORT: u16 = 9;

/// A session whose INVITE has been answered 200.
#[derive(Debug)]
pub(crate) struct Agreed {
    /// The dialog.
    pub(crate) call: Call,
    /// Requests of the peer in it.
    pub(crate) requests: DialogEntry,
    /// The MSRP session that is to come.
    pub(crate) pending: PendingSession,
    /// How it comes.
    pub(crate) route: Route,
    /// Where its octets go.
    pub(crate) upload: Upload,
    /// What is known of the message.
    pub(crate) envelope: Envelope,
    /// Its place among the sessions of this edge.
    pub(crate) place: OwnedSemaphorePermit,
}

/// Who connects, and where to.
#[derive(Debug, Clone)]
pub(crate) struct Route {
    /// The peer's path.
    pub(crate) peer_path: Path,
    /// Where we connect to; none if the peer does.
    pub(crate) connect_to: Option<Permitted>,
    /// Whose word makes us connect (MSR-04).
    pub(crate) signalling_peer: String,
}

/// Takes an INVITE up to its 200.
///
/// # Errors
/// The first row of requirements §1.20 that applies; the INVITE is not answered.
pub(crate) async fn set_up(
    edge: &Arc<Edge>,
    transaction: &ServerTransaction,
) -> Result<Agreed, Refusal> {
    let (request, source) = (transaction.request(), transaction.source());
    let originator = identity::originator(request.headers(), &edge.site)?;
    let served_user = served_user::served_user(request, &edge.site)?.to_string();
    let (offer, timer) = judge(edge, request)?;
    may_send(edge, originator.as_ref())?;
    let place = place(edge)?;
    transaction.respond(ResponseBuilder::reply_to(request, StatusCode::TRYING).build());
    let (pending, connect_to) = open(edge, &offer).await?;
    let admission = AdmissionRequest {
        served_user: served_user.clone(),
        sender: originator
            .as_ref()
            .map(|originator| originator.address.to_string()),
        announced_octets: offer.announced,
        file_transfer: offer.file.is_some(),
    };
    let upload = admitted(edge, admission).await?;
    let max_octets = largest(edge, &offer, &upload);
    let accept = accept_types(edge);
    let mut rules = SessionRules::receive_one_up_to(max_octets);
    rules.inbox.accept = accept.clone();
    let host = edge.msrp.advertised_host();
    let limit = limit(edge, &offer, &upload);
    let (described, _) = answer::described(&offer, &pending, &accept, limit, host);
    let answered = Answered::new(edge, request, source, described.text(), &timer)?;
    let route = Route {
        signalling_peer: signalling_peer(originator.as_ref(), source),
        peer_path: offer.media.path.clone(),
        connect_to,
    };
    let requests = edge.dialogs.enter_as_uas(answered.dialog.id());
    transaction.respond(answered.response.clone());
    Ok(Agreed {
        call: Call::answered(
            answered.dialog,
            (request, source),
            answered.contact,
            described,
            &timer,
        ),
        requests,
        pending: pending.with_rules(rules),
        route,
        upload,
        envelope: Envelope {
            served_user,
            originator,
            file: offer.file,
            received_from: peer(source),
            transport: source.transport,
            invite: request.clone(),
            response: answered.response,
        },
        place,
    })
}

/// What needs neither the store nor the network, in the order of the table.
fn judge(edge: &Edge, request: &Request) -> Result<(Offer, Agreement), Refusal> {
    let description = session_description(request);
    if let Err(refusal @ (Refusal::BodyType | Refusal::UserUnknown)) = description {
        return Err(refusal);
    }
    edge::privacy::check(request)?;
    let timer = negotiate_uas(request.headers(), &SessionPolicy::default());
    let timer = timer.map_err(|refusal| match refusal {
        TimerRefusal::TooSmall { min_se } => Refusal::SessionIntervalTooSmall(min_se),
        TimerRefusal::Malformed(malformed) => malformed.into(),
    })?;
    let offer = Offer::read(&description?)?;
    let limit = edge.config.large.max_octets.get();
    if offer.announced.is_some_and(|announced| announced > limit) {
        return Err(Refusal::NotAcceptable("larger than a message may be"));
    }
    Ok((offer, timer))
}

/// A place among the sessions of this edge.
///
/// # Errors
/// 503 where there is none, and in a drain.
pub(crate) fn place(edge: &Edge) -> Result<OwnedSemaphorePermit, Refusal> {
    if edge.draining.is_cancelled() {
        return Err(Refusal::Overloaded);
    }
    let place = Arc::clone(&edge.receptions.places).try_acquire_owned();
    place.map_err(|_| Refusal::Overloaded)
}

/// Makes our end of the MSRP session. Where we shall connect, the address is judged now (MSR-04).
///
/// # Errors
/// 488 where no session can come of it.
pub(crate) async fn open(
    edge: &Edge,
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
        false => edge.msrp.open(),
        true => secured(edge, offer)?,
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

fn secured(edge: &Edge, offer: &Offer) -> Result<PendingSession, Refusal> {
    let pending = edge.msrp.open_secure();
    let pending = pending.ok_or(Refusal::NotAcceptable("no TLS for messages here"))?;
    let fingerprint = offer.media.fingerprint.as_ref();
    let fingerprint = fingerprint.ok_or(Refusal::NotAcceptable("no fingerprint"))?;
    let fingerprint = fingerprint
        .parse()
        .map_err(|_| Refusal::NotAcceptable("fingerprint cannot be used"))?;
    Ok(pending.with_peer_fingerprint(fingerprint))
}

/// Who makes us connect (MSR-04): whom the core vouches for, else who sent the request; not the Contact,
/// which a sender chooses.
fn signalling_peer(originator: Option<&AssertedIdentity>, source: &Source) -> String {
    match originator {
        Some(originator) => originator.address.to_string(),
        None => source.remote.ip().to_string(),
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

async fn admitted(edge: &Edge, admission: AdmissionRequest) -> Result<Upload, Refusal> {
    match edge.storage.admit(admission).await {
        Ok(AdmissionAnswer::Admitted(upload)) => Ok(upload),
        Ok(AdmissionAnswer::Refused(refused)) => Err(refusal_of(refused)),
        Err(unavailable) => Err(Refusal::Unavailable(Some(unavailable.retry_after))),
    }
}

/// The largest message we take. The store says it too, unless it was told how large this one is.
fn limit(edge: &Edge, offer: &Offer, upload: &Upload) -> u64 {
    let limit = edge.config.large.max_octets.get();
    match offer.announced {
        Some(_) => limit,
        None => limit.min(upload.max_octets()),
    }
}

/// More octets than announced are as good as too many (DEF-15).
fn largest(edge: &Edge, offer: &Offer, upload: &Upload) -> u64 {
    let limit = edge.config.large.max_octets.get().min(upload.max_octets());
    offer
        .announced
        .map_or(limit, |announced| announced.min(limit))
}

/// What is taken from senders.
pub(crate) fn accept_types(edge: &Edge) -> AcceptTypes {
    AcceptTypes::of(edge.config.large.accept_types.iter().map(String::as_str))
}

/// Our 200 and the dialog it makes.
pub(crate) struct Answered {
    pub(crate) response: Response,
    pub(crate) dialog: Dialog,
    pub(crate) contact: String,
}

impl Answered {
    /// Our 200 to this INVITE with this description.
    ///
    /// # Errors
    /// 400 where its dialog headers are malformed.
    pub(crate) fn new(
        edge: &Edge,
        request: &Request,
        source: &Source,
        description: &str,
        timer: &Agreement,
    ) -> Result<Answered, Refusal> {
        let signature = &edge.site.signature;
        let sent_by = edge.sip.sent_by(source.transport);
        let contact = signature.contact(&sent_by, source.transport, is_secure(request)?);
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
