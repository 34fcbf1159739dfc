//! tel URIs (RFC 3966).

use std::fmt;

use super::UriError;
use crate::Params;

/// `tel:number;params`.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct TelUri {
    /// The number as written, with `+` if it is global and with its visual separators.
    pub number: String,
    /// Parameters such as `phone-context`.
    pub params: Params,
}

impl TelUri {
    /// Whether the number is valid everywhere (RFC 3966 §5.1.4).
    pub fn is_global(&self) -> bool {
        self.number.starts_with('+')
    }

    /// The number without `-`, `.`, `(` and `)` (RFC 3966 §5.1.1).
    pub fn digits(&self) -> String {
        self.number
            .chars()
            .filter(|digit| !is_visual_separator(*digit))
            .collect()
    }

    /// Reads what follows `tel:`.
    pub(super) fn parse_rest(rest: &str) -> Result<Self, UriError> {
        let (number, params) = rest.split_once(';').unwrap_or((rest, ""));
        let local = number.strip_prefix('+').unwrap_or(number);
        let is_number = local.chars().all(|digit| {
            digit.is_ascii_hexdigit() || matches!(digit, '*' | '#') || is_visual_separator(digit)
        });
        if !is_number || local.chars().all(is_visual_separator) {
            return Err(UriError::Number);
        }
        Ok(Self {
            number: number.to_owned(),
            params: Params::parse_uri(params),
        })
    }
}

fn is_visual_separator(character: char) -> bool {
    matches!(character, '-' | '.' | '(' | ')')
}

impl fmt::Display for TelUri {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "tel:{}{}", self.number, self.params)
    }
}
