//! Every message of RFC 4475 and RFC 5118 with its verdict.

use std::{collections::BTreeSet, fs, path::PathBuf};

use restante_sip::{
    Limits, Message, Method, Name, ParseErrorKind, Request, StatusCode, StreamDecoder, StreamItem,
    Uri, multipart, parse_datagram,
};

/// What the codec makes of a message that came in a datagram.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Verdict {
    /// Parsed and checked; what it asks for is the service's business.
    Valid,
    /// Parsed, but `check` refuses it with this status.
    Refused(u16),
    /// Not parsed, but well-formed enough to be answered with 400.
    Unparsable(ParseErrorKind),
    /// A response without consequence: not parsed, or refused by `check`.
    Ignored,
}

use Verdict::{Ignored, Refused, Unparsable, Valid};

/// In the order of RFC 4475 §3.1.1 to §3.4.
const RFC_4475: [(&str, Verdict); 49] = [
    ("wsinv", Valid),
    ("intmeth", Valid),
    ("esc01", Valid),
    ("escnull", Valid),
    ("esc02", Valid),
    ("lwsdisp", Valid),
    ("longreq", Valid),
    ("dblreq", Valid),
    ("semiuri", Valid),
    ("transports", Valid),
    ("mpart01", Valid),
    ("unreason", Valid),
    ("noreason", Valid),
    ("badinv01", Refused(400)),
    ("clerr", Unparsable(ParseErrorKind::ShortBody)),
    ("ncl", Unparsable(ParseErrorKind::BadContentLength)),
    ("scalar02", Refused(400)),
    ("scalarlg", Ignored),
    ("quotbal", Refused(400)),
    ("ltgtruri", Refused(400)),
    ("lwsruri", Unparsable(ParseErrorKind::BadStartLine)),
    ("lwsstart", Unparsable(ParseErrorKind::BadStartLine)),
    ("trws", Unparsable(ParseErrorKind::BadStartLine)),
    ("escruri", Refused(400)),
    // A Date in another zone is ignored (requirements 2.13).
    ("baddate", Valid),
    // The Contact fails when a registrar reads it, not before.
    ("regbadct", Valid),
    // Blanks within the angle brackets may be ignored (RFC 4475 §3.1.2.15).
    ("badaspec", Valid),
    ("baddn", Refused(400)),
    ("badvers", Refused(505)),
    ("mismatch01", Refused(400)),
    ("mismatch02", Refused(400)),
    ("bigcode", Ignored),
    ("badbranch", Valid),
    ("insuf", Refused(400)),
    ("unkscm", Refused(416)),
    ("novelsc", Refused(416)),
    ("unksm2", Valid),
    ("bext01", Valid),
    ("invut", Valid),
    ("regaut01", Valid),
    ("multi01", Refused(400)),
    (
        "mcl01",
        Unparsable(ParseErrorKind::ConflictingContentLength),
    ),
    ("bcast", Valid),
    ("zeromf", Valid),
    ("cparam01", Valid),
    ("cparam02", Valid),
    ("regescrt", Valid),
    ("sdp01", Valid),
    ("inv2543", Valid),
];

/// In the order of RFC 5118 §4.
const RFC_5118: [(&str, Verdict); 12] = [
    ("ipv6-good", Valid),
    ("ipv6-bad", Refused(400)),
    ("port-ambiguous", Valid),
    ("port-unambiguous", Valid),
    ("via-received-param-with-delim", Valid),
    ("via-received-param-no-delim", Valid),
    ("ipv6-in-sdp", Valid),
    ("mult-ip-in-header", Valid),
    ("mult-ip-in-sdp", Valid),
    ("ipv4-mapped-ipv6", Valid),
    // The grammar of RFC 3261 allowed a third colon by mistake; RFC 5954 took it back.
    ("ipv6-bug-abnf-3-colons", Refused(400)),
    ("ipv6-correct-abnf-2-colons", Valid),
];

fn folder(suite: &str) -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR"))
        .join("testdata")
        .join(suite)
}

fn octets(suite: &str, name: &str) -> Vec<u8> {
    fs::read(folder(suite).join(name).with_extension("sip")).expect("the message is in testdata")
}

fn verdict(octets: Vec<u8>) -> Verdict {
    match parse_datagram(octets.into(), &Limits::default()) {
        Ok(Message::Request(request)) => request
            .check()
            .map_or_else(|violation| Refused(violation.status.code()), |()| Valid),
        Ok(Message::Response(response)) => response.check().map_or(Ignored, |()| Valid),
        Err(error) => match error.reply() {
            Some(reply) => {
                assert_eq!(reply.build().status(), StatusCode::BAD_REQUEST);
                Unparsable(error.kind())
            }
            None => Ignored,
        },
    }
}

fn assert_verdicts(suite: &str, expected: &[(&str, Verdict)]) {
    for (name, verdict_expected) in expected {
        assert_eq!(
            verdict(octets(suite, name)),
            *verdict_expected,
            "{suite} {name}"
        );
    }
    let listed: BTreeSet<_> = expected
        .iter()
        .map(|(name, _)| format!("{name}.sip"))
        .collect();
    let present: BTreeSet<_> = fs::read_dir(folder(suite))
        .expect("the folder is there")
        .map(|entry| {
            entry
                .expect("readable")
                .file_name()
                .to_string_lossy()
                .into_owned()
        })
        .collect();
    assert_eq!(listed, present, "every file of {suite} has a verdict");
}

fn request(suite: &str, name: &str) -> Request {
    match parse_datagram(octets(suite, name).into(), &Limits::default()) {
        Ok(Message::Request(request)) => request,
        other => panic!("{name}: {other:?}"),
    }
}

#[test]
fn every_message_of_rfc_4475_gets_its_verdict() {
    assert_verdicts("rfc4475", &RFC_4475);
}

#[test]
fn every_message_of_rfc_5118_gets_its_verdict() {
    assert_verdicts("rfc5118", &RFC_5118);
}

#[test]
fn every_parsed_message_keeps_its_octets() {
    for (suite, names) in [("rfc4475", &RFC_4475[..]), ("rfc5118", &RFC_5118[..])] {
        for (name, _) in names {
            let octets = octets(suite, name);
            if let Ok(message) = parse_datagram(octets.clone().into(), &Limits::default()) {
                assert!(octets.starts_with(message.as_bytes()), "{name}");
                assert!(message.as_bytes().ends_with(message.body()), "{name}");
            }
        }
    }
}

/// All that must not break framing goes through a stream too, followed by another message.
#[test]
fn a_stream_stays_framed_behind_every_valid_message() {
    for (name, _) in RFC_4475.iter().filter(|(_, verdict)| *verdict == Valid) {
        let Ok(message) = parse_datagram(octets("rfc4475", name).into(), &Limits::default()) else {
            panic!("{name} is valid");
        };
        if message.headers().count(Name::ContentLength) == 0 {
            continue;
        }
        let mut decoder = StreamDecoder::new(Limits::default());
        decoder.push(message.as_bytes());
        decoder.push(request("rfc5118", "ipv6-good").as_bytes());
        for expected in [
            message.as_bytes(),
            request("rfc5118", "ipv6-good").as_bytes(),
        ] {
            match decoder.next() {
                Ok(Some(StreamItem::Message(read))) => {
                    assert_eq!(read.as_bytes(), expected, "{name}");
                }
                other => panic!("{name}: {other:?}"),
            }
        }
    }
}

#[test]
fn wsinv_means_what_it_says_in_spite_of_its_folds() {
    let request = request("rfc4475", "wsinv");
    let headers = request.headers();
    assert_eq!(headers.to().unwrap().unwrap().tag(), Some("1918181833n"));
    let from = headers.from().unwrap().unwrap();
    assert_eq!(from.display_name.as_deref(), Some(r#"J Rosenberg \""#));
    assert_eq!(from.tag(), Some("98asjd8"));
    assert_eq!(headers.max_forwards(), Ok(Some(68)));
    assert_eq!(headers.cseq().unwrap().unwrap().number, 9);
    assert_eq!(headers.subject().as_deref(), Some(""));
    let vias = headers.vias().unwrap();
    let branches: Vec<_> = vias.iter().map(|via| via.branch().unwrap()).collect();
    assert_eq!(branches, ["390skdjuw", "z9hG4bK9ikj8", "z9hG4bK30239"]);
    assert_eq!(
        vias[1].to_string(),
        "SIP/2.0/TCP spindle.example.com;branch=z9hG4bK9ikj8"
    );
    let contacts = headers.contacts().unwrap();
    let contact = contacts.first().unwrap();
    assert_eq!(contact.display_name.as_deref(), Some(r#"Quoted string """#));
    assert_eq!(contact.params.value("newparam"), Some("newvalue"));
    assert_eq!(contact.params.get("secondparam"), Some(None));
    assert_eq!(contact.params.value("q"), Some("0.33"));
    assert_eq!(
        headers.first_named("newfangledheader").unwrap().value(),
        "newfangled value continued newfangled value"
    );
    assert_eq!(request.body().len(), 150);
}

#[test]
fn escapes_name_neither_methods_nor_headers() {
    let request = request("rfc4475", "esc02");
    assert_eq!(request.method().as_str(), "RE%47IST%45R");
    assert_ne!(*request.method(), Method::Register);
    assert_eq!(request.headers().count(Name::Contact), 2);
    assert_eq!(
        request
            .headers()
            .to()
            .unwrap()
            .unwrap()
            .display_name
            .as_deref(),
        Some("%Z%45")
    );
}

#[test]
fn a_second_request_in_the_datagram_is_cut_off() {
    let request = request("rfc4475", "dblreq");
    assert_eq!(*request.method(), Method::Register);
    assert!(request.body().is_empty());
    assert!(request.as_bytes().ends_with(b"Content-Length: 0\r\n\r\n"));
}

#[test]
fn a_binary_multipart_body_comes_apart_octet_by_octet() {
    let request = request("rfc4475", "mpart01");
    let content_type = request
        .headers()
        .first(Name::ContentType)
        .unwrap()
        .value()
        .into_owned();
    let parts = multipart::parse(&content_type, request.body()).expect("well-formed");
    assert_eq!(parts.len(), 2);
    assert_eq!(parts[0].body, "Hello");
    assert!(
        parts[1]
            .headers
            .content_type()
            .unwrap()
            .unwrap()
            .is("application/octet-stream")
    );
    assert_eq!(parts[1].body.len(), 342);
    assert!(parts[1].body.starts_with(&[0x30, 0x82, 0x01, 0x52]));
    assert!(parts[1].body.ends_with(&[0x99, 0xd0, 0x05]));
}

#[test]
fn long_names_and_many_vias_are_all_there() {
    let request = request("rfc4475", "longreq");
    let vias = request.headers().vias().unwrap();
    assert_eq!(vias.len(), 34);
    assert_eq!(vias[33].received().unwrap().to_string(), "192.0.2.5");
    let to = request.headers().to().unwrap().unwrap();
    assert_eq!(to.uri.as_sip().unwrap().port, Some(6000));
    assert_eq!(to.uri.as_sip().unwrap().params.iter().count(), 3);
}

#[test]
fn unknown_transports_are_read_and_named() {
    let vias = request("rfc4475", "transports").headers().vias().unwrap();
    let transports: Vec<_> = vias.into_iter().map(|via| via.transport).collect();
    assert_eq!(transports, ["UDP", "SCTP", "TLS", "UNKNOWN", "TCP"]);
}

#[test]
fn a_reason_phrase_may_be_utf8_or_missing() {
    let reason = |name| match parse_datagram(octets("rfc4475", name).into(), &Limits::default()) {
        Ok(Message::Response(response)) => {
            (response.status().code(), response.reason().into_owned())
        }
        other => panic!("{name}: {other:?}"),
    };
    assert_eq!(reason("noreason"), (100, String::new()));
    assert!(
        reason("unreason")
            .1
            .ends_with("\u{43f}\u{440}\u{43e}\u{441}\u{442}\u{43e}\u{435}")
    );
}

#[test]
fn a_contact_with_headers_outside_brackets_is_malformed() {
    let contacts = |name| request("rfc4475", name).headers().contacts();
    assert!(contacts("regbadct").is_err());
    let inside = contacts("regescrt").unwrap();
    let uri = &inside.first().unwrap().uri;
    assert_eq!(
        uri.as_sip().unwrap().headers.as_deref(),
        Some("Route=%3Csip:sip.example.com%3E")
    );
}

#[test]
fn a_parameter_belongs_to_the_header_unless_brackets_hold_it() {
    let contacts = |name| request("rfc4475", name).headers().contacts().unwrap();
    let outside = contacts("cparam01");
    assert!(outside.first().unwrap().params.has("unknownparam"));
    let inside = contacts("cparam02");
    assert!(inside.first().unwrap().params.is_empty());
    assert!(
        inside
            .first()
            .unwrap()
            .uri
            .as_sip()
            .unwrap()
            .params
            .has("unknownparam")
    );
}

#[test]
fn foreign_schemes_are_read_in_address_headers() {
    let request = request("rfc4475", "unksm2");
    let scheme = |uri: Uri| uri.scheme().to_owned();
    assert_eq!(scheme(request.headers().to().unwrap().unwrap().uri), "isbn");
    assert_eq!(
        scheme(request.headers().from().unwrap().unwrap().uri),
        "http"
    );
}

#[test]
fn a_date_in_another_zone_is_ignored() {
    assert_eq!(request("rfc4475", "baddate").headers().date(), None);
    assert!(request("rfc4475", "mpart01").headers().date().is_some());
}

#[test]
fn values_the_service_judges_are_readable() {
    assert_eq!(
        request("rfc4475", "bext01").headers().require(),
        ["nothingSupportsThis", "nothingSupportsThisEither"]
    );
    let invut = request("rfc4475", "invut")
        .headers()
        .content_type()
        .unwrap()
        .unwrap();
    assert!(invut.is("application/unknownformat"));
    assert_eq!(
        request("rfc4475", "zeromf").headers().max_forwards(),
        Ok(Some(0))
    );
    let badbranch = request("rfc4475", "badbranch")
        .headers()
        .top_via()
        .unwrap()
        .unwrap();
    assert_eq!(badbranch.branch(), Some("z9hG4bK"));
    let inv2543 = request("rfc4475", "inv2543")
        .headers()
        .top_via()
        .unwrap()
        .unwrap();
    assert_eq!(inv2543.branch(), None);
}

#[test]
fn ipv6_addresses_are_told_from_ports() {
    let uri = |name| match request("rfc5118", name).uri() {
        Ok(Uri::Sip(uri)) => (uri.host.to_string(), uri.port),
        other => panic!("{name}: {other:?}"),
    };
    assert_eq!(uri("port-ambiguous"), ("[2001:db8::10:5070]".into(), None));
    assert_eq!(
        uri("port-unambiguous"),
        ("[2001:db8::10]".into(), Some(5070))
    );
    assert_eq!(uri("ipv6-correct-abnf-2-colons").0, "[2001:db8::c000:201]");
}

#[test]
fn a_received_address_may_stand_with_or_without_brackets() {
    for name in [
        "via-received-param-with-delim",
        "via-received-param-no-delim",
    ] {
        let via = request("rfc5118", name)
            .headers()
            .top_via()
            .unwrap()
            .unwrap();
        assert_eq!(
            via.received().unwrap().to_string(),
            "[2001:db8::9:255]",
            "{name}"
        );
    }
}
