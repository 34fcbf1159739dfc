//! Wall-clock instants as they are stored, and where they come from.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

/// A stored wall-clock instant: milliseconds since 1970-01-01T00:00:00Z, never negative.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct UnixMillis(pub u64);

impl UnixMillis {
    /// The instant `duration` later; saturates at the end of time.
    #[must_use]
    pub fn after(self, duration: Duration) -> Self {
        let millis = u64::try_from(duration.as_millis()).unwrap_or(u64::MAX);
        Self(self.0.saturating_add(millis))
    }

    /// How long ago `earlier` was; zero if it lies ahead.
    #[must_use]
    pub fn since(self, earlier: Self) -> Duration {
        Duration::from_millis(self.0.saturating_sub(earlier.0))
    }
}

/// Where the store takes the time from; passed in, so that tests and the simulation own it.
pub trait Clock: Send + Sync + 'static {
    /// The current wall-clock time. May jump; the store guards what must not go backwards.
    fn now(&self) -> UnixMillis;

    /// The current monotonic time, for leases and deadlines (requirements §3.2 no. 6).
    fn instant(&self) -> Instant {
        Instant::now()
    }
}

impl<C: Clock + ?Sized> Clock for Arc<C> {
    fn now(&self) -> UnixMillis {
        (**self).now()
    }

    fn instant(&self) -> Instant {
        (**self).instant()
    }
}

/// The clock of the operating system.
#[derive(Clone, Copy, Debug, Default)]
pub struct SystemClock;

impl Clock for SystemClock {
    fn now(&self) -> UnixMillis {
        let elapsed = SystemTime::now()
            .duration_since(UNIX_EPOCH)
            .unwrap_or_default();
        UnixMillis::default().after(elapsed)
    }
}

/// A clock that stands until it is moved, for tests and the simulation. Share it in an `Arc`.
#[derive(Debug)]
pub struct ManualClock {
    wall: AtomicU64,
    elapsed: AtomicU64,
    origin: Instant,
}

impl ManualClock {
    /// A clock that shows `now`.
    #[must_use]
    pub fn new(now: UnixMillis) -> Self {
        Self {
            wall: AtomicU64::new(now.0),
            elapsed: AtomicU64::new(0),
            origin: Instant::now(),
        }
    }

    /// Lets time pass: both the wall clock and the monotonic one.
    pub fn advance(&self, duration: Duration) {
        let millis = UnixMillis::default().after(duration).0;
        self.wall.fetch_add(millis, Ordering::SeqCst);
        self.elapsed.fetch_add(millis, Ordering::SeqCst);
    }

    /// Makes the wall clock jump, in either direction; no time passes.
    pub fn jump_to(&self, now: UnixMillis) {
        self.wall.store(now.0, Ordering::SeqCst);
    }
}

impl Clock for ManualClock {
    fn now(&self) -> UnixMillis {
        UnixMillis(self.wall.load(Ordering::SeqCst))
    }

    fn instant(&self) -> Instant {
        self.origin + Duration::from_millis(self.elapsed.load(Ordering::SeqCst))
    }
}
