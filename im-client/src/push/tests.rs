//! Pushes read byte for byte, and what is none.

use super::*;

const TYPE: &str = "multipart/mixed;boundary=\"Kf2Zt8Qw0LmXc5Vb1N\"";

fn pushed(part_1: &str, part_2: &str) -> Bytes {
    wrapped(part_1, "message/sip", part_2)
}

fn wrapped(part_1: &str, kind: &str, part_2: &str) -> Bytes {
    Bytes::from(format!(
        "--Kf2Zt8Qw0LmXc5Vb1N\r\nContent-Type: message/sipfrag;version=2.0\r\n\r\n{part_1}\r\n\
         --Kf2Zt8Qw0LmXc5Vb1N\r\nContent-Type: {kind}\r\n\r\n{part_2}\r\n--Kf2Zt8Qw0LmXc5Vb1N--"
    ))
}

const STATED: &str = "From: <sip:alice@example.org>;tag=a\r\nDate: Fri, 20 Nov 2026 09:14:06 GMT\r\n\
    Message-ID: 13684434990@mailserver32.example.org\r\n";

const ORIGINAL: &str = "MESSAGE sip:bob@example.org SIP/2.0\r\nFrom: <sip:alice@example.org>;tag=a\r\n\
    Content-Type: text/plain\r\nContent-Length: 8\r\n\r\n--binary";

fn send(body: &str) -> String {
    format!(
        "MSRP w5Xn0cBt2KqLe7Ha SEND\r\n\
         To-Path: msrp://192.0.2.20:2855/8rVq3LxT0mZc7YwKp5NbGd;tcp\r\n\
         From-Path: msrp://198.51.100.7:7394/2s93i9idj;tcp\r\n\
         Message-ID: 12339sdqwer\r\n\
         Byte-Range: 1-{n}/{n}\r\n\
         Content-Disposition: attachment; filename=\"plan.pdf\"\r\n\
         Content-Type: application/pdf\r\n\r\n{body}\r\n-------w5Xn0cBt2KqLe7Ha$\r\n",
        n = body.len()
    )
}

#[test]
fn a_pushed_message_is_read_byte_for_byte() {
    let message = PushedMessage::read(TYPE, &pushed(STATED, ORIGINAL)).expect("a push");
    assert_eq!(message.message_id, "13684434990@mailserver32.example.org");
    assert_eq!(message.received_at, "Fri, 20 Nov 2026 09:14:06 GMT");
    assert_eq!(message.kind, "message/sip");
    assert_eq!(message.original, ORIGINAL);
    assert_eq!(message.body.as_ref(), b"--binary");
}

#[test]
fn psh_06_a_large_message_is_the_content_of_its_send() {
    let content = "octets\r\n-------other$\r\n\r\nand more";
    let body = wrapped(STATED, "message/msrp", &send(content));
    let message = PushedMessage::read(TYPE, &body).expect("a push");
    assert_eq!(message.kind, "message/msrp");
    assert_eq!(message.content_type, "application/pdf");
    assert_eq!(message.file_name.as_deref(), Some("plan.pdf"));
    assert_eq!(message.body, content);
}

#[test]
fn psh_06_the_frame_of_a_large_message_is_read_from_its_beginning() {
    let content = "x".repeat(3000);
    let body = wrapped(STATED, "message/msrp", &send(&content));
    let frame = LargeFrame::read(TYPE, &body[..1500]).expect("enough of it");
    assert_eq!(frame.octets, 3000);
    assert_eq!(
        frame.summary.message_id,
        "13684434990@mailserver32.example.org"
    );
    assert!(body[frame.prologue_octets..].starts_with(b"xxx"));
    assert!(body.ends_with(&frame.epilogue));
    assert!(frame.fits(body.len() as u64));
    assert!(!frame.fits(body.len() as u64 - 1));
    assert!(LargeFrame::read(TYPE, &body[..200]).is_none());
    assert!(LargeFrame::read("multipart/alternative;boundary=x", &body).is_none());
}

#[test]
fn a_send_that_is_longer_or_shorter_than_it_says_is_refused() {
    let whole = send("12345678");
    for wrong in [
        whole.replace("1-8/8", "1-7/7"),
        whole.replace("1-8/8", "1-9/9"),
        whole.replace("1-8/8", "1-*/8"),
        whole.replace("$\r\n", "+\r\n"),
        whole.replace("1-8/8", "1-18446744073709551615/18446744073709551615"),
    ] {
        let body = wrapped(STATED, "message/msrp", &wrong);
        let read = PushedMessage::read(TYPE, &body);
        assert!(matches!(read, Err(NotAPush::Original)), "{wrong}");
    }
}

#[test]
fn what_is_no_push_is_refused_with_its_reason() {
    let body = pushed("From: <sip:alice@example.org>\r\n", ORIGINAL);
    assert!(matches!(
        PushedMessage::read(TYPE, &body),
        Err(NotAPush::NoMessageId)
    ));
    let plain = Bytes::from_static(b"hello");
    assert!(matches!(
        PushedMessage::read("text/plain", &plain),
        Err(NotAPush::Parts)
    ));
}
