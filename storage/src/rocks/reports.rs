//! Delivery reports of the RocksDB engine: the calls, and what is kept in memory of them.

use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

use super::RocksStore;
use super::leg_dues::LowerBound;
use super::operation::report::{ClaimReports, SettleReports};
use super::shared::Shared;
use crate::column_family::Family;
use crate::key;
use crate::model::{
    Address, LegOutcome, ReportBatch, ReportName, ReportSettled, ReportStatus, ReportToken,
    UnixMillis,
};
use crate::report::{REPORTS_AT_ONCE, ReportStore, ReportWatch};
use crate::rule::report_pace::ReportPace;
use crate::store::{StoreError, Synced};

/// Looks at the index of one claim: reports that have to wait for their place make room for others.
const LOOKS: usize = 8;
/// A pause after looks that have brought nothing but reports that have to wait.
const FRUITLESS: Duration = Duration::from_millis(100);

/// What the engine keeps in memory of reports.
#[derive(Default)]
pub(super) struct ReportsState {
    /// Where the index by due time begins.
    dues: LowerBound,
    pace: Mutex<ReportPace>,
    watch: ReportWatch,
}

impl ReportsState {
    /// A group is on disk that makes these reports and puts rows into the index, from `due` on.
    pub(super) fn changed(&self, made: &[ReportStatus], due: Option<UnixMillis>) {
        if let Some(due) = due {
            self.dues.note(due);
        }
        self.watch.note_made(made);
    }

    /// Takes a place for a report to this sender.
    pub(super) fn pace(&self, to: &Address, per_second: u32, now: Instant) -> Result<(), Duration> {
        let pace = self.pace.lock();
        let mut pace = pace.unwrap_or_else(PoisonError::into_inner);
        pace.take(to, per_second, now)
    }
}

/// What a look at the index has found.
struct Look {
    due: Vec<(UnixMillis, ReportName)>,
    /// The first one that is not due yet.
    next: Option<UnixMillis>,
}

impl Shared {
    fn look_for_reports(&self, limit: usize) -> Result<Look, StoreError> {
        let now = self.times.read().steady;
        self.reports.dues.search(|lower| {
            let lower = lower.0.to_be_bytes();
            let mut scan = self.database.scan(Family::ReportDue, &lower, None);
            let (mut due, mut next) = (Vec::new(), None);
            while due.len() < limit {
                match scan.step(|key, _| key::decode_report_due(key))? {
                    Some((at, name)) if at <= now => due.push((at, name)),
                    ahead => {
                        next = ahead.map(|(at, _)| at);
                        break;
                    }
                }
            }
            let first = due.first().map_or(now, |(at, _)| *at);
            Ok((Look { due, next }, first.min(now)))
        })
    }
}

impl Shared {
    /// When the first report is, or was, due that is due by now.
    pub(super) fn first_report_due(&self) -> Result<Option<UnixMillis>, StoreError> {
        let look = self.look_for_reports(1)?;
        Ok(look.due.first().map(|(at, _)| *at))
    }
}

impl ReportStore for RocksStore {
    async fn claim_reports(
        &self,
        limit: usize,
        lease: Duration,
    ) -> Result<ReportBatch, StoreError> {
        let mut batch = ReportBatch {
            again_in: Some(FRUITLESS),
            ..ReportBatch::default()
        };
        for _ in 0..LOOKS {
            let wanted = limit - batch.reports.len();
            let look = self
                .read(move |shared| shared.look_for_reports(wanted))
                .await?;
            let found_all = look.due.len() < wanted;
            for candidates in look.due.chunks(REPORTS_AT_ONCE) {
                let candidates = candidates.to_vec();
                let claimed = self.submit(ClaimReports { candidates, lease }).await?;
                batch.reports.extend(claimed.reports);
                batch.dropped.extend(claimed.dropped);
            }
            if look.due.is_empty() {
                let steady = self.shared.times.read().steady;
                batch.again_in = look.next.map(|next| next.since(steady));
            }
            if batch.reports.len() >= limit {
                batch.again_in = Some(Duration::ZERO);
            }
            if look.due.is_empty() || batch.reports.len() >= limit {
                break;
            }
            if found_all && !batch.reports.is_empty() {
                // What has just been put off is looked at again soon enough.
                break;
            }
        }
        Ok(batch)
    }

    async fn settle_reports(
        &self,
        settlements: Vec<(ReportToken, LegOutcome)>,
    ) -> Result<Synced<Vec<ReportSettled>>, StoreError> {
        let mut settled = Vec::with_capacity(settlements.len());
        for slice in settlements.chunks(REPORTS_AT_ONCE) {
            settled.extend(self.submit(SettleReports(slice.to_vec())).await?);
        }
        Ok(Synced::after_sync(settled))
    }

    fn report_watch(&self) -> &ReportWatch {
        &self.shared.reports.watch
    }
}
