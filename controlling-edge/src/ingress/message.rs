//! A MESSAGE to many as it was sent: what can be said of it without the store, in the order of requirements §1.7
//! (S1 8.3.1.1).

use edge::identity::{AssertedIdentity, originator};
use edge::privacy;
use edge::refuse::Refusal;
use sip::{Aor, MediaType, Name, Request, Uri, multipart};
use xcap::resource_lists::{self, Limits, NotAList};

use crate::copies::{Content, is_recipient_list};
use crate::recipients::{Recipient, is_factory, recipients};
use crate::site::Site;

/// A message that may be passed on, as far as is known without the store.
#[derive(Debug)]
pub(crate) struct ToMany {
    /// Who sends it.
    pub(crate) originator: AssertedIdentity,
    /// To whom.
    pub(crate) addressed: Addressed,
    /// What each gets.
    pub(crate) content: Content,
}

/// Whom a message names.
#[derive(Debug)]
pub(crate) enum Addressed {
    /// Those in its list.
    List(Vec<Recipient>),
    /// Those of what may be a group of ours.
    Group(Aor),
}

/// Reads a MESSAGE that passed the checks of §1.20.
///
/// # Errors
/// In the order of CFP-01..05, then what is wrong with the body.
pub(crate) fn read(request: &Request, site: &Site) -> Result<ToMany, Refusal> {
    let parts = parts(request)?;
    let list = parts.iter().flatten().position(is_recipient_list);
    let is_alone = is_list_alone(request)?;
    if !site.takes_lists && (list.is_some() || is_alone) {
        return Err(Refusal::Forbidden("messages to lists are not served here"));
    }
    let addressed = match request.request_uri() {
        Ok(Uri::Sip(uri)) if is_factory(uri, site) => None,
        Ok(uri) => Some(group(uri, site)?),
        Err(_) => return Err(Refusal::UserUnknown),
    };
    // With an identity required or not: a list or a group is not for those whom nobody knows (CFP-03).
    let originator = originator(request.headers(), site)?.ok_or(Refusal::NoAssertedIdentity)?;
    match (addressed, parts, list) {
        (Some(_), _, Some(_)) => Err(Refusal::Unreadable("a message to a group has no list")),
        (Some(group), ..) => Ok(ToMany {
            originator,
            addressed: Addressed::Group(group),
            content: sized(Content::whole(request), site)?,
        }),
        (None, Some(parts), Some(list)) => to_list(request, parts, list, originator, site),
        (None, ..) if is_alone => Err(Refusal::Unreadable("no message besides the list")),
        (None, ..) => Err(Refusal::Unreadable("recipient list missing")),
    }
}

fn to_list(
    request: &Request,
    mut parts: Vec<multipart::Part>,
    list: usize,
    originator: AssertedIdentity,
    site: &Site,
) -> Result<ToMany, Refusal> {
    if !site.allows_anonymity && privacy::is_wanted(request) {
        return Err(Refusal::Forbidden("anonymity is not allowed"));
    }
    let list = parts.remove(list);
    if parts.iter().any(is_recipient_list) {
        return Err(Refusal::Unreadable("more than one recipient list"));
    }
    if parts.is_empty() {
        return Err(Refusal::Unreadable("no message besides the list"));
    }
    let limits = Limits {
        entries: site.recipients_max,
    };
    let entries = resource_lists::read(&list.body, limits).map_err(refusal)?;
    if entries.is_empty() {
        return Err(Refusal::Unreadable("the recipient list is empty"));
    }
    Ok(ToMany {
        addressed: Addressed::List(recipients(&entries, &originator.address, site)?),
        content: sized(Content::of_parts(&parts), site)?,
        originator,
    })
}

/// What may be the identity of a group: of a domain that we serve, and nobody's factory.
fn group(uri: &Uri, site: &Site) -> Result<Aor, Refusal> {
    Aor::from_uri(uri)
        .filter(|address| address.user().is_some() && site.serves(address))
        .ok_or(Refusal::UserUnknown)
}

/// The parts of a multipart body; `None` for another body.
fn parts(request: &Request) -> Result<Option<Vec<multipart::Part>>, Refusal> {
    let is_multipart = |held: &MediaType| held.is_of_type("multipart");
    if !request
        .headers()
        .content_type()?
        .as_ref()
        .is_some_and(is_multipart)
    {
        return Ok(None);
    }
    let value = request.headers().first(Name::ContentType);
    let value = value.map_or_else(String::new, |field| field.value().into_owned());
    // To a group goes any body: it is not ours to read.
    Ok(multipart::parse(&value, request.body()).ok())
}

fn is_list_alone(request: &Request) -> Result<bool, Refusal> {
    let content_type = request.headers().content_type()?;
    Ok(content_type.is_some_and(|held| held.is(resource_lists::MEDIA_TYPE)))
}

fn sized(content: Content, site: &Site) -> Result<Content, Refusal> {
    if content.octets() > site.message_body_octets {
        Err(Refusal::BodyTooLarge)
    } else {
        Ok(content)
    }
}

fn refusal(not_a_list: NotAList) -> Refusal {
    match not_a_list {
        NotAList::TooMany => Refusal::Forbidden("too many recipients"),
        _ => Refusal::Unreadable("the recipient list cannot be read"),
    }
}

#[cfg(test)]
mod tests;
