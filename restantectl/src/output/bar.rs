//! How far one long work on the server is, for people: on standard error, and only if that is a terminal.

use std::io::{IsTerminal, stderr};

use indicatif::{ProgressBar, ProgressStyle};

/// A bar, or nothing.
pub(crate) struct Bar(Option<ProgressBar>);

impl Bar {
    /// An empty one.
    pub(crate) fn begin() -> Self {
        Self(stderr().is_terminal().then(|| ProgressBar::new(0)))
    }

    /// Shows that `done` of `total` are done of what is being done.
    pub(crate) fn show(&mut self, what: &'static str, is_octets: bool, (done, total): (u64, u64)) {
        let Some(bar) = &self.0 else {
            return;
        };
        let template = match is_octets {
            true => "{msg:16} {bar:40} {bytes}/{total_bytes}",
            false => "{msg:16} {bar:40} {pos}/{len}",
        };
        if let Ok(style) = ProgressStyle::with_template(template) {
            bar.set_style(style);
        }
        bar.set_message(what);
        bar.set_length(total);
        bar.set_position(done);
    }
}

impl Drop for Bar {
    fn drop(&mut self) {
        if let Some(bar) = &self.0 {
            bar.finish_and_clear();
        }
    }
}
