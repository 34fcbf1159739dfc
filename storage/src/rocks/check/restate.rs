//! Writing the counters of a mailbox anew.

use crate::model::MailboxId;
use crate::rocks::queue::Lane;
use crate::rocks::submit::Operation;
use crate::rocks::transaction::{Interrupt, Transaction};
use crate::value::MailboxValue;

pub(super) struct Restate {
    pub(super) mailbox: MailboxId,
    /// As counted from the messages.
    pub(super) counted: MailboxValue,
}

impl Operation for Restate {
    type Answer = ();

    const LANE: Lane = Lane::Bulk;

    fn run(&self, transaction: &mut Transaction<'_>) -> Result<(), Interrupt> {
        let row = transaction.existing_mailbox(self.mailbox)?;
        let right = MailboxValue {
            version: row.version + 1,
            last_order: row.last_order,
            ..self.counted.clone()
        };
        transaction.set_mailbox(self.mailbox, Some(right));
        Ok(())
    }
}
