//! A stream gives the same items however it is cut, ends at the same fault, and gives what its messages give as
//! datagrams.

#![no_main]

use libfuzzer_sys::fuzz_target;
use restante_fuzz::cuts;
use sip::{Limits, Message, ParseErrorKind, StreamDecoder, StreamItem, parse_datagram};

/// What came out of a stream, as far as it can be compared.
#[derive(Debug, PartialEq, Eq)]
enum Seen {
    Message(Vec<u8>),
    Malformed(ParseErrorKind),
    KeepAlive,
    Lost(ParseErrorKind),
}

fuzz_target!(|stream: &[u8]| {
    let whole = decode(std::iter::once(stream));
    let octets = decode(cuts::octets(stream));
    let pieces = decode(cuts::pieces(stream));
    assert_eq!(octets, whole, "octet by octet");
    assert_eq!(pieces, whole, "in pieces");
    for seen in whole {
        if let Seen::Message(octets) = seen {
            let message =
                parse_datagram(octets.clone().into(), &limits()).expect("framed and read before");
            assert_eq!(message.as_bytes(), &octets[..]);
        }
    }
});

/// Small enough for a fuzzer to reach.
fn limits() -> Limits {
    Limits {
        header_block_octets: 1024,
        header_lines: 16,
        line_octets: 256,
        body_octets: 256,
    }
}

fn decode<'a>(pieces: impl Iterator<Item = &'a [u8]>) -> Vec<Seen> {
    let mut decoder = StreamDecoder::new(limits());
    let mut seen = Vec::new();
    for piece in pieces {
        decoder.push(piece);
        loop {
            match decoder.next() {
                Ok(None) => break,
                Ok(Some(item)) => seen.push(note(&item)),
                Err(error) => {
                    let _ = error.error().reply().map(|reply| reply.build());
                    seen.push(Seen::Lost(error.error().kind()));
                    return seen;
                }
            }
        }
    }
    seen
}

fn note(item: &StreamItem) -> Seen {
    match item {
        StreamItem::Message(Message::Request(request)) => {
            Seen::Message(request.as_bytes().to_vec())
        }
        StreamItem::Message(Message::Response(response)) => {
            Seen::Message(response.as_bytes().to_vec())
        }
        StreamItem::Malformed(error) => Seen::Malformed(error.kind()),
        StreamItem::KeepAlive => Seen::KeepAlive,
    }
}
