//! Example 2.4.1 of the requirements, for the tests of this crate.

use sip::Request;

use edge::example;

/// The REGISTER of Bob's client.
pub(crate) const REGISTER: &str = "REGISTER sip:example.org SIP/2.0\r\n\
    Via: SIP/2.0/TCP 203.0.113.9:5060;branch=z9hG4bK-b-r1\r\nMax-Forwards: 70\r\n\
    From: <sip:bob@example.org>;tag=b771\r\nTo: <sip:bob@example.org>\r\n\
    Call-ID: reg-77a@203.0.113.9\r\nCSeq: 12 REGISTER\r\n\
    Contact: <sip:bob@203.0.113.9:5060;transport=tcp>;+sip.instance=\"<urn:uuid:00000000-0000-1000-8000-000A95A0E128>\";+g.oma.sip-im;expires=3600\r\n\
    Supported: path\r\nUser-Agent: IM-client/OMA1.0 AcmeIM/3.2\r\nContent-Length: 0\r\n\r\n";

/// The registrar's answer to it.
pub(crate) const ANSWER: &str = "SIP/2.0 200 OK\r\n\
    Via: SIP/2.0/TCP 203.0.113.9:5060;branch=z9hG4bK-b-r1\r\n\
    From: <sip:bob@example.org>;tag=b771\r\nTo: <sip:bob@example.org>;tag=s900\r\n\
    Call-ID: reg-77a@203.0.113.9\r\nCSeq: 12 REGISTER\r\n\
    Contact: <sip:bob@203.0.113.9:5060;transport=tcp>;+sip.instance=\"<urn:uuid:00000000-0000-1000-8000-000A95A0E128>\";+g.oma.sip-im;expires=3600\r\n\
    P-Associated-URI: <sip:bob@example.org>, <tel:+15550100>\r\nContent-Length: 0\r\n\r\n";

/// The REGISTER of the core with these lines and this body.
pub(crate) fn third_party(lines: &str, body: &str) -> Request {
    example::request(&format!(
        "REGISTER sip:df1.im.example.org SIP/2.0\r\n\
         Via: SIP/2.0/TCP scscf1.example.org:5060;branch=z9hG4bK-3pr-01\r\nMax-Forwards: 70\r\n\
         From: <sip:scscf1.example.org>;tag=s77\r\nTo: <sip:bob@example.org>\r\n\
         Call-ID: 3pr-9001@scscf1.example.org\r\nCSeq: 1 REGISTER\r\n\
         Contact: <sip:scscf1.example.org>\r\n{lines}Content-Length: {}\r\n\r\n{body}",
        body.len()
    ))
}

/// Both parts in a multipart body, with the type for the outer request.
pub(crate) fn multipart(parts: &[&str]) -> (String, String) {
    let parts: String = parts
        .iter()
        .map(|part| format!("--3pr\r\nContent-Type: message/sip\r\n\r\n{part}\r\n"))
        .collect();
    (
        "Content-Type: multipart/mixed;boundary=\"3pr\"\r\n".to_owned(),
        format!("{parts}--3pr--\r\n"),
    )
}
