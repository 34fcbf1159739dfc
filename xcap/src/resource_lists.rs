//! Lists of recipients: `resource-lists` (RFC 4826 §3) with copy control (RFC 5364), as a URI-list service reads
//! and writes them (RFC 5363 §4, RFC 5365, RFC 5366).
//!
//! What counts are the entries of the lists right below the root. Lists within lists, references and external lists
//! are skipped (CFP-16): the sender names whom he means, and a service that resolves more is an amplifier.

mod read;
mod write;

pub use read::{Limits, NotAList, read};
pub use write::write;

/// Media type of the document.
pub const MEDIA_TYPE: &str = "application/resource-lists+xml";
/// Namespace of RFC 4826.
pub const RESOURCE_LISTS: &str = "urn:ietf:params:xml:ns:resource-lists";
/// Namespace of RFC 5364.
pub const COPY_CONTROL: &str = "urn:ietf:params:xml:ns:copycontrol";

/// Who learns that a recipient got the message (RFC 5364 §4).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum CopyControl {
    /// A main recipient, whom all see.
    To,
    /// A further recipient, whom all see.
    Cc,
    /// Nobody else sees him.
    Bcc,
}

impl CopyControl {
    /// The value of the attribute.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::To => "to",
            Self::Cc => "cc",
            Self::Bcc => "bcc",
        }
    }
}

/// One recipient.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Entry {
    /// As it is written; whether it is a URI is not looked at here.
    pub uri: String,
    /// What it says; an entry that says nothing is a [`CopyControl::Bcc`], so that nobody is named who was not meant to be.
    pub copy_control: CopyControl,
    /// He is counted, but not named to others (RFC 5364 §4).
    pub anonymize: bool,
}

#[cfg(test)]
mod tests;
