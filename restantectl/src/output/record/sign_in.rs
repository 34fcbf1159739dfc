//! The way into the web console.

use proto::v1::{ConsoleRole, CreateSignInReply};
use serde::Serialize;

use super::word;
use crate::moment::rfc3339;

/// A token that signs its holder in, and where.
#[derive(Debug, Serialize)]
pub(crate) struct SignInRecord {
    pub(crate) url: String,
    pub(crate) token: String,
    pub(crate) roles: Vec<String>,
    pub(crate) expires_at: Option<String>,
}

impl From<CreateSignInReply> for SignInRecord {
    fn from(reply: CreateSignInReply) -> Self {
        let name =
            |role: &i32| word::<ConsoleRole>(*role, ConsoleRole::as_str_name, "CONSOLE_ROLE_");
        Self {
            roles: reply.roles.iter().map(name).collect(),
            url: reply.url,
            token: reply.token,
            expires_at: rfc3339(reply.expires_at),
        }
    }
}
