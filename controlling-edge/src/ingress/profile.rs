//! What this edge says of itself: methods, bodies, extensions (SRV-02).

use edge::mark::Mark;
use edge::profile::{Profile, Treatment};
use sip::Method;

/// Option tag of a MESSAGE that brings its recipients (RFC 5365 §4).
pub(crate) const RECIPIENT_LIST_MESSAGE: &str = "recipient-list-message";

/// The controlling function.
pub(crate) static PROFILE: Profile = Profile {
    allow: "MESSAGE, OPTIONS",
    // A MESSAGE may hold any other: it is passed on as it is.
    accept: "application/resource-lists+xml, multipart/mixed, */*;q=0.5",
    extensions: &[RECIPIENT_LIST_MESSAGE],
    // It has the message for all of them (CFL-06).
    contact_params: ";isfocus;+g.oma.sip-im",
    event_packages: &[],
    treatment,
    refuses: Mark::Leg,
};

fn treatment(method: &Method) -> Treatment {
    match method {
        // No package is served here, which 489 says (CFL-14).
        Method::Message | Method::Options | Method::Subscribe => Treatment::Served,
        Method::Bye | Method::Cancel | Method::Notify | Method::Ack | Method::Update => {
            Treatment::DialogOnly
        }
        Method::Invite
        | Method::Publish
        | Method::Register
        | Method::Info
        | Method::Refer
        | Method::Prack => Treatment::NotAllowed,
        Method::Other(_) => Treatment::Unknown,
    }
}
