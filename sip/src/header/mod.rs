//! Typed views of header values. Each parser takes an unfolded, trimmed value and refuses trailing garbage.

mod cseq;
mod date;
mod event;
mod media_type;
mod name;
mod name_addr;
mod priority;
mod served_user;
mod session_expires;
mod via;

pub use self::{
    cseq::CSeq,
    date::{BadDate, SipDate},
    event::EventHeader,
    media_type::MediaType,
    name::Name,
    name_addr::{Contacts, NameAddr},
    priority::Priority,
    served_user::{ServedUserHeader, SessionCase},
    session_expires::{Refresher, SessionExpires},
    via::Via,
};
use crate::{UriError, params::BadParams};

/// A header value that does not follow its grammar.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("malformed {}: {reason}", name.as_str())]
pub struct HeaderError {
    /// The header the value belongs to.
    pub name: Name,
    /// What is wrong with it.
    pub reason: BadValue,
}

/// What is wrong with a header value.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum BadValue {
    /// The value does not have the parts its grammar asks for.
    #[error("syntax")]
    Syntax,
    /// A number is missing, signed or too large for its field.
    #[error("number out of range")]
    Number,
    /// A quoted string or a `<` is not closed.
    #[error("unbalanced quotes or brackets")]
    Unbalanced,
    /// A parameter is empty or not closed.
    #[error("malformed parameter")]
    Parameter,
    /// The URI in the value is malformed.
    #[error("{0}")]
    Uri(#[from] UriError),
}

impl From<BadParams> for BadValue {
    fn from(_: BadParams) -> Self {
        Self::Parameter
    }
}

#[cfg(test)]
mod tests;
