//! What builders write.

use super::{MESSAGE, octets, request};
use crate::{
    Limits, Message, Method, Name, Request, RequestBuilder, ResponseBuilder, StatusCode,
    parse_datagram,
};

fn text(request: &Request) -> String {
    String::from_utf8(request.as_bytes().to_vec()).expect("ASCII")
}

#[test]
fn a_built_request_ends_with_its_length() {
    let request = RequestBuilder::new(Method::Message, &"sip:bob@example.org")
        .header(Name::MaxForwards, 70)
        .raw_header("X-Odd", "a")
        .header(Name::ContentLength, 99)
        .body("text/plain", "hi")
        .build();
    let expected = "MESSAGE sip:bob@example.org SIP/2.0\nMax-Forwards: 70\nX-Odd: a\nContent-Type: text/plain\n\
                    Content-Length: 2\n\nhi";
    assert_eq!(*request.as_bytes(), octets(expected));
    assert_eq!(request.body(), "hi");
    assert_eq!(request.raw_uri(), "sip:bob@example.org");
    assert_eq!(request.headers().max_forwards(), Ok(Some(70)));
}

#[test]
fn no_value_can_break_out_of_its_line() {
    let request = RequestBuilder::new(Method::Options, &"sip:a SIP/2.0\r\nX: y")
        .header(Name::Subject, "a\r\nP-Asserted-Identity: <sip:evil>\0")
        .raw_header("X\r\n:Y z", "1")
        .build();
    assert_eq!(
        text(&request),
        "OPTIONS sip:aSIP/2.0X:y SIP/2.0\r\nSubject: a  P-Asserted-Identity: <sip:evil> \r\nXYz: 1\r\n\
         Content-Length: 0\r\n\r\n"
    );
}

#[test]
fn a_response_copies_what_belongs_to_the_transaction() {
    let request =
        request(&MESSAGE.replacen("Max", "Timestamp: 54\nRecord-Route: <sip:p;lr>\nMax", 1));
    let response = ResponseBuilder::reply_to(&request, StatusCode::ACCEPTED)
        .to_tag("df1")
        .header(Name::Server, "Restante/0.1")
        .build();
    let expected = "\
SIP/2.0 202 Accepted
Via: SIP/2.0/TCP scscf1.example.org:5060;branch=z9hG4bK-s1-7f3a
v: SIP/2.0/TCP 198.51.100.7:5062;branch=z9hG4bK-a-0091
Timestamp: 54
f: \"Alice\" <sip:alice@example.org>;tag=a48f
To: <sip:bob@example.org>;tag=df1
i: 5f1c7a0e@198.51.100.7
CSeq: 101 MESSAGE
Server: Restante/0.1
Content-Length: 0

";
    assert_eq!(*response.as_bytes(), octets(expected));
    assert_eq!(response.headers().to().unwrap().unwrap().tag(), Some("df1"));
}

#[test]
fn a_present_tag_stays() {
    let request = request(&MESSAGE.replacen(
        "To: <sip:bob@example.org>",
        "To: <sip:bob@example.org>;tag=x",
        1,
    ));
    let response = ResponseBuilder::reply_to(&request, StatusCode::OK)
        .to_tag("y")
        .build();
    assert_eq!(response.headers().to().unwrap().unwrap().tag(), Some("x"));
}

#[test]
fn record_routes_are_copied_where_a_dialog_begins() {
    let invite =
        MESSAGE
            .replace("MESSAGE", "INVITE")
            .replacen("Max", "Record-Route: <sip:p;lr>\nMax", 1);
    let count = |status| {
        let response = ResponseBuilder::reply_to(&request(&invite), status).build();
        response.headers().count(Name::RecordRoute)
    };
    assert_eq!(count(StatusCode::OK), 1);
    assert_eq!(count(StatusCode::RINGING), 1);
    assert_eq!(count(StatusCode::TRYING), 0);
    assert_eq!(count(StatusCode::BUSY_HERE), 0);
}

#[test]
fn the_source_goes_into_the_top_via_only() {
    let response = |vias: &str| {
        let request = request(&format!("OPTIONS sip:a SIP/2.0\n{vias}\n\n"));
        let response = ResponseBuilder::reply_to(&request, StatusCode::OK)
            .received_from("192.0.2.9:4000".parse().expect("valid"))
            .build();
        response
            .headers()
            .all(Name::Via)
            .map(|via| via.value().into_owned())
            .collect::<Vec<_>>()
    };
    assert_eq!(
        response(
            "Via: SIP/2.0/UDP a.example;rport;branch=1, SIP/2.0/UDP b.example;rport\nv: SIP/2.0/UDP c;rport"
        ),
        [
            "SIP/2.0/UDP a.example;rport=4000;branch=1;received=192.0.2.9, SIP/2.0/UDP b.example;rport",
            "SIP/2.0/UDP c;rport"
        ]
    );
    // Empty values say nothing, and none of them is taken for the top one.
    assert_eq!(
        response("Via: , ,SIP/2.0/UDP a.example;rport, SIP/2.0/UDP b.example"),
        ["SIP/2.0/UDP a.example;rport=4000;received=192.0.2.9, SIP/2.0/UDP b.example"]
    );
    assert_eq!(
        response("Via: ,\nVia: SIP/2.0/UDP a.example;rport,"),
        [",", "SIP/2.0/UDP a.example;rport=4000;received=192.0.2.9"]
    );
    assert_eq!(
        response("v:SIP / 2.0/UDP 192.0.2.9"),
        ["SIP / 2.0/UDP 192.0.2.9"]
    );
}

#[test]
fn a_response_reads_back_as_it_was_built() {
    let built = ResponseBuilder::reply_to(&request(MESSAGE), StatusCode::FORBIDDEN)
        .reason("Not\r\nyou")
        .raw_header("Warning", "399 a \"b\"")
        .body("text/plain", &b"\xff\x00"[..])
        .build();
    let Ok(Message::Response(read)) = parse_datagram(built.as_bytes().clone(), &Limits::default())
    else {
        panic!("a response");
    };
    assert_eq!(built.reason(), "Not  you");
    assert_eq!(
        (read.status(), read.reason()),
        (built.status(), built.reason())
    );
    assert_eq!(read.body(), &b"\xff\x00"[..]);
    assert_eq!(read.headers().count(Name::Warning), 1);
}
