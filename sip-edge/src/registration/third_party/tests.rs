//! Claims about every body shape of requirements §2.4.1.

use std::time::{Duration, SystemTime};

use sip::Request;
use storage_client::registration::{Binding, BindingChange, Registration};

use super::registration;
use crate::registration::example::{ANSWER, REGISTER, multipart, third_party};
use crate::site::fixture::df1;

const HOUR: Duration = Duration::from_secs(3_600);
const CONTACT: &str = "sip:bob@203.0.113.9:5060;transport=tcp";

fn now() -> SystemTime {
    SystemTime::UNIX_EPOCH + Duration::from_secs(1_000_000)
}

fn read(request: &Request) -> Registration {
    let address = "sip:bob@example.org".parse().expect("an address");
    registration(request, &address, &df1(), HOUR, now())
}

fn of(lines: &str, body: &str) -> Registration {
    read(&third_party(&format!("Expires: 600000\r\n{lines}"), body))
}

fn bindings(registration: &Registration) -> Vec<&Binding> {
    let bound = registration
        .changes
        .iter()
        .filter_map(|change| match change {
            BindingChange::Bind(binding) => Some(binding),
            _ => None,
        });
    bound.collect()
}

#[test]
fn the_example_binds_the_client_and_learns_its_aliases() {
    let (content_type, body) = multipart(&[REGISTER, ANSWER]);
    let registration = of(&content_type, &body);
    let bindings = bindings(&registration);
    let [binding] = bindings.as_slice() else {
        panic!("{registration:?}")
    };
    assert_eq!(binding.contact, CONTACT);
    assert_eq!(
        binding.instance,
        "<urn:uuid:00000000-0000-1000-8000-000A95A0E128>"
    );
    assert!(binding.has_im_tag && binding.allows_message);
    assert_eq!(binding.expires_at, now() + Duration::from_secs(600_000));
    assert_eq!(
        (registration.call_id.as_str(), registration.cseq),
        ("reg-77a@203.0.113.9", 12)
    );
    assert_eq!(registration.aliases, ["tel:+15550100"]);
}

#[test]
fn every_shape_gives_a_binding_with_the_tag_that_was_shown() {
    let sip = "Content-Type: message/sip\r\n";
    let untagged = REGISTER.replace(";+g.oma.sip-im", "");
    let shouting = REGISTER.replace("+g.oma.sip-im", "+G.OMA.SIP-IM");
    let contactless = ANSWER
        .lines()
        .filter(|line| !line.starts_with("Contact"))
        .collect::<Vec<_>>();
    let contactless = format!("{}\r\n\r\n", contactless.join("\r\n").trim_end());
    let (mixture, both) = multipart(&[&untagged, ANSWER]);
    let table = [
        ("", String::new(), "sip:bob@example.org", true),
        (sip, REGISTER.to_owned(), CONTACT, true),
        (sip, untagged, CONTACT, false),
        (sip, shouting, CONTACT, true),
        (sip, ANSWER.to_owned(), CONTACT, true),
        (sip, contactless, "sip:bob@example.org", true),
        (sip, "garbage".to_owned(), "sip:bob@example.org", true),
        (
            "Content-Type: application/3gpp-ims+xml\r\n",
            "<x/>".to_owned(),
            "sip:bob@example.org",
            true,
        ),
        (
            "Content-Type: application/3gpp-ims+xml\r\nEvent: registration\r\n",
            "<x/>".to_owned(),
            "sip:bob@example.org",
            true,
        ),
        (&mixture, both, CONTACT, true),
        (
            "Content-Type: multipart/mixed\r\n",
            "no boundary".to_owned(),
            "sip:bob@example.org",
            true,
        ),
    ];
    for (lines, body, contact, has_im_tag) in table {
        let registration = of(lines, &body);
        let bindings = bindings(&registration);
        let [binding] = bindings.as_slice() else {
            panic!("{lines} {body}: {registration:?}")
        };
        assert_eq!(
            (binding.contact.as_str(), binding.has_im_tag),
            (contact, has_im_tag),
            "{lines} {body}"
        );
    }
}

#[test]
fn expires_nought_ends_what_is_embedded_or_all() {
    let unbind = BindingChange::Unbind {
        contact: CONTACT.to_owned(),
        instance: "<urn:uuid:00000000-0000-1000-8000-000A95A0E128>".to_owned(),
        reg_id: 0,
    };
    let embedded = third_party("Expires: 0\r\nContent-Type: message/sip\r\n", REGISTER);
    assert_eq!(read(&embedded).changes, std::slice::from_ref(&unbind));
    let bare = third_party("Expires: 0\r\n", "");
    assert_eq!(read(&bare).changes, [BindingChange::UnbindAll]);
    let leaving = REGISTER.replace("expires=3600", "expires=0");
    let (content_type, body) = multipart(&[
        &leaving,
        &ANSWER.replace("bob@203.0.113.9", "bob@203.0.113.10"),
    ]);
    let one_of_two = of(&content_type, &body);
    assert_eq!(one_of_two.changes.first(), Some(&unbind));
    assert_eq!(bindings(&one_of_two).len(), 1);
}

#[test]
fn aliases_of_foreign_domains_are_left_out() {
    let lines = "P-Associated-URI: <sip:bob@elsewhere.org>, <sip:robert@example.org>, <sip:bob@example.org>\r\n";
    assert_eq!(of(lines, "").aliases, ["sip:robert@example.org"]);
}

#[test]
fn without_expires_the_contact_and_then_the_default_counts() {
    let registration = read(&third_party("", ""));
    assert_eq!(bindings(&registration)[0].expires_at, now() + HOUR);
    let by_contact = third_party("", "")
        .edit()
        .replace(sip::Name::Contact, "<sip:s>;expires=60")
        .build();
    let registration = read(&by_contact);
    assert_eq!(
        bindings(&registration)[0].expires_at,
        now() + Duration::from_secs(60)
    );
}
