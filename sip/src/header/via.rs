//! Via (RFC 3261 §20.42).

use std::{fmt, net::SocketAddr, str::FromStr};

use super::BadValue;
use crate::{
    Host, HostPort, Params, Transport,
    text::{is_token, split_top_level, trim},
};

/// One hop of the way back.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Via {
    /// Protocol name and version as written, normally `SIP/2.0`, without blanks.
    pub protocol: String,
    /// The transport token as written; compared without letter case. It may be one we do not speak.
    pub transport: String,
    /// Where the sender says it listens.
    pub sent_by: HostPort,
    /// `branch`, `received`, `rport` and others.
    pub params: Params,
}

impl Via {
    /// A Via of ours, with `rport` so that the response comes back through address translators (RFC 3581 §3).
    pub fn new(transport: Transport, sent_by: HostPort, branch: &str) -> Self {
        let mut params = Params::default();
        params.set("branch", Some(branch));
        params.set("rport", None);
        Self {
            protocol: "SIP/2.0".into(),
            transport: transport.as_str().into(),
            sent_by,
            params,
        }
    }

    /// The transaction's branch; absent in requests of RFC 2543 implementations.
    pub fn branch(&self) -> Option<&str> {
        self.params.value("branch")
    }

    /// The address the request came from, as the receiver noted it (RFC 3261 §18.2.1); brackets around an IPv6
    /// address are optional (RFC 5118 §4.5).
    pub fn received(&self) -> Option<Host> {
        let received = self.params.value("received")?;
        received
            .parse()
            .ok()
            .or_else(|| received.parse().ok().map(Host::V6))
    }

    /// The source port the receiver noted (RFC 3581 §4); `None` if absent or still empty.
    pub fn rport(&self) -> Option<u16> {
        self.params
            .value("rport")
            .and_then(crate::text::parse_number)
    }

    /// Notes where the request came from: `received` if the sent-by does not say it already, both parameters if the
    /// sender asked with an empty `rport` (RFC 3261 §18.2.1, RFC 3581 §4). Whether anything changed.
    pub fn note_source(&mut self, source: SocketAddr) -> bool {
        let wants_port = self.params.get("rport") == Some(None);
        if !wants_port && self.sent_by.host.address() == Some(source.ip()) {
            return false;
        }
        if wants_port {
            self.params.set("rport", Some(&source.port().to_string()));
        }
        self.params.set("received", Some(&source.ip().to_string()));
        true
    }
}

/// A Via with its source noted, as it is printed: see [`Via::note_source`].
pub(crate) struct NotedVia<'a> {
    via: &'a Via,
    source: SocketAddr,
    with_port: bool,
}

impl Via {
    /// What [`Via::note_source`] would make of it, without a copy; `None` if nothing would change.
    pub(crate) fn noting(&self, source: SocketAddr) -> Option<NotedVia<'_>> {
        let with_port = self.params.get("rport") == Some(None);
        if !with_port && self.sent_by.host.address() == Some(source.ip()) {
            return None;
        }
        Some(NotedVia {
            via: self,
            source,
            with_port,
        })
    }
}

impl fmt::Display for NotedVia<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (via, source) = (self.via, self.source);
        write!(f, "{}/{} {}", via.protocol, via.transport, via.sent_by)?;
        let mut is_received = false;
        for param in via.params.iter() {
            let name = param.name();
            if self.with_port && name.eq_ignore_ascii_case("rport") {
                write!(f, ";{name}={}", source.port())?;
            } else if !is_received && name.eq_ignore_ascii_case("received") {
                is_received = true;
                write!(f, ";{name}={}", source.ip())?;
            } else {
                param.fmt(f)?;
            }
        }
        match is_received {
            true => Ok(()),
            false => write!(f, ";received={}", source.ip()),
        }
    }
}

impl FromStr for Via {
    type Err = BadValue;

    /// Reads one value; blanks may stand around every separator (RFC 3261 §25.1).
    fn from_str(value: &str) -> Result<Self, BadValue> {
        let (hop, params) = split_top_level(value, b';');
        let mut parts = hop.splitn(3, '/').map(trim);
        let (Some(name), Some(version), Some(rest)) = (parts.next(), parts.next(), parts.next())
        else {
            return Err(BadValue::Syntax);
        };
        let (transport, sent_by) = rest.split_once([' ', '\t']).ok_or(BadValue::Syntax)?;
        if ![name, version, transport]
            .iter()
            .all(|part| is_token(part.as_bytes()))
        {
            return Err(BadValue::Syntax);
        }
        Ok(Self {
            protocol: format!("{name}/{version}"),
            transport: transport.to_owned(),
            sent_by: trim(sent_by).parse()?,
            params: params.map(Params::parse).transpose()?.unwrap_or_default(),
        })
    }
}

impl fmt::Display for Via {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "{}/{} {}{}",
            self.protocol, self.transport, self.sent_by, self.params
        )
    }
}
