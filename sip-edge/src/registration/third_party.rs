//! A third-party REGISTER as the store is told of it (requirements §2.4.1, REG-04, REG-05).

use std::time::{Duration, SystemTime};

use sip::{Aor, Contacts, Headers, NameAddr, Request};
use storage_client::registration::{BindingChange, Registration, RegistrationKind};

use super::binding::{Origin, changes, unbind};
use super::embedded::Embedded;
use crate::site::Site;

/// Reads a third-party REGISTER for `address`. `default` is the lifetime where the core names none.
pub(crate) fn registration(
    request: &Request,
    address: &Aor,
    site: &Site,
    default: Duration,
    now: SystemTime,
) -> Registration {
    let embedded = Embedded::of(request);
    let headers = embedded
        .register
        .as_ref()
        .map_or(request.headers(), Request::headers);
    let origin = Origin::of(headers, RegistrationKind::ThirdParty);
    let changes = match lifetime(request.headers(), default) {
        Duration::ZERO => ended(&embedded),
        lifetime => bound(&embedded, &origin, request, site, lifetime, now),
    };
    Registration {
        address: address.to_string(),
        aliases: aliases(request, &embedded, address, site),
        call_id: origin.call_id,
        cseq: origin.cseq,
        changes,
    }
}

/// How long the core says the registration lasts: Expires, else the `expires` of its own Contact.
pub(crate) fn lifetime(headers: &Headers, default: Duration) -> Duration {
    let by_contact = || headers.contacts().ok()?.first()?.expires();
    let seconds = headers.expires().ok().flatten().or_else(by_contact);
    seconds.map_or(default, |seconds| Duration::from_secs(seconds.into()))
}

/// Expires 0 ends what the embedded REGISTER names; nothing embedded ends all (REG-05).
fn ended(embedded: &Embedded) -> Vec<BindingChange> {
    match embedded
        .register
        .as_ref()
        .map(|register| register.headers().contacts())
    {
        Some(Ok(Contacts::List(contacts))) if !contacts.is_empty() => {
            contacts.iter().map(unbind).collect()
        }
        _ => vec![BindingChange::UnbindAll],
    }
}

/// The bindings of the registrar's answer, else those of the client's REGISTER, all for the lifetime
/// the core names; what the client's REGISTER takes away goes first.
fn bound(
    embedded: &Embedded,
    origin: &Origin,
    request: &Request,
    site: &Site,
    lifetime: Duration,
    now: SystemTime,
) -> Vec<BindingChange> {
    let of_register = embedded
        .register
        .as_ref()
        .map(|register| register.headers().contacts());
    let of_answer = contacts(embedded.answer.as_ref().map(sip::Response::headers));
    let (mut found, asked) = match of_register {
        Some(Ok(Contacts::Wildcard)) => (vec![BindingChange::UnbindAll], Vec::new()),
        Some(Ok(Contacts::List(asked))) => (Vec::new(), asked),
        _ => (Vec::new(), Vec::new()),
    };
    let (gone, asked): (Vec<_>, Vec<_>) = asked
        .into_iter()
        .partition(|contact| contact.expires() == Some(0));
    found.extend(gone.iter().map(unbind));
    let live = if of_answer.is_empty() {
        asked
    } else {
        of_answer
    };
    let live = live.iter().map(|contact| (contact, lifetime));
    found.extend(changes(origin, live, &site.im_tags, now));
    if found.is_empty() {
        found.extend(trusted_filter(origin, request, now + lifetime));
    }
    found
}

/// Nothing is embedded: the core's filter matched the IM tag before it told us (`trust-ifc`, DLV-02).
/// The binding stands for the user, since requests to it go to the core under that name.
fn trusted_filter(
    origin: &Origin,
    request: &Request,
    expires_at: SystemTime,
) -> Option<BindingChange> {
    let to = request.headers().to().ok().flatten()?;
    Some(origin.bind(&NameAddr::new(to.uri), true, expires_at))
}

fn contacts(headers: Option<&Headers>) -> Vec<NameAddr> {
    match headers.map(Headers::contacts) {
        Some(Ok(Contacts::List(contacts))) => contacts,
        _ => Vec::new(),
    }
}

/// The other identities of the implicit registration set: of the registrar's answer and of the outer
/// request, only those we serve (REG-04).
fn aliases(request: &Request, embedded: &Embedded, own: &Aor, site: &Site) -> Vec<String> {
    let answer = embedded.answer.as_ref().map(sip::Response::headers);
    let named = answer.into_iter().chain([request.headers()]);
    let uris = named.flat_map(|headers| headers.associated_uris().unwrap_or_default());
    let addresses = uris.filter_map(|identity| Aor::from_uri(&identity.uri));
    let mut aliases: Vec<_> = addresses
        .filter(|address| address != own && site.serves(address))
        .map(|address| address.to_string())
        .collect();
    aliases.sort();
    aliases.dedup();
    aliases
}

#[cfg(test)]
mod tests;
