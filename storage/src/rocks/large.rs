//! Large messages from admission to commit: what waits, and on which thread.

use std::sync::Arc;

use bytes::Bytes;

use super::RocksStore;
use super::committer::Job;
use super::database::Reach;
use super::operation::admit::{Admit, Extend};
use super::operation::deposit::DepositMessage;
use super::queue::Queues;
use super::shared::Shared;
use super::submit::submit;
use super::uploads::{Body, Finished};
use crate::model::{
    Admission, AdmissionOutcome, ClaimToken, DepositOutcome, LargeDeposit, MessageNumber, Refusal,
    UploadId,
};
use crate::rule::blocks::MOST_OCTETS;
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
    pub(super) async fn commit_octets(
        &self,
        upload: UploadId,
        deposit: LargeDeposit,
    ) -> Result<DepositOutcome, StoreError> {
        let (shared, queues) = (Arc::clone(&self.shared), Arc::clone(&self.queues));
        let committing = tokio::spawn(commit(shared, queues, upload, deposit));
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

async fn commit(
    shared: Arc<Shared>,
    queues: Arc<Queues<Job>>,
    upload: UploadId,
    deposit: LargeDeposit,
) -> Result<DepositOutcome, StoreError> {
    shared.check_writable()?;
    let now = shared.times.read().instant;
    shared.uploads.reservations().begin_commit(upload, now)?;
    let outcome = commit_whole(&shared, &queues, upload, deposit).await;
    match &outcome {
        // The rows are the content of the message now.
        Ok(DepositOutcome::Stored(_)) => shared.uploads.end(upload),
        // Whether there is a message nobody knows before the next opening: until then the upload stays
        // one, so that no sweep takes the rows of a message that is on disk.
        Err(StoreError::Latched { .. } | StoreError::Closed) => drop(shared.uploads.close(upload)),
        _ => remove(shared, upload).await,
    }
    outcome
}

async fn commit_whole(
    shared: &Arc<Shared>,
    queues: &Queues<Job>,
    upload: UploadId,
    deposit: LargeDeposit,
) -> Result<DepositOutcome, StoreError> {
    let uploads = &shared.uploads;
    let mut content = uploads.content(upload)?.lock_owned().await;
    let room = uploads.flusher.room(1).await;
    let mut room = room.map_err(|error| shared.why(error))?;
    let finishing = uploads.stagers.run({
        let (shared, octets) = (Arc::clone(shared), deposit.octets);
        move || content.finish(octets, &shared, &mut room)
    });
    let Finished { sha256, body } = finishing.await??;
    if let Body::Staged = body {
        let flushed = uploads.flusher.flush().await;
        flushed.map_err(|error| shared.why(error))?;
    }
    let deposit = deposit.into_deposit(sha256);
    let operation = DepositMessage::of_upload(upload, deposit, body, shared);
    Ok(submit(shared, queues, operation).await?.into_outcome())
}

/// Removes an upload that is no message, and its rows. Whoever is still adding to it finishes first.
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
            tracing::warn!(%error, "octets of an upload stay until they are swept");
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
