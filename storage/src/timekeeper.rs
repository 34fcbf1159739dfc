//! The times an engine works with: guarded against a wall clock that jumps.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Instant;

use crate::model::{Clock, UnixMillis};

/// One reading of all clocks.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Times {
    /// Wall-clock time that never decreases: for receipts, lifetimes and timelines.
    pub(crate) wall: UnixMillis,
    /// The wall-clock time of the opening plus the monotonic time since: for leases
    /// (requirements §3.2 no. 6).
    pub(crate) steady: UnixMillis,
    /// For deadlines.
    pub(crate) instant: Instant,
}

/// Reads a clock and guards what must not go backwards.
pub(crate) struct Timekeeper {
    clock: Arc<dyn Clock>,
    latest: AtomicU64,
    opened_at: UnixMillis,
    opened: Instant,
}

impl Timekeeper {
    /// `floor` is the latest time the store has written before: nothing will be earlier.
    pub(crate) fn new(clock: Arc<dyn Clock>, floor: UnixMillis) -> Self {
        let opened_at = clock.now().max(floor);
        Self {
            latest: AtomicU64::new(opened_at.0),
            opened_at,
            opened: clock.instant(),
            clock,
        }
    }

    /// All times, now.
    pub(crate) fn read(&self) -> Times {
        let instant = self.clock.instant();
        let now = self.clock.now().0;
        let earlier = self.latest.fetch_max(now, Ordering::AcqRel);
        Times {
            wall: UnixMillis(earlier.max(now)),
            steady: self
                .opened_at
                .after(instant.saturating_duration_since(self.opened)),
            instant,
        }
    }
}
