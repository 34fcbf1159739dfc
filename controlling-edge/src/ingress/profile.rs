//! What this edge says of itself: methods, bodies, extensions (SRV-02).

use edge::mark::Mark;
use edge::profile::{Profile, Treatment};
use sip::Method;

/// Option tag of a MESSAGE that brings its recipients (RFC 5365 §4).
pub(crate) const RECIPIENT_LIST_MESSAGE: &str = "recipient-list-message";

/// Option tag of an INVITE that does (RFC 5366 §4).
pub(crate) const RECIPIENT_LIST_INVITE: &str = "recipient-list-invite";

/// The controlling function. `100rel` asks nothing of a UAS that sends no 1xx but 100.
pub(crate) static PROFILE: Profile = Profile {
    allow: "INVITE, ACK, CANCEL, BYE, MESSAGE, OPTIONS, UPDATE",
    // A MESSAGE may hold any other: it is passed on as it is.
    accept: "application/sdp, application/resource-lists+xml, multipart/mixed, */*;q=0.5",
    extensions: &[
        "100rel",
        RECIPIENT_LIST_INVITE,
        RECIPIENT_LIST_MESSAGE,
        "timer",
    ],
    // It has the message for all of them (CFL-06).
    contact_params: ";isfocus;+g.oma.sip-im",
    event_packages: &[],
    treatment,
    refuses: Mark::Leg,
};

fn treatment(method: &Method) -> Treatment {
    match method {
        // No package is served here, which 489 says (CFL-14).
        Method::Invite | Method::Message | Method::Options | Method::Subscribe => Treatment::Served,
        Method::Bye | Method::Cancel | Method::Notify | Method::Ack | Method::Update => {
            Treatment::DialogOnly
        }
        Method::Publish | Method::Register | Method::Info | Method::Refer | Method::Prack => {
            Treatment::NotAllowed
        }
        Method::Other(_) => Treatment::Unknown,
    }
}
