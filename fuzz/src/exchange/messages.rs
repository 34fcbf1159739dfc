//! The messages of an exchange.

use bytes::Bytes;
use sip::{
    Headers, Limits, Message, Method, Name, Request, RequestBuilder, Response, ResponseBuilder,
    StatusCode, parse_datagram,
};

/// What an answer may say; an operation chooses by its place.
const STATUSES: [u16; 9] = [100, 180, 183, 200, 202, 302, 404, 486, 500];
/// The place of 500.
pub(super) const SERVER_ERROR: u8 = 8;

pub(super) fn request(method: Method, branch: &str, call: usize, tagged: bool) -> Request {
    let tag = if tagged { ";tag=b" } else { "" };
    let cseq = format!("1 {method}");
    RequestBuilder::new(method, &"sip:bob@example.org")
        .header(
            Name::Via,
            format_args!("SIP/2.0/UDP fuzz.example.org;branch={branch}"),
        )
        .header(Name::MaxForwards, 70)
        .header(Name::From, "<sip:alice@example.org>;tag=a")
        .header(Name::To, format_args!("<sip:bob@example.org>{tag}"))
        .header(Name::CallId, call)
        .header(Name::CSeq, cseq)
        .build()
}

pub(super) fn ack(invite: &Request, branch: &str) -> Request {
    let call = invite
        .headers()
        .call_id()
        .and_then(|call| call.parse().ok());
    request(
        Method::Ack,
        branch,
        call.expect("Call-IDs are numbers here"),
        true,
    )
}

pub(super) fn response(request: &Request, status: u8) -> Response {
    let status = STATUSES[usize::from(status) % STATUSES.len()];
    let status = StatusCode::new(status).expect("a status code");
    ResponseBuilder::reply_to(request, status)
        .to_tag("b")
        .build()
}

/// What a layer sends is a sound message.
pub(super) fn parsed(bytes: Bytes) -> Message {
    let message = parse_datagram(bytes, &Limits::default()).expect("a message");
    let verdict = match &message {
        Message::Request(request) => request.check(),
        Message::Response(response) => response.check(),
    };
    assert_eq!(verdict, Ok(()));
    message
}

/// Branch and CSeq: what all messages of one transaction share.
pub(super) fn name_of(headers: &Headers) -> String {
    let via = headers.top_via().ok().flatten().expect("a Via");
    let cseq = headers.cseq().ok().flatten().expect("a CSeq");
    format!("{} {cseq}", via.branch().unwrap_or_default())
}
