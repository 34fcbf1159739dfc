//! Whatever is printed reads back the same, however it is cut.

use bytes::Bytes;
use proptest::prelude::*;

use super::events;
use crate::{
    ByteRange, Continuation, Event, FailureReport, Method, Path, ReportStatus, RequestHead,
    Response, TransactionId,
};

fn transaction_id() -> impl Strategy<Value = TransactionId> {
    "[a-zA-Z0-9][a-zA-Z0-9.+%=-]{3,31}".prop_map(|text| text.parse().unwrap())
}

fn path() -> impl Strategy<Value = Path> {
    let uri = "msrps?://([a-z]{1,8}@)?([a-z]{1,9}(\\.[a-z]{2})?|192\\.0\\.2\\.[1-9]|\\[2001:db8::[1-9]\\])\
               (:[1-9][0-9]{0,3})?(/[a-zA-Z0-9+=/._~-]{1,30})?;tcp(;[a-z]{1,5}=[a-z0-9]{1,5})?";
    proptest::collection::vec(uri, 1..4).prop_map(|uris| uris.join(" ").parse().unwrap())
}

fn byte_range() -> impl Strategy<Value = ByteRange> {
    let end = proptest::option::of(0_u64..1_000_000);
    let total = proptest::option::of(any::<u64>());
    (1..=u64::MAX / 2, end, total).prop_map(|(start, length, total)| ByteRange {
        start,
        end: length.map(|length| start - 1 + length),
        total,
    })
}

fn failure_report() -> impl Strategy<Value = FailureReport> {
    prop_oneof![
        Just(FailureReport::Yes),
        Just(FailureReport::Partial),
        Just(FailureReport::No)
    ]
}

fn flag() -> impl Strategy<Value = Continuation> {
    prop_oneof![
        Just(Continuation::Complete),
        Just(Continuation::More),
        Just(Continuation::Aborted)
    ]
}

prop_compose! {
    fn request()(
        transaction_id in transaction_id(),
        (to, from) in (path(), path()),
        message_id in "[a-zA-Z0-9.+%=-]{4,32}",
        byte_range in proptest::option::of(byte_range()),
        success_report in proptest::option::of(any::<bool>()),
        failure_report in proptest::option::of(failure_report()),
        content_type in proptest::option::of("[a-z]{1,9}/[a-z+.-]{1,9}(;[a-z]{1,5}=[a-z]{1,5})?"),
        headers in proptest::collection::vec(("X-[A-Za-z]{1,9}", "([!-~äß語]([ -~äß語]{0,20}[!-~])?)?"), 0..4),
    ) -> RequestHead {
        let mut head = RequestHead::new(transaction_id, Method::Send, to, from);
        head.message_id = Some(message_id.parse().unwrap());
        head.byte_range = byte_range;
        head.success_report = success_report;
        head.failure_report = failure_report;
        head.content_type = content_type;
        head.headers = headers;
        head
    }
}

/// Octets rich in what end-lines are made of.
fn body(transaction_id: &TransactionId) -> impl Strategy<Value = Vec<u8>> + use<> {
    let almost = format!("\r\n-------{transaction_id}");
    let piece = prop_oneof![
        proptest::collection::vec(any::<u8>(), 0..20),
        Just(b"\r\n".to_vec()),
        Just(b"-------".to_vec()),
        Just(almost.into_bytes()),
    ];
    proptest::collection::vec(piece, 0..12).prop_map(|pieces| pieces.concat())
}

fn request_with_body() -> impl Strategy<Value = (RequestHead, Vec<u8>, Continuation)> {
    request().prop_flat_map(|head| {
        let body = body(&head.transaction_id);
        (Just(head), body, flag())
    })
}

proptest! {
    #[test]
    fn printed_requests_read_back((head, body, flag) in request_with_body(), cut in any::<prop::sample::Index>()) {
        let end_line = format!("-------{}", head.transaction_id);
        let ends_itself = ["$", "+", "#"].iter().any(|flag| {
            memchr::memmem::find(&body, format!("{end_line}{flag}\r\n").as_bytes()).is_some()
        });
        prop_assume!(!ends_itself);
        let bytes = head.print_whole(&body, flag);
        let (left, right) = bytes.split_at(cut.index(bytes.len()));
        let read = events(&[left, right]);
        let mut expected_body = Vec::new();
        if head.content_type.is_some() && !body.is_empty() {
            expected_body.push(Event::Body(Bytes::from(body)));
        }
        prop_assert_eq!(read.len(), 2 + expected_body.len());
        let Event::RequestHead { head: read_head, .. } = &read[0] else {
            return Err(TestCaseError::fail("no head"));
        };
        prop_assert_eq!(read_head.as_ref(), &head);
        prop_assert_eq!(&read[1..read.len() - 1], expected_body.as_slice());
        prop_assert_eq!(read.last(), Some(&Event::RequestEnd(flag)));
    }

    #[test]
    fn printed_responses_read_back(request in request(), code in 100_u16..1000) {
        let response = Response::to(&request, code);
        let read = events(&[&response.print()]);
        prop_assert_eq!(read, vec![Event::Response(Box::new(response))]);
    }

    #[test]
    fn report_status_reads_back(namespace in 0_u16..1000, code in 0_u16..1000, comment in "([A-Z][A-Za-z ]{0,9}[a-z])?") {
        let status = ReportStatus { namespace, code, comment };
        prop_assert_eq!(status.to_string().parse::<ReportStatus>(), Ok(status));
    }

    #[test]
    fn any_bytes_end_in_events_or_an_error(pieces in proptest::collection::vec(
        prop_oneof![
            proptest::collection::vec(any::<u8>(), 0..40),
            Just(b"MSRP abcd1 SEND\r\n".to_vec()),
            Just(b"To-Path: msrp://a.b:1/c;tcp\r\nFrom-Path: msrp://a.b:1/c;tcp\r\nMessage-ID: x\r\n".to_vec()),
            Just(b"Byte-Range: 1-99999999999999999999999/*\r\n".to_vec()),
            Just(b"\r\n-------abcd1$\r\n".to_vec()),
        ], 0..12)) {
        let mut decoder = crate::Decoder::new();
        for piece in pieces {
            decoder.push(&piece);
            while let Ok(Some(_)) = decoder.next_event() {}
        }
    }

    #[test]
    fn no_value_can_end_its_line(value in "\\PC*[\r\n\u{0}]\\PC*") {
        let mut head = RequestHead::new(
            "abcd".parse().unwrap(),
            Method::Send,
            super::path(super::PEER),
            super::path(super::LOCAL),
        );
        head.message_id = Some("m1".parse().unwrap());
        head.headers.push(("X-Free".to_owned(), value));
        let printed = head.print_whole(b"", Continuation::Complete);
        prop_assert_eq!(printed.split(|b| *b == b'\n').count(), 7);
    }
}
