//! Large messages from admission to commit: what waits, and on which thread.

use std::sync::Arc;
use std::time::Instant;

use bytes::Bytes;

use super::RocksStore;
use super::committer::Job;
use super::database::Reach;
use super::operation::admit::{Admit, Extend};
use super::operation::deposit::{Decided, DepositMessage};
use super::operation::fan_out::{AcceptJob, Accepted};
use super::queue::Queues;
use super::shared::Shared;
use super::submit::{Operation, submit};
use super::uploads::{Body, Finished};
use crate::key::AddressKey;
use crate::model::{
    Admission, AdmissionOutcome, ClaimToken, DepositOutcome, JobOutcome, LargeDeposit, LargeJob,
    MessageNumber, Refusal, UploadId,
};
use crate::rule::blocks::MOST_OCTETS;
use crate::rule::reservation::Reservations;
use crate::store::StoreError;

/// Octets that are staged in one go.
const STEP_OCTETS: usize = 256 << 10;

impl RocksStore {
    pub(super) async fn admit_upload(
        &self,
        admission: Admission,
    ) -> Result<AdmissionOutcome, StoreError> {
        self.submit(Admit::new(admission, &self.shared)).await
    }

    pub(super) async fn stage_octets(
        &self,
        upload: UploadId,
        mut offset: u64,
        mut octets: Bytes,
    ) -> Result<Result<(), Refusal>, StoreError> {
        while !octets.is_empty() {
            let step = octets.split_to(octets.len().min(STEP_OCTETS));
            let end = offset.checked_add(step.len() as u64);
            let end = end.filter(|end| *end <= MOST_OCTETS);
            let end = end.ok_or(StoreError::UploadTooLarge)?;
            if let Err(refusal) = self.reserve(upload, end).await? {
                return Ok(Err(refusal));
            }
            self.stage_step(upload, offset, step).await?;
            offset = end;
        }
        Ok(Ok(()))
    }

    /// Renews the lease, and reserves more if more has come than was announced. A disk that has filled
    /// up meanwhile takes nothing more: a flush that finds no place would latch the store.
    async fn reserve(&self, upload: UploadId, end: u64) -> Result<Result<(), Refusal>, StoreError> {
        self.shared.check_writable()?;
        let uploads = &self.shared.uploads;
        let now = self.shared.times.read().instant;
        let more = uploads.reservations().progress(upload, end, now)?;
        if self.shared.free_space.is_full() {
            return Ok(Err(Refusal::DiskFull));
        }
        match more {
            None => Ok(Ok(())),
            Some(address) => {
                let extend = Extend {
                    upload,
                    address,
                    octets: end,
                };
                self.submit(extend).await
            }
        }
    }

    async fn stage_step(
        &self,
        upload: UploadId,
        offset: u64,
        octets: Bytes,
    ) -> Result<(), StoreError> {
        let uploads = &self.shared.uploads;
        let mut content = uploads.content(upload)?.lock_owned().await;
        if content.add_in_memory(offset, &octets)? {
            return Ok(());
        }
        let room = uploads.flusher.room(content.blocks_for(octets.len()));
        let mut room = room.await.map_err(|error| self.shared.why(error))?;
        let shared = Arc::clone(&self.shared);
        let staging = move || content.stage(offset, &octets, &shared, &mut room);
        uploads.stagers.run(staging).await?
    }

    /// In a task of its own: whatever becomes of who asked, it is carried out to its end.
    pub(super) async fn commit_octets<C: Committable>(
        &self,
        upload: UploadId,
        what: C,
    ) -> Result<C::Outcome, StoreError> {
        let (shared, queues) = (Arc::clone(&self.shared), Arc::clone(&self.queues));
        let committing = tokio::spawn(commit(shared, queues, upload, what));
        committing.await.map_err(|_| StoreError::Closed)?
    }

    pub(super) async fn forget_upload(&self, upload: UploadId) {
        if self.shared.uploads.reservations().begin_end(upload) {
            self.remove(upload).await;
        }
    }

    async fn remove(&self, upload: UploadId) {
        let removing = tokio::spawn(remove(Arc::clone(&self.shared), upload));
        drop(removing.await);
    }

    /// Forgets uploads whose lease is over and the rows of those that died with their process. Returns
    /// how many, and whether there are more.
    pub(super) async fn sweep_uploads(&self) -> Result<(usize, bool), StoreError> {
        let now = self.shared.times.read().instant;
        let lapsed = self.shared.uploads.reservations().lapse(now);
        for upload in &lapsed {
            self.remove(*upload).await;
        }
        let (orphans, more) = self.read(move |shared| shared.sweep_orphans(now)).await?;
        Ok((lapsed.len() + orphans, more))
    }
}

/// What an upload may become.
pub(super) trait Committable: Send + 'static {
    /// Decides and writes, with the octets.
    type Operation: Operation;
    type Outcome: Send + 'static;

    /// Octets that must have come.
    fn octets(&self) -> u64;

    /// Nothing but the commit ends the upload from now on.
    fn begin(
        reservations: &mut Reservations<AddressKey>,
        upload: UploadId,
        now: Instant,
    ) -> Result<(), StoreError>;

    fn operation(
        self,
        upload: UploadId,
        finished: Finished,
        shared: &Shared,
    ) -> Result<Self::Operation, StoreError>;

    /// To be called after the sync. With whether the staged rows have an owner now.
    fn outcome(answer: <Self::Operation as Operation>::Answer) -> (Self::Outcome, bool);
}

impl Committable for LargeDeposit {
    type Operation = DepositMessage;
    type Outcome = DepositOutcome;

    fn octets(&self) -> u64 {
        self.octets
    }

    fn begin(
        reservations: &mut Reservations<AddressKey>,
        upload: UploadId,
        now: Instant,
    ) -> Result<(), StoreError> {
        reservations.begin_commit(upload, now)
    }

    fn operation(
        self,
        upload: UploadId,
        finished: Finished,
        shared: &Shared,
    ) -> Result<DepositMessage, StoreError> {
        let deposit = self.into_deposit(finished.sha256);
        let group = shared.group_of(deposit.leg, &deposit.served_user, Reach::Disk)?;
        let body = (finished.body, finished.key);
        Ok(DepositMessage::of_upload(
            upload,
            (deposit, group),
            body,
            shared,
        ))
    }

    fn outcome(answer: Decided) -> (DepositOutcome, bool) {
        let outcome = answer.into_outcome();
        let is_owned = matches!(
            outcome,
            DepositOutcome::Stored(_) | DepositOutcome::IdReused(_)
        );
        (outcome, is_owned)
    }
}

impl Committable for LargeJob {
    type Operation = AcceptJob;
    type Outcome = JobOutcome;

    fn octets(&self) -> u64 {
        self.octets
    }

    fn begin(
        reservations: &mut Reservations<AddressKey>,
        upload: UploadId,
        now: Instant,
    ) -> Result<(), StoreError> {
        reservations.begin_job_commit(upload, now)
    }

    fn operation(
        self,
        upload: UploadId,
        finished: Finished,
        shared: &Shared,
    ) -> Result<AcceptJob, StoreError> {
        Ok(AcceptJob::of_upload(upload, self, finished, shared))
    }

    fn outcome(answer: Accepted) -> (JobOutcome, bool) {
        let outcome = answer.into_outcome();
        let is_owned = matches!(outcome, JobOutcome::Accepted(_));
        (outcome, is_owned)
    }
}

async fn commit<C: Committable>(
    shared: Arc<Shared>,
    queues: Arc<Queues<Job>>,
    upload: UploadId,
    what: C,
) -> Result<C::Outcome, StoreError> {
    shared.check_writable()?;
    let now = shared.times.read().instant;
    let begun = C::begin(&mut shared.uploads.reservations(), upload, now);
    if let Err(error) = begun {
        if error == StoreError::OtherUpload && shared.uploads.reservations().begin_end(upload) {
            remove(shared, upload).await;
        }
        return Err(error);
    }
    match commit_whole(&shared, &queues, upload, what).await {
        // The rows are the content of the message or job now.
        Ok((outcome, true)) => {
            shared.uploads.end(upload);
            Ok(outcome)
        }
        Ok((outcome, false)) => {
            remove(shared, upload).await;
            Ok(outcome)
        }
        // Whether there is a message nobody knows before the next opening: until then the upload stays
        // one, so that no sweep takes the rows of a message that is on disk.
        Err(error @ (StoreError::Latched { .. } | StoreError::Closed)) => {
            drop(shared.uploads.close(upload));
            Err(error)
        }
        Err(error) => {
            remove(shared, upload).await;
            Err(error)
        }
    }
}

async fn commit_whole<C: Committable>(
    shared: &Arc<Shared>,
    queues: &Queues<Job>,
    upload: UploadId,
    what: C,
) -> Result<(C::Outcome, bool), StoreError> {
    let uploads = &shared.uploads;
    let mut content = uploads.content(upload)?.lock_owned().await;
    let room = uploads.flusher.room(1).await;
    let mut room = room.map_err(|error| shared.why(error))?;
    let finishing = uploads.stagers.run({
        let (shared, octets) = (Arc::clone(shared), what.octets());
        move || content.finish(octets, &shared, &mut room)
    });
    let finished = finishing.await??;
    // What is staged is on disk before the batch that goes through the log, and no copy is made in between.
    let _commit = match finished.body {
        Body::Staged => {
            let commit = uploads.commits.read().await;
            let flushed = uploads.flusher.flush().await;
            flushed.map_err(|error| shared.why(error))?;
            Some(commit)
        }
        Body::Memory(_) => None,
    };
    // It may read the disk.
    let making = tokio::task::spawn_blocking({
        let shared = Arc::clone(shared);
        move || what.operation(upload, finished, &shared)
    });
    let operation = making.await.map_err(|_| StoreError::Closed)??;
    let answer = submit(shared, queues, operation).await?;
    Ok(C::outcome(answer))
}

/// Removes an upload that has become nothing, and its rows. Whoever is still adding to it finishes first.
async fn remove(shared: Arc<Shared>, upload: UploadId) {
    let content = shared.uploads.close(upload);
    let content = match content {
        Some(content) => Some(content.lock_owned().await),
        None => None,
    };
    let removing = tokio::task::spawn_blocking(move || {
        drop(content);
        if let Err(error) = shared.unstage(upload) {
            // The walk for orphans will find them.
            tracing::warn!(event = "upload.not_removed", %error, "octets of an upload stay until they are swept");
        }
        shared.uploads.end(upload);
    });
    drop(removing.await);
}

impl Shared {
    /// What has ended the flusher.
    fn why(&self, error: StoreError) -> StoreError {
        self.check_writable().err().unwrap_or(error)
    }

    /// Whether a claim is not superseded and covers a message.
    pub(super) fn holds(
        &self,
        claim: ClaimToken,
        number: MessageNumber,
    ) -> Result<bool, StoreError> {
        let mailbox = self.find(number)?.envelope.envelope.mailbox;
        let mailboxes = self.directory.mailboxes_of(claim.mailbox);
        Ok(mailboxes.contains(&mailbox) && self.live_claim(claim, Reach::Disk)?.is_some())
    }
}
