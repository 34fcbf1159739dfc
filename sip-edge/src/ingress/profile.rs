//! What this edge says of itself: methods, bodies, extensions, event packages (SRV-02).

use crate::{message_waiting, settings};
use edge::mark::Mark;
use edge::profile::{Profile, Treatment};
use sip::Method;

/// The participating function. `100rel` asks nothing of a UAS that sends no 1xx but 100 (DEF-18). Event
/// packages come with their own modules, which add themselves here.
pub(crate) static PROFILE: Profile = Profile {
    allow: "INVITE, ACK, CANCEL, BYE, MESSAGE, OPTIONS, PUBLISH, REGISTER, SUBSCRIBE, UPDATE",
    // A MESSAGE may hold any other: it is stored as it is.
    accept: "application/sdp, application/poc-settings+xml, message/sip, multipart/mixed, */*;q=0.5",
    extensions: &["100rel", "path", "timer"],
    // A focus that sends by itself.
    contact_params: ";automata;+g.oma.sip-im",
    event_packages: &[settings::PACKAGE, message_waiting::PACKAGE],
    treatment,
    refuses: Mark::Delivery,
};

/// The treatment of a method.
fn treatment(method: &Method) -> Treatment {
    match method {
        Method::Message
        | Method::Register
        | Method::Options
        | Method::Invite
        | Method::Subscribe
        | Method::Publish => Treatment::Served,
        Method::Bye | Method::Cancel | Method::Update | Method::Notify | Method::Ack => {
            Treatment::DialogOnly
        }
        Method::Info | Method::Refer | Method::Prack => Treatment::NotAllowed,
        Method::Other(_) => Treatment::Unknown,
    }
}
