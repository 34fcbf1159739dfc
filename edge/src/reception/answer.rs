//! The 200 to the INVITE of a sender (DEF-05..11, requirements §2.2).

use std::time::SystemTime;

use crate::response::answer;
use crate::signature::Signature;
use msrp::AcceptTypes;
use msrp::sdp::{Origin, answer_media};
use net::msrp::PendingSession;
use sip::{Name, Request, Response, StatusCode, session_timer};

use super::offer::{Offer, SDP};
use crate::call::{ALLOW, Described};

/// What our answer says that the offer does not settle.
#[derive(Debug, Clone)]
pub struct Terms {
    /// Types that we take.
    pub accept_types: AcceptTypes,
    /// Largest message that we take, in octets.
    pub max_octets: u64,
    /// Attributes of the offer that we repeat (CFL-04).
    pub repeated: Vec<(String, Option<String>)>,
}

/// Our side of the session that an offer describes.
#[must_use]
pub fn described(offer: &Offer, pending: &PendingSession, terms: &Terms, host: &str) -> Described {
    let (mut media, agreement) = answer_media(&offer.media, pending.local_path().clone());
    media.accept_types = terms.accept_types.clone();
    media.max_size = Some(terms.max_octets);
    media.fingerprint = pending.fingerprint().map(ToString::to_string);
    media.cema = offer.media.cema;
    media.attributes.clone_from(&terms.repeated);
    let origin = Origin {
        user: "restante".to_owned(),
        session_id: rand::random::<u32>().into(),
        version: 1,
        host: host.to_owned(),
    };
    let of = (&offer.description, offer.place);
    let peer = (agreement.peer_path.clone(), agreement.role);
    Described::answered(origin, media, of, peer)
}

/// The 200 with the profile of the rows DEF-06..11; `local_contact` is the URI of our Contact.
pub(super) fn accepted(
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
