//! PUBLISHes and what they ask for.

use super::*;
use crate::config::Config;

const DOCUMENT: &str = "<poc-settings xmlns=\"urn:oma:params:xml:ns:poc:poc-settings\"><entity id=\"1\">\
    <deferred-settings><offline-delivery active=\"false\"/></deferred-settings></entity></poc-settings>";

fn request(lines: &str, body: &str) -> Request {
    let text = format!(
        "PUBLISH sip:bob@example.org SIP/2.0\r\n\
         Via: SIP/2.0/TCP scscf1.example.org:5060;branch=z9hG4bK-s1-pub1\r\n\
         Max-Forwards: 68\r\n\
         From: <sip:bob@example.org>;tag=b-p1\r\n\
         To: <sip:bob@example.org>\r\n\
         Call-ID: set-5@203.0.113.9\r\n\
         CSeq: 1 PUBLISH\r\n\
         {lines}\
         Content-Length: {}\r\n\r\n{body}",
        body.len()
    );
    match sip::parse_datagram(text.into_bytes().into(), &sip::Limits::default()) {
        Ok(sip::Message::Request(request)) => request,
        other => panic!("{other:?}"),
    }
}

fn asked(lines: &str, body: &str) -> Result<Publish, Refusal> {
    let rules = Publishing::new(&Config::default());
    let bob = "sip:bob@example.org";
    publish(&request(lines, body), bob, bob, &rules)
}

fn seconds(seconds: u64) -> Duration {
    Duration::from_secs(seconds)
}

const TYPED: &str = "Event: poc-settings\r\nContent-Type: application/poc-settings+xml\r\n";

#[test]
fn set_12_the_four_kinds_are_told_apart() {
    let first = asked(TYPED, DOCUMENT).expect("a publication");
    assert_eq!(first.lifetime, seconds(3_600));
    let PublishChange::Initial(entities) = &first.change else {
        panic!("{first:?}");
    };
    assert_eq!(entities[0].values.offline_delivery, Some(false));
    let tag = "SIP-If-Match: dx200xyz\r\n";
    let modify = asked(&format!("{TYPED}{tag}"), DOCUMENT).expect("a publication");
    assert!(matches!(modify.change, PublishChange::Modify(tag, _) if tag == "dx200xyz"));
    let bare = format!("Event: poc-settings\r\n{tag}");
    let refresh = asked(&format!("{bare}Expires: 120\r\n"), "").expect("a refresh");
    assert_eq!(
        (refresh.change, refresh.lifetime),
        (PublishChange::Refresh("dx200xyz".to_owned()), seconds(120))
    );
    let remove = asked(&format!("{bare}Expires: 0\r\n"), "").expect("a removal");
    assert_eq!(remove.change, PublishChange::Remove("dx200xyz".to_owned()));
}

#[test]
fn err_12_to_14_each_fault_has_its_refusal() {
    let event = "Event: poc-settings\r\n";
    let typed = "Content-Type: application/poc-settings+xml\r\n";
    let bad = |reason| Err(Refusal::Violation(Violation::bad_request(reason)));
    let table = [
        (typed, DOCUMENT, Err(Refusal::Event)),
        (
            &format!("Event: presence\r\n{typed}"),
            DOCUMENT,
            Err(Refusal::Event),
        ),
        ("Event: presence\r\n", "", Err(Refusal::Event)),
        (
            "Event: presence\r\nContent-Type: text/plain\r\n",
            "hi",
            Err(Refusal::EventBody(MEDIA_TYPE)),
        ),
        (event, "", bad("Nothing is published")),
        (event, DOCUMENT, Err(Refusal::EventBody(MEDIA_TYPE))),
        (
            "Event: poc-settings\r\nContent-Type: text/plain\r\n",
            "hi",
            Err(Refusal::EventBody(MEDIA_TYPE)),
        ),
        (
            &format!("{TYPED}Content-Encoding: gzip\r\n"),
            DOCUMENT,
            Err(Refusal::EventBody(MEDIA_TYPE)),
        ),
        (TYPED, "<poc-settings", bad("Not a settings document")),
        (
            &format!("{TYPED}Expires: 10\r\n"),
            DOCUMENT,
            Err(Refusal::IntervalTooBrief(seconds(60))),
        ),
        (
            &format!("{TYPED}Expires: 0\r\n"),
            DOCUMENT,
            Err(Refusal::IntervalTooBrief(seconds(60))),
        ),
        (
            &format!("{TYPED}SIP-If-Match: \"a\"\r\n"),
            DOCUMENT,
            bad("Malformed SIP-If-Match"),
        ),
    ];
    for (lines, body, expected) in table {
        assert_eq!(asked(lines, body), expected, "{lines}{body}");
    }
    let long = asked(&format!("{TYPED}Expires: 999999\r\n"), DOCUMENT).expect("shortened");
    assert_eq!(long.lifetime, seconds(86_400));
}
