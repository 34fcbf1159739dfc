//! P-Served-User (RFC 5502 §5).

use std::fmt;

use super::{BadValue, NameAddr};
use crate::Uri;

/// Whose service is to run, and in which role.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ServedUserHeader {
    /// The served user.
    pub uri: Uri,
    /// `sescase`; `None` if absent or another token.
    pub session_case: Option<SessionCase>,
    /// `regstate`: whether the user is registered; `None` if absent or another token.
    pub registered: Option<bool>,
}

/// Side of the session the service runs for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum SessionCase {
    /// `orig`: the served user sends.
    Originating,
    /// `term`: the served user receives.
    Terminating,
}

impl ServedUserHeader {
    pub(crate) fn parse(value: &str) -> Result<Self, BadValue> {
        let address: NameAddr = value.parse()?;
        let token = |name: &str| address.params.value(name).map(str::to_ascii_lowercase);
        let session_case = match token("sescase").as_deref() {
            Some("orig") => Some(SessionCase::Originating),
            Some("term") => Some(SessionCase::Terminating),
            _ => None,
        };
        let registered = match token("regstate").as_deref() {
            Some("reg") => Some(true),
            Some("unreg") => Some(false),
            _ => None,
        };
        Ok(Self {
            uri: address.uri,
            session_case,
            registered,
        })
    }
}

impl fmt::Display for ServedUserHeader {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "<{}>", self.uri)?;
        match self.session_case {
            Some(SessionCase::Originating) => f.write_str(";sescase=orig")?,
            Some(SessionCase::Terminating) => f.write_str(";sescase=term")?,
            None => {}
        }
        match self.registered {
            Some(true) => f.write_str(";regstate=reg"),
            Some(false) => f.write_str(";regstate=unreg"),
            None => Ok(()),
        }
    }
}
