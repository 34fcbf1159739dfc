//! Staged rows without a message: left behind by a process that died in the middle of an upload.
//! Found in a slow walk over the family, from upload to upload.

use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

use crate::column_family::Family;
use crate::key;
use crate::model::UploadId;
use crate::rocks::shared::Shared;
use crate::store::StoreError;

/// Uploads looked at in one step.
const STEP: usize = 256;
/// From the end of a walk to the next.
const PAUSE: Duration = Duration::from_secs(3_600);

/// How far the walk is. The first one begins with the first sweep.
#[derive(Default)]
pub(in crate::rocks) struct Cursor(Mutex<Walk>);

#[derive(Default)]
struct Walk {
    next: u64,
    not_before: Option<Instant>,
}

impl Shared {
    /// Removes the rows of uploads that nobody knows any more, a bounded step per call. Returns how
    /// many uploads were removed and whether the walk goes on.
    pub(in crate::rocks) fn sweep_orphans(
        &self,
        now: Instant,
    ) -> Result<(usize, bool), StoreError> {
        let walk = &self.uploads.orphans.0;
        let mut walk = walk.lock().unwrap_or_else(PoisonError::into_inner);
        if walk.not_before.is_some_and(|not_before| now < not_before) {
            return Ok((0, false));
        }
        let mut removed = 0;
        for _ in 0..STEP {
            let Some(upload) = self.next_staged(UploadId(walk.next))? else {
                walk.next = 0;
                walk.not_before = Some(now + PAUSE);
                return Ok((removed, false));
            };
            walk.next = upload.0.saturating_add(1);
            if !self.is_owned(upload)? {
                self.unstage(upload)?;
                removed += 1;
            }
        }
        walk.not_before = None;
        Ok((removed, true))
    }

    /// Removes the rows of all of them.
    pub(in crate::rocks) fn remove_orphans(&self) -> Result<usize, StoreError> {
        let mut removed = 0;
        let mut from = UploadId(0);
        while let Some(upload) = self.next_staged(from)? {
            from = UploadId(upload.0.saturating_add(1));
            if !self.is_owned(upload)? {
                self.unstage(upload)?;
                removed += 1;
            }
        }
        Ok(removed)
    }

    /// The first upload from `from` on with a row.
    pub(in crate::rocks) fn next_staged(
        &self,
        from: UploadId,
    ) -> Result<Option<UploadId>, StoreError> {
        let lower = key::block(from, 0);
        let mut scan = self.database.scan(Family::Large, &lower, None);
        scan.step(|key, _| key::decode_block(key).map(|(upload, _)| upload))
    }

    /// Whether the rows belong to a message, or to an upload that is under way. Asked in this order:
    /// an upload is ended after its message is on disk.
    fn is_owned(&self, upload: UploadId) -> Result<bool, StoreError> {
        if self.uploads.contains(upload) {
            return Ok(true);
        }
        let owner = self
            .database
            .read(Family::Large, &key::block(upload, key::OWNER_BLOCK))?;
        Ok(owner.is_some())
    }

    /// Removes the rows of an upload that is no message's.
    pub(in crate::rocks) fn unstage(&self, upload: UploadId) -> Result<(), StoreError> {
        let (lower, upper) = key::blocks(upload);
        self.database.unstage(Family::Large, &lower, &upper)
    }
}
