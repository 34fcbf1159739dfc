//! The next messages of a claimed mailbox, in order (P5).

use std::iter::Peekable;
use std::vec::IntoIter;

use super::counting::is_deliverable;
use super::database::{Reach, ReadError};
use super::query::stored_message;
use super::shared::Shared;
use super::waiting::WaitingScan;
use crate::column_family::Family;
use crate::key;
use crate::model::{
    ClaimToken, Claimant, Device, MailboxId, MessageNumber, Sequence, State, TakeLimit, Taken,
};
use crate::rule::device;
use crate::store::StoreError;
use crate::timekeeper::Times;
use crate::value::{self, ClaimValue, StateValue, WaitingValue};

/// What is copied on an async thread, if it is in memory: some 100 µs at most.
const FEW_MESSAGES: usize = 16;
const FEW_OCTETS: u64 = 64 << 10;

/// A message that a take may return.
#[derive(Clone, Copy)]
struct Candidate {
    number: MessageNumber,
    mailbox: MailboxId,
    octets: u64,
}

impl Shared {
    pub(super) fn take(
        &self,
        token: ClaimToken,
        device: Option<&Device>,
        (after, limit): (Sequence, TakeLimit),
        times: Times,
        reach: Reach,
    ) -> Result<Vec<Taken>, ReadError> {
        let Some(claim) = self.live_claim(token, reach)? else {
            return Ok(Vec::new());
        };
        let can_deliver = |mailbox, number, row: &WaitingValue| {
            let may_go = row.expires_at > times.wall && row.earliest_generation <= token.generation;
            Ok::<_, ReadError>(match device {
                _ if !may_go => false,
                Some(device) => !row.done.contains(device),
                None => row.done.is_empty() || self.waits(mailbox, number, reach)?,
            })
        };
        let mut mailboxes = Vec::new();
        for mailbox in self.directory.mailboxes_of(token.mailbox) {
            let row = self.mailbox_row(mailbox, reach)?.unwrap_or_default();
            mailboxes.push((mailbox, row));
        }
        // Read before the scans: they see everything until there.
        let last = mailboxes.iter().map(|(_, row)| row.last_number).max();
        let mut candidates = Vec::new();
        for (mailbox, row) in mailboxes {
            let before_head = row.head.0.saturating_sub(1);
            let after = MessageNumber(after.0.max(before_head));
            candidates.extend(self.candidates(mailbox, after, limit, can_deliver, reach)?);
        }
        if device.is_some() && candidates.is_empty() {
            let until = Sequence(last.unwrap_or_default().0);
            self.taken.looked(token, claim.lease_until, until);
        }
        if reach == Reach::Memory && !are_few(&candidates) {
            return Err(ReadError::NeedsDisk);
        }
        candidates.sort_unstable_by_key(|candidate| candidate.number);
        let mut candidates = candidates.into_iter().peekable();
        let mut taken = Vec::new();
        let mut octets = 0;
        while let Some(candidate) = next_within(&mut candidates, &taken, octets, limit) {
            octets += candidate.octets;
            taken.extend(self.taken(candidate, device, reach)?);
        }
        let numbers: Vec<_> = taken.iter().map(|t| t.message.envelope.id.number).collect();
        self.taken.add(token, claim.lease_until, &numbers);
        Ok(taken)
    }

    /// Who holds the account of a mailbox under a claim whose lease lives.
    pub(super) fn claimant(
        &self,
        mailbox: MailboxId,
        reach: Reach,
    ) -> Result<Option<Claimant>, ReadError> {
        let mailbox = self.directory.owner(mailbox);
        let place = key::mailbox(mailbox);
        let Some(row) = self.database.get(Family::Claims, &place, reach)? else {
            return Ok(None);
        };
        let claim: ClaimValue = value::decode(&row)?;
        Ok(claimant(mailbox, claim, self.times.read()))
    }

    pub(super) fn live_claim(
        &self,
        token: ClaimToken,
        reach: Reach,
    ) -> Result<Option<ClaimValue>, ReadError> {
        let place = key::mailbox(token.mailbox);
        let Some(row) = self.database.get(Family::Claims, &place, reach)? else {
            return Ok(None);
        };
        let claim: ClaimValue = value::decode(&row)?;
        let is_live = claim.generation == token.generation && !claim.released;
        Ok(Some(claim).filter(|_| is_live))
    }

    /// As many deliverable messages of one mailbox as the limit could take.
    fn candidates(
        &self,
        mailbox: MailboxId,
        after: MessageNumber,
        limit: TakeLimit,
        can_deliver: impl Fn(MailboxId, MessageNumber, &WaitingValue) -> Result<bool, ReadError>,
        reach: Reach,
    ) -> Result<Vec<Candidate>, ReadError> {
        let mut scan = WaitingScan::new(&self.database, mailbox, after, reach);
        let mut found = Vec::new();
        let mut octets = 0u64;
        while let Some((number, row)) = scan.next()? {
            if !can_deliver(mailbox, number, &row)? {
                continue;
            }
            found.push(Candidate {
                number,
                mailbox,
                octets: row.octets,
            });
            octets = octets.saturating_add(row.octets);
            if found.len() >= limit.messages.max(1) || octets > limit.octets {
                break;
            }
        }
        Ok(found)
    }

    /// Whether a message waits that has a row in `Waiting`: one that a device has may wait for others alone.
    pub(super) fn waits(
        &self,
        mailbox: MailboxId,
        number: MessageNumber,
        reach: Reach,
    ) -> Result<bool, ReadError> {
        let found = self.find_in(mailbox, number, reach)?;
        Ok(found.is_some_and(|found| found.state.state == State::Stored))
    }

    /// One that was settled since the scan is passed over.
    fn taken(
        &self,
        candidate: Candidate,
        device: Option<&Device>,
        reach: Reach,
    ) -> Result<Option<Taken>, ReadError> {
        let found = self.find_in(candidate.mailbox, candidate.number, reach)?;
        let may_go = |state: &StateValue| match device {
            Some(device) => is_deliverable(state) && !device::is_done(&state.devices, device),
            None => state.state == State::Stored,
        };
        let Some(found) = found.filter(|found| may_go(&found.state)) else {
            return Ok(None);
        };
        let parts = match self.inline_parts(&found.envelope, reach) {
            Err(ReadError::Failed(StoreError::NotFound)) => return Ok(None),
            parts => parts?,
        };
        let mut message = stored_message(found.envelope.envelope, &found.state);
        message.state = State::Claimed;
        Ok(Some(Taken { message, parts }))
    }
}

/// Who holds a mailbox that was last claimed so.
pub(super) fn claimant(mailbox: MailboxId, claim: ClaimValue, times: Times) -> Option<Claimant> {
    let is_live = !claim.released && claim.lease_until > times.steady;
    is_live.then_some(Claimant {
        claim: ClaimToken {
            mailbox,
            generation: claim.generation,
        },
        edge: claim.edge,
    })
}

/// The next candidate that fits; the first always does.
fn next_within(
    candidates: &mut Peekable<IntoIter<Candidate>>,
    taken: &[Taken],
    octets: u64,
    limit: TakeLimit,
) -> Option<Candidate> {
    candidates.next_if(|next| {
        let fits =
            taken.len() < limit.messages && next.octets <= limit.octets.saturating_sub(octets);
        fits || taken.is_empty()
    })
}

/// Whether they can be copied on an async thread.
fn are_few(candidates: &[Candidate]) -> bool {
    let octets: u64 = candidates.iter().map(|candidate| candidate.octets).sum();
    candidates.len() <= FEW_MESSAGES && octets <= FEW_OCTETS
}
