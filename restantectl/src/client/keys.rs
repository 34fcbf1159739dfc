//! Master keys, and what is forgotten with its key.

use proto::v1::{EraseAccountReply, EraseAccountRequest, GetKeysRequest, Keys, RotateKeysRequest};

use super::{Client, finish};
use crate::exit::Failure;
use crate::target::Address;

impl Client {
    /// The master keys.
    pub(crate) async fn keys(&mut self) -> Result<Keys, Failure> {
        let request = self.request(GetKeysRequest {});
        let answer = self.keys.get_keys(request);
        finish(&self.server, self.deadline, answer).await
    }

    /// Has the master keys read again, and everything wrapped by the current one.
    pub(crate) async fn rotate_keys(&mut self) -> Result<Keys, Failure> {
        let request = self.request(RotateKeysRequest {});
        let answer = self.keys.rotate_keys(request);
        finish(&self.server, self.deadline, answer).await
    }

    /// Forgets an account with everything it has, and the key of its mailbox.
    pub(crate) async fn erase_account(
        &mut self,
        user: &Address,
        reason: &str,
    ) -> Result<EraseAccountReply, Failure> {
        let request = self.request(EraseAccountRequest {
            address: user.to_string(),
            reason: reason.to_owned(),
        });
        let answer = self.accounts.erase_account(request);
        finish(&self.server, self.deadline, answer).await
    }
}
