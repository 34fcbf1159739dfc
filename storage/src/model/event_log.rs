//! What the event log tells.

use super::{Address, Class, Event, MessageId, Priority, State, UnixMillis};

/// A place in the event log. Later entries have higher ones, with gaps, also after a restart and after going back to a
/// backup.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct LogPosition(pub u64);

/// What happened to a message, and what of the message others need who act on it. No content.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LogEntry {
    /// Its place.
    pub position: LogPosition,
    /// What happened. Neither claims nor absorbed copies nor the end of a content are told.
    pub event: Event,
    /// The message.
    pub message: MessageId,
    /// The served user it was accepted for.
    pub served_user: Address,
    /// The asserted identity of the sender; `None` also if he wants privacy.
    pub sender: Option<Address>,
    /// Its class.
    pub class: Class,
    /// Its priority.
    pub priority: Priority,
    /// Octets of its content.
    pub octets: u64,
    /// Its state afterwards.
    pub state: State,
    /// When it expires if undelivered.
    pub expires_at: UnixMillis,
    /// The served user had a live binding then.
    pub registered: bool,
}

/// Some entries, in order.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct LogPage {
    /// The entries.
    pub entries: Vec<LogEntry>,
    /// Entries between the position that was asked for and these have been removed.
    pub lost: bool,
}
