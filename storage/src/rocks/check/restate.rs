//! Writing counters anew.

use crate::key::AddressKey;
use crate::model::MailboxId;
use crate::rocks::queue::Lane;
use crate::rocks::submit::Operation;
use crate::rocks::transaction::{Interrupt, Transaction};
use crate::value::{MailboxValue, SenderValue};

/// As counted from the messages.
pub(in crate::rocks) enum Restate {
    Mailbox(MailboxId, MailboxValue),
    /// `None`: the sender has nothing stored.
    Sender(AddressKey, Option<SenderValue>),
}

impl Operation for Restate {
    type Answer = ();

    const LANE: Lane = Lane::Bulk;

    fn run(&self, transaction: &mut Transaction<'_>) -> Result<(), Interrupt> {
        match self {
            Self::Mailbox(mailbox, counted) => {
                let row = transaction.existing_mailbox(*mailbox)?;
                let right = MailboxValue {
                    version: row.version + 1,
                    last_order: row.last_order,
                    ..counted.clone()
                };
                transaction.set_mailbox(*mailbox, Some(right));
            }
            Self::Sender(sender, counted) => transaction.set_sender(*sender, *counted),
        }
        Ok(())
    }
}
