//! Uploads under way, for operators.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Instant;

use storage::model::UploadId;

/// All of them; clones share them.
#[derive(Clone, Debug, Default)]
pub(crate) struct UploadsUnderWay(Arc<Mutex<BTreeMap<u64, Upload>>>);

#[derive(Clone, Debug)]
struct Upload {
    begun: Instant,
    octets: Arc<AtomicU64>,
}

/// One of them, until it is dropped.
#[derive(Debug)]
pub(super) struct UnderWay {
    all: UploadsUnderWay,
    upload: u64,
    octets: Arc<AtomicU64>,
}

impl UploadsUnderWay {
    /// One more.
    pub(super) fn begin(&self, upload: UploadId, begun: Instant) -> UnderWay {
        let octets = Arc::new(AtomicU64::new(0));
        let one = Upload {
            begun,
            octets: Arc::clone(&octets),
        };
        self.lock().insert(upload.0, one);
        UnderWay {
            all: self.clone(),
            upload: upload.0,
            octets,
        }
    }

    /// Up to `limit` of them, the oldest first: which, since when, and octets that have come.
    pub(crate) fn list(&self, limit: usize) -> Vec<(u64, Instant, u64)> {
        let all = self.lock();
        let some = all.iter().take(limit);
        some.map(|(upload, one)| (*upload, one.begun, one.octets.load(Ordering::Relaxed)))
            .collect()
    }

    fn lock(&self) -> MutexGuard<'_, BTreeMap<u64, Upload>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl UnderWay {
    /// More octets have come.
    pub(super) fn grow(&self, octets: usize) {
        self.octets.fetch_add(octets as u64, Ordering::Relaxed);
    }
}

impl Drop for UnderWay {
    fn drop(&mut self) {
        self.all.lock().remove(&self.upload);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn upload_is_listed_until_it_ends() {
        let all = UploadsUnderWay::default();
        let begun = crate::now();
        let one = all.begin(UploadId(7), begun);
        one.grow(100);
        one.grow(50);
        assert_eq!(all.list(10), [(7, begun, 150)]);
        assert_eq!(all.list(0), []);
        drop(one);
        assert_eq!(all.list(10), []);
    }
}
