//! CSeq (RFC 3261 §20.16).

use std::fmt;

use super::BadValue;
use crate::{
    Method,
    text::{parse_number, trim},
};

/// Sequence number and method of a request.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct CSeq {
    /// Below 2³¹ in what we originate (RFC 3261 §8.1.1.5); any 32 bits in what we receive.
    pub number: u32,
    /// The method, which must be that of the request.
    pub method: Method,
}

impl CSeq {
    pub(crate) fn parse(value: &str) -> Result<Self, BadValue> {
        let (number, method) = value.split_once([' ', '\t']).ok_or(BadValue::Syntax)?;
        Ok(Self {
            number: parse_number(number).ok_or(BadValue::Number)?,
            method: trim(method).parse().map_err(|_| BadValue::Syntax)?,
        })
    }
}

impl fmt::Display for CSeq {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {}", self.number, self.method)
    }
}
