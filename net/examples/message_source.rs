//! Sends plain MESSAGEs as an edge does and stores nothing: what the copies of a group are held against
//! (docs/benchmarks.md, B7).
//!
//! `message_source HOP_URI COUNT IN_FLIGHT BODY_OCTETS`: one MESSAGE to each of `member-0@example.org` and so on,
//! by this hop, so many without an answer at a time. Fails unless each is answered 200.

use std::net::{Ipv4Addr, SocketAddr};
use std::num::NonZero;
use std::sync::Arc;

use restante_net::sip::{SipConfig, SipEndpoint, SipListener, Target};
use sip::{Method, Name, Request, RequestBuilder, Transport, Uri};
use tokio::sync::Semaphore;
use tokio::task::JoinSet;

/// That of the binary it is compared with.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

/// Where everything goes, and what of it is the same each time.
struct Source {
    endpoint: SipEndpoint,
    hop: Uri,
    target: Target,
    body: Vec<u8>,
}

impl Source {
    fn message(&self, number: usize) -> Request {
        let member = format!("sip:member-{number}@example.org");
        RequestBuilder::new(Method::Message, &member)
            .header(Name::Route, format!("<{};lr>", self.hop))
            .header(Name::MaxForwards, 69)
            .header(
                Name::From,
                format!("<sip:sender-0@example.org>;tag=s{number}"),
            )
            .header(Name::To, format!("<{member}>"))
            .header(Name::CallId, format!("plain-{number}@127.0.0.1"))
            .header(Name::CSeq, "1 MESSAGE")
            .header(Name::PAssertedIdentity, "<sip:sender-0@example.org>")
            .header(Name::AcceptContact, "*;+g.oma.sip-im;explicit")
            .body("text/plain", self.body.clone())
            .build()
    }

    /// Sends one and waits for its final response.
    async fn send(&self, number: usize) {
        let branch = format!("z9hG4bK-plain-{number}");
        let sending = self
            .endpoint
            .request(self.message(number), &self.target, branch);
        let mut transaction = sending.await.expect("the hop takes requests");
        loop {
            let response = transaction.next().await.expect("a final response");
            let status = response.expect("a response").status();
            if status.is_final() {
                assert_eq!(status.code(), 200);
                return;
            }
        }
    }
}

async fn all(hop: Uri, count: usize, in_flight: usize, octets: usize) {
    let address = SocketAddr::from((Ipv4Addr::LOCALHOST, 0));
    let listeners = [Transport::Udp, Transport::Tcp];
    let config = SipConfig {
        listeners: listeners
            .map(|transport| SipListener { transport, address })
            .to_vec(),
        ..SipConfig::default()
    };
    let (endpoint, _incoming) = SipEndpoint::bind(config).await.expect("free ports");
    let mut body = b"number-000000000 ".to_vec();
    body.resize(octets.max(body.len()), b'x');
    let source = Arc::new(Source {
        endpoint,
        target: Target::Uri(hop.clone()),
        hop,
        body,
    });
    let window = Arc::new(Semaphore::new(in_flight));
    let mut sent = JoinSet::new();
    for number in 0..count {
        let room = Arc::clone(&window).acquire_owned().await;
        let source = Arc::clone(&source);
        sent.spawn(async move {
            source.send(number).await;
            drop(room);
        });
        while let Some(done) = sent.try_join_next() {
            done.expect("answered 200");
        }
    }
    while let Some(done) = sent.join_next().await {
        done.expect("answered 200");
    }
}

fn main() {
    let [_, hop, numbers @ ..] = &std::env::args().collect::<Vec<_>>()[..] else {
        panic!("which hop?");
    };
    let hop = hop.parse().expect("the URI of a hop");
    let numbers: Vec<usize> = numbers
        .iter()
        .map(|number| number.parse().expect("a number"))
        .collect();
    let &[count, in_flight, octets] = numbers.as_slice() else {
        panic!("count, in flight, octets of a body");
    };
    // As many workers as a process of Restante has.
    let processors = std::thread::available_parallelism().map_or(1, NonZero::get);
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .worker_threads(processors.div_ceil(2))
        .enable_all()
        .build();
    runtime
        .expect("a runtime")
        .block_on(all(hop, count, in_flight, octets));
}
