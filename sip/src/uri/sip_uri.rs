//! sip and sips URIs (RFC 3261 §19.1).

use std::fmt;

use super::{Host, HostPort, TelUri, UriError};
use crate::{Params, Transport};

/// `sip:user:password@host:port;params?headers`. User, password, parameters and headers keep their escapes.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct SipUri {
    /// `sips:` instead of `sip:`.
    pub secure: bool,
    /// The user part as written, with its own parameters if it has some.
    pub user: Option<String>,
    /// The password after the user, as written.
    pub password: Option<String>,
    /// Host name or address.
    pub host: Host,
    /// The port, if one is written.
    pub port: Option<u16>,
    /// URI parameters.
    pub params: Params,
    /// What follows the question mark, as written.
    pub headers: Option<String>,
}

impl SipUri {
    /// `sip:` and the host alone; fields are set directly from there.
    pub fn new(host: Host) -> Self {
        Self {
            secure: false,
            user: None,
            password: None,
            host,
            port: None,
            params: Params::default(),
            headers: None,
        }
    }

    /// `sip` or `sips`.
    pub fn scheme(&self) -> &'static str {
        if self.secure { "sips" } else { "sip" }
    }

    /// The transport the URI asks for; `None` if it names none or one we do not speak (RFC 3263 §4.1).
    pub fn transport(&self) -> Option<Transport> {
        self.params.value("transport")?.parse().ok()
    }

    /// Whether the `lr` parameter marks a loose router (RFC 3261 §19.1.1).
    pub fn is_loose_router(&self) -> bool {
        self.params.has("lr")
    }

    /// The telephone number of a `;user=phone` URI (RFC 3261 §19.1.6).
    pub fn telephone(&self) -> Option<TelUri> {
        let is_phone = self.params.value("user")?.eq_ignore_ascii_case("phone");
        TelUri::parse_rest(self.user.as_deref().filter(|_| is_phone)?).ok()
    }

    /// Reads what follows the scheme's colon.
    pub(super) fn parse_rest(secure: bool, rest: &str) -> Result<Self, UriError> {
        // No other part may hold a bare `@`, so the first one ends the user part (RFC 3261 §25.1).
        let (userinfo, rest) = match rest.split_once('@') {
            Some((userinfo, rest)) => (Some(userinfo), rest),
            None => (None, rest),
        };
        let (rest, headers) = split_at_first(rest, '?');
        let (host_port, params) = split_at_first(rest, ';');
        let HostPort { host, port } = host_port.parse()?;
        let (user, password) = match userinfo.map(|userinfo| split_at_first(userinfo, ':')) {
            Some(("", _)) => return Err(UriError::User),
            Some((user, password)) => (Some(user.to_owned()), password.map(str::to_owned)),
            None => (None, None),
        };
        Ok(Self {
            secure,
            user,
            password,
            host,
            port,
            params: Params::parse_uri(params.unwrap_or_default()),
            headers: headers.map(str::to_owned),
        })
    }
}

fn split_at_first(text: &str, separator: char) -> (&str, Option<&str>) {
    match text.split_once(separator) {
        Some((before, after)) => (before, Some(after)),
        None => (text, None),
    }
}

impl fmt::Display for SipUri {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:", self.scheme())?;
        if let Some(user) = &self.user {
            f.write_str(user)?;
            if let Some(password) = &self.password {
                write!(f, ":{password}")?;
            }
            f.write_str("@")?;
        }
        self.host.fmt(f)?;
        if let Some(port) = self.port {
            write!(f, ":{port}")?;
        }
        self.params.fmt(f)?;
        match &self.headers {
            Some(headers) => write!(f, "?{headers}"),
            None => Ok(()),
        }
    }
}
