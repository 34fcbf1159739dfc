//! Request methods.

use std::{fmt, str::FromStr};

use crate::text::is_token;

/// A request method. Tokens are compared case-sensitively (RFC 3261 §7.1), so `invite` is an `Other`.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Method {
    /// RFC 3261 §13.
    Invite,
    /// RFC 3261 §17.1.1.3.
    Ack,
    /// RFC 3261 §15.
    Bye,
    /// RFC 3261 §9.
    Cancel,
    /// RFC 3261 §10.
    Register,
    /// RFC 3261 §11.
    Options,
    /// RFC 6086.
    Info,
    /// RFC 3428.
    Message,
    /// RFC 6665.
    Subscribe,
    /// RFC 6665.
    Notify,
    /// RFC 3903.
    Publish,
    /// RFC 3515.
    Refer,
    /// RFC 3311.
    Update,
    /// RFC 3262.
    Prack,
    /// Any other token; only [`FromStr`] and the parser make one, so it never holds a separator.
    Other(OtherMethod),
}

/// The token of a method this implementation has no name for.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct OtherMethod(Box<str>);

impl Method {
    /// Every method with a name of its own, in the order of the enum.
    pub const NAMED: [Self; 14] = [
        Self::Invite,
        Self::Ack,
        Self::Bye,
        Self::Cancel,
        Self::Register,
        Self::Options,
        Self::Info,
        Self::Message,
        Self::Subscribe,
        Self::Notify,
        Self::Publish,
        Self::Refer,
        Self::Update,
        Self::Prack,
    ];

    /// The token as it stands in a start line.
    pub fn as_str(&self) -> &str {
        match self {
            Self::Invite => "INVITE",
            Self::Ack => "ACK",
            Self::Bye => "BYE",
            Self::Cancel => "CANCEL",
            Self::Register => "REGISTER",
            Self::Options => "OPTIONS",
            Self::Info => "INFO",
            Self::Message => "MESSAGE",
            Self::Subscribe => "SUBSCRIBE",
            Self::Notify => "NOTIFY",
            Self::Publish => "PUBLISH",
            Self::Refer => "REFER",
            Self::Update => "UPDATE",
            Self::Prack => "PRACK",
            Self::Other(OtherMethod(token)) => token,
        }
    }
}

impl fmt::Display for Method {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// The text is not a token (RFC 3261 §25.1), so it cannot be a method.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("a method must be a token")]
pub struct NotAToken;

impl FromStr for Method {
    type Err = NotAToken;

    fn from_str(token: &str) -> Result<Self, NotAToken> {
        if let Some(named) = Self::NAMED.iter().find(|method| method.as_str() == token) {
            return Ok(named.clone());
        }
        if is_token(token.as_bytes()) {
            Ok(Self::Other(OtherMethod(token.into())))
        } else {
            Err(NotAToken)
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_named_method_survives_its_own_text() {
        for method in Method::NAMED {
            assert_eq!(method.as_str().parse(), Ok(method));
        }
    }

    #[test]
    fn an_odd_token_is_a_method_and_a_separator_is_not() {
        let odd = "!interesting-Method0123456789_*+`.%indeed'~";
        assert_eq!(
            odd.parse::<Method>().map(|method| method.to_string()),
            Ok(odd.to_owned())
        );
        assert_eq!("".parse::<Method>(), Err(NotAToken));
        assert_eq!("IN VITE".parse::<Method>(), Err(NotAToken));
        assert_ne!("invite".parse(), Ok(Method::Invite));
    }
}
