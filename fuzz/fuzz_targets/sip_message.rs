//! Whatever octets a datagram holds: reading them, judging them and looking at every header harms nothing; editing
//! nothing prints the same octets; answers and edited copies read back as what they were built from; parts of a
//! multipart body are pieces of it.

#![no_main]

use bytes::Bytes;
use libfuzzer_sys::fuzz_target;
use restante_fuzz::views::{look_at_headers, look_at_uri};
use sip::{
    Limits, Message, Name, ParseError, Request, RequestBuilder, Response, ResponseBuilder,
    StatusCode, multipart, parse_datagram,
};

fuzz_target!(|octets: &[u8]| {
    let datagram = Bytes::copy_from_slice(octets);
    match parse_datagram(datagram.clone(), &Limits::default()) {
        Ok(message) => {
            assert!(
                is_piece_of(message.as_bytes(), &datagram),
                "a message keeps its octets"
            );
            look_at(&message);
        }
        Err(error) => refused(&error),
    }
    if let Ok(message) = multipart::parse_embedded(&datagram) {
        look_at(&message);
    }
});

fn look_at(message: &Message) {
    look_at_headers(message.headers());
    look_at_parts(message);
    match message {
        Message::Request(request) => look_at_request(request),
        Message::Response(response) => {
            let _ = (response.check(), response.reason());
        }
    }
}

fn refused(error: &ParseError) {
    look_at_headers(error.headers());
    if let Some(reply) = error.reply() {
        let reply = reply.to_tag("fuzz").build();
        assert_eq!(reparsed_response(&reply).status(), error.status());
    }
}

fn look_at_request(request: &Request) {
    request.uri().iter().for_each(look_at_uri);
    let untouched = request.edit().build();
    if request.version() == "SIP/2.0" {
        assert_eq!(
            untouched.as_bytes(),
            request.as_bytes(),
            "editing nothing changes nothing"
        );
    }
    edited(request);
    rebuilt(request);
    answered(request);
}

fn edited(request: &Request) {
    let edited = request
        .edit()
        .prepend(Name::Via, "SIP/2.0/UDP fuzz.example.org;branch=z9hG4bKfuzz")
        .build();
    let read = reparsed_request(&edited);
    let mut added = read.headers().iter();
    assert_eq!(
        added.next().and_then(|field| field.known()),
        Some(Name::Via)
    );
    assert!(
        added
            .map(|field| field.raw())
            .eq(request.headers().iter().map(|field| field.raw()))
    );
    assert_eq!(read.body(), request.body());
}

/// The builder copes with any text, and what it prints reads back.
fn rebuilt(request: &Request) {
    let mut builder = RequestBuilder::new(request.method().clone(), &request.raw_uri());
    for field in request.headers().iter() {
        builder = builder.raw_header(field.name(), String::from_utf8_lossy(field.raw_value()));
    }
    let built = builder
        .body("application/octet-stream", request.body().clone())
        .build();
    let read = reparsed_request(&built);
    assert_eq!(read.raw_uri(), request.raw_uri());
    assert_eq!(read.method(), request.method());
    assert!(
        read.headers()
            .iter()
            .map(|field| field.known())
            .eq(built.headers().iter().map(|field| field.known()))
    );
}

fn answered(request: &Request) {
    let answer = ResponseBuilder::reply_to(request, StatusCode::ACCEPTED)
        .to_tag("fuzz")
        .received_from(([192, 0, 2, 1], 5060).into())
        .build();
    let read = reparsed_response(&answer);
    assert_eq!(read.status(), StatusCode::ACCEPTED);
    if request.check().is_err() {
        return;
    }
    assert_eq!(
        read.check(),
        Ok(()),
        "the answer to a sound request is sound"
    );
    let tag = |headers: &sip::Headers| {
        headers
            .to()
            .ok()
            .flatten()
            .and_then(|to| to.tag().map(str::to_owned))
    };
    let own = tag(request.headers());
    assert_eq!(tag(read.headers()), own.or(Some("fuzz".to_owned())));
    if let Ok(vias) = request.headers().vias() {
        assert_eq!(read.headers().vias().map(|vias| vias.len()), Ok(vias.len()));
    }
}

fn look_at_parts(message: &Message) {
    let Some(content_type) = message.headers().first(Name::ContentType) else {
        return;
    };
    let parts = multipart::parse(&content_type.value(), message.body()).unwrap_or_default();
    for part in parts {
        look_at_headers(&part.headers);
        assert!(is_piece_of(&part.body, message.body()));
    }
}

fn reparsed_request(request: &Request) -> Request {
    match parse_datagram(request.as_bytes().clone(), &roomy()) {
        Ok(Message::Request(read)) => read,
        other => panic!("{request:?} reads back as {other:?}"),
    }
}

fn reparsed_response(response: &Response) -> Response {
    match parse_datagram(response.as_bytes().clone(), &roomy()) {
        Ok(Message::Response(read)) => read,
        other => panic!("{response:?} reads back as {other:?}"),
    }
}

/// What is printed may be a little larger than what was read.
fn roomy() -> Limits {
    let limits = Limits::default();
    Limits {
        header_block_octets: 4 * limits.header_block_octets,
        header_lines: 2 * limits.header_lines,
        line_octets: 4 * limits.line_octets,
        ..limits
    }
}

/// By address, not by content: nothing was copied.
fn is_piece_of(piece: &Bytes, whole: &Bytes) -> bool {
    let (piece, whole) = (piece.as_ptr_range(), whole.as_ptr_range());
    piece.is_empty() || (whole.start <= piece.start && piece.end <= whole.end)
}
