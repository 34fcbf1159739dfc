//! How far long work has come, for people: on standard error, and only if that is a terminal and results do not go there too.

use std::io::{IsTerminal, stderr, stdout};
use std::time::Duration;

use indicatif::{ProgressBar, ProgressStyle};

/// A bar, or nothing.
pub(crate) struct Progress(Option<ProgressBar>);

impl Progress {
    /// `total` items if that is known. With `beside_results` the results are shown on standard output as they come.
    pub(crate) fn begin(total: Option<usize>, beside_results: bool) -> Self {
        let is_seen = stderr().is_terminal() && !(beside_results && stdout().is_terminal());
        if !is_seen {
            return Self(None);
        }
        let bar = match total {
            Some(total) => ProgressBar::new(total as u64),
            None => ProgressBar::new_spinner(),
        };
        let template = match total {
            Some(_) => "{bar:40} {pos}/{len}, {per_sec}, {eta} left",
            None => "{spinner} {pos} so far, {per_sec}",
        };
        if let Ok(style) = ProgressStyle::with_template(template) {
            bar.set_style(style);
        }
        bar.enable_steady_tick(Duration::from_millis(200));
        Self(Some(bar))
    }

    /// One item more is done.
    pub(crate) fn step(&self) {
        if let Some(bar) = &self.0 {
            bar.inc(1);
        }
    }
}

impl Drop for Progress {
    fn drop(&mut self) {
        if let Some(bar) = &self.0 {
            bar.finish_and_clear();
        }
    }
}
