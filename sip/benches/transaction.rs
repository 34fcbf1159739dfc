//! The transaction layer alone: one MESSAGE in, its 202 out, as a server over UDP that keeps every response for 32 s.

use std::hint::black_box;
use std::time::{Duration, Instant};

use bytes::Bytes;
use criterion::{BatchSize, Criterion, Throughput, criterion_group, criterion_main};
use restante_sip::transaction::{Event, Layer, LayerLimits, Timers};
use restante_sip::{
    Limits, Message, Request, Response, ResponseBuilder, StatusCode, parse_datagram,
};

/// Transactions per iteration.
const COUNT: usize = 10_000;

fn request(number: usize) -> Request {
    let text = format!(
        "MESSAGE sip:bob@example.org SIP/2.0\r\n\
         Via: SIP/2.0/UDP 192.0.2.1:5060;branch=z9hG4bK-s1-7f3a-{number};rport\r\nMax-Forwards: 70\r\n\
         From: \"Alice\" <sip:alice@example.org>;tag=a48f{number}\r\nTo: <sip:bob@example.org>\r\n\
         Call-ID: 5f1c7a0e-{number}@192.0.2.1\r\nCSeq: 101 MESSAGE\r\nContent-Type: text/plain\r\n\
         Content-Length: 5\r\n\r\nhello"
    );
    match parse_datagram(Bytes::from(text), &Limits::default()) {
        Ok(Message::Request(request)) => request,
        other => panic!("a request: {other:?}"),
    }
}

fn reply(request: &Request) -> Response {
    ResponseBuilder::reply_to(request, StatusCode::ACCEPTED)
        .to_tag("b1")
        .build()
}

/// Requests and their responses, made beforehand: this measures the layer, not the codec.
fn exchanges() -> Vec<(Request, Response)> {
    let requests = (0..COUNT).map(request);
    requests
        .map(|request| (request.clone(), reply(&request)))
        .collect()
}

fn serve(layer: &mut Layer<u32>, now: Instant, exchanges: Vec<(Request, Response)>) {
    for (request, response) in exchanges {
        layer.handle_request(now, request, 1, false);
        let Some(Event::Request { id, .. }) = layer.poll_event() else {
            panic!("a new request")
        };
        layer.respond(now, id, &response);
        black_box(layer.poll_transmit());
        black_box(layer.next_timeout());
    }
}

fn transactions(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group("transaction");
    group.throughput(Throughput::Elements(COUNT as u64));
    group.sample_size(20);
    let mut layer = Layer::new(Timers::default(), LayerLimits::default());
    let mut now = Instant::now();
    group.bench_function("server, with Timer J", |bencher| {
        bencher.iter_batched(
            || {
                now += Duration::from_secs(33);
                (now, exchanges())
            },
            |(now, exchanges)| {
                layer.handle_timeout(now);
                serve(&mut layer, now, exchanges);
            },
            BatchSize::LargeInput,
        );
    });
    group.finish();
}

criterion_group!(benches, transactions);
criterion_main!(benches);
