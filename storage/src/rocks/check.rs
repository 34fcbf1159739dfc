//! Whether indexes, counters and contents agree: `restante storage check`. For a store that serves
//! nobody meanwhile; what changes under the check is reported as wrong.

mod fan_out;
mod messages;
mod orphans;
mod report;
mod reports;
mod restate;

pub use self::report::{CheckReport, Finding};

use std::sync::Arc;

use super::RocksStore;
use super::submit::submit;
use crate::store::StoreError;

impl RocksStore {
    /// Removes what uploads have left behind whose process died, then reads everything and compares. With `restate`, counters of mailboxes and senders that
    /// are wrong are written anew from their messages; nothing else is changed.
    ///
    /// # Errors
    /// The disk fails while reading, or a row cannot be understood at all.
    pub async fn check(&self, restate: bool) -> Result<CheckReport, StoreError> {
        let shared = Arc::clone(&self.shared);
        let checking = tokio::task::spawn_blocking(move || {
            let mut report = CheckReport {
                unfinished_uploads: shared.remove_orphans()?,
                ..CheckReport::default()
            };
            let wrong = shared.check_mailboxes(&mut report)?;
            shared.check_orphans(&mut report)?;
            shared.check_fan_out(&mut report)?;
            shared.check_reports(&mut report)?;
            Ok::<_, StoreError>((report, wrong))
        });
        let (mut report, wrong) = checking.await.map_err(|_| StoreError::Closed)??;
        if restate {
            for restate in wrong {
                submit(&self.shared, &self.queues, restate).await?;
                report.restated += 1;
            }
        }
        Ok(report)
    }
}
