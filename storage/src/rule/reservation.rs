//! Uploads under way and what they reserve in their mailboxes (DEF-17, requirements §3.6). A machine:
//! time is an argument.

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use super::deposit::Usage;
use crate::model::UploadId;
use crate::store::StoreError;

/// What an upload is admitted for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Purpose<O> {
    /// A message for this owner, in whose mailbox it reserves what it announces.
    Message(O),
    /// A job; it counts for no mailbox.
    Job,
}

/// The reservations of all uploads; `O` says whose they are.
#[derive(Clone, Debug)]
pub(crate) struct Reservations<O> {
    uploads: BTreeMap<UploadId, Reservation<O>>,
    lease: Duration,
    limit: usize,
}

#[derive(Clone, Debug)]
struct Reservation<O> {
    purpose: Purpose<O>,
    octets: u64,
    max_octets: u64,
    progress: Instant,
    phase: Phase,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Phase {
    /// Octets come; it lives as long as they do.
    Open,
    /// Its message is being made durable: time does not end it any more.
    Committing,
    /// Its octets are being removed.
    Ending,
}

impl<O: PartialEq + Clone> Reservations<O> {
    /// None yet. An upload without progress for `lease` ends; at most `limit` are under way.
    pub(crate) fn new(lease: Duration, limit: usize) -> Self {
        Self {
            uploads: BTreeMap::new(),
            lease,
            limit,
        }
    }

    /// Begins an upload that reserves the first number of octets and takes the second one.
    /// [`StoreError::Overloaded`] if there are too many.
    pub(crate) fn begin(
        &mut self,
        upload: UploadId,
        purpose: Purpose<O>,
        (octets, max_octets): (u64, u64),
        now: Instant,
    ) -> Result<(), StoreError> {
        if self.uploads.len() >= self.limit {
            return Err(StoreError::Overloaded);
        }
        let reservation = Reservation {
            purpose,
            octets,
            max_octets,
            progress: now,
            phase: Phase::Open,
        };
        self.uploads.insert(upload, reservation);
        Ok(())
    }

    /// What the uploads of these owners but for `except` will add to their mailboxes.
    pub(crate) fn reserved(
        &self,
        is_theirs: impl Fn(&O) -> bool,
        except: Option<UploadId>,
        now: Instant,
    ) -> Usage {
        let mut usage = Usage::default();
        for (upload, reservation) in &self.uploads {
            let counts = Some(*upload) != except && reservation.counts(self.lease, now);
            let Purpose::Message(owner) = &reservation.purpose else {
                continue;
            };
            if counts && is_theirs(owner) {
                usage.messages += 1;
                usage.octets = usage.octets.saturating_add(reservation.octets);
            }
        }
        usage
    }

    /// Whether there is any upload at all.
    pub(crate) fn is_empty(&self) -> bool {
        self.uploads.is_empty()
    }

    fn open(&mut self, upload: UploadId, now: Instant) -> Result<&mut Reservation<O>, StoreError> {
        let lease = self.lease;
        let found = self.uploads.get_mut(&upload);
        let found = found.filter(|found| found.phase == Phase::Open && !found.is_over(lease, now));
        found.ok_or(StoreError::UnknownUpload)
    }

    /// Octets come that end at `end`: renews the lease. Says whose mailbox they are for if they are more than
    /// it reserves there.
    ///
    /// [`StoreError::UnknownUpload`] if its lease is over, [`StoreError::UploadTooLarge`] if they are
    /// more than was admitted.
    pub(crate) fn progress(
        &mut self,
        upload: UploadId,
        end: u64,
        now: Instant,
    ) -> Result<Option<O>, StoreError> {
        let reservation = self.open(upload, now)?;
        if end > reservation.max_octets {
            return Err(StoreError::UploadTooLarge);
        }
        reservation.progress = now;
        Ok(match &reservation.purpose {
            Purpose::Message(owner) if end > reservation.octets => Some(owner.clone()),
            Purpose::Message(_) | Purpose::Job => None,
        })
    }

    /// Reserves more.
    pub(crate) fn extend(&mut self, upload: UploadId, octets: u64) {
        if let Some(reservation) = self.uploads.get_mut(&upload) {
            reservation.octets = reservation.octets.max(octets);
        }
    }

    /// Its octets are all there and become a message: from now on only [`Reservations::end`] ends it.
    /// [`StoreError::OtherUpload`] if it was admitted for a job.
    pub(crate) fn begin_commit(
        &mut self,
        upload: UploadId,
        now: Instant,
    ) -> Result<(), StoreError> {
        self.commit(upload, now, |purpose| *purpose != Purpose::Job)
    }

    /// As [`Reservations::begin_commit`], of what becomes a job.
    pub(crate) fn begin_job_commit(
        &mut self,
        upload: UploadId,
        now: Instant,
    ) -> Result<(), StoreError> {
        self.commit(upload, now, |purpose| *purpose == Purpose::Job)
    }

    fn commit(
        &mut self,
        upload: UploadId,
        now: Instant,
        is_for_this: impl FnOnce(&Purpose<O>) -> bool,
    ) -> Result<(), StoreError> {
        let reservation = self.open(upload, now)?;
        if !is_for_this(&reservation.purpose) {
            return Err(StoreError::OtherUpload);
        }
        reservation.phase = Phase::Committing;
        Ok(())
    }

    /// Whether its octets may be removed now: nobody else does so, and nobody commits it.
    pub(crate) fn begin_end(&mut self, upload: UploadId) -> bool {
        match self.uploads.get_mut(&upload) {
            Some(found) if found.phase == Phase::Open => {
                found.phase = Phase::Ending;
                true
            }
            _ => false,
        }
    }

    /// Those whose lease is over; their octets may be removed now.
    pub(crate) fn lapse(&mut self, now: Instant) -> Vec<UploadId> {
        let lease = self.lease;
        let mut lapsed = Vec::new();
        for (upload, reservation) in &mut self.uploads {
            if reservation.phase == Phase::Open && reservation.is_over(lease, now) {
                reservation.phase = Phase::Ending;
                lapsed.push(*upload);
            }
        }
        lapsed
    }

    /// It is a message, or its octets are gone.
    pub(crate) fn end(&mut self, upload: UploadId) {
        self.uploads.remove(&upload);
    }

    /// Whether somebody alive looks after its octets.
    pub(crate) fn contains(&self, upload: UploadId) -> bool {
        self.uploads.contains_key(&upload)
    }
}

impl<O> Reservation<O> {
    fn is_over(&self, lease: Duration, now: Instant) -> bool {
        now.saturating_duration_since(self.progress) >= lease
    }

    fn counts(&self, lease: Duration, now: Instant) -> bool {
        match self.phase {
            Phase::Open => !self.is_over(lease, now),
            Phase::Committing => true,
            Phase::Ending => false,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const LEASE: Duration = Duration::from_secs(60);
    const FIRST: UploadId = UploadId(1);
    const SECOND: UploadId = UploadId(2);

    fn octets(uploads: &Reservations<char>, owner: char, now: Instant) -> u64 {
        uploads.reserved(|found| *found == owner, None, now).octets
    }

    #[test]
    fn what_is_reserved_counts_until_its_lease_ends() {
        let start = Instant::now();
        let mut uploads = Reservations::new(LEASE, 8);
        uploads
            .begin(FIRST, Purpose::Message('b'), (100, 100), start)
            .expect("room");
        uploads
            .begin(SECOND, Purpose::Message('c'), (7, 7), start)
            .expect("room");
        assert_eq!(octets(&uploads, 'b', start), 100);
        let later = start + LEASE - Duration::from_millis(1);
        assert_eq!(uploads.progress(FIRST, 10, later), Ok(None));
        let over = start + LEASE;
        assert_eq!(octets(&uploads, 'b', over), 100);
        assert_eq!(octets(&uploads, 'c', over), 0);
        let late = uploads.progress(SECOND, 7, over);
        assert_eq!(late, Err(StoreError::UnknownUpload));
        let late = uploads.begin_commit(SECOND, over);
        assert_eq!(late, Err(StoreError::UnknownUpload));
        assert_eq!(uploads.lapse(over), [SECOND]);
        assert_eq!(uploads.lapse(over), [], "somebody removes it already");
        assert!(uploads.contains(SECOND));
        uploads.end(SECOND);
        assert!(!uploads.contains(SECOND));
    }

    #[test]
    fn no_more_than_was_admitted_and_no_more_uploads_than_the_limit() {
        let now = Instant::now();
        let mut uploads = Reservations::new(LEASE, 1);
        uploads
            .begin(FIRST, Purpose::Message('b'), (10, 20), now)
            .expect("room");
        let too_many = uploads.begin(SECOND, Purpose::Message('b'), (1, 1), now);
        assert_eq!(too_many, Err(StoreError::Overloaded));
        assert_eq!(uploads.progress(FIRST, 10, now), Ok(None));
        assert_eq!(uploads.progress(FIRST, 11, now), Ok(Some('b')));
        let beyond = uploads.progress(FIRST, 21, now);
        assert_eq!(beyond, Err(StoreError::UploadTooLarge));
        uploads.extend(FIRST, 20);
        assert_eq!(octets(&uploads, 'b', now), 20);
        assert_eq!(uploads.reserved(|_| true, Some(FIRST), now).octets, 0);
        uploads.end(FIRST);
        assert!(uploads.is_empty());
    }

    #[test]
    fn a_commit_neither_lapses_nor_is_abandoned() {
        let now = Instant::now();
        let late = now + 2 * LEASE;
        let mut uploads = Reservations::new(LEASE, 2);
        uploads
            .begin(FIRST, Purpose::Message('b'), (10, 10), now)
            .expect("room");
        assert_eq!(uploads.begin_commit(FIRST, now), Ok(()));
        assert_eq!(uploads.lapse(late), []);
        assert!(!uploads.begin_end(FIRST));
        assert_eq!(octets(&uploads, 'b', late), 10);
        uploads
            .begin(SECOND, Purpose::Message('b'), (5, 5), now)
            .expect("room");
        assert!(uploads.begin_end(SECOND));
        let over = uploads.begin_commit(SECOND, now);
        assert_eq!(over, Err(StoreError::UnknownUpload));
        assert_eq!(octets(&uploads, 'b', now), 10, "what ends is not counted");
    }
}
