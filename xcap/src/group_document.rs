//! Group documents (OMA XDM Group, after RFC 4826): application usage `org.openmobilealliance.groups`, one group per
//! document.
//!
//! What is read is who belongs to the group, what it is called, and from its rules who may send to it and whether
//! anonymously. All else (`max-participant-count`, `invite-members`, actions about sessions, extensions) is left to
//! whoever reads the document: it is kept as it is written, also by [`amend`]. What would have to be obeyed and cannot
//! be is refused: lists elsewhere, and rules about single senders.

mod amend;
mod policy;
mod read;
mod write;

pub use amend::amend;
pub use read::{NotAGroup, read};
pub use write::write;

use crate::xml::Limits;

/// The application usage.
pub const AUID: &str = "org.openmobilealliance.groups";
/// Media type of the document.
pub const MEDIA_TYPE: &str = "application/vnd.oma.poc.groups+xml";
/// Namespace of its elements.
pub const NAMESPACE: &str = "urn:oma:xml:poc:list-service";
/// Namespace of rules (RFC 4745).
pub const COMMON_POLICY: &str = "urn:ietf:params:xml:ns:common-policy";
/// Namespace of the conditions that OMA added.
pub const OMA_COMMON_POLICY: &str = "urn:oma:xml:xdm:common-policy";

/// Members of one group.
pub const MEMBERS_MAX: usize = 10_000;
/// Bounds of a document: its largest group, with names and blanks.
pub const LIMITS: Limits = Limits {
    octets: 1 << 20,
    nodes: 150_000,
    depth: 16,
};

/// A group as its document has it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct GroupDocument {
    /// The group identity, as it is written.
    pub uri: String,
    /// For people; empty if it has none.
    pub display_name: String,
    /// In the order of the document.
    pub members: Vec<Member>,
    /// Messages of anonymous senders are taken.
    pub allow_anonymity: bool,
    /// Not only members may send.
    pub non_members_may_send: bool,
}

/// An entry of the list.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Member {
    /// As it is written; whether it is an address is not looked at here.
    pub uri: String,
    /// Empty if it has none.
    pub display_name: String,
}

#[cfg(test)]
mod tests;
