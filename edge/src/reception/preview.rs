//! The preview of a file: a part of the body of the INVITE that an attribute of the offer names (FT-04).

use bytes::{BufMut, Bytes, BytesMut};
use msrp::sdp::MsrpMedia;
use sip::{Name, Request, multipart};

use crate::sending::invite::ICON_ATTRIBUTES;

/// The parts of the body of an INVITE; none if it is not of several.
#[must_use]
pub fn parts(invite: &Request) -> Vec<multipart::Part> {
    let content_type = invite.headers().first(Name::ContentType);
    let content_type = content_type.map(|field| field.value().into_owned());
    let parsed = multipart::parse(&content_type.unwrap_or_default(), invite.body());
    parsed.unwrap_or_default()
}

/// The part that is the preview of what `media` offers, its header fields with it. None if it offers none, or none of the
/// parts.
#[must_use]
pub fn preview(parts: &[multipart::Part], media: &MsrpMedia) -> Option<Bytes> {
    let mut names = ICON_ATTRIBUTES.iter();
    let url = names.find_map(|name| media.attribute(name))?;
    part(parts, url)
}

/// The part that a `cid:` URL names (RFC 2392), as it stands in the body.
fn part(parts: &[multipart::Part], url: &str) -> Option<Bytes> {
    let id = url.trim().strip_prefix("cid:")?;
    let is_named = |part: &&multipart::Part| {
        let held = part.headers.first(Name::ContentId);
        held.is_some_and(|field| field.value().trim_matches(['<', '>']) == id)
    };
    let part = parts.iter().find(is_named)?;
    let mut octets = BytesMut::new();
    for field in part.headers.iter() {
        let name = field.known().map_or(field.name(), |name| name.as_str());
        octets.put_slice(format!("{name}: {}\r\n", field.value()).as_bytes());
    }
    octets.put_slice(b"\r\n");
    octets.put_slice(&part.body);
    Some(octets.freeze())
}
