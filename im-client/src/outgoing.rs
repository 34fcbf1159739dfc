//! Content to be sent by whichever procedure fits it.

use bytes::Bytes;
use sip::Response;

use crate::LargeMessage;
use crate::choice::Choice;
use crate::file::FileDescription;
use crate::pager::PagerMessage;
use crate::upload::Uploaded;

/// A message, and how to choose its procedure.
#[derive(Clone, Debug)]
pub struct Outgoing {
    /// The message as it would go in a session.
    pub message: LargeMessage,
    /// Lifetime in seconds, if the sender limits it; only a MESSAGE can say it (requirements §3.2).
    pub expires: Option<u32>,
    /// How to choose.
    pub choice: Choice,
}

impl Outgoing {
    /// The same as a pager message with this body. What only a session description can say of a file is
    /// left out.
    #[must_use]
    pub fn pager(&self, body: Bytes) -> PagerMessage {
        let file = self.message.file.as_ref();
        PagerMessage {
            envelope: self.message.envelope.clone(),
            content_type: self.message.content_type.clone(),
            body,
            disposition: file.and_then(FileDescription::content_disposition),
            expires: self.expires,
        }
    }
}

/// What became of it.
#[derive(Debug)]
pub enum Sent {
    /// It went by MESSAGE, which this response answers.
    Pager(Response),
    /// It went in a session.
    Large(Uploaded),
}
