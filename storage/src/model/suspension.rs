//! Users and domains to whom nothing is delivered for a while.

use super::{Address, UnixMillis};

/// Most suspensions at a time.
pub const SUSPENSIONS_MAX: usize = 1_000;

/// To whom nothing is delivered.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Suspended {
    /// The account of this address.
    User(Address),
    /// Every account whose address is of this domain, in lower case.
    Domain(String),
}

/// A suspension. It ends by itself.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Suspension {
    /// To whom nothing is delivered.
    pub target: Suspended,
    /// Since when.
    pub since: UnixMillis,
    /// Until when.
    pub until: UnixMillis,
    /// Who says so.
    pub actor: String,
    /// Why, in his words; may be empty.
    pub reason: String,
}
