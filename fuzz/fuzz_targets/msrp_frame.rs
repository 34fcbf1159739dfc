//! A stream of frames gives the same events however it is cut, ends at the same fault, and every frame it gives reads
//! back from its own print as the same head, body and flag.

#![no_main]

use libfuzzer_sys::fuzz_target;
use msrp::{Continuation, DecodeError, Decoder, Event, RequestHead, Response};
use restante_fuzz::cuts;

/// A stream as frames; the pieces of a body are joined, since their sizes depend on the cut.
#[derive(Debug, Default, PartialEq, Eq)]
struct Frames {
    frames: Vec<Frame>,
    /// The head and the octets so far of a request that has not ended.
    open: Option<(RequestHead, Vec<u8>)>,
    fault: Option<DecodeError>,
}

#[derive(Debug, PartialEq, Eq)]
enum Frame {
    Request(RequestHead, Vec<u8>, Continuation),
    Response(Response),
}

fuzz_target!(|stream: &[u8]| {
    let whole = Frames::read(std::iter::once(stream));
    for (cut, name) in [
        (Frames::read(cuts::octets(stream)), "octet by octet"),
        (Frames::read(cuts::pieces(stream)), "in pieces"),
    ] {
        assert_eq!(cut, whole, "{name}");
    }
    whole.frames.iter().for_each(reads_back);
});

impl Frames {
    fn read<'a>(pieces: impl Iterator<Item = &'a [u8]>) -> Self {
        let mut frames = Self::default();
        let mut decoder = Decoder::new();
        for piece in pieces {
            decoder.push(piece);
            loop {
                match decoder.next_event() {
                    Ok(Some(event)) => frames.take(event),
                    Ok(None) => break,
                    Err(error) => {
                        frames.fault = Some(error);
                        return frames;
                    }
                }
            }
        }
        frames
    }

    fn take(&mut self, event: Event) {
        match event {
            Event::RequestHead { head, raw } => {
                assert!(raw.starts_with(b"MSRP ") && raw.ends_with(b"\r\n"));
                assert!(
                    self.open.replace((*head, Vec::new())).is_none(),
                    "requests do not nest"
                );
            }
            Event::Body(octets) => {
                assert!(!octets.is_empty());
                let (_, body) = self.open.as_mut().expect("a body belongs to a request");
                body.extend_from_slice(&octets);
            }
            Event::RequestEnd(flag) => {
                let (head, body) = self.open.take().expect("only a request ends");
                self.frames.push(Frame::Request(head, body, flag));
            }
            Event::Response(response) => {
                assert!(self.open.is_none(), "responses stand between requests");
                self.frames.push(Frame::Response(*response));
            }
        }
    }
}

fn reads_back(frame: &Frame) {
    let (printed, expected) = match frame {
        Frame::Response(response) => (response.print(), Frame::Response(response.clone())),
        Frame::Request(head, body, flag) => {
            // Without Content-Type the printer leaves the body out (RFC 4975 §9 has no such frame).
            let body = head
                .content_type
                .as_ref()
                .map_or_else(Vec::new, |_| body.clone());
            (
                head.print_whole(&body, *flag),
                Frame::Request(head.clone(), body, *flag),
            )
        }
    };
    let read = Frames::read(std::iter::once(&printed[..]));
    let expected = Frames {
        frames: vec![expected],
        ..Frames::default()
    };
    assert_eq!(
        read,
        expected,
        "printed as {}",
        String::from_utf8_lossy(&printed)
    );
}
