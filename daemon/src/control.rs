//! What operators may ask of a process that runs, and change in it: its log filter, its configuration.
//!
//! How they ask, and whether they may, is not known here.

use std::sync::Arc;

use crate::config::{Changes, Setting};
use crate::log::FilterControl;

/// A process as it is asked. Clones ask the same.
#[derive(Clone)]
pub struct Control {
    /// What chooses the lines of its log.
    pub log: FilterControl,
    /// Its configuration.
    pub configuration: Arc<dyn Configured>,
}

/// Who has a configuration that can be read again.
pub trait Configured: Send + Sync {
    /// What holds now, key by key.
    fn settings(&self) -> Vec<Setting>;

    /// Reads it again and lets take effect what may. Reads files.
    ///
    /// # Errors
    /// Every mistake with its place, a line each; nothing has changed then.
    fn reload(&self) -> Result<Changes, String>;
}

impl std::fmt::Debug for Control {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Control").finish_non_exhaustive()
    }
}
