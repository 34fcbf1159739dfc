//! MSRP URIs and the paths made of them (RFC 4975 §6).

use std::fmt;
use std::net::{IpAddr, Ipv6Addr};
use std::str::FromStr;

use crate::error::UriError;
use crate::id::SessionId;

/// Port of an MSRP URI that names none (RFC 4975 §6).
const DEFAULT_PORT: u16 = 2855;

/// Host that says nothing (requirements 3.7).
const ANONYMOUS_HOST: &str = "anonymous.invalid";

/// One hop of a path: `msrp://host:port/session-id;tcp`.
///
/// Prints as it was read. Equality is that of RFC 4975 §6.1: user and parameters do not count, a
/// URI with a port never equals one without.
#[derive(Debug, Clone)]
pub struct MsrpUri {
    secure: bool,
    user: Option<String>,
    host: String,
    port: Option<u16>,
    session_id: Option<SessionId>,
    transport: String,
    parameters: String,
}

impl MsrpUri {
    /// `msrp://host:port/session-id;tcp`; an IPv6 host may come with or without brackets.
    pub fn new(host: &str, port: u16, session_id: SessionId) -> Result<MsrpUri, UriError> {
        let host = match host.parse::<Ipv6Addr>() {
            Ok(address) => format!("[{address}]"),
            Err(_) => checked_host(host)?.to_owned(),
        };
        Ok(MsrpUri {
            secure: false,
            user: None,
            host,
            port: Some(port),
            session_id: Some(session_id),
            transport: "tcp".to_owned(),
            parameters: String::new(),
        })
    }

    /// The same URI with the scheme `msrps`.
    pub fn secured(mut self) -> MsrpUri {
        self.secure = true;
        self
    }

    /// Whether the scheme is `msrps`, so that the connection runs over TLS.
    pub fn is_secure(&self) -> bool {
        self.secure
    }

    /// The host without the brackets of an IPv6 address.
    pub fn host(&self) -> &str {
        self.host.trim_start_matches('[').trim_end_matches(']')
    }

    /// The port written in the URI.
    pub fn port(&self) -> Option<u16> {
        self.port
    }

    /// The port to connect to: the written one, else 2855.
    pub fn effective_port(&self) -> u16 {
        self.port.unwrap_or(DEFAULT_PORT)
    }

    /// The session's name; URIs of relays may have none.
    pub fn session_id(&self) -> Option<&SessionId> {
        self.session_id.as_ref()
    }

    /// The transport parameter, `tcp` in all that RFC 4975 defines.
    pub fn transport(&self) -> &str {
        &self.transport
    }

    /// The same URI without user, at the host `anonymous.invalid` (requirements 3.7).
    fn anonymised(&self) -> MsrpUri {
        MsrpUri {
            user: None,
            host: ANONYMOUS_HOST.to_owned(),
            ..self.clone()
        }
    }
}

impl FromStr for MsrpUri {
    type Err = UriError;

    fn from_str(text: &str) -> Result<MsrpUri, UriError> {
        let (scheme, rest) = text.split_once("://").ok_or(UriError::Scheme)?;
        let secure = match scheme.to_ascii_lowercase().as_str() {
            "msrp" => false,
            "msrps" => true,
            _ => return Err(UriError::Scheme),
        };
        let (location, parameters) = rest.split_once(';').ok_or(UriError::Transport)?;
        let (authority, session_id) = match location.split_once('/') {
            Some((authority, id)) => (authority, Some(id)),
            None => (location, None),
        };
        let (user, host_port) = match authority.rsplit_once('@') {
            Some((user, host_port)) => (Some(checked_text(user)?.to_owned()), host_port),
            None => (None, authority),
        };
        let (host, port) = split_port(host_port)?;
        let (transport, parameters) = split_transport(parameters)?;
        let session_id = session_id.map(SessionId::from_str).transpose();
        Ok(MsrpUri {
            secure,
            user,
            host: checked_host(host)?.to_owned(),
            port,
            session_id: session_id.map_err(|_| UriError::SessionId)?,
            transport: transport.to_owned(),
            parameters: parameters.to_owned(),
        })
    }
}

impl fmt::Display for MsrpUri {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(if self.secure { "msrps://" } else { "msrp://" })?;
        if let Some(user) = &self.user {
            write!(f, "{user}@")?;
        }
        f.write_str(&self.host)?;
        if let Some(port) = self.port {
            write!(f, ":{port}")?;
        }
        if let Some(session_id) = &self.session_id {
            write!(f, "/{session_id}")?;
        }
        write!(f, ";{}{}", self.transport, self.parameters)
    }
}

impl PartialEq for MsrpUri {
    fn eq(&self, other: &MsrpUri) -> bool {
        self.secure == other.secure
            && same_host(self.host(), other.host())
            && self.port == other.port
            && self.session_id == other.session_id
            && self.transport.eq_ignore_ascii_case(&other.transport)
    }
}

impl Eq for MsrpUri {}

/// A To-Path, From-Path or `a=path`: at least one URI, the next hop first.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Path {
    first: MsrpUri,
    rest: Vec<MsrpUri>,
}

impl Path {
    /// The URI of the next hop.
    pub fn first(&self) -> &MsrpUri {
        &self.first
    }

    /// The URI of the far end point.
    pub fn last(&self) -> &MsrpUri {
        self.rest.last().unwrap_or(&self.first)
    }

    /// All URIs from the next hop to the end point.
    pub fn uris(&self) -> impl Iterator<Item = &MsrpUri> {
        std::iter::once(&self.first).chain(&self.rest)
    }

    /// Whether relays stand between us and the end point.
    pub fn has_relays(&self) -> bool {
        !self.rest.is_empty()
    }

    /// The same path with `anonymous.invalid` for every host (requirements 3.7).
    pub fn anonymised(&self) -> Path {
        Path {
            first: self.first.anonymised(),
            rest: self.rest.iter().map(MsrpUri::anonymised).collect(),
        }
    }
}

impl From<MsrpUri> for Path {
    fn from(first: MsrpUri) -> Path {
        Path {
            first,
            rest: Vec::new(),
        }
    }
}

impl FromStr for Path {
    type Err = UriError;

    fn from_str(text: &str) -> Result<Path, UriError> {
        let mut uris = text
            .split(' ')
            .filter(|part| !part.is_empty())
            .map(MsrpUri::from_str);
        let first = uris.next().ok_or(UriError::EmptyPath)??;
        Ok(Path {
            first,
            rest: uris.collect::<Result<_, _>>()?,
        })
    }
}

impl fmt::Display for Path {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.first.fmt(f)?;
        self.rest.iter().try_for_each(|uri| write!(f, " {uri}"))
    }
}

fn split_port(host_port: &str) -> Result<(&str, Option<u16>), UriError> {
    let after_host = host_port.rfind(']').map_or(0, |bracket| bracket + 1);
    let tail = host_port.get(after_host..).unwrap_or_default();
    let Some(colon) = tail.find(':') else {
        return Ok((host_port, None));
    };
    let (host, port) = host_port.split_at(after_host + colon);
    let digits = port.trim_start_matches(':');
    let port = digits
        .parse()
        .ok()
        .filter(|port| *port > 0)
        .ok_or(UriError::Port)?;
    Ok((host, Some(port)))
}

/// `tcp;a=b` becomes `tcp` and `;a=b`.
fn split_transport(parameters: &str) -> Result<(&str, &str), UriError> {
    let end = parameters.find(';').unwrap_or(parameters.len());
    let (transport, rest) = parameters.split_at(end);
    let is_token = !transport.is_empty() && transport.bytes().all(|b| b.is_ascii_alphanumeric());
    if !is_token || checked_text(rest).is_err() {
        return Err(UriError::Transport);
    }
    Ok((transport, rest))
}

fn checked_host(host: &str) -> Result<&str, UriError> {
    if let Some(inner) = host.strip_prefix('[') {
        let address = inner.strip_suffix(']').ok_or(UriError::Host)?;
        return address
            .parse::<Ipv6Addr>()
            .map(|_| host)
            .map_err(|_| UriError::Host);
    }
    let allowed = |b: u8| b.is_ascii_alphanumeric() || b"-._".contains(&b);
    if host.is_empty() || !host.bytes().all(allowed) {
        return Err(UriError::Host);
    }
    Ok(host)
}

/// Printable ASCII without spaces: what may be kept verbatim and printed again.
fn checked_text(text: &str) -> Result<&str, UriError> {
    if text.bytes().all(|b| b.is_ascii_graphic()) {
        Ok(text)
    } else {
        Err(UriError::Host)
    }
}

fn same_host(a: &str, b: &str) -> bool {
    match (a.parse::<IpAddr>(), b.parse::<IpAddr>()) {
        (Ok(a), Ok(b)) => a == b,
        _ => a.eq_ignore_ascii_case(b),
    }
}
