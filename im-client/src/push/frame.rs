//! What stands around a large message in a push, read before its octets are there.

use bytes::Bytes;
use msrp::RequestHead;
use sip::MediaType;

use super::{MESSAGE_MSRP, Summary, end_line, essence, fragment, send_head, whole_length};

/// Everything of the body of a push before and behind the octets of its `message/msrp` (PSH-06).
#[derive(Clone, Debug)]
pub(crate) struct LargeFrame {
    pub(crate) summary: Summary,
    /// Head of the SEND that is wrapped.
    pub(crate) send: Box<RequestHead>,
    /// Octets before the content.
    pub(crate) prologue_octets: usize,
    /// Octets of the content.
    pub(crate) octets: u64,
    /// What follows the content; a line end may come behind it.
    pub(crate) epilogue: Bytes,
}

impl LargeFrame {
    /// Reads the beginning of a body; none if it is no push of a large message, or too little of it.
    pub(crate) fn read(content_type: &str, beginning: &[u8]) -> Option<Self> {
        let media_type: MediaType = content_type.parse().ok()?;
        let boundary = media_type.params.value("boundary")?;
        if !media_type.is("multipart/mixed") {
            return None;
        }
        let first = format!("--{boundary}\r\n");
        let rest = beginning.strip_prefix(first.as_bytes())?;
        let delimiter = format!("\r\n{first}");
        let end = memchr::memmem::find(rest, delimiter.as_bytes())?;
        let (_, stated) = part(rest.get(..end)?)?;
        let summary = Summary::read(&Bytes::copy_from_slice(stated)).ok()?;
        let (kind, wrapped) = part(rest.get(end + delimiter.len()..)?)?;
        if kind != MESSAGE_MSRP {
            return None;
        }
        let (send, begin) = send_head(wrapped)?;
        let octets = whole_length(&send)?;
        let epilogue = format!("{}\r\n--{boundary}--", end_line(&send));
        Some(Self {
            summary,
            send,
            prologue_octets: beginning.len() - wrapped.len() + begin,
            octets,
            epilogue: epilogue.into(),
        })
    }

    /// Whether a body of this length holds exactly the content and what is around it.
    pub(crate) fn fits(&self, total: u64) -> bool {
        let frame = (self.prologue_octets + self.epilogue.len()) as u64;
        let whole = self.octets.checked_add(frame);
        whole.is_some_and(|whole| total == whole || total == whole.saturating_add(2))
    }
}

/// The type of a part and its content.
fn part(octets: &[u8]) -> Option<(String, &[u8])> {
    let end = memchr::memmem::find(octets, b"\r\n\r\n")?;
    let headers = fragment(octets.get(..end + 4)?)?;
    let declared = headers.headers().first(sip::Name::ContentType);
    let kind = declared.map_or_else(String::new, |field| essence(&field.value()));
    Some((kind, octets.get(end + 4..)?))
}
