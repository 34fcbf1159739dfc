//! The order of requirements §1.20, row by row.

use sip::Request;
use storage_client::StoreIdentity;

use super::{Received, admit};
use crate::example;
use crate::mark::{Mark, marked_branch};
use crate::refuse::Refusal;
use crate::site::fixture::df1;

const SECRET: &[u8] = b"secret of the store";

fn verdict(request: &Request, is_trusted: bool, is_merged: bool) -> Result<(), Refusal> {
    let site = df1();
    let store = StoreIdentity {
        hostname: "mailserver32.example.org".to_owned(),
        secret: SECRET.to_vec().into(),
    };
    admit(&Received {
        request,
        stranger: Some(&Refusal::PeerUntrusted).filter(|_| !is_trusted),
        is_merged,
        store: Some(&store),
        site: &site,
    })
}

/// A request with this start line and these lines besides the mandatory ones.
fn request(method: &str, uri: &str, lines: &str) -> Request {
    example::request(&format!(
        "{method} {uri} SIP/2.0\r\nVia: SIP/2.0/UDP 198.51.100.7;branch=z9hG4bK1\r\n\
         From: <sip:alice@example.org>;tag=1\r\nTo: <sip:bob@example.org>\r\nCall-ID: 1\r\n\
         CSeq: 1 {method}\r\n{lines}Content-Length: 0\r\n\r\n"
    ))
}

#[test]
fn every_row_has_its_refusal() {
    let bob = "sip:bob@example.org";
    let table = [
        (request("MESSAGE", bob, ""), Ok(())),
        (request("MESSAGE", bob, "Max-Forwards: 0\r\n"), Ok(())),
        (
            request("OPTIONS", "sip:df1.im.example.org", "Max-Forwards: 0\r\n"),
            Ok(()),
        ),
        (request("MESSAGE", "im:bob@example.org", ""), Ok(())),
        (
            request("REGISTER", "sip:example.org", "Require: path\r\n"),
            Ok(()),
        ),
        (request("FOO", bob, ""), Err(Refusal::MethodUnknown)),
        (request("REFER", bob, ""), Err(Refusal::MethodNotAllowed)),
        (request("INFO", bob, ""), Err(Refusal::MethodNotAllowed)),
        (
            request("MESSAGE", "im:bob@elsewhere.org", ""),
            Err(Refusal::UriScheme),
        ),
        (
            request("MESSAGE", "sip:bob@elsewhere.org", "Max-Forwards: 0\r\n"),
            Err(Refusal::TooManyHops),
        ),
        (
            request(
                "MESSAGE",
                bob,
                "Require: path, foo\r\nProxy-Require: bar\r\n",
            ),
            Err(Refusal::Extensions(vec!["foo".to_owned()])),
        ),
        (request("BYE", bob, ""), Err(Refusal::NoDialog)),
        (request("NOTIFY", bob, ""), Err(Refusal::NoDialog)),
        (request("CANCEL", bob, ""), Err(Refusal::NoDialog)),
    ];
    for (request, expected) in table {
        assert_eq!(verdict(&request, true, false), expected, "{request:?}");
    }
}

#[test]
fn violations_keep_their_own_status() {
    let no_cseq = example::message().edit().remove(sip::Name::CSeq).build();
    let http = request("MESSAGE", "http://example.org", "");
    for (request, code) in [(no_cseq, 400), (http, 416)] {
        match verdict(&request, true, false) {
            Err(Refusal::Violation(violation)) => assert_eq!(violation.status.code(), code),
            other => panic!("{other:?}"),
        }
    }
}

#[test]
fn a_to_tag_without_dialog_is_481_for_every_method() {
    for method in ["MESSAGE", "INVITE", "UPDATE", "SUBSCRIBE", "OPTIONS"] {
        let in_dialog = request(method, "sip:bob@example.org", "")
            .edit()
            .replace(sip::Name::To, "<sip:bob@example.org>;tag=9")
            .build();
        assert_eq!(
            verdict(&in_dialog, true, false),
            Err(Refusal::NoDialog),
            "{method}"
        );
    }
}

#[test]
fn a_stranger_learns_nothing_but_that_he_is_one() {
    let bob = "sip:bob@example.org";
    for request in [
        request("MESSAGE", bob, "Require: foo\r\n"),
        request("MESSAGE", "sip:nobody@example.org", ""),
        request("BYE", bob, ""),
        request("OPTIONS", bob, ""),
        request("REGISTER", bob, ""),
    ] {
        assert_eq!(
            verdict(&request, false, true),
            Err(Refusal::PeerUntrusted),
            "{request:?}"
        );
    }
}

#[test]
fn merged_requests_are_refused_before_their_extensions_are_looked_at() {
    let request = request("MESSAGE", "sip:bob@example.org", "Require: foo\r\n");
    assert_eq!(verdict(&request, true, true), Err(Refusal::Merged));
}

#[test]
fn our_own_delivery_is_known_by_its_mark_and_a_foreign_mark_is_not() {
    for method in ["MESSAGE", "INVITE"] {
        let marked = |secret: &[u8]| {
            let branch = marked_branch(Mark::Delivery, secret, "1", &mut rand::rng());
            let via = format!("SIP/2.0/TCP df1.im.example.org:5060;branch={branch}");
            request(method, "sip:bob@example.org", &format!("Via: {via}\r\n"))
        };
        assert_eq!(
            verdict(&marked(SECRET), true, false),
            Err(Refusal::OwnDelivery),
            "{method}"
        );
        assert_eq!(
            verdict(&marked(b"another store"), true, false),
            Ok(()),
            "{method}"
        );
    }
}

#[test]
fn our_own_delivery_is_known_behind_a_core_that_replaces_via() {
    let store = "P-Asserted-Identity: <sip:im-store@df1.im.example.org>\r\n";
    let named = |id: &str| {
        request(
            "MESSAGE",
            "sip:bob@example.org",
            &format!("Message-ID: {id}\r\n"),
        )
    };
    let refused = Err(Refusal::OwnDelivery);
    assert_eq!(
        verdict(
            &request("INVITE", "sip:bob@example.org", store),
            true,
            false
        ),
        refused
    );
    assert_eq!(
        verdict(
            &request("MESSAGE", "sip:bob@example.org", store),
            true,
            false
        ),
        Ok(())
    );
    assert_eq!(
        verdict(&named("13684434990@mailserver32.example.org"), true, false),
        refused
    );
    assert_eq!(
        verdict(
            &named("<13684434990@MAILSERVER32.example.org>"),
            true,
            false
        ),
        refused
    );
    assert_eq!(
        verdict(&named("13684434990@other.example.org"), true, false),
        Ok(())
    );
    assert_eq!(
        verdict(&named("hello@mailserver32.example.org"), true, false),
        Ok(())
    );
}
