//! Our codec against rsip on one MESSAGE of 997 octets: parse, parse with typed headers, print.

use std::hint::black_box;

use bytes::Bytes;
use criterion::{
    BenchmarkGroup, Criterion, criterion_group, criterion_main, measurement::WallTime,
};
use restante_sip::{Limits, Message, Name, Request, parse_datagram};
use rsip::{message::HeadersExt, prelude::*};

const HEAD: &str = "MESSAGE sip:bob@example.org SIP/2.0\r\n\
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
    User-Agent: IM-client/OMA1.0 AcmeIM/3.2\r\n\
    P-Asserted-Identity: \"Alice\" <sip:alice@example.org>\r\n\
    P-Served-User: <sip:bob@example.org>;sescase=term;regstate=unreg\r\n\
    Content-Type: text/plain;charset=utf-8\r\n";

const OCTETS: usize = 997;

fn message() -> Bytes {
    let framing = "Content-Length: 000\r\n\r\n".len();
    let body = OCTETS - HEAD.len() - framing;
    let text = format!(
        "{HEAD}Content-Length: {body:03}\r\n\r\n{}",
        "x".repeat(body)
    );
    assert_eq!(text.len(), OCTETS);
    text.into()
}

fn parse(octets: &Bytes) -> Request {
    match parse_datagram(octets.clone(), &Limits::default()) {
        Ok(Message::Request(request)) => request,
        _ => unreachable!("the message is a request"),
    }
}

fn parse_rsip(octets: &Bytes) -> rsip::Request {
    rsip::Request::try_from(&octets[..]).expect("rsip reads the message")
}

/// The headers both crates can type.
fn typed(request: &Request) {
    let headers = request.headers();
    black_box(headers.top_via().expect("valid"));
    black_box(headers.from().expect("valid"));
    black_box(headers.to().expect("valid"));
    black_box(headers.call_id());
    black_box(headers.cseq().expect("valid"));
    black_box(headers.max_forwards().expect("valid"));
}

fn typed_rsip(request: &rsip::Request) {
    black_box(
        request
            .via_header()
            .expect("present")
            .typed()
            .expect("valid"),
    );
    black_box(
        request
            .from_header()
            .expect("present")
            .typed()
            .expect("valid"),
    );
    black_box(
        request
            .to_header()
            .expect("present")
            .typed()
            .expect("valid"),
    );
    black_box(request.call_id_header().expect("present"));
    black_box(
        request
            .cseq_header()
            .expect("present")
            .typed()
            .expect("valid"),
    );
    black_box(
        request
            .max_forwards_header()
            .expect("present")
            .num()
            .expect("valid"),
    );
}

fn parsing(group: &mut BenchmarkGroup<'_, WallTime>, octets: &Bytes) {
    group.bench_function("parse/ours", |bencher| {
        bencher.iter(|| parse(black_box(octets)));
    });
    group.bench_function("parse/rsip", |bencher| {
        bencher.iter(|| parse_rsip(black_box(octets)));
    });
    group.bench_function("typed/ours", |bencher| {
        bencher.iter(|| typed(&parse(black_box(octets))));
    });
    group.bench_function("typed/rsip", |bencher| {
        bencher.iter(|| typed_rsip(&parse_rsip(black_box(octets))));
    });
    group.bench_function("check/ours", |bencher| {
        bencher.iter(|| parse(black_box(octets)).check());
    });
}

/// Ours prints through an editor that changes one header, as every hop does; rsip clones and writes.
fn printing(group: &mut BenchmarkGroup<'_, WallTime>, octets: &Bytes) {
    let request = parse(octets);
    group.bench_function("print/ours", |bencher| {
        bencher.iter(|| {
            black_box(&request)
                .edit()
                .replace_first(Name::MaxForwards, 67)
                .build()
        });
    });
    let request = parse_rsip(octets);
    group.bench_function("print/rsip", |bencher| {
        bencher.iter(|| Vec::<u8>::from(black_box(&request).clone()));
    });
}

fn codec(criterion: &mut Criterion) {
    let octets = message();
    let mut group = criterion.benchmark_group("codec");
    parsing(&mut group, &octets);
    printing(&mut group, &octets);
    group.finish();
}

criterion_group!(benches, codec);
criterion_main!(benches);
