//! The 200 to the INVITE of a sender (DEF-05..11, requirements §2.2).

use std::time::SystemTime;

use edge::response::answer;
use edge::signature::Signature;
use msrp::AcceptTypes;
use msrp::sdp::{Agreement, Origin, answer_media};
use net::msrp::PendingSession;
use sip::{Name, Request, Response, StatusCode, session_timer};

use super::offer::{Offer, SDP};
use edge::call::{ALLOW, Described};

/// Our side of the session that an offer describes, and what is agreed by it.
pub(crate) fn described(
    offer: &Offer,
    pending: &PendingSession,
    accept: &AcceptTypes,
    max_octets: u64,
    host: &str,
) -> (Described, Agreement) {
    let (mut media, agreement) = answer_media(&offer.media, pending.local_path().clone());
    media.accept_types = accept.clone();
    media.max_size = Some(max_octets);
    media.fingerprint = pending.fingerprint().map(ToString::to_string);
    media.cema = offer.media.cema;
    let origin = Origin {
        user: "restante".to_owned(),
        session_id: rand::random::<u32>().into(),
        version: 1,
        host: host.to_owned(),
    };
    let of = (&offer.description, offer.place);
    let peer = (agreement.peer_path.clone(), agreement.role);
    (Described::answered(origin, media, of, peer), agreement)
}

/// The 200 with the profile of the rows DEF-06..11; `local_contact` is the URI of our Contact.
pub(crate) fn accepted(
    invite: &Request,
    description: &str,
    local_contact: &str,
    timer: &session_timer::Agreement,
    signature: &Signature,
    now: SystemTime,
) -> Response {
    let mut builder = answer(invite, StatusCode::OK, signature, now)
        .header(Name::Contact, signature.session_contact(local_contact))
        .header(Name::Allow, ALLOW)
        .header(Name::Supported, "timer");
    if timer.require {
        builder = builder.header(Name::Require, "timer");
    }
    builder
        .header(Name::SessionExpires, timer.session_expires())
        .header(Name::PAssertedIdentity, signature.store_identity())
        .body(SDP, description.to_owned())
        .build()
}
