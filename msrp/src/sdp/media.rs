//! One `m=message` line with its attributes.

use std::fmt;
use std::str::FromStr;

use sdp_types::{Attribute, Media};

use crate::media_type::AcceptTypes;
use crate::uri::Path;

use super::error::SdpError;

/// What runs below MSRP.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Protocol {
    /// `TCP/MSRP`.
    Tcp,
    /// `TCP/TLS/MSRP`.
    Tls,
}

impl Protocol {
    /// The token of the media line.
    pub fn as_str(self) -> &'static str {
        match self {
            Protocol::Tcp => "TCP/MSRP",
            Protocol::Tls => "TCP/TLS/MSRP",
        }
    }

    /// The protocol with this token; case does not count.
    pub fn from_token(token: &str) -> Option<Protocol> {
        [Protocol::Tcp, Protocol::Tls]
            .into_iter()
            .find(|held| held.as_str().eq_ignore_ascii_case(token))
    }
}

/// Who sends (RFC 3264 §5.1).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Direction {
    /// Both sides; also meant when nothing is said.
    #[default]
    SendRecv,
    /// The describing side only.
    SendOnly,
    /// The other side only.
    RecvOnly,
    /// Nobody.
    Inactive,
}

impl Direction {
    const ALL: [Direction; 4] = [
        Direction::SendRecv,
        Direction::SendOnly,
        Direction::RecvOnly,
        Direction::Inactive,
    ];

    /// The attribute's name.
    pub fn as_str(self) -> &'static str {
        match self {
            Direction::SendRecv => "sendrecv",
            Direction::SendOnly => "sendonly",
            Direction::RecvOnly => "recvonly",
            Direction::Inactive => "inactive",
        }
    }

    /// The same direction seen from the other side.
    pub fn mirrored(self) -> Direction {
        match self {
            Direction::SendOnly => Direction::RecvOnly,
            Direction::RecvOnly => Direction::SendOnly,
            other => other,
        }
    }

    /// Whether the describing side takes content.
    pub fn receives(self) -> bool {
        matches!(self, Direction::SendRecv | Direction::RecvOnly)
    }

    /// Whether the describing side sends content.
    pub fn sends(self) -> bool {
        matches!(self, Direction::SendRecv | Direction::SendOnly)
    }
}

/// Who opens the connection (RFC 4145 §4, RFC 6135).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Setup {
    /// The describing side connects.
    Active,
    /// The other side connects.
    Passive,
    /// The other side may choose.
    ActPass,
}

impl Setup {
    /// The attribute's value.
    pub fn as_str(self) -> &'static str {
        match self {
            Setup::Active => "active",
            Setup::Passive => "passive",
            Setup::ActPass => "actpass",
        }
    }
}

impl FromStr for Setup {
    type Err = ();

    fn from_str(text: &str) -> Result<Setup, ()> {
        let all = [Setup::Active, Setup::Passive, Setup::ActPass];
        all.into_iter()
            .find(|held| held.as_str().eq_ignore_ascii_case(text))
            .ok_or(())
    }
}

/// An MSRP media line, understood.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct MsrpMedia {
    /// Port of the media line; 9 from an active side (RFC 6135 §4.2.2), 0 from one that rejects.
    pub port: u16,
    /// TCP or TLS.
    pub protocol: Protocol,
    /// Path of the describing side.
    pub path: Path,
    /// Types it takes; `*` if it does not say.
    pub accept_types: AcceptTypes,
    /// Types it takes inside containers, if it tells them apart.
    pub accept_wrapped_types: Option<AcceptTypes>,
    /// Largest message it wants, in octets: a hint (PSH-10).
    pub max_size: Option<u64>,
    /// Who sends, seen from the describing side.
    pub direction: Direction,
    /// Who connects; `holdconn` reads as absent.
    pub setup: Option<Setup>,
    /// Whether `a=msrp-cema` stands there (RFC 6714).
    pub cema: bool,
    /// `a=fingerprint`, of TLS certificates.
    pub fingerprint: Option<String>,
    /// All other attributes in their order, verbatim: those of file transfer among them (2.11).
    pub attributes: Vec<(String, Option<String>)>,
}

impl MsrpMedia {
    /// A media line for this path, taking every type, in both directions; port, protocol and scheme
    /// agree.
    pub fn new(path: Path) -> MsrpMedia {
        let uri = path.first();
        let protocol = if uri.is_secure() {
            Protocol::Tls
        } else {
            Protocol::Tcp
        };
        MsrpMedia {
            port: uri.effective_port(),
            protocol,
            path,
            accept_types: AcceptTypes::any(),
            accept_wrapped_types: None,
            max_size: None,
            direction: Direction::SendRecv,
            setup: None,
            cema: false,
            fingerprint: None,
            attributes: Vec::new(),
        }
    }

    /// The offer of a push (2.4.2): only sending, and the peer may choose who connects.
    pub fn push_offer(path: Path) -> MsrpMedia {
        let direction = Direction::SendOnly;
        MsrpMedia {
            direction,
            setup: Some(Setup::ActPass),
            ..MsrpMedia::new(path)
        }
    }

    /// Whether a message of this type may be sent to the describing side (PSH-10).
    pub fn accepts(&self, content_type: &str) -> bool {
        self.accept_types.accepts(content_type)
    }

    /// Whether a part of this type may be sent inside a container (PSH-10).
    pub fn accepts_wrapped(&self, content_type: &str) -> bool {
        let wrapped = self.accept_wrapped_types.as_ref();
        wrapped.is_some_and(|types| types.accepts(content_type)) || self.accepts(content_type)
    }

    /// The value of an attribute that has no field of its own.
    pub fn attribute(&self, name: &str) -> Option<&str> {
        let found = self.attributes.iter().find(|(held, _)| held == name);
        found.and_then(|(_, value)| value.as_deref())
    }

    /// Reads a media line; none if it is no MSRP. Direction and setup may stand at session level.
    pub(super) fn from_sdp(
        media: &Media,
        session_attributes: &[Attribute],
    ) -> Option<Result<MsrpMedia, SdpError>> {
        let protocol = Protocol::from_token(&media.proto)?;
        media.media.eq_ignore_ascii_case("message").then(|| {
            let mut read = MsrpMedia::new(path_of(media)?);
            read.port = media.port;
            read.protocol = protocol;
            let inherited = session_attributes.iter().filter(|held| is_inherited(held));
            for attribute in inherited.chain(&media.attributes) {
                read.take(attribute)?;
            }
            Ok(read)
        })
    }

    fn take(&mut self, attribute: &Attribute) -> Result<(), SdpError> {
        let value = attribute.value.as_deref().unwrap_or_default();
        match attribute.attribute.as_str() {
            "path" => {}
            "accept-types" => self.accept_types = types_of(value),
            "accept-wrapped-types" => self.accept_wrapped_types = Some(types_of(value)),
            "max-size" => {
                self.max_size = Some(octets(value).ok_or(SdpError::Attribute("max-size"))?);
            }
            "setup" if value.trim().eq_ignore_ascii_case("holdconn") => self.setup = None,
            "setup" => {
                let setup = value
                    .trim()
                    .parse()
                    .map_err(|()| SdpError::Attribute("setup"))?;
                self.setup = Some(setup);
            }
            "msrp-cema" => self.cema = true,
            "fingerprint" => self.fingerprint = Some(value.to_owned()),
            name => match Direction::ALL
                .into_iter()
                .find(|held| held.as_str() == name)
            {
                Some(direction) => self.direction = direction,
                None => self
                    .attributes
                    .push((name.to_owned(), attribute.value.clone())),
            },
        }
        Ok(())
    }

    /// The media line in the order of 2.2 and 2.4.2: path, types, size, direction, setup, the rest.
    pub(super) fn to_sdp(&self) -> Media {
        let mut attributes = vec![
            pair("path", &self.path),
            pair("accept-types", &self.accept_types),
        ];
        attributes.extend(
            self.accept_wrapped_types
                .as_ref()
                .map(|types| pair("accept-wrapped-types", types)),
        );
        attributes.extend(self.max_size.map(|octets| pair("max-size", octets)));
        attributes.push(flag(self.direction.as_str()));
        attributes.extend(self.setup.map(|setup| pair("setup", setup.as_str())));
        attributes.extend(
            self.fingerprint
                .as_ref()
                .map(|print| pair("fingerprint", print)),
        );
        attributes.extend(self.cema.then(|| flag("msrp-cema")));
        attributes.extend(self.attributes.iter().map(|(name, value)| Attribute {
            attribute: name.clone(),
            value: value.clone(),
        }));
        Media {
            media: "message".to_owned(),
            port: self.port,
            num_ports: None,
            proto: self.protocol.as_str().to_owned(),
            fmt: "*".to_owned(),
            media_title: None,
            connections: Vec::new(),
            bandwidths: Vec::new(),
            key: None,
            attributes,
        }
    }
}

fn path_of(media: &Media) -> Result<Path, SdpError> {
    let value = media
        .get_first_attribute_value("path")
        .flatten()
        .ok_or(SdpError::PathMissing)?;
    value.parse().map_err(|_| SdpError::Attribute("path"))
}

/// A number of octets; one too large to count is no limit.
fn octets(value: &str) -> Option<u64> {
    let digits = value.trim();
    let is_number = !digits.is_empty() && digits.bytes().all(|digit| digit.is_ascii_digit());
    is_number.then(|| digits.parse().unwrap_or(u64::MAX))
}

fn types_of(value: &str) -> AcceptTypes {
    AcceptTypes::of(value.split_ascii_whitespace())
}

/// Attributes that hold for every media line unless it has its own (RFC 8866 §6.7, RFC 4145 §4).
fn is_inherited(attribute: &Attribute) -> bool {
    let name = attribute.attribute.as_str();
    name == "setup"
        || name == "fingerprint"
        || Direction::ALL.iter().any(|held| held.as_str() == name)
}

fn pair(name: &str, value: impl fmt::Display) -> Attribute {
    Attribute {
        attribute: name.to_owned(),
        value: Some(value.to_string()),
    }
}

fn flag(name: &str) -> Attribute {
    Attribute {
        attribute: name.to_owned(),
        value: None,
    }
}
