//! All mistakes are reported at once, each with its place.

use std::path::Path;

use proptest::prelude::*;

use super::super::{Document, Environment, Section};
use super::{Common, Edge, Push, document, lines, mistakes, with_environment};

#[test]
fn all_mistakes_are_reported_in_the_order_of_the_file() {
    let text = "\
domain = [\"example.org\"]


[push]
delay = 5
jitter = nan
  sessions = 70_000
sesions = 1

[sip-edge]
enabled = \"yes\"
networks = [\"10.0.0.0/8\", \"here\",
    7]
shape = \"round\"
body = \"64KB\"
admin_listen = \"localhost\"

[pusch]
delay = \"1s\"
";
    let expected = [
        "restante.toml:1:1: domain: no key has this name; did you mean `domains`?",
        "restante.toml:5:1: push.delay: expected a duration with a unit, such as `500ms`, `30s`, \
         `10m`, `24h` or `7d`, found the number 5",
        "restante.toml:6:1: push.jitter: expected a number, found the number NaN",
        "restante.toml:7:3: push.sessions: expected a whole number from 0 to 65535, found the \
         number 70000",
        "restante.toml:8:1: push.sesions: no key has this name; did you mean `sessions`?",
        "restante.toml:11:1: sip-edge.enabled: expected `true` or `false`, found `yes`",
        "restante.toml:12:27: sip-edge.networks: expected a network such as `10.0.0.0/8` or \
         `2001:db8::/32`, found `here`",
        "restante.toml:13:5: sip-edge.networks: expected a network such as `10.0.0.0/8` or \
         `2001:db8::/32`, found the number 7",
        "restante.toml:14:1: sip-edge.shape: expected one of `pretty`, `json`, found `round`",
        "restante.toml:15:1: sip-edge.body: expected a size with a unit, such as `512B`, `64KiB` \
         or `10MiB`, found `64KB`",
        "restante.toml:16:1: sip-edge.admin_listen: expected an IP address and port such as \
         `127.0.0.1:5060` or `[::1]:5060`, found `localhost`",
        "restante.toml:18:2: pusch: no section has this name; did you mean `push`?",
    ];
    assert_eq!(mistakes(document(text)), expected);
}

#[test]
fn sections_and_top_level_keys_are_not_confused() {
    let expected = [
        "restante.toml:1:1: push: this is a section, to be written `[push]`",
        "restante.toml:2:2: domains: this key belongs to no section and is not a table",
    ];
    assert_eq!(
        mistakes(document("push = 3\n[domains]\nown = true")),
        expected
    );
}

#[test]
fn a_line_that_is_not_toml_is_one_mistake_beside_the_others() {
    let errors = mistakes(document("[push]\ndelay = 5s\nsessions = -1\n"));
    assert_eq!(errors.len(), 2, "{errors:#?}");
    assert!(errors[0].starts_with("restante.toml:2:"), "{errors:#?}");
    assert!(errors[0].contains(": not valid TOML: "), "{errors:#?}");
    assert!(
        errors[1].starts_with("restante.toml:3:1: push.sessions: "),
        "{errors:#?}"
    );
}

#[test]
fn a_mistake_in_a_key_that_two_structs_declare_is_reported_once() {
    assert_eq!(mistakes(document("[push]\ndelay = true")).len(), 1);
}

#[test]
fn a_file_that_cannot_be_read_is_reported_beside_the_environment() {
    let environment = Environment::from_iter([("RESTANTE_PUSH__DELAY", "soon")]);
    let errors = mistakes(Document::load(
        Some(Path::new("absent/restante.toml")),
        environment,
    ));
    assert_eq!(errors.len(), 2);
    assert!(
        errors[0].starts_with("absent/restante.toml: cannot be read: "),
        "{errors:?}"
    );
}

#[test]
fn keys_of_another_process_are_known_but_not_read() {
    let mut document = document("[sip-edge]\nenabled = 3\n[push]\ndelay = \"1s\"");
    document.allow(&Edge::DOC);
    document.read::<Push>();
    assert_eq!(lines(document), [""; 0]);
}

#[test]
fn checks_of_the_caller_stand_where_the_key_was_written() {
    let mut document = with_environment("[push]\ndelay = \"9s\"", &[("RESTANTE_DOMAINS", "a")]);
    document.read::<Push>();
    document.read::<Common>();
    assert!(document.is_set("domains") && document.is_set("push.delay"));
    assert!(!document.is_set("push.sessions"));
    document.error_at("push.delay", "must not exceed the lease");
    document.error_at("push.sessions", "must be set");
    document.error_at("domains", "is no domain");
    let expected = [
        "restante.toml: push.sessions: must be set",
        "restante.toml:2:1: push.delay: must not exceed the lease",
        "environment RESTANTE_DOMAINS: domains: is no domain",
    ];
    assert_eq!(lines(document), expected);
}

#[test]
fn without_a_file_a_check_of_the_caller_names_the_defaults() {
    let mut document = Document::load(None, Environment::default());
    document.error_at("sip.next_hop", "must be set");
    assert_eq!(lines(document), ["defaults: sip.next_hop: must be set"]);
}

proptest! {
    #[test]
    fn no_text_panics(text in "[\\[\\]a-z.=\"' \n#0-9é-]{0,200}", value in ".*") {
        mistakes(with_environment(&text, &[("RESTANTE_PUSH__DELAY", &value)]));
    }
}
