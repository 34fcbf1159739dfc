//! What a served user does with his deferred messages himself (requirements §3.14).

use crate::PushJob;
use crate::message::Message;

/// One page of what waits for a user.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct DeferredPage {
    /// In the order of the mailbox.
    pub messages: Vec<Message>,
    /// Where the next page begins; `None` at the end.
    pub next: Option<String>,
    /// Of the mailbox, before the page was read.
    pub version: u64,
}

/// A mailbox claimed for one of its messages.
#[derive(Debug)]
pub struct ClaimedMessage {
    /// To take, acknowledge and release by. Its claim is renewed like those of pushes.
    pub job: PushJob,
    /// The place of the message in the mailbox.
    pub sequence: u64,
}
