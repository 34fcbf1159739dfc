//! The client reads whatever a push session delivers: the first line of the input is the Content-Type, the rest the
//! body. What it takes for a deferred message has an id, and both original and body are pieces of what came; framed
//! again by the sending side it reads the same.

#![no_main]

use bytes::Bytes;
use im_client::PushedMessage;
use libfuzzer_sys::fuzz_target;
use msrp::encapsulate::Encapsulation;
use rand::{SeedableRng, rngs::StdRng};

fuzz_target!(|octets: &[u8]| {
    let Some(line_end) = octets.iter().position(|octet| *octet == b'\n') else {
        return;
    };
    let content_type = String::from_utf8_lossy(&octets[..line_end]);
    let body = Bytes::copy_from_slice(&octets[line_end + 1..]);
    let Ok(message) = PushedMessage::read(content_type.trim_end(), &body) else {
        return;
    };
    assert!(!message.message_id.is_empty());
    assert!(
        contains(&body, &message.original),
        "part 2 is a piece of the body"
    );
    assert!(
        contains(&message.original, &message.body),
        "its body is a piece of part 2"
    );
    framed_again(&message);
});

fn framed_again(message: &PushedMessage) {
    let mut rng = StdRng::seed_from_u64(1);
    let stated = format!("Message-ID: {}\r\n", message.message_id);
    let framed = Encapsulation::of_message(&mut rng, &stated, &message.kind, &message.original);
    let body = framed.body(&message.original);
    assert_eq!(framed.octets(), body.len() as u64);
    let read =
        PushedMessage::read(framed.content_type(), &body).expect("framed by the sending side");
    assert_eq!(read.message_id, message.message_id);
    assert_eq!(
        (read.original, read.body),
        (message.original.clone(), message.body.clone())
    );
    assert_eq!(
        (read.kind, read.content_type),
        (message.kind.clone(), message.content_type.clone())
    );
}

fn contains(whole: &[u8], piece: &[u8]) -> bool {
    piece.is_empty() || whole.windows(piece.len()).any(|window| window == piece)
}
