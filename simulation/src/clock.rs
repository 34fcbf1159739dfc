//! The clock of a history: the paused time of its runtime.

use std::sync::OnceLock;
use std::sync::atomic::{AtomicI64, Ordering};
use std::time::{Duration, Instant, SystemTime};

use storage::model::{Clock, UnixMillis};

/// When every history begins.
const EPOCH: Duration = Duration::from_secs(1_800_000_000);

static BEGUN: OnceLock<tokio::time::Instant> = OnceLock::new();

/// How far the wall clock is off, in milliseconds.
static OFF: AtomicI64 = AtomicI64::new(0);

/// The time since the history began.
#[must_use]
pub fn elapsed() -> Duration {
    BEGUN.get_or_init(tokio::time::Instant::now).elapsed()
}

/// The wall clock of all hosts.
#[must_use]
pub fn wall() -> SystemTime {
    let off = OFF.load(Ordering::Relaxed);
    let right = SystemTime::UNIX_EPOCH + EPOCH + elapsed();
    match off >= 0 {
        true => right + Duration::from_millis(off.unsigned_abs()),
        false => right - Duration::from_millis(off.unsigned_abs()),
    }
}

/// Makes the wall clock wrong by so many milliseconds.
pub fn be_off(millis: i64) {
    OFF.store(millis, Ordering::Relaxed);
}

/// The time from the beginning of the history to this one of a right clock.
#[must_use]
pub fn since_the_beginning(time: UnixMillis) -> Duration {
    Duration::from_millis(time.0).saturating_sub(EPOCH)
}

/// The clock as the store wants it.
#[derive(Clone, Copy, Debug)]
pub struct SimulatedClock;

impl Clock for SimulatedClock {
    fn now(&self) -> UnixMillis {
        let since = wall().duration_since(SystemTime::UNIX_EPOCH);
        UnixMillis::default().after(since.unwrap_or_default())
    }

    fn instant(&self) -> Instant {
        tokio::time::Instant::now().into_std()
    }
}
