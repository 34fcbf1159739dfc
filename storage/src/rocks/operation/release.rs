//! Giving a mailbox back (DLV-18).

use crate::model::{ClaimToken, ReleaseOutcome, Released, Sequence};
use crate::rocks::queue::Lane;
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
        // A device that has everything has looked further than the edge knows, and what others have still to get who
        // were tried in vain brings nothing to look at.
        let looked_until = transaction.shared.taken.looked_until(self.claim);
        let last_seen = self.last_seen.max(looked_until);
        let has_failed = !self.outcome.reason.is_empty();
        if has_failed {
            let reason = &self.outcome.reason;
            transaction.record_failed_attempt(self.claim.mailbox, &claim, reason)?;
        } else if transaction.can_deliver(self.claim, last_seen)? {
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
