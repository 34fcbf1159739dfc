//! From, To, Contact, Route and the other headers that hold a URI with a name and parameters (RFC 3261 §20.10).

use std::{fmt, str::FromStr};

use super::BadValue;
use crate::{
    Params, Uri,
    text::{
        is_blank, is_token_octet, parse_number, split_top_level, take_quoted, trim, write_quoted,
    },
};

/// `"name" <uri>;params`, or a bare URI whose parameters then belong to the header.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NameAddr {
    /// The display name without quotes and escapes.
    pub display_name: Option<String>,
    /// The URI.
    pub uri: Uri,
    /// Header parameters, not those of the URI.
    pub params: Params,
}

/// What a Contact header says (RFC 3261 §10.2.2).
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Contacts {
    /// `*`: all bindings.
    Wildcard,
    /// The addresses in order; empty if the message has no Contact.
    List(Vec<NameAddr>),
}

impl Contacts {
    /// The first address, if there is one.
    pub fn first(&self) -> Option<&NameAddr> {
        match self {
            Self::Wildcard => None,
            Self::List(list) => list.first(),
        }
    }
}

impl NameAddr {
    /// The URI in angle brackets, nothing else.
    pub fn new(uri: Uri) -> Self {
        Self {
            display_name: None,
            uri,
            params: Params::default(),
        }
    }

    /// The dialog tag of a From or To (RFC 3261 §19.3).
    pub fn tag(&self) -> Option<&str> {
        self.params.value("tag")
    }

    /// The lifetime of a Contact in seconds; `None` if absent or malformed, the Expires header then counts
    /// (RFC 3261 §10.2.1.1).
    pub fn expires(&self) -> Option<u32> {
        self.params.value("expires").and_then(parse_number)
    }

    /// Whether a Contact carries the feature tag; see [`Params::has_feature_tag`].
    pub fn has_feature_tag(&self, tag: &str) -> bool {
        self.params.has_feature_tag(tag)
    }

    fn parse_bracketed(name: Option<String>, after_bracket: &str) -> Result<Self, BadValue> {
        let (uri, rest) = after_bracket.split_once('>').ok_or(BadValue::Unbalanced)?;
        let params = match trim(rest) {
            "" => Params::default(),
            rest => Params::parse(rest.strip_prefix(';').ok_or(BadValue::Syntax)?)?,
        };
        // Blanks around the address are an error many make and none can misunderstand (RFC 4475 §3.1.2.15).
        Ok(Self {
            display_name: name,
            uri: trim(uri).parse()?,
            params,
        })
    }

    /// Without brackets every parameter belongs to the header, and the URI may hold neither comma nor question mark
    /// (RFC 3261 §20).
    fn parse_bare(value: &str) -> Result<Self, BadValue> {
        let (uri, params) = split_top_level(value, b';');
        let uri = trim(uri);
        if uri.contains([',', '?']) {
            return Err(BadValue::Syntax);
        }
        let params = params.map(Params::parse).transpose()?.unwrap_or_default();
        Ok(Self {
            display_name: None,
            uri: uri.parse()?,
            params,
        })
    }
}

impl FromStr for NameAddr {
    type Err = BadValue;

    fn from_str(value: &str) -> Result<Self, BadValue> {
        if value.starts_with('"') {
            let (name, rest) = take_quoted(value).ok_or(BadValue::Unbalanced)?;
            let address = trim(rest).strip_prefix('<').ok_or(BadValue::Syntax)?;
            return Self::parse_bracketed(Some(name.into_owned()), address);
        }
        let Some((name, address)) = value.split_once('<') else {
            return Self::parse_bare(value);
        };
        match trim(name) {
            "" => Self::parse_bracketed(None, address),
            name if is_token_list(name) => Self::parse_bracketed(Some(name.to_owned()), address),
            _ => Err(BadValue::Syntax),
        }
    }
}

/// A display name without quotes: tokens and blanks (RFC 3261 §25.1). Octets beyond ASCII are no tokens, but senders
/// of raw UTF-8 names are common and unambiguous.
fn is_token_list(name: &str) -> bool {
    name.bytes()
        .all(|octet| is_token_octet(octet) || is_blank(octet) || !octet.is_ascii())
}

impl fmt::Display for NameAddr {
    /// The URI always stands in brackets, so that its parameters stay its own.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if let Some(name) = &self.display_name {
            write_quoted(f, name)?;
            f.write_str(" ")?;
        }
        write!(f, "<{}>{}", self.uri, self.params)
    }
}
