//! Who has a mailbox.

use proto::v1::Account;
use serde::Serialize;

use super::{ErrorRecord, Outcome};

/// One user.
#[derive(Debug, Serialize)]
pub(crate) struct UserRecord {
    pub(crate) served_user: String,
    pub(crate) aliases: Vec<String>,
    pub(crate) provisioned: bool,
}

impl From<Account> for UserRecord {
    fn from(account: Account) -> Self {
        Self {
            served_user: account.address,
            aliases: account.aliases,
            provisioned: account.provisioned,
        }
    }
}

/// One change of `user add`, `user delete` or `user alias`.
#[derive(Debug, Serialize)]
pub(crate) struct UserChangeRecord {
    pub(crate) served_user: String,
    pub(crate) alias: Option<String>,
    pub(crate) command: &'static str,
    pub(crate) outcome: Outcome,
    pub(crate) user: Option<UserRecord>,
    pub(crate) error: Option<ErrorRecord>,
}
