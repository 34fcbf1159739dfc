//! The verdicts on well-framed messages (requirements 1.20).

use super::{MESSAGE, octets, request};
use crate::{Limits, Message, StatusCode, parse_datagram};

fn status(text: &str) -> Option<u16> {
    request(text)
        .check()
        .err()
        .map(|violation| violation.status.code())
}

#[test]
fn a_well_formed_request_passes() {
    assert_eq!(status(MESSAGE), None);
}

#[test]
fn each_mandatory_header_is_missed() {
    for header in ["Via: ", "v: ", "f: ", "To: ", "i: ", "CSeq: "] {
        let kept =
            |line: &&str| !(line.starts_with(header) || header == "v: " && line.starts_with("Via"));
        let text = MESSAGE.lines().filter(kept).collect::<Vec<_>>().join("\n");
        // One of two Vias is enough.
        let expected = if header == "Via: " { None } else { Some(400) };
        assert_eq!(status(&text), expected, "{header}");
    }
}

#[test]
fn each_malformed_mandatory_header_is_refused() {
    for (good, bad) in [
        ("Via: SIP/2.0/TCP", "Via: SIP/TCP"),
        ("f: \"Alice\"", "f: \"Alice"),
        ("To: <sip:bob@example.org>", "To: <sip:bob@example.org"),
        ("i: 5f1c7a0e@198.51.100.7", "i: "),
        ("i: 5f1c7a0e@", "i: \0@"),
        ("i: 5f1c7a0e@", "i: 5f1c 7a0e@"),
        ("101 MESSAGE", "MESSAGE"),
        ("101 MESSAGE", "101 INVITE"),
        ("Max-Forwards: 68", "Max-Forwards: 256"),
    ] {
        assert_eq!(status(&MESSAGE.replacen(good, bad, 1)), Some(400), "{bad}");
    }
}

#[test]
fn a_second_field_of_a_single_header_is_refused() {
    for line in [
        "Call-ID: 2",
        "CSeq: 101 MESSAGE",
        "From: <sip:a@example.org>",
        "Content-Length: 26",
        "Date: x",
        "Content-Type: text/html",
    ] {
        let text = MESSAGE.replacen("Max", &format!("{line}\nDate: y\nMax"), 1);
        assert_eq!(status(&text), Some(400), "{line}");
    }
    let text = MESSAGE.replacen(
        "Max",
        "Route: <sip:a;lr>\nRoute: <sip:b;lr>\nZ: 1\nZ: 2\nMax",
        1,
    );
    assert_eq!(status(&text), None);
}

#[test]
fn malformed_headers_come_before_the_version_and_the_scheme() {
    let other = |version: &str, uri: &str| {
        MESSAGE.replacen(
            "sip:bob@example.org SIP/2.0",
            &format!("{uri} {version}"),
            1,
        )
    };
    assert_eq!(status(&other("SIP/3.0", "http://example.org")), Some(505));
    assert_eq!(status(&other("SIP/2.0", "http://example.org")), Some(416));
    assert_eq!(
        status(&other("SIP/3.0", "http://example.org").replace("101 MESSAGE", "x")),
        Some(400)
    );
}

#[test]
fn the_request_uri_decides_between_400_and_416() {
    for (uri, expected) in [
        ("sips:bob@example.org", None),
        ("tel:+15550100", None),
        ("sip:[2001:db8::1]:5060", None),
        ("im:bob@example.org", None),
        ("urn:service:sos", Some(416)),
        ("sip:bob@example.org?Subject=x", Some(400)),
        ("bob", Some(400)),
    ] {
        assert_eq!(
            status(&MESSAGE.replacen("sip:bob@example.org", uri, 1)),
            expected,
            "{uri}"
        );
    }
}

#[test]
fn a_response_that_cannot_be_matched_fails_its_check() {
    let response = |text: &str| match parse_datagram(octets(text), &Limits::default()) {
        Ok(Message::Response(response)) => response.check().map_err(|violation| violation.status),
        other => panic!("{other:?}"),
    };
    let good = MESSAGE.replacen("MESSAGE sip:bob@example.org SIP/2.0", "SIP/2.0 200 OK", 1);
    assert_eq!(response(&good), Ok(()));
    assert_eq!(
        response(&good.replacen("SIP/2.0 200", "SIP/9.0 200", 1)),
        Err(StatusCode::VERSION_NOT_SUPPORTED)
    );
    assert_eq!(
        response(&good.replacen("101 ", "99999999999 ", 1)),
        Err(StatusCode::BAD_REQUEST)
    );
}
