//! The codec as its callers see it.

mod build;
mod check;
mod edit;
mod parse;
mod round_trip;
mod stream;
mod typed;

use super::*;
use crate::Limits;

/// A message written with bare line ends, for the eye.
pub(super) fn octets(text: &str) -> bytes::Bytes {
    text.replace('\n', "\r\n").into()
}

pub(super) fn request(text: &str) -> Request {
    match parse_datagram(octets(text), &Limits::default()) {
        Ok(Message::Request(request)) => request,
        other => panic!("{other:?}"),
    }
}

pub(super) const MESSAGE: &str = "\
MESSAGE sip:bob@example.org SIP/2.0
Via: SIP/2.0/TCP scscf1.example.org:5060;branch=z9hG4bK-s1-7f3a
v: SIP/2.0/TCP 198.51.100.7:5062;branch=z9hG4bK-a-0091
Max-Forwards: 68
f: \"Alice\" <sip:alice@example.org>;tag=a48f
To: <sip:bob@example.org>
i: 5f1c7a0e@198.51.100.7
CSeq: 101 MESSAGE
Subject: Lunch,
 today
X-Odd:;;,
Content-Type: text/plain;charset=utf-8
Content-Length: 26

Lunch at noon, same place?";
