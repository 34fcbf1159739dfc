//! What editors change, and what they leave alone.

use super::{MESSAGE, octets, request};
use crate::Name;

#[test]
fn an_edit_without_changes_changes_no_octet() {
    assert_eq!(*request(MESSAGE).edit().build().as_bytes(), octets(MESSAGE));
}

#[test]
fn every_edit_touches_its_own_line_only() {
    let edited = request(MESSAGE)
        .edit()
        .prepend(Name::Via, "SIP/2.0/TCP edge.example.org;branch=z9hG4bK9")
        .remove(Name::From)
        .remove_named("x-odd")
        .replace_first(Name::MaxForwards, 67)
        .append(Name::Date, "Fri, 20 Nov 2026 09:14:05 GMT")
        .append_raw("X-New", "1")
        .set_uri("sip:carol@example.org")
        .build();
    let expected = MESSAGE
        .replacen("bob@example.org SIP", "carol@example.org SIP", 1)
        .replacen(
            "Via:",
            "Via: SIP/2.0/TCP edge.example.org;branch=z9hG4bK9\nVia:",
            1,
        )
        .replacen("Max-Forwards: 68", "Max-Forwards: 67", 1)
        .replacen("f: \"Alice\" <sip:alice@example.org>;tag=a48f\n", "", 1)
        .replacen("X-Odd:;;,\n", "", 1)
        .replacen(
            "Length: 26\n",
            "Length: 26\nDate: Fri, 20 Nov 2026 09:14:05 GMT\nX-New: 1\n",
            1,
        );
    assert_eq!(*edited.as_bytes(), octets(&expected));
    assert_eq!(edited.headers().max_forwards(), Ok(Some(67)));
    assert_eq!(edited.headers().vias().expect("valid").len(), 3);
    assert_eq!(edited.raw_uri(), "sip:carol@example.org");
}

#[test]
fn a_new_body_brings_its_length() {
    let edited = request(MESSAGE).edit().set_body("short").build();
    assert_eq!(edited.headers().content_length(), Ok(Some(5)));
    assert_eq!(edited.headers().count(Name::ContentLength), 1);
    assert_eq!(edited.body(), "short");
    let without = request("OPTIONS sip:a SIP/2.0\nTo: <sip:a>\n\n")
        .edit()
        .set_body("x")
        .build();
    assert_eq!(
        *without.as_bytes(),
        octets("OPTIONS sip:a SIP/2.0\nTo: <sip:a>\nContent-Length: 1\n\nx")
    );
}

#[test]
fn replacing_drops_the_other_fields_of_the_name() {
    let edited = request(MESSAGE)
        .edit()
        .replace(Name::Via, "SIP/2.0/UDP a")
        .replace(Name::Priority, "urgent")
        .build();
    assert_eq!(edited.headers().vias().expect("valid").len(), 1);
    assert_eq!(
        edited.headers().iter().last().map(|field| field.name()),
        Some("Priority")
    );
}

#[test]
fn retain_asks_about_received_fields_only() {
    let edited = request(MESSAGE)
        .edit()
        .append(Name::Subject, "new")
        .retain(|field| field.known() != Some(Name::Subject) && field.known().is_some())
        .build();
    assert_eq!(edited.headers().subject().as_deref(), Some("new"));
    assert_eq!(
        edited
            .headers()
            .first_named("X-Odd")
            .map(|field| field.name()),
        None
    );
}
