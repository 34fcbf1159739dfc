//! Recognising our own deliveries that come back (DLV-16): by the mark in the Via stack, and for
//! cores that replace Via, by what only a delivery of this store carries.

use sip::{Headers, Name};

use crate::mark::{Mark, is_marked};

/// Whether a Via was made by an edge of this store for a request of this kind with this Call-ID.
pub(crate) fn carries_mark(headers: &Headers, mark: Mark, secret: &[u8]) -> bool {
    let Some(call_id) = headers.call_id() else {
        return false;
    };
    // Nearly no request has one: that is seen without reading its Vias.
    if !mentions(headers, mark.prefix()) {
        return false;
    }
    let vias = headers.vias().unwrap_or_default();
    vias.iter()
        .filter_map(|via| via.branch())
        .any(|branch| is_marked(mark, secret, &call_id, branch))
}

/// Whether a text stands in any Via, letter case apart.
pub(crate) fn mentions(headers: &Headers, text: &str) -> bool {
    let stands_in = |octets: &[u8]| {
        let mut places = octets.windows(text.len());
        places.any(|place| place.eq_ignore_ascii_case(text.as_bytes()))
    };
    headers.all(Name::Via).any(|via| stands_in(via.raw_value()))
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
