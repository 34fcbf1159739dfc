//! Claims about the registrar's rules (REG-03).

use std::time::{Duration, SystemTime};

use sip::Request;
use storage_client::registration::{Binding, BindingChange, Flow, Registration, RegistrationKind};

use super::Rules;
use crate::config::Registrar;
use edge::example;
use edge::refuse::Refusal;

fn now() -> SystemTime {
    SystemTime::UNIX_EPOCH + Duration::from_secs(1_000_000)
}

fn register(lines: &str) -> Request {
    example::request(&format!(
        "REGISTER sip:example.org SIP/2.0\r\nVia: SIP/2.0/TCP h;branch=z9hG4bK1\r\n\
         From: <sip:bob@example.org>;tag=1\r\nTo: <sip:bob@example.org>\r\nCall-ID: r1\r\n\
         CSeq: 7 REGISTER\r\n{lines}Content-Length: 0\r\n\r\n"
    ))
}

fn read(lines: &str) -> Result<Registration, Refusal> {
    let address = "sip:bob@example.org".parse().expect("an address");
    let flow = Flow {
        edge: "sip-edge-1".to_owned(),
        token: "f1".to_owned(),
    };
    let rules = Rules::new(&Registrar::default());
    rules.registration(
        &register(lines),
        &address,
        RegistrationKind::Direct,
        Some(flow),
        now(),
    )
}

fn bindings(lines: &str) -> Vec<Binding> {
    let changes = read(lines).expect("taken").changes;
    let bound = changes.into_iter().filter_map(|change| match change {
        BindingChange::Bind(binding) => Some(binding),
        _ => None,
    });
    bound.collect()
}

#[test]
fn a_binding_holds_what_requests_to_it_need() {
    let lines = "Contact: <sip:bob@10.0.0.7:5062;transport=tcp>;+sip.instance=\"<urn:uuid:1>\";reg-id=2;+g.oma.sip-im\r\n\
                 Path: <sip:edge.example.org;lr>\r\nExpires: 120\r\nAllow: INVITE, BYE\r\n";
    let bindings = bindings(lines);
    let [binding] = bindings.as_slice() else {
        panic!("{bindings:?}")
    };
    assert_eq!(binding.contact, "sip:bob@10.0.0.7:5062;transport=tcp");
    assert_eq!(
        (binding.instance.as_str(), binding.reg_id),
        ("<urn:uuid:1>", 2)
    );
    assert_eq!((binding.call_id.as_str(), binding.cseq), ("r1", 7));
    assert_eq!(binding.path, ["<sip:edge.example.org;lr>"]);
    assert_eq!(
        binding.flow.as_ref().map(|flow| flow.token.as_str()),
        Some("f1")
    );
    assert!(binding.has_im_tag && !binding.allows_message);
    assert_eq!(binding.expires_at, now() + Duration::from_secs(120));
}

#[test]
fn the_lifetime_is_the_contacts_then_the_requests_then_the_default_capped() {
    let table = [
        ("Contact: <sip:b@h>;expires=300\r\nExpires: 120\r\n", 300),
        ("Contact: <sip:b@h>\r\nExpires: 120\r\n", 120),
        ("Contact: <sip:b@h>\r\n", 3_600),
        ("Contact: <sip:b@h>;expires=4000000000\r\n", 86_400),
        ("Contact: <sip:b@h>;expires=60\r\n", 60),
    ];
    for (lines, seconds) in table {
        let expires_at = bindings(lines)[0].expires_at;
        assert_eq!(expires_at, now() + Duration::from_secs(seconds), "{lines}");
    }
}

#[test]
fn too_short_a_lifetime_is_423_and_nought_removes() {
    let minute = Duration::from_secs(60);
    assert_eq!(
        read("Contact: <sip:b@h>;expires=59\r\n"),
        Err(Refusal::IntervalTooBrief(minute))
    );
    let changes = read("Contact: <sip:b@h>;expires=0\r\n")
        .expect("taken")
        .changes;
    assert!(
        matches!(changes.as_slice(), [BindingChange::Unbind { contact, .. }] if contact == "sip:b@h")
    );
}

#[test]
fn the_wildcard_goes_with_expires_nought_only() {
    let all = read("Contact: *\r\nExpires: 0\r\n").expect("taken");
    assert_eq!(all.changes, [BindingChange::UnbindAll]);
    assert_eq!(
        read("Contact: *\r\nExpires: 60\r\n"),
        Err(Refusal::WildcardContact)
    );
    assert_eq!(read("Contact: *\r\n"), Err(Refusal::WildcardContact));
}

#[test]
fn no_contact_only_asks() {
    assert_eq!(read("").expect("taken").changes, []);
}

#[test]
fn message_is_allowed_by_allow_or_methods_or_silence() {
    let table = [
        ("Contact: <sip:b@h>\r\n", true),
        ("Contact: <sip:b@h>\r\nAllow: INVITE, MESSAGE\r\n", true),
        ("Contact: <sip:b@h>\r\nAllow: INVITE\r\n", false),
        (
            "Contact: <sip:b@h>;methods=\"INVITE,MESSAGE\"\r\nAllow: INVITE\r\n",
            true,
        ),
    ];
    for (lines, expected) in table {
        assert_eq!(bindings(lines)[0].allows_message, expected, "{lines}");
    }
}
