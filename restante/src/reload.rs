//! Reading the configuration again while the process runs.

use std::path::PathBuf;
use std::sync::{Mutex, MutexGuard, PoisonError};

use daemon::config::{Changed, Changes, Setting};
use daemon::control::Configured;
use daemon::log::FilterControl;
use tokio::signal::unix::{SignalKind, signal};

use crate::config::{Config, Loaded};

/// Lets a part be as another configuration says, as far as it may change while it runs.
type Taker = Box<dyn Fn(&Config) + Send + Sync>;

/// The configuration of a process that runs.
pub(crate) struct Reloading {
    path: Option<PathBuf>,
    is_laptop: bool,
    log: FilterControl,
    state: Mutex<State>,
}

struct State {
    /// What holds.
    settings: Vec<Setting>,
    takers: Vec<Taker>,
}

impl Reloading {
    pub(crate) fn new(
        (path, is_laptop): (Option<PathBuf>, bool),
        settings: Vec<Setting>,
        log: FilterControl,
    ) -> Self {
        let takers = Vec::new();
        Self {
            path,
            is_laptop,
            log,
            state: Mutex::new(State { settings, takers }),
        }
    }

    /// Tells a part of each configuration from now on.
    pub(crate) fn tell(&self, taker: impl Fn(&Config) + Send + Sync + 'static) {
        self.lock().takers.push(Box::new(taker));
    }

    /// Reads the configuration again with each SIGHUP. Never ends.
    ///
    /// # Errors
    /// When the system gives no signals.
    pub(crate) async fn on_signals(&self) -> std::io::Result<()> {
        let mut hangups = signal(SignalKind::hangup())?;
        while hangups.recv().await.is_some() {
            // What came of it is in the log.
            drop(self.reload());
        }
        std::future::pending().await
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Configured for Reloading {
    fn settings(&self) -> Vec<Setting> {
        self.lock().settings.clone()
    }

    fn reload(&self) -> Result<Changes, String> {
        // One after the other.
        let mut state = self.lock();
        let Loaded { config, settings } = Config::load(self.path.as_deref(), self.is_laptop)
            .map_err(|mistakes| {
                let error = mistakes.to_string();
                tracing::error!(
                    event = "config.not_reloaded",
                    error,
                    "the configuration has mistakes, nothing is changed"
                );
                error
            })?;
        let changes = Changes::between(&state.settings, &settings);
        self.log.configure(&config.log.filter);
        for take in &state.takers {
            take(&config);
        }
        state.settings = Changes::holding(&state.settings, &settings);
        drop(state);
        tracing::info!(
            event = "config.reloaded",
            changed = told(&changes.applied),
            "the configuration is read again"
        );
        if !changes.waiting.is_empty() {
            tracing::warn!(
                event = "config.restart_needed",
                changed = told(&changes.waiting),
                "some of what has changed takes effect when the process is started again"
            );
        }
        Ok(changes)
    }
}

/// For the log.
fn told(changes: &[Changed]) -> String {
    let changes = changes.iter();
    let changes = changes.map(|Changed { key, from, to }| format!("{key}: {from} -> {to}"));
    changes.collect::<Vec<_>>().join("; ")
}
