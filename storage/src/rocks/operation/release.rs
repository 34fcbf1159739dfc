//! Giving a mailbox back (DLV-18).

use crate::model::{ClaimToken, ReleaseOutcome, Released, Sequence};
use crate::rocks::queue::Lane;
use crate::rocks::row::FirstWaiting;
use crate::rocks::shared::Shared;
use crate::rocks::submit::Operation;
use crate::rocks::transaction::{Interrupt, Transaction};
use crate::value::ClaimValue;

pub(in crate::rocks) struct Release {
    pub(in crate::rocks) claim: ClaimToken,
    pub(in crate::rocks) last_seen: Sequence,
    pub(in crate::rocks) outcome: ReleaseOutcome,
}

impl Operation for Release {
    type Answer = Released;

    const LANE: Lane = Lane::Requests;

    fn run(&self, transaction: &mut Transaction<'_>) -> Result<Released, Interrupt> {
        let current = transaction.current_claim(self.claim)?;
        let Some(claim) = current.filter(|claim| !claim.released) else {
            return Ok(Released::Superseded);
        };
        let has_failed = !self.outcome.reason.is_empty();
        if has_failed {
            let reason = &self.outcome.reason;
            transaction.record_failed_attempt(self.claim.mailbox, &claim, reason)?;
        } else if self.has_newer(transaction)? {
            return Ok(Released::LookAgain);
        }
        let released = ClaimValue {
            released: true,
            ..claim
        };
        transaction.set_claim(self.claim.mailbox, Some(released));
        Ok(Released::Released)
    }

    fn synced(&self, answer: &Released, shared: &Shared) {
        if *answer == Released::Released {
            shared.taken.end(self.claim);
        }
    }
}

impl Release {
    /// Whether this claim could deliver something newer than it has seen.
    fn has_newer(&self, transaction: &mut Transaction<'_>) -> Result<bool, Interrupt> {
        for mailbox in transaction.mailboxes_of(self.claim.mailbox) {
            let row = transaction.existing_mailbox(mailbox)?;
            let question = FirstWaiting {
                mailbox,
                after: self.last_seen,
                generation: self.claim.generation,
                order: row.last_order,
            };
            let may_have = row.deliverable > 0 && row.last_number.0 > self.last_seen.0;
            if may_have && transaction.first_waiting(question)?.is_some() {
                return Ok(true);
            }
        }
        Ok(false)
    }
}
