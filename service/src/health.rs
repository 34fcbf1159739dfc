//! `grpc.health.v1` and the store's condition: what readiness says, for those who ask over gRPC.

use std::sync::Arc;
use std::time::Duration;

use daemon::readiness::{Condition, Readiness};
use storage::Store;
use tokio::sync::watch;
use tokio::time::{MissedTickBehavior, interval};
use tokio_util::sync::CancellationToken;
use tonic_health::ServingStatus;
use tonic_health::server::HealthReporter;

/// How often the store is asked whether it accepts something.
const LOOK_EVERY: Duration = Duration::from_secs(1);

/// How often the store is measured.
const MEASURE_EVERY: Duration = Duration::from_secs(5);

/// Why the store accepts nothing, if so, as edges are told it.
pub(crate) type Unready = watch::Receiver<Option<String>>;

/// Keeps the condition `store`, what edges are told, and the count of its disk reads as the store is, until
/// the shutdown.
pub(crate) async fn watch_store<S: Store>(
    store: Arc<S>,
    condition: Condition,
    unready: watch::Sender<Option<String>>,
    shutdown: CancellationToken,
) {
    let disk_reads = metrics::counter!("restante_store_disk_reads_total");
    let mut looks = interval(LOOK_EVERY);
    loop {
        tokio::select! {
            () = shutdown.cancelled() => return condition.not_ready("draining"),
            _ = looks.tick() => {}
        }
        let found = store.unready();
        match found.clone() {
            None => condition.ready(),
            Some(reason) => condition.not_ready(reason),
        }
        unready.send_if_modified(|known| {
            let is_news = *known != found;
            *known = found;
            is_news
        });
        disk_reads.absolute(store.disk_reads());
    }
}

/// Has the store set its gauges until the shutdown. Apart from [`watch_store`]: a disk that does not answer keeps only this
/// one waiting.
pub(crate) async fn measure_store<S: Store>(store: Arc<S>, shutdown: CancellationToken) {
    let mut looks = interval(MEASURE_EVERY);
    looks.set_missed_tick_behavior(MissedTickBehavior::Delay);
    let measuring = async {
        loop {
            looks.tick().await;
            store.measure().await;
        }
    };
    shutdown.run_until_cancelled(measuring).await;
}

/// Tells `services` and the server as a whole as serving while the process is ready and does not drain.
pub(crate) async fn follow(
    readiness: Readiness,
    reporter: HealthReporter,
    services: Vec<&'static str>,
    shutdown: CancellationToken,
) {
    let mut follower = readiness.follow();
    let mut snapshot = follower.snapshot();
    let tell = async |status| {
        for service in services.iter().copied().chain([""]) {
            reporter.set_service_status(service, status).await;
        }
    };
    loop {
        tell(match snapshot.is_ready() {
            true => ServingStatus::Serving,
            false => ServingStatus::NotServing,
        })
        .await;
        tokio::select! {
            // Whoever watches hears of it before his stream ends with the connection.
            () = shutdown.cancelled() => return tell(ServingStatus::NotServing).await,
            changed = follower.changed() => match changed {
                Some(changed) => snapshot = changed,
                None => return,
            },
        }
    }
}
