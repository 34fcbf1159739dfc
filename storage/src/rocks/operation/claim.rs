//! Claiming a mailbox and renewing a claim (requirements §3.13).

use std::time::Duration;

use crate::column_family::Family;
use crate::key::{self, Due, DueKind};
use crate::model::{
    ClaimGrant, ClaimRequest, ClaimToken, Generation, MailboxId, Sequence, UnixMillis,
};
use crate::rocks::queue::Lane;
use crate::rocks::shared::Shared;
use crate::rocks::submit::Operation;
use crate::rocks::transaction::{Interrupt, Transaction};
use crate::store::StoreError;
use crate::value::{self, AttemptValue, ClaimValue};

pub(in crate::rocks) struct Claim(pub(in crate::rocks) ClaimRequest);

impl Operation for Claim {
    /// With the end of the lease.
    type Answer = (ClaimGrant, UnixMillis);

    const LANE: Lane = Lane::Requests;

    fn run(&self, transaction: &mut Transaction<'_>) -> Result<Self::Answer, Interrupt> {
        let mailbox = self.0.mailbox;
        if transaction.mailbox(mailbox)?.is_none() {
            return Err(StoreError::NotFound.into());
        }
        let earlier = transaction.claim(mailbox)?;
        let generation = earlier.as_ref().map_or(0, |claim| claim.generation.0);
        let unreleased = earlier.filter(|claim| !claim.released);
        let steady = transaction.times.steady;
        let nothing = UnixMillis::default();
        if unreleased.as_ref().is_some_and(|c| c.lease_until > steady) {
            return Ok((ClaimGrant::Busy, nothing));
        }
        let token = ClaimToken {
            mailbox,
            generation: Generation(generation + 1),
        };
        // Nobody's phone shall ring for what has expired (requirements §3.2 no. 4).
        if !transaction.has_deliverable(mailbox)
            || !transaction.can_deliver(token, Sequence::default())?
        {
            return Ok((ClaimGrant::Empty, nothing));
        }
        if let Some(lapsed) = unreleased {
            transaction.record_failed_attempt(mailbox, &lapsed, "the lease ran out")?;
        }
        let claim = ClaimValue {
            generation: token.generation,
            claimed_at: transaction.times.wall,
            lease_until: steady.after(self.0.lease),
            released: false,
            edge: self.0.edge.clone(),
        };
        let lease_until = claim.lease_until;
        transaction.set_claim(mailbox, Some(claim));
        Ok((ClaimGrant::Granted(token), lease_until))
    }

    fn synced(&self, (grant, lease_until): &Self::Answer, shared: &Shared) {
        if let ClaimGrant::Granted(token) = grant {
            shared.taken.begin(*token, *lease_until);
        }
    }
}

/// Extends the lease of a claim.
pub(in crate::rocks) struct Renew {
    pub(in crate::rocks) claim: ClaimToken,
    pub(in crate::rocks) lease: Duration,
}

impl Operation for Renew {
    /// The new end of the lease, unless the claim has ended.
    type Answer = Option<UnixMillis>;

    const LANE: Lane = Lane::Requests;

    fn run(&self, transaction: &mut Transaction<'_>) -> Result<Self::Answer, Interrupt> {
        let current = transaction.current_claim(self.claim)?;
        let Some(claim) = current.filter(|claim| !claim.released) else {
            return Ok(None);
        };
        let lease_until = transaction.times.steady.after(self.lease);
        let renewed = ClaimValue {
            lease_until,
            ..claim
        };
        transaction.set_claim(self.claim.mailbox, Some(renewed));
        Ok(Some(lease_until))
    }

    fn synced(&self, answer: &Self::Answer, shared: &Shared) {
        if let Some(lease_until) = answer {
            shared.taken.renew(self.claim, *lease_until);
        }
    }
}

impl Transaction<'_> {
    /// The claim that the token names, unless a newer one has superseded it.
    pub(in crate::rocks) fn current_claim(
        &mut self,
        token: ClaimToken,
    ) -> Result<Option<ClaimValue>, Interrupt> {
        let claim = self.claim(token.mailbox)?;
        Ok(claim.filter(|claim| claim.generation == token.generation))
    }

    /// Notes that a delivery as a whole has failed: an event of every message that waits.
    pub(in crate::rocks) fn record_failed_attempt(
        &mut self,
        mailbox: MailboxId,
        claim: &ClaimValue,
        reason: &str,
    ) -> Result<(), Interrupt> {
        for id in self.mailboxes_of(mailbox) {
            let mut row = self.existing_mailbox(id)?;
            if row.deliverable == 0 {
                continue;
            }
            row.last_order += 1;
            self.append_attempt(id, row.last_order, claim, reason);
            self.set_mailbox(id, Some(row));
        }
        Ok(())
    }

    /// Kept until no message that waits now can have a timeline any more.
    fn append_attempt(&mut self, mailbox: MailboxId, order: u64, claim: &ClaimValue, reason: &str) {
        let at = self.times.wall;
        let retention = &self.shared.bounds().retention;
        let until = at.after(retention.max).after(retention.timeline);
        self.append(Family::Attempts, key::attempt(mailbox, order), || {
            value::encode(&AttemptValue {
                at,
                generation: claim.generation,
                edge: claim.edge.clone(),
                reason: reason.to_owned(),
            })
        });
        self.append_due(Due {
            at: until,
            what: DueKind::Attempt(mailbox, order),
        });
    }
}
