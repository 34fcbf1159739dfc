//! What a store does about delivery reports (IMD rows). A part of the contract of [`crate::Store`].

use std::future::Future;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use tokio::sync::Notify;

use crate::model::{LegOutcome, ReportBatch, ReportSettled, ReportStatus, ReportToken};
use crate::store::{StoreError, Synced};

/// Reports that one call claims or settles at a time are handled in pieces of this size: a piece is decided and written
/// as a whole.
pub(crate) const REPORTS_AT_ONCE: usize = 32;

/// Delivery reports.
///
/// * A report is made in the batch of what it tells, once of each kind per message (IMD-02).
/// * It is there until a try has brought it to its sender, it is refused for good, or its time is over.
/// * A try that nobody settles is over with its lease; the next one has the same octets.
pub trait ReportStore: Send + Sync + 'static {
    /// Claims up to `limit` reports that are due. For one caller at a time: two would find the same ones.
    fn claim_reports(
        &self,
        limit: usize,
        lease: Duration,
    ) -> impl Future<Output = Result<ReportBatch, StoreError>> + Send;

    /// Settles tries, and returns once that is synced: one answer for each, in their order.
    fn settle_reports(
        &self,
        settlements: Vec<(ReportToken, LegOutcome)>,
    ) -> impl Future<Output = Result<Synced<Vec<ReportSettled>>, StoreError>> + Send;

    /// Tells that reports are made, and how many were.
    fn report_watch(&self) -> &ReportWatch;
}

/// Tells of reports once they are on disk.
#[derive(Debug, Default)]
pub struct ReportWatch {
    changed: Notify,
    made: [AtomicU64; ReportStatus::ALL.len()],
}

impl ReportWatch {
    /// Waits until one is made; returns at once if one was since the last wait.
    pub async fn changed(&self) {
        self.changed.notified().await;
    }

    /// Reports of this status made since the opening.
    #[must_use]
    pub fn made(&self, status: ReportStatus) -> u64 {
        let place = status as usize - 1;
        let count = self.made.get(place);
        count.map_or(0, |count| count.load(Ordering::Relaxed))
    }

    /// They are on disk.
    pub(crate) fn note_made(&self, statuses: &[ReportStatus]) {
        for status in statuses {
            if let Some(count) = self.made.get(*status as usize - 1) {
                count.fetch_add(1, Ordering::Relaxed);
            }
        }
        if !statuses.is_empty() {
            self.changed.notify_one();
        }
    }
}
