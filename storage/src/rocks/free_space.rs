//! Whether the disk is above its high-water mark (requirements §3.6).

use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::{Duration, Instant};

/// How long a measurement counts.
const INTERVAL: Duration = Duration::from_secs(1);

/// Looks at the file system at most once per second; asking costs nothing in between.
pub(super) struct FreeSpace {
    folder: PathBuf,
    reserve: u64,
    origin: Instant,
    /// Milliseconds since `origin` at which to look again.
    next: AtomicU64,
    is_full: AtomicBool,
}

impl FreeSpace {
    pub(super) fn new(folder: &Path, reserve: u64) -> Self {
        Self {
            folder: folder.to_owned(),
            reserve,
            origin: Instant::now(),
            next: AtomicU64::new(0),
            is_full: AtomicBool::new(false),
        }
    }

    /// Whether fewer octets are free than the reserve asks for.
    pub(super) fn is_full(&self) -> bool {
        let elapsed = millis(self.origin.elapsed());
        let next = self.next.load(Ordering::Relaxed);
        if elapsed >= next {
            let after = elapsed + millis(INTERVAL);
            self.next.store(after, Ordering::Relaxed);
            self.measure();
        }
        self.is_full.load(Ordering::Relaxed)
    }

    /// A file system that does not answer counts as it did before.
    fn measure(&self) {
        if let Ok(stat) = rustix::fs::statvfs(&self.folder) {
            let free = stat.f_bavail.saturating_mul(stat.f_frsize);
            self.is_full.store(free < self.reserve, Ordering::Relaxed);
        }
    }
}

fn millis(duration: Duration) -> u64 {
    u64::try_from(duration.as_millis()).unwrap_or(u64::MAX)
}
