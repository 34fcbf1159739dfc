//! Ends what has expired and removes what has been kept long enough (requirements §3.2 no. 6).

use std::sync::Arc;
use std::time::Duration;

use storage::model::Clock;
use storage::{Store, StoreError};
use tokio::time::{MissedTickBehavior, interval};
use tokio_util::sync::CancellationToken;

/// Between sweeps.
const PERIOD: Duration = Duration::from_secs(60);

/// Messages of one batch; the committer never waits longer for bulk work.
const BATCH: usize = 500;

/// Sweeps once a minute until the shutdown, the first time at once.
pub(crate) async fn run<S: Store>(
    store: Arc<S>,
    clock: Arc<dyn Clock>,
    shutdown: CancellationToken,
) {
    let mut ticks = interval(PERIOD);
    ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
    loop {
        tokio::select! {
            () = shutdown.cancelled() => return,
            _ = ticks.tick() => {}
        }
        if let Err(error) = sweep(&*store, &*clock, &shutdown).await {
            tracing::warn!(%error, "sweep failed, the next one goes on");
        }
    }
}

/// All that is due, batch by batch.
async fn sweep<S: Store>(
    store: &S,
    clock: &dyn Clock,
    shutdown: &CancellationToken,
) -> Result<(), StoreError> {
    let now = clock.now();
    while !shutdown.is_cancelled() {
        let swept = store.sweep(now, BATCH).await?;
        count("restante_messages_expired_total", swept.expired.len());
        count("restante_contents_removed_total", swept.contents_removed);
        count("restante_uploads_forgotten_total", swept.uploads_forgotten);
        if !swept.more {
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
    use storage::model::{SystemClock, UnixMillis};
    use storage::{MemoryStore, StoreConfig};

    use super::*;

    #[tokio::test]
    async fn a_sweep_of_nothing_ends() {
        let store = MemoryStore::new(StoreConfig::default(), SystemClock);
        let swept = sweep(&store, &SystemClock, &CancellationToken::new()).await;
        assert_eq!(swept, Ok(()));
        assert!(SystemClock.now() > UnixMillis(0));
    }
}
