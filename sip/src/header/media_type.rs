//! Content-Type (RFC 3261 §20.15).

use std::{fmt, str::FromStr};

use super::BadValue;
use crate::{
    Params,
    text::{is_token, split_top_level, trim},
};

/// `type/subtype` with parameters. Type and subtype are held in lower case.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct MediaType {
    essence: String,
    /// Parameters such as `charset` and `boundary`.
    pub params: Params,
}

impl MediaType {
    /// `type/subtype` in lower case.
    pub fn essence(&self) -> &str {
        &self.essence
    }

    /// Whether type and subtype are these, letter case apart.
    pub fn is(&self, essence: &str) -> bool {
        self.essence.eq_ignore_ascii_case(essence)
    }

    /// Whether the type before the slash is this one, such as `multipart`.
    pub fn is_of_type(&self, main: &str) -> bool {
        self.essence
            .split_once('/')
            .is_some_and(|(own, _)| own.eq_ignore_ascii_case(main))
    }
}

impl FromStr for MediaType {
    type Err = BadValue;

    fn from_str(value: &str) -> Result<Self, BadValue> {
        let (essence, params) = split_top_level(value, b';');
        let (main, sub) = essence.split_once('/').ok_or(BadValue::Syntax)?;
        let (main, sub) = (trim(main), trim(sub));
        if !is_token(main.as_bytes()) || !is_token(sub.as_bytes()) {
            return Err(BadValue::Syntax);
        }
        Ok(Self {
            essence: format!("{main}/{sub}").to_ascii_lowercase(),
            params: params.map(Params::parse).transpose()?.unwrap_or_default(),
        })
    }
}

impl fmt::Display for MediaType {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}{}", self.essence, self.params)
    }
}
