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
    /// What was read last, unless that is what the process has started with.
    latest: Option<Config>,
    takers: Vec<Taker>,
}

impl Reloading {
    pub(crate) fn new(
        (path, is_laptop): (Option<PathBuf>, bool),
        settings: Vec<Setting>,
        log: FilterControl,
    ) -> Self {
        let state = State {
            settings,
            latest: None,
            takers: Vec::new(),
        };
        Self {
            path,
            is_laptop,
            log,
            state: Mutex::new(state),
        }
    }

    /// Tells a part of each configuration from now on, and at once of what was read while it was being built.
    pub(crate) fn tell(&self, taker: impl Fn(&Config) + Send + Sync + 'static) {
        let mut state = self.lock();
        if let Some(latest) = &state.latest {
            taker(latest);
        }
        state.takers.push(Box::new(taker));
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
        state.latest = Some(config);
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

#[cfg(test)]
mod tests {
    use std::sync::{Arc, PoisonError};

    use super::*;

    #[test]
    fn a_part_that_was_being_built_takes_what_was_read_meanwhile() {
        let folder = tempfile::tempdir().expect("a folder");
        let file = folder.path().join("restante.toml");
        let write = |rate: u32| {
            let text = format!("[limits]\nsender_rate = {rate}\n");
            std::fs::write(&file, text).expect("written");
        };
        write(1);
        let loaded = Config::load(Some(&file), false);
        let Loaded { config, settings } = loaded.unwrap_or_else(|error| panic!("{error}"));
        let log = daemon::log::init(&config.log).expect("the only log");
        let origin = (Some(file.clone()), false);
        let reloading = Reloading::new(origin, settings, log.filter().clone());
        let part = || {
            let seen = Arc::new(Mutex::new(Vec::new()));
            let told = Arc::clone(&seen);
            reloading.tell(move |config| {
                let mut told = told.lock().unwrap_or_else(PoisonError::into_inner);
                told.push(config.sip_edge.limits.sender_rate);
            });
            seen
        };
        let early = part();
        for rate in [2, 3] {
            write(rate);
            reloading.reload().expect("sound");
        }
        let late = part();
        write(4);
        reloading.reload().expect("sound");
        assert_eq!(*early.lock().expect("sound"), [2, 3, 4].map(Some));
        assert_eq!(*late.lock().expect("sound"), [3, 4].map(Some));
    }
}
