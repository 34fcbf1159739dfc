//! One deferred message as a push session delivers it (requirements §2.4.3).

use super::Frame;
use crate::sip::SipText;

/// A message and the SEND requests that carried it.
#[derive(Clone, Debug)]
pub struct Pushed {
    /// The chunks in their order.
    pub chunks: Vec<Frame>,
}

impl Pushed {
    /// The last chunk, whose answer settles the message.
    ///
    /// # Panics
    /// Never: a message has at least one.
    pub fn last(&self) -> &Frame {
        self.chunks.last().expect("at least one chunk")
    }

    /// The body of the whole message.
    pub fn body(&self) -> Vec<u8> {
        self.chunks
            .iter()
            .flat_map(|chunk| chunk.body.iter().copied())
            .collect()
    }

    /// Its multipart boundary.
    ///
    /// # Panics
    /// When there is none.
    pub fn boundary(&self) -> String {
        let content_type = self
            .chunks
            .first()
            .expect("at least one chunk")
            .field("Content-Type");
        let boundary = content_type.strip_prefix("multipart/mixed;boundary=\"");
        let boundary = boundary.and_then(|rest| rest.strip_suffix('"'));
        boundary
            .unwrap_or_else(|| panic!("no multipart: {content_type}"))
            .to_owned()
    }

    /// The parts, each with its header lines.
    ///
    /// # Panics
    /// When the body is no multipart as RFC 2046 §5.1 has it.
    pub fn parts(&self) -> Vec<SipText> {
        let (body, delimiter) = (self.body(), format!("--{}", self.boundary()));
        let mut rest = body
            .strip_prefix(delimiter.as_bytes())
            .expect("a first delimiter");
        let mut parts = Vec::new();
        let next = format!("\r\n{delimiter}");
        while let Some(part) = rest.strip_prefix(b"\r\n") {
            let end = crate::sip::find(part, next.as_bytes()).expect("a next delimiter");
            // A part has no start line: the empty one stands for it.
            parts.push(SipText::new([b"\r\n", &part[..end]].concat()));
            rest = &part[end + next.len()..];
        }
        assert!(rest.starts_with(b"--"), "the last delimiter does not close");
        parts
    }

    /// The fields of part 1.
    ///
    /// # Panics
    /// When there are not two parts.
    pub fn summary(&self) -> SipText {
        let parts = self.parts();
        assert_eq!(parts.len(), 2, "{parts:?}");
        assert_eq!(
            parts[0].field("Content-Type"),
            "message/sipfrag;version=2.0"
        );
        SipText::new([b"\r\n", parts[0].body()].concat())
    }

    /// The Message-ID in part 1.
    pub fn message_id(&self) -> String {
        self.summary().field("Message-ID").to_owned()
    }

    /// The body of part 2.
    ///
    /// # Panics
    /// When there is no part 2.
    pub fn original(&self) -> Vec<u8> {
        self.parts().get(1).expect("two parts").body().to_vec()
    }
}
