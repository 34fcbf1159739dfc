//! What an operator may do to one message (STO-11).

use super::UnixMillis;

/// An order with who gave it and why; both go to the timeline.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Order {
    /// What to do.
    pub verb: Verb,
    /// Who says so.
    pub actor: String,
    /// Why, in his words; may be empty.
    pub reason: String,
}

/// The verbs.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Verb {
    /// Make a settled message, whose content is retained, deliverable again: same Message-ID, next
    /// generation (requirements §3.13).
    Redeliver,
    /// Keep a stored message back: it is counted and expires, but is not delivered.
    Hold,
    /// Keep an undelivered message back until then (`deliver_after`); another such order moves the time.
    DeliverAfter(UnixMillis),
    /// Offer a held message again.
    Unhold,
    /// End an undelivered message as expired.
    Expire,
    /// End an undelivered message, or remove a settled one's content.
    Delete,
}
