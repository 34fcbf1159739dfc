//! What served users say about their settings (requirements §1.15).

use std::time::Duration;

/// What is said about the seven settings (SET-08); `None`: nothing.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct SettingValues {
    /// a: sessions are refused.
    pub session_barring: Option<bool>,
    /// b: pager-mode and large messages are refused.
    pub message_barring: Option<bool>,
    /// c: the user is invisible.
    pub invisibility: Option<bool>,
    /// d: deferred messages are pushed when the user registers.
    pub offline_delivery: Option<bool>,
    /// e: conversations of sessions are stored.
    pub session_history: Option<bool>,
    /// f: conversations in pager and large message mode are stored.
    pub message_history: Option<bool>,
    /// g: file transfers are refused.
    pub file_transfer_barring: Option<bool>,
}

/// What one agent of the user says.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Entity {
    /// `id` of its element, at most 256 octets.
    pub id: String,
    /// What it says.
    pub values: SettingValues,
}

/// What a PUBLISH asks for (RFC 3903 §4.1). Tags are those of [`Published`].
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum PublishChange {
    /// A first publication; at most 16 entities, as in `Modify`.
    Initial(Vec<Entity>),
    /// Another document in the place of this one.
    Modify(String, Vec<Entity>),
    /// The same document for longer.
    Refresh(String),
    /// No document any more.
    Remove(String),
}

/// A PUBLISH as the store sees it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Publish {
    /// Canonical address of whose settings these are, or an alias.
    pub served_user: String,
    /// The asserted identity of who says so.
    pub publisher: String,
    /// What to do.
    pub change: PublishChange,
    /// How long it shall hold.
    pub lifetime: Duration,
}

/// A committed PUBLISH.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Published {
    /// SIP-ETag.
    pub entity_tag: String,
    /// For how long it holds; never more than was asked for.
    pub lifetime: Duration,
}
