//! A message that is too large for memory.

use tempfile::TempPath;

/// A deferred message whose content lies in a file.
#[derive(Debug)]
pub struct LargePush {
    /// Its Message-ID in the store; the same again if the message is repeated (P4).
    pub message_id: String,
    /// When the store accepted it.
    pub received_at: String,
    /// Who sent it.
    pub from: String,
    /// Its subject, empty if it had none.
    pub subject: String,
    /// `message/msrp`, or [`DIRECT`](super::DIRECT) where it came without a wrapping.
    pub kind: String,
    /// The MIME type of the content.
    pub content_type: String,
    /// The name of the file it is, if it is one.
    pub file_name: Option<String>,
    /// Octets of the content.
    pub octets: u64,
    /// SHA-256 of the content.
    pub sha256: [u8; 32],
    /// The content, byte for byte; gone when dropped.
    pub content: TempPath,
}
