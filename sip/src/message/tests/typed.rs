//! Typed views over several fields, lines and values.

use super::{MESSAGE, request};
use crate::{Contacts, Headers, Method, Name, NameAddr, Priority};

fn headers(lines: &str) -> Headers {
    request(&format!("OPTIONS sip:a SIP/2.0\n{lines}\n\n"))
        .headers()
        .clone()
}

fn uris(list: &[NameAddr]) -> Vec<String> {
    list.iter().map(|address| address.uri.to_string()).collect()
}

#[test]
fn values_come_from_all_lines_and_all_commas_but_quoted_ones() {
    let headers = headers("v: SIP/2.0/UDP a, SIP/2.0/UDP b\nVia: SIP/2.0/UDP c,,\n d");
    assert_eq!(
        headers.values(Name::Via).collect::<Vec<_>>(),
        ["SIP/2.0/UDP a", "SIP/2.0/UDP b", "SIP/2.0/UDP c", "d"]
    );
    let headers = self::headers("m: \"a,b\" <sip:a,b@c.example>, <sip:d@e.example>;x=\"f,g\"");
    assert_eq!(headers.values(Name::Contact).count(), 2);
}

#[test]
fn commas_belong_to_values_that_are_no_lists() {
    let headers =
        headers("Subject: a, b\nAuthorization: Digest a=1, b=2\nAuthorization: Digest c=3");
    assert_eq!(headers.values(Name::Subject).collect::<Vec<_>>(), ["a, b"]);
    assert_eq!(headers.values(Name::Authorization).count(), 2);
}

#[test]
fn absent_headers_are_none_and_no_error() {
    let headers = headers("X: y");
    assert_eq!(headers.top_via(), Ok(None));
    assert_eq!(headers.from(), Ok(None));
    assert_eq!(headers.call_id(), None);
    assert_eq!(headers.contacts(), Ok(Contacts::List(Vec::new())));
    assert_eq!(headers.expires(), Ok(None));
    assert_eq!(headers.priority(), None);
}

#[test]
fn the_headers_of_a_message_read_as_values() {
    let request = request(MESSAGE);
    let headers = request.headers();
    assert_eq!(
        headers.top_via().unwrap().unwrap().branch(),
        Some("z9hG4bK-s1-7f3a")
    );
    assert_eq!(headers.from().unwrap().unwrap().tag(), Some("a48f"));
    assert_eq!(headers.cseq().unwrap().unwrap().method, Method::Message);
    assert_eq!(headers.content_length(), Ok(Some(26)));
    assert_eq!(headers.subject().as_deref(), Some("Lunch, today"));
}

#[test]
fn contacts_are_a_wildcard_or_a_list() {
    assert_eq!(headers("Contact: *").contacts(), Ok(Contacts::Wildcard));
    assert!(headers("Contact: *, <sip:a>").contacts().is_err());
    let contacts =
        headers("m: <sip:bob@203.0.113.9:5060;transport=tcp>;+g.oma.sip-im;expires=3600")
            .contacts();
    let contact = contacts.unwrap().first().cloned().unwrap();
    assert!(contact.has_feature_tag("+g.oma.sip-im"));
    assert_eq!(contact.expires(), Some(3600));
}

#[test]
fn identities_come_as_lists() {
    let headers = headers(
        "P-Asserted-Identity: \"A\" <sip:a@example.org>, <tel:+15550100>\nP-Associated-URI: <sip:b@example.org>\n\
         P-Served-User: <sip:c@example.org>;sescase=orig",
    );
    assert_eq!(
        uris(&headers.asserted_identities().unwrap()),
        ["sip:a@example.org", "tel:+15550100"]
    );
    assert_eq!(
        uris(&headers.associated_uris().unwrap()),
        ["sip:b@example.org"]
    );
    assert_eq!(
        headers.served_user().unwrap().unwrap().uri.to_string(),
        "sip:c@example.org"
    );
    assert_eq!(headers.preferred_identities(), Ok(Vec::new()));
}

#[test]
fn privacy_values_are_lower_case_and_split_at_semicolons() {
    assert_eq!(
        headers("Privacy: ID; header\nPrivacy: critical").privacy(),
        ["id", "header", "critical"]
    );
}

#[test]
fn numbers_may_carry_comments_where_the_grammar_says_so() {
    assert_eq!(
        headers("Retry-After: 120 (in a meeting);duration=3").retry_after(),
        Ok(Some(120))
    );
    assert_eq!(headers("Min-SE: 90;x=y").min_se(), Ok(Some(90)));
    assert!(headers("Retry-After: soon").retry_after().is_err());
    assert!(headers("Expires: 90;x").expires().is_err());
    assert!(headers("Expires: 99999999999").expires().is_err());
}

#[test]
fn tokens_come_as_lists() {
    let headers = headers(
        "k: timer, 100rel\nSupported: path\nRequire: foo\nAllow: INVITE, FOO\nPriority: Urgent",
    );
    assert_eq!(headers.supported(), ["timer", "100rel", "path"]);
    assert_eq!(headers.require(), ["foo"]);
    assert_eq!(headers.allow().unwrap()[0], Method::Invite);
    assert_eq!(headers.priority(), Some(Priority::Urgent));
}
