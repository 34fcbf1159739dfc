//! Whether the disk is above its high-water mark (requirements §3.6).

use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

/// How long a measurement counts: uploads do not write more than the reserve meanwhile.
const INTERVAL: Duration = Duration::from_millis(100);

/// Looks at the file system once per interval at most; asking costs nothing in between.
pub(super) struct FreeSpace {
    folder: PathBuf,
    reserve: u64,
    origin: Instant,
    /// Milliseconds since `origin` at which to look again.
    next: AtomicU64,
    /// Free octets as last seen.
    free: AtomicU64,
}

impl FreeSpace {
    pub(super) fn new(folder: &Path, reserve: u64) -> Self {
        Self {
            folder: folder.to_owned(),
            reserve,
            origin: Instant::now(),
            next: AtomicU64::new(0),
            free: AtomicU64::new(u64::MAX),
        }
    }

    /// Whether fewer octets are free than the reserve asks for.
    pub(super) fn is_full(&self) -> bool {
        self.has_no_room_for(0)
    }

    /// Whether fewer octets would be free than the reserve asks for, if so many more were written.
    pub(super) fn has_no_room_for(&self, octets: u64) -> bool {
        self.free() < self.reserve.saturating_add(octets)
    }

    /// What work that can wait is to leave free: the reserve. Where less than twice as much is free now, half of that: work that
    /// gives space back is done in little space too.
    pub(super) fn floor(&self) -> u64 {
        self.reserve.min(self.free() / 2)
    }

    /// Octets that are free.
    pub(super) fn free(&self) -> u64 {
        let elapsed = millis(self.origin.elapsed());
        let next = self.next.load(Ordering::Relaxed);
        if elapsed >= next {
            let after = elapsed + millis(INTERVAL);
            self.next.store(after, Ordering::Relaxed);
            self.measure();
        }
        self.free.load(Ordering::Relaxed)
    }

    /// As if the disk had filled up.
    #[cfg(test)]
    pub(super) fn pretend_full(&self) {
        self.next.store(u64::MAX, Ordering::Relaxed);
        self.free.store(0, Ordering::Relaxed);
    }

    /// A file system that does not answer counts as it did before.
    fn measure(&self) {
        if let Ok(stat) = rustix::fs::statvfs(&self.folder) {
            let free = stat.f_bavail.saturating_mul(stat.f_frsize);
            self.free.store(free, Ordering::Relaxed);
        }
    }
}

fn millis(duration: Duration) -> u64 {
    u64::try_from(duration.as_millis()).unwrap_or(u64::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_would_not_leave_the_reserve_free_has_no_room() {
        let folder = tempfile::tempdir().expect("there is place for tests");
        let none = FreeSpace::new(folder.path(), 0);
        assert!(!none.is_full());
        assert!(!none.has_no_room_for(1));
        assert!(none.has_no_room_for(u64::MAX));
        let all = FreeSpace::new(folder.path(), u64::MAX);
        assert!(all.is_full());
        assert_eq!(none.floor(), 0);
        let half = all.free() / 2;
        assert!(all.floor().abs_diff(half) < half / 2, "{}", all.floor());
    }
}
