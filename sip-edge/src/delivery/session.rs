//! The sessions of deliveries: in whose name they are set up, for how long they are wanted, what may be sent
//! in them (DLV-07..11, PSH-10).

use edge::sending::invite::{Inviter, MAX_FORWARDS};
use edge::sending::terms::Terms;
use edge::sending::{self, Errand, Established, InviteFailure};
use edge::signature::Signature;
use msrp::AcceptTypes;
use msrp::encapsulate::SIPFRAG;
use storage_client::delivery::TakenMessage;

use super::device::{Aim, Delivery};
use super::encapsulate::{Encapsulated, is_private};
use super::way::Way;
use crate::edge::Edge;

/// Type of every SEND of a push (PSH-02).
pub(crate) const CONTAINER: &str = "multipart/mixed";

/// Only IM clients shall answer; server-originated requests keep `require` and `explicit` (DLV-08).
pub(crate) const ACCEPT_CONTACT: &str = "*;+g.oma.sip-im;require;explicit";

/// The store, for a push of all there is (requirements §2.4.2).
pub(super) fn store(signature: &Signature) -> Inviter {
    let identity = signature.store_identity().to_string();
    Inviter {
        call_id_prefix: "push".to_owned(),
        from: identity.clone(),
        asserted_identity: Some(identity),
        max_forwards: MAX_FORWARDS,
        accept_contact: ACCEPT_CONTACT.into(),
        date: None,
        headers: Vec::new(),
        attributes: Vec::new(),
        accept_types: AcceptTypes::any(),
        content_type: CONTAINER.to_owned(),
        icon: None,
    }
}

/// As chat clients of RCS know it (requirements 4.6): by a user part, and with the sender of the message that comes
/// first, unless he wants privacy.
pub(super) fn as_standfw(
    store: Inviter,
    signature: &Signature,
    first: Option<&TakenMessage>,
) -> Inviter {
    let first = first.filter(|taken| !is_private(&taken.message.headers.privacy));
    let sender = first.and_then(|taken| taken.message.sender.as_ref());
    let referred_by = sender.map(|sender| ("Referred-By".to_owned(), format!("<{sender}>")));
    Inviter {
        asserted_identity: Some(signature.standfw_identity().to_string()),
        headers: referred_by.into_iter().collect(),
        ..store
    }
}

/// Sets up a session of a job, in this one's name. It is not wanted any more when the claim is lost, or the
/// edge drains.
///
/// # Errors
/// How it came to nothing.
pub(super) async fn establish(
    edge: &Edge,
    job: Delivery<'_>,
    way: &Way,
    mut inviter: Inviter,
) -> Result<Established, InviteFailure> {
    let aim = Aim::new(&job, way.binding.as_ref(), way.is_core);
    if !aim.feature.is_empty() {
        let feature = &aim.feature;
        inviter.accept_contact = format!("*;+g.oma.sip-im{feature};require;explicit").into();
    }
    let errand = Errand {
        target: &aim.uri,
        way,
        inviter,
    };
    let withdrawn = async {
        tokio::select! {
            () = job.lost() => {}
            () = edge.draining.cancelled() => {}
        }
    };
    sending::establish(&edge.user_agent, errand, withdrawn).await
}

/// Whether this message may be pushed.
///
/// # Errors
/// Why it is skipped and stays stored.
pub(crate) fn check(terms: &Terms, message: &Encapsulated) -> Result<(), &'static str> {
    let parts = [SIPFRAG, message.wrapped_type];
    if !parts.iter().all(|part| terms.accepts_wrapped(part)) {
        return Err("client does not take the type");
    }
    terms.fits(message.content.octets())
}
