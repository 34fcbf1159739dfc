//! What this edge says of itself: methods, bodies, extensions, event packages (SRV-02).

use sip::{Method, Name};

/// Methods served, in the order of RFC 3261 and its extensions; INVITE and what belongs to it is
/// served within our own push dialogs.
pub(crate) const ALLOW: &str = "INVITE, ACK, CANCEL, BYE, MESSAGE, OPTIONS, REGISTER, UPDATE";

/// Bodies understood. A MESSAGE may hold any other: it is stored as it is.
pub(crate) const ACCEPT: &str = "application/sdp, message/sip, multipart/mixed, */*;q=0.5";

/// Option tags taken in Require and offered in Supported.
pub(crate) const EXTENSIONS: [&str; 2] = ["path", "timer"];

/// Event packages served. None yet: the waiting indication and the settings come with their own
/// modules, which add themselves here.
const EVENT_PACKAGES: [&str; 0] = [];

/// The Allow-Events header, if there is any package to name.
pub(crate) fn allow_events() -> impl Iterator<Item = (Name, String)> {
    let packages = EVENT_PACKAGES.join(", ");
    Some(packages)
        .filter(|packages| !packages.is_empty())
        .map(|packages| (Name::AllowEvents, packages))
        .into_iter()
}

/// How a method is treated when it arrives outside the dialogs we have.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Treatment {
    /// It has a service of its own.
    Served,
    /// It only makes sense in a dialog: 481 without one (ERR-08).
    DialogOnly,
    /// Known, not served: 405 (ERR-03).
    NotAllowed,
    /// Not known: 501 (ERR-03).
    Unknown,
}

/// The treatment of a method. SUBSCRIBE and PUBLISH are served by saying that their event package
/// is not (489), INVITE by saying why no session is possible.
pub(crate) fn treatment(method: &Method) -> Treatment {
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
