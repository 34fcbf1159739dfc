//! What files say now, read again when they change.

use std::fmt;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError, RwLock};
use std::time::{Duration, SystemTime};

use metrics::counter;
use tokio::task::spawn_blocking;
use tokio::time::{MissedTickBehavior, interval};

use crate::error::TlsError;

/// Makes it of the files.
type Load<T> = Box<dyn Fn() -> Result<T, TlsError> + Send + Sync>;

/// Something made of files. What is in use stays whole: files that cannot be used change nothing.
pub struct Reloading<T> {
    files: Vec<PathBuf>,
    load: Load<T>,
    current: RwLock<Arc<T>>,
    /// The files as they were when they were read last, whether they could be used or not.
    seen: Mutex<Vec<Stamp>>,
}

/// What changes when a file is written or replaced; none if there is no file.
type Stamp = Option<(SystemTime, u64, u64)>;

impl<T: Send + Sync + 'static> Reloading<T> {
    /// Reads for the first time, blocking.
    ///
    /// # Errors
    /// Those of `load`.
    pub fn new(files: Vec<PathBuf>, load: Load<T>) -> Result<Self, TlsError> {
        // Stamps are taken before the files are read: a change in between is found again later.
        let seen = stamps(&files);
        let current = load()?;
        Ok(Self {
            files,
            load,
            current: RwLock::new(Arc::new(current)),
            seen: Mutex::new(seen),
        })
    }

    /// What new handshakes use.
    #[must_use]
    pub fn current(&self) -> Arc<T> {
        Arc::clone(&self.current.read().unwrap_or_else(PoisonError::into_inner))
    }

    /// Reads the files again, changed or not.
    ///
    /// # Errors
    /// Those of `load`: what is in use stays.
    pub async fn reload(self: &Arc<Self>) -> Result<(), TlsError> {
        self.blocking(|own| own.load_if(|_, _| true)).await
    }

    /// Looks at the files for as long as it is polled, and reads them again when they have changed.
    pub async fn watch(self: &Arc<Self>, every: Duration) {
        let mut ticks = interval(every.max(Duration::from_millis(1)));
        ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
        loop {
            ticks.tick().await;
            self.look().await;
        }
    }

    /// Reads the files again if they have changed.
    pub async fn look(self: &Arc<Self>) {
        // What fails is told where it fails.
        let _ = self
            .blocking(|own| own.load_if(|seen, now| seen != now))
            .await;
    }

    async fn blocking(
        self: &Arc<Self>,
        work: impl FnOnce(&Self) -> Result<(), TlsError> + Send + 'static,
    ) -> Result<(), TlsError> {
        let own = Arc::clone(self);
        let done = spawn_blocking(move || work(&own)).await;
        done.unwrap_or(Err(TlsError::Interrupted))
    }

    fn load_if(&self, wanted: impl Fn(&[Stamp], &[Stamp]) -> bool) -> Result<(), TlsError> {
        // Held while the files are read, so that the newest reading comes last.
        let mut seen = self.seen.lock().unwrap_or_else(PoisonError::into_inner);
        let now = stamps(&self.files);
        if !wanted(&seen, &now) {
            return Ok(());
        }
        *seen = now;
        let loaded = (self.load)();
        told(&self.files, loaded.as_ref().err());
        let mut current = self.current.write().unwrap_or_else(PoisonError::into_inner);
        *current = Arc::new(loaded?);
        Ok(())
    }
}

impl<T> fmt::Debug for Reloading<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Reloading")
            .field("files", &self.files)
            .finish_non_exhaustive()
    }
}

/// Says how a reading went.
fn told(files: &[PathBuf], error: Option<&TlsError>) {
    let outcome = match error {
        None => {
            tracing::info!(event = "certificate.loaded", ?files, "certificates loaded");
            "loaded"
        }
        Some(error) => {
            tracing::warn!(event = "certificate.not_loaded", %error, "changed certificates cannot be used: the old ones stay");
            "failed"
        }
    };
    counter!("restante_tls_reloads_total", "outcome" => outcome).increment(1);
}

fn stamps(files: &[PathBuf]) -> Vec<Stamp> {
    files.iter().map(|file| stamp(file)).collect()
}

fn stamp(file: &Path) -> Stamp {
    let metadata = file.metadata().ok()?;
    Some((metadata.modified().ok()?, metadata.len(), metadata.ino()))
}
