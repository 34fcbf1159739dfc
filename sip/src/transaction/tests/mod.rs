//! Tests of the machines alone, of the layer, and of two layers that talk to each other over a bad network.

mod layer;
mod machine;
mod pair;
mod table;

use crate::message::{Message, Request, Response, ResponseBuilder, parse_datagram};
use crate::{Limits, StatusCode};

/// A request of Alice to Bob; `extra` holds whole header lines.
fn request(method: &str, branch: &str, extra: &str) -> Request {
    let via = if branch.is_empty() {
        String::new()
    } else {
        format!(";branch={branch}")
    };
    parse(format!(
        "{method} sip:bob@example.org SIP/2.0\r\nVia: SIP/2.0/UDP Alice.example.org:5070{via}\r\nMax-Forwards: 70\r\n\
         {extra}From: <sip:alice@example.org>;tag=a\r\nTo: <sip:bob@example.org>\r\nCall-ID: c1\r\n\
         CSeq: 1 {method}\r\nContent-Length: 0\r\n\r\n"
    ))
}

fn parse(text: String) -> Request {
    match parse_datagram(text.into(), &Limits::default()) {
        Ok(Message::Request(request)) => request,
        other => panic!("a request: {other:?}"),
    }
}

fn reply(request: &Request, status: StatusCode) -> Response {
    ResponseBuilder::reply_to(request, status)
        .to_tag("b")
        .build()
}

/// The ACK of a 2xx, in a transaction of its own.
fn ack(invite: &Request, branch: &str) -> Request {
    let text = String::from_utf8(invite.as_bytes().to_vec()).unwrap();
    let branch_of_invite = invite
        .headers()
        .top_via()
        .unwrap()
        .unwrap()
        .branch()
        .unwrap()
        .to_owned();
    parse(
        text.replace("INVITE", "ACK")
            .replace(&branch_of_invite, branch)
            .replace(
                "To: <sip:bob@example.org>",
                "To: <sip:bob@example.org>;tag=b",
            ),
    )
}
