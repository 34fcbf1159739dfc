//! What this edge decides of an INVITE, then what the store decides (DEF-02, DEF-17).

use std::sync::Arc;

use edge::reception::answer::Terms;
use edge::reception::offer::{Lists, Offer, session_description};
use edge::reception::setup::{Admitted, Agreed, Route, open, session_timer};
use edge::refuse::Refusal;
use edge::{identity, peer};
use net::sip::ServerTransaction;
use sip::session_timer::Agreement;
use sip::{Request, ResponseBuilder, StatusCode};
use storage_client::{AdmissionAnswer, AdmissionRequest, Upload};

use super::record::Envelope;
use crate::edge::Edge;
use crate::ingress::{may_send, refusal_of, served_user};

/// Takes an INVITE up to its 200.
///
/// # Errors
/// The first row of requirements §1.20 that applies; the INVITE is not answered.
pub(super) async fn set_up(
    edge: &Arc<Edge>,
    transaction: &ServerTransaction,
) -> Result<Agreed<Envelope>, Refusal> {
    let (request, source) = (transaction.request(), transaction.source());
    let originator = identity::originator(request.headers(), &edge.site)?;
    let served_user = served_user::served_user(request, &edge.site)?.to_string();
    let (offer, timer) = judge(edge, request)?;
    let leave = may_send(edge, request, originator.as_ref())?;
    let place = edge.receptions.place(edge)?;
    transaction.respond(ResponseBuilder::reply_to(request, StatusCode::TRYING).build());
    let (pending, connect_to) = open(edge, &offer).await?;
    let admission = AdmissionRequest {
        served_user: served_user.clone(),
        sender: originator
            .as_ref()
            .map(|originator| originator.address.to_string()),
        sender_exempt: leave.sender_exempt,
        announced_octets: offer.announced,
        file_transfer: offer.file.is_some(),
    };
    let upload = admitted(edge, admission).await?;
    let terms = Terms {
        accept_types: edge.receptions.accept_types(),
        max_octets: limit(edge, &offer, &upload),
        repeated: Vec::new(),
    };
    let admitted = Admitted {
        route: Route::new(&offer, connect_to, originator.as_ref(), source),
        offer,
        timer,
        pending,
        upload,
        place,
    };
    let received_from = peer(source);
    admitted.agree(edge, transaction, (&terms, None), |offer, response| {
        Envelope {
            served_user,
            originator,
            leave,
            file: offer.file.clone(),
            received_from,
            transport: source.transport,
            invite: request.clone(),
            response: response.clone(),
        }
    })
}

/// What needs neither the store nor the network, in the order of the table.
fn judge(edge: &Edge, request: &Request) -> Result<(Offer, Agreement), Refusal> {
    let description = session_description(request, Lists::Refused);
    if let Err(refusal @ (Refusal::BodyType | Refusal::UserUnknown)) = description {
        return Err(refusal);
    }
    edge::privacy::check(request)?;
    let timer = session_timer(request)?;
    let offer = Offer::read(&description?)?;
    let limit = edge.receptions.config.max_octets.get();
    if offer.announced.is_some_and(|announced| announced > limit) {
        return Err(Refusal::NotAcceptable("larger than a message may be"));
    }
    Ok((offer, timer))
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
    let limit = edge.receptions.config.max_octets.get();
    match offer.announced {
        Some(_) => limit,
        None => limit.min(upload.max_octets()),
    }
}
