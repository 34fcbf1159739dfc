//! Whether all rows can be read, and indexes, counters and contents agree: of a store that serves nobody meanwhile
//! (`restante storage check`), or of a copy (`restantectl check`); what changes under the check is reported as wrong.

mod fan_out;
mod messages;
mod orphans;
mod reports;
mod restate;
mod rows;

use std::sync::Arc;

use self::restate::Restate;
use super::RocksStore;
use super::shared::Shared;
use super::submit::submit;
use crate::store::StoreError;
use crate::upkeep::{CheckReport, Finding, Stage, Walk};

impl RocksStore {
    /// Removes what uploads have left behind whose process died, then reads everything and compares. With `restate`, counters of mailboxes and senders that
    /// are wrong are written anew from their messages; nothing else is changed.
    ///
    /// # Errors
    /// The disk fails while reading.
    pub async fn check(&self, restate: bool) -> Result<CheckReport, StoreError> {
        let shared = Arc::clone(&self.shared);
        let checking = tokio::task::spawn_blocking(move || {
            let removed = shared.remove_orphans()?;
            let (mut report, wrong) = shared.check_all(&Walk::default())?;
            report.unfinished_uploads += removed;
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

impl Shared {
    /// Reads everything and compares. With the counters that are wrong, as they should be.
    pub(super) fn check_all(&self, walk: &Walk) -> Result<(CheckReport, Vec<Restate>), StoreError> {
        let mut report = CheckReport::default();
        let rows = self.database.estimated_rows();
        walk.enter(Stage::Reading, rows);
        self.check_rows(&mut report)?;
        walk.enter(Stage::Comparing, report.rows);
        let outcome = self.check_mailboxes(&mut report);
        let wrong = unless_unreadable(outcome, "mailboxes", &mut report)?;
        let outcome = self.check_orphans(&mut report);
        unless_unreadable(outcome, "indexes", &mut report)?;
        let outcome = self.check_fan_out(&mut report);
        unless_unreadable(outcome, "jobs", &mut report)?;
        let outcome = self.check_reports(&mut report);
        unless_unreadable(outcome, "delivery reports", &mut report)?;
        Ok((report, wrong))
    }
}

/// Rows that cannot be read are findings: they do not keep the rest from being compared.
fn unless_unreadable<T: Default>(
    outcome: Result<T, StoreError>,
    what: &'static str,
    report: &mut CheckReport,
) -> Result<T, StoreError> {
    match outcome {
        // A row whose key is gone is one that is not found.
        Err(StoreError::Corrupt { .. } | StoreError::NotFound) => {
            report.add(Finding::NotCompared(what));
            Ok(T::default())
        }
        outcome => outcome,
    }
}
