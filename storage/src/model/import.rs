//! Taking over messages that another store has accepted.

use super::{Deposit, Refusal, UnixMillis};

/// A message of another store, with what that store has promised for it.
#[derive(Clone, Debug)]
pub struct Import {
    /// What is stored. Its key tells it from all other messages that are taken over for its user; lifetime, deadline and
    /// report request are not looked at: the other store has answered the sender.
    pub deposit: Deposit,
    /// When the other store accepted it.
    pub received_at: UnixMillis,
    /// When it expires there. It does so here too, unless `retention.max` from now comes first.
    pub expires_at: UnixMillis,
    /// What a rehearsal counts as stored for the same user already.
    pub ahead: Ahead,
}

/// Messages of one user that a rehearsal of an import has come by before.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Ahead {
    /// Messages of the same class: notifications, or all others.
    pub messages: u64,
    /// Octets of messages of all classes.
    pub octets: u64,
}

/// Who takes messages over, for their timelines.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Importer {
    /// An operator.
    pub actor: String,
    /// Why; may be empty.
    pub reason: String,
}

/// What would become of a message that is taken over.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ImportForecast {
    /// It would be stored.
    Stored,
    /// It is there already.
    Duplicate,
    /// It would be refused.
    Refused(Refusal),
}
