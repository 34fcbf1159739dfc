//! Which names a certificate proves.

use rcgen::KeyPair;

use crate::tls::PeerNames;
use tls::authority::params;

fn names(alternatives: &[&str]) -> Vec<String> {
    let key = KeyPair::generate().unwrap();
    let certificate = params(alternatives).self_signed(&key).unwrap();
    let names = PeerNames::of(certificate.der());
    names.iter().map(str::to_owned).collect()
}

#[test]
fn dns_names_count_only_without_sip_uris() {
    assert_eq!(
        names(&["A.example", "b.example"]),
        ["a.example", "b.example"]
    );
    assert_eq!(names(&["a.example", "sip:C.example"]), ["c.example"]);
}

#[test]
fn uri_with_a_user_or_of_another_scheme_is_no_domain() {
    let others = ["sip:alice@c.example", "sips:d.example", "https://e.example"];
    assert_eq!(names(&others), [""; 0]);
    assert_eq!(names(&["sip:alice@c.example", "a.example"]), ["a.example"]);
}

#[test]
fn name_is_compared_whole_and_a_wildcard_stands_for_nobody_else() {
    let names: PeerNames = ["*.example.org", "core.example.net"].into_iter().collect();
    assert!(names.contains("CORE.example.net"));
    assert!(names.contains("core.example.net."));
    assert!(!names.contains("example.net"));
    assert!(!names.contains("a.core.example.net"));
    assert!(!names.contains("a.example.org"));
}

#[test]
fn what_is_no_certificate_proves_nothing() {
    assert!(PeerNames::of(&vec![0x30, 0x03, 0x02, 0x01].into()).is_empty());
}
