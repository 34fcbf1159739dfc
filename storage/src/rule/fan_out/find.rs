//! Finding legs that may be claimed: those whose time has come, and new ones, senders in turns.

use std::collections::HashMap;

use super::Candidate;
use crate::key::AddressKey;
use crate::model::{Address, JobClass, JobNumber, LegName, RosterEntry, UnixMillis};
use crate::rule::duplicate::{address_key, target_key, turn_key};
use crate::store::StoreError;
use crate::value::JobValue;

/// Entries of one row of a roster.
pub(crate) const ROSTER_CHUNK: usize = 256;
/// New legs of one sender before it is the turn of the next.
const TURN: u32 = 16;

/// What a search reads, as it is on disk.
pub(crate) trait Shelf {
    fn secret(&self) -> &[u8; 32];
    fn steady(&self) -> UnixMillis;
    /// Rows of the index by due time from its front until `now`, at most `limit`.
    fn due_legs(
        &self,
        class: JobClass,
        now: UnixMillis,
        limit: usize,
    ) -> Result<Vec<(UnixMillis, LegName)>, StoreError>;
    /// The time of the first row behind `now`.
    fn next_due(&self, class: JobClass, now: UnixMillis) -> Result<Option<UnixMillis>, StoreError>;
    /// The first job with unclaimed legs, of the first sender behind this one.
    fn turn(
        &self,
        class: JobClass,
        after: Option<AddressKey>,
    ) -> Result<Option<(AddressKey, JobNumber)>, StoreError>;
    fn job_value(&self, number: JobNumber) -> Result<Option<JobValue>, StoreError>;
    /// A row of the roster.
    fn roster(&self, number: JobNumber, chunk: u32) -> Result<Vec<RosterEntry>, StoreError>;
}

/// What a search has found.
#[derive(Debug, Default)]
pub(crate) struct Found {
    pub(crate) candidates: Vec<Candidate>,
    /// When the next leg becomes due, if there is no candidate.
    pub(crate) next: Option<UnixMillis>,
}

/// Searches, with what it has read.
pub(crate) struct Finder<'a, S> {
    shelf: &'a S,
    class: JobClass,
    jobs: HashMap<JobNumber, Option<JobValue>>,
    rosters: HashMap<(JobNumber, u32), Vec<RosterEntry>>,
}

impl<'a, S: Shelf> Finder<'a, S> {
    /// For legs of one class.
    pub(crate) fn new(shelf: &'a S, class: JobClass) -> Self {
        Self {
            shelf,
            class,
            jobs: HashMap::new(),
            rosters: HashMap::new(),
        }
    }

    /// Up to `limit` candidates; legs that are tried again have at most half of them while there are new
    /// ones. `last` is the sender whose turn it was.
    pub(crate) fn find(
        mut self,
        last: &mut Option<AddressKey>,
        limit: usize,
    ) -> Result<Found, StoreError> {
        let steady = self.shelf.steady();
        let mut dues = self.shelf.due_legs(self.class, steady, limit)?;
        let reserved = dues.len().min(limit / 2);
        let fresh = self.new_legs(last, limit - reserved)?;
        dues.truncate(limit - fresh.len());
        let mut candidates = Vec::new();
        for (at, name) in dues {
            candidates.extend(self.candidate(name, Some(at))?);
        }
        for name in fresh {
            candidates.extend(self.candidate(name, None)?);
        }
        let next = match candidates.is_empty() {
            true => self.shelf.next_due(self.class, steady)?,
            false => None,
        };
        Ok(Found { candidates, next })
    }

    /// The next unclaimed legs, some of each sender.
    fn new_legs(
        &mut self,
        last: &mut Option<AddressKey>,
        limit: usize,
    ) -> Result<Vec<LegName>, StoreError> {
        let mut found = Vec::new();
        let mut first = None;
        while found.len() < limit {
            let turn = match self.shelf.turn(self.class, *last)? {
                Some(turn) => Some(turn),
                None => self.shelf.turn(self.class, None)?,
            };
            let Some((sender, number)) = turn.filter(|(sender, _)| first != Some(*sender)) else {
                break;
            };
            first.get_or_insert(sender);
            *last = Some(sender);
            let Some(job) = self.job(number)? else {
                continue;
            };
            let end = job.job.counts.total.min(job.cursor.saturating_add(TURN));
            let indices = job.cursor..end;
            let names = indices.map(|index| LegName { job: number, index });
            found.extend(names.take(limit - found.len()));
        }
        Ok(found)
    }

    fn job(&mut self, number: JobNumber) -> Result<Option<&JobValue>, StoreError> {
        if !self.jobs.contains_key(&number) {
            self.jobs.insert(number, self.shelf.job_value(number)?);
        }
        Ok(self.jobs.get(&number).and_then(Option::as_ref))
    }

    /// `None` if its job is gone.
    fn candidate(
        &mut self,
        name: LegName,
        due_at: Option<UnixMillis>,
    ) -> Result<Option<Candidate>, StoreError> {
        let Some(sender) = self.job(name.job)?.map(|job| job.job.sender.clone()) else {
            return Ok(None);
        };
        let entry = self.entry(name)?;
        let secret = self.shelf.secret();
        Ok(Some(Candidate {
            name,
            class: self.class,
            target: target_key(secret, self.class, &entry.target),
            turn: turn_key(secret, self.class, &sender, &entry.target),
            entry,
            due_at,
        }))
    }

    fn entry(&mut self, name: LegName) -> Result<RosterEntry, StoreError> {
        let (chunk, place) = roster_place(name.index);
        let key = (name.job, chunk);
        if !self.rosters.contains_key(&key) {
            self.rosters
                .insert(key, self.shelf.roster(name.job, chunk)?);
        }
        let entry = self.rosters.get(&key).and_then(|roster| roster.get(place));
        entry.cloned().ok_or(StoreError::Corrupt { what: "roster" })
    }
}

/// The row of a roster that has this entry, and its place there.
pub(crate) fn roster_place(index: u32) -> (u32, usize) {
    let chunk = u32::try_from(ROSTER_CHUNK).unwrap_or(u32::MAX);
    let place = usize::try_from(index % chunk).unwrap_or(usize::MAX);
    (index / chunk, place)
}

/// The key of the sender of a job.
pub(crate) fn sender_key(secret: &[u8; 32], sender: &Address) -> AddressKey {
    address_key(secret, sender.as_str())
}
