//! Session-Expires (RFC 4028 §4).

use std::fmt;

use super::BadValue;
use crate::{
    Params,
    text::{parse_number, split_top_level, trim},
};

/// Session interval and who refreshes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct SessionExpires {
    /// Interval in seconds.
    pub seconds: u32,
    /// The refresher, if it is settled.
    pub refresher: Option<Refresher>,
}

/// The side that refreshes the session.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Refresher {
    /// The UAC of the transaction that carries the header.
    Uac,
    /// The UAS of the transaction that carries the header.
    Uas,
}

impl SessionExpires {
    pub(crate) fn parse(value: &str) -> Result<Self, BadValue> {
        let (seconds, params) = split_top_level(value, b';');
        let params = params.map(Params::parse).transpose()?.unwrap_or_default();
        let refresher = match params.value("refresher") {
            Some(side) if side.eq_ignore_ascii_case("uac") => Some(Refresher::Uac),
            Some(side) if side.eq_ignore_ascii_case("uas") => Some(Refresher::Uas),
            Some(_) => return Err(BadValue::Parameter),
            None => None,
        };
        Ok(Self {
            seconds: parse_number(trim(seconds)).ok_or(BadValue::Number)?,
            refresher,
        })
    }
}

impl fmt::Display for SessionExpires {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.seconds)?;
        match self.refresher {
            Some(Refresher::Uac) => f.write_str(";refresher=uac"),
            Some(Refresher::Uas) => f.write_str(";refresher=uas"),
            None => Ok(()),
        }
    }
}
