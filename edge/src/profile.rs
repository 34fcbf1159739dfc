//! What an edge says of itself, and which requests it serves (SRV-02, ERR-03, ERR-07).

use sip::{Method, Name};

use crate::mark::Mark;

/// How a method is treated when it arrives outside the dialogs we have.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Treatment {
    /// It has a service of its own.
    Served,
    /// It only makes sense in a dialog: 481 without one (ERR-08).
    DialogOnly,
    /// Known, not served: 405 (ERR-03).
    NotAllowed,
    /// Not known: 501 (ERR-03).
    Unknown,
}

/// Methods, bodies, extensions, features, event packages of one kind of edge.
#[derive(Debug)]
pub struct Profile {
    /// Methods served, in the order of RFC 3261 and its extensions.
    pub allow: &'static str,
    /// Bodies understood.
    pub accept: &'static str,
    /// Option tags taken in Require and offered in Supported.
    pub extensions: &'static [&'static str],
    /// Parameters of the Contact in sessions: what it is (DLV-10, CFL-06, CFL-08).
    pub contact_params: &'static str,
    /// Event packages served.
    pub event_packages: &'static [&'static str],
    /// The treatment of each method.
    pub treatment: fn(&Method) -> Treatment,
    /// The mark in a Via by which a request of our own that came back is known (DLV-16, CFP-20).
    pub refuses: Mark,
}

impl Profile {
    /// The Allow-Events header, if there is any package to name.
    pub fn allow_events(&self) -> impl Iterator<Item = (Name, String)> + use<> {
        let packages = self.event_packages.join(", ");
        Some(packages)
            .filter(|packages| !packages.is_empty())
            .map(|packages| (Name::AllowEvents, packages))
            .into_iter()
    }
}
