//! Messages to many in the order of requirements §1.7.

use edge::example;

use super::*;
use crate::site::fixture::cf1;

const FACTORY: &str = "sip:im-factory@cf1.im.example.org;sessiontype=adhoc";
const ALICE: &str = "P-Asserted-Identity: \"Alice\" <sip:alice@example.org>\r\n";
const MESSAGE: &str = "Content-Type: text/plain\r\n\r\nhi";

fn list(inside: &str) -> String {
    format!(
        "Content-Type: application/resource-lists+xml\r\nContent-Disposition: recipient-list\r\n\r\n\
         <resource-lists xmlns=\"urn:ietf:params:xml:ns:resource-lists\"><list>{inside}</list></resource-lists>"
    )
}

fn bobs(count: usize) -> String {
    (0..count)
        .map(|number| format!("<entry uri=\"sip:bob{number}@example.org\"/>"))
        .collect()
}

fn request(uri: &str, lines: &str, parts: &[&str]) -> Request {
    let body: String = parts
        .iter()
        .map(|part| format!("--b\r\n{part}\r\n"))
        .collect();
    let body = format!("{body}--b--\r\n");
    example::request(&format!(
        "MESSAGE {uri} SIP/2.0\r\nVia: SIP/2.0/TCP scscf1.example.org;branch=z9hG4bK-1\r\nMax-Forwards: 68\r\n\
         From: <sip:alice@example.org>;tag=a\r\nTo: <{uri}>\r\nCall-ID: 1\r\nCSeq: 1 MESSAGE\r\n{lines}\
         Content-Type: multipart/mixed;boundary=b\r\nContent-Length: {}\r\n\r\n{body}",
        body.len()
    ))
}

fn refusal_of(uri: &str, lines: &str, parts: &[&str], site: &Site) -> Option<Refusal> {
    read(&request(uri, lines, parts), site).err()
}

#[test]
fn cfp_06_a_message_to_a_list_names_its_recipients() {
    let list = list("<entry uri=\"sip:bob@example.org\"/><entry uri=\"sip:alice@example.org\"/>");
    for uri in [
        FACTORY,
        "sip:im-factory@cf1.im.example.org;session=imgroup",
        "sip:im-factory@cf1.im.example.org",
    ] {
        let read = read(&request(uri, ALICE, &[MESSAGE, &list]), &cf1()).expect("taken");
        let Addressed::List(recipients) = read.addressed else {
            panic!("to a group: {:?}", read.addressed)
        };
        assert_eq!(recipients.len(), 1);
        assert_eq!(read.content.octets(), 2);
    }
}

#[test]
fn cfp_02_any_other_address_of_ours_may_be_a_group() {
    let asked = request("sip:team@EXAMPLE.org", ALICE, &[MESSAGE]);
    let read = read(&asked, &cf1()).expect("taken");
    assert!(
        matches!(&read.addressed, Addressed::Group(group) if group.as_str() == "sip:team@example.org")
    );
    for uri in [
        "sip:team@far.example.com",
        "sip:example.org",
        "sip:other@cf1.im.example.org",
        "tel:+15550100",
    ] {
        let refusal = refusal_of(uri, ALICE, &[MESSAGE], &cf1());
        assert_eq!(refusal, Some(Refusal::UserUnknown), "{uri}");
    }
}

#[test]
fn cfp_01_to_05_the_order_of_refusals() {
    let bob = list("<entry uri=\"sip:bob@example.org\"/>");
    let mut closed = cf1();
    closed.takes_lists = false;
    let forbidden = |refusal: Option<Refusal>| matches!(refusal, Some(Refusal::Forbidden(_)));
    assert!(forbidden(refusal_of(
        FACTORY,
        "",
        &[MESSAGE, &bob],
        &closed
    )));
    let unreadable = |refusal: Option<Refusal>| matches!(refusal, Some(Refusal::Unreadable(_)));
    assert!(unreadable(refusal_of(FACTORY, ALICE, &[MESSAGE], &cf1())));
    assert_eq!(
        refusal_of(FACTORY, "", &[MESSAGE, &bob], &cf1()),
        Some(Refusal::NoAssertedIdentity)
    );
    let mut strict = cf1();
    strict.allows_anonymity = false;
    let anonymous = format!("{ALICE}Privacy: id\r\n");
    assert!(forbidden(refusal_of(
        FACTORY,
        &anonymous,
        &[MESSAGE, &bob],
        &strict
    )));
    assert!(!forbidden(refusal_of(
        FACTORY,
        &anonymous,
        &[MESSAGE, &bob],
        &cf1()
    )));
}

#[test]
fn cfp_17_lists_are_bounded_and_well_formed() {
    let site = cf1();
    let of = |inside: &str| refusal_of(FACTORY, ALICE, &[MESSAGE, &list(inside)], &site);
    assert_eq!(of(&bobs(100)), None);
    assert!(matches!(of(&bobs(101)), Some(Refusal::Forbidden(_))));
    assert!(matches!(of(""), Some(Refusal::Unreadable(_))));
    assert!(matches!(of("<entry"), Some(Refusal::Unreadable(_))));
    let bob = list(&bobs(1));
    for parts in [vec![bob.as_str()], vec![MESSAGE, &bob, &bob]] {
        let refusal = refusal_of(FACTORY, ALICE, &parts, &site);
        assert!(matches!(refusal, Some(Refusal::Unreadable(_))), "{parts:?}");
    }
    let long = format!(
        "Content-Type: text/plain\r\n\r\n{}",
        "x".repeat((64 << 10) + 1)
    );
    assert_eq!(
        refusal_of(FACTORY, ALICE, &[&long, &bob], &site),
        Some(Refusal::BodyTooLarge)
    );
}
