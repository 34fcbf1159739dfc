//! A bar for content on its way.

use std::io::IsTerminal as _;

use indicatif::{ProgressBar, ProgressStyle};
use restante_im_client::upload::UploadControl;
use tokio::task::JoinHandle;

/// Shorter content is there before a bar could be read.
const SHOWN_ABOVE_OCTETS: u64 = 256 * 1024;

/// A bar on the terminal; nothing where standard error is none.
pub(super) struct Progress(Option<(ProgressBar, JoinHandle<()>)>);

impl Progress {
    /// Follows an upload of so many octets.
    pub(super) fn show(control: &UploadControl, octets: u64) -> Self {
        if octets <= SHOWN_ABOVE_OCTETS || !std::io::stderr().is_terminal() {
            return Self(None);
        }
        let style =
            ProgressStyle::with_template("{wide_bar} {bytes}/{total_bytes} {bytes_per_sec} {eta}");
        let bar = ProgressBar::new(octets);
        if let Ok(style) = style {
            bar.set_style(style);
        }
        let (shown, mut sent) = (bar.clone(), control.progress());
        let follower = tokio::spawn(async move {
            while sent.changed().await.is_ok() {
                shown.set_position(*sent.borrow_and_update());
            }
        });
        Self(Some((bar, follower)))
    }

    /// Takes the bar away.
    pub(super) fn end(self) {
        if let Some((bar, follower)) = self.0 {
            follower.abort();
            bar.finish_and_clear();
        }
    }
}
