//! The body of a push: a deferred message in `multipart/mixed` (requirements 2.4.3).
//!
//! Part 1 is `message/sipfrag` with the header lines that the service states, part 2 the message
//! itself. Only the frame around part 2 is made here; its octets pass through untouched and may
//! come from anywhere, and the total length is known before the first of them is read.

mod send;

use std::fmt;

use bytes::{Bytes, BytesMut};
use memchr::memmem;
use rand::CryptoRng;

use crate::id::base62;

pub use send::{MESSAGE_MSRP, SendHead, WholeSend};

/// Type of part 1.
pub const SIPFRAG: &str = "message/sipfrag;version=2.0";

/// Bodies up to this size are searched for the boundary; beyond it, its randomness is the guarantee
/// (2.4.3).
pub const BOUNDARY_CHECK_OCTETS: u64 = 256 * 1024;

/// 18 base62 characters are 107 bits (2.13).
const BOUNDARY_CHARS: usize = 18;

/// What stands between the parts of a multipart body (RFC 2046 §5.1.1).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Boundary(String);

impl Boundary {
    /// A fresh boundary for a body that is too large to be searched.
    pub fn generate(rng: &mut impl CryptoRng) -> Boundary {
        Boundary(base62(rng, BOUNDARY_CHARS))
    }

    /// A fresh boundary that occurs in none of these texts.
    pub fn absent_from(rng: &mut impl CryptoRng, texts: &[&[u8]]) -> Boundary {
        loop {
            let boundary = Boundary::generate(rng);
            let delimiter = format!("--{boundary}");
            if !texts
                .iter()
                .any(|text| memmem::find(text, delimiter.as_bytes()).is_some())
            {
                return boundary;
            }
        }
    }

    /// A boundary fixed elsewhere (CFP-18); none if it has characters outside base62 or is longer
    /// than 70.
    pub fn fixed(text: &str) -> Option<Boundary> {
        let fits = (1..=70).contains(&text.len());
        let base62 = text.bytes().all(|b| b.is_ascii_alphanumeric());
        (fits && base62).then(|| Boundary(text.to_owned()))
    }
}

impl fmt::Display for Boundary {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// A push body whose part 2 is still to be read.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Encapsulation {
    content_type: String,
    prologue: Bytes,
    epilogue: Bytes,
    message_octets: u64,
}

impl Encapsulation {
    /// Frames a message of `message_type` and `message_octets` behind the header lines of part 1.
    ///
    /// `stated` is the content of part 1: header lines, each ended by CRLF. `message_type` is
    /// `message/sip`, `message/sipfrag` or `message/msrp`.
    pub fn new(
        boundary: &Boundary,
        stated: &str,
        message_type: &str,
        message_octets: u64,
    ) -> Encapsulation {
        let prologue = format!(
            "--{boundary}\r\nContent-Type: {SIPFRAG}\r\n\r\n{stated}\r\n\
             --{boundary}\r\nContent-Type: {message_type}\r\n\r\n"
        );
        Encapsulation {
            content_type: format!("multipart/mixed;boundary=\"{boundary}\""),
            prologue: prologue.into(),
            epilogue: format!("\r\n--{boundary}--").into(),
            message_octets,
        }
    }

    /// Frames a message that is in memory, with a boundary checked against it if it is small
    /// enough.
    pub fn of_message(
        rng: &mut impl CryptoRng,
        stated: &str,
        message_type: &str,
        message: &[u8],
    ) -> Encapsulation {
        let octets = message.len() as u64;
        let boundary = if octets <= BOUNDARY_CHECK_OCTETS {
            Boundary::absent_from(rng, &[stated.as_bytes(), message])
        } else {
            Boundary::absent_from(rng, &[stated.as_bytes()])
        };
        Encapsulation::new(&boundary, stated, message_type, octets)
    }

    /// `multipart/mixed;boundary="…"`, the Content-Type of the SEND (PSH-02).
    pub fn content_type(&self) -> &str {
        &self.content_type
    }

    /// Octets of the whole body.
    pub fn octets(&self) -> u64 {
        self.message_octets + (self.prologue.len() + self.epilogue.len()) as u64
    }

    /// What goes before the message.
    pub fn prologue(&self) -> &Bytes {
        &self.prologue
    }

    /// What goes after it.
    pub fn epilogue(&self) -> &Bytes {
        &self.epilogue
    }

    /// The whole body in one piece, for messages that are in memory.
    pub fn body(&self, message: &[u8]) -> Bytes {
        let pieces = [self.prologue.as_ref(), message, self.epilogue.as_ref()];
        let mut body = BytesMut::with_capacity(pieces.iter().map(|piece| piece.len()).sum());
        pieces
            .iter()
            .for_each(|piece| body.extend_from_slice(piece));
        body.freeze()
    }
}
