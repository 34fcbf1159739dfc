//! Recognising our own deliveries that come back (DLV-16): by the mark in the Via stack, and for
//! cores that replace Via, by what only a delivery of this store carries.

use sip::Headers;

use crate::mark::{Mark, is_marked};

/// Whether a Via was made by an edge of this store for a request of this kind with this Call-ID.
pub(crate) fn carries_mark(headers: &Headers, mark: Mark, secret: &[u8]) -> bool {
    let Some(call_id) = headers.call_id() else {
        return false;
    };
    let vias = headers.vias().unwrap_or_default();
    vias.iter()
        .filter_map(|via| via.branch())
        .any(|branch| is_marked(mark, secret, &call_id, branch))
}

/// Whether a `Message-ID` header names a message of the store with this hostname, as a delivery in the
/// name of its sender does. Only its form is looked at: no peer has reason to use the name of our store.
pub(crate) fn names_message_of(headers: &Headers, hostname: &str) -> bool {
    let Some(field) = headers.first_named("Message-ID") else {
        return false;
    };
    let value = field.value();
    let bare = value.trim_start_matches('<').trim_end_matches('>');
    let bare = bare.strip_prefix("sip:").unwrap_or(bare);
    bare.split_once('@').is_some_and(|(number, host)| {
        !number.is_empty()
            && number.bytes().all(|digit| digit.is_ascii_digit())
            && host.eq_ignore_ascii_case(hostname)
    })
}
