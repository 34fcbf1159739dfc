//! rsip as an oracle: wherever it understands a message, both codecs must agree on method, From, To, Call-ID, CSeq
//! and status code, apart from defects of rsip 0.4 that are named here.

use std::{collections::BTreeMap, fs, path::PathBuf};

use proptest::prelude::*;
use restante_sip::{
    Limits, Message, Method, Name, NameAddr, Request, RequestBuilder, Response, ResponseBuilder,
    StatusCode, parse_datagram,
};
use rsip::{message::HeadersExt, prelude::*};

/// What both codecs must read alike, as text.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Essence {
    start: String,
    from: (String, Option<String>),
    to: (String, Option<String>),
    call_id: String,
    cseq: (u32, String),
}

/// How the two codecs stand to each other on one message.
#[derive(Debug, Clone, PartialEq, Eq)]
enum Comparison {
    Agree,
    /// rsip refuses it, or cannot read one of the compared headers.
    RsipLost,
    /// We refuse it, rsip reads it.
    RsipLenient,
    Differ(Box<[Essence; 2]>),
}

/// Malformed messages of the corpus that rsip reads all the same: it checks neither Content-Length nor duplicates nor
/// the method of the CSeq, and takes any text for a URI or a display name.
const LENIENT: [&str; 10] = [
    "baddn",
    "badinv01",
    "clerr",
    "ltgtruri",
    "mcl01",
    "mismatch01",
    "multi01",
    "ncl",
    "novelsc",
    "quotbal",
];

/// Messages of the corpus rsip reads rightly; it refuses or loses the rest.
const AGREED: usize = 21;

fn ours(message: &Message) -> Option<Essence> {
    let start = match message {
        Message::Request(request) => {
            request.check().ok()?;
            request.method().to_string()
        }
        Message::Response(response) => {
            response.check().ok()?;
            response.status().to_string()
        }
    };
    let headers = message.headers();
    let address = |address: NameAddr| (address.uri.to_string(), address.tag().map(str::to_owned));
    let cseq = headers.cseq().ok()??;
    Some(Essence {
        start,
        from: address(headers.from().ok()??),
        to: address(headers.to().ok()??),
        call_id: headers.call_id()?.into_owned(),
        cseq: (cseq.number, cseq.method.to_string()),
    })
}

fn theirs(octets: &[u8]) -> Option<Essence> {
    let message = rsip::SipMessage::try_from(octets).ok()?;
    let start = match &message {
        rsip::SipMessage::Request(request) => request.method.to_string(),
        rsip::SipMessage::Response(response) => response.status_code.code().to_string(),
    };
    let from = message.from_header().ok()?.typed().ok()?;
    let to = message.to_header().ok()?.typed().ok()?;
    let cseq = message.cseq_header().ok()?.typed().ok()?;
    let tag = |params: &[rsip::Param]| {
        params.iter().find_map(|param| match param {
            rsip::Param::Tag(tag) => Some(tag.to_string()),
            _ => None,
        })
    };
    Some(Essence {
        start,
        from: (from.uri.to_string(), tag(&from.params)),
        to: (to.uri.to_string(), tag(&to.params)),
        call_id: message.call_id_header().ok()?.value().to_owned(),
        cseq: (cseq.seq, cseq.method.to_string()),
    })
}

fn compare(octets: &[u8]) -> Comparison {
    let message = parse_datagram(octets.to_vec().into(), &Limits::default()).ok();
    match (message.as_ref().and_then(ours), theirs(octets)) {
        (_, None) => Comparison::RsipLost,
        (None, Some(_)) => Comparison::RsipLenient,
        (Some(ours), Some(theirs)) if ours == theirs => Comparison::Agree,
        (Some(ours), Some(theirs)) => Comparison::Differ(Box::new([ours, theirs])),
    }
}

fn corpus() -> BTreeMap<String, Vec<u8>> {
    let testdata = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("testdata");
    let files =
        ["rfc4475", "rfc5118"].map(|suite| fs::read_dir(testdata.join(suite)).expect("present"));
    let read = |entry: fs::DirEntry| {
        let name = entry
            .path()
            .file_stem()
            .expect("a file")
            .to_string_lossy()
            .into_owned();
        (name, fs::read(entry.path()).expect("readable"))
    };
    files
        .into_iter()
        .flatten()
        .map(|entry| read(entry.expect("readable")))
        .collect()
}

#[test]
fn the_corpus_is_read_alike_where_rsip_reads_it() {
    let mut agreed = 0;
    let mut lenient = Vec::new();
    for (name, octets) in corpus() {
        match compare(&octets) {
            Comparison::Agree => agreed += 1,
            Comparison::RsipLost => {}
            Comparison::RsipLenient => lenient.push(name),
            Comparison::Differ(both) => panic!("{name}: {both:?}"),
        }
    }
    assert_eq!(agreed, AGREED);
    assert_eq!(lenient, LENIENT);
}

fn request_of_the_corpus(name: &str) -> Request {
    match parse_datagram(corpus()[name].clone().into(), &Limits::default()) {
        Ok(Message::Request(request)) => request,
        other => panic!("{name}: {other:?}"),
    }
}

#[test]
fn rsip_writes_202_as_201_but_a_converted_response_does_not() {
    assert_eq!(rsip::StatusCode::Accepted.code(), 201);
    let request = request_of_the_corpus("mpart01");
    let response = ResponseBuilder::reply_to(&request, StatusCode::ACCEPTED)
        .to_tag("t")
        .build();
    let converted = rsip::Response::try_from(&response).expect("plain enough");
    assert!(
        converted
            .to_string()
            .starts_with("SIP/2.0 202 Accepted\r\n")
    );
    let back = Response::try_from(&converted).expect("valid");
    assert_eq!(back.status(), StatusCode::ACCEPTED);
}

#[test]
fn rsip_prints_binary_bodies_altered_but_a_conversion_keeps_them() {
    let request = request_of_the_corpus("mpart01");
    let converted = rsip::Request::try_from(&request).expect("plain enough");
    assert_ne!(
        converted.to_string().into_bytes().len(),
        request.as_bytes().len()
    );
    let back = Request::try_from(&converted).expect("valid");
    assert_eq!(back.body(), request.body());
}

#[test]
fn what_rsip_cannot_hold_is_refused() {
    for name in ["intmeth", "esc02", "semiuri", "ipv6-good"] {
        assert!(
            rsip::Request::try_from(&request_of_the_corpus(name)).is_err(),
            "{name}"
        );
    }
    let folded_and_compact = request_of_the_corpus("dblreq");
    assert!(rsip::Request::try_from(&folded_and_compact).is_ok());
}

/// From, To and Call-ID as ordinary peers write them.
fn request_octets() -> impl Strategy<Value = Request> {
    let method = prop::sample::select(Method::NAMED.to_vec());
    let address = (
        prop::option::of("[A-Za-z]{1,8}( [A-Za-z]{1,8})?"),
        "[a-z0-9.+-]{1,10}",
        "[a-z]{1,8}\\.example\\.(org|com)",
        prop::option::of(1_u16..),
    );
    let address = address.prop_map(|(name, user, host, port)| {
        let name = name.map(|name| format!("\"{name}\" ")).unwrap_or_default();
        let port = port.map(|port| format!(":{port}")).unwrap_or_default();
        format!("{name}<sip:{user}@{host}{port}>")
    });
    let tag = prop::option::of("[a-zA-Z0-9.-]{1,10}");
    let tag = tag.prop_map(|tag| tag.map(|tag| format!(";tag={tag}")).unwrap_or_default());
    (
        method,
        address.clone(),
        address,
        tag,
        "[!-+.-~-]{1,20}",
        any::<u32>(),
        prop::collection::vec(any::<u8>(), 0..30),
    )
        .prop_map(|(method, from, to, tag, call_id, number, body)| {
            RequestBuilder::new(method.clone(), &"sip:bob@example.org")
                .header(
                    Name::Via,
                    "SIP/2.0/UDP client.example.org:5060;branch=z9hG4bK776asdhds",
                )
                .header(Name::From, format_args!("{from}{tag}"))
                .header(Name::To, to)
                .header(Name::CallId, call_id)
                .header(Name::CSeq, format_args!("{number} {method}"))
                .body("application/octet-stream", body)
                .build()
        })
}

proptest! {
    #[test]
    fn generated_requests_are_read_alike(request in request_octets()) {
        prop_assert_eq!(compare(request.as_bytes()), Comparison::Agree);
    }

    #[test]
    fn generated_responses_are_read_alike(request in request_octets(), code in 100_u16..700) {
        let status = StatusCode::new(code).expect("in range");
        let response = ResponseBuilder::reply_to(&request, status).to_tag("a1").build();
        prop_assert_eq!(compare(response.as_bytes()), Comparison::Agree);
        let converted = rsip::Response::try_from(&response).expect("plain enough");
        let back = Response::try_from(&converted).expect("valid");
        prop_assert_eq!(back.status(), status);
        prop_assert_eq!(ours(&Message::Response(back)), ours(&Message::Response(response)));
    }

    #[test]
    fn a_conversion_there_and_back_keeps_the_meaning(request in request_octets()) {
        let converted = rsip::Request::try_from(&request).expect("plain enough");
        let back = Request::try_from(&converted).expect("valid");
        prop_assert_eq!(back.body(), request.body());
        prop_assert_eq!(ours(&Message::Request(back)), ours(&Message::Request(request)));
    }
}
