//! URIs of SIP messages: sip and sips (RFC 3261 §19.1), tel (RFC 3966), any other scheme verbatim.

mod aor;
mod host;
mod percent;
mod sip_uri;
mod tel_uri;

use std::{fmt, str::FromStr};

pub use self::{
    aor::Aor,
    host::{Host, HostPort},
    percent::{percent_decoded, percent_encoded_user},
    sip_uri::SipUri,
    tel_uri::TelUri,
};

/// A URI as it stands in a Request-URI or between `<` and `>`.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub enum Uri {
    /// `sip:` or `sips:`.
    Sip(SipUri),
    /// `tel:`.
    Tel(TelUri),
    /// Anything else, kept as written.
    Other {
        /// The scheme in lower case, without the colon.
        scheme: String,
        /// Everything after the colon.
        rest: String,
    },
}

/// Why a text is not a URI this implementation takes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum UriError {
    /// No scheme, or letters a scheme cannot have.
    #[error("malformed URI scheme")]
    Scheme,
    /// A space, a bracket, a quote or a control character.
    #[error("character not allowed in a URI")]
    Character,
    /// The user part is empty although there is an `@`.
    #[error("malformed user part")]
    User,
    /// The host is neither a name nor an address, such as an IPv6 address without brackets.
    #[error("malformed host")]
    Host,
    /// The port is no number from 0 to 65535.
    #[error("malformed port")]
    Port,
    /// The telephone number holds something else than digits and visual separators.
    #[error("malformed telephone number")]
    Number,
}

impl Uri {
    /// The scheme in lower case, without the colon.
    pub fn scheme(&self) -> &str {
        match self {
            Self::Sip(uri) => uri.scheme(),
            Self::Tel(_) => "tel",
            Self::Other { scheme, .. } => scheme,
        }
    }

    /// The sip or sips URI, if it is one.
    pub fn as_sip(&self) -> Option<&SipUri> {
        match self {
            Self::Sip(uri) => Some(uri),
            _ => None,
        }
    }
}

impl FromStr for Uri {
    type Err = UriError;

    fn from_str(text: &str) -> Result<Self, UriError> {
        let (scheme, rest) = text.split_once(':').ok_or(UriError::Scheme)?;
        if !is_scheme(scheme) {
            return Err(UriError::Scheme);
        }
        if rest.bytes().any(is_excluded) {
            return Err(UriError::Character);
        }
        let is = |known: &str| scheme.eq_ignore_ascii_case(known);
        if is("sip") || is("sips") {
            SipUri::parse_rest(is("sips"), rest).map(Self::Sip)
        } else if is("tel") {
            TelUri::parse_rest(rest).map(Self::Tel)
        } else {
            Ok(Self::Other {
                scheme: scheme.to_ascii_lowercase(),
                rest: rest.to_owned(),
            })
        }
    }
}

impl fmt::Display for Uri {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Sip(uri) => uri.fmt(f),
            Self::Tel(uri) => uri.fmt(f),
            Self::Other { scheme, rest } => write!(f, "{scheme}:{rest}"),
        }
    }
}

impl From<SipUri> for Uri {
    fn from(uri: SipUri) -> Self {
        Self::Sip(uri)
    }
}

/// RFC 3986 §3.1.
fn is_scheme(scheme: &str) -> bool {
    scheme.starts_with(|first: char| first.is_ascii_alphabetic())
        && scheme
            .bytes()
            .all(|octet| octet.is_ascii_alphanumeric() || b"+-.".contains(&octet))
}

/// Octets that stand in no URI, even a sloppy one (RFC 3986 appendix C).
fn is_excluded(octet: u8) -> bool {
    octet <= b' ' || octet == 0x7f || matches!(octet, b'<' | b'>' | b'"')
}

#[cfg(test)]
mod tests;
