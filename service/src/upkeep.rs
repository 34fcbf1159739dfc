//! Upkeep of the store beside the load: backups, checks, compaction; what operators ask for, and checkpoints by the clock.

mod rpc;

use std::fmt;
use std::future::Future;
use std::io;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use metrics::{counter, gauge};
use storage::model::Clock;
use storage::upkeep::{Compacted, Walk};
use storage::{CheckReport, Store, StoreError};
use tokio::sync::{RwLock, Semaphore};
use tokio::time::{MissedTickBehavior, interval};
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

pub(crate) use self::rpc::Maintenance;
use crate::backup::{Backup, Backups, Begun, Kind, Scrap};
use crate::config::Config;

/// Where copies lie until they are looked at or shipped: on the file system of the store.
const COPIES: &str = "copies";

/// The upkeep of a store.
pub(crate) struct Upkeep<S> {
    store: Arc<S>,
    clock: Arc<dyn Clock>,
    backups: Option<Backups>,
    every: Option<Duration>,
    copies: PathBuf,
    /// Written to by who clears up, read by who may have a copy or half a backup there.
    clearing: RwLock<()>,
    streams: TaskTracker,
    shutdown: CancellationToken,
    turns: Turns,
}

/// One of each at a time.
struct Turns {
    backup: Arc<Semaphore>,
    check: Arc<Semaphore>,
    compact: Arc<Semaphore>,
}

/// A backup, and what was found in it if it was read.
struct Made {
    backup: Backup,
    report: Option<CheckReport>,
}

/// Why it was not done.
#[derive(Debug)]
enum NotMade {
    Store(StoreError),
    /// The folder of backups, or that of copies.
    Folder(io::Error),
}

impl NotMade {
    /// The name of this in metrics: what was ended, as by a shutdown, has not failed.
    fn result(&self) -> &'static str {
        match self {
            Self::Store(StoreError::Aborted) => "aborted",
            Self::Store(_) | Self::Folder(_) => "failed",
        }
    }
}

impl From<StoreError> for NotMade {
    fn from(error: StoreError) -> Self {
        Self::Store(error)
    }
}

impl From<io::Error> for NotMade {
    fn from(error: io::Error) -> Self {
        // What a walk has ended comes through functions of files.
        let ended = error.get_ref().and_then(|inner| inner.downcast_ref());
        match ended {
            Some(ended @ StoreError::Aborted) => Self::Store(ended.clone()),
            _ => Self::Folder(error),
        }
    }
}

impl fmt::Display for NotMade {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Store(error) => error.fmt(f),
            Self::Folder(error) => write!(f, "the folder cannot be written to: {error}"),
        }
    }
}

impl<S: Store> Upkeep<S> {
    pub(crate) fn new(
        store: Arc<S>,
        clock: Arc<dyn Clock>,
        config: &Config,
        (streams, shutdown): (TaskTracker, CancellationToken),
    ) -> Self {
        let maintenance = &config.maintenance;
        let folder = maintenance.backups.clone();
        let turn = || Arc::new(Semaphore::new(1));
        Self {
            store,
            clock,
            backups: folder.map(|folder| Backups::new(folder, maintenance.keep)),
            every: maintenance.every,
            copies: config.process.data_dir.join(COPIES),
            clearing: RwLock::new(()),
            streams,
            shutdown,
            turns: Turns {
                backup: turn(),
                check: turn(),
                compact: turn(),
            },
        }
    }

    /// Removes what an earlier process has left, then makes checkpoints by the clock until the shutdown.
    pub(crate) async fn run(self: Arc<Self>) {
        // Without either nothing is asked of a thread, whose end no virtual time knows.
        if self.backups.is_some() || self.copies.exists() {
            self.clear().await;
        }
        if let Some(every) = self.every {
            self.checkpoints(every).await;
        }
    }

    /// Removes what an earlier process has left, and tells of the last backups.
    async fn clear(&self) {
        // Not what somebody who was asked before is making.
        let alone = self.clearing.write().await;
        let (copies, backups, now) = (self.copies.clone(), self.backups.clone(), self.clock.now());
        // What stays does no harm but to the space, and its place is cleared before it is needed.
        let known = tokio::task::spawn_blocking(move || {
            let _ = std::fs::remove_dir_all(copies);
            backups.map_or(Ok(Vec::new()), |backups| {
                backups.remove_partial()?;
                backups.list(now)
            })
        });
        let known = known.await;
        drop(alone);
        match known {
            Ok(Ok(known)) if self.backups.is_some() => tell_last(&known),
            Ok(Err(error)) => {
                tracing::warn!(event = "backup.folder_unreadable", %error, "the folder of backups cannot be read");
            }
            _ => {}
        }
    }

    async fn checkpoints(self: Arc<Self>, every: Duration) {
        let mut times = interval(every);
        times.set_missed_tick_behavior(MissedTickBehavior::Skip);
        loop {
            tokio::select! {
                () = self.shutdown.cancelled() => return,
                _ = times.tick() => {}
            }
            // A backup that is being made is as good as a checkpoint.
            let Ok(turn) = Arc::clone(&self.turns.backup).try_acquire_owned() else {
                continue;
            };
            let upkeep = Arc::clone(&self);
            // In a task of its own, so that a drain waits for it.
            let making = self.streams.spawn(async move {
                let walk = Arc::new(Walk::default());
                let made = upkeep.make(Kind::Checkpoint, Arc::clone(&walk));
                match ended_by(&upkeep.shutdown, &walk, made).await {
                    // What a shutdown has ended is made by the next process.
                    Ok(_) | Err(NotMade::Store(StoreError::Aborted)) => {}
                    Err(error) => {
                        tracing::warn!(event = "backup.no_checkpoint", %error, "no checkpoint");
                    }
                }
                drop(turn);
            });
            // It does not panic, and is not aborted.
            let _ = making.await;
        }
    }

    /// Makes a backup; one that an operator asks for is read too.
    async fn make(&self, kind: Kind, walk: Arc<Walk>) -> Result<Made, NotMade> {
        let made = self.make_uncounted(kind, walk).await;
        let result = result(&made);
        if let (Ok(made), "made") = (&made, result) {
            tell(&made.backup);
        }
        counter!("restante_backups_total", "kind" => kind.word(), "result" => result).increment(1);
        made
    }

    async fn make_uncounted(&self, kind: Kind, walk: Arc<Walk>) -> Result<Made, NotMade> {
        let _beside = self.clearing.read().await;
        let backups = self.folder()?.clone();
        let begun = Begun {
            kind,
            began_at: self.clock.now(),
            hostname: self.store.hostname().to_owned(),
        };
        let copy = self.copy("backup").await?;
        let (taker, shipping) = (backups.clone(), Arc::clone(&walk));
        let unsealed = blocking(move || taker.take(copy, begun, &shipping)).await?;
        let report = match kind {
            Kind::Checkpoint => None,
            Kind::Backup => {
                let checking = self.store.check_copy(unsealed.folder().to_owned(), walk);
                match checking.await {
                    Ok(report) => Some(report),
                    Err(error) => {
                        remove(unsealed).await;
                        return Err(error.into());
                    }
                }
            }
        };
        let is_verified = report.as_ref().is_some_and(CheckReport::is_sound);
        let ended_at = self.clock.now();
        let backup = blocking(move || backups.seal(unsealed, is_verified, ended_at)).await?;
        let octets = backup.manifest.octets();
        tracing::info!(event = "backup.made", name = %backup.name, octets, "a backup is made");
        Ok(Made { backup, report })
    }

    /// A copy of the store of this moment, in a place of its own.
    async fn copy(&self, purpose: &str) -> Result<Scrap, NotMade> {
        let (copies, copy) = (self.copies.clone(), self.copies.join(purpose));
        let place = copy.clone();
        blocking(move || {
            std::fs::create_dir_all(copies)?;
            match std::fs::remove_dir_all(&place) {
                Err(error) if error.kind() != io::ErrorKind::NotFound => Err(error),
                _ => Ok(()),
            }
        })
        .await?;
        self.store.copy_to(copy.clone()).await?;
        Ok(Scrap::new(copy))
    }

    async fn check(&self, walk: Arc<Walk>) -> Result<CheckReport, NotMade> {
        let checked = self.check_uncounted(walk).await;
        let result = match &checked {
            Ok(report) if report.is_sound() => "sound",
            Ok(_) => "unsound",
            Err(error) => error.result(),
        };
        counter!("restante_store_checks_total", "result" => result).increment(1);
        checked
    }

    async fn check_uncounted(&self, walk: Arc<Walk>) -> Result<CheckReport, NotMade> {
        let _beside = self.clearing.read().await;
        let copy = self.copy("check").await?;
        let checked = self.store.check_copy(copy.path().to_owned(), walk).await;
        remove(copy).await;
        Ok(checked?)
    }

    async fn compact(&self, walk: Arc<Walk>) -> Result<Compacted, NotMade> {
        let compacted = self.store.compact(walk).await?;
        let Compacted {
            octets_before,
            octets_after,
        } = compacted;
        tracing::info!(
            event = "store.compacted",
            octets_before,
            octets_after,
            "the store is compacted"
        );
        Ok(compacted)
    }

    /// What is there.
    async fn list(&self) -> Result<Vec<Backup>, NotMade> {
        let (backups, now) = (self.folder()?.clone(), self.clock.now());
        blocking(move || backups.list(now)).await
    }

    fn folder(&self) -> Result<&Backups, StoreError> {
        let no_folder = || StoreError::Precondition {
            reason: "no folder for backups is configured: maintenance.backups".to_owned(),
        };
        self.backups.as_ref().ok_or_else(no_folder)
    }
}

/// What came of a backup, as metrics name it.
fn result(made: &Result<Made, NotMade>) -> &'static str {
    let is_sound = |made: &Made| made.report.as_ref().is_none_or(CheckReport::is_sound);
    match made {
        Ok(made) if is_sound(made) => "made",
        Ok(_) => "unsound",
        Err(error) => error.result(),
    }
}

/// Does what blocks.
async fn blocking<T: Send + 'static>(
    work: impl FnOnce() -> io::Result<T> + Send + 'static,
) -> Result<T, NotMade> {
    let done = tokio::task::spawn_blocking(work).await;
    Ok(done.map_err(|_| StoreError::Closed)??)
}

/// Drops what removes its files then.
async fn remove(files: impl Send + 'static) {
    // Where the runtime is going, the next process removes them.
    let _ = tokio::task::spawn_blocking(move || drop(files)).await;
}

/// Does work that a shutdown ends at the next step of its walk.
async fn ended_by<T>(
    shutdown: &CancellationToken,
    walk: &Walk,
    work: impl Future<Output = T>,
) -> T {
    tokio::pin!(work);
    tokio::select! {
        done = &mut work => return done,
        () = shutdown.cancelled() => walk.abort(),
    }
    work.await
}

/// Sets the gauges of the last backup of each kind to what lies there; zero where there is none, so that alerts see it.
fn tell_last(known: &[Backup]) {
    for kind in Kind::ALL {
        let mut of_kind = known.iter().filter(|backup| backup.manifest.kind == kind);
        match of_kind.find(|backup| backup.is_complete && backup.is_good()) {
            Some(last) => tell(last),
            None => gauge!("restante_backup_last_success_timestamp_seconds", "kind" => kind.word())
                .set(0.0),
        }
    }
}

#[allow(
    clippy::cast_precision_loss,
    reason = "gauges are floating-point numbers"
)]
fn tell(backup: &Backup) {
    let manifest = &backup.manifest;
    let kind = manifest.kind.word();
    gauge!("restante_backup_last_success_timestamp_seconds", "kind" => kind)
        .set(manifest.began_at.0 as f64 / 1_000.0);
    gauge!("restante_backup_duration_seconds", "kind" => kind).set(manifest.took.as_secs_f64());
    gauge!("restante_backup_bytes", "kind" => kind).set(manifest.octets() as f64);
    gauge!("restante_backup_new_bytes", "kind" => kind).set(manifest.new_octets as f64);
}

#[cfg(test)]
mod tests {
    use daemon::config::{Document, Environment};
    use storage::model::SystemClock;
    use storage::{MemoryStore, StoreConfig};

    use super::*;

    #[tokio::test]
    async fn what_somebody_is_making_is_not_cleared_away() {
        let data = tempfile::tempdir().expect("a folder");
        let store = MemoryStore::new(StoreConfig::default(), SystemClock);
        let mut config = Config::read(&mut Document::load(None, Environment::default()));
        config.process.data_dir = data.path().to_owned();
        let tracked = (TaskTracker::new(), CancellationToken::new());
        let upkeep = Upkeep::new(Arc::new(store), Arc::new(SystemClock), &config, tracked);
        let upkeep = Arc::new(upkeep);
        let copy = data.path().join(COPIES).join("check");
        std::fs::create_dir_all(&copy).expect("made");
        let beside = upkeep.clearing.read().await;
        let clearing = tokio::spawn(Arc::clone(&upkeep).run());
        let is_waiting = async {
            // Who clears has come when nobody else is let in beside him.
            while upkeep.clearing.try_read().is_ok() {
                tokio::task::yield_now().await;
            }
        };
        is_waiting.await;
        assert!(copy.exists());
        drop(beside);
        clearing.await.expect("no panic");
        assert!(!copy.exists());
    }

    #[tokio::test]
    async fn a_shutdown_ends_work_that_goes_on() {
        let shutdown = CancellationToken::new();
        let walk = Walk::default();
        let work = async {
            while walk.step(1).is_ok() {
                tokio::task::yield_now().await;
            }
            "ended"
        };
        shutdown.cancel();
        assert_eq!(ended_by(&shutdown, &walk, work).await, "ended");
        assert_eq!(result(&Err(StoreError::Aborted.into())), "aborted");
        assert_eq!(result(&Err(StoreError::Closed.into())), "failed");
        let error = io::Error::other(StoreError::Aborted);
        let ended = NotMade::from(error);
        assert!(
            matches!(ended, NotMade::Store(StoreError::Aborted)),
            "{ended}"
        );
    }
}
