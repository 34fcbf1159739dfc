//! Hosts and host–port pairs (RFC 3261 §25.1, IPv6 by RFC 5954).

use std::{
    fmt,
    net::{IpAddr, Ipv4Addr, Ipv6Addr},
    str::FromStr,
};

use super::UriError;
use crate::text::parse_number;

/// A host name or address literal. Names compare without letter case; addresses by value.
#[derive(Debug, Clone)]
pub enum Host {
    /// A domain name, letter case kept.
    Name(String),
    /// An IPv4 literal.
    V4(Ipv4Addr),
    /// An IPv6 literal, printed in brackets.
    V6(Ipv6Addr),
}

impl Host {
    /// The address, if the host is a literal.
    pub fn address(&self) -> Option<IpAddr> {
        match self {
            Self::Name(_) => None,
            Self::V4(address) => Some((*address).into()),
            Self::V6(address) => Some((*address).into()),
        }
    }
}

impl PartialEq for Host {
    fn eq(&self, other: &Self) -> bool {
        match (self, other) {
            (Self::Name(a), Self::Name(b)) => a.eq_ignore_ascii_case(b),
            _ => self.address().is_some() && self.address() == other.address(),
        }
    }
}

impl Eq for Host {}

impl std::hash::Hash for Host {
    fn hash<H: std::hash::Hasher>(&self, state: &mut H) {
        match self {
            Self::Name(name) => name
                .bytes()
                .for_each(|octet| state.write_u8(octet.to_ascii_lowercase())),
            Self::V4(address) => address.hash(state),
            Self::V6(address) => address.hash(state),
        }
    }
}

impl From<IpAddr> for Host {
    fn from(address: IpAddr) -> Self {
        match address {
            IpAddr::V4(address) => Self::V4(address),
            IpAddr::V6(address) => Self::V6(address),
        }
    }
}

impl FromStr for Host {
    type Err = UriError;

    /// Reads a host name, `192.0.2.1` or `[2001:db8::1]`.
    fn from_str(text: &str) -> Result<Self, UriError> {
        if let Some(literal) = text.strip_prefix('[') {
            let literal = literal.strip_suffix(']').ok_or(UriError::Host)?;
            return literal.parse().map(Self::V6).map_err(|_| UriError::Host);
        }
        if text.is_empty() || !text.bytes().all(is_name_octet) {
            return Err(UriError::Host);
        }
        Ok(text
            .parse()
            .map_or_else(|_| Self::Name(text.to_owned()), Self::V4))
    }
}

/// Letters, digits, `-` and `.` (RFC 3261 §25.1); the underscore is no host name character but common in the field.
fn is_name_octet(octet: u8) -> bool {
    octet.is_ascii_alphanumeric() || matches!(octet, b'-' | b'.' | b'_')
}

impl fmt::Display for Host {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Name(name) => f.write_str(name),
            Self::V4(address) => address.fmt(f),
            Self::V6(address) => write!(f, "[{address}]"),
        }
    }
}

/// A host with the port written after it, as in a Via sent-by.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct HostPort {
    /// The host.
    pub host: Host,
    /// The port, if one is written.
    pub port: Option<u16>,
}

impl FromStr for HostPort {
    type Err = UriError;

    /// Reads `host`, `host:port` or `[address]:port`; blanks around the colon are allowed (RFC 3261 §25.1).
    fn from_str(text: &str) -> Result<Self, UriError> {
        let name_end = text.find(']').map_or(0, |bracket| bracket + 1);
        let (host, port) = match text[name_end..].find(':') {
            Some(colon) => {
                let colon = name_end + colon;
                (
                    &text[..colon],
                    Some(text[colon + 1..].trim_start_matches([' ', '\t'])),
                )
            }
            None => (text, None),
        };
        Ok(Self {
            host: host.trim_end_matches([' ', '\t']).parse()?,
            port: port
                .map(|port| parse_number(port).ok_or(UriError::Port))
                .transpose()?,
        })
    }
}

impl fmt::Display for HostPort {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.port {
            Some(port) => write!(f, "{}:{port}", self.host),
            None => self.host.fmt(f),
        }
    }
}
