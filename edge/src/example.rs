//! Example 2.1 of the requirements, for the tests of the edges.

use bytes::Bytes;
use sip::{Limits, Message, Request, parse_datagram};

/// The lines that say who sends and who is served.
pub const IDENTITY: &str = "P-Asserted-Identity: \"Alice\" <sip:alice@example.org>\r\n\
    P-Served-User: <sip:bob@example.org>;sescase=term;regstate=unreg\r\n";

/// Example 2.1 as the core sends it.
pub fn message() -> Request {
    let head = "MESSAGE sip:bob@example.org SIP/2.0\r\n\
        Via: SIP/2.0/TCP scscf1.example.org:5060;branch=z9hG4bK-s1-7f3a\r\n\
        Via: SIP/2.0/TCP 198.51.100.7:5062;branch=z9hG4bK-a-0091\r\n\
        Max-Forwards: 68\r\n\
        Route: <sip:df1.im.example.org;transport=tcp;lr>\r\n\
        From: \"Alice\" <sip:alice@example.org>;tag=a48f\r\n\
        To: <sip:bob@example.org>\r\n\
        Call-ID: 5f1c7a0e@198.51.100.7\r\n\
        CSeq: 101 MESSAGE\r\n\
        Date: Fri, 20 Nov 2026 09:14:05 GMT\r\n\
        Expires: 86400\r\n\
        Subject: Lunch\r\n\
        Priority: urgent\r\n\
        Accept-Contact: *;+g.oma.sip-im\r\n\
        User-Agent: IM-client/OMA1.0 AcmeIM/3.2\r\n";
    let tail = "Content-Type: text/plain;charset=utf-8\r\nContent-Length: 26\r\n\r\nLunch at noon, same place?";
    request(&format!("{head}{IDENTITY}{tail}"))
}

/// A MESSAGE to Bob that has these lines besides the mandatory ones.
pub fn message_with(lines: &str) -> Request {
    request(&format!(
        "MESSAGE sip:bob@example.org SIP/2.0\r\n\
         Via: SIP/2.0/UDP 198.51.100.7:5062;branch=z9hG4bK-a-1\r\nMax-Forwards: 70\r\n\
         From: <sip:alice@example.org>;tag=a48f\r\nTo: <sip:bob@example.org>\r\n\
         Call-ID: 1@198.51.100.7\r\nCSeq: 1 MESSAGE\r\n{lines}Content-Length: 2\r\n\r\nhi"
    ))
}

/// Any request of this text.
pub fn request(text: &str) -> Request {
    match parse_datagram(Bytes::copy_from_slice(text.as_bytes()), &Limits::default()) {
        Ok(Message::Request(request)) => request,
        other => panic!("not a request: {other:?}"),
    }
}
