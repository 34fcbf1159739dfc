//! Event (RFC 6665 §8.2.1).

use std::fmt;

use super::BadValue;
use crate::{
    Params,
    text::{is_token, split_top_level, trim},
};

/// Event package with its parameters, such as `id`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct EventHeader {
    /// The package as written; compared with letter case (RFC 6665 §8.2.1).
    pub package: String,
    /// Parameters of the event.
    pub params: Params,
}

impl EventHeader {
    pub(crate) fn parse(value: &str) -> Result<Self, BadValue> {
        let (package, params) = split_top_level(value, b';');
        let package = trim(package);
        if !is_token(package.as_bytes()) {
            return Err(BadValue::Syntax);
        }
        let params = params.map(Params::parse).transpose()?.unwrap_or_default();
        Ok(Self {
            package: package.to_owned(),
            params,
        })
    }
}

impl fmt::Display for EventHeader {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}{}", self.package, self.params)
    }
}
