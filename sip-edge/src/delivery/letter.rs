//! One message in a session of its own, in the name of its sender (requirements 4.3): for clients
//! that take no multipart content, and for messages that no MESSAGE may carry.
//!
//! What the client receives is the plain content under its own type. The preview icon of a file goes
//! along in the body of our INVITE, as it came in that of the sender.

use bytes::Bytes;
use msrp::AcceptTypes;
use msrp::sdp::SessionDescription;
use sip::{NameAddr, Params, Request, multipart};
use storage_client::delivery::TakenMessage;

use super::content::Content;
use super::encapsulate::{
    NotAMessage, begins_with, came_by_send, is_private, send_body, send_head, stored_request,
};
use super::message::KEPT;
use super::sending::Parcel;
use super::session::ACCEPT_CONTACT;
use edge::reception::file;
use edge::reception::preview::{parts, preview};
use edge::response::sip_date;
use edge::sending::invite::{ICON_ATTRIBUTES, Inviter, MAX_FORWARDS};

/// Type of content that has none.
const UNTYPED: &str = "application/octet-stream";

/// A message ready for its session.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Letter {
    /// In whose name it is announced.
    pub(crate) inviter: Inviter,
    /// What is sent.
    pub(crate) parcel: Parcel,
}

/// Makes a session of a taken message. `is_trusted` says whether the hop may be told who sent it
/// (requirements §3.8).
///
/// # Errors
/// [`NotAMessage`], which a stored message never is.
pub(crate) fn letter(taken: &TakenMessage, is_trusted: bool) -> Result<Letter, NotAMessage> {
    let stored = stored_request(taken)?;
    let (parcel, file) = match came_by_send(taken) {
        true => (of_send(taken)?, described(&stored)),
        false => (of_request(&stored), File::default()),
    };
    let inviter = Inviter {
        content_type: parcel.content_type.clone(),
        attributes: file.attributes,
        icon: file.icon,
        ..sender(taken, &stored, is_trusted)?
    };
    Ok(Letter { inviter, parcel })
}

/// The sender, as far as the hop and his wish for privacy let him be named.
fn sender(
    taken: &TakenMessage,
    stored: &Request,
    is_trusted: bool,
) -> Result<Inviter, NotAMessage> {
    let message = &taken.message;
    let is_private = is_private(&message.headers.privacy);
    let mut from: NameAddr = stored.headers().from().ok().flatten().ok_or(NotAMessage)?;
    from.params = Params::default();
    let asserted = &message.headers.asserted_identity;
    let is_told = is_trusted && !is_private && !asserted.is_empty();
    let own_date = stored.headers().first_named("Date");
    let date = match own_date {
        Some(date) => date.value().into_owned(),
        None => sip_date(message.received_at).to_string(),
    };
    let kept = KEPT.iter().copied().filter(|name| *name != "Date");
    let private = Some("Privacy").filter(|_| is_private);
    let fields = kept.chain(private).filter_map(|name| {
        let field = stored.headers().first_named(name)?;
        Some((name.to_owned(), field.value().into_owned()))
    });
    let number = message.message_id.split('@').next().unwrap_or_default();
    let mut headers: Vec<_> = fields.collect();
    headers.push(("Message-ID".to_owned(), message.message_id.clone()));
    Ok(Inviter {
        call_id_prefix: format!("dlv-{number}"),
        from: from.to_string(),
        asserted_identity: Some(asserted.clone()).filter(|_| is_told),
        max_forwards: MAX_FORWARDS,
        accept_contact: ACCEPT_CONTACT.into(),
        date: Some(date),
        headers,
        attributes: Vec::new(),
        accept_types: AcceptTypes::any(),
        content_type: String::new(),
        icon: None,
    })
}

fn of_request(stored: &Request) -> Parcel {
    let fields = stored.headers().iter();
    let described = fields
        .map(|field| {
            let name = field.known().map_or(field.name(), |name| name.as_str());
            (name.to_owned(), field.value().into_owned())
        })
        .filter(|(name, _)| begins_with(name, "Content-"));
    let (types, mut headers): (Vec<_>, Vec<_>) =
        described.partition(|(name, _)| name.eq_ignore_ascii_case("Content-Type"));
    headers.retain(|(name, _)| !name.eq_ignore_ascii_case("Content-Length"));
    let content_type = types.into_iter().next().map(|(_, value)| value);
    Parcel {
        content_type: content_type.unwrap_or_else(|| UNTYPED.to_owned()),
        headers,
        content: Content::whole(stored.body().clone()),
    }
}

fn of_send(taken: &TakenMessage) -> Result<Parcel, NotAMessage> {
    let head = send_head(taken)?;
    let described = head.mime_headers();
    Ok(Parcel {
        content_type: head.value("Content-Type").unwrap_or(UNTYPED).to_owned(),
        headers: described
            .map(|(name, value)| (name.to_owned(), value.to_owned()))
            .collect(),
        content: send_body(taken)?,
    })
}

/// What the sender's INVITE says of the file.
#[derive(Debug, Default)]
struct File {
    attributes: Vec<(String, Option<String>)>,
    /// The part of its body that is the preview.
    icon: Option<Bytes>,
}

/// The attributes of the file; that of the icon only with the icon, else it would point to nothing.
fn described(invite: &Request) -> File {
    let parts = parts(invite);
    let is_sdp = |part: &&multipart::Part| {
        let described = part.headers.first(sip::Name::ContentType);
        described.is_some_and(|field| begins_with(&field.value(), "application/sdp"))
    };
    let sdp = parts.iter().find(is_sdp).map(|part| &part.body);
    let description = SessionDescription::parse(sdp.unwrap_or(invite.body())).ok();
    let Some(media) = description.and_then(|description| description.first_msrp()) else {
        return File::default();
    };
    let icon = preview(&parts, &media);
    let is_kept = |name: &str| {
        file::ATTRIBUTES.contains(&name) || icon.is_some() && ICON_ATTRIBUTES.contains(&name)
    };
    let mut attributes = media.attributes;
    attributes.retain(|(name, _)| is_kept(name));
    File { attributes, icon }
}

#[cfg(test)]
mod tests;
