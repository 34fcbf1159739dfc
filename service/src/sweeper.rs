//! Ends what has expired and removes what has been kept long enough (requirements §3.2 no. 6).

use std::collections::BTreeSet;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use storage::model::{Clock, UnixMillis};
use storage::{Store, StoreError};
use tokio::sync::Notify;
use tokio::time::{MissedTickBehavior, interval, sleep};
use tokio_util::sync::CancellationToken;

use crate::scheduler::DepositWatch;

/// Between sweeps.
const PERIOD: Duration = Duration::from_secs(60);

/// Messages of one batch; the committer never waits longer for bulk work.
const BATCH: usize = 500;

/// Most alarms that are kept; the sweep of the minute does for the others.
const ALARMS: usize = 10_000;

/// Times at which held messages are to be offered again. In memory: after a restart the sweep of the minute finds them.
#[derive(Clone, Debug, Default)]
pub(crate) struct Alarms(Arc<AlarmTimes>);

#[derive(Debug, Default)]
struct AlarmTimes {
    times: Mutex<BTreeSet<UnixMillis>>,
    changed: Notify,
}

impl Alarms {
    /// One more.
    pub(crate) fn set(&self, time: UnixMillis) {
        let mut times = self.lock();
        if times.len() < ALARMS {
            times.insert(time);
            self.0.changed.notify_one();
        }
    }

    fn lock(&self) -> MutexGuard<'_, BTreeSet<UnixMillis>> {
        self.0.times.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Returns when the next one has come, which is forgotten.
    async fn next(&self, clock: &dyn Clock) {
        loop {
            let changed = self.0.changed.notified();
            let first = self.lock().first().copied();
            let Some(first) = first else {
                changed.await;
                continue;
            };
            let left = first.0.saturating_sub(clock.now().0);
            if left == 0 {
                self.lock().remove(&first);
                return;
            }
            tokio::select! {
                () = changed => {}
                () = sleep(Duration::from_millis(left)) => {}
            }
        }
    }
}

/// Sweeps once a minute until the shutdown, the first time at once, and at each alarm. `watch` is told of what is
/// offered again.
pub(crate) async fn run<S: Store>(
    store: Arc<S>,
    clock: Arc<dyn Clock>,
    (alarms, watch): (Alarms, DepositWatch),
    shutdown: CancellationToken,
) {
    let mut ticks = interval(PERIOD);
    ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
    loop {
        tokio::select! {
            () = shutdown.cancelled() => return,
            _ = ticks.tick() => {}
            () = alarms.next(&*clock) => {}
        }
        if let Err(error) = sweep(&*store, &*clock, &watch, &shutdown).await {
            tracing::warn!(event = "sweep.failed", %error, "sweep failed, the next one goes on");
        }
    }
}

/// All that is due, batch by batch.
async fn sweep<S: Store>(
    store: &S,
    clock: &dyn Clock,
    watch: &DepositWatch,
    shutdown: &CancellationToken,
) -> Result<(), StoreError> {
    let now = clock.now();
    while !shutdown.is_cancelled() {
        let swept = store.sweep(now, BATCH).await?;
        for number in &swept.unheld {
            // As deliverable as a new deposit (DLV-17); it may be gone again.
            if let Ok(message) = store.message(*number).await {
                watch.deposited(message.envelope.served_user);
            }
        }
        count("restante_messages_unheld_total", swept.unheld.len());
        count("restante_messages_expired_total", swept.expired.len());
        count("restante_contents_removed_total", swept.contents_removed);
        count("restante_uploads_forgotten_total", swept.uploads_forgotten);
        if !swept.more {
            break;
        }
    }
    while !shutdown.is_cancelled() {
        let (trimmed, more) = store.trim_events().await?;
        count("restante_events_trimmed_total", trimmed);
        if !more {
            break;
        }
    }
    Ok(())
}

fn count(name: &'static str, amount: usize) {
    metrics::counter!(name).increment(u64::try_from(amount).unwrap_or(u64::MAX));
}

#[cfg(test)]
mod tests {
    use storage::model::ManualClock;

    use super::*;

    #[tokio::test(start_paused = true)]
    async fn alarms_come_in_their_order_each_once() {
        let clock = ManualClock::new(UnixMillis(1_000));
        let alarms = Alarms::default();
        for time in [900, 800, 5_000] {
            alarms.set(UnixMillis(time));
        }
        alarms.next(&clock).await;
        alarms.next(&clock).await;
        let third = tokio::time::timeout(Duration::from_secs(1), alarms.next(&clock));
        assert!(third.await.is_err(), "it has not come yet");
        clock.advance(Duration::from_secs(4));
        alarms.next(&clock).await;
        assert!(alarms.lock().is_empty());
    }
}
