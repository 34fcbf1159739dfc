//! The order of requirements §1.20: what is looked at before a request gets its service.
//!
//! The first step that refuses decides. Steps need no store: what only the store can decide comes
//! after all of them, in its own order (PFM-13). Of requests within our dialogs only the
//! [`extensions`] are looked at, by their sessions.

use sip::{Headers, Method, Request, Uri};
use storage_client::{StorageClient, StoreIdentity};

use crate::mark::Mark;
use crate::profile::{Profile, Treatment};
use crate::refuse::Refusal;
use crate::site::Site;
use crate::{identity, own_delivery};

/// A request outside our dialogs, with what is known about its arrival.
#[derive(Debug, Clone, Copy)]
pub struct Received<'a> {
    /// The request.
    pub request: &'a Request,
    /// Why its sender is not listened to, if he is not (3.8).
    pub stranger: Option<&'a Refusal>,
    /// Whether it came before by another path and is still being served (RFC 3261 §8.2.2.2).
    pub is_merged: bool,
    /// What the store told us about itself, once it did.
    pub store: Option<&'a StoreIdentity>,
    /// This edge.
    pub site: &'a Site,
}

impl<'a> Received<'a> {
    fn profile(&self) -> &'a Profile {
        self.site.signature.profile()
    }

    fn treatment(&self) -> Treatment {
        (self.profile().treatment)(self.request.method())
    }
}

/// One step: passes or refuses.
type Step = fn(&Received<'_>) -> Result<(), Refusal>;

/// The steps in their order, each with its row of the table.
const STEPS: [(&str, Step); 9] = [
    ("ERR-01, ERR-02, ERR-04", syntax),
    ("ERR-03", method),
    ("ERR-04", uri_scheme),
    ("ERR-05", hops),
    ("ERR-09", trust),
    ("ERR-06", own_delivery_back),
    ("ERR-06", merged),
    ("ERR-07", known_extensions),
    ("ERR-08", dialog),
];

/// Takes a request through all steps.
///
/// # Errors
/// With the refusal of the first step that does not pass.
pub fn admit(received: &Received<'_>) -> Result<(), Refusal> {
    STEPS.iter().try_for_each(|(row, step)| {
        step(received).inspect_err(|_| tracing::debug!(row, "request not admitted"))
    })
}

fn syntax(received: &Received<'_>) -> Result<(), Refusal> {
    Ok(received.request.check()?)
}

fn method(received: &Received<'_>) -> Result<(), Refusal> {
    match received.treatment() {
        Treatment::Served | Treatment::DialogOnly => Ok(()),
        Treatment::NotAllowed => Err(Refusal::MethodNotAllowed),
        Treatment::Unknown => Err(Refusal::MethodUnknown),
    }
}

/// `im:` names a user of ours or nobody we could reach; the other schemes passed [`syntax`].
fn uri_scheme(received: &Received<'_>) -> Result<(), Refusal> {
    match received.request.request_uri() {
        Ok(uri @ Uri::Other { .. }) if !received.site.is_target(uri) => Err(Refusal::UriScheme),
        _ => Ok(()),
    }
}

fn hops(received: &Received<'_>) -> Result<(), Refusal> {
    let is_spent = received.request.headers().max_forwards()? == Some(0);
    let is_for_us = || {
        let uri = received.request.request_uri();
        uri.is_ok_and(|uri| received.site.is_target(uri))
    };
    if is_spent && !is_for_us() {
        Err(Refusal::TooManyHops)
    } else {
        Ok(())
    }
}

/// Before all that would tell a stranger which extensions, dialogs or users there are.
fn trust(received: &Received<'_>) -> Result<(), Refusal> {
    received
        .stranger
        .map_or(Ok(()), |refusal| Err(refusal.clone()))
}

/// Whether a request is a leg of a fan-out of this store's controlling edges (CFP-20): its sender is bounded there.
#[must_use]
pub fn is_leg(headers: &Headers, storage: &StorageClient) -> bool {
    let is_ours =
        |store: StoreIdentity| own_delivery::carries_mark(headers, Mark::Leg, &store.secret);
    own_delivery::mentions(headers, Mark::Leg.prefix()) && storage.store().is_some_and(is_ours)
}

fn own_delivery_back(received: &Received<'_>) -> Result<(), Refusal> {
    let Some(store) = received.store else {
        return Ok(());
    };
    let headers = received.request.headers();
    let mark = received.profile().refuses;
    let is_delivery = mark == Mark::Delivery;
    let came_back = match received.request.method() {
        Method::Message => {
            own_delivery::carries_mark(headers, mark, &store.secret)
                || is_delivery && own_delivery::names_message_of(headers, &store.hostname)
        }
        Method::Invite => {
            own_delivery::carries_mark(headers, mark, &store.secret)
                || is_delivery
                    && (identity::asserts_store(headers, received.site)
                        || own_delivery::names_message_of(headers, &store.hostname))
        }
        _ => false,
    };
    if came_back {
        Err(Refusal::OwnDelivery)
    } else {
        Ok(())
    }
}

fn merged(received: &Received<'_>) -> Result<(), Refusal> {
    if received.is_merged {
        Err(Refusal::Merged)
    } else {
        Ok(())
    }
}

fn known_extensions(received: &Received<'_>) -> Result<(), Refusal> {
    extensions(received.request, received.profile())
}

/// Whether a request, within a dialog or not, requires nothing that we do not know. Proxy-Require is for
/// proxies; a UAS does not look at it (RFC 3261 §8.2.2.3).
///
/// # Errors
/// With what we do not know.
pub fn extensions(request: &Request, profile: &Profile) -> Result<(), Refusal> {
    let mut required = request.headers().require();
    let is_known = |tag: &str| {
        let mut known = profile.extensions.iter();
        known.any(|known| known.eq_ignore_ascii_case(tag))
    };
    required.retain(|tag| !is_known(tag));
    if required.is_empty() {
        Ok(())
    } else {
        Err(Refusal::Extensions(required))
    }
}

/// A request of a dialog of ours would have gone to it.
fn dialog(received: &Received<'_>) -> Result<(), Refusal> {
    let has_to_tag = received.request.to()?.is_some_and(|to| to.tag().is_some());
    let needs_dialog = received.treatment() == Treatment::DialogOnly;
    // The dialog of a subscription is in the store, not in an edge (MWI-10): who serves it decides.
    let is_in_store = *received.request.method() == Method::Subscribe && has_own_dialogs(received);
    if (has_to_tag && !is_in_store) || needs_dialog {
        Err(Refusal::NoDialog)
    } else {
        Ok(())
    }
}

/// Whether subscriptions are served here.
fn has_own_dialogs(received: &Received<'_>) -> bool {
    !received.profile().event_packages.is_empty()
}

#[cfg(test)]
mod tests;
