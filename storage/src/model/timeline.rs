//! What happened to a message, when, by whom and why (P8). No content.

use super::{Generation, UnixMillis};

/// One entry of a timeline.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Event {
    /// When.
    pub at: UnixMillis,
    /// What.
    pub kind: EventKind,
    /// The claim it happened under, if any.
    pub generation: Option<Generation>,
    /// Who: an edge, an operator; empty for the store itself.
    pub actor: String,
    /// Why or how, for people.
    pub detail: String,
}

/// What can happen to a message. The number is the one on disk.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[repr(u8)]
pub enum EventKind {
    /// Accepted.
    Deposited = 1,
    /// The same message came again and was answered alike.
    DuplicateAbsorbed = 2,
    /// Taken out for an attempt.
    Claimed = 3,
    /// An attempt failed.
    AttemptFailed = 4,
    /// Acknowledged by the client.
    Delivered = 5,
    /// Refused for good.
    Refused = 6,
    /// Lifetime over.
    Expired = 7,
    /// Kept back.
    Held = 8,
    /// Offered again.
    Unheld = 9,
    /// To be delivered once more.
    Redelivered = 10,
    /// Taken back by its sender.
    Recalled = 11,
    /// Removed.
    Deleted = 12,
    /// Content removed at the end of its retention.
    ContentRemoved = 13,
    /// Its sender has shortened its lifetime.
    ExpiryShortened = 14,
    /// A report to its sender is to be sent (IMD rows).
    ReportMade = 15,
    /// A report has come to its sender, or to a store that keeps it for him.
    ReportSent = 16,
    /// A report was refused, or its time was over.
    ReportDropped = 17,
    /// Removed from a full mailbox for a newer one.
    Dropped = 20,
    /// Taken over from another store, which had accepted it.
    Imported = 21,
}
