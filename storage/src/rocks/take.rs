//! The next messages of a claimed mailbox, in order (P5).

use std::iter::Peekable;
use std::vec::IntoIter;

use super::database::{Reach, ReadError};
use super::query::stored_message;
use super::shared::Shared;
use super::waiting::WaitingScan;
use crate::column_family::Family;
use crate::key;
use crate::model::{ClaimToken, MailboxId, MessageNumber, Sequence, State, TakeLimit, Taken};
use crate::store::StoreError;
use crate::timekeeper::Times;
use crate::value::{self, ClaimValue, WaitingValue};

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
        after: Sequence,
        limit: TakeLimit,
        times: Times,
    ) -> Result<Vec<Taken>, StoreError> {
        let Some(claim) = self.live_claim(token)? else {
            return Ok(Vec::new());
        };
        let mut candidates = Vec::new();
        for mailbox in self.directory.mailboxes_of(token.mailbox) {
            candidates.extend(self.candidates(mailbox, token, after, limit, times)?);
        }
        candidates.sort_unstable_by_key(|candidate| candidate.number);
        let mut candidates = candidates.into_iter().peekable();
        let mut taken = Vec::new();
        let mut octets = 0;
        while let Some(candidate) = next_within(&mut candidates, &taken, octets, limit) {
            octets += candidate.octets;
            taken.extend(self.taken(candidate)?);
        }
        let numbers: Vec<_> = taken.iter().map(|t| t.message.envelope.id.number).collect();
        self.taken.add(token, claim.lease_until, &numbers);
        Ok(taken)
    }

    pub(super) fn live_claim(&self, token: ClaimToken) -> Result<Option<ClaimValue>, StoreError> {
        let row = self
            .database
            .read(Family::Claims, &key::mailbox(token.mailbox))?;
        let Some(row) = row else {
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
        token: ClaimToken,
        after: Sequence,
        limit: TakeLimit,
        times: Times,
    ) -> Result<Vec<Candidate>, StoreError> {
        let row = self.mailbox_row(mailbox)?.unwrap_or_default();
        let before_head = row.head.0.saturating_sub(1);
        let after = MessageNumber(after.0.max(before_head));
        let can_deliver = |row: &WaitingValue| {
            row.expires_at > times.wall && row.earliest_generation <= token.generation
        };
        let mut scan = WaitingScan::new(&self.database, mailbox, after, Reach::Disk);
        let mut found = Vec::new();
        let mut octets = 0u64;
        while let Some((number, row)) = scan.next().map_err(on_disk)? {
            if !can_deliver(&row) {
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

    /// One that was settled since the scan is passed over.
    fn taken(&self, candidate: Candidate) -> Result<Option<Taken>, StoreError> {
        let found = self.find_in(candidate.mailbox, candidate.number)?;
        let Some(found) = found.filter(|found| found.state.state == State::Stored) else {
            return Ok(None);
        };
        let parts = match self.inline_parts(&found.envelope) {
            Err(StoreError::NotFound) => return Ok(None),
            parts => parts?,
        };
        let mut message = stored_message(found.envelope.envelope, &found.state);
        message.state = State::Claimed;
        Ok(Some(Taken { message, parts }))
    }
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

fn on_disk(error: ReadError) -> StoreError {
    match error {
        ReadError::Failed(error) => error,
        ReadError::NeedsDisk => StoreError::Read {
            cause: "a scan stopped early".to_owned(),
        },
    }
}
