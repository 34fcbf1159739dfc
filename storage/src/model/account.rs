//! Accounts: which addresses belong together, and what their user does not take (STO-12, PFM-08).

use super::{Address, MailboxId};

/// Which kinds of message the served user has barred (PFM-08).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub struct Barring {
    /// Pager-mode messages are refused.
    pub pager: bool,
    /// Large messages are refused.
    pub large: bool,
    /// Large messages that transfer a file are refused (DEF-19).
    pub file_transfer: bool,
}

/// An account as operators see it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Account {
    /// Its mailbox.
    pub mailbox: MailboxId,
    /// The address it was made for.
    pub address: Address,
    /// Further addresses of the same user, in the order they were learned (REG-04).
    pub aliases: Vec<Address>,
    /// Made by an operator, not by a deposit or a registration.
    pub provisioned: bool,
    /// What its user does not take now.
    pub barring: Barring,
}
