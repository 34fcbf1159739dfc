//! The example messages of the requirements, written by hand.

use super::{RequestText, SipText, fresh};

/// Address of the sender in the examples.
pub const ALICE: &str = "sip:alice@example.org";

/// The MESSAGE of requirements §2.1 to this user of `example.org`, as the core sends it, with Call-ID
/// and tag of its own.
pub fn message(user: &str) -> RequestText {
    let head = format!(
        "MESSAGE sip:{user}@example.org SIP/2.0
        Via: {{hop}}
        Via: SIP/2.0/TCP 198.51.100.7:5062;branch=z9hG4bK-a-0091
        Max-Forwards: 68
        Route: <sip:{{edge}};transport=tcp;lr>
        From: \"Alice\" <sip:alice@example.org>;tag={}
        To: <sip:{user}@example.org>
        Call-ID: {}@198.51.100.7
        CSeq: 101 MESSAGE
        Date: {}
        Expires: 86400
        Subject: Lunch
        Priority: urgent
        Accept-Contact: *;+g.oma.sip-im
        User-Agent: IM-client/OMA1.0 AcmeIM/3.2
        P-Asserted-Identity: \"Alice\" <sip:alice@example.org>
        P-Served-User: <sip:{user}@example.org>;sescase=term;regstate=unreg
        Content-Type: text/plain;charset=utf-8
        Content-Length: 0",
        fresh(),
        fresh(),
        crate::date::now(),
    );
    RequestText::new(&head).body("text/plain;charset=utf-8", "Lunch at noon, same place?")
}

/// The binding that the UE of the examples registers.
pub const IM_CONTACT: &str = "<sip:bob@203.0.113.9:5060;transport=tcp>;\
    +sip.instance=\"<urn:uuid:00000000-0000-1000-8000-000A95A0E128>\";+g.oma.sip-im;expires=3600";

/// The REGISTER of the UE in requirements §2.4.1, as the core embeds it.
pub fn embedded_register(user: &str, contact: &str) -> String {
    format!(
        "REGISTER sip:example.org SIP/2.0\r\n\
         Via: SIP/2.0/TCP 203.0.113.9:5060;branch=z9hG4bK-b-r1\r\n\
         Max-Forwards: 70\r\n\
         From: <sip:{user}@example.org>;tag=b771\r\n\
         To: <sip:{user}@example.org>\r\n\
         Call-ID: reg-77a@203.0.113.9\r\n\
         CSeq: {} REGISTER\r\n\
         Contact: {contact}\r\n\
         Supported: path\r\n\
         User-Agent: IM-client/OMA1.0 AcmeIM/3.2\r\n\
         Content-Length: 0\r\n\r\n",
        next_cseq()
    )
}

/// The 200 of the registrar in requirements §2.4.1, as the core embeds it; no Contact if it is empty.
pub fn embedded_ok(user: &str, contact: &str) -> String {
    let contact = match contact {
        "" => String::new(),
        contact => format!("Contact: {contact}\r\n"),
    };
    format!(
        "SIP/2.0 200 OK\r\n\
         Via: SIP/2.0/TCP 203.0.113.9:5060;branch=z9hG4bK-b-r1\r\n\
         From: <sip:{user}@example.org>;tag=b771\r\n\
         To: <sip:{user}@example.org>;tag=s900\r\n\
         Call-ID: reg-77a@203.0.113.9\r\n\
         CSeq: {} REGISTER\r\n\
         {contact}\
         P-Associated-URI: <sip:{user}@example.org>\r\n\
         Content-Length: 0\r\n\r\n",
        next_cseq()
    )
}

/// The third-party REGISTER of requirements §2.4.1 without a body.
pub fn bare_register(user: &str, expires: u32) -> RequestText {
    let head = format!(
        "REGISTER sip:df1.im.example.org SIP/2.0
        Via: {{hop}}
        Max-Forwards: 70
        From: <sip:scscf1.example.org>;tag=s77
        To: <sip:{user}@example.org>
        Call-ID: 3pr-{user}@scscf1.example.org
        CSeq: {} REGISTER
        Contact: <sip:scscf1.example.org>
        Expires: {expires}
        P-Charging-Vector: icid-value=\"icid-4711\"
        Content-Length: 0",
        next_cseq()
    );
    RequestText::new(&head)
}

/// The third-party REGISTER of requirements §2.4.1: the UE's REGISTER and its 200 embedded.
pub fn register(user: &str) -> RequestText {
    let parts = [
        embedded_register(user, IM_CONTACT),
        embedded_ok(user, IM_CONTACT),
    ];
    bare_register(user, 3600).body(
        "multipart/mixed;boundary=\"3pr\"",
        multipart("3pr", "message/sip", &parts),
    )
}

/// Bodies of one type as a multipart.
pub fn multipart(boundary: &str, content_type: &str, parts: &[String]) -> String {
    let mut body = String::new();
    for part in parts {
        body += &format!("--{boundary}\r\nContent-Type: {content_type}\r\n\r\n{part}\r\n");
    }
    body + &format!("--{boundary}--\r\n")
}

/// A request of the edge, sent back to it by a core: with one more Via on top.
///
/// # Panics
/// When it is no whole request.
pub fn returned(request: &SipText) -> RequestText {
    let text = request.to_string();
    let (head, body) = text.split_once("\r\n\r\n").expect("an empty line");
    let (first, lines) = head.split_once("\r\n").expect("header fields");
    let head = format!("{first}\r\nVia: {{hop}}\r\n{lines}");
    RequestText::new(&head).body("application/sdp", body)
}

/// Registrations are ordered by CSeq.
fn next_cseq() -> u32 {
    use std::sync::atomic::{AtomicU32, Ordering};
    static LAST: AtomicU32 = AtomicU32::new(11);
    LAST.fetch_add(1, Ordering::Relaxed) + 1
}
