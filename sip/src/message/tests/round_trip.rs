//! Properties of the codec over generated and damaged messages.

use proptest::prelude::*;

use crate::{
    Limits, Message, Method, Name, Request, RequestBuilder, StreamDecoder, StreamItem,
    parse_datagram,
};

/// One header line as a peer may write it: name, blanks, value with folds.
fn line() -> impl Strategy<Value = Vec<u8>> {
    let name = prop_oneof![
        Just("Via".to_owned()),
        Just("v".to_owned()),
        Just("CONTACT".to_owned()),
        Just("From".to_owned()),
        "[A-Za-z0-9.!%*_+`'~-]{1,20}",
    ];
    let word = prop::collection::vec(
        any::<u8>().prop_filter("no break", |octet| !b"\r\n".contains(octet)),
        0..20,
    );
    let fold = prop_oneof![Just(""), Just("\r\n "), Just("\r\n\t ")];
    (name, "[ \t]{0,2}", word.clone(), fold, word).prop_map(
        |(name, blanks, first, fold, second)| {
            [
                name.as_bytes(),
                blanks.as_bytes(),
                b":",
                &first,
                fold.as_bytes(),
                &second,
            ]
            .concat()
        },
    )
}

/// A request as it comes in; Content-Length last.
fn request_octets() -> impl Strategy<Value = Vec<u8>> {
    let lines = prop::collection::vec(line(), 0..12);
    let body = prop::collection::vec(any::<u8>(), 0..60);
    ("[A-Z]{1,9}", "[!-~]{1,30}", lines, body).prop_map(|(method, uri, lines, body)| {
        let mut octets = format!("{method} {uri} SIP/2.0\r\n").into_bytes();
        for line in lines.iter().filter(|line| !is_content_length(line)) {
            octets.extend_from_slice(line);
            octets.extend_from_slice(b"\r\n");
        }
        octets.extend_from_slice(format!("Content-Length: {}\r\n\r\n", body.len()).as_bytes());
        octets.extend_from_slice(&body);
        octets
    })
}

fn is_content_length(line: &[u8]) -> bool {
    let name = line
        .split(|octet| b" \t:".contains(octet))
        .next()
        .unwrap_or_default();
    Name::from_bytes(name) == Some(Name::ContentLength)
}

fn parse(octets: &[u8]) -> Request {
    match parse_datagram(octets.to_vec().into(), &Limits::default()) {
        Ok(Message::Request(request)) => request,
        other => panic!("{other:?}"),
    }
}

proptest! {
    #[test]
    fn parsing_and_printing_is_the_identity(octets in request_octets()) {
        let request = parse(&octets);
        prop_assert_eq!(&request.as_bytes()[..], &octets[..]);
        let printed = request.edit().build();
        prop_assert_eq!(&printed.as_bytes()[..], &octets[..]);
        let indexed: Vec<_> = printed.headers().iter().map(|field| (field.name(), field.raw_value())).collect();
        let parsed: Vec<_> = request.headers().iter().map(|field| (field.name(), field.raw_value())).collect();
        prop_assert_eq!(indexed, parsed);
    }

    #[test]
    fn editing_leaves_other_lines_alone(octets in request_octets(), value in any::<String>()) {
        let before = parse(&octets);
        let edited = before.edit().prepend(Name::Via, &value).replace_first(Name::MaxForwards, &value).build();
        let edited = parse(edited.as_bytes());
        let kept = |request: &Request| {
            let fields = request.headers().iter().map(|field| field.raw().to_vec());
            fields.filter(|raw| !raw.starts_with(b"Max-Forwards")).collect::<Vec<_>>()
        };
        let others = before.headers().count(Name::MaxForwards).saturating_sub(1);
        prop_assert_eq!(edited.headers().count(Name::MaxForwards), others + 1);
        prop_assert_eq!(&kept(&edited)[1..], &kept(&before)[..]);
        prop_assert_eq!(edited.body(), before.body());
    }

    #[test]
    fn what_is_built_is_parsed_back(
        uri in "[!-~]{1,20}",
        name in "[A-Za-z-]{2,12}",
        value in any::<String>(),
        body in prop::collection::vec(any::<u8>(), 0..50),
    ) {
        let built = RequestBuilder::new(Method::Message, &uri)
            .header(Name::Subject, &value)
            .raw_header(&format!("X-{name}"), &value)
            .body("application/octet-stream", body.clone())
            .build();
        let read = parse(built.as_bytes());
        prop_assert_eq!(read.raw_uri(), built.raw_uri());
        prop_assert_eq!(read.body(), &body[..]);
        let fields = |request: &Request| {
            request.headers().iter().map(|field| (field.known(), field.raw().to_vec())).collect::<Vec<_>>()
        };
        prop_assert_eq!(fields(&read), fields(&built));
        prop_assert_eq!(fields(&read).len(), 4);
    }

    #[test]
    fn any_octets_are_parsed_or_refused(octets in prop::collection::vec(any::<u8>(), 0..300)) {
        let _ = parse_datagram(octets.into(), &Limits::default());
    }

    /// Damaged messages reach deeper than noise: whatever is made of them, no view of them panics.
    #[test]
    fn a_damaged_message_harms_nothing(
        mut octets in request_octets(),
        damage in prop::collection::vec((any::<prop::sample::Index>(), any::<u8>()), 1..6),
        cut in any::<prop::sample::Index>(),
    ) {
        for (index, octet) in damage {
            let position = index.index(octets.len());
            octets[position] = octet;
        }
        let mut decoder = StreamDecoder::new(Limits::default());
        let (first, second) = octets.split_at(cut.index(octets.len()));
        for piece in [first, second] {
            decoder.push(piece);
            while let Ok(Some(_)) = decoder.next() {}
        }
        match parse_datagram(octets.into(), &Limits::default()) {
            Ok(Message::Request(request)) => {
                let _ = request.check();
                look_at_everything(&request);
            }
            Ok(Message::Response(response)) => drop(response.check()),
            Err(error) => drop(error.reply().map(crate::ResponseBuilder::build)),
        }
    }

    #[test]
    fn a_stream_gives_the_same_messages_however_it_is_cut(
        messages in prop::collection::vec(request_octets(), 1..4),
        chunk in 1_usize..80,
    ) {
        let mut decoder = StreamDecoder::new(Limits::default());
        let mut read = Vec::new();
        for piece in messages.concat().chunks(chunk) {
            decoder.push(piece);
            while let Some(item) = decoder.next().expect("framed") {
                match item {
                    StreamItem::Message(message) => read.push(message.as_bytes().to_vec()),
                    other => panic!("{other:?}"),
                }
            }
        }
        prop_assert_eq!(read, messages);
    }
}

fn look_at_everything(request: &Request) {
    let headers = request.headers();
    let _ = (
        request.uri(),
        headers.vias(),
        headers.from(),
        headers.to(),
        headers.contacts(),
    );
    let _ = (
        headers.routes(),
        headers.expires(),
        headers.date(),
        headers.privacy(),
        headers.served_user(),
    );
    let _ = (
        headers.content_type(),
        headers.session_expires(),
        headers.event(),
        headers.allow(),
    );
    for field in headers.iter() {
        let _ = (field.name(), field.value(), field.raw());
        let _ = field.value().parse::<crate::NameAddr>();
        let _ = field.value().parse::<crate::Via>();
    }
}
