//! What a sender may do to a message that has not gone out yet (requirements §3.14).

use super::{Address, ClaimToken, MessageNumber, StoredMessage, UnixMillis};
use crate::store::Synced;

/// The wish of a sender about one of his messages.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Recall {
    /// The message.
    pub number: MessageNumber,
    /// His asserted identity; must be that of the message.
    pub sender: Address,
    /// When it shall expire, earlier than it would; `None` takes it back.
    pub expires_at: Option<UnixMillis>,
    /// Who says so, for the timeline.
    pub actor: String,
    /// Why, in his words; may be empty.
    pub reason: String,
    /// The claim under which an edge has promised not to begin to send it.
    pub withdrawn: Option<ClaimToken>,
}

/// What came of a [`Recall`].
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum RecallOutcome {
    /// It is done. The message as it is now.
    Done(Box<Synced<StoredMessage>>),
    /// A claim lives that could have it sent at any moment: nothing changed. Once its edge has promised not
    /// to begin, the wish can come again with that claim.
    Claimed(Claimant),
}

/// Who holds a mailbox.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Claimant {
    /// The claim, whose lease lives.
    pub claim: ClaimToken,
    /// The name of the edge.
    pub edge: String,
}
