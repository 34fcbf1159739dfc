//! Deleting an undelivered message for its served user (requirements §3.14).

use super::order::CarryOut;
use crate::model::{Address, MessageNumber, Order, StoredMessage, Verb};
use crate::rocks::queue::Lane;
use crate::rocks::submit::Operation;
use crate::rocks::transaction::{Interrupt, Transaction};
use crate::rule::order::{OWNER, stale};
use crate::store::StoreError;

pub(in crate::rocks) struct DeleteOwn {
    pub(in crate::rocks) owner: Address,
    pub(in crate::rocks) number: MessageNumber,
    pub(in crate::rocks) version: Option<u64>,
}

impl Operation for DeleteOwn {
    type Answer = StoredMessage;

    const LANE: Lane = Lane::Requests;

    fn run(&self, transaction: &mut Transaction<'_>) -> Result<StoredMessage, Interrupt> {
        let not_found = || Interrupt::Failed(StoreError::NotFound);
        let key = transaction.shared.address_key(&self.owner);
        let owner = transaction.mailbox_of(key)?.ok_or_else(not_found)?;
        let own = transaction.mailboxes_of(owner);
        let location = transaction.location(self.number)?.ok_or_else(not_found)?.0;
        let loaded = match own.contains(&location) {
            true => transaction.load(location, self.number)?,
            false => None,
        };
        if loaded.is_none_or(|loaded| loaded.state.state.is_settled()) {
            return Err(not_found());
        }
        let mut version = 0;
        for mailbox in own {
            version += transaction.existing_mailbox(mailbox)?.version;
        }
        if self.version.is_some_and(|seen| seen != version) {
            return Err(stale().into());
        }
        let order = Order {
            verb: Verb::Delete,
            actor: OWNER.to_owned(),
            reason: String::new(),
        };
        let number = self.number;
        CarryOut { number, order }.run(transaction)
    }
}
