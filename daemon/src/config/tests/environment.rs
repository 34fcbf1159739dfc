//! Variables override the file and are checked like it.

use std::time::Duration;

use super::super::{Document, Environment};
use super::{Common, Edge, Push, lines, mistakes, with_environment};

#[test]
fn variables_override_the_file() {
    let text = "domains = [\"a.example\"]\n[push]\ndelay = \"2s\"\nsessions = 3";
    let pairs = [
        ("RESTANTE_PUSH__DELAY", "500ms"),
        ("RESTANTE_DOMAINS", "b.example, c.example"),
    ];
    let mut document = with_environment(text, &pairs);
    let push = document.read::<Push>();
    assert_eq!((push.delay, push.sessions), (Duration::from_millis(500), 3));
    assert_eq!(
        document.read::<Common>().domains,
        ["b.example", "c.example"]
    );
    assert_eq!(lines(document), [""; 0]);
}

#[test]
fn a_hyphen_in_a_section_is_an_underscore_in_the_variable() {
    let pairs = [
        ("RESTANTE_SIP_EDGE__ADMIN_LISTEN", "[::1]:9000"),
        ("RESTANTE_SIP_EDGE__ENABLED", "false"),
    ];
    let mut document = with_environment("", &pairs);
    let edge = document.read::<Edge>();
    assert_eq!((edge.admin_listen.port(), edge.enabled), (9000, false));
    assert_eq!(lines(document), [""; 0]);
}

#[test]
fn an_empty_variable_is_an_empty_list() {
    let mut document = with_environment("", &[("RESTANTE_DOMAINS", "")]);
    assert_eq!(document.read::<Common>().domains, [""; 0]);
}

#[test]
fn mistakes_in_variables_name_the_variable() {
    let pairs = [
        ("RESTANTE_DOMIANS", "example.org"),
        ("RESTANTE_PUSH__DELAY", "5"),
        ("RESTANTE_PUSH__SESSIONS", "70000"),
        ("RESTANTE_SIP_EDGE__NETWORKS", "10.0.0.0/8,here"),
    ];
    let expected = [
        "environment RESTANTE_DOMIANS: no key has this name; did you mean `RESTANTE_DOMAINS`?",
        "environment RESTANTE_PUSH__DELAY: push.delay: expected a duration with a unit, such as \
         `500ms`, `30s`, `10m`, `24h` or `7d`, found `5`",
        "environment RESTANTE_PUSH__SESSIONS: push.sessions: expected a whole number from 0 to \
         65535, found `70000`",
        "environment RESTANTE_SIP_EDGE__NETWORKS: sip-edge.networks: expected a network such as \
         `10.0.0.0/8` or `2001:db8::/32`, found `here`",
    ];
    assert_eq!(mistakes(with_environment("", &pairs)), expected);
}

#[test]
fn variables_of_others_are_left_alone() {
    let pairs = [
        ("PATH", "/bin"),
        ("RESTANTE_SERVER", "http://127.0.0.1:7401"),
        ("RESTANTE_STORAGE_SERVICE_HOST", "10.0.0.9"),
        ("RESTANTE_STORAGE_PORT_7400_TCP_ADDR", "10.0.0.9"),
        ("RESTANTE_STORAGE_PORT", "tcp://10.0.0.9:7400"),
    ];
    assert_eq!(mistakes(with_environment("", &pairs)), [""; 0]);
}

#[cfg(unix)]
#[test]
fn a_variable_that_is_not_utf_8_is_a_mistake() {
    use std::ffi::OsString;
    use std::os::unix::ffi::OsStringExt;
    let value = OsString::from_vec(vec![0xFF]);
    let environment = Environment::from_iter([("RESTANTE_PUSH__DELAY", value)]);
    let errors = mistakes(Document::load(None, environment));
    assert_eq!(errors.len(), 1);
    assert!(
        errors[0].ends_with("found octets that are not UTF-8"),
        "{errors:?}"
    );
}
