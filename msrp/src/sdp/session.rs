//! A session description as far as MSRP is concerned.

use std::net::IpAddr;

use sdp_types::{Connection, Media, Session, Time};

use super::error::SdpError;
use super::media::MsrpMedia;

/// The `o=` line, and the `c=` line that names the same host.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Origin {
    /// First field of `o=`.
    pub user: String,
    /// Names the session; the same in every description of it.
    pub session_id: u64,
    /// Rises with every changed description.
    pub version: u64,
    /// Host of the media: the host of our path (RFC 4975 §8.1).
    pub host: String,
}

/// A description that was received, with its MSRP media lines understood.
#[derive(Debug, Clone, PartialEq)]
pub struct SessionDescription {
    session: Session,
}

impl SessionDescription {
    /// Reads a description.
    pub fn parse(text: &[u8]) -> Result<SessionDescription, SdpError> {
        let session = Session::parse(text).map_err(|_| SdpError::Undecodable)?;
        Ok(SessionDescription { session })
    }

    /// The MSRP media lines with their places among all media lines; those that are malformed say
    /// why.
    pub fn msrp_media(&self) -> impl Iterator<Item = (usize, Result<MsrpMedia, SdpError>)> {
        self.session
            .medias
            .iter()
            .enumerate()
            .filter_map(|(place, media)| {
                MsrpMedia::from_sdp(media, &self.session.attributes).map(|read| (place, read))
            })
    }

    /// Whether any line is an MSRP media line, understood or not, in use or rejected.
    pub fn has_msrp(&self) -> bool {
        self.msrp_media().next().is_some()
    }

    /// Host of the media line at this place: of its own `c=` line, else of the session's.
    pub fn host(&self, place: usize) -> Option<&str> {
        let own = self.session.medias.get(place);
        let own = own.and_then(|media| media.connections.first());
        let connection = own.or(self.session.connection.as_ref())?;
        connection.connection_address.split('/').next()
    }

    /// What the media line at this place says of itself to people (`i=`, RFC 8866 §5.4).
    pub fn title(&self, place: usize) -> Option<&str> {
        self.session.medias.get(place)?.media_title.as_deref()
    }

    /// The first MSRP media line that is understood; none if there is none.
    pub fn first_msrp(&self) -> Option<MsrpMedia> {
        self.msrp_media().find_map(|(_, read)| read.ok())
    }

    /// Prints an offer with this one media line, in the shape of 2.4.2.
    pub fn print_offer(origin: &Origin, media: &MsrpMedia) -> String {
        print(origin, vec![media.to_sdp()])
    }

    /// Prints the answer to this offer: exactly its media lines, all rejected but the one at
    /// `place` (RFC 3264 §6).
    pub fn print_answer(&self, origin: &Origin, place: usize, media: &MsrpMedia) -> String {
        let lines = self.session.medias.iter().enumerate();
        let answered = lines.map(|(at, offered)| {
            if at == place {
                media.to_sdp()
            } else {
                rejected(offered)
            }
        });
        print(origin, answered.collect())
    }

    /// Prints the answer that rejects every media line of this offer.
    pub fn print_rejection(&self, origin: &Origin) -> String {
        print(origin, self.session.medias.iter().map(rejected).collect())
    }
}

/// The same media line with port 0 and nothing else (RFC 3264 §6).
fn rejected(offered: &Media) -> Media {
    Media {
        port: 0,
        num_ports: None,
        media_title: None,
        connections: Vec::new(),
        bandwidths: Vec::new(),
        key: None,
        attributes: Vec::new(),
        ..offered.clone()
    }
}

fn print(origin: &Origin, medias: Vec<Media>) -> String {
    let host = origin.host.trim_start_matches('[').trim_end_matches(']');
    let addrtype = if matches!(host.parse(), Ok(IpAddr::V6(_))) {
        "IP6"
    } else {
        "IP4"
    };
    let session = Session {
        origin: sdp_types::Origin {
            username: Some(origin.user.clone()),
            sess_id: origin.session_id.to_string(),
            sess_version: origin.version,
            nettype: sdp_types::NetType::In,
            addrtype: addrtype.into(),
            unicast_address: host.to_owned(),
        },
        session_name: "-".to_owned(),
        session_description: None,
        uri: None,
        emails: Vec::new(),
        phones: Vec::new(),
        connection: Some(Connection::new(
            sdp_types::NetType::In,
            addrtype.into(),
            host,
        )),
        bandwidths: Vec::new(),
        times: vec![Time {
            start_time: 0,
            stop_time: 0,
            repeats: Vec::new(),
        }],
        time_zones: Vec::new(),
        key: None,
        attributes: Vec::new(),
        medias,
    };
    let mut text = Vec::new();
    session
        .write(&mut text)
        .expect("writing to memory does not fail");
    String::from_utf8_lossy(&text).into_owned()
}
